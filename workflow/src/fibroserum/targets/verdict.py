"""The verdict on a target: pure rules from numbers to a word, and the reason in words.

Nothing here reads a table or fits a model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fibroserum.targets.words import Phrases, fdr, number, percent

Word = Literal["up", "down", "no_change", "inconclusive", "untestable", "absent"]
NORMAL_95 = 1.6448536269514722
SECOND_NAMES = {"voom": "voom", "edger_ql": "edgeR-QL"}


@dataclass(frozen=True)
class Rule:
    """What a verdict is judged by.

    alpha: false discovery rate. equivalence_lfc: |log2 fold change| that counts as unchanged, or
    None. second_opinion: `voom`, `edger_ql`, or `none` (the main model decides). lfc_threshold:
    the p values test |log2 fold change| above it.
    """

    alpha: float = 0.05
    equivalence_lfc: float | None = None
    second_opinion: str = "voom"
    lfc_threshold: float = 0.0

    @property
    def alone(self) -> bool:
        """Return whether the main model decides alone."""
        return self.second_opinion == "none"


@dataclass(frozen=True)
class Evidence:
    """The numbers on one target in one contrast; NaN where there is none.

    status: `absent`, or the gene's status in the contrast's table. estimate, se: log2 fold change
    of the main model; ci_low, ci_high: its 95 % interval; panel_padj: its p value after BH over
    the fitted targets. second_*: the same of the second model. single: the donor of a group with
    only one pair (in a baseline contrast, one donor). outlier: the donor whose own change stands
    outside; estimate_without, se_without, panel_padj_without: the main model refitted without it.
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
    outlier: str | None = None
    estimate_without: float = np.nan
    se_without: float = np.nan
    panel_padj_without: float = np.nan


@dataclass(frozen=True)
class Verdict:
    """The word, the reason, and whether it is inconclusive because one donor stands behind it."""

    word: Word
    reason: str
    held_back: bool = False


def within_equivalence(estimate: float, se: float, rule: Rule) -> bool:
    """Return whether the 90 % interval lies within the equivalence bounds (TOST at 5 %)."""
    if rule.equivalence_lfc is None:
        return False
    return bool(abs(estimate) + NORMAL_95 * se <= rule.equivalence_lfc)


def plain_word(evidence: Evidence, rule: Rule) -> Word:
    """Return what the numbers say, with neither outliers nor single pairs thought of."""
    significant = evidence.panel_padj < rule.alpha
    agreed = rule.alone or (
        evidence.second_panel_padj < rule.alpha
        and np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    )
    if significant and agreed and evidence.estimate != 0:
        return "up" if evidence.estimate > 0 else "down"
    if within_equivalence(evidence.estimate, evidence.se, rule):
        return "no_change"
    return "inconclusive"


def is_carried(evidence: Evidence, rule: Rule) -> bool:
    """Return whether the outlying donor carries the verdict.

    Without it the verdict is another, or the estimate loses more than half. A donor whose leaving
    makes the effect larger does not carry it: a lower number of donors alone would then take the
    significance away.
    """
    word = plain_word(evidence, rule)
    if evidence.outlier is None or word == "inconclusive":
        return False
    if not np.isfinite(evidence.estimate_without):
        return True
    share = evidence.estimate_without / evidence.estimate if evidence.estimate else np.nan
    without = replace(
        evidence,
        estimate=evidence.estimate_without,
        se=evidence.se_without,
        panel_padj=evidence.panel_padj_without,
    )
    falls = plain_word(without, rule) != word
    if word == "no_change":
        return falls
    return bool(share < 0.5 or (falls and share < 1))


def judge(evidence: Evidence, rule: Rule, said: Phrases, *, panel: int = 1) -> Verdict:
    """Return the verdict on one target in one contrast; panel: the number of fitted targets."""
    if evidence.status == "absent":
        return Verdict("absent", "It is not in the count matrix.")
    unfitted = {
        "all_zero": "It has no count in any sample of this model.",
        "low_count": "It has too few counts to be fitted.",
        "not_converged": "The model did not converge for it.",
    }
    if evidence.status == "outlier":
        reason = "One sample decides the fit (Cook's distance), so no p value is given."
        return Verdict("inconclusive", reason)
    if not np.isfinite(evidence.panel_padj):
        return Verdict("untestable", unfitted[evidence.status])
    word = plain_word(evidence, rule)
    if evidence.single is not None:
        reason = f"One side rests on the one donor {evidence.single} alone; {_numbers(evidence)}."
        return Verdict("inconclusive", reason, held_back=True)
    if is_carried(evidence, rule):
        return Verdict("inconclusive", _carried_reason(evidence, word, said), held_back=True)
    if word in ("up", "down"):
        return Verdict(word, _called_reason(evidence, rule, said))
    if word == "no_change":
        return Verdict(word, _unchanged_reason(evidence, rule, said))
    return Verdict(word, _open_reason(evidence, rule, said, panel))


