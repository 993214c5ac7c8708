"""Meta-analysis of one quantity: against R's metafor, and what must hold of any."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum.synthesis.pooling import Pooled, pool, random_weights, tau2_interval

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "meta"
INPUT = pd.read_csv(GOLDEN / "effects.tsv", sep="\t")
EXPECTED = pd.read_csv(GOLDEN / "pooled.tsv", sep="\t").set_index("set")
COHORTS = st.lists(
    st.tuples(st.floats(-5, 5, width=32), st.floats(0.03125, 2, width=32)), min_size=1, max_size=8
)


def _of(name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = INPUT[INPUT["set"] == name]
    return rows["effect"].to_numpy(), rows["se"].to_numpy()


@pytest.mark.parametrize("name", EXPECTED.index)
def test_agrees_with_metafor(name: str) -> None:
    found = asdict(pool(*_of(name)))
    expected = EXPECTED.loc[name]
    columns = [column for column in found if column in expected]
    assert len(columns) == 21
    for column in columns:
        if column.startswith("prediction") and expected["cohorts"] == 2:
            # metafor gives one on a single degree of freedom; here it needs three cohorts
            assert found[column] is None
        else:
            assert found[column] == pytest.approx(expected[column], rel=2e-6, abs=1e-9), column


def test_the_variance_is_hartungs_and_knapps_but_never_below_the_classical() -> None:
    narrower = 0
    for name, expected in EXPECTED.iterrows():
        found = pool(*_of(str(name)))
        larger = max(expected["classic_se"], expected["knapp_se"])
        assert found.random_se == pytest.approx(larger, rel=2e-6)
        narrower += expected["knapp_se"] < 0.99 * expected["classic_se"]
    assert narrower >= 2, "the references hold no case in which the bound matters"


def test_one_cohort_gives_itself() -> None:
    found = pool(np.array([0.4]), np.array([0.1]))
    for kind in ("fixed", "random"):
        assert getattr(found, f"{kind}_estimate") == 0.4
        assert getattr(found, f"{kind}_se") == 0.1
        assert getattr(found, f"{kind}_ci_low") == pytest.approx(0.4 - 0.1 * 1.959963984540054)
        assert getattr(found, f"{kind}_pvalue") == pytest.approx(6.334248366623996e-05)
    assert (found.cohorts, found.positive) == (1, 1)
    assert found.tau2 is None
    assert found.I2 is None
    assert found.prediction_low is None


def test_no_cohort_says_nothing() -> None:
    assert pool(np.array([]), np.array([])) == Pooled(0, 0)


@pytest.mark.parametrize(
    ("effects", "errors"), [([0.1, np.nan], [1, 1]), ([0.1, 0.2], [1, 0]), ([0.1], [np.inf])]
)
def test_what_is_no_estimate_is_refused(effects: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError, match="an estimate and a standard error above 0"):
        pool(np.array(effects), np.array(errors))


@settings(max_examples=60)
@given(COHORTS, st.randoms(use_true_random=False))
def test_the_order_of_cohorts_changes_nothing(cohorts: list[tuple[float, float]], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(cohorts, len(cohorts))
    assert pool(*np.array(cohorts).T) == pool(*np.array(shuffled).T)


@settings(max_examples=60)
@given(COHORTS)
def test_signs_turn_together_and_intervals_hold_their_estimate(
    cohorts: list[tuple[float, float]],
) -> None:
    effects, errors = np.array(cohorts).T
    found, turned = pool(effects, errors), pool(-effects, errors)
    assert turned.random_estimate == pytest.approx(-found.random_estimate, rel=1e-6, abs=1e-9)
    assert turned.random_ci_low == pytest.approx(-found.random_ci_high, rel=1e-6, abs=1e-6)
    assert found.random_ci_low <= found.random_estimate <= found.random_ci_high
    assert effects.min() - 1e-9 <= found.random_estimate <= effects.max() + 1e-9
    if found.tau2 is not None:
        assert found.tau2_ci_low <= found.tau2_ci_high
        assert found.random_se >= found.fixed_se * (1 - 1e-9)


def test_two_cohorts_rest_on_one_degree_of_freedom() -> None:
    found = pool(np.array([0.4, 0.41]), np.array([0.1, 0.1]))
    assert found.random_ci_high - found.random_ci_low == pytest.approx(
        2 * 12.706204736 * found.random_se
    )
    assert found.prediction_low is None


def test_the_interval_of_equal_effects_starts_at_zero() -> None:
    low, high = tau2_interval(np.array([0.3, 0.3, 0.3]), np.array([0.01, 0.02, 0.03]))
    assert (low, high) == (0.0, 0.0)


def test_weights_are_shares_and_level_out_with_the_variance_between() -> None:
    errors = np.array([0.1, 0.2])
    assert random_weights(errors, None) == pytest.approx([0.8, 0.2])
    assert random_weights(errors, 1e6) == pytest.approx([0.5, 0.5], abs=1e-6)
