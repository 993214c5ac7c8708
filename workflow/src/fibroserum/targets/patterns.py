"""Specific to a group, in both, different, or neither: never from two lists of significant genes.

That one group's change is significant and the other's is not does not make it specific (Gelman &
Stern 2006, Am Stat 60:328): the difference must be tested. That both are significant is tested by
the larger p value of the two (intersection-union; Berger 1982, Technometrics 24:295). Nor is a
smaller change that is not significant absent: a change is specific where the other is shown to be
less than half as large, and its 95 % interval does not exclude 0 on the side of the larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.intervals import sign_of_interval
from fibroserum.multiple_testing import panel_adjusted
from fibroserum.targets.phrases import number, or_more
from fibroserum.targets.sentences import fdr
from fibroserum.targets.verdict import CALLED, Rule

EACH = (
    "Each change is established separately, but a change in both groups is not (the larger p value "
    "of the two, adjusted over the panel)"
)


@dataclass(frozen=True)
class Comparison:
    """What a pattern is made of: verdict rows (index target) of a group and its reference.

    Rows have the columns of `targets`, `driven_by_one_donor` and
    `start` (the caveat of a difference about the groups' baseline, or nothing). change,
    reference_change: of the two groups' changes; difference: of their difference. less_than_half:
    targets × the two groups, the p value that the other's change is less than half as large as this
    group's; None where no difference is called. time: after, where there are several.
    """

    group: str
    reference: str
    change: pd.DataFrame
    reference_change: pd.DataFrame
    difference: pd.DataFrame
    less_than_half: pd.DataFrame | None = None
    time: str | None = None


def larger_pvalues(first: pd.DataFrame, second: pd.DataFrame, prefix: str = "") -> np.ndarray:
    """Return the larger p value of two changes, 1 where their signs differ; NaN where unfitted."""
    p = np.maximum(first[f"{prefix}pvalue"].to_numpy(float), second[f"{prefix}pvalue"])
    estimate = f"{prefix}log2FoldChange"
    same = np.sign(first[estimate].to_numpy(float)) == np.sign(second[estimate].to_numpy(float))
    return np.where(np.isfinite(p) & ~same, 1.0, p)


def pattern_table(parts: Comparison, rule: Rule) -> pd.DataFrame:
    """Return the rows of `target_patterns` for one group and its reference, a row a target."""
    both = larger_pvalues(parts.change, parts.reference_change)
    genes = parts.change["gene_id"]
    both_padj = panel_adjusted(both, genes)
    in_both = both_padj < rule.alpha
    if not rule.alone:
        second = larger_pvalues(parts.change, parts.reference_change, "second_")
        in_both &= panel_adjusted(second, genes) < rule.alpha
        for rows in (parts.change, parts.reference_change):
            signs = np.sign(rows[["log2FoldChange", "second_log2FoldChange"]].to_numpy(float))
            in_both &= signs[:, 0] == signs[:, 1]
    for rows in (parts.change, parts.reference_change):
        in_both &= ~rows["driven_by_one_donor"].to_numpy(bool)
    rows = []
    for place, target in enumerate(parts.change.index):
        half = _less_than_half(parts, target)
        pattern, specific_to, sentence = _pattern(parts, target, bool(in_both[place]), half, rule)
        rows.append(
            {
                "target": target,
                **({} if parts.time is None else {"time": parts.time}),
                "group": parts.group,
                "reference": parts.reference,
                "pattern": pattern,
                "specific_to": specific_to,
                "both_pvalue": both[place],
                "both_panel_padj": both_padj[place],
                "difference_pvalue": parts.difference.loc[target, "pvalue"],
                "difference_panel_padj": parts.difference.loc[target, "panel_padj"],
                "less_than_half_pvalue": half,
                "sentence": sentence,
            }
        )
    return pd.DataFrame(rows)


def _less_than_half(parts: Comparison, target: str) -> float:
    """Return the p value that the smaller change is less than half the larger; NaN where no claim.

    It is asked where the difference is called.
    """
    if parts.less_than_half is None or parts.difference.loc[target, "verdict"] not in CALLED:
        return np.nan
    own, other = (
        abs(rows.loc[target, "log2FoldChange"]) for rows in (parts.change, parts.reference_change)
    )
    return float(parts.less_than_half.loc[target, parts.group if own > other else parts.reference])


def _larger(main: float, second: float) -> str:
    """Return the adjusted p value on which a verdict rests: the larger of both models'."""
    if not np.isfinite(second):
        return fdr(main)
    return f"{fdr(np.fmax(main, second))}, the larger of both models"


def _pattern(
    parts: Comparison, target: str, in_both: bool, half: float, rule: Rule
) -> tuple[str, str | None, str]:
    own, other = parts.change.loc[target], parts.reference_change.loc[target]
    difference = parts.difference.loc[target]
    if not np.isfinite([own["pvalue"], other["pvalue"], difference["pvalue"]]).all():
        return (
            "not_assessable",
            None,
            "It has no p value in at least one of the three contrasts that this needs.",
        )
    seen = _Seen(
        parts.group,
        parts.reference,
        float(own["log2FoldChange"]),
        float(other["log2FoldChange"]),
        frozenset(
            name
            for name, row in ((parts.group, own), (parts.reference, other))
            if row["verdict"] in CALLED
        ),
        difference["verdict"] in CALLED,
        _larger(difference["panel_padj"], difference["second_panel_padj"]),
        frozenset(
            name
            for name, row in ((parts.group, own), (parts.reference, other))
            if sign_of_interval(row["ci_low"], row["ci_high"])
        ),
        half < rule.alpha,
        frozenset()
        if rule.equivalence_lfc is None
        else frozenset(
            name
            for name, row in ((parts.group, own), (parts.reference, other))
            if row["verdict"] != "no_change"
        ),
        float(difference["detectable_lfc"]),
    )
    # the caveat about the groups' baseline (`baseline.with_clauses`)
    start = f" {difference['start']}" if difference["start"] else ""
    if in_both:
        return "both", None, f"{seen.both()}{start}"
    if not seen.differs:
        return "neither", None, f"{seen.neither()}{start}"
    pattern, specific_to, text = seen.different()
    return pattern, specific_to, f"{text}{start}"


@dataclass(frozen=True)
class _Seen:
    """Two groups' changes of one target (log2), which of them are called, and their difference.

    clear: the groups whose change has a 95 % interval that excludes 0. less_than_half: whether the
    smaller change is shown to be less than half the larger. not_negligible: where an equivalence
    bound is set, the groups without the verdict `no_change`. detectable: the difference that 80 %
    of studies of this size would detect, NaN where it is unknown.
    """

    group: str
    reference: str
    own: float
    other: float
    called: frozenset[str]
    differs: bool
    padj: str
    clear: frozenset[str]
    less_than_half: bool
    not_negligible: frozenset[str]
    detectable: float

    @property
    def numbers(self) -> str:
        return (
            f"log2 fold change {number(self.own)} in {self.group} and {number(self.other)} in "
            f"{self.reference}"
        )

    def both(self) -> str:
        """Return the sentence of a change that both groups share."""
        word = "rises" if self.own > 0 else "falls"
        more = self.group if abs(self.own) > abs(self.other) else self.reference
        extent = (
            f"It {word} more in {more}"
            if self.differs
            else "A difference between the groups is not established"
        )
        return (
            f"It {word} in both groups ({self.numbers}). {extent} (panel FDR of the difference "
            f"{self.padj})."
        )

    def neither(self) -> str:
        """Return the sentence where no difference is established, and no shared change either."""
        alone = ""
        if len(self.called) == 1:
            (name,) = self.called
            rest = self.reference if name == self.group else self.group
            alone = (
                f" The change in {name} is established and the change in {rest} is not, which does "
                "not show that they differ."
            )
        elif len(self.called) == 2 and self.own * self.other > 0:
            alone = f" {EACH}."
        alike = " This does not show that the changes are alike"
        if np.isfinite(self.detectable):
            alike += (
                f": 80 % of studies of this size would detect a difference of "
                f"{or_more(self.detectable)}"
            )
        return (
            "A difference between the groups' changes is not established "
            f"({self.numbers}; panel FDR of the difference {self.padj}).{alike}.{alone}"
        )

    def different(self) -> tuple[str, str | None, str]:
        """Return the pattern of changes that differ, the group it is specific to, the sentence."""
        differ = (
            f"The changes differ between {self.group} and {self.reference} ({self.numbers}; panel "
            f"FDR {self.padj})."
        )
        larger, smaller = self.group, self.reference
        if abs(self.own) <= abs(self.other):
            larger, smaller = smaller, larger
        only = f"Only the change in {larger} is established separately"
        if self.called == {larger} and smaller in self.clear and self.own * self.other > 0:
            why = f"{only}, but the 95 % interval of the change in {smaller} excludes 0"
        elif self.called == {larger} and not self.less_than_half:
            why = f"{only}, but the change in {smaller} may be half as large or larger"
        elif self.called == {larger} and smaller in self.not_negligible:
            why = f"{only}, but the change in {smaller} is not shown to be negligible"
        elif self.called == {larger}:
            text = f"{differ} {only}, and the change in {smaller} is less than half as large."
            return "specific", larger, text
        elif self.called == {smaller}:
            why = (
                f"Only the change in {smaller} is established separately, although the estimate in "
                f"{larger} is larger"
            )
        elif not self.called:
            why = "Neither group's change is established separately"
        elif self.own * self.other < 0:
            why = "The groups change in opposite directions"
        else:
            why = EACH
        return "differ", None, f"{differ} {why}."
