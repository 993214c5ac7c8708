"""Specific to a group, in both groups, or neither: never from two lists of significant genes.

That one group's change is significant and the other's is not does not make it specific (Gelman &
Stern 2006, Am Stat 60:328): the difference must be tested. That both are significant is tested by
the larger p value of the two (intersection-union; Berger 1982, Technometrics 24:295).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.de import benjamini_hochberg
from fibroserum.targets.verdict import Rule
from fibroserum.targets.words import fdr, number


@dataclass(frozen=True)
class Comparison:
    """What a pattern is made of: verdict rows (index target) of a group and its reference.

    Rows have the columns of `targets` and `held_back` (whether one donor stands behind a finding);
    change, reference_change: of the two groups' changes; difference: of their difference.
    """

    group: str
    reference: str
    change: pd.DataFrame
    reference_change: pd.DataFrame
    difference: pd.DataFrame


def larger_pvalues(first: pd.DataFrame, second: pd.DataFrame, prefix: str = "") -> np.ndarray:
    """Return the larger p value of two changes, 1 where their signs differ; NaN where unfitted."""
    p = np.maximum(first[f"{prefix}pvalue"].to_numpy(float), second[f"{prefix}pvalue"])
    estimate = f"{prefix}log2FoldChange"
    same = np.sign(first[estimate].to_numpy(float)) == np.sign(second[estimate].to_numpy(float))
    return np.where(np.isfinite(p) & ~same, 1.0, p)


def _panel(pvalues: np.ndarray, genes: pd.Series) -> np.ndarray:
    """Return BH over the panel's genes, a gene that two targets name counted once."""
    unique = pd.Series(pvalues, index=genes.to_numpy())[lambda p: ~p.index.duplicated()]
    adjusted = pd.Series(benjamini_hochberg(unique.to_numpy(float)), index=unique.index)
    return adjusted.reindex(genes.to_numpy()).to_numpy()


def pattern_table(parts: Comparison, rule: Rule) -> pd.DataFrame:
    """Return the rows of `target_patterns` for one group and its reference, a row a target."""
    both = larger_pvalues(parts.change, parts.reference_change)
    genes = parts.change["gene_id"]
    both_padj = _panel(both, genes)
    in_both = both_padj < rule.alpha
    if not rule.alone:
        second = larger_pvalues(parts.change, parts.reference_change, "second_")
        in_both &= _panel(second, genes) < rule.alpha
        for rows in (parts.change, parts.reference_change):
            signs = np.sign(rows[["log2FoldChange", "second_log2FoldChange"]].to_numpy(float))
            in_both &= signs[:, 0] == signs[:, 1]
    for rows in (parts.change, parts.reference_change):
        in_both &= ~rows["held_back"].to_numpy(bool)
    rows = []
    for place, target in enumerate(parts.change.index):
        pattern, specific_to, sentence = _pattern(parts, target, bool(in_both[place]))
        rows.append(
            {
                "target": target,
                "group": parts.group,
                "reference": parts.reference,
                "pattern": pattern,
                "specific_to": specific_to,
                "both_pvalue": both[place],
                "both_panel_padj": both_padj[place],
                "difference_pvalue": parts.difference.loc[target, "pvalue"],
                "difference_panel_padj": parts.difference.loc[target, "panel_padj"],
                "sentence": sentence,
            }
        )
    return pd.DataFrame(rows)


def _pattern(parts: Comparison, target: str, in_both: bool) -> tuple[str, str | None, str]:
    own, other = parts.change.loc[target], parts.reference_change.loc[target]
    difference = parts.difference.loc[target]
    group, reference = parts.group, parts.reference
    if not np.isfinite([own["pvalue"], other["pvalue"], difference["pvalue"]]).all():
        return (
            "not_assessable",
            None,
            "It has no p value in one of the three contrasts that this needs.",
        )
    differs = difference["verdict"] in ("up", "down")
    numbers = (
        f"log2 fold change {number(own['log2FoldChange'])} in {group} and "
        f"{number(other['log2FoldChange'])} in {reference}"
    )
    q = fdr(difference["panel_padj"])
    if in_both:
        word = "rises" if own["log2FoldChange"] > 0 else "falls"
        more = abs(own["log2FoldChange"]) > abs(other["log2FoldChange"])
        extent = (
            f"more strongly in {group if more else reference} (panel FDR of the difference {q})"
            if differs
            else f"and the groups do not differ detectably (panel FDR of the difference {q})"
        )
        return "both", None, f"It {word} in both groups ({numbers}), {extent}."
    if not differs:
        text = f"No claim about groups: the difference of the changes is not established ({numbers}"
        return "neither", None, f"{text}; panel FDR of the difference {q})."
    called = {
        name: row["verdict"] in ("up", "down") for name, row in ((group, own), (reference, other))
    }
    larger = group if abs(own["log2FoldChange"]) > abs(other["log2FoldChange"]) else reference
    smaller = reference if larger == group else group
    told = f"The changes differ between {group} and {reference} ({numbers}; panel FDR {q})"
    if called[larger] and not called[smaller]:
        return "specific", larger, f"{told}, and only the one in {larger} is itself established."
    if called[larger] and np.sign(own["log2FoldChange"]) != np.sign(other["log2FoldChange"]):
        return "specific", None, f"{told}; each group changes in its own direction."
    text = f"{told}; whose change makes the difference, the data do not say."
    return "specific", None, text
