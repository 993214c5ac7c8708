"""limma's moderation of gene-wise variances: a prior fitted to all genes, as in limma's fitFDist.

Smyth (2004) SAGMB 3:3; the trend of the prior is the natural cubic spline of limma-trend (Law et
al. 2014, Genome Biology 15:R29).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from fibroserum.linear.blas import one_blas_thread

# a prior with more degrees of freedom than this is one variance
INFINITE = 1e15
# the least variance, as a share of the median
FLOOR = 1e-5
# a prior below this is a variance of rounding
ROUNDING = 1e-15


@dataclass(frozen=True)
class VariancePrior:
    """limma's prior of G genes' variances (Smyth 2004): scaled inverse chi-square.

    variance: (G,). df: of the prior, perhaps infinite. most: degrees of freedom of all genes
    together, which a moderated variance has at most.
    """

    variance: np.ndarray
    df: float
    most: float

    def posterior(self, variance: np.ndarray, df: float | np.ndarray) -> np.ndarray:
        """Return moderated variances (G,) of variances on df degrees of freedom, one or (G,)."""
        if not np.isfinite(self.df):
            return self.variance
        return (df * variance + self.df * self.variance) / (df + self.df)

    def total_df(self, df: float) -> float:
        """Return the degrees of freedom of a moderated variance."""
        return min(df + self.df, self.most)

    def of(self, genes: np.ndarray) -> VariancePrior:
        """Return the prior of some genes, by position."""
        return VariancePrior(self.variance[genes], self.df, self.most)


def variance_prior(
    variance: np.ndarray, df: float | np.ndarray, covariate: np.ndarray | None = None
) -> VariancePrior:
    """Return limma's prior of variances (G,) on df degrees of freedom, one number or (G,).

    covariate: (G,), over which the prior is a trend (limma-trend); None: one for all genes.
    """
    own = np.broadcast_to(np.asarray(df, float), variance.shape)
    most = float(df) * len(variance) if np.ndim(df) == 0 else float(own.sum())
    if len(variance) < 3:
        return VariancePrior(variance, 0.0, most)
    usable = np.isfinite(variance) & np.isfinite(own) & (own > 0)
    if usable.sum() < 2:
        only = variance[usable][0] if usable.any() else np.nan
        return VariancePrior(np.full(variance.shape, only), 0.0, most)
    basis = np.ones((len(variance), 1)) if covariate is None else _spline(covariate, usable)
    level, prior = _fitted(variance[usable], own[usable], basis, usable)
    return VariancePrior(np.maximum(level, ROUNDING), prior, most)


def _fitted(
    variance: np.ndarray, df: np.ndarray, basis: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the prior variance (G,) and degrees of freedom, by moments of log variances.

    variance, df: of the usable genes; basis: (G, k), on which the mean log variance depends.
    """
    positive = np.maximum(variance, 0.0)
    floored = np.maximum(positive, FLOOR * (np.median(positive) or 1.0))
    # most genes, or all, have the same degrees of freedom, and these functions are slow
    known, of_gene = np.unique(df / 2, return_inverse=True)
    logs = np.log(floored) + _log_less_digamma(known)[of_gene]
    own = basis[usable]
    # one thread in BLAS: a product that it splits between threads could differ in the last bit
    with one_blas_thread():
        found, _, rank, _ = np.linalg.lstsq(own, logs, rcond=None)
        mean = basis @ found
    left = len(logs) - rank
    spread = ((logs - mean[usable]) ** 2).sum() / left if left > 0 else 0.0
    spread -= polygamma(1, known)[of_gene].mean()
    if spread <= 0:
        # one variance for all genes is their mean, a trend what it is
        return np.full(len(basis), floored.mean()) if basis.shape[1] == 1 else np.exp(mean), np.inf
    prior = 2 * _inverse_trigamma(float(spread))
    prior = np.inf if prior > INFINITE else prior
    return np.exp(mean - _log_less_digamma(prior / 2)), prior


def _log_less_digamma(x: float | np.ndarray) -> np.ndarray:
    """Return log(x) - digamma(x), 0 at infinity."""
    finite = np.where(np.isfinite(x), x, 1.0)
    return np.where(np.isfinite(x), np.log(finite) - digamma(finite), 0.0)


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method (Smyth 2004, appendix)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    while True:
        found = float(polygamma(1, x))
        step = found * (1 - found / value) / float(polygamma(2, x))
        x += step
        # Newton's steps are negative until they are rounding
        if -step / x < 1e-8:
            return x


def _spline(covariate: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return a basis (G, k) of natural cubic splines with an intercept, as of R's `ns`.

    Knots are quantiles of the usable genes' covariate. The basis is that of truncated powers, which
    spans the same curves (Hastie, Tibshirani, Friedman, Elements of Statistical Learning, 5.2.1).
    """
    own = covariate[usable]
    genes = len(own)
    columns = min(1 + (genes >= 3) + (genes >= 6) + (genes >= 30), len(np.unique(own)))
    if columns < 2:
        return np.ones((len(covariate), 1))
    low, high = own.min(), own.max()
    x = (covariate - low) / (high - low)
    knots = (np.quantile(own, np.linspace(0, 1, columns)) - low) / (high - low)
    # where many values are equal, quantiles are; the last knot is the boundary
    knots = [*np.unique(knots[knots < 1]), 1.0]

    def cubic(knot: float) -> np.ndarray:
        return (np.maximum(x - knot, 0) ** 3 - np.maximum(x - 1, 0) ** 3) / (1 - knot)

    curves = [cubic(knot) - cubic(knots[-2]) for knot in knots[:-2]]
    return np.column_stack([np.ones_like(x), x, *curves])


def posterior_variance(variance: np.ndarray, df: float) -> tuple[np.ndarray, float]:
    """Return limma's moderated variances (G,) and their total degrees of freedom."""
    prior = variance_prior(variance, df)
    return prior.posterior(variance, df), prior.total_df(df)
