"""From a row of the table that decides a link to the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from typing import Any

from fibroserum.chain.links import Link, link_of
from fibroserum.chain.sentences import change_words, slope_words
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.intervals import Estimate, sign_of_interval

Row = Mapping[str, Any]


def gene_change(row: Row) -> Link:
    """Return a target's own change, called where its headline is. row: of `targets`."""
    words = f"{row['target']}: {row['reason']}"
    return link_of(row, words, called=row["headline"] != "none", estimate="log2FoldChange")


def outcome_slope(row: Row) -> Link:
    """Return a target's slope on an outcome. row: of `outcome_targets`, question `change`."""
    words = f"{row['target']}: {row['reason'].removeprefix('Not assessed: ')}"
    return link_of(row, words, called=row["call"] != "none", estimate="slope")


def outcome_change_link(
    name: str, found: Estimate, label: str, scale: str, *, compared: bool
) -> Link:
    """Return an outcome's own change, called where its 95 % interval excludes 0."""
    link = Link(*found, called=bool(sign_of_interval(found.low, found.high)))
    if not link.measured:
        return Link(words=f"a group of the contrast has no known change of {name}")
    unit = " log2" if scale == "log2" else ""
    return replace(link, words=change_words(name, link, label, unit, compared=compared))


def level_change(name: str, row: Row | None, label: str, *, compared: bool) -> Link:
    """Return the change of a factor's level.

    row: of `serum_panel`, whose call over all molecules decides, or of `factor_levels`, where the
    95 % interval does; None where the contrast has none.
    """
    if row is None:
        only = "only in contrasts of one group's change or of the difference of two"
        return Link(words=f"the change of a level of the sample sheet is estimated {only}")
    if isnan(row["change_log2"]):
        return Link(words=row.get("reason") or f"too few pairs have a usable level of {name}")
    called = sign_of_interval(row["ci_low"], row["ci_high"]) != 0
    if "call" in row:
        called = row["call"] in ("up", "down")
    link = link_of(row, called=bool(called), estimate="change_log2")
    subject = f"the level of {name}"
    return replace(link, words=change_words(subject, link, label, " log2", compared=compared))


def panel_slope(name: str, row: Row, alpha: float) -> Link:
    """Return a target's slope on a molecule of the panel. row: of `serum_panel_targets`."""
    if isnan(row["slope"]):
        return Link(words=row["reason"])
    link = link_of(row, called=row["padj"] < alpha, estimate="slope")
    rests = f"FDR {row['padj']:.2g} over molecules and targets, {row['donors']} donors"
    return replace(link, words=slope_words(name, row["target"], link, rests))


def sheet_slope(name: str, target: str, slope: Row | None, gene: Row | None) -> Link:
    """Return a target's slope on a level of the sample sheet.

    slope: of the factor's `SerumModel`; gene: of `factors`, whose call decides where its direction
    is that of the slope. None where there is no such row.
    """
    if slope is None or gene is None or isnan(slope["serum_slope"]):
        return Link(words=f"no slope of {target} on the level of {name} was estimated")
    agrees = gene["direction"] == ("induced" if slope["serum_slope"] > 0 else "suppressed")
    called = agrees and gene["call"] in RESPONSIVE
    link = link_of(slope, called=called, estimate="serum_slope", pvalue="serum_pvalue")
    call = str(gene["call"]).replace("_", " ")
    rests = f"{call}, {gene['direction']}, over all genes (evidence: {gene['evidence']})"
    return replace(link, words=slope_words(name, target, link, rests))
