"""Combining lines, calls, concordance: designed cases and mathematics."""

from __future__ import annotations

from pathlib import Path

import calibrate_confirmed
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import fibroserum.factors.combine as combine_module
from fibroserum.factors.combine import (
    Evidence,
    combine,
    nearer_to_zero,
    partial_conjunction,
    replicability,
    shared_variance_df,
    signed_z,
    stouffer,
    two_sided,
)
from fibroserum.factors.concordance import concordance, responsive_genes
from fibroserum.factors.levels import Change

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


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_replicability_is_that_of_r(repository: Path, alpha: float) -> None:
    golden = repository / "tests/golden/replicability"
    z = pd.read_csv(golden / "scores.tsv", sep="\t").to_numpy(float)
    expected = np.loadtxt(golden / f"adjusted_{alpha:g}.tsv")
    assert (expected < 1).sum() >= 11
    for scores in (z, -z, z[:, ::-1]):
        np.testing.assert_allclose(replicability(scores, alpha), expected, rtol=1e-8)


def test_replicability_needs_both_sources_one_sign_and_something_selected() -> None:
    strong, weak = np.array([8.0, 8.0]), np.zeros((50, 2))
    assert replicability(np.vstack([strong, weak]), 0.05)[0] < 1e-6
    for z in ([8.0, 0.0], [0.0, 8.0], [8.0, -8.0]):
        assert (replicability(np.vstack([z, weak]), 0.05) == 1).all()
    assert (replicability(weak, 0.05) == 1).all()
    assert replicability(np.empty((0, 2)), 0.05).shape == (0,)


def test_confirmed_finds_more_at_its_false_discovery_rate() -> None:
    jobs = [("mixed", 8, seed) for seed in range(16)]
    rows = pd.DataFrame([row for job in jobs for row in calibrate_confirmed.one(job)])
    found = rows.groupby("rule")[["fdp", "power"]].mean()
    assert found.loc["confirmed", "fdp"] < 0.05
    assert found.loc["confirmed", "power"] > 4 * found.loc["partial conjunction", "power"]
    # |z| of null genes go together: the hazard is there
    assert 0.03 < rows["together"].mean() < 0.15


@pytest.mark.parametrize("setting", ["stimulation only", "serum only", "opposite"])
def test_one_source_alone_confirms_next_to_nothing(setting: str) -> None:
    rows = [row for seed in range(6) for row in calibrate_confirmed.one((setting, 8, seed))]
    assert np.mean([row["fdp"] for row in rows if row["rule"] == "confirmed"]) < 0.1


def test_a_gene_that_is_not_responsive_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [_line(name, {"g0": 6.0, "g1": 5.0}) for name in ("stimulation", "serum")]
    assert list(combine(lines, GENES, 0.05)["call"][:2]) == ["confirmed", "confirmed"]
    monkeypatch.setattr(combine_module, "combined_pvalue", lambda _, z: np.where(z > 8, 1e-9, 1.0))
    out = combine(lines, GENES, 0.05)
    assert (out["confirmed_padj"][:2] < 0.05).all()
    assert list(out["call"][:2]) == ["confirmed", "not_responsive"]


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
    assert out.loc["g0", "reason"] == "the serum evidence has the opposite sign (p = 0.00047)"
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
    assert set(out["reason"]) == {"the cohort has no evidence on this factor"}
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
