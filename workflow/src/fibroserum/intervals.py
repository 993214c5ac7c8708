"""Estimates with 95 % intervals: whether they exclude 0; t tests of one group and of two."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

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
    found = stats.ttest_1samp(numbers, 0.0)
    interval = found.confidence_interval()
    return Estimate(mean, float(interval.low), float(interval.high), float(found.pvalue))


def welch_t(
    group: Sequence[float] | np.ndarray, reference: Sequence[float] | np.ndarray
) -> Estimate:
    """Return the difference of two means with Welch's t.

    The difference alone where a side has fewer than two values, or where no side's values differ.
    """
    # sums depend on the order of their terms in the last digit
    sides = [np.sort(np.asarray(values, dtype=float)) for values in (group, reference)]
    if not all(map(len, sides)):
        return Estimate()
    value = float(sides[0].mean() - sides[1].mean())
    if min(map(len, sides)) < 2 or not any(map(_differ, sides)):
        return Estimate(value)
    with warnings.catch_warnings():
        # one side may be constant: its variance is 0, and exact
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        found = stats.ttest_ind(*sides, equal_var=False)
    interval = found.confidence_interval()
    return Estimate(value, float(interval.low), float(interval.high), float(found.pvalue))


def _differ(numbers: np.ndarray) -> bool:
    return bool(np.ptp(numbers) > ROUNDING * max(1.0, np.abs(numbers).max()))
