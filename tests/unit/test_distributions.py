"""Tails and quantiles equal those of scipy.stats, bit for bit, also at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from fibroserum import distributions as ours

RNG = np.random.default_rng(1)
X = np.r_[RNG.normal(0, 8, 2000), 0.0, 40.0, -40.0, np.inf, -np.inf, np.nan]
DF = np.resize(np.r_[RNG.uniform(0.3, 60, 500), 1.0, 1e6, np.inf, np.nan], X.size)
Q = np.resize(np.r_[RNG.uniform(0, 1, 1000), 0.0, 1.0, 1e-300, 1e-12, 0.5, np.nan], X.size)


@pytest.mark.parametrize(
    ("own", "known", "values"),
    [
        (ours.t_sf, stats.t.sf, (X, DF)),
        (ours.t_cdf, stats.t.cdf, (X, DF)),
        (ours.t_ppf, stats.t.ppf, (Q, DF)),
        (ours.t_isf, stats.t.isf, (Q, DF)),
        (ours.normal_sf, stats.norm.sf, (X,)),
        (ours.normal_cdf, stats.norm.cdf, (X,)),
        (ours.normal_ppf, stats.norm.ppf, (Q,)),
        (ours.normal_isf, stats.norm.isf, (Q,)),
        (ours.chi2_sf, stats.chi2.sf, (X, DF)),
        (ours.chi2_ppf, stats.chi2.ppf, (Q, DF)),
        (ours.chi2_isf, stats.chi2.isf, (Q, DF)),
    ],
)
def test_same_as_scipy_stats(
    own: Callable[..., Any], known: Callable[..., Any], values: tuple[np.ndarray, ...]
) -> None:
    assert_array_equal(own(*values), known(*values))


@pytest.mark.parametrize("rows", [1, 3, 10, 57])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.3])
def test_trimmed_mean_is_that_of_scipy(rows: int, share: float) -> None:
    values = RNG.gamma(1.0, size=(rows, 40))
    assert_array_equal(ours.trimmed_mean(values, share), stats.trim_mean(values, share, axis=0))
    assert ours.trimmed_mean(values[:, 0], share) == stats.trim_mean(values[:, 0], share)
