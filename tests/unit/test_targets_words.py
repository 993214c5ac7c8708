"""Words on a target: patterns over groups, the start, power, how many donors rise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.targets.baseline import regression_clause, with_clauses
from fibroserum.targets.donors_up import donors_up
from fibroserum.targets.patterns import Comparison, pattern_table
from fibroserum.targets.phrases import percent, phrases
from fibroserum.targets.power import Effect, Precision, power_row
from fibroserum.targets.sentences import fdr, rising_donors
from fibroserum.targets.verdict import Rule

CONTRASTS = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}


SINGLE = contrasts_of(["all"], "pre", "post")[0]


def test_the_way_a_difference_is_said() -> None:
    contrast = CONTRASTS["difference"]
    assert phrases(contrast, 0.1, 0.5).down == "it rises less in RT than in AT"
    assert phrases(contrast, -0.5, -0.1).down == "it falls more in RT than in AT"
    assert phrases(contrast, -0.2, 0.2).down == "its change is lower in RT than in AT"
    assert phrases(contrast, -0.1, -0.5).up == "it falls less in RT than in AT"
    # 0.00 neither rises nor falls
    assert phrases(contrast, 0.5, 0.004).up == "its change is higher in RT than in AT"
    assert phrases(contrast).up == "its change is higher in RT than in AT"


def test_small_words() -> None:
    assert percent(0.001) == "less than 1 %"
    assert (percent(1.0), percent(-1.0)) == ("100 %", "50 %")
    assert fdr(0.0) == "below 1e-300"


def rows_of(
    estimates: dict[str, float], verdicts: dict[str, str], p: float, half: dict[str, float]
) -> Comparison:
    """Return one target's comparison of RT with AT; half: by group with the larger change."""
    parts = {}
    for name in ("RT", "AT", "difference"):
        row = {
            "gene_id": "T",
            "log2FoldChange": estimates[name],
            "second_log2FoldChange": estimates[name],
            "ci_low": estimates[name] - 0.25,
            "ci_high": estimates[name] + 0.25,
            "pvalue": p,
            "second_pvalue": p,
            "panel_padj": p,
            "second_panel_padj": p,
            "verdict": verdicts[name],
            "driven_by_one_donor": False,
            "start": "",
            "detectable_lfc": 0.35,
        }
        parts[name] = pd.DataFrame([row], index=["T"])
    halves = pd.DataFrame(half, index=["T"])
    return Comparison("RT", "AT", parts["RT"], parts["AT"], parts["difference"], halves)


@pytest.mark.parametrize(
    ("own", "other", "called", "difference", "p", "pattern", "group", "words"),
    [
        (0.5, 0.4, "both", "inconclusive", 0.01, "both", None, "rises in both groups"),
        (-0.5, -0.1, "both", "down", 0.01, "both", None, "falls in both groups"),
        (
            0.5,
            0.1,
            "RT",
            "up",
            0.2,
            "specific",
            "RT",
            "Only the change in RT is established separately",
        ),
        (0.1, 0.5, "AT", "down", 0.2, "specific", "AT", "Only the change in AT is established"),
        # the smaller change is not called, but its interval leaves out 0: no absence
        (0.9, 0.3, "RT", "up", 0.2, "differ", None, "interval of the change in AT excludes 0"),
        (-0.3, -0.9, "AT", "up", 0.2, "differ", None, "interval of the change in RT excludes 0"),
        (
            0.9,
            -0.3,
            "RT",
            "up",
            0.2,
            "specific",
            "RT",
            "the change in AT is less than half as large",
        ),
        (0.5, 0.3, "AT", "up", 0.2, "differ", None, "although the estimate in RT is larger"),
        (0.3, -0.3, "", "up", 0.2, "differ", None, "Neither group's change is established"),
        (0.5, -0.5, "both", "up", 0.01, "differ", None, "in opposite directions"),
        (0.5, 0.1, "both", "up", 0.2, "differ", None, "a change in both groups is not"),
        (
            0.5,
            0.1,
            "RT",
            "inconclusive",
            0.2,
            "neither",
            None,
            "which does not show that they differ",
        ),
        (0.5, 0.4, "both", "inconclusive", 0.2, "neither", None, "a change in both groups is not"),
        (0.1, 0.1, "", "inconclusive", 0.2, "neither", None, "detect a difference of 0.35 or more"),
        (
            0.1,
            0.1,
            "",
            "inconclusive",
            np.nan,
            "not_assessable",
            None,
            "no p value in at least one of",
        ),
    ],
)
def test_every_pattern(
    own: float,
    other: float,
    called: str,
    difference: str,
    p: float,
    pattern: str,
    group: str | None,
    words: str,
) -> None:
    word = {"RT": "up" if own > 0 else "down", "AT": "up" if other > 0 else "down"}
    verdicts = {
        name: word[name] if called in (name, "both") else "inconclusive" for name in ("RT", "AT")
    }
    estimates = {"RT": own, "AT": other, "difference": own - other}
    larger, smaller = ("RT", "AT") if abs(own) > abs(other) else ("AT", "RT")
    half = {larger: 0.04, smaller: 0.97}
    rows = rows_of(estimates, verdicts | {"difference": difference}, p, half)
    row = pattern_table(rows, Rule()).iloc[0]
    assert (row["pattern"], row["specific_to"]) == (pattern, group)
    assert words in row["sentence"]
    # a group is named exactly where the pattern is specific
    assert (row["specific_to"] is not None) == (row["pattern"] == "specific")
    if difference in ("up", "down"):
        assert row["less_than_half_pvalue"] == 0.04
    else:
        assert np.isnan(row["less_than_half_pvalue"])


