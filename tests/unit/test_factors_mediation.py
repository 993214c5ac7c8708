"""Mediation: against statsmodels and regressions, its calls, and designed bad cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fibroserum.factors.mediation import (
    Mediation,
    Resampled,
    between_groups,
    not_assessable,
    two_group_effects,
    within_subject_effects,
    within_subjects,
)
from fibroserum.factors.mediation_calls import (
    COLUMNS,
    Complete,
    MediationSteps,
    described,
    with_calls,
)
from fibroserum.factors.mediation_slope import between_slope, panel_ratio, within_slope

ALPHA = 0.05


def _cohort(seed: int, a: float, b: float, donors: int = 14) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = []
    for shift in (a, 0.0):
        mediator = shift + rng.normal(0, 0.3, donors)
        sides.append(np.column_stack([mediator, b * mediator + rng.normal(0, 0.2, donors)]))
    return sides[0], sides[1]


def _rows(*panel: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    """Return the rows of targets, each with its two sides."""
    rows = []
    for target, (group, reference) in enumerate(panel):
        names = [f"D{n:02d}" for n in range(len(group) + len(reference))]
        own = Complete(names, (group, reference))
        rows.append(described(own, own.mediation(1, f"m{target}")))
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _of(found: Mediation) -> pd.DataFrame:
    return pd.DataFrame([described(None, found)]).reindex(columns=COLUMNS)


def test_mediation_between_groups_is_that_of_two_regressions() -> None:
    group, reference = _cohort(3, -0.5, -0.8)
    indirect, direct, total = two_group_effects(group, reference)
    data = np.vstack([group, reference])
    x = np.r_[np.ones(len(group)), np.zeros(len(reference))]
    first = sm.OLS(data[:, 0], sm.add_constant(x)).fit().params
    both = sm.OLS(data[:, 1], sm.add_constant(np.column_stack([x, data[:, 0]]))).fit().params
    assert float(indirect) == pytest.approx(first[1] * both[2])
    assert float(direct) == pytest.approx(both[1])
    assert float(total) == pytest.approx(sm.OLS(data[:, 1], sm.add_constant(x)).fit().params[1])


def test_mediation_within_subjects_is_montoya_and_hayes_regression() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.normal(9, 0.5, 12), rng.normal(8.6, 0.5, 12)
    target = -0.7 * (after - before) + 0.1 * (after + before) + rng.normal(0, 0.1, 12)
    rows = np.column_stack([after - before, target, after + before])
    indirect, direct, total = within_subject_effects(rows)
    centred = rows[:, 2] - rows[:, 2].mean()
    fit = sm.OLS(target, sm.add_constant(np.column_stack([rows[:, 0], centred]))).fit().params
    assert float(indirect) == pytest.approx(rows[:, 0].mean() * fit[1])
    assert float(direct) == pytest.approx(fit[0])
    assert float(total) == pytest.approx(target.mean())


def test_the_paths_are_tested_as_statsmodels_has_them() -> None:
    group, reference = _cohort(8, -0.3, -0.4)
    data = np.vstack([group, reference])
    x = np.r_[np.ones(len(group)), np.zeros(len(reference))]
    fit = sm.OLS(data[:, 1], sm.add_constant(np.column_stack([x, data[:, 0]]))).fit(use_t=True)
    robust = fit.get_robustcov_results("HC3", use_t=True)
    slope = between_slope(group, reference)
    assert slope.pvalue() == pytest.approx(fit.pvalues[2])
    assert slope.pvalue(hc3=True) == pytest.approx(max(fit.pvalues[2], robust.pvalues[2]))
    assert slope.pvalue(hc3=True) > 1.01 * slope.pvalue()
    found = between_groups(group, reference, 1, "m")
    welch = sm.stats.ttest_ind(group[:, 0], reference[:, 0], usevar="unequal")[1]
    assert found.factor_pvalue == pytest.approx(welch)
    assert found.slope_pvalue == pytest.approx(slope.pvalue())
    assert found.pvalue == max(found.factor_pvalue, found.slope_pvalue)

    rng = np.random.default_rng(9)
    rows = rng.normal(size=(12, 3))
    rows[:, 1] += 0.5 * rows[:, 0]
    centred = rows[:, 2] - rows[:, 2].mean()
    fit = sm.OLS(rows[:, 1], sm.add_constant(np.column_stack([rows[:, 0], centred]))).fit(
        use_t=True
    )
    robust = fit.get_robustcov_results("HC3", use_t=True)
    assert within_slope(rows).pvalue() == pytest.approx(fit.pvalues[1])
    assert within_slope(rows).pvalue(hc3=True) == pytest.approx(
        max(fit.pvalues[1], robust.pvalues[1])
    )
    found = within_subjects(rows, 1, "m")
    assert found.factor_pvalue == pytest.approx(stats.ttest_1samp(rows[:, 0], 0).pvalue)
    assert found.slope_pvalue == pytest.approx(within_slope(rows).pvalue())
    assert found.pvalue == max(found.factor_pvalue, found.slope_pvalue)


def test_a_planted_mediation_is_found_and_an_absent_one_is_not() -> None:
    rows = _rows(_cohort(5, -0.6, -0.8), _cohort(5, -0.6, 0.0))
    assert rows["pvalue"][0] < 0.01
    assert rows["pvalue"][1] > 0.05
    assert rows["indirect"][0] + rows["direct"][0] == pytest.approx(rows["total"][0])
    assert "not cause" in rows["note"][0]
    few = not_assessable(3, "few")
    every = pd.concat([rows, _of(few)], ignore_index=True)
    called = with_calls(every, ALPHA)
    assert list(called["call"]) == ["mediated", "not_mediated", "not_assessable"]
    assert 0 < called["ci_low"][0] < called["indirect"][0] < called["ci_high"][0]
    # one of two is mediated: the intervals' error is half of alpha
    np.testing.assert_allclose(called["ci_level"], [0.975, 0.975, np.nan])
    # two were assessed: Benjamini-Hochberg doubles the smaller p value and keeps the larger
    assert called["padj"][0] == pytest.approx(2 * rows["pvalue"][0])
    assert called["padj"][1] == pytest.approx(rows["pvalue"][1])
    assert np.isnan(called["padj"][2])
    assert "not mediated" not in called["note"][0]


def test_an_interval_with_0_and_a_donor_take_the_word_back_and_say_so() -> None:
    rows = _rows(_cohort(5, -0.6, -0.8), _cohort(5, -0.6, 0.0))
    wide = Resampled(np.linspace(-1, 2, 5000), 14)
    found = with_calls(rows.assign(resampled=[wide, wide]), ALPHA)
    assert list(found["call"]) == ["not_mediated", "not_mediated"]
    assert found["note"][0].endswith("; not mediated: the interval includes 0")
    assert "; not mediated" not in found["note"][1]
    driven = with_calls(rows.assign(share_kept=0.3, left_out="D07"), ALPHA)
    assert list(driven["call"]) == ["not_mediated", "not_mediated"]
    said = "; not mediated: without donor D07, 30% of the indirect effect remains"
    assert driven["note"][0].endswith(said)
    assert (
        with_calls(rows.assign(share_kept=0.3), ALPHA, MediationSteps(leave_one_out=False))["call"][
            0
        ]
        == "mediated"
    )


def test_one_donor_may_not_make_an_indirect_effect() -> None:
    group, reference = _cohort(12, -0.6, 0.0)
    group[3] = [-4.0, 3.0]
    found = between_groups(group, reference, 1, "m")
    left = [
        two_group_effects(np.delete(group, n, 0), reference)[0] / found.indirect
        for n in range(len(group))
    ] + [
        two_group_effects(group, np.delete(reference, n, 0))[0] / found.indirect
        for n in range(len(reference))
    ]
    np.testing.assert_allclose(found.kept, left, rtol=1e-9)
    rows = _rows((group, reference))
    assert rows["left_out"][0] == "D03"
    assert rows["share_kept"][0] == pytest.approx(min(left))
    assert rows["share_kept"][0] < 0.5
    assert with_calls(rows, ALPHA)["call"][0] == "not_mediated"


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-1.2, 0), st.floats(-1, 1)), min_size=1, max_size=6),
    st.integers(0, 10_000),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_what_is_mediated_has_an_interval_without_0(
    paths: list[tuple[float, float]], seed: int, alpha: float
) -> None:
    panel = [_cohort(seed + n, a, b, donors=10) for n, (a, b) in enumerate(paths)]
    found = with_calls(_rows(*panel), alpha)
    called = found["call"] == "mediated"
    apart = (found["ci_low"] > 0) | (found["ci_high"] < 0)
    assert apart[called].all()
    assert (found["padj"] < alpha)[called].all()
    assert (found["share_kept"] >= 0.5)[called].all()
    error = alpha * max(called.sum(), 1) / len(panel)
    np.testing.assert_allclose(found["ci_level"], 1 - error)
    # every row whose word was taken back says why
    held = (found["padj"] < alpha) & ~called
    assert found["note"][held].str.contains("not mediated").all()


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.0, -0.8), (-0.6, 0.0)])
def test_the_joint_test_keeps_its_level_at_ten_donors_a_group(a: float, b: float) -> None:
    def pvalue(seed: int) -> float:
        group, reference = _cohort(seed, a, b, donors=10)
        first = stats.ttest_ind(group[:, 0], reference[:, 0], equal_var=False).pvalue
        return float(max(first, between_slope(group, reference).pvalue()))

    assert np.mean(np.array([pvalue(seed) for seed in range(2000)]) < 0.05) < 0.06


def test_unequal_donors_keep_the_slopes_level_and_equal_ones_keep_its_power() -> None:
    """A panel of 12 targets whose variance grows with the factor's distance from its mean."""
    rng = np.random.default_rng(31)
    shares = {"t": [0.0, 0.0], "ratio": [0.0, 0.0], "HC3": [0.0, 0.0]}
    panels = 150
    for unequal in (0, 1):
        for _ in range(panels):
            x = rng.normal(0, 0.4, 30)
            sd = 0.05 + 0.5 * np.abs(x) if unequal else np.full(30, 0.25)
            values = rng.normal(size=(30, 12)) * sd[:, None]
            sides = [(np.c_[x, y][:15], np.c_[x, y][15:]) for y in values.T]
            slopes = [between_slope(*side) for side in sides]
            ratio = panel_ratio(slopes)
            for name, options in (
                ("t", {"hc3": False}),
                ("ratio", {"hc3": False, "ratio": ratio}),
                ("HC3", {"hc3": True}),
            ):
                p = np.array([slope.pvalue(**options) for slope in slopes])
                shares[name][unequal] += float((p < 0.05).mean()) / panels
    assert shares["t"][0] == pytest.approx(0.05, abs=0.015)
    assert shares["t"][1] > 0.15
    assert shares["ratio"][1] < 0.075
    assert shares["HC3"][1] < 0.075


