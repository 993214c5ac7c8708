"""Weights of pairs and of hypotheses: against limma and IHW, and what must hold always."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.chain import STEPS, run_chain
from calibration.simulator import Dials, simulate
from fibroserum import linear
from fibroserum.cohort.models import Model, models_of
from fibroserum.de.evidence import other_evidence
from fibroserum.de.hypothesis_weights import COVARIATE, UNIFORM, hypothesis_weights
from fibroserum.de.second_model import quality_weights, second_model, with_quality
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table, unweighted_calls
from fibroserum.linear import Expression
from fibroserum.linear.quality import array_weights
from fibroserum.multiple_testing import benjamini_hochberg, weighted_benjamini_hochberg
from fibroserum.qc.pair_quality import pair_quality, sample_weights
from helpers.target_cohorts import Planted, draw, flagged

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "weights"


def _changes() -> np.ndarray:
    return pd.read_csv(GOLDEN / "changes.tsv", sep="\t", index_col=0, header=None).to_numpy()


def _sheet(pairs: dict[str, int]) -> pd.DataFrame:
    rows = [
        (f"{group}{n}_{time}", f"{group}{n}", group, time)
        for group, number in pairs.items()
        for n in range(number)
        for time in ("pre", "post")
    ]
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "time"]).set_index("sample")
    return sheet.assign(used_for="change")


def _model(sheet: pd.DataFrame, **more: object) -> Model:
    noted: dict[str, object] = {"before": "pre", "after": "post", "crossover": False}
    noted |= {"groups": list(dict.fromkeys(sheet["group"])), "covariates": []} | more
    return next(model for model in models_of(sheet, noted) if model.name == "paired")


def _values(sheet: pd.DataFrame, genes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(sheet), genes))


def test_pair_weights_are_limmas_array_weights_about_zero() -> None:
    expected = pd.read_csv(GOLDEN / "quality.tsv", sep="\t")["about_zero"]
    np.testing.assert_allclose(array_weights(_changes()), expected, rtol=2e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=8, max_size=8), st.integers(0, 10**6))
def test_pair_weights_do_not_depend_on_which_sample_is_before(flip: list[bool], seed: int) -> None:
    changes = _changes()
    weights = array_weights(changes)
    assert np.exp(np.log(weights).mean()) == pytest.approx(1.0)
    turned = np.where(np.array(flip)[:, None], -changes, changes)
    np.testing.assert_array_equal(array_weights(turned), weights)
    bounded = linear.pair_weights(changes)
    np.testing.assert_array_equal(linear.pair_weights(-changes), bounded)
    assert bounded.argmin() == 5
    assert (np.delete(bounded, 5) == 1.0).all()
    rng = np.random.default_rng(seed)
    order, genes = rng.permutation(8), rng.permutation(changes.shape[1])
    shuffled = linear.pair_weights(changes[order][:, genes])
    np.testing.assert_allclose(shuffled, bounded[order], atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 100), (1, 100), (8, 1), (0, 50), (7, 0)])
def test_too_few_pairs_or_genes_count_alike(shape: tuple[int, int]) -> None:
    changes = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_array_equal(linear.pair_weights(changes), np.ones(shape[0]))


def test_a_poor_pair_counts_less_and_leaves_the_other_group_alone() -> None:
    sheet = _sheet({"AT": 6, "RT": 7})
    values = _values(sheet, 400, 3)
    values[sheet.index.get_loc("RT2_post")] += 4 * np.random.default_rng(4).normal(size=400)
    genes = pd.Index([f"g{n}" for n in range(400)])
    model = _model(sheet)
    weights = quality_weights(Expression(sheet.index, genes, values, None), model)
    assert weights["RT2_post"] == weights["RT2_pre"] < 0.3
    assert (weights[sheet["group"] == "AT"] == 1.0).all()
    # in the group with the poor pair the estimate is the weighted mean of the changes
    expression = Expression(sheet.index, genes, values, None, weights.to_numpy())
    own = linear.contrast_fits(expression, model)["RT_post_vs_pre"]
    change = values[1::2] - values[::2]
    in_rt = (sheet["group"].to_numpy() == "RT")[::2]
    mean = np.average(change[in_rt], axis=0, weights=weights.to_numpy()[::2][in_rt])
    np.testing.assert_allclose(linear.estimates(own.fit, own.vector)[0], mean)
    alike = with_quality(expression, pd.DataFrame({"quality_weight": 1.0}, sheet.index))
    assert alike.quality is None


def test_a_pair_that_responds_more_is_not_poor() -> None:
    rng = np.random.default_rng(5)
    changes = rng.normal(size=(8, 500))
    respond = np.array([1.0] * 7 + [3.0])[:, None]
    changes[:, :200] += respond * rng.choice([-4.0, 4.0], 200)
    assert (linear.pair_weights(changes) == 1.0).all()
    assert array_weights(changes).argmin() == 7


def test_weighted_adjustment_is_ihws() -> None:
    known = pd.read_csv(GOLDEN / "ihw.tsv.gz", sep="\t")
    weighted = weighted_benjamini_hochberg(known["pvalue"], known["weight"].clip(lower=1e-300))
    expected = np.maximum(known["adjusted"], known["pvalue"])
    np.testing.assert_allclose(weighted, expected, rtol=1e-7)
    np.testing.assert_array_equal(
        weighted_benjamini_hochberg(known["pvalue"], np.ones(len(known))),
        benjamini_hochberg(known["pvalue"]),
    )


def _tests(seed: int, *, informative: bool, size: int = 4000) -> tuple[pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    covariate = rng.normal(size=size)
    share = 0.3 * (covariate > 1) if informative else np.full(size, 0.05)
    changed = rng.random(size) < share
    pvalue = np.where(changed, rng.beta(0.1, 1, size), rng.random(size))
    names = [f"g{n:05d}" for n in range(size)]
    return pd.Series(pvalue, names), pd.Series(covariate, names)


def test_weights_have_mean_one_follow_the_covariate_and_never_vanish() -> None:
    pvalue, covariate = _tests(1, informative=True)
    pvalue.iloc[:7], covariate.iloc[7:12] = np.nan, np.nan
    weights = hypothesis_weights(pvalue, covariate, 0.05)
    known = pvalue.notna() & covariate.notna()
    assert weights[known].mean() == pytest.approx(1.0)
    assert (weights[~known] == 1.0).all()
    assert weights.min() >= UNIFORM
    assert weights[covariate > 1].mean() > 3 > 1 > weights[covariate < 0].mean()
    order = np.random.default_rng(2).permutation(len(pvalue))
    shuffled = hypothesis_weights(pvalue.iloc[order], covariate.iloc[order], 0.05)
    pd.testing.assert_series_equal(shuffled.reindex(pvalue.index), weights)


def test_a_genes_own_p_value_has_no_part_in_its_weight() -> None:
    pvalue, covariate = _tests(3, informative=True)
    weights = hypothesis_weights(pvalue, covariate, 0.05)
    for gene in pvalue.index[[0, 100, 2000]]:
        moved = hypothesis_weights(pvalue.where(pvalue.index != gene, 1e-12), covariate, 0.05)
        assert moved[gene] == weights[gene]
        assert not moved.equals(weights)


def test_a_covariate_without_information_costs_little() -> None:
    lost = []
    for seed in range(10):
        pvalue, covariate = _tests(10 + seed, informative=False)
        weighted = weighted_benjamini_hochberg(pvalue, hypothesis_weights(pvalue, covariate, 0.05))
        plain = (benjamini_hochberg(pvalue) < 0.05).sum()
        lost.append(1 - (weighted < 0.05).sum() / plain)
    assert np.mean(lost) < 0.05


def test_few_tests_have_equal_weights() -> None:
    pvalue, covariate = _tests(5, informative=True, size=40)
    assert (hypothesis_weights(pvalue, covariate, 0.05) == 1.0).all()


@pytest.mark.parametrize("spread_of_variances", [0.0, 0.5])
def test_evidence_is_independent_of_its_contrast_where_nothing_changes(
    spread_of_variances: float,
) -> None:
    sheet = _sheet({"AT": 9, "RT": 12, "OT": 10})
    sheet["age"] = np.random.default_rng(6).normal(size=len(sheet))
    model = _model(sheet, covariates=["age"])
    values = _values(sheet, 40_000, 7)
    values *= np.exp(np.random.default_rng(8).normal(0, spread_of_variances, values.shape[1]))
    values[sheet["group"] == "RT"] *= 2
    genes = pd.Index([f"g{n}" for n in range(values.shape[1])])
    fits = linear.contrast_fits(Expression(sheet.index, genes, values, None), model)
    one = next(iter(fits.values()))
    spread = dict.fromkeys(fits, linear.group_variances(one.fit, one.groups))
    found = other_evidence(fits, model, spread)
    assert set(found) == set(fits) - {"average_post_vs_pre"}
    for name, evidence in found.items():
        test = linear.group_wise_t(fits[name].fit, fits[name].vector, spread[name])
        size = np.abs(evidence)
        # small p values are not more frequent where the evidence is large
        top = size >= np.quantile(size, 0.9)
        assert (test["pvalue"][top] < 0.01).mean() < 0.018, name
        assert (size**2).mean() < 2.2, name
    change = found["RT_post_vs_pre"]
    assert (change > 0).mean() == pytest.approx(0.5, abs=0.02)


def test_evidence_of_two_groups_is_the_other_change_and_the_weighted_mean() -> None:
    sheet = _sheet({"AT": 8, "RT": 8})
    model = _model(sheet)
    values = _values(sheet, 500, 8)
    genes = pd.Index([f"g{n}" for n in range(500)])
    fits = linear.contrast_fits(Expression(sheet.index, genes, values, None), model)
    one = next(iter(fits.values()))
    spread = linear.group_variances(one.fit, one.groups)
    found = other_evidence(fits, model, dict.fromkeys(fits, spread))
    change = {name: linear.estimates(own.fit, own.vector)[0] for name, own in fits.items()}
    at, rt = change["AT_post_vs_pre"], change["RT_post_vs_pre"]
    prior = spread.prior_of("AT").variance
    error = np.sqrt(np.maximum(prior, spread.variances[:, spread.groups.index("AT")]) / 8)
    np.testing.assert_allclose(found["RT_post_vs_pre"], np.sign(rt) * at / error)
    typical = {g: 1 / spread.prior_of(g).variance for g in spread.groups}
    mean = (at * typical["AT"] + rt * typical["RT"]) / (typical["AT"] + typical["RT"])
    bound = np.abs(mean) * np.sqrt(8 * (typical["AT"] + typical["RT"]))
    assert (found["RT_vs_AT_change"] <= bound * (1 + 1e-9)).all()
    assert np.corrcoef(found["RT_vs_AT_change"], bound)[0, 1] > 0.9
    few = _sheet({"AT": 7, "RT": 8})
    model = _model(few)
    values = Expression(few.index, genes, _values(few, 500, 9), None)
    fits = linear.contrast_fits(values, model)
    one = next(iter(fits.values()))
    spread = linear.group_variances(one.fit, one.groups)
    found = other_evidence(fits, model, dict.fromkeys(fits, spread))
    assert set(found) == {"AT_post_vs_pre", "RT_post_vs_pre"}


def test_weights_find_more_at_the_same_false_discovery_rate() -> None:
    sheet, genes = _sheet({"AT": 8, "RT": 9}), pd.Index([f"g{n}" for n in range(1200)])
    model, after = _model(sheet), (sheet["time"] == "post").to_numpy()
    rates: dict[str, list[tuple[float, ...]]] = {"plain": [], "weighted": []}
    for seed in range(16):
        rng = np.random.default_rng([12, seed])
        values = rng.normal(size=(len(sheet), 1200)) * np.exp(rng.normal(0, 0.4, 1200)) * 0.3
        truth = {group: np.zeros(1200) for group in ("AT", "RT")}
        signs = rng.choice([-0.8, 0.8], 100)
        truth["AT"][:60], truth["RT"][:40], truth["RT"][60:] = signs[:60], signs[:40], 0.0
        truth["RT"][60:100] = signs[60:]
        for group, change in truth.items():
            values[(sheet["group"] == group).to_numpy() & after] += change
        second = second_model(Expression(sheet.index, genes, values, None), model, FitSettings())
        table, true = second.tables["RT_vs_AT_change"], truth["RT"] - truth["AT"]
        pvalue = table["second_pvalue"]
        weights = hypothesis_weights(pvalue, table[COVARIATE], 0.05)
        for name, adjusted in (
            ("plain", benjamini_hochberg(pvalue)),
            ("weighted", weighted_benjamini_hochberg(pvalue, weights)),
        ):
            called = adjusted < 0.05
            right = called & (np.sign(table["second_log2FoldChange"]) * true > 0)
            false = (called.sum() - right.sum()) / max(called.sum(), 1)
            rates[name].append((false, right.sum() / (true != 0).sum()))
    (false, power), (own_false, own_power) = (np.mean(rates[n], axis=0) for n in rates)
    error = np.std([row[0] for row in rates["weighted"]]) / 4
    assert own_false < 0.05 + 2 * error
    assert own_false < false + 0.03
    assert own_power > power + 0.1


@pytest.mark.parametrize("kind", ["one group", "crossover", "block"])
def test_no_evidence_where_no_other_donors_have_any(kind: str) -> None:
    sheet = _sheet({"AT": 6} if kind == "one group" else {"AT": 6, "RT": 6})
    more: dict[str, object] = {}
    if kind == "crossover":
        sheet["donor"] = sheet["donor"].str[2:]
        more["crossover"] = True
    if kind == "block":
        sheet["plate"] = [f"P{n // 4}" for n in range(len(sheet))]
        more["block"] = "plate"
    model = _model(sheet, **more)
    values = _values(sheet, 60, 9)
    expression = Expression(sheet.index, pd.RangeIndex(60).astype(str), values, None)
    fits = linear.contrast_fits(expression, model)
    spread = {n: linear.group_variances(f.fit, f.groups) for n, f in fits.items()}
    assert other_evidence(fits, model, spread) == {}


def test_calls_rest_on_weights_and_everything_else_does_not() -> None:
    drawn = simulate(Dials({"AT": 8, "RT": 8}, genes=900, shared=0.15), 4)
    run = run_chain(drawn.counts, drawn.sheet, frozenset(STEPS))
    fit, symbols, weighted = run.fits["paired"], run.cohort.var["symbol"], []
    for name in ("RT_post_vs_pre", "RT_vs_AT_change"):
        table = result_table(fit, name, symbols, 0.05)
        plain = result_table(fit, name, symbols, 0.05, weighted=False)
        same = table.columns.difference(["weight", "weighted_padj", "second_weighted_padj", "call"])
        pd.testing.assert_frame_equal(table[same], plain[same])
        assert (plain["weight"] == 1.0).all()
        np.testing.assert_array_equal(plain["weighted_padj"], plain["padj"])
        np.testing.assert_array_equal(plain["second_weighted_padj"], plain["second_padj"])
        assert (unweighted_calls(table, 0.05) == plain["call"]).all()
        weighted.append(table["weight"].nunique() > 5)
        called = table[table["call"] != "none"]
        assert (called[["pvalue", "second_pvalue"]] < 0.05).all().all()
        assert (called[["weighted_padj", "second_weighted_padj"]] < 0.05).all().all()
        assert (table["second_weighted_padj"].isna() == table["second_padj"].isna()).all()
        assert (table["weighted_padj"].isna() == table["padj"].isna()).all()
    assert any(weighted)
    assert fit.varm["RT_post_vs_pre"][COVARIATE].notna().any()


def test_a_poor_pair_is_named_and_weighs_less_in_every_run() -> None:
    drawn = simulate(Dials({"AT": 6, "RT": 6}, genes=600, poor=1), 5)
    run = run_chain(drawn.counts, drawn.sheet, frozenset(STEPS))
    checks = list(pair_quality(run.cohort, run.fits))
    assert [(check.level, check.subject) for check in checks] == [("warning", "AT000")]
    assert "the changes of this pair vary" in checks[0].message
    assert "flags/target_loo.tsv" in checks[0].advice
    weights = sample_weights(run.cohort, run.fits)
    assert weights[["AT_AT000_pre", "AT_AT000_post"]].lt(0.5).all()
    assert weights.drop(["AT_AT000_pre", "AT_AT000_post"]).gt(0.5).all()
    without = run_chain(drawn.counts, drawn.sheet, frozenset(STEPS) - {"quality"})
    assert (without.fits["paired"].obs["quality_weight"] == 1.0).all()
    assert [check.level for check in pair_quality(run.cohort, without.fits)] == ["ok"]


def test_each_verdict_has_its_answer_without_the_poorest_pair() -> None:
    drawn = draw({"T": Planted(change={"RT": 0.9})}, {"AT": 5, "RT": 6}, seed=3)
    drawn.counts.loc["RT02_RT_post"] = np.random.default_rng(6).permutation(
        drawn.counts.loc["RT02_RT_post"].to_numpy()
    )
    flags = flagged(drawn, ["T", "G001"])
    of_rt = flags.targets[flags.targets["contrast"] == "RT_post_vs_pre"]
    assert (of_rt["poorest_donor"] == "RT02").all()
    kept = flags.loo.set_index(["target", "contrast", "left_out"])["verdict"]
    for row in flags.targets.dropna(subset=["poorest_donor"]).itertuples():
        assert row.verdict_without_poorest == kept[row.target, row.contrast, row.poorest_donor]
    levels = flags.targets[flags.targets["contrast"] == "RT_vs_AT_pre"]
    assert levels["poorest_donor"].isna().all()
