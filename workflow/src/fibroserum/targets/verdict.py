"""The verdict on a target: pure rules from numbers to a word and its ground.

Nothing here reads a table or fits a model. `targets.sentences` says the verdict's reason in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from fibroserum.intervals import sign_of_interval

Word = Literal["up", "down", "no_change", "inconclusive", "untestable", "absent"]
Ground = Literal[
    "absent",
    "not_fitted",
    "few_blocks",
    "one_sample",
    "one_pair",
    "outlier",
    "few_pairs",
    "called",
    "within_bounds",
    "open",
]
DRIVEN_BY_ONE_DONOR = ("one_pair", "outlier", "few_pairs")
HALF = 0.5
CALLED = ("up", "down")


@dataclass(frozen=True)
class Rule:
    """What a verdict is judged by.

    alpha: false discovery rate. equivalence_lfc: |log2 fold change| that counts as unchanged, or
    None. second_opinion: of the config. lfc_threshold: the p values test |log2 fold change| above
    it.
    """

    alpha: float = 0.05
    equivalence_lfc: float | None = None
    second_opinion: str = "limma_trend"
    lfc_threshold: float = 0.0

    @property
    def alone(self) -> bool:
        """Return whether the main model decides alone."""
        return self.second_opinion == "none"

    def of(self, kind: str) -> Rule:
        """Return the rule of a kind of contrast: no bound of a fold change applies to a slope."""
        if kind in ("dose", "dose_difference"):
            return replace(self, equivalence_lfc=None, lfc_threshold=0.0)
        return self


@dataclass(frozen=True)
class Needed:
    """The donor of a small group that an estimate rests on most, and the estimate without it.

    group: None where there is no other. pairs: of that group (in a baseline contrast, donors).
    estimate: log2, NaN where nothing can be estimated without the donor.
    """

    donor: str
    group: str | None
    pairs: int
    estimate: float


@dataclass(frozen=True)
class Evidence:
    """The numbers on one target in one contrast; NaN where there is none.

    status: `absent`, or the gene's status in the contrast's table. estimate: log2 fold change of
    the main model; se: the larger of both models' standard errors, df: degrees of freedom of its t
    quantiles, infinite where the main model is alone; ci_low, ci_high: the 95 % interval;
    panel_padj: the main model's p value after BH over the fitted targets. second_*: the same of the
    second model. single: the donor of a group with
    only one pair (in a baseline contrast, one donor), single_group: that group's name, None where
    there is no other. pools: the donors that are pools of sera. outlier: the donor whose own
    change is an outlier; *_without: both models refitted without it. needed: the
    donor of a group of two or three without whom the estimate loses its sign or half its size.
    blocks: the number of blocks behind the contrast, where blocks are the units and too few.
    unsettled: whether size factors did not settle; other_*: the second model with the factors that
    were not kept.
    """

    status: str
    estimate: float = np.nan
    se: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    panel_padj: float = np.nan
    second_estimate: float = np.nan
    second_panel_padj: float = np.nan
    single: str | None = None
    single_group: str | None = None
    pools: frozenset[str] = frozenset()
    outlier: str | None = None
    estimate_without: float = np.nan
    se_without: float = np.nan
    df_without: float = np.inf
    panel_padj_without: float = np.nan
    second_estimate_without: float = np.nan
    second_panel_padj_without: float = np.nan
    needed: Needed | None = None
    blocks: int | None = None
    df: float = np.inf
    unsettled: bool = False
    other_estimate: float = np.nan
    other_panel_padj: float = np.nan

    @property
    def half_width_90(self) -> float:
        """Half the width of the 90 % interval."""
        return float(self.se * stdtrit(self.df, 0.95))

    @property
    def without(self) -> Evidence:
        """The evidence without the outlying donor; the other targets keep theirs."""
        half = float(self.se_without * stdtrit(self.df_without, 0.975))
        less = replace(
            self,
            estimate=self.estimate_without,
            se=self.se_without,
            df=self.df_without,
            ci_low=self.estimate_without - half,
            ci_high=self.estimate_without + half,
            panel_padj=self.panel_padj_without,
        )
        if not np.isfinite(self.second_panel_padj_without):
            return less
        return replace(
            less,
            second_estimate=self.second_estimate_without,
            second_panel_padj=self.second_panel_padj_without,
        )


@dataclass(frozen=True)
class Verdict:
    """The word and what it rests on, which decides the sentence of its reason."""

    word: Word
    ground: Ground

    @property
    def driven_by_one_donor(self) -> bool:
        """Return whether it is inconclusive because it depends on one donor."""
        return self.ground in DRIVEN_BY_ONE_DONOR


def within_equivalence(evidence: Evidence, rule: Rule) -> bool:
    """Return whether the 90 % interval lies within the equivalence bounds (TOST at 5 %)."""
    if rule.equivalence_lfc is None:
        return False
    return bool(abs(evidence.estimate) + evidence.half_width_90 <= rule.equivalence_lfc)


def unsettled_against(evidence: Evidence, rule: Rule) -> bool:
    """Return whether size factors did not settle, and the ones not kept give another answer."""
    if not evidence.unsettled or rule.alone:
        return False
    same = np.sign(evidence.other_estimate) == np.sign(evidence.estimate)
    return not (evidence.other_panel_padj < rule.alpha and same)


def plain_word(evidence: Evidence, rule: Rule) -> Word:
    """Return what the numbers say, without regard to outliers and single pairs."""
    clear = sign_of_interval(evidence.ci_low, evidence.ci_high) != 0
    significant = evidence.panel_padj < rule.alpha and clear
    agreed = rule.alone or (
        evidence.second_panel_padj < rule.alpha
        and np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    )
    agreed = agreed and not unsettled_against(evidence, rule)
    if significant and agreed and evidence.estimate != 0:
        return "up" if evidence.estimate > 0 else "down"
    if within_equivalence(evidence, rule):
        return "no_change"
    return "inconclusive"


def driven_by_outlier(evidence: Evidence, rule: Rule) -> bool:
    """Return whether the verdict depends on the outlying donor.

    Without it the verdict is another, the estimate loses more than half, or the second model's
    turns its sign. It does not depend on a donor without whom the effect is larger: the lower
    number of donors alone would then take the significance away.
    """
    word = plain_word(evidence, rule)
    if evidence.outlier is None or word == "inconclusive":
        return False
    if not np.isfinite(evidence.estimate_without):
        return True
    falls = plain_word(evidence.without, rule) != word
    if word == "no_change":
        return falls
    return bool(loses_estimate(evidence) or (falls and _share_kept(evidence) < 1))


def _share_kept(evidence: Evidence) -> float:
    return evidence.estimate_without / evidence.estimate if evidence.estimate else np.nan


def loses_estimate(evidence: Evidence) -> bool:
    """Return whether more than half the estimate, or a model's sign, goes with the outlying donor.

    Otherwise a verdict that depends on this donor loses its significance only, which fewer donors
    alone may cost.
    """
    turns = evidence.second_estimate_without * evidence.estimate < 0
    return bool(_share_kept(evidence) < HALF or turns)


def judge(evidence: Evidence, rule: Rule) -> Verdict:
    """Return the verdict on one target in one contrast."""
    if evidence.status == "absent":
        return Verdict("absent", "absent")
    if evidence.status == "outlier":
        return Verdict("inconclusive", "one_sample")
    if not np.isfinite(evidence.panel_padj):
        return Verdict("untestable", "not_fitted")
    if evidence.blocks is not None:
        return Verdict("untestable", "few_blocks")
    word = plain_word(evidence, rule)
    if evidence.single is not None:
        return Verdict("inconclusive", "one_pair")
    if driven_by_outlier(evidence, rule):
        return Verdict("inconclusive", "outlier")
    if word in CALLED and evidence.needed is not None:
        return Verdict("inconclusive", "few_pairs")
    if word in CALLED:
        return Verdict(word, "called")
    return Verdict(word, "within_bounds" if word == "no_change" else "open")
