"""The second path of a mediation: the slope of the target's change on the factor's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fibroserum.distributions import t_sf
from fibroserum.linear.robust import hc3_parts, slope_ratio, unit_variances

# a sum of squares below it is rounding
NOTHING = 1e-24


@dataclass(frozen=True)
class Slope:
    """Least squares of a target's changes on a factor's and on other terms, d donors.

    factor: (d,), its changes less the other terms' part. residual: (d,). estimate: the slope, 0
    where the factor does not vary beside the other terms. basis: (d, k), orthonormal, of the other
    terms. df: degrees of freedom.
    """

    factor: np.ndarray
    residual: np.ndarray
    estimate: float
    basis: np.ndarray
    df: int

    @property
    def hat(self) -> np.ndarray:
        """The hat matrix (d, d)."""
        square = float((self.factor**2).sum())
        own = np.outer(self.factor, self.factor) / square if square > 1e-12 else 0.0
        return np.asarray(self.basis @ self.basis.T + own)

    @property
    def rss(self) -> float:
        """The residual sum of squares."""
        return float((self.residual**2).sum())

    def pvalue(self, *, ratio: float = 1.0, hc3: bool = False) -> float:
        """Return the p value of t, its variance times ratio; 1 where the factor does not vary.

        hc3: at least HC3's, which needs no donors who vary alike (Hayes & Cai 2007, Behav Res
        Methods 39:709); 1 where one donor alone decides the slope.
        """
        square = float((self.factor**2).sum())
        if square <= 1e-12:
            return 1.0
        variance = ratio * self.rss / self.df / square
        if hc3:
            parts = hc3_parts(self.factor / square, self.residual, self.hat.diagonal())
            variance = max(variance, float(parts.sum()))
        if self.rss <= NOTHING and np.isfinite(variance):
            return 0.0 if self.estimate else 1.0
        return float(2 * t_sf(abs(self.estimate) / np.sqrt(variance), self.df))


def slope_of(terms: np.ndarray, factor: np.ndarray, target: np.ndarray) -> Slope:
    """Return the least squares of a target (d,) on terms (d, k) and a factor (d,)."""
    basis, _ = np.linalg.qr(terms)
    x, y = (values - basis @ (basis.T @ values) for values in (factor, target))
    square = float((x**2).sum())
    estimate = float(x @ y) / square if square > 1e-12 else 0.0
    return Slope(x, y - estimate * x, estimate, basis, len(x) - terms.shape[1] - 1)


def between_slope(group: np.ndarray, reference: np.ndarray) -> Slope:
    """Return the slope within groups; group, reference: (donors, 2), factor and target."""
    both = np.concatenate([group, reference])
    first = np.arange(len(both)) < len(group)
    return slope_of(np.column_stack([first, ~first]).astype(float), both[:, 0], both[:, 1])


def within_slope(rows: np.ndarray) -> Slope:
    """Return the slope adjusted for the sum; rows: (donors, 3), factor, target and sum."""
    total = rows[:, 2] - rows[:, 2].mean()
    terms = np.ones((len(rows), 1))
    # a constant sum is no term
    if (total**2).sum() > 1e-12:
        terms = np.column_stack([terms, total])
    found = slope_of(terms, rows[:, 0], rows[:, 1])
    return Slope(found.factor, found.residual, found.estimate, found.basis, len(rows) - 3)


def panel_ratio(slopes: Sequence[Slope]) -> float:
    """Return how much larger the slopes' variance is than that of donors who vary alike.

    slopes: of several targets on one factor in the same donors, in the same order. Each counts by
    its donors' shares in its residual sum of squares. At least 1.
    """
    seen = [slope for slope in slopes if slope.rss > NOTHING and slope.estimate]
    if not seen:
        return 1.0
    squares = np.mean([slope.residual**2 / slope.rss * slope.df for slope in seen], axis=0)
    variances = unit_variances(squares, seen[0].hat)
    return slope_ratio(variances, np.ones(len(squares)), seen[0].factor)
