"""Calibration of the gene-set tests: error rates when genes correlate, and power.

    python benchmarks/calibrate_sets.py                 # some 10 minutes on 2 cores
    python benchmarks/calibrate_sets.py --write docs/calibration.md

Cohorts of counts with 20 sets of 20 genes and 20 of 60, whose genes' noise correlates within the
set. Every cohort is drawn from its own seed; rates carry the standard error between cohorts.
Where nothing changes, and where a fifth of all genes does, cohorts of 3 and 4 donors are drawn too.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from fibroserum.enrichment.adjust import adjust
from fibroserum.enrichment.competitive import camera, normal_scores, set_against_rest
from fibroserum.enrichment.gmt import GeneSet
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.enrichment.prerank import prerank
from fibroserum.enrichment.selfcontained import fry, standardised
from fibroserum.linear import Effects, LinearFit, genewise_effects, moderated_t, voom_fit
from sections import write_section

GENES = 4000
SIZES = (20, 60)
SETS_OF_A_SIZE = 20
SHIFTED_OF_A_SIZE = 5
SHIFT = 0.15
RANDOM_SHARE, RANDOM_SD = 0.2, 0.5
CORRELATIONS = (0.0, 0.05, 0.2)
DONORS, FEW_DONORS = (6, 10), (3, 4)
WITH_FEW_DONORS = ("null", "random")
SCENARIOS = {
    "null": "nothing changes",
    "random": "a fifth of all genes changes at random (SD 0.5 log2)",
    "random, highly expressed sets": "the same, and the sets' genes have e^1.5 times the counts",
    "random, responsive sets": "the same, but two fifths of the sets' genes, in random directions",
    "shift": "0.15 log2 upwards in half of a set's genes, nothing else changes",
    "shift, random": "the same while a fifth of all genes changes at random",
}
ROTATIONS, PERMUTATIONS = 499, 200
# Gene permutation, rotation and flips cost a second a cohort: they are run on fewer cohorts.
FAST = ("fry", "fry, mixed", "camera", "camera, correlation fixed", "set against rest")
SLOW = ("romer", "GSEA, donor flips", "prerank")
SELF_CONTAINED = ("fry", "fry, mixed")
# The tests whose adjusted p values decide a set's call: their tails are measured.
DECIDING = ("fry", "fry, mixed", "set against rest")
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
    design: pd.DataFrame
    sets: list[GeneSet]
    shifted: np.ndarray


def simulate(cell: Cell, cohort: int) -> Simulated:
    """Draw a cohort of one group: counts with log-normal noise of SD 0.25 around donor means."""
    label = f"{cell.scenario} {cell.correlation} {cell.donors} {cohort}"
    rng = np.random.default_rng([1, zlib.crc32(label.encode())])
    names = [f"g{i:04d}" for i in range(GENES)]
    sizes = np.repeat(SIZES, SETS_OF_A_SIZE)
    members = np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])
    samples = 2 * cell.donors
    noise = rng.normal(size=(GENES, samples))
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
    level += 0.25 * noise + np.log(2) * change[:, None] * after + rng.normal(0, 0.2, samples)
    index = pd.Index([f"D{d}_{a}" for d, a in zip(donor, after, strict=True)])
    columns = {f"donor[{d}]": (donor == d).astype(float) for d in range(cell.donors)}
    sets = [
        GeneSet("sets", f"s{i:02d}", "", tuple(names[g] for g in genes))
        for i, genes in enumerate(members)
    ]
    return Simulated(
        counts=pd.DataFrame(rng.poisson(np.exp(level)).T, index=index, columns=names),
        design=pd.DataFrame({**columns, "after": after.astype(float)}, index=index),
        sets=sets,
        shifted=shifted,
    )


def romer(effects: Effects, sets: Membership, rng: np.random.Generator) -> np.ndarray:
    """Two-sided p values of limma's romer (mean rank, residuals not shrunk)."""
    from edgepython.limma_port import squeeze_var

    both = np.column_stack([effects.contrast, effects.residual])
    d = effects.residual.shape[1]
    prior = squeeze_var(np.mean(effects.residual**2, axis=1), np.full(len(both), float(d)))
    df, scale = float(np.mean(prior["df_prior"])), float(np.mean(prior["var_prior"]))
    total = np.sum(both**2, axis=1)

    def mean_ranks(direction: np.ndarray) -> np.ndarray:
        value = both @ direction
        variance = (total - value**2) / d
        if np.isfinite(df):
            posterior = (df * scale + d * variance) / (df + d)
        else:
            posterior = np.full(len(value), scale)
        return np.asarray(sets.members @ stats.rankdata(value / np.sqrt(posterior)))

    observed = mean_ranks(np.eye(d + 1)[0])
    up, down = np.zeros(len(observed)), np.zeros(len(observed))
    for _ in range(ROTATIONS):
        direction = rng.normal(size=d + 1)
        rotated = mean_ranks(direction / np.linalg.norm(direction))
        up += rotated >= observed
        down += rotated <= observed
    return np.minimum(1, 2 * (np.minimum(up, down) + 1) / (ROTATIONS + 1))


