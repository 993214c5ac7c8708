"""The lines of evidence and the level's changes, against R (tests/golden/factors) and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fibroserum import linear
from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import stimulation_design
from fibroserum.factors.concordance import signed_sets
from fibroserum.factors.levels import (
    difference_of_changes,
    level_change,
    level_pairs,
    mean_change,
)
from fibroserum.factors.serum import serum_model
from fibroserum.factors.stimulation import stimulation_scores
from fibroserum.slopes.model import SlopeSteps

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}


@pytest.fixture(scope="module")
def obs() -> pd.DataFrame:
    sheet = pd.read_csv(GOLDEN / "limma" / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    levels = pd.read_csv(GOLDEN / "factors" / "levels.tsv", sep="\t", index_col=0, dtype=str)
    return sheet.assign(level=levels["log2"])


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "limma" / "counts.tsv", sep="\t", index_col=0).T


def _never(counts: pd.DataFrame) -> pd.Series:
    return pd.Series(False, index=counts.columns)


def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "factors" / name, sep="\t", index_col=0)


def test_serum_slopes_are_those_of_limma(obs: pd.DataFrame, counts: pd.DataFrame) -> None:
    pairs = level_pairs(obs, SETTINGS, "level", "log2")
    plain = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf)
    line = serum_model(counts, obs, SETTINGS, pairs, _never(counts), steps=plain)
    expected = _table("slope.tsv")
    assert line.unavailable == ""
    assert list(line.table.index) == list(expected.index)
    np.testing.assert_allclose(line.table["serum_slope"], expected["slope"], rtol=1e-6)
    # slopes that one pair makes have a larger p value than limma's: see test_factors_influence
    found = line.table["serum_pvalue"]
    same = np.isclose(found, expected["p"], rtol=1e-6)
    assert (found[~same] > expected["p"][~same]).all()
    assert (expected["p"][~same] < 0.05).all()
    assert same.mean() > 0.9
    assert line.df_prior + line.df_residual == pytest.approx(expected["df"].iloc[0])


def test_the_level_tested_in_each_contrast_is_that_of_r(obs: pd.DataFrame) -> None:
    pairs = level_pairs(obs, SETTINGS, "level", "log2")
    expected = _table("levels_tested.tsv")
    names = {
        "AT_post_vs_pre": "AT",
        "RT_post_vs_pre": "RT",
        "RT_vs_AT_change": "difference",
    }
    contrasts = {c.name: c for c in contrasts_of(["AT", "RT"], "pre", "post")}
    for name, row in names.items():
        change = level_change(pairs, contrasts[name], crossover=False)
        found = [change.estimate, change.ci_low, change.ci_high, change.pvalue]
        np.testing.assert_allclose(found, expected.loc[row], rtol=1e-9)


def test_the_signed_set_test_is_limmas_fry_with_gene_weights(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    after = obs["time"] == "post"
    dense = {f"after[{group}]": after & (obs["group"] == group) for group in ("AT", "RT")}
    design = Design(pd.DataFrame(dense).astype(float), obs["donor"])
    tested = counts.loc[:, linear.filter_by_expr(counts, design)]
    plain = linear.voom_fit(tested, design)
    values = pd.DataFrame(plain.E, index=plain.samples, columns=plain.genes)
    signs = pd.read_csv(GOLDEN / "factors" / "signs.tsv", sep="\t")
    genes = pd.DataFrame(
        {"gene_id": signs["gene"], "direction": signs["sign"].map({1: "induced", -1: "suppressed"})}
    )
    vector = design.contrast(np.array([0.0, 1.0]))
    fits = {"RT": linear.ContrastFit(linear.fit_weighted(values, design), vector, None)}
    contrast = Contrast(
        "RT", "change", "RT", None, "paired", ((("RT", "post"), 1.0),), "pre", "post"
    )
    rises = pd.DataFrame(
        {"gene_id": signs["gene"], "log2FoldChange": [0.1, -0.1, *[0.1] * (len(signs) - 2)]}
    )
    row = signed_sets("F", [contrast], fits, genes, {}, {"RT": rises}, 0.05).iloc[0]
    assert row[["rise", "fall"]].tolist() == [row["genes"] - 1, 1]
    expected = _table("signed_set.tsv").iloc[0]
    assert row["genes"] == expected["NGenes"]
    words = {"Up": "with_more", "Down": "with_less"}
    assert row["direction"] == words[expected["Direction"]]
    assert row["fry_pvalue"] == pytest.approx(expected["PValue"], rel=1e-4)


def test_levels_as_logarithms_or_as_they_are_give_the_same(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    linear_obs = obs.assign(level=[repr(2.0 ** float(v)) for v in obs["level"]])
    lines = [
        serum_model(counts, o, SETTINGS, level_pairs(o, SETTINGS, "level", scale), _never(counts))
        for o, scale in ((obs, "log2"), (linear_obs, "linear"))
    ]
    np.testing.assert_allclose(lines[0].table, lines[1].table, rtol=1e-9)


def test_exchanging_before_and_after_leaves_the_slope(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    mirrored = SETTINGS | {"before": "post", "after": "pre"}
    lines = [
        serum_model(counts, obs, s, level_pairs(obs, s, "level", "log2"), _never(counts))
        for s in (SETTINGS, mirrored)
    ]
    assert len(lines[0].table) > 200
    np.testing.assert_allclose(lines[0].table, lines[1].table, rtol=1e-6)


def test_names_and_order_of_donors_change_nothing(obs: pd.DataFrame, counts: pd.DataFrame) -> None:
    names = {d: f"P{i * 7 % 11}" for i, d in enumerate(sorted(set(obs["donor"])))}
    renamed = obs.assign(donor=obs["donor"].map(names)).iloc[::-1]
    lines = [
        serum_model(
            counts.loc[o.index],
            o,
            SETTINGS,
            level_pairs(o, SETTINGS, "level", "log2"),
            _never(counts),
        )
        for o in (obs, renamed)
    ]
    assert len(set(names.values())) == len(names)
    np.testing.assert_allclose(lines[0].table, lines[1].table, rtol=1e-9)


def test_a_missing_or_zero_level_takes_that_pair_out_of_the_serum_model_alone(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    changed = obs.copy()
    donors = sorted(set(obs["donor"]))[:2]
    for donor, cell in zip(donors, ("", "0"), strict=True):
        changed.loc[(obs["donor"] == donor) & (obs["time"] == "post"), "level"] = cell
    pairs = level_pairs(changed, SETTINGS, "level", "linear")
    line = serum_model(counts, changed, SETTINGS, pairs, _never(counts))
    out = line.pairs.set_index("donor")
    assert line.unavailable == ""
    assert list(out.index[~out["used"]]) == donors
    assert out.loc[donors[0], "reason"] == "the level after (post) is missing"
    assert (
        out.loc[donors[1], "reason"]
        == "the level after (post) is 0; a logarithm needs a positive value"
    )
    rest = changed[~changed["donor"].isin(donors)]
    alone = serum_model(
        counts.loc[rest.index],
        rest,
        SETTINGS,
        level_pairs(rest, SETTINGS, "level", "linear"),
        _never(counts),
    )
    pd.testing.assert_frame_equal(line.table, alone.table)


def test_a_donor_without_a_pair_has_a_row(obs: pd.DataFrame) -> None:
    first = sorted(set(obs["donor"]))[0]
    rest = obs[(obs["donor"] != first) | (obs["time"] == "pre")]
    row = level_pairs(rest, SETTINGS, "level", "log2").set_index("donor").loc[first]
    assert not row["used"]
    assert row["reason"] == "there is no sample after (post)"
    assert np.isnan(row["change_log2"])


@pytest.mark.parametrize("levels", [{"pre": "9", "post": "9"}, {"pre": "9", "post": "8.25"}])
def test_a_constant_level_makes_the_serum_line_unavailable(
    obs: pd.DataFrame, counts: pd.DataFrame, levels: dict[str, str]
) -> None:
    constant = obs.assign(level=obs["time"].map(levels))
    pairs = level_pairs(constant, SETTINGS, "level", "log2")
    line = serum_model(counts, constant, SETTINGS, pairs, _never(counts))
    assert line.table.empty
    assert "changes by the same" in line.unavailable
    assert not line.pairs["used"].any()
    assert line.pairs["reason"].str.contains("serum evidence unavailable").all()
    change = level_change(pairs, contrasts_of(["AT"], "pre", "post")[0], crossover=False)
    assert change.estimate == pytest.approx(float(levels["post"]) - 9)
    assert change.sign == 0


def test_too_few_pairs_make_the_serum_line_unavailable(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    donors = [*sorted(set(obs.loc[obs["group"] == "AT", "donor"]))[:2]]
    few = obs[obs["donor"].isin(donors)]
    pairs = level_pairs(few, SETTINGS, "level", "log2")
    line = serum_model(counts.loc[few.index], few, SETTINGS, pairs, _never(counts))
    assert "no residual degree of freedom" in line.unavailable
    assert list(line.table.columns) == ["serum_slope", "ci_low", "ci_high", "serum_pvalue"]


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=12), st.floats(-3, 3))
def test_the_change_is_a_t_test(values: list[float], shift: float) -> None:
    found = mean_change([v + shift for v in values])
    if np.isnan(found.pvalue):
        assert np.ptp(values) < 1e-7
        return
    expected = stats.ttest_1samp(np.array(values) + shift, 0)
    interval = expected.confidence_interval(0.95)
    assert found.pvalue == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert found.ci_low == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    mirrored = mean_change([-v - shift for v in values])
    assert mirrored.ci_high == pytest.approx(-found.ci_low, rel=1e-9, abs=1e-12)


def test_a_difference_needs_two_donors_a_group() -> None:
    one = difference_of_changes([0.2], [0.1, 0.5, 0.4])
    none = difference_of_changes([], [0.1, 0.5])
    assert np.isnan([one.ci_low, one.pvalue]).all()
    assert one.estimate == pytest.approx(0.2 - 1 / 3)
    assert none.donors == 2
    assert np.isnan(none.estimate)


def test_in_a_crossover_the_difference_is_within_donors() -> None:
    rng = np.random.default_rng(5)
    own, other = rng.normal(size=6), rng.normal(size=6)
    rows = [
        {"donor": f"D{i}", "group": group, "change_log2": value}
        for group, values in (("RT", own), ("AT", other))
        for i, value in enumerate(values)
    ]
    contrast = contrasts_of(["AT", "RT"], "pre", "post")[2]
    change = level_change(pd.DataFrame(rows), contrast, crossover=True)
    assert change.donors == 6
    assert change.pvalue == pytest.approx(stats.ttest_rel(own, other).pvalue)


def test_stimulation_takes_the_larger_p_value_and_none_where_signs_differ() -> None:
    table = pd.DataFrame(
        {
            "gene_id": ["a", "b", "c", "d"],
            "symbol": ["A", "B", "C", "D"],
            "log2FoldChange": [1.0, -1.0, 1.0, 2.0],
            "pvalue": [1e-4, 0.02, 1e-5, 1e-3],
            "second_log2FoldChange": [0.9, -0.8, -0.1, np.nan],
            "second_pvalue": [1e-3, 0.01, 0.9, np.nan],
        }
    )
    found = stimulation_scores(table)
    np.testing.assert_allclose(found["stimulation_pvalue"], [1e-3, 0.02, 1.0, np.nan])
    assert list(np.sign(found["z"].iloc[:3])) == [1.0, -1.0, 0.0]


def test_the_stimulation_design_eliminates_blocks_and_leaves_others_out() -> None:
    sheet = pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(8)],
            "treatment": ["ccl28", "vehicle"] * 3 + ["cxcl4", "vehicle"],
            "culture": ["1", "1", "2", "2", "3", "3", "4", "3"],
        }
    )
    arm = {
        "samples": "arm.tsv",
        "column": "treatment",
        "control": "vehicle",
        "treated": "ccl28",
        "block": "culture",
    }
    design = stimulation_design(sheet, arm)
    assert list(design.matrix.columns) == ["donor[1]", "donor[2]", "donor[3]", "treated"]
    assert list(design.samples) == ["s0", "s1", "s2", "s3", "s4", "s5", "s7"]
    assert list(design.dense["treated"]) == [1, 0, 1, 0, 1, 0, 0]
    assert design.blocks.tolist() == ["1", "1", "2", "2", "3", "3", "3"]
    alone = stimulation_design(sheet, arm | {"block": None})
    assert list(alone.matrix.columns) == ["donor[all]", "treated"]


@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_the_unit_of_the_level_changes_slopes_and_no_p_value(
    obs: pd.DataFrame, counts: pd.DataFrame, factor: float
) -> None:
    scaled = obs.assign(level=[repr(factor * float(v)) for v in obs["level"]])
    lines = [
        serum_model(counts, o, SETTINGS, level_pairs(o, SETTINGS, "level", "log2"), _never(counts))
        for o in (obs, scaled)
    ]
    first, second = (line.table for line in lines)
    np.testing.assert_allclose(second["serum_slope"] * factor, first["serum_slope"], rtol=1e-6)
    np.testing.assert_allclose(second["serum_pvalue"], first["serum_pvalue"], rtol=1e-6)


def test_each_step_of_the_serum_evidence_only_raises_p_values(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    def pvalues(steps: SlopeSteps) -> np.ndarray:
        pairs = level_pairs(obs, SETTINGS, "level", "log2")
        line = serum_model(counts, obs, SETTINGS, pairs, _never(counts), steps=steps)
        return line.table["serum_pvalue"].to_numpy()

    for group_wise in (False, True):
        plain = pvalues(SlopeSteps(group_wise, False, np.inf))
        ratio = pvalues(SlopeSteps(group_wise, True, np.inf))
        every = pvalues(SlopeSteps(group_wise, True, 0.0))
        assert (ratio >= plain * (1 - 1e-12)).all()
        assert (every >= ratio * (1 - 1e-12)).all()
        assert (every > ratio).mean() > 0.2


def test_pairs_have_their_leverage_and_relative_variance(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    first = sorted(set(obs["donor"]))[0]
    changed = obs.copy()
    changed.loc[(obs["donor"] == first) & (obs["time"] == "post"), "level"] = ""
    pairs = level_pairs(changed, SETTINGS, "level", "log2")
    out = serum_model(counts, changed, SETTINGS, pairs, _never(counts)).pairs.set_index("donor")
    assert out.loc[first, ["leverage", "relative_variance"]].isna().all()
    rest = out.drop(first)
    # one coefficient a group, and the slope
    assert rest["leverage"].sum() == pytest.approx(3)
    assert (rest["relative_variance"] >= 0).all()
    assert rest["relative_variance"].mean() == pytest.approx(1, abs=0.5)


def test_a_slope_that_rests_on_one_pair_is_withheld_and_names_it(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    donor = sorted(set(obs["donor"]))[2]
    alone = obs.assign(level=obs["time"].map({"pre": "9", "post": "8.5"}))
    alone.loc[(obs["donor"] == donor) & (obs["time"] == "post"), "level"] = "12"
    pairs = level_pairs(alone, SETTINGS, "level", "log2")
    line = serum_model(counts, alone, SETTINGS, pairs, _never(counts))
    assert line.table.empty
    assert line.unavailable.startswith(f"the slope depends on a single pair ({donor})")
    assert not line.pairs["used"].any()
