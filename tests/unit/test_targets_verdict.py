"""The verdict's rules, number by number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.targets.phrases import number, phrases
from fibroserum.targets.verdict import Evidence, Rule, driven_by_outlier, plain_word
from helpers.target_verdicts import judge

CHANGE = phrases(contrasts_of(["RT"], "pre", "post")[0])
RISE = Evidence(
    status="tested",
    estimate=0.4,
    se=0.1,
    ci_low=0.2,
    ci_high=0.6,
    panel_padj=0.001,
    second_estimate=0.38,
    second_panel_padj=0.004,
)
RULE = Rule()
CARRIED = replace(
    RISE, outlier="RT03", estimate_without=0.1, se_without=0.1, panel_padj_without=0.4
)


def said(evidence: Evidence, rule: Rule = RULE) -> tuple[str, str]:
    verdict = judge(evidence, rule, CHANGE, panel=12)
    return verdict.word, verdict.reason


def test_both_models_make_a_rise() -> None:
    word, reason = said(RISE)
    assert word == "up"
    assert reason == (
        "It rises in RT by 32 % (log2 fold change 0.40, 95 % interval 0.20 to 0.60). Both models "
        "agree (panel FDR 0.001, second model 0.004)."
    )


def test_a_fall() -> None:
    word, reason = said(
        replace(RISE, estimate=-0.4, ci_low=-0.6, ci_high=-0.2, second_estimate=-0.3)
    )
    assert word == "down"
    assert reason.startswith("It falls in RT by 24 %")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"second_panel_padj": 0.2}, "but the second model does not confirm it (panel FDR 0.2)"),
        ({"panel_padj": 0.2}, "Only the second model indicates that it rises in RT"),
        ({"second_estimate": -0.3}, "disagree on the direction"),
        ({"second_panel_padj": np.nan}, "the second model could not test it"),
        (
            {"panel_padj": 0.08, "second_panel_padj": 0.09},
            "not significant after adjustment for 12 targets",
        ),
        (
            {"panel_padj": 0.5, "second_panel_padj": 0.5, "ci_low": -0.1},
            "The change in RT is not established: its 95 % interval includes 0",
        ),
    ],
)
def test_what_makes_it_inconclusive_is_said(changes: dict[str, float], words: str) -> None:
    word, reason = said(replace(RISE, **changes))
    assert word == "inconclusive"
    assert words in reason


def test_alpha_is_not_reached_by_being_equal() -> None:
    assert said(replace(RISE, panel_padj=0.05))[0] == "inconclusive"
    assert said(replace(RISE, second_panel_padj=0.05))[0] == "inconclusive"


def test_without_a_second_opinion_the_main_model_decides_and_says_so() -> None:
    alone = replace(RISE, second_estimate=np.nan, second_panel_padj=np.nan)
    word, reason = said(alone, Rule(second_opinion="none"))
    assert word == "up"
    assert "Only the main model is used" in reason


@pytest.mark.parametrize(
    ("status", "word", "words"),
    [
        ("absent", "absent", "not in the count matrix"),
        ("all_zero", "untestable", "no counts in any sample"),
        ("low_count", "untestable", "too few counts"),
        ("not_converged", "untestable", "did not converge"),
        ("outlier", "inconclusive", "A single sample drives the fit"),
    ],
)
def test_what_was_not_fitted(status: str, word: str, words: str) -> None:
    found = said(Evidence(status))
    assert found[0] == word
    assert words in found[1]


def test_a_filtered_gene_with_a_p_value_is_judged() -> None:
    assert said(replace(RISE, status="low_count"))[0] == "up"


def test_no_change_needs_the_interval_within_the_bounds() -> None:
    flat = replace(RISE, estimate=0.05, se=0.05, panel_padj=0.5, ci_low=-0.05, ci_high=0.15)
    # 0.05 + 1.645 × 0.05 = 0.132
    word, reason = said(flat, Rule(equivalence_lfc=0.14))
    assert word == "no_change"
    assert "its 90 % interval (-0.03 to 0.13) is within ± 0.14" in reason
    word, reason = said(flat, Rule(equivalence_lfc=0.13))
    assert word == "inconclusive"
    assert "not shown either: the 90 % interval (-0.03 to 0.13) is not within ± 0.13." in reason
    assert said(flat)[0] == "inconclusive"


def test_a_small_but_certain_change_is_called_and_its_size_said() -> None:
    word, reason = said(
        replace(RISE, estimate=0.06, se=0.01, ci_low=0.04, ci_high=0.08), Rule(equivalence_lfc=0.1)
    )
    assert word == "up"
    assert "However, the change in RT is within ± 0.1" in reason


def test_a_verdict_that_depends_on_one_donor_names_the_donor() -> None:
    verdict = judge(CARRIED, Rule(), CHANGE)
    assert (verdict.word, verdict.driven_by_one_donor) == ("inconclusive", True)
    assert verdict.reason == (
        "The finding that it rises in RT (log2 fold change 0.40, 95 % interval 0.20 to 0.60) "
        "depends on a single donor, RT03. Without this donor, whose own change is an outlier, the "
        "estimate is 0.10 (panel FDR 0.4)."
    )


def test_a_donor_without_whom_only_significance_is_lost() -> None:
    evidence = replace(CARRIED, estimate_without=0.25, panel_padj_without=0.06)
    verdict = judge(evidence, Rule(), CHANGE)
    assert (verdict.word, verdict.driven_by_one_donor) == ("inconclusive", True)
    assert verdict.reason == (
        "Without donor RT03, whose own change is an outlier, significance is lost: the estimate "
        "is 0.25 (panel FDR 0.06). With all pairs, the p values indicate that it rises in RT (log2 "
        "fold change 0.40, 95 % interval 0.20 to 0.60)."
    )
    for lost in (
        replace(evidence, estimate_without=0.19),  # more than half the estimate
        replace(evidence, estimate_without=-0.3),  # the sign
        replace(evidence, second_estimate_without=-0.1),  # the second model's sign
        replace(evidence, estimate_without=np.nan),  # all
    ):
        assert "depends on a single donor, RT03." in judge(lost, Rule(), CHANGE).reason


@pytest.mark.parametrize(
    ("estimate", "padj", "carried"),
    [
        (0.3, 0.01, False),  # still there
        (0.19, 0.01, True),  # more than half is lost
        (0.3, 0.06, True),  # the significance is lost, and part of the estimate
        (0.5, 0.06, False),  # the effect is larger without: the donor stands against it
        (-0.3, 0.01, True),  # the sign turns
        (np.nan, np.nan, True),  # nothing can be said without
    ],
)
def test_carried(estimate: float, padj: float, carried: bool) -> None:
    evidence = replace(CARRIED, estimate_without=estimate, panel_padj_without=padj)
    assert driven_by_outlier(evidence, Rule()) == carried
    assert (judge(evidence, Rule(), CHANGE).word == "up") == (not carried)


def test_an_outlier_on_which_nothing_depends_is_mentioned() -> None:
    evidence = replace(CARRIED, estimate_without=0.35, panel_padj_without=0.002)
    assert "Donor RT03 is an outlier, but the verdict does not depend on it." in said(evidence)[1]


def test_no_change_that_an_outlier_makes_is_inconclusive() -> None:
    flat = replace(RISE, estimate=0.02, se=0.05, panel_padj=0.7, outlier="RT03")
    rule = Rule(equivalence_lfc=0.2)
    gone = replace(flat, estimate_without=0.3, se_without=0.05, panel_padj_without=0.001)
    assert said(gone, rule)[0] == "inconclusive"
    kept = replace(flat, estimate_without=-0.02, se_without=0.05, panel_padj_without=0.7)
    assert said(kept, rule)[0] == "no_change"


def test_one_pair_is_one_donor() -> None:
    verdict = judge(replace(RISE, single="RT01", single_group="RT"), Rule(), CHANGE)
    assert (verdict.word, verdict.driven_by_one_donor) == ("inconclusive", True)
    assert verdict.reason.startswith(
        "RT has only one pair (donor RT01), which is not enough for a verdict. Estimate: log2"
    )
    nameless = judge(replace(RISE, single="D1"), Rule(), CHANGE)
    assert nameless.reason.startswith("There is only one pair (donor D1), which ")


def test_a_pool_is_called_a_pool() -> None:
    pools = frozenset({"RT03", "P1"})
    assert (
        "depends on a single pool, RT03."
        in judge(replace(CARRIED, pools=pools), Rule(), CHANGE).reason
    )
    assert "Without this pool, whose" in judge(replace(CARRIED, pools=pools), Rule(), CHANGE).reason
    kept = replace(CARRIED, estimate_without=0.35, panel_padj_without=0.002, pools=pools)
    assert "Pool RT03 is an outlier" in said(kept)[1]
    single = judge(replace(RISE, single="P1", single_group="RT", pools=pools), Rule(), CHANGE)
    assert single.reason.startswith("RT has only one pair (pool P1), which is not enough")
    assert "donor" not in single.reason + said(kept)[1]


def test_one_target_is_no_panel() -> None:
    near = replace(RISE, panel_padj=0.03, second_panel_padj=0.2)
    reason = judge(near, Rule(alpha=0.01), CHANGE, panel=1).reason
    assert "is not significant at a false discovery rate of 0.01" in reason


def test_a_threshold_is_not_zero() -> None:
    rule = Rule(lfc_threshold=0.3)
    sure = replace(RISE, panel_padj=0.4, second_panel_padj=0.5)
    word, reason = said(sure, rule)
    assert word == "inconclusive"
    assert "excludes 0, but the change in RT is not shown to exceed ± 0.3" in reason
    beyond = replace(sure, ci_low=0.31)
    assert "is beyond ± 0.3, but the change in RT is not significant" in said(beyond, rule)[1]
    either = replace(sure, ci_low=-0.1)
    assert "includes 0" in said(either, rule)[1]
    unsure = replace(RISE, second_panel_padj=0.2)
    assert "indicates that it rises in RT by more than 0.3 (log2)" in said(unsure, rule)[1]


def test_zero_is_never_negative() -> None:
    assert number(-0.001) == "0.00"


probability = st.floats(0, 1)
effect = st.floats(-3, 3).filter(lambda value: abs(value) > 1e-6)


@given(effect, st.floats(0.01, 1), probability, effect, probability)
def test_signs_mirror(e: float, se: float, padj: float, second: float, second_padj: float) -> None:
    rule = Rule(equivalence_lfc=0.3)
    seen = Evidence(
        "tested", e, se, panel_padj=padj, second_estimate=second, second_panel_padj=second_padj
    )
    mirrored = replace(seen, estimate=-e, second_estimate=-second)
    turned = {"up": "down", "down": "up"}
    word = plain_word(seen, rule)
    assert plain_word(mirrored, rule) == turned.get(word, word)