@pytest.mark.parametrize(
    ("half", "word", "bound", "pattern", "words"),
    [
        (0.04, "inconclusive", None, "specific", "the change in AT is less than half as large"),
        (0.06, "inconclusive", None, "differ", "the change in AT may be half as large or larger"),
        (np.nan, "inconclusive", None, "differ", "the change in AT may be half as large or larger"),
        (0.04, "inconclusive", 0.3, "differ", "the change in AT is not shown to be negligible"),
        (0.04, "no_change", 0.3, "specific", "the change in AT is less than half as large"),
    ],
)
def test_specific_needs_the_other_change_to_be_small(
    half: float, word: str, bound: float | None, pattern: str, words: str
) -> None:
    estimates = {"RT": 0.9, "AT": 0.1, "difference": 0.8}
    verdicts = {"RT": "up", "AT": word, "difference": "up"}
    rows = rows_of(estimates, verdicts, 0.2, {"RT": half, "AT": 0.9})
    row = pattern_table(rows, Rule(equivalence_lfc=bound)).iloc[0]
    assert row["pattern"] == pattern
    assert row["specific_to"] == ("RT" if pattern == "specific" else None)
    assert words in row["sentence"]


START = {
    "group": "RT",
    "reference": "AT",
    "baseline_difference": 0.4,
    "baseline_ci_low": 0.1,
    "baseline_ci_high": 0.7,
    "change_difference": -0.3,
    "ancova_difference": -0.1,
    "ancova_ci_low": -0.3,
    "ancova_ci_high": 0.1,
    "slope": 0.5,
    "randomised": True,
}


HIDDEN = {"ancova_difference": -0.4, "ancova_ci_low": -0.7, "ancova_ci_high": -0.1}


@pytest.mark.parametrize(
    ("changes", "called", "words"),
    [
        ({}, True, "regression to the mean may explain part of the difference."),
        ({"randomised": False}, True, "the adjusted estimate may mislead as well."),
        ({"randomised": None}, True, "The config does not state whether donors were randomised."),
        ({}, False, ""),  # neither is established
        (HIDDEN, False, "the baseline may mask a difference."),
        (HIDDEN, True, ""),  # both are established
        ({"baseline_ci_low": -0.1, "slope": 0.9}, True, ""),  # no baseline difference established
        ({"baseline_ci_low": -0.1, "slope": 0.5}, True, "At baseline, RT is 0.40 higher than AT"),
        ({"ancova_ci_low": np.nan}, True, ""),
    ],
)
def test_the_baseline_is_mentioned_where_the_adjusted_estimate_disagrees(
    changes: dict[str, float], called: bool, words: str
) -> None:
    text = regression_clause(START | changes, called)
    assert bool(text) == bool(words)
    assert words in text


