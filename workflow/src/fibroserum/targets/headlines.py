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

from fibroserum.multiple_testing import stagewise_adjusted
from fibroserum.targets.sentences import headline_caveat
from fibroserum.targets.verdict import CALLED, Rule


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