def test_mediation_needs_ten_complete_donors_a_group() -> None:
    group, reference = _cohort(6, -0.6, -0.8)
    few = between_groups(group[:9], reference, 1, "m")
    assert few.note.startswith("9 and 14 donors have complete data")
    assert np.isnan(few.indirect)
    one = within_subjects(np.column_stack([group[:9], group[:9, 0]]), 1, "m")
    assert np.isnan([few.pvalue, one.pvalue]).all()
    called = with_calls(pd.concat([_of(few), _of(one)], ignore_index=True), ALPHA)
    assert set(called["call"]) == {"not_assessable"}
    assert called[["ci_low", "ci_high", "ci_level", "share_kept"]].isna().all(axis=None)


def test_mediation_ignores_the_order_of_donors_and_mirrors_with_before_and_after() -> None:
    group, reference = _cohort(7, -0.5, -0.8)
    first = between_groups(group, reference, 1, "m")
    shuffled = between_groups(group[::-1], np.roll(reference, 3, axis=0), 1, "m")
    mirrored = between_groups(-group, -reference, 1, "m")
    for name in ("indirect", "direct", "pvalue"):
        assert getattr(shuffled, name) == pytest.approx(getattr(first, name), rel=1e-9)
    np.testing.assert_allclose(shuffled.kept[:14], first.kept[:14][::-1], rtol=1e-9)
    np.testing.assert_allclose(shuffled.kept[14:], np.roll(first.kept[14:], 3), rtol=1e-9)
    intervals = [m.resampled.interval(0.01) for m in (first, shuffled, mirrored)]
    np.testing.assert_allclose(intervals[1], intervals[0], rtol=1e-9)
    np.testing.assert_allclose(intervals[2], [-v for v in intervals[0][::-1]], rtol=1e-9)
    assert mirrored.indirect == pytest.approx(-first.indirect, rel=1e-9)
    other = between_groups(group, reference, 2, "m").resampled.interval(0.01)
    assert other != intervals[0]


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_units_of_factor_and_target_change_no_p_value(first: float, second: float) -> None:
    group, reference = _cohort(13, -0.4, -0.5)
    scale = np.array([first, second])
    own, scaled = between_slope(group, reference), between_slope(group * scale, reference * scale)
    for options in ({"hc3": False}, {"hc3": True}, {"ratio": 1.7, "hc3": False}):
        assert scaled.pvalue(**options) == pytest.approx(own.pvalue(**options), rel=1e-6)
    assert panel_ratio([scaled]) == pytest.approx(panel_ratio([own]), rel=1e-6)


