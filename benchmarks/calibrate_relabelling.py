"""Does the relabelling estimate the false discoveries among the calls when many genes change?

    python benchmarks/calibrate_relabelling.py --replicates 8 > relabelling.md

prints the table of docs/calibration.md, "Relabelling". Seeded: the same numbers come out each time.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from concurrent.futures import ProcessPoolExecutor

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd

from fibroserum.cohort import canonical_sheet
from fibroserum.de import FitSettings, fit_model, result_table
from fibroserum.design import contrasts_of, models_of
from fibroserum.normalization import size_factors
from fibroserum.permutations import bars_of, engine_of, linear_test, passing, relabelled_designs
from fibroserum.relabelling import relabel
from fibroserum.simulate.cohort import simulate_cohort
from fibroserum.simulate.spec import Arm, CohortSpec

ALPHA = 0.05
RELABELLINGS = 100
MAIN_ALONE = 10
SHEET = {"donor": "donor", "group": "group", "time": "timepoint", "line": None}
SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}
SHARES = (0.0, 0.05, 0.1, 0.2)
WAYS = ("as used", "called genes counted too", "main model alone")


def one(job: tuple[int, float, int]) -> list[dict[str, object]]:
    """Return for two contrasts what was called, what of it is false, and what relabelling says."""
    donors, share, seed = job
    spec = CohortSpec(
        arms=(Arm("AT", donors), Arm("RT", donors)),
        incomplete_donors=0,
        genes=3000,
        arm_only_share=share,
        stimulation_cultures=0,
    )
    spec = spec if share else spec.null()
    sim = simulate_cohort(spec, seed)
    obs = canonical_sheet(sim.samples.astype(str), SHEET).assign(used_for="change")
    counts = sim.counts.loc[obs.index]
    scale = pd.Series(size_factors(counts.to_numpy())[0], index=obs.index)
    never = pd.Series(False, index=counts.columns)
    model = models_of(obs, SETTINGS)[0]
    fit = fit_model(counts, model, scale, never, FitSettings())
    engine = engine_of(fit, never, 1)
    rows = []
    for contrast in contrasts_of(["AT", "RT"], "pre", "post")[1:3]:
        vector = model.contrasts[contrast.name]
        table = result_table(fit, contrast.name, sim.truth["symbol"], ALPHA).set_index("gene_id")
        called = table["call"] != "none"
        false = int((called & (sim.truth[contrast.name].reindex(table.index) == 0)).sum())
        used = bars_of(table, ALPHA, main_only=False)
        eligible = used.counted | called
        bars = [
            used,
            dataclasses.replace(used, counted=eligible, scale=1.0),
            dataclasses.replace(used, counted=eligible, scale=1.0, second=None),
        ]
        rng = np.random.default_rng(seed)
        found = relabel(contrast, obs, engine.counts, SETTINGS, RELABELLINGS, rng)
        passed = np.full((len(found.rows), len(bars)), np.nan)
        for place, design in enumerate(relabelled_designs(engine.design, found)):
            second = linear_test(engine, design, vector)
            # the main model alone refits every gene: a tenth of the relabellings must do
            taken = bars if place < MAIN_ALONE else bars[:2]
            for way, b in enumerate(taken):
                passed[place, way] = passing(engine, b, second, design, vector) * b.scale
        rows.append(
            {
                "donors": donors,
                "share": share,
                "kind": contrast.kind,
                "called": int(called.sum()),
                "false": false,
                **dict(zip(WAYS, np.nanmean(passed, axis=0), strict=True)),
            }
        )
    return rows


def with_error(values: pd.Series) -> str:
    """Return mean ± Monte Carlo standard error."""
    return f"{values.mean():.1f} ± {values.std(ddof=1) / np.sqrt(len(values)):.1f}"


def markdown(results: pd.DataFrame) -> str:
    """Return the study's table."""
    columns = ["called", "false", *WAYS]
    head = "| donors an arm | contrast | changed in each arm alone | called | false among them | "
    head += " | ".join(f"relabelled: {way}" for way in WAYS)
    lines = [f"{head} |", "| --- " * (3 + len(columns)) + "|"]
    for (donors, kind, share), part in results.groupby(["donors", "kind", "share"], sort=False):
        cells = [with_error(part[column]) for column in columns]
        lines.append(f"| {donors} | {kind} | {share:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seeds = range(arguments.replicates)
    work = [(8, share, seed) for share in SHARES for seed in seeds]
    with ProcessPoolExecutor(arguments.workers) as pool:
        rows = [row for part in pool.map(one, work) for row in part]
    print(f"{arguments.replicates} cohorts each, 3000 genes, {RELABELLINGS} relabellings.\n")
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
