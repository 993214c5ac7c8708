"""The sentences of a verdict: its reason, in the phrases of its contrast, and what is added.

`reason` has a sentence for each ground of a verdict (`targets.verdict`). Added to it: how many
donors rise in each group, that groups vary unequally, and that a verdict is no headline, all below;
and what the groups' baseline says (`targets.baseline.regression_clause`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fibroserum.cohort.models import FEWEST_BLOCKS
from fibroserum.linear import UNEQUAL
from fibroserum.targets.phrases import Phrases, number, sentence
from fibroserum.targets.verdict import (
    Evidence,
    Rule,
    Verdict,
    loses_estimate,
    plain_word,
    unsettled_against,
    within_equivalence,
)

UNFITTED = {
    "all_zero": "It has no count in any sample of this model.",
    "low_count": "It has too few counts to be fitted.",
    "not_converged": "The model did not converge for it.",
}


def fdr(value: float) -> str:
    """Return an adjusted p value as it is printed in sentences."""
    return f"{value:.3g}" if value > 0 else "below 1e-300"


def unit_name(donor: str, pools: frozenset[str]) -> str:
    """Return "donor D1", or "pool D1" where the donor is a pool of sera."""
    return f"{'pool' if donor in pools else 'donor'} {donor}"


def reason(
    verdict: Verdict, evidence: Evidence, rule: Rule, said: Phrases, *, panel: int = 1
) -> str:
    """Return why a target has its verdict in a contrast; panel: the number of fitted targets."""
    match verdict.ground:
        case "absent":
            return "It is not in the count matrix."
        case "one_sample":
            return "One sample decides the fit (Cook's distance), so no p value is given."
        case "not_fitted":
            return UNFITTED[evidence.status]
        case "few_blocks":
            return (
                f"Donors share blocks (design.block), and this contrast has {evidence.blocks} "
                f"independent {'unit' if evidence.blocks == 1 else 'units'} of donors: at least "
                f"{FEWEST_BLOCKS} are needed to judge how much they differ."
            )
        case "one_pair":
            return _one_pair_reason(evidence, said)
        case "outlier":
            return _outlier_reason(evidence, rule, said)
        case "few_pairs":
            return _few_pairs_reason(evidence, said)
        case "called":
            return _called_reason(evidence, rule, said)
        case "within_bounds":
            return _within_bounds_reason(evidence, rule, said)
        case "open":
            return _open_reason(evidence, rule, said, panel)


def rising_donors(counts: Mapping[str, tuple[int, int]]) -> str:
    """Return how many donors rise, of how many, by group; with a space before it."""
    told = ", ".join(f"{up} of {donors} in {group}" for group, (up, donors) in counts.items())
    return f" Donors that rise: {told}." if counts else ""


def unequal_variance_caveat(ratio: float) -> str:
    """Return the caveat on a contrast's intervals, with a space before it; empty without one.

    ratio: how many times its typical variance is larger with one variance for each group.
    """
    if not ratio > UNEQUAL:
        return ""
    return (
        " Variability between donors is larger than the main model assumes: the typical variance "
        f"of this contrast is {ratio:.2g} times as large. The second model and the interval allow "
        "for it."
    )


def headline_caveat(padj: float, contrasts: int) -> str:
    """Return the caveat on a verdict that is no headline, with a space before it."""
    return (
        f" Over all {contrasts} contrasts and all targets together it is not established (headline "
        f"FDR {fdr(padj)})."
    )


def _numbers(evidence: Evidence, said: Phrases) -> str:
    known = np.isfinite(evidence.ci_low) and np.isfinite(evidence.ci_high)
    interval = f"{said.number(evidence.ci_low)} to {said.number(evidence.ci_high)}"
    told = f"95 % interval {interval}" if known else "no interval"
    return f"{said.name} {said.number(evidence.estimate)}, {told}"


def _narrow(evidence: Evidence) -> str:
    """Return the 90 % interval, which is compared with the equivalence bounds."""
    half = evidence.half_width_90
    return f"{number(evidence.estimate - half)} to {number(evidence.estimate + half)}"


def _claim(sign: float, rule: Rule, said: Phrases) -> str:
    """Return what a significant p value says: with a threshold, that the effect is beyond it."""
    beyond = f" by more than {rule.lfc_threshold:g} (log2)" if rule.lfc_threshold > 0 else ""
    return f"{said.of(sign)}{beyond}"


def _one_pair_reason(evidence: Evidence, said: Phrases) -> str:
    kind, _, name = unit_name(str(evidence.single), evidence.pools).partition(" ")
    where = f"{evidence.single_group} has" if evidence.single_group else "There is"
    return (
        f"{where} one {said.unit} alone, of {kind} {name}: one "
        f"{'pool' if kind == 'pool' else 'person'} cannot speak for others; "
        f"{_numbers(evidence, said)}."
    )


def _called_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    text = f"{sentence(said.of(evidence.estimate))}{said.size(evidence.estimate)} "
    text += f"({_numbers(evidence, said)}); "
    if rule.alone:
        text += f"the main model alone decides (panel FDR {fdr(evidence.panel_padj)})"
    else:
        second = fdr(evidence.second_panel_padj)
        text += f"both models agree (panel FDR {fdr(evidence.panel_padj)}, second model {second})"
    if rule.lfc_threshold > 0:
        text += f"; tested for more than ± {rule.lfc_threshold:g}"
    if within_equivalence(evidence, rule):
        text += (
            f"; yet the {said.noun} is within ± {rule.equivalence_lfc:g}, declared as negligible"
        )
    if evidence.outlier is not None:
        name = unit_name(evidence.outlier, evidence.pools)
        text += f"; {name} stands outside the others and does not carry it"
    return f"{text}."


def _within_bounds_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    return (
        f"The {said.noun} is at most negligible: its 90 % interval, {_narrow(evidence)}, lies "
        f"within ± {rule.equivalence_lfc:g}, declared as no change{_outside(evidence)}."
    )


def _outside(evidence: Evidence) -> str:
    if evidence.outlier is None:
        return ""
    return f"; {unit_name(evidence.outlier, evidence.pools)} stands outside the others"


def _outlier_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    word = plain_word(evidence, rule)
    kind, _, name = unit_name(str(evidence.outlier), evidence.pools).partition(" ")
    if word == "no_change":
        claim = f"finding of no change beyond ± {rule.equivalence_lfc:g}"
    else:
        claim = f"finding that {said.of(evidence.estimate)}"
    known = np.isfinite(evidence.estimate_without)
    if known and word != "no_change" and not loses_estimate(evidence):
        return (
            f"Without {kind} {name}, whose own {said.own} stands outside the others', it is no "
            f"longer called: the estimate is {said.number(evidence.estimate_without)} (panel FDR "
            f"{fdr(evidence.panel_padj_without)}). With all {said.unit}s, by the p values, "
            f"{said.of(evidence.estimate)} ({_numbers(evidence, said)})."
        )
    text = f"{sentence(kind)} {name} alone carries the {claim} ({_numbers(evidence, said)})"
    if not known:
        return f"{text}; without this {kind} it cannot be estimated."
    return (
        f"{text}: without this {kind}, whose own {said.own} stands outside the others', the "
        f"estimate is {said.number(evidence.estimate_without)} (panel FDR "
        f"{fdr(evidence.panel_padj_without)})."
    )


def _few_pairs_reason(evidence: Evidence, said: Phrases) -> str:
    """Return which donor a verdict from a group of two or three pairs depends on."""
    needed = evidence.needed
    assert needed is not None, "the ground of the verdict"
    kind, _, name = unit_name(needed.donor, evidence.pools).partition(" ")
    where = f" of {needed.group}" if needed.group else ""
    text = (
        f"By its p values {said.of(evidence.estimate)} ({_numbers(evidence, said)}), but among "
        f"{needed.pairs} {said.unit}s{where} no outlier can be told, and the finding rests on "
        f"{kind} {name}"
    )
    if not np.isfinite(needed.estimate):
        return f"{text}: without this {kind} it cannot be estimated."
    return f"{text}: without this {kind} the estimate is {said.number(needed.estimate)}."


def _open_reason(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return why a fitted target got no other word."""
    main = evidence.panel_padj < rule.alpha
    second = evidence.second_panel_padj < rule.alpha
    padj = fdr(evidence.panel_padj)
    agree = np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    claim = _claim(evidence.estimate, rule, said)
    if main and not np.isfinite(evidence.second_panel_padj):
        text = f"The main model says {claim} (panel FDR {padj}), the second model could not test it"
    elif main and second and not agree:
        text = "The two models disagree on the direction of change"
    elif main and second and unsettled_against(evidence, rule):
        text = (
            f"Both models say {claim} (panel FDR {padj}), but size factors did not settle (see the "
            "check normalisation), and with the last ones the second model gives a log2 fold "
            f"change of {said.number(evidence.other_estimate)} (panel FDR "
            f"{fdr(evidence.other_panel_padj)})"
        )
    elif main and (second or rule.alone):
        text = f"The p values say {claim} (panel FDR {padj}), but the 95 % interval contains 0"
    elif main:
        text = (
            f"The main model says {claim} (panel FDR {padj}), the second model does not (panel "
            f"FDR {fdr(evidence.second_panel_padj)})"
        )
    elif second and not rule.alone:
        text = (
            f"Only the second model says {_claim(evidence.second_estimate, rule, said)} (panel FDR "
            f"{fdr(evidence.second_panel_padj)}), not the main model (panel FDR {padj})"
        )
    else:
        text = _not_significant(evidence, rule, said, panel)
    text += f"; {_numbers(evidence, said)}"
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
