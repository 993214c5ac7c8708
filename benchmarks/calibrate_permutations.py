"""Do permutations estimate the false discoveries among the calls if many genes change?

    python benchmarks/calibrate_permutations.py --write docs/calibration.md

Seeded: each run gives the same numbers. Without `--write` the section is only printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from two_groups import SETTINGS, SHEET

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import models_of
from fibroserum.cohort.samples import canonical_sheet
from fibroserum.cohort.size_factors import size_factors
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.permutations.engine import bars_of, engine_of, linear_test, passing, permuted
from fibroserum.permutations.labels import draw_permutations
from fibroserum.simulate.cohort import simulate_cohort
from fibroserum.simulate.spec import Arm, CohortSpec
from sections import took, write_section

ALPHA = 0.05
PERMUTATIONS = 100
MAIN_ALONE = 10
#: donors per group: shares of the genes that change in each group only
SHARES = {4: (0.0, 0.1), 8: (0.0, 0.05, 0.1, 0.2), 16: (0.0, 0.1)}
READING = """\
If the called genes were counted too, flips of their real effects would be mistaken for false calls.
The main model by itself, whose dispersions are shrunk to a fixed prior, is most sensitive to such
flips. With 4 donors per group a change has 7 distinct permutations and a difference 34, which are
too few to estimate a false discovery rate: a run says so and gives none."""
WAYS = ("as used", "called genes counted too", "main model only")


def one(job: tuple[int, float, int]) -> list[dict[str, object]]:
    """Return for two contrasts what was called, what of it is false, and what is estimated."""
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
    engine = engine_of(fit, never)
    rows = []
    for contrast in contrasts_of(["AT", "RT"], "pre", "post")[1:3]:
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
        found = draw_permutations(contrast, obs, engine.counts, SETTINGS, PERMUTATIONS, rng)
        passed = np.full((len(found.rows), len(bars)), np.nan)
        for place, turned in enumerate(permuted(engine.model, found.rows)):
            second = linear_test(engine, turned, contrast.file)
            # the main model only refits every gene: a tenth of the permutations must do
            taken = bars if place < MAIN_ALONE else bars[:2]
            for way, b in enumerate(taken):
                passed[place, way] = passing(engine, b, second, turned, contrast.file) * b.scale
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


def table_of(results: pd.DataFrame) -> list[str]:
    """Return the study's table in Markdown."""
    columns = ["called", "false", *WAYS]
    head = (
        "| donors per group | contrast | changed in each group only | called | false among them | "
    )
    head += " | ".join(f"permuted: {way}" for way in WAYS)
    lines = [f"{head} |", "| --- " * (3 + len(columns)) + "|"]
    for (donors, kind, share), part in results.groupby(["donors", "kind", "share"], sort=False):
        cells = [with_error(part[column]) for column in columns]
        lines.append(f"| {donors} | {kind} | {share:.0%} | {' | '.join(cells)} |")
    return lines


def markdown(results: pd.DataFrame, replicates: int) -> str:
    """Return the section of docs/calibration.md."""
    text = [
        "## Permutations",
        "",
        f"`benchmarks/calibrate_permutations.py`: {replicates} simulated cohorts per row, 3,000 "
        f"genes, {PERMUTATIONS} permutations each, or all if there are fewer ({MAIN_ALONE} of them "
        "for the main model only); a share of the genes changes in each group only. `called` and "
        "`false among them` count the calls in the data; the last three columns are the mean "
        "number of genes that pass the calls' thresholds in permuted data, which should equal the "
        "number of false calls.",
        "",
        *table_of(results),
        "",
        READING,
    ]
    return "\n".join(text)


def finding(results: pd.DataFrame) -> str:
    """Return what the study shows, made from its figures."""
    enough = results[(results["share"] > 0) & (results["donors"] > 4)]
    means = enough.groupby(["donors", "kind", "share"])[["false", WAYS[0]]].mean()
    ratio = means[WAYS[0]] / means["false"]
    return (
        f"as used, with at least 8 donors per group, permutations estimate {ratio.min():.2f} to "
        f"{ratio.max():.2f} times the true number of false calls."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    seeds = range(asked.replicates)
    work = [(n, share, seed) for n, shares in SHARES.items() for share in shares for seed in seeds]
    with ProcessPoolExecutor(asked.processes) as pool:
        rows = [row for part in pool.map(one, work) for row in part]
    results = pd.DataFrame(rows)
    section = markdown(results, asked.replicates)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(results))


if __name__ == "__main__":
    main()
