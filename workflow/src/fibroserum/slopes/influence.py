"""What each pair is to a slope: its leverage, its variance, its deletion.

A pair with an extreme value has much leverage. Where one of its samples is poor or an outlier, the
slope follows it and little residual is left to show it, whatever the moderation of variances.
Everything follows from the one fit (Cook & Weisberg 1982, Residuals and Influence in Regression,
2.2): nothing is refitted. In a model of the samples before, which has no blocks, a sample counts
as a pair does here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fibroserum.distributions import row_medians, t_sf
from fibroserum.linear import LinearFit, posterior_variance
from fibroserum.linear.blas import one_blas_thread
from fibroserum.linear.robust import WHOLE, hc3_parts, slope_ratio, unit_variances

# A slope that keeps less than half without one pair is that pair's, as with the targets.
HALF = 0.5
# Slopes that no one would take for shown are left as they are.
ASKED = 0.05
# Genes × pairs that are computed at once: they fit in a processor's cache.
VALUES = 100_000


@dataclass(frozen=True)
class Pairs:
    """All P pairs in the weighted fits of some g genes (samples, where there are no blocks).

    genes: their positions in the fit. weight, residual: (g, P). steps: (P, k), `steps_of`;
    covariance: (g, k, k), of the dense coefficients.
    """

    genes: slice
    weight: np.ndarray
    residual: np.ndarray
    steps: np.ndarray
    covariance: np.ndarray

    @property
    def leverage(self) -> np.ndarray:
        """The leverage of each pair on its own fitted value, (g, P)."""
        squares = self.steps[:, :, None] * self.steps[:, None, :]
        forms = _product(
            self.covariance.reshape(len(self.covariance), -1), squares.reshape(len(squares), -1)
        )
        return self.weight * forms

    def influence(self, column: int) -> np.ndarray:
        """Return what a unit of weight times residual adds to a dense coefficient, (g, P)."""
        return _product(self.covariance[:, column], self.steps)


@dataclass(frozen=True)
class Deletion:
    """The pair without which least of each gene's slope is left.

    pair: (G,) position of its block in the fit. share: (G,) of the slope that is left without it,
    negative where the sign turns. pvalue: (G,) of the slope that is left, moderated as the fit.
    """

    pair: np.ndarray
    share: np.ndarray
    pvalue: np.ndarray


@dataclass(frozen=True)
class PairVariances:
    """What all genes together show of the pairs' variances.

    variances: (P,) of pairs over the typical one, NaN for a pair of leverage 1. leverage: (P,) on
    their own fitted values. ratio: how much
    larger the slope's variance is than a model says in which the pairs of a group vary alike.
    """

    variances: np.ndarray
    leverage: np.ndarray
    ratio: float


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    # one thread in BLAS: a product that it splits between threads could differ in the last bit
    with one_blas_thread():
        return np.asarray(one @ other.T)


def pairs_of(fit: LinearFit) -> Iterator[Pairs]:
    """Yield the pairs in a few genes' fits at a time, in the order of the fit's blocks (samples).

    fit: blocks of two samples each, before and after, or no blocks; ValueError for others.
    """
    steps = steps_of(fit)
    first, second = _samples(fit) if fit.design.blocks is not None else (None, None)
    at_once = max(1, VALUES // len(steps))
    for start in range(0, len(fit.genes), at_once):
        genes = slice(start, start + at_once)
        # genes × samples, as they are stored
        values, weights = fit.E.T[genes], fit.weights.T[genes]
        if first is not None:
            weights = 1.0 / (1.0 / weights[:, first] + 1.0 / weights[:, second])
            values = values[:, second] - values[:, first]
        residual = values - _product(fit.dense_coefficients[genes], steps)
        yield Pairs(genes, weights, residual, steps, fit.covariance[genes])


def steps_of(fit: LinearFit) -> np.ndarray:
    """Return the dense columns of each pair, after minus before; of each sample without blocks."""
    values = fit.design.dense_values
    if fit.design.blocks is None:
        return values
    first, second = _samples(fit)
    return np.asarray(values[second] - values[first])


def slopes_without(fit: LinearFit, column: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield genes, their slopes without each pair and the slopes' t, (g, P) each, on df - 1.

    column: position of the slope among the dense columns. Precision weights and the prior of the
    variances are those of the fit. NaN for a pair that decides its own fitted value.
    """
    beta = fit.dense_coefficients[:, column]
    variance, total = posterior_variance(fit.sigma**2, fit.df_residual)
    prior = max(total - fit.df_residual, 0.0)
    # (total × posterior - df × own) is what the prior adds to the sum of squares
    rss = fit.sigma**2 * fit.df_residual
    added = np.maximum(total * variance - rss, 0.0)
    df = prior + fit.df_residual - 1
    for pairs in pairs_of(fit):
        own, leverage, influence = pairs.genes, pairs.leverage, pairs.influence(column)
        share = pairs.weight / np.where(leverage < WHOLE, 1 - leverage, np.nan)
        slope = beta[own, None] - influence * share * pairs.residual
        scale = fit.covariance[own, column, column, None] + share * influence**2
        left = np.maximum(rss[own, None] - share * pairs.residual**2, 0.0) + added[own, None]
        yield own, slope, slope / np.sqrt(scale * left / df)


