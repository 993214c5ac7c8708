# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Wald statistics and p values."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_ndtr, stdtr

Alternative = Literal["greaterAbs", "lessAbs", "greater", "less"]


def upper_tail(statistic: np.ndarray) -> np.ndarray:
    """Return P(Z > statistic) for a standard normal Z, accurate far into the tail."""
    return np.exp(log_ndtr(-np.asarray(statistic, dtype=float)))


def beyond(
    estimate: np.ndarray, error: np.ndarray, null: float, df: float | np.ndarray = np.inf
) -> np.ndarray:
    """Return p values for |estimate| > null, twice the one-sided p value (DESeq2's greaterAbs).

    null: at least 0; at 0 this is the usual two-sided test. df: degrees of freedom of Student's t,
    one for all or one for each; infinite for a normal statistic. NaN where estimate or error is.
    """
    distance = (np.abs(estimate) - null) / error
    tail = upper_tail(distance) if np.isinf(df).all() else stdtr(df, -distance)
    return np.minimum(2 * tail, 1)


def wald_statistic(
    estimate: np.ndarray, error: np.ndarray, null: float, alternative: Alternative | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (statistic, p value) for estimates with standard errors `error`.

    alternative: None tests estimate = null, two-sided; "greaterAbs" |estimate| > null, as twice
    the one-sided p; "lessAbs" |estimate| < null, the larger of two one-sided p; "greater" and
    "less" against null.
    """
    if alternative is None:
        statistic = (estimate - null) / error
        return statistic, 2 * upper_tail(np.abs(statistic))
    above = np.fmax((estimate - null) / error, 0)
    below = np.fmin((estimate - null) / error, 0)
    if alternative == "greater":
        return above, upper_tail(above)
    if alternative == "less":
        return below, upper_tail(np.abs(below))
    if alternative == "greaterAbs":
        statistic = np.sign(estimate) * np.fmax((np.abs(estimate) - null) / error, 0)
        return statistic, beyond(estimate, error, null)
    if alternative == "lessAbs":
        over = np.fmax((estimate + abs(null)) / error, 0)
        under = np.fmin((estimate - abs(null)) / error, 0)
        statistic = np.where(np.abs(over) < np.abs(under), over, under)
        return statistic, np.maximum(upper_tail(over), upper_tail(np.abs(under)))
    raise ValueError(f"Unknown alternative hypothesis {alternative!r}.")
