"""Calibration of the gene-set tests: error rates when genes correlate, and power.

    python benchmarks/calibrate_sets.py --write docs/calibration.md

Cohorts of counts with 20 sets of 20 genes and 20 of 60, whose genes' noise correlates within the
set. Every cohort is drawn from its own seed; rates carry the standard error between cohorts.
Where nothing changes, and where a fifth of all genes does, cohorts of 3 and 4 donors are drawn too.
Then cohorts of two groups whose donors respond unequally (`set_spread`).
With `--depth`, instead, cohorts whose samples after are shallower (`set_depth`), a section apart.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# before numpy: processes share the cores
os.environ.update(
    dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"], "1")
)

import numpy as np
import pandas as pd
import set_depth
import set_spread
from set_rivals import camera_fixed, flips, romer

from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import camera, normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.prerank import prerank
from fibroserum.enrichment.rotation import mixed
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import genewise_effects, moderated_t
from fibroserum.multiple_testing import adjust
from sections import took, write_section

GENES = 4000
SIZES = (20, 60)
SETS_OF_A_SIZE = 20
SHIFTED_OF_A_SIZE = 5
SHIFT = 0.15
RANDOM_SHARE, RANDOM_SD = 0.2, 0.5
CORRELATIONS = (0.0, 0.05, 0.2)
DONORS, FEW_DONORS = (6, 10), (3, 4)
WITH_FEW_DONORS = ("null", "null, uneven", "random")
UNEVEN_SD = 0.4
SCENARIOS = {
    "null": "nothing changes",
    "null, uneven": "the same, and genes differ in noise (log-normal, SD 0.4)",
    "random": "a fifth of all genes changes at random (SD 0.5 log2)",
    "random, highly expressed sets": "the same, and the sets' genes have e^1.5 times the counts",
    "random, responsive sets": "the same, but two fifths of the sets' genes, in random directions",
    "shift": "0.15 log2 upwards in half of a set's genes, nothing else changes",
    "shift, random": "the same while a fifth of all genes changes at random",
}
PERMUTATIONS = 200
# Gene permutation, rotation and flips cost a second a cohort: they are run on fewer cohorts.
SELF_CONTAINED = ("fry", "fry, mixed", "exact mixed")
FAST = (*SELF_CONTAINED, "camera", "camera, correlation fixed", "set against rest")
SLOW = ("romer", "GSEA, donor flips", "prerank")
# The tests whose adjusted p values decide a set's call, and fry's mixed: their tails are measured.
DECIDING = (*SELF_CONTAINED, "set against rest")
ALPHA, TAIL = 0.05, 0.001


@dataclass(frozen=True)
class Cell:
    """One kind of cohort."""

    scenario: str
    correlation: float
    donors: int


@dataclass(frozen=True)
class Simulated:
    """Counts, paired design, sets, and whether each set is shifted (in the order of the sets)."""

    counts: pd.DataFrame
    design: Design
    sets: list[GeneSet]
    shifted: np.ndarray


def simulate(cell: Cell, cohort: int) -> Simulated:
    """Draw a cohort of one group: counts with log-normal noise around donor means, SD 0.25."""
    label = f"{cell.scenario} {cell.correlation} {cell.donors} {cohort}"
    rng = np.random.default_rng([1, zlib.crc32(label.encode())])
    names = [f"g{i:04d}" for i in range(GENES)]
    sizes = np.repeat(SIZES, SETS_OF_A_SIZE)
    members = np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])
    samples = 2 * cell.donors
    noise = rng.normal(size=(GENES, samples))
    deviation = np.full((GENES, 1), 0.25)
    if "uneven" in cell.scenario:
        deviation *= rng.lognormal(0, UNEVEN_SD, (GENES, 1))
    for genes in members:
        common = rng.normal(size=samples)
        noise[genes] = np.sqrt(1 - cell.correlation) * noise[genes]
        noise[genes] += np.sqrt(cell.correlation) * common
    mean = rng.lognormal(5.5, 1.2, GENES)
    if "highly expressed" in cell.scenario:
        mean[: sizes.sum()] *= np.exp(1.5)
    change = np.zeros(GENES)
    if "random" in cell.scenario:
        share = np.full(GENES, RANDOM_SHARE)
        if "responsive" in cell.scenario:
            share[: sizes.sum()] *= 2
        changed = rng.random(GENES) < share
        change[changed] += rng.normal(0, RANDOM_SD, changed.sum())
    shifted = np.zeros(len(members), dtype=bool)
    if cell.scenario.startswith("shift"):
        shifted[np.arange(len(members)) % SETS_OF_A_SIZE < SHIFTED_OF_A_SIZE] = True
        for genes in np.array(members, dtype=object)[shifted]:
            change[rng.choice(genes.astype(int), len(genes) // 2, replace=False)] += SHIFT
    donor = np.repeat(np.arange(cell.donors), 2)
    after = np.tile([0, 1], cell.donors)
    level = np.log(mean)[:, None] + rng.normal(0, 0.5, (GENES, cell.donors))[:, donor]
    level += deviation * noise + np.log(2) * change[:, None] * after + rng.normal(0, 0.2, samples)
    index = pd.Index([f"D{d}_{a}" for d, a in zip(donor, after, strict=True)])
    dense = pd.DataFrame({"after": after.astype(float)}, index)
    sets = [
        GeneSet("sets", f"s{i:02d}", "", tuple(names[g] for g in genes))
        for i, genes in enumerate(members)
    ]
    return Simulated(
        counts=pd.DataFrame(rng.poisson(np.exp(level)).T, index=index, columns=names),
        design=Design(dense, pd.Series([f"D{d:03d}" for d in donor], index)),
        sets=sets,
        shifted=shifted,
    )


def one_cohort(cell: Cell, cohort: int, slow: bool) -> pd.DataFrame:
    """Return p values of every set by every test: size, shifted, then a column a test."""
    drawn = simulate(cell, cohort)
    fit = set_depth.fit_at_one_depth(drawn.counts, drawn.design)
    contrast = drawn.design.contrast(np.ones(1))
    sets = restrict(drawn.sets, fit.genes, fit.genes, min_size=1, max_size=500)
    effects = genewise_effects(fit, contrast)
    scores = normal_scores(effects)
    own, known = fry(standardised(effects), sets), camera(scores, sets)
    table = sets.table[["tested"]].assign(
        shifted=drawn.shifted,
        **{
            "correlation": known["camera_correlation"],
            "fry": own["fry_pvalue"],
            "fry, mixed": own["fry_mixed_pvalue"],
            "exact mixed": mixed(effects, sets)["mixed_pvalue"],
            "camera": known["camera_pvalue"],
            "camera, correlation fixed": camera_fixed(effects, sets),
            "set against rest": set_against_rest(scores, sets)["competitive_pvalue"],
        },
    )
    if slow:
        rng = np.random.default_rng([2, cohort])
        table["romer"] = romer(effects, sets, rng)
        table["GSEA, donor flips"] = flips(fit, sets, rng)
        ranked = moderated_t(fit, contrast)["t"]
        table["prerank"] = prerank(ranked, sets, permutations=PERMUTATIONS, seed=cohort)[
            "prerank_pvalue"
        ]
    return table


def rates(cell: Cell, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the share of sets with p < 0.05 by size and test, with its standard error."""
    rows = []
    power = cell.scenario.startswith("shift")
    for size, test in itertools.product(SIZES, (*FAST, *SLOW)):
        shares = np.array(
            [
                (t.loc[(t["tested"] == size) & (t["shifted"] == power), test] < 0.05).mean()
                for t in tables
                if test in t
            ]
        )
        rows.append(
            {
                "scenario": cell.scenario,
                "donors": cell.donors,
                "size": size,
                "correlation": cell.correlation,
                "seen": np.mean([t.loc[t["tested"] == size, "correlation"].mean() for t in tables]),
                "test": test,
                "cohorts": len(shares),
                "rate": shares.mean() if len(shares) else np.nan,
                "error": shares.std(ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def tails(cell: Cell, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the share of sets with p < 0.001, and of cohorts with any call at FDR 0.05, by test.

    Every set is null, or of no use here: cells of power give no rows.
    """
    rows = []
    for test in () if cell.scenario.startswith("shift") else DECIDING:
        far = np.array([(t[test] < TAIL).mean() for t in tables])
        called = np.array(
            [adjust(t[test], pd.Series(0, index=t.index)).lt(ALPHA).any() for t in tables]
        )
        row: dict[str, object] = {
            "scenario": cell.scenario,
            "donors": cell.donors,
            "correlation": cell.correlation,
            "test": test,
        }
        for name, shares in (("tail", far), ("any", called)):
            row[name] = shares.mean()
            row[f"{name}_error"] = shares.std(ddof=1) / np.sqrt(len(shares))
        rows.append(row)
    return pd.DataFrame(rows)


def cells() -> list[Cell]:
    """Return every kind of cohort."""
    usual = itertools.product(SCENARIOS, CORRELATIONS, DONORS)
    few = itertools.product(WITH_FEW_DONORS, CORRELATIONS, FEW_DONORS)
    return [Cell(*kind) for kind in (*few, *usual)]


def study(
    cohorts: int, slow_cohorts: int, processes: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the rates and the tails of every cell, and the subsection on unequal variance."""
    frames, far = [], []
    with ProcessPoolExecutor(processes) as pool:
        for cell in cells():
            number = range(cohorts)
            rivals = cell.donors in DONORS and cell.scenario != "null, uneven"
            slow = [rivals and i < slow_cohorts for i in number]
            tables = list(pool.map(one_cohort, [cell] * cohorts, number, slow, chunksize=5))
            frames.append(rates(cell, tables))
            far.append(tails(cell, tables))
            say(f"{len(frames)} of {len(cells())}: {cell}")
        unequal = set_spread.lines(pool, cohorts, say)
    return pd.concat(frames, ignore_index=True), pd.concat(far, ignore_index=True), unequal


def say(words: str) -> None:
    """Tell how far the study is."""
    print(words, file=sys.stderr, flush=True)


def overview(result: pd.DataFrame) -> list[str]:
    """Return a table of every test's lowest and highest level and its mean power."""
    lines = [
        "| test | level, no change | level, a fifth changes | power | power, a fifth changes |",
        "| --- | --- | --- | --- | --- |",
    ]
    shift = result["scenario"].str.startswith("shift")
    random = result["scenario"].str.contains("random")
    for test in (*FAST, *SLOW):
        own = result["test"] == test
        quiet, changing = (result.loc[own & ~shift & kind, "rate"] for kind in (~random, random))
        numbers = [f"{rate.min():.3f} to {rate.max():.3f}" for rate in (quiet, changing)]
        numbers += [f"{result.loc[own & shift & k, 'rate'].mean():.3f}" for k in (~random, random)]
        if test in SELF_CONTAINED:
            numbers[1] = ""  # there the set's own genes do change
            own_genes = result.loc[own & (result["scenario"] == "random"), "rate"]
            numbers[3] = f"({own_genes.mean():.3f})"
        lines.append(f"| {test} | " + " | ".join(numbers) + " |")
    return lines


def tail_table(far: pd.DataFrame) -> list[str]:
    """Return the table of far tails; of self-contained tests only where nothing changes."""
    lines = [
        "| scenario | donors | correlation | "
        + " | ".join(f"{test}: p < {TAIL:g} | any call" for test in DECIDING)
        + " |",
        "| --- " * (3 + 2 * len(DECIDING)) + "|",
    ]
    for scenario in SCENARIOS:
        part = far[far["scenario"] == scenario]
        for (donors, correlation), rows in part.groupby(["donors", "correlation"]):
            by_test = rows.set_index("test")
            numbers = []
            for test in DECIDING:
                row = by_test.loc[test]
                known = scenario.startswith("null") or test not in SELF_CONTAINED
                numbers += [f"{row['tail']:.4f} ± {row['tail_error']:.4f}" if known else ""]
                numbers += [f"{row['any']:.3f} ± {row['any_error']:.3f}" if known else ""]
            lines.append(f"| {scenario} | {donors} | {correlation:g} | {' | '.join(numbers)} |")
    return lines


def markdown(result: pd.DataFrame, far: pd.DataFrame, cohorts: int, slow_cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    parts = [
        "## Gene-set tests",
        "",
        f"`python benchmarks/calibrate_sets.py --cohorts {cohorts} --slow {slow_cohorts}`:"
        f" cohorts of one group and {GENES} genes, {SETS_OF_A_SIZE} sets of {SIZES[0]} genes and"
        f" {SETS_OF_A_SIZE} of {SIZES[1]}, whose noise has the given correlation within the set;"
        " counts are filtered and fitted as in a run. A cell shows the share of sets with raw"
        f" p < 0.05, and its Monte Carlo standard error between cohorts ({cohorts}; for romer,"
        f" donor flips and prerank {slow_cohorts}, which are not run with {FEW_DONORS[0]} and"
        f" {FEW_DONORS[1]} donors). The level of a self-contained test applies if nothing"
        " changes; if a fifth of all genes changes at random, a set's own genes change, and the"
        " share of sets that it detects is in parentheses. First the range of the cells below, and"
        " the mean power:",
        "",
    ]
    parts += [*overview(result), ""]
    for scenario, meaning in SCENARIOS.items():
        part = result[result["scenario"] == scenario]
        power = scenario.startswith("shift")
        tests = [
            test
            for test in (*FAST, *SLOW)
            if not ("random" in scenario and test in SELF_CONTAINED)
            and not ("uneven" in scenario and test in SLOW)
        ]
        parts += [f"### {'Power' if power else 'Level'}, {scenario}: {meaning}", ""]
        parts += ["| donors | genes | correlation | " + " | ".join(tests) + " |"]
        parts += ["| --- " * (3 + len(tests)) + "|"]
        for (donors, size, correlation), rows in part.groupby(["donors", "size", "correlation"]):
            by_test = rows.set_index("test")
            numbers = [
                f"{by_test.rate[t]:.3f} ± {by_test.error[t]:.3f}" if by_test.cohorts[t] else ""
                for t in tests
            ]
            parts.append(f"| {donors} | {size} | {correlation:g} | " + " | ".join(numbers) + " |")
        parts.append("")
    parts += [
        "### Tail: far p values and false calls",
        "",
        f"Scenarios without shifted sets, over the {2 * SETS_OF_A_SIZE} sets of both sizes: the"
        f" share of sets with raw p < {TAIL:g}, and the share of cohorts in which any set has an"
        f" adjusted p < {ALPHA:g}; {cohorts} cohorts per cell, ± the standard error between them.",
        "",
        *tail_table(far),
        "",
    ]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=120)
    parser.add_argument("--slow", type=int, default=25, help="cohorts for the slow tests")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    parser.add_argument("--json", type=Path, help="where to put the rates")
    parser.add_argument("--depth", type=Path, help="file of results of the study of unequal depth")
    asked = parser.parse_args()
    start = time.monotonic()
    if asked.depth:
        with ProcessPoolExecutor(asked.processes) as pool:
            section, finding = set_depth.section(set_depth.run(pool, asked.depth, say))
        print(section, finding, sep="\n")
        if asked.write:
            write_section(asked.write, section, finding)
        return
    result, far, unequal = study(asked.cohorts, asked.slow, asked.processes)
    section = "\n".join([markdown(result, far, asked.cohorts, asked.slow), *unequal, took(start)])
    print(section)
    if asked.write:
        write_section(asked.write, section)
    if asked.json:
        asked.json.write_text(result.to_json(orient="records", indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
