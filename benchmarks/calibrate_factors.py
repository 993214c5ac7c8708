"""How often are factor-responsive genes called falsely? Simulated cohorts with known truth.

    python benchmarks/calibrate_factors.py --write docs/calibration.md

Seeded: each run gives the same numbers. Without `--write` the section is only printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from two_groups import SETTINGS, SHEET
from uneven_studies import serum_section, serum_study

from fibroserum import deseq
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.samples import canonical_sheet, use_of_samples
from fibroserum.cohort.size_factors import size_factors
from fibroserum.cohort.stage import stimulation_arm
from fibroserum.factors.combine import Evidence, combine, signed_z
from fibroserum.factors.levels import level_pairs
from fibroserum.factors.serum import level_values, serum_model
from fibroserum.factors.stimulation import (
    stimulation_evidence,
    stimulation_scores,
    stimulation_table,
)
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.simulate.cohort import simulate_cohort
from fibroserum.simulate.spec import QUARTER_LESS, Arm, CohortSpec
from fibroserum.slopes.design import VALUE, slope_design
from sections import took, write_section

ALPHA = 0.05
ARM = {
    "counts": "",
    "samples": "",
    "column": "treatment",
    "control": "vehicle",
    "treated": "ccl28",
    "block": "culture",
}
SCENARIOS: dict[str, tuple[dict[str, float], tuple[int, ...]]] = {
    "both sources true": ({}, (4, 6, 8, 10, 16)),
    "both sources true, outliers": ({"outlier_share": 0.02}, (4, 8, 16)),
    "nothing true": ({"effect_scale": 0.0}, (4, 8, 16)),
    "only serum true": ({"stimulation_dose": 0.0}, (8,)),
    "sources opposite": ({"stimulation_dose": -1.0}, (8,)),
}
# a share of cohorts with any call has a large error of its own: more of these cohorts are drawn
NULL, NULL_TIMES = "nothing true", 4
# only the serum evidence, with 4 donors per group, where it finds almost nothing: own seeds
FURTHER = ("both sources true", "both sources true, outliers", "nothing true")
FURTHER_SEED = 50_000

READING = """\
With two sources of evidence, the rows *normal reference* show what Stouffer's score would call with
a normal reference distribution; this is why its reference is a t distribution (docs/methods.md).
With few donors the serum evidence finds almost nothing, so its mean FDP is the share of cohorts
with any call, and its error is large: the second table has more cohorts. With opposite sources
`responsive` finds nothing, by construction; the rows of the single sources show why."""
TESTS = ("responsive", "confirmed", "stimulation only", "serum only")


def specification(donors: int, cultures: int, options: dict[str, float]) -> CohortSpec:
    """Return a cohort of two groups of so many complete donors."""
    arms = (Arm("AT", donors), Arm("RT", donors, QUARTER_LESS))
    spec = CohortSpec(arms=arms, incomplete_donors=0, stimulation_cultures=cultures)
    return dataclasses.replace(spec, **options)


def wald_slope(counts: pd.DataFrame, design: pd.DataFrame) -> pd.Series:
    """Return the negative binomial Wald test's p values of the serum slope."""
    factors, _ = size_factors(counts.to_numpy())
    fit = deseq.fit(counts, design, size_factors=factors)
    return deseq.wald(fit, counts, (design.columns == VALUE).astype(float))["pvalue"]


