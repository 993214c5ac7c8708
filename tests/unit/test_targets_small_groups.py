"""Verdicts from two or three pairs, from both models without a donor, and unequal spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import models_of
from fibroserum.cohort.size_factors import size_factors
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings, SecondOpinion
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.linear import UNEQUAL
from fibroserum.targets import leave_one_out_second
from fibroserum.targets.leave_one_out_second import second_without_each
from fibroserum.targets.sentences import unequal_variance_caveat
from fibroserum.targets.study import TargetTables
from fibroserum.targets.verdict import Evidence, Rule, driven_by_outlier, judge
from helpers.target_cohorts import Drawn, Planted, draw, flagged

CALLED = Evidence("tested", 0.5, 0.1, 0.3, 0.7, 0.001, 0.5, 0.01)
CHANGE = contrasts_of(["RT"], "pre", "post")[0]


def _significant(de: dict[str, pd.DataFrame]) -> None:
    """What so few pairs hardly give: both models sure, so that the rule on donors decides."""
    for table in de.values():
        own = table["gene_id"] == "T"
        table.loc[own, ["pvalue", "padj", "second_pvalue", "second_padj"]] = 1e-6
        estimate = table.loc[own, "log2FoldChange"]
        table.loc[own, "second_log2FoldChange"] = estimate
        table.loc[own, ["ci_low", "ci_high"]] = np.outer(estimate, [0.5, 1.5])


def _flag(donors: dict[str, int], **samples: float) -> TargetTables:
    spiked = {f"{donor}_{donor[:2]}_post": size for donor, size in samples.items()}
    drawn = draw({"T": Planted(mean=5000.0, samples=spiked)}, donors, seed=11)
    return flagged(drawn, ["T"], de_edit=_significant, reference=next(iter(donors)))


def _row(found: TargetTables, contrast: str) -> pd.Series:
    return found.targets.set_index("contrast").loc[contrast]


@pytest.mark.parametrize("donors", [{"AT": 6, "RT": 3}, {"RT": 3}, {"AT": 6, "RT": 2}, {"RT": 2}])
def test_a_small_group_whose_finding_one_donor_makes_is_held_back(donors: dict[str, int]) -> None:
    found = _flag(donors, RT02=4.0)
    for contrast in ("RT_post_vs_pre", "RT_vs_AT_change"):
        if contrast in set(found.targets["contrast"]):
            row = _row(found, contrast)
            assert (row["panel_padj"], row["second_panel_padj"]) == (1e-6, 1e-6)
            assert row["verdict"] == "inconclusive"
            assert f"{donors['RT']} pairs in RT are too few to detect an outlier" in row["reason"]
            assert (
                "depends on a single donor, RT02. Without this donor the estimate is"
                in row["reason"]
            )
    if "AT" in donors:
        # six pairs are watched by the outlier rule, not by this one
        assert "no outlier can be told" not in _row(found, "AT_post_vs_pre")["reason"]


@pytest.mark.parametrize("donors", [{"AT": 6, "RT": 3}, {"RT": 3}, {"AT": 6, "RT": 2}, {"RT": 2}])
def test_a_small_group_that_agrees_keeps_its_verdict(donors: dict[str, int]) -> None:
    found = _flag(donors, **{f"RT{n:02d}": 2.0 for n in range(1, donors["RT"] + 1)})
    assert _row(found, "RT_post_vs_pre")["verdict"] == "up"


@pytest.mark.parametrize(("second", "word"), [(0.3, "inconclusive"), (1.2, "up")])
def test_of_two_pairs_the_smaller_change_is_a_third_of_the_larger(second: float, word: str) -> None:
    """2.0 beside 0.3, and beside 1.2: in a group alone, where no refit is possible."""
    found = _flag({"RT": 2}, RT01=2.0, RT02=second)
    assert found.loo["log2FoldChange"].isna().all()
    assert _row(found, "RT_post_vs_pre")["verdict"] == word


def test_two_pairs_of_opposite_signs_are_held_back() -> None:
    row = _row(_flag({"AT": 5, "RT": 2}, RT01=3.0, RT02=-1.0), "RT_post_vs_pre")
    assert row["verdict"] == "inconclusive"
    assert "single donor, RT01." in row["reason"]


def test_a_baseline_of_two_donors_is_held_back_likewise() -> None:
    spiked = {"RT01_RT_pre": 4.0, "RT01_RT_post": 4.0}
    drawn = draw({"T": Planted(mean=5000.0, samples=spiked)}, {"AT": 6, "RT": 2}, seed=11)
    row = _row(flagged(drawn, ["T"], de_edit=_significant), "RT_vs_AT_pre")
    assert row["verdict"] == "inconclusive"
    assert "2 donors in RT are too few" in row["reason"]


def test_a_verdict_whose_second_estimate_turns_driven_by_outlier() -> None:
    held = replace(
        CALLED,
        outlier="D1",
        estimate_without=0.4,
        se_without=0.1,
        panel_padj_without=0.004,
        second_estimate_without=0.3,
    )
    assert not driven_by_outlier(held, Rule())
    turned = replace(held, second_estimate_without=-0.01)
    assert driven_by_outlier(turned, Rule())
    held_back = judge(turned, Rule())
    assert (held_back.word, held_back.driven_by_one_donor) == ("inconclusive", True)
    # what the second model could not tell decides nothing
    assert not driven_by_outlier(replace(held, second_estimate_without=np.nan), Rule())


@pytest.fixture(scope="module")
def small() -> Drawn:
    return draw({"T": Planted(change={"RT": 0.5})}, {"AT": 4, "RT": 5}, seed=2)


@pytest.mark.parametrize("second", ["limma_trend", "voom"])
def test_second_estimates_are_least_squares_without_the_donor(
    small: Drawn, second: SecondOpinion, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"groups": ["AT", "RT"], "before": "pre", "after": "post", "crossover": False}
    sheet = small.sheet.set_index("sample").assign(used_for="change")
    model = models_of(sheet, settings | {"covariates": []})[0]
    factors = pd.Series(size_factors(small.counts.to_numpy())[0], index=small.counts.index)
    never = pd.Series(False, index=small.counts.columns)
    fit = fit_model(small.counts, model, factors, never, FitSettings(second_opinion=second))
    contrast = contrasts_of(["AT", "RT"], "pre", "post")[2]
    donors = sorted(set(sheet["donor"]))
    index = pd.MultiIndex.from_tuples([(d, d[:2]) for d in donors], names=["donor", "group"])
    members = {contrast.name: pd.DataFrame(index=index)}
    found = second_without_each(fit, ["T"], never, [contrast], members, sheet["donor"])
    assert list(found["left_out"]) == donors
    whole = expression_of_calls(fit, never)
    place = whole.genes.get_loc("T")
    for row in found.itertuples():
        keep = (sheet["donor"] != row.left_out).to_numpy()
        columns = model.design.matrix.columns != f"donor[{row.left_out}]"
        weights = np.ones(len(keep)) if whole.weights is None else whole.weights[:, place]
        root = np.sqrt(weights[keep])
        design = model.design.matrix.loc[keep, columns].to_numpy() * root[:, None]
        beta = np.linalg.lstsq(design, whole.log2[keep, place] * root, rcond=None)[0]
        expected = model.contrasts[contrast.name][columns] @ beta
        assert row.second_log2FoldChange == pytest.approx(expected, rel=1e-8)
        assert row.second_lfcSE > 0
    monkeypatch.setattr(leave_one_out_second, "_rows_alone", lambda *_: {})
    refitted = second_without_each(fit, ["T"], never, [contrast], members, sheet["donor"])
    pd.testing.assert_frame_equal(found, refitted, rtol=1e-9)
    absent = second_without_each(fit, ["nowhere"], never, [contrast], members, sheet["donor"])
    assert absent.empty


def _unequal(drawn: Drawn, targets: list[str]) -> Drawn:
    """Return a cohort in which all genes but the targets vary more after serum of RT."""
    rng = np.random.default_rng(4)
    after = drawn.sheet["sample"].str.endswith("RT_post").to_numpy()
    scale = 2 ** rng.normal(0, 0.8, size=(int(after.sum()), drawn.counts.shape[1]))
    scale[:, drawn.counts.columns.get_indexer(targets)] = 1.0
    values = drawn.counts.to_numpy().astype(float)
    values[after] *= scale
    counts = pd.DataFrame(values.round(), drawn.counts.index, drawn.counts.columns)
    return Drawn(counts.astype(np.int64), drawn.sheet)


def _bound(estimate: float, se: float) -> float:
    """Return the end of the main model's 90 % interval that is farther from 0."""
    return abs(estimate) + 1.645 * se


