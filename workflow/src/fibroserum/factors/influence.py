"""Which slopes one pair makes: each gene's slope on the serum level without every pair in turn.

A pair whose level changes much has much leverage. Where one of its libraries is an outlier, the
slope follows it and little residual is left to show it, whatever the moderation of variances. All
deletions follow from the one fit (Cook & Weisberg 1982, Residuals and Influence in Regression,
2.2): nothing is refitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from fibroserum.linear import LinearFit, posterior_variance

# A slope that keeps less than half without one pair is that pair's, as with the targets.
HALF = 0.5
# Slopes that no one would take for shown are left as they are.
ASKED = 0.05
_WHOLE = 1 - 1e-8


@dataclass(frozen=True)
class Deletion:
    """The pair without which least of each gene's slope is left.

    pair: (G,) position of its block in the fit. share: (G,) of the slope that is left without it,
    negative where the sign turns. pvalue: (G,) of the slope that is left, moderated as the fit.
    """

    pair: np.ndarray
    share: np.ndarray
    pvalue: np.ndarray


def without_each_pair(fit: LinearFit, column: int) -> Deletion:
    """Return for each gene the pair that its slope needs most.

    fit: blocks of two samples each, before and after; column: position of the slope among the
    dense columns. Precision weights and the prior of the variances are those of the fit. A pair
    that decides its own fitted value is not compared: the slope does not depend on it.
    """
    first, second = _pairs(fit)
    dense = fit.design.dense_values
    steps = dense[second] - dense[first]
    beta = fit.dense_coefficients
    variance, total = posterior_variance(fit.sigma**2, fit.df_residual)
    prior = max(total - fit.df_residual, 0.0)
    # (total × posterior - df × own) is what the prior adds to the sum of squares
    rss = fit.sigma**2 * fit.df_residual
    added = np.maximum(total * variance - rss, 0.0)
    genes = len(fit.genes)
    worst = Deletion(np.full(genes, -1), np.full(genes, np.inf), np.full(genes, np.nan))
    df = prior + fit.df_residual - 1
    for place in range(len(first)):
        weight = 1.0 / (1.0 / fit.weights[first[place]] + 1.0 / fit.weights[second[place]])
        residual = fit.E[second[place]] - fit.E[first[place]] - beta @ steps[place]
        direction = fit.covariance @ steps[place]
        leverage = weight * (direction @ steps[place])
        free = leverage < _WHOLE
        rest = np.where(free, 1 - leverage, 1.0)
        slope = beta[:, column] - direction[:, column] * weight * residual / rest
        scale = fit.covariance[:, column, column] + weight * direction[:, column] ** 2 / rest
        left = np.maximum(rss - weight * residual**2 / rest, 0.0) + added
        share = np.divide(slope, beta[:, column], out=np.ones(genes), where=beta[:, column] != 0)
        share = np.where(free, share, np.inf)
        statistic = slope / np.sqrt(scale * left / df)
        lower = share < worst.share
        pvalue = 2 * student.sf(np.abs(statistic), df)
        worst = Deletion(
            np.where(lower, place, worst.pair),
            np.where(lower, share, worst.share),
            np.where(lower, pvalue, worst.pvalue),
        )
    return worst


def _pairs(fit: LinearFit) -> tuple[np.ndarray, np.ndarray]:
    """Return the two samples of each block as positions."""
    codes = fit.design.codes
    order = np.argsort(codes, kind="stable")
    if (codes < 0).any() or (np.bincount(codes, minlength=len(fit.design.labels)) != 2).any():
        raise ValueError("every block must hold two samples, before and after")
    return order[::2], order[1::2]
