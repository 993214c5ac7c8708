"""Likelihood ratio tests of nested designs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix, usable_structure
from fibroserum.deseq.stages import Problem, means_at

# a mean below this gives no likelihood
SMALLEST_MEAN = 1e-300


def likelihood_ratio(
    fit: NegativeBinomialFit,
    counts: pd.DataFrame | np.ndarray,
    reduced: pd.DataFrame,
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Test by gene whether the fit's design explains more than a reduced one.

    As R's `nbinomLRT`: both designs are fitted with the fit's dispersions, and twice the difference
    of their log likelihoods is chi-square.

    Parameters
    ----------
    fit : NegativeBinomialFit
        Of the full design; coefficients are not needed.
    counts : pandas.DataFrame or numpy.ndarray
        Samples × genes, the ones fitted.
    reduced : pandas.DataFrame
        Samples × fewer columns, whose span lies within that of the fit's design.
    n_cpus : int
        Threads; results do not depend on it.

    Returns
    -------
    pandas.DataFrame
        By gene: stat, df, pvalue. NaN for genes that were not fitted, and a NaN pvalue for count
        outliers.

    Raises
    ------
    ValueError
        For a design that is not nested in the fit's, or that `fit` would refuse.

    Source: Love, Huber & Anders 2014, Genome Biol 15:550.
    """
    full = fit.design.to_numpy(dtype=float)
    both = np.column_stack([full, reduced.to_numpy(dtype=float)])
    df = full.shape[1] - reduced.shape[1]
    if df < 1 or np.linalg.matrix_rank(both) > full.shape[1]:
        raise ValueError("The reduced design is not nested in the full one.")
    matrix = fit.counts_fitted(count_matrix(counts)[0])
    known = np.isfinite(fit.dispersions)
    y, dispersions = matrix[:, known], fit.dispersions[known]
    logs = []
    for design in (fit.design, reduced):
        structure = usable_structure(design, fit.samples)
        offsets = np.log(fit.size_factors)[structure.order]
        problem = Problem(y, structure, offsets, False, n_cpus)
        logs.append(_log_likelihood(y, means_at(problem, dispersions), dispersions))
    stat = np.full(len(known), np.nan)
    stat[known] = np.maximum(2 * (logs[0] - logs[1]), 0.0)
    pvalue = np.where(fit.count_outlier, np.nan, chdtrc(df, stat))
    return pd.DataFrame({"stat": stat, "df": df, "pvalue": pvalue}, index=fit.genes)


def _log_likelihood(counts: np.ndarray, means: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    """Return log likelihoods (genes,) less what depends on counts and dispersions alone."""
    mu = np.maximum(means, SMALLEST_MEAN)
    total = np.log1p(dispersions * mu)
    own: np.ndarray = (counts * (np.log(mu) - total) - total / dispersions).sum(axis=0)
    return own
