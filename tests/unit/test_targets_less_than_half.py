"""The test that one group's change is less than half as large as another's."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import paired_model
from fibroserum.de.settings import FitSettings
from fibroserum.linear import Expression, contrast_fits
from fibroserum.targets.less_than_half import (
    Combination,
    in_linear_model,
    in_main_model,
    in_one_fit,
    less_than_half_pvalue,
)
from helpers.target_cohorts import Planted, draw, flagged, sheet_of

PAIRS = {"AT": 6, "RT": 7}


def test_two_one_sided_tests_by_hand() -> None:
    other, this, se, df = (
        np.array([0.1, -0.1, 0.4, -0.6]),
        np.array([1.0, -1.0, 1.0, 1.0]),
        0.2,
        9.0,
    )

    def combine(weight: float) -> Combination:
        return Combination(other + weight * this, np.full(4, se), np.full(4, df))

    # distances to the nearer bound, in standard errors: a change beyond half has a negative one
    nearest = np.array([0.4, 0.4, 0.1, -0.1]) / se
    np.testing.assert_allclose(less_than_half_pvalue(combine), stats.t.sf(nearest, df))


def test_no_change_has_no_half() -> None:
    nothing = Combination(np.zeros(1), np.ones(1), np.full(1, np.inf))
    assert less_than_half_pvalue(lambda _: nothing) == 1.0


def test_the_linear_model_agrees_with_changes_by_hand() -> None:
    sheet = sheet_of(PAIRS).set_index("sample")
    contrasts = contrasts_of(["AT", "RT"], "pre", "post")
    model = paired_model(sheet, ["AT", "RT"], "post", contrasts, crossover=False)
    rng = np.random.default_rng(4)
    genes = [f"G{n}" for n in range(300)]
    # one variance for all genes: the moderated variance is nearly the genes' mean
    values = pd.DataFrame(rng.normal(size=(len(sheet), 300)), index=sheet.index, columns=genes)
    after = (sheet["time"] == "post").to_numpy(float) * (sheet["group"] == "RT").to_numpy(float)
    values += 3.0 * after[:, None]
    whole = Expression(values.index, values.columns, values.to_numpy(), None)
    combine = in_linear_model(whole, model, *contrasts[:2])
    pre, post = (sheet.index[sheet["time"] == time] for time in ("pre", "post"))
    change = values.loc[post].to_numpy() - values.loc[pre].to_numpy()
    of_pair = sheet.loc[post, "group"].to_numpy()
    mean = {group: change[of_pair == group].mean(axis=0) for group in PAIRS}
    shared = in_one_fit(contrast_fits(whole, model), *contrasts[:2])
    assert shared is not None
    for weight in (0.5, -0.5):
        found = combine(weight)
        for one, other in zip(astuple(found), astuple(shared(weight)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
        np.testing.assert_allclose(found.estimate, mean["AT"] + weight * mean["RT"], atol=1e-12)
        # a difference of two values of variance 1 has variance 2
        expected = np.sqrt(2 / PAIRS["AT"] + weight**2 * 2 / PAIRS["RT"])
        assert np.median(found.se) == pytest.approx(expected, rel=0.1)
    pvalues = less_than_half_pvalue(combine)
    # the other does not change, this one by 3, and a standard error is 0.6
    assert 0.5 < np.mean(pvalues < 0.05) < 1


def test_the_main_model_gives_the_covariance_by_three_errors() -> None:
    # parallel groups: the changes are independent
    tables = [
        pd.DataFrame({"log2FoldChange": [value], "lfcSE": [se]})
        for value, se in ((0.2, 0.3), (1.0, 0.4), (-0.8, 0.5))
    ]
    combine = in_main_model(*tables)
    for weight in (0.5, -0.5):
        assert combine(weight).estimate == pytest.approx(0.2 + weight)
        assert combine(weight).se == pytest.approx(np.hypot(0.3, 0.2))
    # changes of one donor that go together: sqrt(.3² + .4² - 2 × .06) is the difference's error
    tables[2]["lfcSE"] = np.sqrt(0.13)
    assert in_main_model(*tables)(-0.5).se == pytest.approx(np.sqrt(0.09 + 0.04 - 0.06))


@pytest.mark.parametrize("second", ["voom", "none"])
@pytest.mark.parametrize("crossover", [False, True])
def test_from_counts_to_the_pattern(second: str, crossover: bool) -> None:
    targets = {
        "ALONE": Planted(mean=2000.0, change={"RT": 1.2}),
        "LESS": Planted(mean=2000.0, change={"RT": 1.8, "AT": 1.2}),
        "FALLS": Planted(mean=2000.0, change={"RT": -1.2}),
    }
    drawn = draw(targets, {"AT": 8, "RT": 8}, crossover=crossover)
    settings = FitSettings(second_opinion=second)
    found = flagged(drawn, list(targets), settings=settings, crossover=crossover)
    rows = found.patterns.set_index("target")
    assert rows.loc[["ALONE", "FALLS"], "pattern"].tolist() == ["specific", "specific"]
    assert rows.loc[["ALONE", "FALLS"], "specific_to"].tolist() == ["RT", "RT"]
    assert (rows.loc[["ALONE", "FALLS"], "less_than_half_pvalue"] < 0.01).all()
    assert rows.loc["LESS", "pattern"] == "both"
    assert rows.loc["LESS", "less_than_half_pvalue"] > 0.5


def test_a_change_of_just_half_passes_in_five_of_a_hundred() -> None:
    # donors of AT vary twice as much: one variance for both groups would give .085
    sheet = sheet_of({"AT": 8, "RT": 8}).set_index("sample")
    contrasts = contrasts_of(["AT", "RT"], "pre", "post")
    model = paired_model(sheet, ["AT", "RT"], "post", contrasts, crossover=False)
    rng = np.random.default_rng(6)
    genes = 4000
    after = (sheet["time"] == "post").to_numpy()
    wide = (sheet["group"] == "AT").to_numpy()
    effect = rng.choice([-4.0, 4.0], genes)
    values = rng.normal(size=(len(sheet), genes)) * np.where(wide, 1.0, 0.5)[:, None]
    # half of the genes at the bound, the others without a change in AT
    share = np.where(np.arange(genes) < genes // 2, 0.5, 0.0)
    values += after[:, None] * np.where(wide[:, None], share * effect, effect)
    names = pd.Index([f"G{n}" for n in range(genes)])
    whole = Expression(sheet.index, names, values, None)
    pvalues = less_than_half_pvalue(in_linear_model(whole, model, *contrasts[:2]))
    at_bound, absent = pvalues[share > 0] < 0.05, pvalues[share == 0] < 0.05
    assert at_bound.mean() == pytest.approx(0.05, abs=0.015)
    assert absent.mean() > 0.9
