"""Estimates with 95 % intervals: whether they exclude 0; t tests of one group and of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fibroserum.distributions import t_isf, t_sf

# values whose range is below this share of their size differ by rounding, not by measurement
ROUNDING = 1e-9


class Estimate(NamedTuple):
    """An estimate with its 95 % interval and two-sided p value; NaN where donors are too few."""

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    pvalue: float = np.nan


def sign_of_interval(low: Any, high: Any) -> Any:
    """Return 1 or -1 for an interval above or below 0, else 0 (also where it is missing).

    low, high: numbers or arrays of them; integers of the same shape are returned.
    """
    return np.subtract(np.greater(low, 0), np.less(high, 0), dtype=int)


def one_sample_t(values: Sequence[float] | np.ndarray) -> Estimate:
    """Return the mean of values with Student's t; of within-donor differences, the paired t test.

    The mean alone where there are fewer than two values, or where they do not differ.
    """
    numbers = np.sort(np.asarray(values, dtype=float))
    if not len(numbers):
        return Estimate()
    mean = float(numbers.mean())
    if len(numbers) < 2 or not _differ(numbers):
        return Estimate(mean)
    df = len(numbers) - 1
    se = np.sqrt(numbers.var(ddof=1) / len(numbers))
    half = float(t_isf(0.025, df) * se)
    return Estimate(mean, mean - half, mean + half, float(2 * t_sf(abs(mean) / se, df)))


def welch_t(
    group: Sequence[float] | np.ndarray, reference: Sequence[float] | np.ndarray
) -> Estimate:
    """Return the difference of two means with Welch's t, as `sum_of_means`."""
    return sum_of_means([group, -np.asarray(reference, dtype=float)])


def sum_of_means(parts: Sequence[Sequence[float] | np.ndarray]) -> Estimate:
    """Return the sum of the means of independent groups, each with a variance of its own.

    The degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2:110). The sum alone
    where a group has fewer than two values, or where no group's values differ.
    """
    # sums depend on the order of their terms in the last digit
    groups = [np.sort(np.asarray(values, dtype=float)) for values in parts]
    if not all(map(len, groups)):
        return Estimate()
    total = float(sum(values.mean() for values in groups))
    if min(map(len, groups)) < 2 or not any(map(_differ, groups)):
        return Estimate(total)
    # values that differ by rounding have a variance of 0, and exact
    errors = np.array([v.var(ddof=1) / len(v) if _differ(v) else 0.0 for v in groups])
    df = errors.sum() ** 2 / sum(e**2 / (len(v) - 1) for e, v in zip(errors, groups, strict=True))
    se = np.sqrt(errors.sum())
    half = float(t_isf(0.025, df) * se)
    return Estimate(total, total - half, total + half, float(2 * t_sf(abs(total) / se, df)))


def _differ(numbers: np.ndarray) -> bool:
    return bool(np.ptp(numbers) > ROUNDING * max(1.0, np.abs(numbers).max()))
