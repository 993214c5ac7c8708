"""Do a set's own genes change, in any direction? The rotation test that decides `mixed`, exactly.

Wu, Lim, Vaillant, Asselin-Labat, Visvader, Smyth (2010) Bioinformatics 26:2176 (roast, mixed, mean
squares); the distribution of the statistic over all rotations is computed, not drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.enrichment.fry import eigenvalues, gene_parts, over_deviation
from fibroserum.enrichment.kernels import chances_of_larger
from fibroserum.enrichment.membership import Membership, over_stacks
from fibroserum.linear import Effects, variance_prior


def mixed(effects: Effects, sets: Membership, *, n_cpus: int = 1) -> pd.DataFrame:
    """Return the p value of each set's sum of squared standardised effects.

    Columns: mixed_pvalue; mixed_pvalue_without_strongest: the same without the gene of the largest
    square in the contrast (NaN for a single gene); mixed_strongest: the position of that gene among
    the tested ones.

    Under noise alone a gene's 1 + d effects are, given their length, in a random direction, and
    the same rotation turns all genes of a set: p is the chance that the contrast falls on a
    direction with as large a sum of squares. Exact for any number of genes and any correlation.
    """
    both = standardised_alike(effects)
    number = len(sets.table)
    pvalue, without = np.empty(number), np.full(number, np.nan)
    strongest = np.empty(number, dtype=np.int64)

    def one_stack(rows: np.ndarray, positions: np.ndarray) -> None:
        own = both[positions]
        top = np.argmax(own[:, :, 0] ** 2, axis=1)
        strongest[rows] = positions[np.arange(len(rows)), top]
        pvalue[rows] = _rotation_pvalues(own)
        if own.shape[1] > 1:
            others = np.arange(own.shape[1]) != top[:, None]
            without[rows] = _rotation_pvalues(own[others].reshape(len(rows), -1, own.shape[2]))

    over_stacks(one_stack, sets, both.shape[1], n_cpus)
    return pd.DataFrame(
        {
            "mixed_pvalue": pvalue,
            "mixed_pvalue_without_strongest": without,
            "mixed_strongest": strongest,
        }
    )


def _rotation_pvalues(own: np.ndarray) -> np.ndarray:
    """Return the p values of sets by their standardised effects (sets, genes, 1 + d)."""
    found = eigenvalues(own)
    values = np.zeros((own.shape[0], own.shape[2]))
    values[:, : found.shape[1]] = np.maximum(found, 0)
    return chances_of_larger(values, np.sum(own[:, :, 0] ** 2, axis=1))


def standardised_alike(effects: Effects) -> np.ndarray:
    """Return effects (G, 1 + d), contrast first, over a deviation that no rotation changes.

    The variance is the mean of all 1 + d squares, moderated with the residuals' prior. fry leaves
    each gene's largest square out, which singles out the axes: where genes differ in variance,
    contrasts of noise alone then look larger than rotated ones.
    """
    both = np.column_stack([effects.contrast, effects.residual])
    df = effects.residual.shape[1]
    variance, squares = np.empty(len(both)), np.empty(len(both))
    for part in gene_parts(both):
        variance[part] = np.mean(effects.residual[part] ** 2, axis=1)
        squares[part] = np.sum(both[part] ** 2, axis=1)
    prior = variance_prior(variance, df)
    scale, df_prior = float(prior.variance.mean()), prior.df
    if np.isfinite(df_prior):
        posterior = (squares + df_prior * scale) / (df + 1 + df_prior)
    else:
        posterior = np.full(len(both), scale)
    return over_deviation(both, posterior)