def test_a_constant_level_and_a_donor_of_leverage_1_show_no_slope() -> None:
    rng = np.random.default_rng(14)
    y = rng.normal(size=(20, 1))
    constant = np.column_stack([np.full(20, -0.5), y])
    flat = between_slope(constant[:10], constant[10:])
    assert flat.estimate == 0
    assert flat.pvalue() == flat.pvalue(hc3=True) == 1.0
    assert panel_ratio([flat]) == 1.0
    # the others' levels are alike: the slope is this donor's own value, whose variance is unknown
    alone = constant.copy()
    alone[4] = [1.5, 9.0]
    slope = between_slope(alone[:10], alone[10:])
    assert slope.hat[4, 4] == pytest.approx(1)
    assert slope.pvalue() < 1e-3
    assert slope.pvalue(hc3=True) == 1.0
    rows = _rows((alone[:10], alone[10:]))
    # without this donor there is no slope, so that none of the effect is left
    assert rows["left_out"][0] == "D04"
    assert rows["share_kept"][0] == pytest.approx(0)
    assert with_calls(rows, ALPHA)["call"][0] == "not_mediated"


def test_a_target_on_a_line_has_no_residuals() -> None:
    x = np.r_[np.linspace(-1, 1, 10), np.linspace(0, 2, 10)]
    rows = np.column_stack([x, 2 * x])
    slope = between_slope(rows[:10], rows[10:])
    assert slope.estimate == pytest.approx(2)
    assert slope.pvalue() < 1e-12
    assert panel_ratio([slope]) >= 1.0
