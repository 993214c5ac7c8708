"""Shrunken log fold changes for any contrast (apeGLM prior)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix
from fibroserum.inference.chunks import gene_rows, over_genes
from fibroserum.inference.shrinkage import shrink as shrink_kernel
from fibroserum.inference.structure import BlockStructure, find_blocks

NO_SHRINK_SCALE = 15.0
MIN_VARIANCE, MAX_VARIANCE = 1e-6, 400.0


def prior_scale(estimates: np.ndarray, errors: np.ndarray) -> float:
    """Return the Cauchy prior's scale: a robust spread of the true effects, at most 1.

    Zhu, Ibrahim & Love 2019, Supplementary: the variance A of true effects solves a weighted
    moment equation, each gene's squared estimate exceeding A by its squared error on average.
    """
    known = np.isfinite(estimates) & np.isfinite(errors)
    square, noise = np.asarray(estimates)[known] ** 2, np.asarray(errors)[known] ** 2
    # summed in an order that is not the genes'
    order = np.lexsort((square, noise))
    square, noise = square[order], noise[order]

    def excess(variance: float) -> float:
        weight = 1 / (2 * (variance + noise) ** 2)
        return float(((square - noise) * weight).sum() / weight.sum() - variance)

    if not known.any() or excess(MIN_VARIANCE) < 0:
        return float(np.sqrt(MIN_VARIANCE))
    if excess(MAX_VARIANCE) > 0:
        return 1.0
    # imported where it is used, as it takes as long as numpy
    from scipy.optimize import brentq

    return float(min(np.sqrt(brentq(excess, MIN_VARIANCE, MAX_VARIANCE)), 1.0))


def contrast_structure(design: np.ndarray, contrast: np.ndarray) -> tuple[BlockStructure, int]:
    """Return the structure of a design in which the contrast is a coefficient, and its place.

    The column with the largest weight in the contrast is replaced; all other coefficients keep
    their meaning, so that disjoint indicators among them stay as they are.
    """
    replaced = int(np.argmax(np.abs(contrast)))
    turned = design.copy()
    for column in np.flatnonzero(contrast):
        weight = -contrast[column] / contrast[replaced]
        if column != replaced:
            turned[:, column] += design[:, replaced] * weight
    turned[:, replaced] = design[:, replaced] * (1 / contrast[replaced])
    structure = find_blocks(turned)
    return structure, int(np.flatnonzero(structure.columns == replaced)[0])


def shrink(
    fit: NegativeBinomialFit,
    counts: pd.DataFrame | np.ndarray,
    contrast: np.ndarray,
    tested: pd.DataFrame,
    *,
    n_cpus: int = 1,
) -> np.ndarray:
    """Return shrunken log2 fold changes (genes,) of any contrast of the coefficients.

    The model is refitted in a basis in which the contrast is one coefficient, with a Cauchy prior
    on it whose scale adapts to all genes, wide normal priors on the rest, dispersions kept.
    NaN for genes that were not fitted. counts: the ones fitted; outlying ones are replaced as for
    the fit, so that both estimates are of the same counts. tested: `wald` of the same contrast.
    Source: Zhu, Ibrahim & Love 2019, Bioinformatics 35:2084.
    """
    matrix, _, _ = count_matrix(counts)
    vector = np.asarray(contrast, dtype=float)
    matrix = fit.counts_fitted(matrix)
    scale = prior_scale(
        tested["log2FoldChange"].to_numpy() * np.log(2), tested["lfcSE"].to_numpy() * np.log(2)
    )
    structure, column = contrast_structure(fit.design.to_numpy(dtype=float), vector)
    estimate = fit.coefficients @ vector
    offsets = np.log(fit.size_factors)[structure.order]
    ridge = np.full(structure.n_columns, 1 / NO_SHRINK_SCALE**2)
    out = np.empty(len(fit.genes))

    def work(genes: slice) -> None:
        rows = gene_rows(matrix, structure.order, genes)
        beta = np.ascontiguousarray(fit.coefficients[genes][:, structure.columns])
        beta[:, column] = estimate[genes]
        shrink_kernel(
            rows, offsets, fit.dispersions[genes], ridge, column, scale, structure.blocks,
            beta, np.empty(len(rows), dtype=bool),
        )  # fmt: skip
        out[genes] = beta[:, column] / np.log(2)

    over_genes(work, len(fit.genes), n_cpus)
    return out
