"""The sentences of a verdict: its reason, in the phrases of its contrast, and its caveats.

`reason` has a sentence for each ground of a verdict (`targets.verdict`). Caveats: how many donors
rise in each group, that groups vary unequally, and that a verdict is not a headline (all below),
and the groups' baseline (`targets.baseline.regression_clause`).
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
    "all_zero": "It has no counts in any sample of this model.",
    "low_count": "It has too few counts to fit the model.",
    "not_converged": "The model did not converge for this gene.",
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
            return "A single sample drives the fit (Cook's distance), so no p value is given."
        case "not_fitted":
            return UNFITTED[evidence.status]
        case "few_blocks":
            return (
                f"Donors share blocks (design.block), and this contrast has only {evidence.blocks} "
                f"independent {'block' if evidence.blocks == 1 else 'blocks'} of donors. At least "
                f"{FEWEST_BLOCKS} are needed to estimate the variability between donors."
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
    listed = ", ".join(f"{up} of {donors} in {group}" for group, (up, donors) in counts.items())
    return f" Donors with a rise: {listed}." if counts else ""


def unequal_variance_caveat(ratio: float) -> str:
    """Return the caveat on a contrast's intervals, with a space before it; empty without one.

    ratio: how many times its typical variance is larger with one variance for each group.
    """
    if not ratio > UNEQUAL:
        return ""
    return (
        " Variability between donors is larger than the main model assumes: the typical variance "
        f"of this contrast is {ratio:.2g} times as large. The second model and the interval "
        "account for this."
    )


def headline_caveat(padj: float, contrasts: int) -> str:
    """Return the caveat on a verdict that is no headline, with a space before it."""
    return (
        f" It is not established when all {contrasts} contrasts and all targets are considered "
        f"together (headline FDR {fdr(padj)})."
    )


def _numbers(evidence: Evidence, said: Phrases) -> str:
    known = np.isfinite(evidence.ci_low) and np.isfinite(evidence.ci_high)
    interval = f"{said.number(evidence.ci_low)} to {said.number(evidence.ci_high)}"
    ends = f"95 % interval {interval}" if known else "no interval"
    return f"{said.name} {said.number(evidence.estimate)}, {ends}"


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
    who = name if kind == said.unit else f"{kind} {name}"
    return (
        f"{where} only one {said.unit} ({who}), which is not enough for a verdict. "
        f"Estimate: {_numbers(evidence, said)}."
    )


def _called_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    text = f"{sentence(said.of(evidence.estimate))}{said.size(evidence.estimate)} "
    text += f"({_numbers(evidence, said)}). "
    if rule.alone:
        text += f"Only the main model is used (panel FDR {fdr(evidence.panel_padj)})."
    else:
        second = fdr(evidence.second_panel_padj)
        text += f"Both models agree (panel FDR {fdr(evidence.panel_padj)}, second model {second})."
    if rule.lfc_threshold > 0:
        text += f" The p values test for an effect beyond ± {rule.lfc_threshold:g}."
    if within_equivalence(evidence, rule):
        text += (
            f" However, the {said.noun} is within ± {rule.equivalence_lfc:g}, the range declared "
            "as negligible."
        )
    if evidence.outlier is not None:
        text += f"{_outside(evidence)[:-1]}, but the verdict does not depend on it."
    return text


def _within_bounds_reason(evidence: Evidence, rule: Rule, said: Phrases) -> str:
    return (
        f"The {said.noun} is negligible: its 90 % interval ({_narrow(evidence)}) is within "
        f"± {rule.equivalence_lfc:g}, the range declared as no change.{_outside(evidence)}"
    )


def _outside(evidence: Evidence) -> str:
    """Return which donor is an outlier, with a space before it; empty without one."""
    if evidence.outlier is None:
        return ""
    return f" {sentence(unit_name(evidence.outlier, evidence.pools))} is an outlier."


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
            f"Without {kind} {name}, whose own {said.own} is an outlier, significance is lost: the "
            f"estimate is {said.number(evidence.estimate_without)} (panel FDR "
            f"{fdr(evidence.panel_padj_without)}). With all {said.unit}s, the p values indicate "
            f"that {said.of(evidence.estimate)} ({_numbers(evidence, said)})."
        )
    text = f"The {claim} ({_numbers(evidence, said)}) depends on a single {kind}, {name}."
    if not known:
        return f"{text} Without this {kind} it cannot be estimated."
    return (
        f"{text} Without this {kind}, whose own {said.own} is an outlier, the estimate is "
        f"{said.number(evidence.estimate_without)} (panel FDR "
        f"{fdr(evidence.panel_padj_without)})."
    )


def _few_pairs_reason(evidence: Evidence, said: Phrases) -> str:
    """Return which donor a verdict from a group of two or three pairs depends on."""
    needed = evidence.needed
    assert needed is not None, "the ground of the verdict"
    kind, _, name = unit_name(needed.donor, evidence.pools).partition(" ")
    where = f" in {needed.group}" if needed.group else ""
    text = (
        f"The p values indicate that {said.of(evidence.estimate)} ({_numbers(evidence, said)}). "
        f"However, {needed.pairs} {said.unit}s{where} are too few to detect an outlier, and the "
        f"finding depends on a single {kind}, {name}."
    )
    if not np.isfinite(needed.estimate):
        return f"{text} Without this {kind} it cannot be estimated."
    return f"{text} Without this {kind} the estimate is {said.number(needed.estimate)}."


def _open_reason(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return why a fitted target got no other word."""
    main = evidence.panel_padj < rule.alpha
    second = evidence.second_panel_padj < rule.alpha
    padj = fdr(evidence.panel_padj)
    agree = np.sign(evidence.second_estimate) == np.sign(evidence.estimate)
    claim = _claim(evidence.estimate, rule, said)
    if main and not np.isfinite(evidence.second_panel_padj):
        text = (
            f"The main model indicates that {claim} (panel FDR {padj}), but the second model could "
            "not test it"
        )
    elif main and second and not agree:
        text = "The main model and the second model disagree on the direction of change"
    elif main and second and unsettled_against(evidence, rule):
        text = (
            f"Both models indicate that {claim} (panel FDR {padj}), but the size factors did not "
            "converge (see the check 'normalisation'). With the size factors of the last round, "
            f"the second model estimates {said.number(evidence.other_estimate)} (panel FDR "
            f"{fdr(evidence.other_panel_padj)})"
        )
    elif main and (second or rule.alone):
        text = (
            f"The p values indicate that {claim} (panel FDR {padj}), but the 95 % interval "
            "includes 0"
        )
    elif main:
        text = (
            f"The main model indicates that {claim} (panel FDR {padj}), but the second model does "
            f"not confirm it (panel FDR {fdr(evidence.second_panel_padj)})"
        )
    elif second and not rule.alone:
        text = (
            f"Only the second model indicates that {_claim(evidence.second_estimate, rule, said)} "
            f"(panel FDR {fdr(evidence.second_panel_padj)}); the main model does not confirm it "
            f"(panel FDR {padj})"
        )
    else:
        text = _not_significant(evidence, rule, said, panel)
    text += f". Estimate: {_numbers(evidence, said)}."
    if rule.equivalence_lfc is not None:
        text += (
            f" Absence of change is not shown either: the 90 % interval ({_narrow(evidence)}) is "
            f"not within ± {rule.equivalence_lfc:g}."
        )
    return f"{text}{_outside(evidence)}"


def _not_significant(evidence: Evidence, rule: Rule, said: Phrases, panel: int) -> str:
    """Return what the main model's interval shows where no model is significant."""
    padj, bound = fdr(evidence.panel_padj), rule.lfc_threshold
    nearest = max(evidence.ci_low, -evidence.ci_high)
    if nearest > bound:
        beyond = f"is beyond ± {bound:g}" if bound > 0 else "excludes 0"
        why = (
            f"after adjustment for {panel} targets"
            if panel > 1
            else f"at a false discovery rate of {rule.alpha:g}"
        )
        return (
            f"The 95 % interval of the {said.noun} {beyond}, but the {said.noun} is not "
            f"significant {why} (panel FDR {padj})"
        )
    if nearest > 0:
        return (
            f"The 95 % interval of the {said.noun} excludes 0, but the {said.noun} is not shown to "
            f"exceed ± {bound:g} (panel FDR {padj})"
        )
    return f"The {said.noun} is not established: its 95 % interval includes 0 (panel FDR {padj})"
