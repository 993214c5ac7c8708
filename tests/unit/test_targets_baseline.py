"""Baseline comparison and ANCOVA against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from fibroserum.intervals import one_sample_t, welch_t
from fibroserum.targets.baseline import ancova, baseline_row


def levels(seed: int, donors: dict[str, int]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_tuples(
        [(f"D{n}", group) for group, count in donors.items() for n in range(count)],
        names=["donor", "group"],
    )
    before = rng.normal(8, 0.5, len(index))
    return pd.DataFrame(
        {"before": before, "after": 4 + 0.5 * before + rng.normal(0, 0.2, len(index))}, index=index
    )


def test_parallel_groups() -> None:
    table = levels(1, {"AT": 7, "RT": 9})
    row = baseline_row(table, "RT", "AT", crossover=False, randomised=True)
    a, r = table.xs("AT", level="group"), table.xs("RT", level="group")
    start = stats.ttest_ind(r["before"], a["before"], equal_var=False)
    low, high = start.confidence_interval(0.95)
    assert row["baseline_difference"] == pytest.approx(r["before"].mean() - a["before"].mean())
    assert (row["baseline_ci_low"], row["baseline_ci_high"]) == pytest.approx((low, high))
    assert row["baseline_pvalue"] == pytest.approx(start.pvalue)
    change = stats.ttest_ind(r["after"] - r["before"], a["after"] - a["before"], equal_var=False)
    assert row["change_difference_pvalue"] == pytest.approx(change.pvalue)
    frame = table.reset_index().assign(rt=lambda t: (t["group"] == "RT").astype(float))
    fit = ols("after ~ rt + before", frame).fit()
    assert row["ancova_difference"] == pytest.approx(fit.params["rt"])
    assert row["ancova_pvalue"] == pytest.approx(fit.pvalues["rt"])
    assert row["slope"] == pytest.approx(fit.params["before"])
    assert [row["ancova_ci_low"], row["ancova_ci_high"]] == pytest.approx(
        list(fit.conf_int().loc["rt"])
    )
    # what the note says of regression to the mean is an identity
    foretold = (row["slope"] - 1) * row["baseline_difference"]
    assert row["change_difference"] == pytest.approx(row["ancova_difference"] + foretold)
    assert "Groups were randomised" in row["note"]


def test_crossover_is_paired() -> None:
    table = levels(2, {"AT": 8, "RT": 8})
    row = baseline_row(table, "RT", "AT", crossover=True, randomised=True)
    step = table.xs("RT", level="group") - table.xs("AT", level="group")
    test = stats.ttest_1samp(step["before"], 0)
    assert row["baseline_difference"] == pytest.approx(step["before"].mean())
    assert row["baseline_pvalue"] == pytest.approx(test.pvalue)
    change = stats.ttest_rel(*(t["after"] - t["before"] for t in _both(table)))
    assert row["change_difference_pvalue"] == pytest.approx(change.pvalue)
    fit = ols("after ~ before", step).fit()
    assert row["ancova_difference"] == pytest.approx(fit.params["Intercept"])
    assert row["ancova_pvalue"] == pytest.approx(fit.pvalues["Intercept"])


def _both(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [table.xs(name, level="group") for name in ("RT", "AT")]


def test_without_randomisation_the_note_warns() -> None:
    row = baseline_row(levels(3, {"AT": 5, "RT": 5}), "RT", "AT", crossover=False, randomised=False)
    assert "Lord's paradox" in row["note"]


def test_too_few_donors_give_empty_fields() -> None:
    row = baseline_row(levels(3, {"AT": 1, "RT": 1}), "RT", "AT", crossover=False, randomised=True)
    assert np.isfinite(row["baseline_difference"])
    assert np.isnan([row["baseline_pvalue"], row["ancova_difference"], row["slope"]]).all()
    assert row["note"] == "There are too few pairs to adjust for the baseline."


def test_what_cannot_be_adjusted_says_why() -> None:
    table = levels(3, {"AT": 5, "RT": 6})
    for crossover in (False, True):
        given = {"crossover": crossover, "randomised": True}
        zero = baseline_row(table * 0 - 1, "RT", "AT", **given)
        assert str(zero["note"]).startswith("It has no counts in these pairs")
        flat = baseline_row(table.assign(before=7.0), "RT", "AT", **given)
        assert str(flat["note"]).startswith("Its baseline level does not vary within the groups")


def test_what_is_not_stated_is_not_claimed() -> None:
    table = levels(3, {"AT": 5, "RT": 5})
    row = baseline_row(table, "RT", "AT", crossover=False, randomised=None)
    note = str(row["note"])
    assert row["randomised"] is None
    assert "The config does not state whether donors were randomised (design.randomised)" in note
    assert "unbiased only if they were" in note
    assert "Groups were" not in note


def test_randomised_groups_differ_by_chance_and_how_rarely_is_said() -> None:
    table = levels(3, {"AT": 8, "RT": 8})
    near = str(baseline_row(table, "RT", "AT", crossover=False, randomised=True)["note"])
    assert "they differ at baseline by chance (by this much or more in " in near
    apart = table.copy()
    apart.loc[apart.index.get_level_values("group") == "RT", "before"] += 3
    row = baseline_row(apart, "RT", "AT", crossover=False, randomised=True)
    assert float(str(row["baseline_pvalue"])) < 0.001
    assert "only by chance, and a difference this large occurs in only about one of " in str(
        row["note"]
    )
    assert "how donors and samples were assigned" in str(row["note"])


def test_nothing_is_made_of_nothing() -> None:
    nothing = np.array([])
    assert np.isnan(welch_t(nothing, nothing).value)
    assert np.isnan(one_sample_t(nothing).value)
    assert np.isnan(welch_t(np.ones(3), np.ones(3)).pvalue)
    assert np.isnan(ancova(np.ones(6), np.arange(6.0), None).slope)
