"""Set tests of one group's change, from all samples or its own, if donors respond unequally.

Two groups of log expression values; every set's genes share a response of each donor, which varies
equally in both groups, or not. Part of the study of `calibrate_sets.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import normal_scores, set_against_rest
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.group_wise import own_group_fit
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.rotation import mixed
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import fit_weighted, genewise_effects
from fibroserum.multiple_testing import adjust

GENES, SETS, SIZE, SHIFTED, SHIFT = 1500, 40, 20, 10, 0.3
DONORS = (4, 6, 10)
TESTS = ("fry", "exact mixed", "set against rest")
ALPHA = 0.05


@dataclass(frozen=True)
class Spread:
    """SD between donors of a set's response in the tested and the other group, log2; shifted?"""

    words: str
    own: float
    other: float
    shifted: bool = False


SPREADS = (
    Spread("equal, nothing changes", 0.1, 0.1),
    Spread("larger in the tested group, nothing changes", 0.5, 0.1),
    Spread("larger in the other group, nothing changes", 0.1, 0.5),
    Spread(f"equal, half of {SHIFTED} sets' genes up by {SHIFT}", 0.1, 0.1, True),
)


def one_cohort(spread: Spread, donors: int, cohort: int) -> dict[str, float]:
    """Return the share of raw p < 0.05 and of calls, by test and samples used.

    Of calls: where nothing changes whether there is any, else the share of shifted sets called.
    """
    rng = np.random.default_rng([3, SPREADS.index(spread), donors, cohort])
    donor, after = np.repeat(np.arange(2 * donors), 2), np.tile([0.0, 1.0], 2 * donors)
    tested = donor >= donors
    names = pd.Index([f"g{i:04d}" for i in range(GENES)])
    values = rng.normal(0, 0.7, (2 * donors, GENES))[donor]
    values += rng.normal(size=(4 * donors, GENES)) * 0.35 * rng.lognormal(0, 0.4, GENES)
    deviation = np.repeat([spread.other, spread.own], donors)[:, None]
    response = rng.normal(size=(2 * donors, SETS)) * deviation
    values[:, : SETS * SIZE] += np.repeat(response, SIZE, axis=1)[donor] * after[:, None]
    if spread.shifted:
        for first in range(0, SHIFTED * SIZE, SIZE):
            values[tested & (after == 1), first : first + SIZE // 2] += SHIFT
    samples = pd.Index([f"s{i}" for i in range(4 * donors)])
    dense = pd.DataFrame({"after[A]": after * ~tested, "after[B]": after * tested}, samples)
    design = Design(dense, pd.Series([f"D{d:03d}" for d in donor], samples))
    whole = fit_weighted(pd.DataFrame(values, samples, names), design)
    own = own_group_fit(whole, design.contrast(np.array([0.0, 1.0])))
    if own is None:
        raise ValueError("the tested group has no fit of its own")
    gene_sets = [
        GeneSet("sets", f"s{i:02d}", "", tuple(names[i * SIZE : (i + 1) * SIZE]))
        for i in range(SETS)
    ]
    sets = restrict(gene_sets, names, names, min_size=1, max_size=500)
    result: dict[str, float] = {}
    for used, fit in (("all", whole), ("own", own)):
        effects = genewise_effects(fit, np.eye(fit.design.n_columns)[-1])
        pvalues = (
            fry(standardised(effects), sets)["fry_pvalue"],
            mixed(effects, sets)["mixed_pvalue"],
            set_against_rest(normal_scores(effects), sets)["competitive_pvalue"],
        )
        for test, p in zip(TESTS, pvalues, strict=True):
            called = adjust(p, sets.table["collection"]) < ALPHA
            asked = slice(0, SHIFTED) if spread.shifted else slice(0, SETS)
            result[f"{test} {used} raw"] = float((p[asked] < ALPHA).mean())
            share = called[asked].mean() if spread.shifted else called.any()
            result[f"{test} {used} called"] = float(share)
    return result


def lines(pool: Executor, cohorts: int, say: Callable[[str], None]) -> list[str]:
    """Return the subsection of docs/calibration.md; `pool` runs `cohorts` cohorts per row."""
    text = [
        "### One variance for all groups",
        "",
        f"Two groups, {SETS} sets of {SIZE} genes of {GENES}; log values whose noise differs"
        " between genes, and an individual response of each set in each donor, of SD 0.1 or 0.5"
        " log2. The change in one group is tested from all samples, as for calls, or from the"
        " group's own samples (its directional test is `fry_own_pvalue`). A cell shows the share of"
        " sets with raw p < 0.05 and, after the slash, the share of cohorts with any set called at"
        f" FDR 0.05 if nothing changes, otherwise the share of shifted sets called; {cohorts}"
        " cohorts, standard errors at most 0.01 for the former and 0.05 for the latter.",
        "",
        "| pairs per group | variance | "
        + " | ".join(f"{test}: all samples | own" for test in TESTS)
        + " |",
        "| --- " * (2 + 2 * len(TESTS)) + "|",
    ]
    for spread in SPREADS:
        for donors in DONORS:
            number = range(cohorts)
            found = pool.map(one_cohort, [spread] * cohorts, [donors] * cohorts, number)
            mean = pd.DataFrame(list(found)).mean()
            cells = [
                f"{mean[f'{test} {used} raw']:.3f} / {mean[f'{test} {used} called']:.2f}"
                for test in TESTS
                for used in ("all", "own")
            ]
            text.append(f"| {donors} | {spread.words} | {' | '.join(cells)} |")
            say(f"{donors} pairs, {spread.words}")
    return [*text, ""]
