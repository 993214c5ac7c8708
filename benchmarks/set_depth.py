"""Set tests and scores if all samples after are shallower than those before.

Part of the study of `calibrate_sets.py --depth`. Two groups of pairs; gamma-Poisson counts whose
dispersion does not depend on depth; 30 sets of random genes, 10 of the weakly expressed half. The
rows are in `set_depth.toml`; each is appended to a file as it ends, and not run again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from set_rivals import negative_binomial_z, thinned_once

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import Model
from fibroserum.cohort.size_factors import size_factors
from fibroserum.enrichment.camera import normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.enrichment.rotation import mixed
from fibroserum.enrichment.scores import score_samples, test_scores
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import LinearFit
from fibroserum.multiple_testing import adjust

PLAN = Path(__file__).with_suffix(".toml")
GENES, SHIFT, SHIFTED, ALPHA = 2000, 0.25, (0, 1, 2, 15, 16, 17, 30, 31, 32), 0.05
SIZES = [20] * 15 + [60] * 15 + [40] * 10
LOW_FROM = 30
CONTRASTS = {"RT": np.array([0.0, 1.0]), "average": np.array([0.5, 0.5])}
TESTS = ("fry", "mixed", "fry or mixed", "set against rest", "scores")
VARIANTS = ("own depth", "one depth", "negative binomial z", "thinned once")
COLUMNS = ["changed", "pairs", "shallower", "median", "variant", "contrast", "test"]


@dataclass(frozen=True)
class Row:
    """One kind of cohort, as `set_depth.toml` has it."""

    changed: bool
    pairs: int
    shallower: int
    median: int
    cohorts: int
    rivals: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What names the row in the file of results."""
        return (self.changed, self.pairs, self.shallower, self.median)


@dataclass(frozen=True)
class Drawn:
    """Counts (samples × genes), the paired design, and the sets, of which `shifted` change."""

    counts: pd.DataFrame
    design: Design
    sets: list[GeneSet]
    shifted: list[str]


def rows() -> Iterator[Row]:
    """Yield the rows of the plan."""
    plan = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    for kind in ("null", "changed"):
        part = plan[kind]
        for depth in part["depths"]:
            for pairs in part["pairs"]:
                yield Row(kind == "changed", pairs, **depth, cohorts=part["cohorts"])


