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

from fibroserum.distributions import t_sf
from fibroserum.linear import LinearFit, posterior_variance
from fibroserum.linear.robust import WHOLE, hc3_parts, slope_ratio, unit_variances

# A slope that keeps less than half without one pair is that pair's, as with the targets.
HALF = 0.5
# Slopes that no one would take for shown are left as they are.
ASKED = 0.05


@dataclass(frozen=True)
class Pair:
    """One pair in the G weighted fits of pair differences (a sample, where there are no blocks).

    weight, residual, leverage: (G,). direction: (G, k), what a unit of weight times residual adds
    to the dense coefficients.
    """

    weight: np.ndarray
    residual: np.ndarray
    leverage: np.ndarray
    direction: np.ndarray


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


def pairs_of(fit: LinearFit) -> Iterator[Pair]:
    """Yield the pairs of a fit in the order of its blocks, or its samples where it has none.

    fit: blocks of two samples each, before and after, or no blocks; ValueError for others.
    """
    if fit.design.blocks is None:
        rows = zip(fit.weights, fit.E, fit.design.dense_values, strict=True)
    else:
        first, second = _samples(fit)
        rows = zip(
            1.0 / (1.0 / fit.weights[first] + 1.0 / fit.weights[second]),
            fit.E[second] - fit.E[first],
            steps_of(fit),
            strict=True,
        )
    for weight, value, step in rows:
        direction = fit.covariance @ step
        residual = value - fit.dense_coefficients @ step
        yield Pair(weight, residual, weight * (direction @ step), direction)


def steps_of(fit: LinearFit) -> np.ndarray:
    """Return the dense columns of each pair, after minus before; of each sample without blocks."""
    values = fit.design.dense_values
    if fit.design.blocks is None:
        return values
    first, second = _samples(fit)
    return np.asarray(values[second] - values[first])


def slopes_without(fit: LinearFit, column: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each pair each gene's slope without it and its t, (G,) each, on df - 1.

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
    for pair in pairs_of(fit):
        own = pair.direction[:, column]
        rest = np.where(pair.leverage < WHOLE, 1 - pair.leverage, np.nan)
        slope = beta - own * pair.weight * pair.residual / rest
        scale = fit.covariance[:, column, column] + pair.weight * own**2 / rest
        left = np.maximum(rss - pair.weight * pair.residual**2 / rest, 0.0) + added
        yield slope, slope / np.sqrt(scale * left / df)


def without_each_pair(fit: LinearFit, column: int) -> Deletion:
    """Return for each gene the pair that its slope needs most; arguments as `slopes_without`'s."""
    beta = fit.dense_coefficients[:, column]
    genes = len(fit.genes)
    worst, share = np.full(genes, -1), np.full(genes, np.inf)
    statistic = np.full(genes, np.nan)
    for place, (slope, without) in enumerate(slopes_without(fit, column)):
        kept = np.divide(slope, beta, out=np.where(np.isnan(slope), np.nan, 1.0), where=beta != 0)
        lower = kept < share
        worst[lower], share[lower] = place, kept[lower]
        statistic[lower] = without[lower]
    _, total = posterior_variance(fit.sigma**2, fit.df_residual)
    df = max(total - fit.df_residual, 0.0) + fit.df_residual - 1
    return Deletion(worst, share, 2 * t_sf(np.abs(statistic), df))


def hc3_pvalue(fit: LinearFit, column: int) -> np.ndarray:
    """Return p values (G,) of a slope with HC3 standard errors over pairs, on the residual df."""
    variance = np.zeros(len(fit.genes))
    for pair in pairs_of(fit):
        influence = pair.direction[:, column] * pair.weight
        variance += hc3_parts(influence, pair.residual, pair.leverage)
    statistic = np.abs(fit.dense_coefficients[:, column]) / np.sqrt(variance)
    return np.asarray(2 * t_sf(statistic, fit.df_residual))


def pair_variances(fit: LinearFit, column: int, groups: np.ndarray) -> PairVariances:
    """Return the pairs' variances, from the residuals of all genes.

    groups: (P,), each pair's, whose variances the model has by group. Residuals are over the gene's
    moderated standard deviation; hat matrix and influence are those of typical weights, the
    medians over genes of a pair's weight over the gene's mean weight.
    """
    variance, _ = posterior_variance(fit.sigma**2, fit.df_residual)
    mean = sum(pair.weight for pair in pairs_of(fit)) / len(groups)
    squares, weights = [], []
    for pair in pairs_of(fit):
        squares.append(float(np.mean(pair.weight * pair.residual**2 / variance)))
        weights.append(float(np.median(pair.weight / mean)))
    root = np.sqrt(weights)
    basis, triangle = np.linalg.qr(steps_of(fit) * root[:, None])
    hat = basis @ basis.T
    own = np.asarray(squares) * fit.df_residual / sum(squares)
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
