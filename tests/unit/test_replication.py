"""Replication over cohorts: against a plain script in R, its level, and what must hold of any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.synthesis.replication import partial_conjunction, replication

GOLDEN = pd.read_csv(
    Path(__file__).resolve().parents[1] / "golden" / "replicated" / "replicated.tsv", sep="\t"
)
STATISTICS = st.lists(st.floats(-40, 40), min_size=2, max_size=7)


def test_agrees_with_the_script() -> None:
    found = []
    for row in GOLDEN.itertuples():
        statistics = np.array([getattr(row, f"t{n + 1}") for n in range(row.k)])
        up, down = t.sf(statistics, 9), t.cdf(statistics, 9)
        assert partial_conjunction(up) == pytest.approx(row.up, rel=1e-9)
        assert partial_conjunction(down) == pytest.approx(row.down, rel=1e-9)
        pvalue, way = replication(up, down)
        assert way == row.direction
        found.append(pvalue)
    assert found == pytest.approx(GOLDEN["pvalue"].tolist(), rel=1e-9)
    assert benjamini_hochberg(np.array(found)) == pytest.approx(GOLDEN["padj"], rel=1e-9)
    assert 10 < (GOLDEN["padj"] < 0.05).sum() < 30


@settings(max_examples=60)
@given(STATISTICS, st.randoms(use_true_random=False))
def test_order_means_nothing_and_signs_turn(statistics: list[float], random) -> None:  # type: ignore[no-untyped-def]
    z = np.array(statistics)
    pvalue, way = replication(norm.sf(z), norm.cdf(z))
    shuffled = np.array(random.sample(statistics, len(statistics)))
    assert replication(norm.sf(shuffled), norm.cdf(shuffled))[0] == pytest.approx(pvalue, rel=1e-9)
    other, back = replication(norm.sf(-z), norm.cdf(-z))
    assert other == pytest.approx(pvalue, rel=1e-9)
    assert 0 <= pvalue <= 1
    if pvalue < 0.5:
        assert {way, back} == {"up", "down"}


def test_two_cohorts_must_both_show_it() -> None:
    assert replication(np.array([1e-9, 0.02]), np.array([1.0, 0.98])) == (
        pytest.approx(0.02),
        "up",
    )
    assert replication(np.array([1e-9, 1.0]), np.array([1.0, 1e-9]))[0] == pytest.approx(1)
    # p values that underflow
    assert replication(np.array([1.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.3])) == (0.0, "down")


@pytest.mark.parametrize("cohorts", [2, 3, 5])
@pytest.mark.parametrize("effects", [(9, 0), (9, -9), (1, 0), (0, 0)])
def test_level_where_at_most_one_cohort_changes_each_way(
    cohorts: int, effects: tuple[float, float]
) -> None:
    rng = np.random.default_rng(4)
    shift = np.zeros(cohorts)
    shift[:2] = effects
    draws = rng.normal(size=(4000, cohorts)) + shift
    pvalues = [replication(norm.sf(z), norm.cdf(z))[0] for z in draws]
    assert np.mean(np.array(pvalues) <= 0.1) < 0.1 + 3 * (0.09 / 4000) ** 0.5