def simulate(row: Row, cohort: int) -> Drawn:
    """Draw a cohort: donors differ by SD 0.4 log2 a gene, libraries by SD 0.2 of their log."""
    first = tomllib.loads(PLAN.read_text(encoding="utf-8"))["first_seed"]
    rng = np.random.default_rng([first, cohort])
    mean = row.median * rng.lognormal(0, 1.3, GENES)
    dispersion = (0.03 + 1 / np.maximum(mean, 1)) * rng.lognormal(0, 0.5, GENES)
    donor, after = np.repeat(np.arange(2 * row.pairs), 2), np.tile([0, 1], 2 * row.pairs)
    log2 = np.log2(mean)[:, None] + 0.4 * rng.normal(size=(GENES, 2 * row.pairs))[:, donor]
    weak = np.argsort(mean)[: GENES // 2]
    members = [
        rng.choice(weak if number >= LOW_FROM else GENES, size, replace=False)
        for number, size in enumerate(SIZES)
    ]
    for number in SHIFTED if row.changed else ():
        risen = rng.choice(members[number], SIZES[number] // 2, replace=False)
        log2[risen] += SHIFT * after
    size = rng.lognormal(0, 0.2, len(donor)) / np.where(after == 1, row.shallower, 1)
    rate = rng.gamma(1 / dispersion[:, None], dispersion[:, None], log2.shape)
    genes = pd.Index([f"g{number:04d}" for number in range(GENES)])
    samples = pd.Index([f"s{number:03d}" for number in range(len(donor))])
    rt = donor >= row.pairs
    dense = {"after[AT]": after * ~rt * 1.0, "after[RT]": after * rt * 1.0}
    names = [f"s{number:02d}" for number in range(len(SIZES))]
    return Drawn(
        pd.DataFrame(rng.poisson(rate * 2**log2 * size).T, samples, genes),
        Design(pd.DataFrame(dense, samples), pd.Series([f"D{d:03d}" for d in donor], samples)),
        [
            GeneSet("sets", name, "", tuple(genes[own]))
            for name, own in zip(names, members, strict=True)
        ],
        [names[number] for number in SHIFTED] if row.changed else [],
    )


def one_cohort(row: Row, cohort: int) -> pd.DataFrame:
    """Return by variant, contrast and test: raw, the share of p < 0.05, and called.

    Of null sets where nothing changes, and called is whether any is; else of the shifted sets, and
    called is the share of them.
    """
    drawn = simulate(row, cohort)
    design = drawn.design
    counts = drawn.counts.loc[:, linear.filter_by_expr(drawn.counts, design)]
    factors = linear.tmm_factors(counts)
    sets = restrict(drawn.sets, counts.columns, counts.columns, min_size=3, max_size=500)
    fits: dict[str, Callable[[np.ndarray], LinearFit]] = {}
    voom = linear.voom_fit(counts, design, norm_factors=factors)
    matched = fit_at_one_depth(counts, design)
    fits["own depth"], fits["one depth"] = lambda _: voom, lambda _: matched
    if row.rivals and row.pairs > 6:
        thinned = _fit(counts, design, *thinned_once(counts, design, factors, [2, cohort]))
        fits["thinned once"] = lambda _: thinned
        z = negative_binomial_z(counts, design, factors)
        fits["negative binomial z"] = lambda contrast: _fit(counts, design, z(contrast))
    found = {
        (variant, name, test): p
        for name, contrast in CONTRASTS.items()
        for variant, fit in fits.items()
        for test, p in _set_tests(fit(contrast), contrast, sets).items()
    } | {
        (variant, name, "scores"): p
        for variant, tests in _score_tests(drawn).items()
        for name, p in tests.items()
    }
    lines = []
    for (variant, name, test), p in found.items():
        own = p.index.isin(drawn.shifted) == row.changed
        called = _called(p)[own]
        lines.append((variant, name, test, (p[own] < ALPHA).mean(), called))
        if test == "mixed":
            either = called | _called(found[variant, name, "fry"])[own]
            lines.append((variant, name, "fry or mixed", np.nan, either))
    table = pd.DataFrame(lines, columns=["variant", "contrast", "test", "raw", "called"])
    share = "mean" if row.changed else "any"
    return table.assign(called=[float(getattr(called, share)()) for called in table["called"]])


def _called(p: pd.Series) -> pd.Series:
    return adjust(p, pd.Series(0, index=p.index)) < ALPHA


def fit_at_one_depth(counts: pd.DataFrame, design: Design) -> LinearFit:
    """Return the fit that a run's set tests rest on, of counts that are filtered."""
    factors = linear.tmm_factors(counts)
    return _fit(counts, design, *linear.depth_matched(counts, design, factors))


def _fit(
    counts: pd.DataFrame, design: Design, values: np.ndarray, weights: np.ndarray | None = None
) -> LinearFit:
    return linear.fit_weighted(pd.DataFrame(values, counts.index, counts.columns), design, weights)


def _set_tests(fit: LinearFit, contrast: np.ndarray, sets: Membership) -> dict[str, pd.Series]:
    effects = linear.genewise_effects(fit, fit.design.contrast(contrast))
    found = {
        "fry": fry(standardised(effects), sets)["fry_pvalue"],
        "mixed": mixed(effects, sets)["mixed_pvalue"],
        "set against rest": set_against_rest(normal_scores(effects), sets)["competitive_pvalue"],
    }
    return {test: p.set_axis(sets.table["gene_set"]) for test, p in found.items()}


def _score_tests(drawn: Drawn) -> dict[str, dict[str, pd.Series]]:
    counts, design = drawn.counts, drawn.design
    factors, _ = size_factors(counts.loc[:, counts.sum() >= 10].to_numpy())
    share = linear.kept_shares(factors, design.codes)
    vectors = {name: design.contrast(vector) for name, vector in CONTRASTS.items()}
    group = design.dense.groupby(design.blocks).transform("max").idxmax(axis=1)
    scales = {
        name: {g: float(w) for g, w in zip(design.dense.columns, vector, strict=True) if w}
        for name, vector in CONTRASTS.items()
    }
    change = {"post": 1.0, "pre": -1.0}
    model = Model(
        "paired",
        design,
        vectors,
        group,
        design.blocks,
        times=pd.Series(np.where(design.dense_values.any(axis=1), "post", "pre"), design.samples),
        profiles={name: dict.fromkeys(own, change) for name, own in scales.items()},
        scales=scales,
    )
    result = {}
    for variant, kept in (("own depth", None), ("one depth", share)):
        scores = score_samples(counts, drawn.sets, min_size=3, max_size=500, share=kept)
        tests = test_scores(scores, model).set_index("gene_set")
        result[variant] = {name: tests.loc[tests["contrast"] == name, "pvalue"] for name in vectors}
    return result


def run(pool: Executor, file: Path, say: Callable[[str], None]) -> pd.DataFrame:
    """Return the results of all rows; those that the file lacks are run and appended to it."""
    done = pd.read_csv(file, sep="\t") if file.exists() else pd.DataFrame(columns=COLUMNS)
    known = set(done[COLUMNS[:4]].itertuples(index=False, name=None))
    for row in rows():
        if row.key in known:
            continue
        tables = list(pool.map(one_cohort, [row] * row.cohorts, range(row.cohorts), chunksize=5))
        grouped = pd.concat(tables).groupby(["variant", "contrast", "test"], sort=False)
        table = grouped.agg(["mean", "sem"])
        table.columns = [f"{name}_{kind}" for name, kind in table.columns]
        table = table.reset_index().assign(cohorts=row.cohorts)
        for place, (name, value) in enumerate(zip(COLUMNS[:4], row.key, strict=True)):
            table.insert(place, name, value)
        table.to_csv(file, sep="\t", index=False, mode="a", header=not file.exists())
        say(f"{row}")
    return pd.read_csv(file, sep="\t")


def section(result: pd.DataFrame) -> tuple[str, str]:
    """Return the section of docs/calibration.md, and its finding in a sentence."""
    null = result[~result["changed"]]
    alone = null[null["test"] != "fry or mixed"]
    ours = alone[alone["variant"] == "one depth"]
    count = (ours["called_mean"] * ours["cohorts"]).round()
    chance = pd.Series(stats.binom.sf(count - 1, ours["cohorts"], ALPHA), index=ours.index)
    worst = ours.loc[ours["called_mean"].idxmax()]
    voom = alone[(alone["variant"] == "own depth") & (alone["shallower"] > 1)]["called_mean"]
    cohorts = int(null["cohorts"].max())
    done = len(result[COLUMNS[:4]].drop_duplicates())
    finding = (
        f"if all samples after are up to 4 times shallower, a test has a false call in at most"
        f" {worst['called_mean']:.3f} of {cohorts} null cohorts ({int((chance < ALPHA).sum())} of"
        f" {len(ours)} cells are above 0.05 by an exact binomial test at 0.05, smallest p"
        f" {chance.min():.3f}, {ALPHA / len(ours):.4f} with Bonferroni's correction); at the"
        f" samples' own depth in up to {voom.max():.2f}."
    )
    text = [
        "## Gene sets at unequal depth",
        "",
        "`python benchmarks/calibrate_sets.py --depth`: two groups, all samples after shallower by"
        f" the given factor; gamma-Poisson counts of {GENES} genes; 30 sets of 20 or 60 random"
        " genes and 10 of 40 weakly expressed ones, families of 40 sets. *Own depth*: voom, and"
        " scores of the counts; *one depth*: as in a run; *negative binomial z*: z scores of counts"
        " under the fit without the contrast, as in edgeR's `fry.DGEList`; *thinned once*:"
        " voom on counts thinned binomially to the pair's shallower sample; *fry or mixed*:"
        " the tests that a set's `call` uses, two families at 0.05 each. A cell shows the share"
        " of sets with raw p < 0.05 and, after the slash, the share of cohorts with any set called"
        f" at FDR 0.05. {done} of the {len(list(rows()))} rows of `benchmarks/set_depth.toml` were"
        " run.",
        "",
        f"### Level: nothing changes ({cohorts} cohorts per row; standard errors of calls at most"
        f" {ours['called_sem'].max():.3f} for *one depth*)",
        "",
        *_table(null),
        "",
        f"### Power: half the genes of nine sets rise by {SHIFT} log2",
        "",
        "The share of these sets with raw p < 0.05 and, after the slash, the share called.",
        "",
        *_table(result[result["changed"]]),
        "",
    ]
    return "\n".join(text), finding


def _table(result: pd.DataFrame) -> list[str]:
    lines = [
        "| pairs per group | shallower after | median count | contrast | values | "
        + " | ".join(TESTS)
        + " |",
        "| --- " * (5 + len(TESTS)) + "|",
    ]
    for key, own in result.groupby(["shallower", "median", "pairs", "contrast"]):
        for variant in VARIANTS:
            by_test = own[own["variant"] == variant].set_index("test")
            if by_test.empty:
                continue
            cells = [_cell(by_test.loc[test]) if test in by_test.index else "" for test in TESTS]
            shallower, median, pairs, contrast = key
            start = f"| {pairs} | {shallower}× | {median} | {contrast} | {variant} | "
            lines.append(start + " | ".join(cells) + " |")
    return lines


def _cell(found: pd.Series) -> str:
    raw = "" if np.isnan(found["raw_mean"]) else f"{found['raw_mean']:.3f} / "
    return f"{raw}{found['called_mean']:.3f}"
