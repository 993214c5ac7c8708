"""Headlines: verdicts that hold over all contrasts of all targets, not in each contrast by itself.

A panel is read over all its contrasts, and Benjamini-Hochberg within each allows a false verdict in
each. Here a target is screened over all its contrasts and only then a contrast is named (stageR:
Van den Berge, Soneson, Robinson & Clement 2017, Genome Biol 18:151, after Heller, Manduchi, Grant &
Ewens 2009, Bioinformatics 25:1019). What is controlled is the expected share of targets with a
false claim, in screening or in any contrast, among the targets screened.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.targets.sentences import headline_caveat
from fibroserum.targets.verdict import CALLED, Rule


def simes(pvalues: np.ndarray) -> np.ndarray:
    """Return the p value that no null hypothesis of a row is false; NaN where a row has none.

    pvalues: (m, k), missing ones NaN. Source: Simes 1986, Biometrika 73:751.
    """
    ascending = np.sort(pvalues, axis=1)
    known = np.isfinite(pvalues).sum(axis=1, keepdims=True)
    scaled = ascending * known / np.arange(1, pvalues.shape[1] + 1)
    return np.fmin.reduce(scaled, axis=1, initial=np.nan)


def holm_after_screening(pvalues: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values (k,) of a target that passed the screening.

    As in stageR: that one hypothesis at least is false is what the screening said, so the smallest
    of n p values is multiplied by n - 1, not n. Missing ones stay missing and do not count.
    """
    adjusted = np.full(len(pvalues), np.nan)
    known = np.flatnonzero(np.isfinite(pvalues))
    order = known[np.argsort(pvalues[known], kind="stable")]
    factors = np.minimum(np.arange(len(order), 0, -1), max(len(order) - 1, 1))
    adjusted[order] = np.minimum(np.maximum.accumulate(pvalues[order] * factors), 1.0)
    return adjusted


def stagewise_adjusted(pvalues: np.ndarray) -> np.ndarray:
    """Return for each p value (targets × contrasts) the lowest level at which it is confirmed.

    At level a, R of m targets pass the screening (Benjamini-Hochberg over Simes' p values), and in
    those the contrasts whose Holm p value is at most a R / m are confirmed. R grows with a, so
    that the lowest such a is an adjusted p value. With one contrast it is Benjamini-Hochberg's.
    """
    screening = benjamini_hochberg(simes(pvalues))
    passed = np.sort(screening[np.isfinite(screening)])
    if not len(passed):
        return np.full(pvalues.shape, np.nan)
    holm = np.apply_along_axis(holm_after_screening, 1, pvalues)
    # with at least r targets screened: the level is at least the r-th screening p value
    share = len(passed) / np.arange(1, len(passed) + 1)
    confirmed = np.maximum(passed, holm[:, :, None] * share).min(axis=2)
    return np.minimum(np.maximum(confirmed, screening[:, None]), 1.0)


def headline_padj(rows: pd.DataFrame, rule: Rule) -> np.ndarray:
    """Return the adjusted p value of each row of a panel: the larger of both models'.

    rows: gene_id, contrast, pvalue, second_pvalue. A gene that two targets name is one target.
    """
    once = rows.dropna(subset=["gene_id"]).drop_duplicates(["gene_id", "contrast"])
    genes, gene_of = np.unique(once["gene_id"].astype(str), return_inverse=True)
    contrasts, contrast_of = np.unique(once["contrast"].astype(str), return_inverse=True)
    larger = np.full((len(genes), len(contrasts)), -np.inf)
    for column in ("pvalue",) if rule.alone else ("pvalue", "second_pvalue"):
        panel = np.full(larger.shape, np.nan)
        panel[gene_of, contrast_of] = once[column].astype(float)
        larger = np.maximum(larger, stagewise_adjusted(panel))
    keys = pd.MultiIndex.from_frame(once[["gene_id", "contrast"]])
    adjusted = pd.Series(larger[gene_of, contrast_of], index=keys)
    return adjusted.reindex(pd.MultiIndex.from_frame(rows[["gene_id", "contrast"]])).to_numpy()


def with_headlines(rows: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return the rows of `targets` with `headline_padj` and `headline`, and a caveat where due.

    A headline is a verdict `up` or `down` whose adjusted p value over all contrasts is below alpha.
    """
    padj = headline_padj(rows, rule)
    called = rows["verdict"].isin(CALLED)
    holds = called & (padj < rule.alpha)
    contrasts = rows["contrast"].nunique()
    caveat = [
        headline_caveat(value, contrasts) if lost else ""
        for lost, value in zip(called & ~holds, padj, strict=True)
    ]
    return rows.assign(
        headline_padj=padj,
        headline=rows["verdict"].where(holds, "none"),
        reason=rows["reason"] + caveat,
    )