def evidence(
    spec: CohortSpec, seed: int, *, others: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return the p values of every source and combination, the truth, and `call`, by gene.

    others: also those of the methods that were not chosen.
    """
    sim = simulate_cohort(spec, seed)
    obs = canonical_sheet(sim.samples.astype(str), SHEET)
    used, _ = use_of_samples(obs, contrasts_of(["AT", "RT"], "pre", "post"))
    obs = obs[used == "change"]
    counts = sim.counts.loc[obs.index]
    counts = counts.loc[:, counts.sum() >= 10]
    pairs = level_pairs(obs, SETTINGS, "ccl28", "linear")
    never = pd.Series(False, index=sim.counts.columns)
    serum = serum_model(counts, obs, SETTINGS, pairs, never)
    var = pd.DataFrame({"symbol": sim.truth["symbol"], "target": False})
    adata = stimulation_arm(sim.stimulation_counts, sim.stimulation_samples, var)
    table = stimulation_table(adata, ARM, alpha=ALPHA, min_count=10)
    arm = stimulation_scores(table)
    own = table.set_index("gene_id")
    lines = [stimulation_evidence(table), serum.evidence()]
    both = combine(lines, var.index, ALPHA)
    voom = signed_z(own["second_log2FoldChange"], own["second_pvalue"])
    plain = combine(
        [Evidence("stimulation", voom), Evidence("serum", lines[1].z)], var.index, ALPHA
    )
    found = {
        "responsive": both["responsive_pvalue"],
        "confirmed": both["confirmed_pvalue"],
        "stimulation only": arm["stimulation_pvalue"],
        "serum only": serum.table["serum_pvalue"],
    }
    if others:
        design = slope_design(obs, SETTINGS, level_values(pairs)).matrix
        tested = counts.loc[design.index, serum.table.index]
        found |= {
            "responsive, normal reference": plain["responsive_pvalue"],
            "confirmed, partial conjunction": both["confirmed_pvalue"],
            "stimulation, voom": own["second_pvalue"],
            "stimulation, NB Wald": own["pvalue"],
            "serum, NB Wald": wald_slope(tested, design),
        }
    frame = pd.DataFrame({name: p.reindex(var.index) for name, p in found.items()})
    return frame, truth_of(sim.truth), both["call"]


def truth_of(truth: pd.DataFrame) -> pd.DataFrame:
    """Return by gene whether each source, any source, or both with one sign are true."""
    serum, arm = truth["ccl28_slope"], truth["ccl28_stimulation"]
    return pd.DataFrame(
        {
            "serum": serum != 0,
            "stimulation": arm != 0,
            "any": (serum != 0) | (arm != 0),
            "both": np.sign(serum) * np.sign(arm) > 0,
        }
    )


def truth_for(name: str) -> str:
    """Return which truth a test is about."""
    if name.startswith("responsive"):
        return "any"
    return "both" if name.startswith("confirmed") else name.split()[0].strip(",")


def one(job: tuple[str, int, int, int]) -> list[dict[str, object]]:
    """Return calls, false ones, and small p values of true nulls, for one simulated cohort."""
    scenario, donors, cultures, seed = job
    others = scenario == next(iter(SCENARIOS))
    spec = specification(donors, cultures, SCENARIOS[scenario][0])
    tests, truth, call = evidence(spec, seed, others=others)
    rows = []
    for name in tests:
        true = truth[truth_for(name)]
        p = tests[name].to_numpy(float)
        called = benjamini_hochberg(p) < ALPHA
        if name == "confirmed":
            called = (call == "confirmed").to_numpy()
        null = np.isfinite(p) & ~true.to_numpy()
        false = int((called & ~true).sum())
        rows.append(
            {
                "scenario": scenario,
                "donors": donors,
                "cultures": cultures,
                "test": name,
                "fdp": false / max(int(called.sum()), 1),
                "power": (called & true).sum() / true.sum() if true.any() else np.nan,
                "small": float((p[null] < 0.001).mean()) if null.any() else np.nan,
            }
        )
    return rows


def jobs(replicates: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield scenario, donors per group, cultures and seed of every cohort."""
    for scenario, (_, sizes) in SCENARIOS.items():
        for donors in sizes:
            for seed in range(replicates * (NULL_TIMES if scenario == NULL else 1)):
                yield scenario, donors, 4, 1000 * donors + seed


def with_error(values: pd.Series, digits: int = 3) -> str:
    """Return mean ± Monte Carlo standard error."""
    known = values.dropna()
    if known.empty:
        return "–"
    error = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    return f"{known.mean():.{digits}f} ± {error:.{digits}f}"


def serum_alone(job: tuple[str, int]) -> dict[str, object]:
    """Return what the serum evidence alone calls falsely in a cohort of 4 donors per group."""
    scenario, seed = job
    sim = simulate_cohort(specification(4, 0, SCENARIOS[scenario][0]), seed)
    obs = canonical_sheet(sim.samples.astype(str), SHEET)
    counts = sim.counts.loc[obs.index]
    counts = counts.loc[:, counts.sum() >= 10]
    pairs = level_pairs(obs, SETTINGS, "ccl28", "linear")
    line = serum_model(counts, obs, SETTINGS, pairs, pd.Series(False, index=counts.columns))
    called = benjamini_hochberg(line.table["serum_pvalue"].to_numpy()) < ALPHA
    true = truth_of(sim.truth)["serum"].reindex(line.table.index).to_numpy()
    return {
        "scenario": scenario,
        "fdp": (called & ~true).sum() / max(called.sum(), 1),
        "any": float(called.any()),
    }


def tables_of(results: pd.DataFrame, further: pd.DataFrame) -> list[str]:
    """Return the study's tables in Markdown."""
    head = "| scenario | donors per group | test | mean FDP | power | null genes with p < .001 |"
    lines = [head, "| --- " * 6 + "|"]
    keys = ["scenario", "donors", "test"]
    for (scenario, donors, test), part in results.groupby(keys, sort=False):
        cells = [
            with_error(part["fdp"]),
            with_error(part["power"], 2),
            with_error(part["small"], 5),
        ]
        lines.append(f"| {scenario} | {donors} | {test} | {' | '.join(cells)} |")
    lines += [
        "",
        "The serum evidence by itself with 4 donors per group, "
        f"{further.groupby('scenario').size().max()} further cohorts per row:",
        "",
        "| scenario | mean FDP | cohorts with a call |",
        "| --- | --- | --- |",
    ]
    for scenario, part in further.groupby("scenario", sort=False):
        lines.append(f"| {scenario} | {with_error(part['fdp'])} | {with_error(part['any'])} |")
    return lines


def largest(results: pd.DataFrame, test: str) -> str:
    """Return the largest mean FDP of a test, with its error and where it is."""
    own = results[results["test"] == test]
    means = own.groupby(["scenario", "donors"])["fdp"].mean()
    scenario, donors = means.idxmax()
    cell = own[(own["scenario"] == scenario) & (own["donors"] == donors)]
    return f"{with_error(cell['fdp'])} ({scenario}, {donors} donors per group)"


def markdown(results: pd.DataFrame, further: pd.DataFrame, replicates: int) -> str:
    """Return the section of docs/calibration.md."""
    text = [
        "## Factors",
        "",
        f"`benchmarks/calibrate_factors.py`: {replicates} simulated cohorts per row "
        f"({NULL_TIMES * replicates} if nothing is true), 3,000 genes of which 51 follow CCL28, "
        "two groups of complete donors, a stimulation experiment of 4 cultures, donor effects, "
        "correlated modules of genes; `outliers`: one sample multiplied by 16 in 2 % of the "
        "cohort's genes. FDP is the false share of the calls at a nominal .05, E[V / max(R, 1)], "
        "± its Monte Carlo standard error; if nothing is true, it is the share of cohorts with "
        "any call. For `responsive` a gene is true if either source is; for `confirmed` if both "
        "are, with the same sign. *stimulation only* and *serum only* are the tests that "
        "`responsive` uses with one source. The last column is the share of true null genes with "
        "p < .001. Rows that name a method (voom, NB Wald, normal reference, partial conjunction "
        "with Benjamini-Hochberg) are methods that were not chosen, for comparison.",
        "",
        "Largest mean FDP of any row:",
        "",
        *(f"* `{test}`: {largest(results, test)}" for test in TESTS),
        "",
        READING,
        "",
        *tables_of(results, further),
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=50)
    parser.add_argument("--further", type=int, default=250)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=Path, default=Path("results/calibration/serum.jsonl"))
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    more = [
        (scenario, FURTHER_SEED + seed) for scenario in FURTHER for seed in range(asked.further)
    ]
    data = os.environ.get("FIBROSERUM_DATA")
    with ProcessPoolExecutor(asked.processes) as pool:
        uneven = serum_study(asked.rows, Path(data) if data else None, pool)
        parts = pool.map(one, list(jobs(asked.replicates)), chunksize=2)
        rows = [row for part in parts for row in part]
        further = pd.DataFrame(pool.map(serum_alone, more, chunksize=5))
    section = markdown(pd.DataFrame(rows), further, asked.replicates) + serum_section(uneven)
    print(section)
    print(took(start))
    if asked.write:
        said = "; ".join(f"`{test}` {largest(pd.DataFrame(rows), test)}" for test in TESTS[:2])
        alone = with_error(further["fdp"])
        write_section(
            asked.write,
            section,
            f"largest mean FDP: {said}. The serum evidence by itself with 4 donors per group, "
            f"over all its further cohorts: {alone}.",
        )


if __name__ == "__main__":
    main()
