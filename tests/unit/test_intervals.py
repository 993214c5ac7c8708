"""Decisions that several tables share, against scipy: t tests, signs, thresholds, panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fibroserum.inference.wald import beyond
from fibroserum.intervals import Estimate, one_sample_t, sign_of_interval, welch_t
from fibroserum.multiple_testing import panel_adjusted

GROUP, REFERENCE = [0.3, 0.9, 0.1, 0.6], [0.2, -0.4, 0.0]


def test_one_sample() -> None:
    found, expected = one_sample_t(GROUP), stats.ttest_1samp(GROUP, 0.0)
    interval = expected.confidence_interval(0.95)
    assert found == pytest.approx((0.475, interval.low, interval.high, expected.pvalue))
    assert one_sample_t(GROUP[::-1]) == found


def test_two_samples() -> None:
    found = welch_t(GROUP, REFERENCE)
    expected = stats.ttest_ind(GROUP, REFERENCE, equal_var=False)
    interval = expected.confidence_interval(0.95)
    value = np.mean(GROUP) - np.mean(REFERENCE)
    assert found == pytest.approx((value, interval.low, interval.high, expected.pvalue))


def test_one_side_may_be_constant() -> None:
    """Welch's test is then the one-sample test of the other side against that constant."""
    found, expected = welch_t(GROUP, [0.1, 0.1, 0.1]), stats.ttest_1samp(GROUP, 0.1)
    assert found.pvalue == pytest.approx(expected.pvalue)
    assert found.value == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (one_sample_t([]), np.nan),
        (one_sample_t([0.4]), 0.4),
        (one_sample_t([0.4, 0.4 + 1e-12]), 0.4),
        (welch_t([], REFERENCE), np.nan),
        (welch_t([0.4], [0.1, 0.2]), 0.25),
        (welch_t([0.4, 0.4], [0.1, 0.1]), 0.3),
    ],
)
def test_too_few_values_or_equal_ones_have_no_interval(found: Estimate, value: float) -> None:
    assert found.value == pytest.approx(value, nan_ok=True)
    assert np.isnan(found[1:]).all()


def test_the_sign_of_an_interval() -> None:
    low = np.array([0.1, -0.2, -0.2, 0.0, np.nan])
    high = np.array([0.2, -0.1, 0.1, 0.5, np.nan])
    np.testing.assert_array_equal(sign_of_interval(low, high), [1, -1, 0, 0, 0])
    assert [sign_of_interval(*ends) for ends in zip(low, high, strict=True)] == [1, -1, 0, 0, 0]


@pytest.mark.parametrize("df", [np.inf, 7.0, np.array([3.0, np.inf, 12.0, 5.0])])
def test_p_values_beyond_a_threshold(df: float | np.ndarray) -> None:
    estimate, se = np.array([0.5, -0.9, 0.05, np.nan]), np.array([0.1, 0.2, 0.1, 0.1])
    tail = stats.norm.sf if np.ndim(df) == 0 and np.isinf(df) else (lambda t: stats.t.sf(t, df))
    expected = np.minimum(2 * tail((np.abs(estimate) - 0.2) / se), 1)
    np.testing.assert_allclose(beyond(estimate, se, 0.2, df), expected, rtol=1e-12)
    assert beyond(estimate, se, 0.2, df)[2] == 1.0
    np.testing.assert_allclose(
        beyond(estimate, se, 0.0, df), 2 * tail(np.abs(estimate / se)), rtol=1e-12
    )


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=8))
def test_a_gene_that_recurs_is_one_test(pvalues: list[float]) -> None:
    genes = [f"g{i}" for i in range(len(pvalues))]
    found = panel_adjusted(np.array([*pvalues, pvalues[0], 0.5]), [*genes, "g0", None])
    known = np.isfinite(pvalues)
    expected = np.full(len(pvalues), np.nan)
    if known.any():
        expected[known] = stats.false_discovery_control(np.array(pvalues)[known])
    np.testing.assert_allclose(found, [*expected, expected[0], np.nan])
    frame = pd.DataFrame({"p": pvalues, "gene": genes})
    np.testing.assert_array_equal(panel_adjusted(frame["p"], frame["gene"]), found[:-2])