def without_each_pair(fit: LinearFit, column: int) -> Deletion:
    """Return for each gene the pair that its slope needs most; arguments as `slopes_without`'s."""
    beta = fit.dense_coefficients[:, column]
    genes = len(fit.genes)
    worst, share, statistic = np.empty(genes, dtype=int), np.empty(genes), np.empty(genes)
    for own, slope, without in slopes_without(fit, column):
        whole = beta[own, None]
        kept = np.divide(slope, whole, out=np.ones_like(slope), where=whole != 0)
        kept[np.isnan(slope)] = np.inf
        worst[own] = kept.argmin(axis=1)
        rows = np.arange(len(kept))
        share[own], statistic[own] = kept[rows, worst[own]], without[rows, worst[own]]
    worst[np.isinf(share)] = -1
    _, total = posterior_variance(fit.sigma**2, fit.df_residual)
    df = max(total - fit.df_residual, 0.0) + fit.df_residual - 1
    return Deletion(worst, share, 2 * t_sf(np.abs(statistic), df))


def hc3_pvalue(fit: LinearFit, column: int) -> np.ndarray:
    """Return p values (G,) of a slope with HC3 standard errors over pairs, on the residual df."""
    parts = [
        hc3_parts(pairs.influence(column) * pairs.weight, pairs.residual, pairs.leverage).sum(
            axis=1
        )
        for pairs in pairs_of(fit)
    ]
    statistic = np.abs(fit.dense_coefficients[:, column]) / np.sqrt(np.concatenate(parts))
    return np.asarray(2 * t_sf(statistic, fit.df_residual))


def pair_variances(fit: LinearFit, column: int, groups: np.ndarray) -> PairVariances:
    """Return the pairs' variances, from the residuals of all genes.

    groups: (P,), each pair's, whose variances the model has by group. Residuals are over the gene's
    moderated standard deviation; hat matrix and influence are those of typical weights, the
    medians over genes of a pair's weight over the gene's mean weight.
    """
    variance, _ = posterior_variance(fit.sigma**2, fit.df_residual)
    squares, relative = np.zeros(len(groups)), np.empty((len(groups), len(fit.genes)))
    for pairs in pairs_of(fit):
        own = pairs.genes
        squares += (pairs.weight * pairs.residual**2 / variance[own, None]).sum(axis=0)
        relative[:, own] = (pairs.weight / pairs.weight.mean(axis=1, keepdims=True)).T
    squares /= len(fit.genes)
    root = np.sqrt(row_medians(relative))
    basis, triangle = np.linalg.qr(steps_of(fit) * root[:, None])
    hat = basis @ basis.T
    own = squares * fit.df_residual / squares.sum()
    influence = basis @ np.linalg.inv(triangle)[column]
    variances = unit_variances(own, hat)
    assumed = np.ones(len(groups))
    for group in np.unique(groups):
        inside = groups == group
        df = float((1 - hat.diagonal()[inside]).sum())
        # a group without a residual degree of freedom has the variance of all
        if df >= 1 - 1e-8:
            assumed[inside] = own[inside].sum() / df
    leverage = np.minimum(hat.diagonal(), 1.0)
    ratio = slope_ratio(variances, assumed, influence)
    return PairVariances(np.where(leverage < WHOLE, variances, np.nan), leverage, ratio)


def _samples(fit: LinearFit) -> tuple[np.ndarray, np.ndarray]:
    """Return the two samples of each block as positions."""
    codes = fit.design.codes
    order = np.argsort(codes, kind="stable")
    if (codes < 0).any() or (np.bincount(codes, minlength=len(fit.design.labels)) != 2).any():
        raise ValueError("every block must hold two samples, before and after")
    return order[::2], order[1::2]
