"""Verdicts of designs of their own: few donors, one group, crossover, pools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.de.settings import FitSettings
from fibroserum.input.published import read_published
from fibroserum.targets.leave_one_out import estimable
from fibroserum.targets.power import published_effect
from helpers.target_cohorts import Drawn, Planted, draw, flagged, sheet_of, verdict


def test_a_rise_made_by_one_donor_is_taken_back() -> None:
    targets = {"T": Planted(mean=2000.0, samples={"RT03_RT_post": 1.5}, change={"RT": 0.12})}
    carried = draw(targets, {"AT": 8, "RT": 8}, seed=5)
    found = flagged(carried, ["T"], settings=FitSettings(second_opinion="none"))
    row = verdict(found, "T", "RT_post_vs_pre")
    assert row["panel_padj"] < 0.05
    assert (row["verdict"], row["outlier_donor"]) == ("inconclusive", "RT03")
    assert row["reason"].startswith("The finding that it rises in RT ")


def test_one_pair_is_inconclusive_and_says_whose_it_is() -> None:
    single = draw({"T": Planted(change={"RT": 2.0})}, {"AT": 6, "RT": 1})
    found = flagged(single, ["T"])
    row = verdict(found, "T", "RT_post_vs_pre")
    assert row["panel_padj"] < 0.05
    assert row["verdict"] == "inconclusive"
    assert "RT has only one pair (donor RT01)" in row["reason"]
    assert found.patterns["pattern"].tolist() == ["neither"]
    left = found.loo[(found.loo["contrast"] == "RT_post_vs_pre")]
    assert left["log2FoldChange"].isna().all()
    assert pd.isna(row["robust"])


def test_baseline_imbalance_with_regression_to_the_mean() -> None:
    rng = np.random.default_rng(5)
    # a passing deviation before; RT was chosen for a high one
    groups = {"AT": 16, "RT": 16}
    shift = {
        f"{group}{n:02d}_{group}_pre": rng.normal(0.9 if group == "RT" else 0, 0.5)
        for group, count in groups.items()
        for n in range(1, count + 1)
    }
    found = flagged(draw({"T": Planted(samples=shift)}, groups), ["T"], randomised=False)
    difference = verdict(found, "T", "RT_vs_AT_change")
    assert difference["verdict"] == "down"
    clause = "may explain part of the difference. Groups were not randomised, so the adjusted"
    assert clause in difference["reason"]
    assert "At baseline, RT is 0." in difference["reason"]
    assert clause in found.patterns["sentence"].iloc[0]
    row = found.baseline.iloc[0]
    assert row["baseline_difference"] > 0.3
    assert row["slope"] < 0.5
    assert row["ancova_ci_low"] < 0 < row["ancova_ci_high"]
    assert abs(row["ancova_difference"]) < abs(row["change_difference"]) / 2
    assert "regression to the mean" in row["note"]
    assert "not randomised" in row["note"]
    assert not row["randomised"]


def test_without_a_refit_nothing_is_said_to_stand() -> None:
    single = flagged(draw({"T": Planted(change={"RT": 2.0})}, {"AT": 6, "RT": 1}), ["T"])
    left = single.loo[single.loo["contrast"] == "RT_post_vs_pre"]
    assert left["verdict_stands"].isna().all()
    assert left["panel_padj"].isna().all()


def test_crossover() -> None:
    targets = {"T": Planted(change={"RT": 0.9}), "OUT": Planted(samples={"D03_RT_pre": 4.0})}
    found = flagged(draw(targets, {"AT": 8, "RT": 8}, crossover=True), ["T", "OUT"], crossover=True)
    assert verdict(found, "T", "RT_post_vs_pre")["verdict"] == "up"
    assert verdict(found, "T", "RT_vs_AT_change")["verdict"] == "up"
    row = verdict(found, "T", "RT_vs_AT_change")
    assert row["donors"] == 8
    own = found.donors[found.donors["target"] == "T"].set_index(["donor", "group"])
    step = own["delta"].xs("RT", level="group") - own["delta"].xs("AT", level="group")
    assert row["donors_up"] == (step > 0).sum()
    before = own["before"].xs("RT", level="group") - own["before"].xs("AT", level="group")
    start = found.baseline.set_index("target").loc["T"]
    assert start["baseline_pvalue"] == pytest.approx(stats.ttest_1samp(before, 0).pvalue)
    for contrast in ("RT_post_vs_pre", "RT_vs_AT_change", "RT_vs_AT_pre"):
        assert verdict(found, "OUT", contrast)["outlier_donor"] == "D03"


def test_one_group_has_its_change_alone() -> None:
    drawn = draw({"T": Planted(change={"all": 0.8})}, {"all": 6})
    found = flagged(drawn, ["T", "NOWHERE"], reference=None)
    assert found.targets["contrast"].tolist() == ["all_post_vs_pre"] * 2
    assert found.targets["verdict"].tolist() == ["up", "absent"]
    assert found.targets["reason"].iloc[0].startswith("It rises by")
    assert len(found.baseline) == len(found.patterns) == 0


def test_no_target_at_all() -> None:
    found = flagged(draw({}, {"AT": 4, "RT": 4}), ["NOWHERE"])
    assert set(found.targets["verdict"]) == {"absent"}
    assert len(found.loo) == len(found.donors) == 0
    assert found.power["detectable_lfc"].isna().all()


def test_a_group_that_was_not_studied_has_no_published_effect(repository: Path) -> None:
    published = read_published(repository / "resources/published/nishikori_2023_table2.tsv")
    groups = ["control", "RT"]
    named = {c.name: c for c in contrasts_of(groups, "pre", "post")}
    found = {
        name: published_effect(published, "BGN", contrast, groups)
        for name, contrast in named.items()
    }
    assert found["RT_post_vs_pre"] == pytest.approx(np.log2(0.723 / 0.653))
    assert [name for name, effect in found.items() if effect is not None] == ["RT_post_vs_pre"]
    # both groups were studied, although VCAN in RT was not to be had
    both = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}
    average = published_effect(published, "VCAN", both["average"], ["AT", "RT"])
    assert average == pytest.approx(np.log2(0.644 / 0.595))
    assert published_effect(published, "VCAN", both["difference"], ["AT", "RT"]) is None
    # a fall stays a fall
    fell = published_effect(published, "HAS1", named["RT_post_vs_pre"], groups)
    assert fell == pytest.approx(np.log2(0.091 / 0.095))


def test_a_pool_of_sera_is_one_donor_of_whose_persons_nothing_is_said() -> None:
    targets = {
        "RISES": Planted(change={"AT": 0.9, "RT": 0.9}),
        "T": Planted(mean=2000.0, samples={"RT03_RT_post": 1.5}, change={"RT": 0.12}),
    }
    drawn = draw(targets, {"AT": 8, "RT": 8}, seed=5)
    sheet = drawn.sheet.assign(sera=["1" if g == "AT" else "8" for g in drawn.sheet["group"]])
    plain = flagged(drawn, list(targets), settings=FitSettings(second_opinion="none"))
    found = flagged(
        Drawn(drawn.counts, sheet),
        list(targets),
        settings=FitSettings(second_opinion="none"),
        pool="sera",
    )
    kept = ["verdict", "pvalue", "panel_padj", "ci_low", "donors", "outlier_donor"]
    pd.testing.assert_frame_equal(found.targets[kept], plain.targets[kept])
    for contrast in ("RT_post_vs_pre", "RT_vs_AT_change", "average_post_vs_pre"):
        row = verdict(found, "RISES", contrast)
        assert pd.isna(row["donors_up"])
        assert pd.isna(row["robust"])
        assert "Donors with a rise" not in row["reason"]
    row = verdict(found, "RISES", "AT_post_vs_pre")
    assert (row["donors_up"], row["donors"], row["robust"]) == (8, 8, True)
    carried = verdict(found, "T", "RT_post_vs_pre")
    assert carried["reason"].startswith("The finding that it rises in RT ")
    assert "onor" not in carried["reason"]


def test_one_pool_a_group_is_one_pair() -> None:
    drawn = draw({"T": Planted(change={"RT": 2.0})}, {"AT": 1, "RT": 6})
    sheet = drawn.sheet.assign(pool=["yes" if g == "AT" else "no" for g in drawn.sheet["group"]])
    found = flagged(Drawn(drawn.counts, sheet), ["T"], pool="pool")
    assert verdict(found, "T", "RT_post_vs_pre")["verdict"] == "up"
    for contrast in ("AT_post_vs_pre", "RT_vs_AT_change", "average_post_vs_pre", "RT_vs_AT_pre"):
        row = verdict(found, "T", contrast)
        assert row["verdict"] == "inconclusive"
        assert "(pool AT01), which is not enough for a verdict" in row["reason"]
        power = found.power[found.power["contrast"] == contrast].iloc[0]
        assert power["power"] == 0
        assert "too few for a verdict, however large the effect" in power["sentence"]


@pytest.mark.parametrize(
    ("groups", "columns", "expected"),
    [
        ({"AT": 3, "RT": 3}, [], True),
        ({"AT": 3, "RT": 0}, [], False),  # no pair is left in a group
        ({"AT": 1, "RT": 1}, [], False),  # no residual freedom
        ({"AT": 3, "RT": 3}, ["plate"], True),
        ({"AT": 3, "RT": 3}, ["twin"], False),  # a covariate that is the time
    ],
)
def test_what_can_be_fitted_without_a_donor(
    groups: dict[str, int], columns: list[str], expected: bool
) -> None:
    sheet = sheet_of(groups)
    after = (sheet["time"] == "post").astype(float)
    design = pd.get_dummies(sheet["donor"], prefix="donor", prefix_sep="[").astype(float)
    for group in ("AT", "RT"):
        design[f"after[{group}]"] = after * (sheet["group"] == group)
    extra = {"plate": np.arange(len(sheet)) % 3 * 1.0, "twin": after}
    design = design.assign(**{name: extra[name] for name in columns})
    assert estimable(design) == expected
    assert (np.linalg.matrix_rank(design) == design.shape[1] < len(design)) == expected


@pytest.mark.parametrize(("plates", "word"), [(3, "untestable"), (6, "up")])
def test_blocks_are_the_units_and_too_few_are_said(plates: int, word: str) -> None:
    drawn = draw({"T": Planted(mean=5000.0, change={"RT": 2.0})}, {"RT": 12}, seed=3)
    plate = "P" + (drawn.sheet["donor"].str[2:].astype(int) % plates).astype(str)
    found = flagged(
        Drawn(drawn.counts, drawn.sheet.assign(plate=plate)), ["T"], block="plate", reference="RT"
    )
    row = verdict(found, "T", "RT_post_vs_pre")
    assert row["verdict"] == word
    if word == "untestable":
        assert row["reason"].startswith("Donors share blocks (design.block)")
        assert "this contrast has only 3 independent blocks of donors. At least 4" in row["reason"]
        assert pd.isna(row["second_pvalue"])
    else:
        assert row["second_pvalue"] < 0.01