def _numbers(evidence: Evidence) -> str:
    interval = f"{number(evidence.ci_low)} to {number(evidence.ci_high)}"
    return f"log2 fold change {number(evidence.estimate)}, 95 % interval {interval}"


def _second_name(rule: Rule) -> str:
    return SECOND_NAMES.get(rule.second_opinion, rule.second_opinion)


def _called_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    text = f"It {said.of(evidence.estimate)}, by {percent(evidence.estimate)} "
    text += f"({_numbers(evidence)}); "
    if rule.alone:
        text += f"the main model alone decides (panel FDR {fdr(evidence.panel_padj)})"
    else:
        second = f"{_second_name(rule)} {fdr(evidence.second_panel_padj)}"
        text += f"both models agree (panel FDR {fdr(evidence.panel_padj)}, {second})"
    if rule.lfc_threshold > 0:
        text += f"; tested against ± {rule.lfc_threshold:g}"
    if within_equivalence(evidence.estimate, evidence.se, rule):
        text += f"; yet the change is within ± {rule.equivalence_lfc:g}, declared as negligible"
    if evidence.outlier is not None:
        text += f"; donor {evidence.outlier} stands outside the others and does not carry it"
    return f"{text}."


def _unchanged_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    low = evidence.estimate - NORMAL_95 * evidence.se
    high = evidence.estimate + NORMAL_95 * evidence.se
    return (
        f"The {said.noun} is at most negligible: its 90 % interval, {number(low)} to "
        f"{number(high)}, lies within ± {rule.equivalence_lfc:g}, declared as no change."
    )


def _carried_reason(evidence: Evidence, word: Word, said: Phrases) -> str:
    claim = "no change" if word == "no_change" else f"that it {said.of(evidence.estimate)}"
    text = f"Donor {evidence.outlier} alone carries the finding of {claim} ({_numbers(evidence)})"
    text = text.replace("finding of that", "finding that")
    if not np.isfinite(evidence.estimate_without):
        return f"{text}; without this donor it cannot be estimated."
    return (
        f"{text}: without this donor, whose own value stands outside the others', the estimate is "
        f"{number(evidence.estimate_without)} (panel FDR {fdr(evidence.panel_padj_without)})."
    )


def _open_reason(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return why a fitted target got no other word."""
    main = evidence.panel_padj < rule.alpha
    second = evidence.second_panel_padj < rule.alpha
    name, padj = _second_name(rule), fdr(evidence.panel_padj)
    agree = np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    if main and not rule.alone and not np.isfinite(evidence.second_panel_padj):
        text = f"The main model says it {said.of(evidence.estimate)}, {name} could not test it"
    elif main and second and not agree:
        text = f"The main model and {name} see opposite signs"
    elif main and not rule.alone:
        text = (
            f"The main model says it {said.of(evidence.estimate)} (panel FDR {padj}), {name} "
            f"does not confirm it (panel FDR {fdr(evidence.second_panel_padj)})"
        )
    elif second and not rule.alone:
        text = (
            f"Only {name} says it {said.of(evidence.second_estimate)} (panel FDR "
            f"{fdr(evidence.second_panel_padj)}), not the main model (panel FDR {padj})"
        )
    elif evidence.ci_low > rule.lfc_threshold or evidence.ci_high < -rule.lfc_threshold:
        text = (
            f"The {said.noun} has an interval without 0, but is not significant after allowing "
            f"for {panel} targets (panel FDR {padj})"
        )
    else:
        text = f"The data allow for either sign of the {said.noun} (panel FDR {padj})"
    text += f"; {_numbers(evidence)}"
    if rule.equivalence_lfc is not None:
        text += f", not within ± {rule.equivalence_lfc:g} either"
    return f"{text}."
