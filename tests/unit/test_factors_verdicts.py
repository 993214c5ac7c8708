"""Combining lines, calls, concordance, mediation: designed cases and mathematics."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fibroserum.factors.combine import (
    Evidence,
    combine,
    nearer_to_zero,
    partial_conjunction,
    shared_variance_df,
    signed_z,
    stouffer,
    two_sided,
)
from fibroserum.factors.concordance import concordance, responsive_genes
from fibroserum.factors.levels import Change
from fibroserum.factors.mediation import (
    between_groups,
    not_assessable,
    two_group_effects,
    two_group_pvalues,
    within_subject_effects,
    within_subject_pvalues,
    within_subjects,
)
from fibroserum.factors.mediation_calls import with_calls

GENES = pd.Index([f"g{i}" for i in range(200)])
Z = st.floats(-30, 30)


def _line(name: str, strong: dict[str, float], df: float = np.inf) -> Evidence:
    """A line whose other genes are evenly spread nulls."""
    even = stats.norm.ppf((np.arange(len(GENES)) + 0.5) / len(GENES))
    rng = np.random.default_rng(len(name))
    z = pd.Series(rng.permutation(even), index=GENES)
    z.update(pd.Series(strong))
    return Evidence(name, z, df, 3.0)


@given(Z, Z)
def test_combinations_by_their_definitions(first: float, second: float) -> None:
    z = np.array([[first, second]])
    p_up, p_down = stats.norm.sf([first, second]), stats.norm.cdf([first, second])
    assert stouffer(z)[0] == pytest.approx((first + second) / np.sqrt(2))
    expected = min(1.0, 2 * min(p_up.max(), p_down.max()))
    assert partial_conjunction(z)[0] == pytest.approx(expected, rel=1e-12)
    assert partial_conjunction(-z)[0] == pytest.approx(expected, rel=1e-12)
    assert two_sided(stouffer(z))[0] <= partial_conjunction(z)[0] * (1 + 1e-9)
    if first * second < 0:
        assert partial_conjunction(z)[0] >= 0.999


@given(st.floats(1e-200, 1), st.sampled_from([-1.0, 1.0]))
def test_a_normal_score_gives_its_p_value_back(p: float, sign: float) -> None:
    z = signed_z(pd.Series([sign]), pd.Series([p]))
    assert two_sided(z.to_numpy())[0] == pytest.approx(p, rel=1e-6)
    assert sign * z.iloc[0] >= 0


def test_the_score_nearer_to_zero_holds_both_models() -> None:
    first = pd.Series([3.0, -2.0, 1.0, np.nan])
    second = pd.Series([2.0, -4.0, -5.0, 1.0])
    assert list(nearer_to_zero(first, second).iloc[:3]) == [2.0, -2.0, 0.0]
    assert np.isnan(nearer_to_zero(first, second).iloc[3])


def test_lines_that_agree_confirm_and_lines_that_oppose_do_not() -> None:
    strong = {"g0": 6.0, "g1": -6.0, "g2": 6.0, "g3": 7.0}
    lines = [
        _line("stimulation", strong),
        _line("serum", {"g0": 6.0, "g1": -5.0, "g2": -6.0, "g3": 0.5}),
    ]
    out = combine(lines, GENES, 0.05)
    assert out.loc["g0", ["call", "direction"]].tolist() == ["confirmed", "induced"]
    assert out.loc["g1", ["call", "direction"]].tolist() == ["confirmed", "suppressed"]
    assert out.loc["g2", "call"] == "not_responsive"
    assert out.loc["g2", "confirmed_pvalue"] == 1.0
    assert out.loc["g3", ["call", "direction"]].tolist() == ["responsive", "induced"]
    assert set(out["evidence"]) == {"stimulation and serum"}


def test_a_call_against_one_line_says_so_and_foretells_nothing() -> None:
    lines = [
        _line("stimulation", {"g0": 10.0, "g1": 10.0, "g2": 3.0}),
        _line("serum", {"g0": -3.5, "g1": -0.5, "g2": -3.0}),
    ]
    out = combine(lines, GENES, 0.05)
    assert out.loc["g0", ["call", "direction"]].tolist() == ["responsive", "induced"]
    assert out.loc["g0", "reason"] == "the other line, serum, points the other way (p = 0.00047)"
    assert out.loc["g1", "call"] == "responsive"
    assert out["reason"].drop("g0").isna().all()
    called = responsive_genes(
        out.loc[["g0", "g1"]].assign(symbol=["G0", "G1"]).rename_axis("gene_id").reset_index()
    )
    de = pd.DataFrame(
        {"gene_id": ["g0", "g1"], "log2FoldChange": 0.5, "ci_low": 0.2, "ci_high": 0.8, "padj": 0.0}
    )
    found = concordance(called, "RT_post_vs_pre", FALLS, de)["concordance"]
    assert found.tolist() == [None, "opposite"]


def test_one_line_is_its_own_test() -> None:
    line = _line("serum", {"g0": 5.0, "g1": -5.0})
    out = combine([line], GENES, 0.05)
    assert out["call"].value_counts().to_dict() == {"not_responsive": 198, "responsive": 2}
    np.testing.assert_allclose(out["responsive_pvalue"], two_sided(line.z.to_numpy()))
    assert out["confirmed_pvalue"].isna().all()
    assert out.loc["g1", "direction"] == "suppressed"


def test_no_line_leaves_every_gene_not_assessable() -> None:
    out = combine([], GENES, 0.05)
    assert set(out["call"]) == {"not_assessable"}
    assert set(out["reason"]) == {"the cohort holds no evidence on this factor"}
    assert out["responsive_pvalue"].isna().all()


def test_a_gene_that_one_line_did_not_test_is_not_assessable() -> None:
    serum = _line("serum", {"g0": 9.0, "g1": 9.0})
    arm = _line("stimulation", {"g0": 9.0, "g1": 9.0})
    arm = Evidence("stimulation", arm.z.drop("g0"))
    out = combine([arm, serum], GENES, 0.05)
    assert out.loc["g0", ["call", "evidence", "reason"]].tolist() == [
        "not_assessable",
        "serum",
        "not tested: stimulation",
    ]
    assert out.loc["g1", "call"] == "confirmed"
    assert out["responsive_padj"].notna().sum() == 199


def test_signs_of_both_lines_turned_turn_directions_alone() -> None:
    lines = [_line("stimulation", {"g0": 5.0}, 9.0), _line("serum", {"g0": 4.0}, 9.0)]
    turned = [Evidence(line.name, -line.z, line.df_prior, line.df_residual) for line in lines]
    first, second = combine(lines, GENES, 0.05), combine(turned, GENES, 0.05)
    other = {"induced": "suppressed", "suppressed": "induced"}
    assert first.loc["g0", "call"] == "confirmed"
    assert list(first["direction"].map(other)) == list(second["direction"])
    numbers = ["responsive_padj", "confirmed_padj"]
    pd.testing.assert_frame_equal(first[numbers], second[numbers])
    assert list(first["call"]) == list(second["call"])


def test_shared_variances_give_the_combined_score_the_tails_it_is_given() -> None:
    """Against a plain simulation of two moderated t tests of genes with the same variances."""
    rng = np.random.default_rng(1)
    dfs, size = [(9.0, 3.0), (10.0, 5.0)], 400_000
    quantile = rng.uniform(size=size)
    z = []
    for prior, residual in dfs:
        variance = prior / stats.chi2.isf(quantile, prior)
        estimate = variance * rng.chisquare(residual, size) / residual
        posterior = (prior + residual * estimate) / (prior + residual)
        t = rng.normal(size=size) * np.sqrt(variance / posterior)
        z.append(np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), prior + residual)))
    lines = [
        Evidence("a", pd.Series(dtype=float), *dfs[0]),
        Evidence("b", pd.Series(dtype=float), *dfs[1]),
    ]
    df = shared_variance_df(*lines)
    score = (z[0] + z[1]) / np.sqrt(2)
    p = 2 * stats.t.sf(np.abs(score) * np.sqrt(df / (df - 2)), df)
    assert df == pytest.approx(4 + 4 / np.cov(z[0] ** 2, z[1] ** 2)[0, 1], rel=0.2)
    assert np.mean(p < 1e-3) == pytest.approx(1e-3, abs=4 * np.sqrt(1e-3 / size))
    assert np.mean(two_sided(score) < 1e-3) > 1.4e-3
    plain = [Evidence("a", lines[0].z), lines[1]]
    assert shared_variance_df(*plain) == np.inf


FALLS = Change(10, -0.4, -0.6, -0.2, 0.001)
UNCHANGED = Change(10, -0.1, -0.3, 0.1, 0.4)
UNMEASURED = Change(0, np.nan, np.nan, np.nan, np.nan)


@pytest.mark.parametrize(
    ("change", "direction", "log2fc", "expected"),
    [
        (FALLS, "suppressed", 0.5, "as_predicted"),
        (FALLS, "suppressed", -0.5, "opposite"),
        (FALLS, "induced", 0.5, "opposite"),
        (FALLS, "induced", -0.5, "as_predicted"),
        (FALLS, "suppressed", 0.1, None),
        (UNCHANGED, "suppressed", 0.5, None),
        (UNMEASURED, "suppressed", 0.5, None),
        (None, "suppressed", 0.5, None),
    ],
)
def test_concordance(
    change: Change | None, direction: str, log2fc: float, expected: str | None
) -> None:
    verdicts = pd.DataFrame(
        {
            "gene_id": ["g0", "g1"],
            "symbol": ["G0", "G1"],
            "call": ["responsive", "not_responsive"],
            "direction": [direction, direction],
        }
    )
    de = pd.DataFrame(
        {
            "gene_id": ["g1", "g0"],
            "log2FoldChange": [0.0, log2fc],
            "ci_low": [-1.0, log2fc - 0.3],
            "ci_high": [1.0, log2fc + 0.3],
            "padj": [1.0, 0.01],
        }
    )
    out = concordance(responsive_genes(verdicts), "RT_post_vs_pre", change, de)
    assert out["gene_id"].tolist() == ["g0"]
    assert out["log2FoldChange"].tolist() == [log2fc]
    assert out["concordance"].tolist() == [expected]


def _cohort(seed: int, a: float, b: float, donors: int = 14) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sides = []
    for shift in (a, 0.0):
        mediator = shift + rng.normal(0, 0.3, donors)
        sides.append(np.column_stack([mediator, b * mediator + rng.normal(0, 0.2, donors)]))
    return sides[0], sides[1]


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


def test_a_planted_mediation_is_found_and_an_absent_one_is_not() -> None:
    found = between_groups(*_cohort(5, -0.6, -0.8), 1, "m")
    absent = between_groups(*_cohort(5, -0.6, 0.0), 1, "m")
    assert found.pvalue < 0.01
    assert 0 < found.ci_low < found.indirect < found.ci_high
    assert found.indirect + found.direct == pytest.approx(found.total)
    assert "not cause" in found.note
    assert absent.pvalue > 0.05
    rows = pd.DataFrame([asdict(found), asdict(absent), asdict(not_assessable(3, "few"))])
    called = with_calls(rows, 0.05)
    assert list(called["call"]) == ["mediated", "not_mediated", "not_assessable"]
    # two were assessed: Benjamini-Hochberg doubles the smaller p value and keeps the larger
    assert called["padj"][0] == pytest.approx(2 * found.pvalue)
    assert called["padj"][1] == pytest.approx(absent.pvalue)
    assert np.isnan(called["padj"][2])
    # an interval with 0 in it takes the word back, whatever the p value
    wide = with_calls(rows.assign(ci_low=-1.0), 0.05)
    assert list(wide["call"]) == ["not_mediated", "not_mediated", "not_assessable"]


def test_the_paths_are_tested_as_statsmodels_has_them() -> None:
    group, reference = _cohort(8, -0.3, -0.4)
    first, slope = two_group_pvalues(group, reference)
    expected = sm.stats.ttest_ind(group[:, 0], reference[:, 0], usevar="unequal")[1]
    assert first == pytest.approx(expected)
    data = np.vstack([group, reference])
    x = np.r_[np.ones(len(group)), np.zeros(len(reference))]
    fit = sm.OLS(data[:, 1], sm.add_constant(np.column_stack([x, data[:, 0]]))).fit()
    assert slope == pytest.approx(fit.pvalues[2])
    rng = np.random.default_rng(9)
    rows = rng.normal(size=(12, 3))
    rows[:, 1] += 0.5 * rows[:, 0]
    first, slope = within_subject_pvalues(rows)
    centred = rows[:, 2] - rows[:, 2].mean()
    fit = sm.OLS(rows[:, 1], sm.add_constant(np.column_stack([rows[:, 0], centred]))).fit()
    assert slope == pytest.approx(fit.pvalues[1])
    assert first == pytest.approx(stats.ttest_1samp(rows[:, 0], 0).pvalue)
    assert within_subjects(rows, 1, "m").pvalue == max(first, slope)


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.0, -0.8), (-0.6, 0.0)])
def test_the_joint_test_keeps_its_level_at_ten_donors_a_group(a: float, b: float) -> None:
    pvalues = [max(two_group_pvalues(*_cohort(seed, a, b, donors=10))) for seed in range(2000)]
    assert np.mean(np.array(pvalues) < 0.05) < 0.06


def test_mediation_needs_ten_complete_donors_a_group() -> None:
    group, reference = _cohort(6, -0.6, -0.8)
    few = between_groups(group[:9], reference, 1, "m")
    assert few.note.startswith("9 and 14 donors with complete data")
    assert np.isnan(few.indirect)
    one = within_subjects(np.column_stack([group[:9], group[:9, 0]]), 1, "m")
    assert np.isnan([few.pvalue, one.pvalue, one.ci_low]).all()


def test_mediation_ignores_the_order_of_donors_and_mirrors_with_before_and_after() -> None:
    group, reference = _cohort(7, -0.5, -0.8)
    first = between_groups(group, reference, 1, "m")
    shuffled = between_groups(group[::-1], np.roll(reference, 3, axis=0), 1, "m")
    mirrored = between_groups(-group, -reference, 1, "m")
    for name in ("ci_low", "ci_high", "indirect", "direct"):
        assert getattr(shuffled, name) == pytest.approx(getattr(first, name), rel=1e-9)
    assert mirrored.ci_low == pytest.approx(-first.ci_high, rel=1e-9)
    assert mirrored.indirect == pytest.approx(-first.indirect, rel=1e-9)
    assert between_groups(group, reference, 2, "m").ci_low != first.ci_low
