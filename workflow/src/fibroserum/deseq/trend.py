"""The trend of dispersion over mean expression, and how far genes scatter around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma

from fibroserum.deseq.model import MIN_DISPERSION
from fibroserum.deseq.prior import match_histogram
from fibroserum.distributions import normal_ppf, trimmed_mean
from fibroserum.inference.trend import fit_gamma_trend

USABLE = 100 * MIN_DISPERSION
MIN_PRIOR_VARIANCE = 0.25
MAX_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Trend:
    """coefficients: (a0, a1) of a0 + a1 / mean, or None, and then the trend is `level`."""

    coefficients: np.ndarray | None
    level: float

    @property
    def kind(self) -> str:
        """Return `parametric` or `mean`."""
        return "mean" if self.coefficients is None else "parametric"

    def __call__(self, means: np.ndarray) -> np.ndarray:
        """Return the trend at each mean."""
        if self.coefficients is None:
            return np.full(len(means), self.level)
        return self.coefficients[0] + self.coefficients[1] / means


def _parametric(means: np.ndarray, dispersions: np.ndarray) -> np.ndarray | None:
    coefficients = np.array([0.1, 1.0])
    for _ in range(MAX_ROUNDS + 1):
        ratio = dispersions / (coefficients[0] + coefficients[1] / means)
        good = (ratio > 1e-4) & (ratio < 15)
        if good.sum() < 2:
            return None
        start = (float(coefficients[0]), float(coefficients[1]))
        found, converged = fit_gamma_trend(1 / means[good], dispersions[good], start)
        if not (found > 0).all():
            return None
        moved = float(np.sum(np.log(found / coefficients) ** 2))
        coefficients = found
        if moved < 1e-6 and converged:
            return coefficients
    return None


def fit_trend(means: np.ndarray, dispersions: np.ndarray) -> Trend:
    """Fit a0 + a1 / mean to genewise dispersions, by gamma regression, outliers set aside.

    Genes with a dispersion above 100 times the floor are used. In each round those whose ratio to
    the last curve lies within (1e-4, 15) are fitted, until the coefficients stand still. Where that
    fails the trend is the trimmed mean of the dispersions. Raises ValueError where no gene has a
    dispersion to speak of.
    """
    # sums over genes are taken in an order of their own, whatever the genes' order is
    order = np.lexsort((means, dispersions))
    means, dispersions = means[order], dispersions[order]
    usable = dispersions > USABLE
    if not usable.any():
        raise ValueError("No gene's dispersion is above its floor: the samples look identical.")
    coefficients = _parametric(means[usable], dispersions[usable])
    if coefficients is not None:
        return Trend(coefficients, np.nan)
    level = trimmed_mean(dispersions[dispersions > 10 * MIN_DISPERSION], 0.001)
    return Trend(None, float(level))


def prior_variance(
    dispersions: np.ndarray, fitted: np.ndarray, residual_df: int
) -> tuple[float, float]:
    """Return (prior variance of log dispersions, squared MAD of their residuals).

    The variance of the residuals less what sampling explains (trigamma of half the degrees of
    freedom), at least 0.25. With three or fewer degrees of freedom the residuals are far from
    normal, and the variance is the one whose predicted histogram is nearest to theirs.
    """
    usable = dispersions >= USABLE
    residuals = np.log(dispersions[usable]) - np.log(fitted[usable])
    spread = np.median(np.abs(residuals - np.median(residuals))) / normal_ppf(0.75)
    squared = float(spread**2)
    if residual_df <= 3:
        variance = match_histogram(residuals, residual_df)
    else:
        variance = squared - float(polygamma(1, residual_df / 2))
    return max(variance, MIN_PRIOR_VARIANCE), squared
