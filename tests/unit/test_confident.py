"""Confident log2 fold changes: against limma's TREAT, by their definition, beside the calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from fibroserum.de.confident import STEP, confident_lfc, treat

GOLDEN = pd.read_csv(
    Path(__file__).resolve().parents[1] / "golden" / "confident" / "confident.tsv", sep="\t"
)
GENES = st.lists(
    st.tuples(
        st.floats(-4, 4, width=32), st.floats(0.03125, 1, width=32), st.sampled_from([1.0, 4.5, 60])
    ),
    min_size=1,
    max_size=40,
)
ALPHAS = st.sampled_from([0.01, 0.05, 0.3, 0.9])


def _golden() -> tuple[np.ndarray, ...]:
    return tuple(GOLDEN[name].to_numpy(float) for name in ("estimate", "error", "df"))


@pytest.mark.parametrize("null", [0, 0.13, 0.5])
def test_treat_is_limmas(null: float) -> None:
    estimate, error, df = _golden()
    found = treat(np.abs(estimate), error, df, null)
    assert found == pytest.approx(GOLDEN[f"treat_{null}"].to_numpy(float), rel=1e-9)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_sizes_are_those_of_the_definition(alpha: float) -> None:
    expected = GOLDEN[f"confident_{alpha}"].to_numpy(float)
    assert 40 < np.count_nonzero(expected) < 110
    np.testing.assert_array_equal(confident_lfc(*_golden(), alpha), expected)


@settings(max_examples=60)
@given(GENES, ALPHAS)
def test_a_size_is_significant_and_the_next_is_not(
    genes: list[tuple[float, float, float]], alpha: float
) -> None:
    estimate, error, df = np.array(genes).T
    found = confident_lfc(estimate, error, df, alpha)
    steps = np.rint(np.abs(found) / STEP).astype(int)
    for step in set(steps):
        for at, inside in ((step, steps >= step), (step + 1, steps >= step + 1)):
            adjusted = false_discovery_control(treat(np.abs(estimate), error, df, at * STEP))
            sure = np.abs(adjusted - alpha) > 1e-9
            assert ((adjusted <= alpha) == inside)[sure & (at > 0)].all()
    assert (np.sign(found) == np.where(steps > 0, np.sign(estimate), 0)).all()
    assert not np.signbit(found[steps == 0]).any()


@settings(max_examples=40)
@given(GENES)
def test_a_larger_rate_gives_larger_sizes(genes: list[tuple[float, float, float]]) -> None:
    strict, loose = (np.abs(confident_lfc(*np.array(genes).T, alpha)) for alpha in (0.05, 0.2))
    assert (strict <= loose).all()


def test_what_is_not_tested_has_no_size_and_does_not_count() -> None:
    estimate, error, df = _golden()
    whole = confident_lfc(estimate, error, df, 0.05)
    gaps = [0, 7, len(estimate)]
    padded = confident_lfc(*(np.insert(part, gaps, np.nan) for part in (estimate, error, df)), 0.05)
    missing = np.isnan(padded)
    assert missing.sum() == 3
    np.testing.assert_array_equal(padded[~missing], whole)
    assert np.isnan(confident_lfc(*(np.full(3, np.nan),) * 3, 0.05)).all()
    assert confident_lfc(*(np.array([]),) * 3, 0.05).size == 0