def test_unequal_variance_widens_the_interval() -> None:
    drawn = draw({"T": Planted(mean=3000.0)}, {"AT": 8, "RT": 8}, seed=4)
    plain = flagged(drawn, ["T"], equivalence_lfc=0.3)
    found = flagged(_unequal(drawn, ["T"]), ["T"], equivalence_lfc=0.3)
    said = "Variability between donors is larger than the main model assumes"
    assert said not in " ".join(plain.targets["reason"])
    assert said in _row(found, "RT_post_vs_pre")["reason"]
    assert said not in _row(found, "AT_post_vs_pre")["reason"]
    for flags, widened in ((plain, False), (found, True)):
        row = _row(flags, "RT_post_vs_pre")
        wald = 2 * 1.96 * row["lfcSE"]
        assert (row["ci_high"] - row["ci_low"] > 1.2 * wald) == widened
        assert _bound(row["log2FoldChange"], row["lfcSE"]) < 0.25
        assert row["verdict"] == ("inconclusive" if widened else "no_change")
        assert pd.isna(row["outlier_donor"])


def test_the_caveat_follows_the_ratio() -> None:
    for ratio in (UNEQUAL, 0.5, float("nan")):
        assert unequal_variance_caveat(ratio) == ""
    assert "1.4 times as large" in unequal_variance_caveat(1.44)


def test_single_pairs_are_not_the_business_of_this_rule(small: Drawn) -> None:
    lonely = small.sheet[~small.sheet["donor"].isin(["RT02", "RT03", "RT04", "RT05"])]
    drawn = Drawn(small.counts.loc[lonely["sample"]], lonely.reset_index(drop=True))
    row = _row(flagged(drawn, ["T"], de_edit=_significant), "RT_post_vs_pre")
    assert row["verdict"] == "inconclusive"
    assert "no outlier can be told" not in row["reason"]
