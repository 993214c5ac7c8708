"""How often are omnibus questions and slopes on a dose falsely called? Simulated cohorts.

    python benchmarks/calibrate_designs_tests.py --write docs/calibration.md

Seeded: each run gives the same numbers. Without `--write` the section is only printed.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from design_cohorts import ALIKE, UNLIKE, Cell, cohort_of

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.models import models_of
from fibroserum.de.fitting import fit_model
from fibroserum.de.omnibus import omnibus_table
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.multiple_testing import benjamini_hochberg
from sections import run_study

ALPHA = 0.05
GENES = 400
SPREADS = {"alike": ALIKE, "unlike": UNLIKE}
DONORS = (6, 10, 20)
SHARES = (0.0, 0.1)
TESTS = {
    "groups week8": "groups, first time",
    "groups week16": "groups, second time",
    "times": "times",
    "RT_week16_dose_slope": "slope",
    "RT_vs_AT_dose_slope_week16": "difference of slopes",
    "control_week16_dose_slope": "slope, nothing true",
}
Key = tuple[str, int, float]

TITLE = "Omnibus questions and doses"
READING = """\
Three groups, two times after. A donor's own response is correlated between the times, in addition
to the sample before that they share. *Unlike*: it varies four times as much in control as in AT,
with an sd of 0.15, 0.3 and 0.6 log2. FDP: mean share of false calls among the calls (0 in a cohort
without calls); if nothing is true, the share of cohorts with a false call. The error is the
standard error over cohorts; a row passes if FDP is at most 0.05 + 2 errors. *Alone*: FDP of the F
test, or of the second model's slope, without the negative binomial model."""


def of_slopes(
    table: pd.DataFrame, name: str, true: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return calls, calls of the second model alone, and what is true, of a slope's table."""
    called = (table["call"] != "none").to_numpy()
    alone = (table["second_padj"] < ALPHA).to_numpy()
    return called, alone, true & name.startswith("RT")


def families(key: Key, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield each test of a cohort, what is called, by one model alone, and what is true."""
    spread, donors, share = key
    cell = Cell(donors, SPREADS[spread], changed=share, genes=GENES)
    cohort, true = cohort_of(cell, seed)
    cohort.uns["fibroserum"]["dose"] = "sessions"
    counts, factors, kept = counts_of(cohort), cohort.obs["size_factor"], cohort.var["target"]
    models = {model.name: model for model in models_of(cohort.obs, settings_of(cohort))}
    fits = {
        name: fit_model(counts, models[name], factors, kept, FitSettings())
        for name in ("paired", "dose")
    }
    table = omnibus_table(cohort, fits["paired"], ALPHA)
    for (question, at), own in table.groupby([table["question"], table["time"].fillna("")]):
        alone = benjamini_hochberg(own["F_pvalue"].to_numpy(float)) < ALPHA
        planted = true[cohort.var_names.get_indexer(own["gene_id"])]
        yield f"{question} {at}".strip(), (own["call"] == "differs").to_numpy(), alone, planted
    for name in models["dose"].contrasts:
        if name in TESTS:
            result = result_table(fits["dose"], name, cohort.var["symbol"], ALPHA)
            yield name, *of_slopes(result, name, true)


def one(key: Key, seed: int) -> list[dict[str, Any]]:
    """Return the FDP and the power of each test in one cohort."""
    return [
        dict(zip(("spread", "donors", "true"), key, strict=True))
        | {
            "test": TESTS[name],
            "fdp": (called & ~true).sum() / max(called.sum(), 1),
            "alone": (alone & ~true).sum() / max(alone.sum(), 1),
            "power": (called & true).sum() / max(true.sum(), 1),
        }
        for name, called, alone, true in families(key, seed)
    ]


def rows(cohorts: int, workers: int) -> pd.DataFrame:
    """Return a row a setting and test: means and standard errors."""
    keys: list[Key] = list(product(SPREADS, DONORS, SHARES))
    jobs = [(key, seed) for key in keys for seed in range(1, cohorts + 1)]
    with ProcessPoolExecutor(workers) as pool:
        found = pd.DataFrame(
            [row for own in pool.map(one, *zip(*jobs, strict=True)) for row in own]
        )
    grouped = found.groupby(["test", "spread", "donors", "true"], sort=False)
    return grouped.mean().join(grouped["fdp"].sem().rename("error")).reset_index()


def passing(row: Mapping[Hashable, Any]) -> bool:
    """Return whether a row keeps its level."""
    return bool(row["fdp"] <= ALPHA + 2 * row["error"])


def finding(table: pd.DataFrame) -> str:
    """Return what the study shows in a sentence."""
    kept = sum(map(passing, table.to_dict("records")))
    return (
        f"{kept} of {len(table)} settings keep their level; the largest FDP is "
        f"{table['fdp'].max():.3f}, of one model alone {table['alone'].max():.3f}."
    )


def section(table: pd.DataFrame, cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    lines = [
        "| test | spread | donors | true | FDP | alone | power | passes |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in table.to_dict("records"):
        lines.append(
            f"| {row['test']} | {row['spread']} | {row['donors']} | {row['true']:g} "
            f"| {row['fdp']:.3f} ± {row['error']:.3f} | {row['alone']:.3f} "
            f"| {row['power']:.2f} | {'yes' if passing(row) else '**no**'} |"
        )
    head = (
        f"## {TITLE}\n\n`benchmarks/calibrate_designs_tests.py`: {cohorts} simulated cohorts a "
        f"row, {GENES} genes, donors in each of three groups."
    )
    return "\n".join([head, "", READING, "", *lines, ""])


if __name__ == "__main__":
    run_study(__doc__, rows, section, finding)