def test_the_baseline_is_mentioned_only_in_the_difference() -> None:
    verdicts = pd.DataFrame(
        {
            "target": "T",
            "contrast": ["RT_post_vs_pre", "RT_vs_AT_change", "RT_vs_AT_pre"],
            "verdict": "down",
            "reason": "So.",
            "panel_padj": 0.01,
        }
    )
    found = with_clauses(verdicts, pd.DataFrame([START | {"target": "T"}]))
    assert found["reason"].eq("So.").tolist() == [True, False, True]
    assert found["reason"].iloc[1] == f"So. {found['start'].iloc[1]}"
    unfitted = with_clauses(
        verdicts.assign(panel_padj=np.nan), pd.DataFrame([START | {"target": "T"}])
    )
    assert (unfitted["reason"] == "So.").all()


def test_power_is_said_in_the_singular_and_never_of_one_pair() -> None:
    precision = Precision(0.07, np.nan, np.nan)
    rule = Rule(second_opinion="none")
    for contrast, members, words in [
        (CONTRASTS["difference"], {"AT": 8, "RT": 1}, "RT has only one pair: too few"),
        (CONTRASTS["baseline"], {"AT": 1, "RT": 8}, "AT has only one donor: too few"),
        (SINGLE, {"all": 1}, "There is only one pair: too few"),
        (
            CONTRASTS["baseline"],
            {"AT": 8, "RT": 8},
            "With 8 + 8 donors, 80 % of studies would detect",
        ),
    ]:
        row = power_row("T", contrast, members, precision, 12, rule, Effect(0.15, "fixed"))
        assert words in str(row["sentence"])
        assert (row["power"] == 0) == ("too few" in words)
    fall = power_row("T", SINGLE, {"all": 8}, precision, 12, rule, Effect(-0.3, "published"))
    rise = power_row("T", SINGLE, {"all": 8}, precision, 12, rule, Effect(0.3, "published"))
    assert (fall["effect"], fall["power"]) == (-0.3, rise["power"])
    assert "the published effect of -0.30" in str(fall["sentence"])


def test_donors_are_counted_where_they_say_something() -> None:
    index = pd.MultiIndex.from_tuples(
        [("D1", "AT"), ("D2", "AT"), ("D3", "RT"), ("D4", "RT")], names=["donor", "group"]
    )
    values = pd.DataFrame({"T": [0.1, -0.1, 0.2, 0.3]}, index=index)
    contrasts = list(CONTRASTS.values())
    members = {c.name: pd.DataFrame(index=index) for c in contrasts}
    changes = {c.name: values for c in contrasts if c.kind != "baseline"}
    found = donors_up(changes, members, contrasts, [], ["T"])
    by_kind = {c.kind: found["T", c.name] for c in contrasts}
    assert (by_kind["average"].up, by_kind["average"].donors) == (3, 4)
    assert (by_kind["difference"].up, by_kind["difference"].donors) == (None, 4)
    assert (
        rising_donors(by_kind["difference"].by_group)
        == " Donors with a rise: 2 of 2 in RT, 1 of 2 in AT."
    )
    assert (by_kind["baseline"].up, by_kind["baseline"].by_group) == (None, {})
    pooled = donors_up(changes, members, contrasts, [c.name for c in contrasts], ["T"])
    assert {(one.up, one.donors) for one in pooled.values()} == {(None, 4)}
    assert not any(one.by_group for one in pooled.values())
    both = pd.MultiIndex.from_product([["D1", "D2"], ["AT", "RT"]], names=["donor", "group"])
    crossed = pd.DataFrame({"T": [0.1, 0.5, 0.4, -0.1]}, index=both)
    members = {c.name: pd.DataFrame(index=both) for c in contrasts}
    found = donors_up(dict.fromkeys(members, crossed), members, contrasts, [], ["T"])
    assert found["T", CONTRASTS["difference"].name].up == 1
    assert found["T", CONTRASTS["average"].name].up == 2
