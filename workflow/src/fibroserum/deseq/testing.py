"""Wald tests, and p values adjusted with independent filtering."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix
from fibroserum.deseq.stages import Problem, errors
from fibroserum.inference.structure import BlockStructure, find_blocks
from fibroserum.inference.wald import wald_statistic

THETAS = 50
LOWESS_SPAN = 1 / 5


def untouched(counts: np.ndarray, structure: BlockStructure, contrast: np.ndarray) -> np.ndarray:
    """Return genes that are all zero in the samples a comparison of columns concerns."""
    if not ((contrast > 0).any() and (contrast < 0).any()):
        return np.zeros(counts.shape[1], dtype=bool)
    return (counts[structure.concerned(contrast != 0)] == 0).all(axis=0)


def wald(
    fit: NegativeBinomialFit,
    counts: pd.DataFrame | np.ndarray,
    contrast: np.ndarray,
    lfc_threshold: float = 0.0,
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Test a contrast of each gene's coefficients.

    counts: the ones fitted. contrast: (columns,). lfc_threshold: on the log2 scale; above 0 the
    test is of |log2 fold change| above it. Returns, by gene: log2FoldChange, lfcSE, stat, pvalue
    (two-sided); NaN for genes that were not fitted, and a NaN pvalue for count outliers. As in
    DESeq2 a comparison between columns is 0 with p = 1 for a gene without a count in any sample
    it concerns. Raises ValueError for a contrast of zeros or of another length.
    """
    matrix, _, genes = count_matrix(counts)
    vector = np.asarray(contrast, dtype=float)
    design = fit.design.to_numpy(dtype=float)
    if vector.shape != (design.shape[1],) or not vector.any():
        raise ValueError(f"A contrast needs {design.shape[1]} numbers that are not all zero.")
    if len(genes) != len(fit.genes) or len(matrix) != len(design):
        raise ValueError("The counts are not those that were fitted.")
    structure = find_blocks(design)
    problem = Problem(matrix, structure, np.log(fit.size_factors)[structure.order], False, n_cpus)
    standard_errors = errors(
        problem,
        fit.dispersions,
        fit.coefficients[:, structure.columns],
        vector[None, structure.columns],
    )[:, 0]
    estimate = fit.coefficients @ vector
    silent = untouched(matrix, structure, vector) & np.isfinite(estimate)
    estimate = np.where(silent, 0.0, estimate)
    statistic, p = wald_statistic(
        estimate,
        standard_errors,
        lfc_threshold * np.log(2),
        "greaterAbs" if lfc_threshold > 0 else None,
    )
    p = np.where(silent, 1.0, p)
    return pd.DataFrame(
        {
            "log2FoldChange": estimate / np.log(2),
            "lfcSE": standard_errors / np.log(2),
            "stat": statistic,
            "pvalue": np.where(fit.count_outlier, np.nan, p),
        },
        index=fit.genes,
    )


def _adjust(p: np.ndarray, use: np.ndarray) -> np.ndarray:
    out = np.full(len(p), np.nan)
    use = use & np.isfinite(p)
    if use.any():
        out[use] = false_discovery_control(p[use], method="bh")
    return out


def _rejections(p: np.ndarray, means: np.ndarray, cutoffs: np.ndarray, alpha: float) -> np.ndarray:
    """Return how many genes are called at `alpha` (Benjamini-Hochberg) above each cutoff."""
    tested = np.flatnonzero(np.isfinite(p) & np.isfinite(means))
    order = tested[np.argsort(p[tested])]
    ascending, expressed = p[order], means[order]
    rejected = np.zeros(len(cutoffs))
    for place, cutoff in enumerate(cutoffs):
        kept = ascending[expressed >= cutoff]
        below = np.flatnonzero(kept * len(kept) / np.arange(1, len(kept) + 1) < alpha)
        rejected[place] = below[-1] + 1 if len(below) else 0
    return rejected


def independent_filtering(pvalues: np.ndarray, base_mean: np.ndarray, alpha: float) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p values with weakly expressed genes set aside.

    As DESeq2's `results()`: of 50 quantiles of the base mean as a threshold, the lowest at which
    the number of rejections at `alpha` comes within its scatter of the maximum of a lowess curve
    through those numbers. NaN where p is NaN or the gene is below the threshold. Genes whose base
    mean is NaN are left out altogether.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    p, means = np.asarray(pvalues, dtype=float), np.asarray(base_mean, dtype=float)
    known = np.isfinite(means)
    if not known.any():
        return np.full(len(p), np.nan)
    lowest = float(np.mean(means[known] == 0))
    thetas = np.linspace(lowest, 0.95 if lowest < 0.95 else 1.0, THETAS)
    cutoffs = np.quantile(means[known], thetas)
    rejected = _rejections(p, means, cutoffs, alpha)
    chosen = 0
    if rejected.max() > 10:
        curve = lowess(
            rejected,
            thetas,
            frac=LOWESS_SPAN,
            it=3,
            delta=0.01 * np.ptp(thetas),
            return_sorted=False,
        )
        some = rejected > 0
        threshold = curve.max() - np.sqrt(np.mean((rejected[some] - curve[some]) ** 2))
        for level in (threshold, 0.9 * curve.max(), 0.8 * curve.max()):
            if (rejected > level).any():
                chosen = int(np.argmax(rejected > level))
                break
    return _adjust(p, known & (means >= cutoffs[chosen]))
