"""Wald tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix
from fibroserum.deseq.stages import Problem, errors
from fibroserum.inference.structure import BlockStructure, find_blocks
from fibroserum.inference.wald import wald_statistic


def untouched(counts: np.ndarray, structure: BlockStructure, contrast: np.ndarray) -> np.ndarray:
    """Return genes that are all zero in the samples a comparison of columns concerns."""
    if not ((contrast > 0).any() and (contrast < 0).any()):
        return np.zeros(counts.shape[1], dtype=bool)
    concerned = structure.concerned(contrast != 0)
    # without a copy of samples × genes
    return ~np.any(counts, axis=0, where=concerned[:, None])


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
    standard_errors = errors(problem, fit.dispersions, fit.coefficients, vector[None, :])[:, 0]
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
