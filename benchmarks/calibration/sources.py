"""Where cohorts come from: the package's generator, an independent simulator, real counts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from calibration.cohort import Cohort
from calibration.plan import Row
from calibration.plasmodes import available, plasmode
from calibration.simulator import Dials, simulate
from fibroserum.simulate import Arm, CohortSpec, simulate_cohort
from fibroserum.simulate.spec import QUARTER_LESS

TOY_GENES = 2000


def draw(row: Row, seed: int) -> Cohort:
    """Return one cohort of a row of the plan."""
    if row.source == "plasmode":
        return plasmode(row.settings["cohort"], seed, null=row.null)
    if row.source == "toy":
        return toy(row, seed)
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in row.settings.items()
    }
    return simulate(Dials(donors=row.donors, null=row.null, **settings), seed)


def can_draw(row: Row) -> bool:
    """Return whether a row's source is present: real counts may be absent."""
    return row.source != "plasmode" or available(row.settings["cohort"])


def toy(row: Row, seed: int) -> Cohort:
    """Return a cohort of the package's own generator."""
    spec = CohortSpec(
        arms=(Arm("AT", row.donors["AT"]), Arm("RT", row.donors["RT"], QUARTER_LESS)),
        incomplete_donors=0,
        genes=TOY_GENES,
        arm_only_share=0.05,
        stimulation_cultures=0,
        **row.settings,
    )
    drawn = simulate_cohort(spec.null() if row.null else spec, seed)
    sheet = drawn.samples.set_index("sample").rename(columns={"timepoint": "time"})
    names = {f"{group}_post_vs_pre": group for group in row.donors}
    change: pd.DataFrame = drawn.truth[list(names)].rename(columns=names)
    sets = {name: genes for name, genes in drawn.null_sets.items() if row.null}
    by_symbol = pd.Series(drawn.truth.index, index=drawn.truth["symbol"])
    ids = {f"random {name}": tuple(by_symbol[list(genes)]) for name, genes in sets.items()}
    return Cohort(
        drawn.counts, sheet[["donor", "group", "time"]], tuple(row.donors), change, sets=ids
    )
