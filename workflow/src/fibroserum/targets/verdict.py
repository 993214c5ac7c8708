"""The verdict on a target: pure rules from numbers to a word, and the reason in words.

Nothing here reads a table or fits a model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fibroserum.targets.phrases import Phrases, fdr, number, sentence, unit_name

Word = Literal["up", "down", "no_change", "inconclusive", "untestable", "absent"]
NORMAL_95 = 1.6448536269514722
HALF = 0.5
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
class Needed:
    """The donor of a small group that an estimate rests on most, and the estimate without it.

    group: None where there is no other. pairs: of that group (in a baseline contrast, donors).
    estimate: log2, NaN where nothing can be
    estimated without the donor.
    """

    donor: str
    group: str | None
    pairs: int
    estimate: float


@dataclass(frozen=True)
class Evidence:
    """The numbers on one target in one contrast; NaN where there is none.

    status: `absent`, or the gene's status in the contrast's table. estimate, se: log2 fold change
    of the main model; ci_low, ci_high: its 95 % interval; panel_padj: its p value after BH over
    the fitted targets. second_*: the same of the second model. single: the donor of a group with
    only one pair (in a baseline contrast, one donor), single_group: that group's name, None where
    there is no other. pools: the donors that are pools of sera. outlier: the donor whose own
    change stands outside; *_without: both models refitted without it. needed: the
    donor of a group of two or three without whom the estimate does not stand.
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
    panel_padj_without: float = np.nan
    second_estimate_without: float = np.nan
    needed: Needed | None = None


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

    Without it the verdict is another, the estimate loses more than half, or the second model's
    turns its sign. A donor whose leaving makes the effect larger does not carry it: a lower number
    of donors alone would then take the significance away.
    """
    word = plain_word(evidence, rule)
    if evidence.outlier is None or word == "inconclusive":
        return False
    if not np.isfinite(evidence.estimate_without):
        return True
    without = replace(
        evidence,
        estimate=evidence.estimate_without,
        se=evidence.se_without,
        panel_padj=evidence.panel_padj_without,
    )
    falls = plain_word(without, rule) != word
    if word == "no_change":
        return falls
    return bool(loses_estimate(evidence) or (falls and _share_kept(evidence) < 1))


def _share_kept(evidence: Evidence) -> float:
    return evidence.estimate_without / evidence.estimate if evidence.estimate else np.nan


def loses_estimate(evidence: Evidence) -> bool:
    """Return whether more than half the estimate, or a model's sign, goes with the outlying donor.

    What is left of a verdict that such a donor carries is at most a lost significance, which fewer
    donors alone may cost.
    """
    turns = evidence.second_estimate_without * evidence.estimate < 0
    return bool(_share_kept(evidence) < HALF or turns)


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
        return Verdict("inconclusive", _single_reason(evidence, said), held_back=True)
    if is_carried(evidence, rule):
        reason = _carried_reason(evidence, rule, word, said)
        return Verdict("inconclusive", reason, held_back=True)
    if word in ("up", "down") and evidence.needed is not None:
        reason = _needed_reason(evidence, evidence.needed, said)
        return Verdict("inconclusive", reason, held_back=True)
    if word in ("up", "down"):
        return Verdict(word, _called_reason(evidence, rule, said))
    if word == "no_change":
        return Verdict(word, _unchanged_reason(evidence, rule, said))
    return Verdict(word, _open_reason(evidence, rule, said, panel))


def _numbers(evidence: Evidence) -> str:
    interval = f"{number(evidence.ci_low)} to {number(evidence.ci_high)}"
    return f"log2 fold change {number(evidence.estimate)}, 95 % interval {interval}"


def _narrow(evidence: Evidence) -> str:
    """Return the 90 % interval, which is held against the equivalence bounds."""
    half = NORMAL_95 * evidence.se
    return f"{number(evidence.estimate - half)} to {number(evidence.estimate + half)}"


def _second_name(rule: Rule) -> str:
    return SECOND_NAMES.get(rule.second_opinion, rule.second_opinion)


def _claim(sign: float, rule: Rule, said: Phrases) -> str:
    """Return what a significant p value says: with a threshold, that the effect is beyond it."""
    beyond = f" by more than {rule.lfc_threshold:g} (log2)" if rule.lfc_threshold > 0 else ""
    return f"{said.of(sign)}{beyond}"


def _single_reason(evidence: Evidence, said: Phrases) -> str:
    kind, _, name = unit_name(str(evidence.single), evidence.pools).partition(" ")
    where = f"{evidence.single_group} has" if evidence.single_group else "There is"
    return (
        f"{where} one {said.unit} alone, of {kind} {name}: one "
        f"{'pool' if kind == 'pool' else 'person'} cannot speak for others; {_numbers(evidence)}."
    )


def _called_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    text = f"{sentence(said.of(evidence.estimate))}{said.size(evidence.estimate)} "
    text += f"({_numbers(evidence)}); "
    if rule.alone:
        text += f"the main model alone decides (panel FDR {fdr(evidence.panel_padj)})"
    else:
        second = f"{_second_name(rule)} {fdr(evidence.second_panel_padj)}"
        text += f"both models agree (panel FDR {fdr(evidence.panel_padj)}, {second})"
    if rule.lfc_threshold > 0:
        text += f"; tested for more than ± {rule.lfc_threshold:g}"
    if within_equivalence(evidence.estimate, evidence.se, rule):
        text += (
            f"; yet the {said.noun} is within ± {rule.equivalence_lfc:g}, declared as negligible"
        )
    if evidence.outlier is not None:
        name = unit_name(evidence.outlier, evidence.pools)
        text += f"; {name} stands outside the others and does not carry it"
    return f"{text}."


def _unchanged_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    return (
        f"The {said.noun} is at most negligible: its 90 % interval, {_narrow(evidence)}, lies "
        f"within ± {rule.equivalence_lfc:g}, declared as no change{_outside(evidence)}."
    )


def _outside(evidence: Evidence) -> str:
    if evidence.outlier is None:
        return ""
    return f"; {unit_name(evidence.outlier, evidence.pools)} stands outside the others"


def _carried_reason(evidence: Evidence, rule: Rule, word: Word, said: Phrases) -> str:
    kind, _, name = unit_name(str(evidence.outlier), evidence.pools).partition(" ")
    if word == "no_change":
        claim = f"finding of no change beyond ± {rule.equivalence_lfc:g}"
    else:
        claim = f"finding that {said.of(evidence.estimate)}"
    known = np.isfinite(evidence.estimate_without)
    if known and word != "no_change" and not loses_estimate(evidence):
        return (
            f"Without {kind} {name}, whose own {said.own} stands outside the others', it is no "
            f"longer called: the estimate is {number(evidence.estimate_without)} (panel FDR "
            f"{fdr(evidence.panel_padj_without)}). With all {said.unit}s, by the p values, "
            f"{said.of(evidence.estimate)} ({_numbers(evidence)})."
        )
    text = f"{sentence(kind)} {name} alone carries the {claim} ({_numbers(evidence)})"
    if not known:
        return f"{text}; without this {kind} it cannot be estimated."
    return (
        f"{text}: without this {kind}, whose own {said.own} stands outside the others', the "
        f"estimate is {number(evidence.estimate_without)} (panel FDR "
        f"{fdr(evidence.panel_padj_without)})."
    )


def _needed_reason(evidence: Evidence, needed: Needed, said: Phrases) -> str:
    """Return why a verdict from a group of two or three does not stand."""
    kind, _, name = unit_name(needed.donor, evidence.pools).partition(" ")
    where = f" of {needed.group}" if needed.group else ""
    text = (
        f"By its p values {said.of(evidence.estimate)} ({_numbers(evidence)}), but among "
        f"{needed.pairs} {said.unit}s{where} no outlier can be told, and the finding rests on "
        f"{kind} {name}"
    )
    if not np.isfinite(needed.estimate):
        return f"{text}: without this {kind} it cannot be estimated."
    return f"{text}: without this {kind} the estimate is {number(needed.estimate)}."


def _open_reason(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return why a fitted target got no other word."""
    main = evidence.panel_padj < rule.alpha
    second = evidence.second_panel_padj < rule.alpha
    name, padj = _second_name(rule), fdr(evidence.panel_padj)
    agree = np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    claim = _claim(evidence.estimate, rule, said)
    if main and not np.isfinite(evidence.second_panel_padj):
        text = f"The main model says {claim} (panel FDR {padj}), {name} could not test it"
    elif main and second and not agree:
        text = f"The main model and {name} see opposite signs"
    elif main:
        text = (
            f"The main model says {claim} (panel FDR {padj}), {name} does not confirm it (panel "
            f"FDR {fdr(evidence.second_panel_padj)})"
        )
    elif second and not rule.alone:
        text = (
            f"Only {name} says {_claim(evidence.second_estimate, rule, said)} (panel FDR "
            f"{fdr(evidence.second_panel_padj)}), not the main model (panel FDR {padj})"
        )
    else:
        text = _not_significant(evidence, rule, said, panel)
    text += f"; {_numbers(evidence)}"
    if rule.equivalence_lfc is not None:
        text += f"; its 90 % interval, {_narrow(evidence)}, is not within "
        text += f"± {rule.equivalence_lfc:g} either"
    return f"{text}{_outside(evidence)}."


def _not_significant(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return what the main model's interval leaves open where no model is significant."""
    padj, bound = fdr(evidence.panel_padj), rule.lfc_threshold
    nearest = max(evidence.ci_low, -evidence.ci_high)
    if nearest > bound:
        beyond = f"beyond ± {bound:g}" if bound > 0 else "without 0"
        why = (
            f"after allowing for {panel} targets"
            if panel > 1
            else f"at a false discovery rate of {rule.alpha:g}"
        )
        return (
            f"The {said.noun} has an interval {beyond}, but is not significant {why} (panel FDR "
            f"{padj})"
        )
    if nearest > 0:
        return (
            f"The {said.noun} has an interval without 0, but is not shown to be beyond ± {bound:g} "
            f"(panel FDR {padj})"
        )
    return f"The data allow for either sign of the {said.noun} (panel FDR {padj})"
