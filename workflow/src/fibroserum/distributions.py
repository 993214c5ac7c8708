"""Tails and quantiles of distributions, from scipy.special.

scipy.stats calls the same functions. Its import takes half a second, which every job would need.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def t_sf(x: Any, df: Any) -> Any:
    """Return the upper tail of Student's t."""
    return special.stdtr(df, np.negative(x))


def t_cdf(x: Any, df: Any) -> Any:
    """Return the lower tail of Student's t."""
    return special.stdtr(df, x)


def t_ppf(q: Any, df: Any) -> Any:
    """Return a quantile of Student's t."""
    # stdtrit gives infinity at both ends
    return np.where(np.equal(q, 0), -np.inf, special.stdtrit(df, q))


def t_isf(q: Any, df: Any) -> Any:
    """Return the value with this upper tail of Student's t."""
    return np.negative(t_ppf(q, df))


def normal_sf(x: Any) -> Any:
    """Return the upper tail of the standard normal distribution."""
    return special.ndtr(np.negative(x))


def normal_cdf(x: Any) -> Any:
    """Return the lower tail of the standard normal distribution."""
    return special.ndtr(x)


def normal_ppf(q: Any) -> Any:
    """Return a quantile of the standard normal distribution."""
    return special.ndtri(q)


def normal_isf(q: Any) -> Any:
    """Return the value with this upper tail of the standard normal distribution."""
    return np.negative(special.ndtri(q))


def chi2_sf(x: Any, df: Any) -> Any:
    """Return the upper tail of chi-square."""
    return special.chdtrc(df, np.maximum(x, 0))


def chi2_ppf(q: Any, df: Any) -> Any:
    """Return a quantile of chi-square."""
    return 2 * special.gammaincinv(np.divide(df, 2), q)


def chi2_isf(q: Any, df: Any) -> Any:
    """Return the value with this upper tail of chi-square."""
    return special.chdtri(df, q)


def row_medians(values: np.ndarray) -> np.ndarray:
    """Return the median of each row (n,) of finite numbers (n, k), at least one in a row.

    numpy.median divides a row at three places, which takes four times as long as to sort it.
    """
    ordered, last = np.sort(values, axis=1), values.shape[1] - 1
    return np.asarray((ordered[:, last // 2] + ordered[:, (last + 1) // 2]) / 2)


def trimmed_mean(values: np.ndarray, share: float) -> Any:
    """Return the mean of values along their first axis, without a share at each end."""
    cut = int(share * len(values))
    kept = np.partition(values, (cut, len(values) - cut - 1), axis=0)[cut : len(values) - cut]
    return kept.mean(axis=0)