def flips(fit: LinearFit, sets: Membership, rng: np.random.Generator) -> np.ndarray:
    """P values of GSEA's running sum on paired t statistics, null by sign flips of donors."""
    difference = (fit.E[1::2] - fit.E[::2]).T
    donors = difference.shape[1]
    if 2**donors <= ROTATIONS + 1:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=donors)))
    else:
        signs = np.vstack([np.ones(donors), rng.choice((1.0, -1.0), (ROTATIONS, donors))])
    square = np.sum(difference**2, axis=1)
    scores = np.empty((len(signs), sets.members.shape[0]))
    for i, sign in enumerate(signs):
        mean = difference @ sign / donors
        spread = np.sqrt((square - donors * mean**2) / (donors - 1))
        scores[i] = _running_sums(mean / (spread + np.median(spread)), sets)
    observed, null = scores[0], scores[1:]
    same = np.sign(null) == np.sign(observed)
    larger = same & (np.abs(null) >= np.abs(observed) - 1e-12)
    return (larger.sum(axis=0) + 1) / (same.sum(axis=0) + 1)


def _running_sums(statistic: np.ndarray, sets: Membership) -> np.ndarray:
    """GSEA's weighted running sum at its extreme, for each set."""
    genes = len(statistic)
    place = np.empty(genes, dtype=int)
    place[np.argsort(-statistic, kind="stable")] = np.arange(genes)
    sizes = np.diff(sets.members.indptr)
    result = np.empty(len(sizes))
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        members = np.array([sets.positions(row) for row in rows])
        members = np.take_along_axis(members, np.argsort(place[members], axis=1), axis=1)
        weight = np.abs(statistic[members])
        weight /= weight.sum(axis=1, keepdims=True)
        misses = (place[members] - np.arange(size)) / (genes - size)
        after = np.cumsum(weight, axis=1)
        high, low = (after - misses).max(axis=1), (after - weight - misses).min(axis=1)
        result[rows] = np.where(high > -low, high, low)
    return result


def camera_fixed(effects: Effects, sets: Membership, correlation: float = 0.01) -> np.ndarray:
    """P values of camera with limma's default, one correlation for all sets."""
    score = normal_scores(effects).contrast
    genes, m = len(score), sets.table["tested"].to_numpy(dtype=float)
    rest = genes - m
    own = np.asarray(sets.members @ score) / m
    delta = (own - score.mean()) * genes / rest
    total = (genes - 1) * score.var(ddof=1)
    pooled = (total - delta**2 * m * rest / genes) / (genes - 2)
    inflation = 1 + (m - 1) * correlation
    t = delta / np.sqrt(pooled * (inflation / m + 1 / rest))
    return 2 * stats.t.sf(np.abs(t), genes - 2)


def one_cohort(cell: Cell, cohort: int, slow: bool) -> pd.DataFrame:
    """Return p values of every set by every test: size, shifted, then a column a test."""
    drawn = simulate(cell, cohort)
    fit = voom_fit(drawn.counts, drawn.design)
    contrast = np.eye(drawn.design.shape[1])[-1]
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


def study(cohorts: int, slow_cohorts: int, processes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rates and the tails of every cell."""
    frames, far = [], []
    with ProcessPoolExecutor(processes) as pool:
        for cell in cells():
            number = range(cohorts)
            slow = [i < slow_cohorts and cell.donors in DONORS for i in number]
            tables = list(pool.map(one_cohort, [cell] * cohorts, number, slow, chunksize=5))
            frames.append(rates(cell, tables))
            far.append(tails(cell, tables))
            print(f"{len(frames)} of {len(cells())}: {cell}", file=sys.stderr, flush=True)
    return pd.concat(frames, ignore_index=True), pd.concat(far, ignore_index=True)


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
            numbers[1] = numbers[3] = ""  # there the set's own genes do change
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
                known = scenario == "null" or test not in SELF_CONTAINED
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
        f" {SETS_OF_A_SIZE} of {SIZES[1]}, whose noise correlates within the set as said; counts,"
        " filtered and fitted as a run does. A cell holds the share of sets with raw p < 0.05,"
        f" and its Monte Carlo standard error between cohorts ({cohorts}; for romer, donor flips"
        f" and prerank {slow_cohorts}, which are not run with {FEW_DONORS[0]} and"
        f" {FEW_DONORS[1]} donors). The level of a self-contained test is asked for where"
        " nothing changes. First the range of the cells below, and the mean of the power:",
        "",
    ]
    parts += [*overview(result), ""]
    for scenario, meaning in SCENARIOS.items():
        part = result[result["scenario"] == scenario]
        power = scenario.startswith("shift")
        tests = [t for t in (*FAST, *SLOW) if "random" not in scenario or t not in SELF_CONTAINED]
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
        f"Where no set is shifted, over the {2 * SETS_OF_A_SIZE} sets of both sizes: the share of"
        f" sets with raw p < {TAIL:g}, and the share of cohorts in which any set has an adjusted"
        f" p < {ALPHA:g}; {cohorts} cohorts in a cell, and the standard error between them.",
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
    asked = parser.parse_args()
    result, far = study(asked.cohorts, asked.slow, asked.processes)
    section = markdown(result, far, asked.cohorts, asked.slow)
    print(section)
    if asked.write:
        write_section(asked.write, section)
    if asked.json:
        asked.json.write_text(result.to_json(orient="records", indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
