"""Scores of each sample for each set, and the paired test of their change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from fibroserum.enrichment.adjust import adjust
from fibroserum.enrichment.gmt import GeneSet
from fibroserum.enrichment.membership import restrict
from fibroserum.linear import LinearFit, estimates, fit_weighted

# GSEApy keeps a running sum for every sample and set; in portions they stay out of memory's way.
PORTION = 250

SCORE_COLUMNS = ["sample", "collection", "gene_set", "score"]
TEST_COLUMNS = [
    "contrast",
    "collection",
    "gene_set",
    "estimate",
    "ci_low",
    "ci_high",
    "pvalue",
    "padj",
]


def score_samples(
    log_expression: pd.DataFrame,
    sets: Sequence[GeneSet],
    *,
    min_size: int,
    max_size: int,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return GSEApy's single-sample enrichment scores: sample, collection, gene_set, score.

    log_expression: samples x genes (matrix gene ids). A score depends on the ranks within its
    sample alone, not on the other samples or sets (Barbie et al. 2009 Nature 462:108, not
    normalised). Sorted by collection, set, and sample in the order given.
    """
    genes = log_expression.columns
    restricted = restrict(sets, genes, genes, min_size=min_size, max_size=max_size)
    table = restricted.table
    if table.empty:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    # labels of our own: GSEApy changes the case of gene names, and takes numbers for values
    expression = pd.DataFrame(log_expression.to_numpy(dtype=float).T)
    expression.index = pd.Index([f"G{i}" for i in range(len(genes))])
    expression.columns = pd.Index([f"S{i}" for i in range(len(log_expression))])
    named = {f"T{row}": [f"G{i}" for i in restricted.positions(row)] for row in table.index}
    scores = np.full((len(table), len(log_expression)), np.nan)
    labels = list(named)
    for start in range(0, len(labels), PORTION):
        portion = {label: named[label] for label in labels[start : start + PORTION]}
        answer = _ssgsea(expression, portion, n_cpus)
        rows, columns = (answer[name].str[1:].astype(int) for name in ("Term", "Name"))
        scores[rows, columns] = answer["ES"].astype(float)
    samples = len(log_expression)
    return pd.DataFrame(
        {
            "sample": np.tile(log_expression.index.to_numpy(), len(table)),
            "collection": np.repeat(table["collection"].to_numpy(), samples),
            "gene_set": np.repeat(table["gene_set"].to_numpy(), samples),
            "score": scores.ravel(),
        }
    )


def _ssgsea(expression: pd.DataFrame, sets: dict[str, list[str]], n_cpus: int) -> pd.DataFrame:
    import gseapy

    return gseapy.ssgsea(
        expression,
        sets,
        outdir=None,
        sample_norm_method="rank",
        min_size=1,
        max_size=len(expression),
        permutation_num=0,
        no_plot=True,
        threads=max(1, n_cpus),
        seed=0,
    ).res2d


def test_scores(
    scores: pd.DataFrame,
    design: pd.DataFrame,
    contrasts: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return the t test of each contrast in each set's scores, donors blocked.

    scores: as `score_samples` gives them. design: samples x columns; only its samples are used.
    One row a contrast and set: estimate, ci_low, ci_high (95 %), pvalue, padj (BH within
    contrast and collection). Raises ValueError for a design that `find_blocks` refuses, and where
    a sample of the design has no scores.
    """
    if scores.empty:
        return pd.DataFrame(columns=TEST_COLUMNS)
    wide = scores.pivot_table(
        index="sample", columns=["collection", "gene_set"], values="score", aggfunc="first"
    )
    missing = design.index.difference(wide.index)
    if len(missing):
        raise ValueError(f"no scores for {', '.join(map(str, missing))}")
    fit = fit_weighted(wide.loc[design.index], design)
    frames = [_test(fit, name, contrast) for name, contrast in contrasts.items()]
    if not frames:
        return pd.DataFrame(columns=TEST_COLUMNS)
    return pd.concat(frames, ignore_index=True)[TEST_COLUMNS]


test_scores.__test__ = False  # type: ignore[attr-defined]  # a function of ours, not of pytest


def _test(fit: LinearFit, name: str, contrast: np.ndarray) -> pd.DataFrame:
    estimate, unscaled = estimates(fit, contrast)
    se = fit.sigma * unscaled
    statistic = np.where(estimate == 0, 0.0, np.copysign(np.inf, estimate))
    np.divide(estimate, se, out=statistic, where=se > 0)
    half = stats.t.ppf(0.975, fit.df_residual) * se
    frame = fit.genes.to_frame(index=False)
    frame["contrast"] = name
    frame["estimate"] = estimate
    frame["ci_low"], frame["ci_high"] = estimate - half, estimate + half
    frame["pvalue"] = 2 * stats.t.sf(np.abs(statistic), fit.df_residual)
    frame["padj"] = adjust(frame["pvalue"], frame["collection"])
    return frame
