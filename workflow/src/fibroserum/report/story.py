"""The story of a run: one paragraph of at most 120 words, made from its results.

In this order: how many donors; what changed; the verdict on the first target in up to three
contrasts; what the first factor did and how many of its responsive genes changed as predicted; the
gene sets; one caution, the first that applies in the order of `_cautions`. docs/methods.md
describes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fibroserum.cohort.contrasts import SINGLE_GROUP, Contrast
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.report.loading import RunTables
from fibroserum.targets.phrases import number, phrases

MOST_WORDS = 120
#: Contrasts of which the story gives numbers.
MOST_CONTRASTS = 3
#: Groups whose pairs the story gives; of more, only the total.
MOST_GROUPS = 4
#: Complete pairs below which only large changes can be found.
FEW_PAIRS = 6
#: Of a verdict that holds in its contrast, and not after correction over all contrasts.
NOT_OVERALL = "not established over all contrasts"
_WORDS = {
    "inconclusive": "inconclusive",
    "no_change": "no relevant change",
    "untestable": "not testable",
    "absent": "not in the counts",
}


def story(run: RunTables, summary: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the story of a run.

    summary: as `report.summary.summary` makes it, without the story; config: the resolved config.
    The numbers of contrasts are as many as fit into MOST_WORDS, three at most.
    """
    for most in range(MOST_CONTRASTS, 0, -1):
        sentences = [
            _donors(run, summary),
            _changed(run, summary, most),
            _target(run, summary, most),
            _factor(run, config),
            _matrix(run, summary, most),
            next(_cautions(run, summary, config)),
        ]
        text = " ".join(filter(None, sentences))
        if len(text.split()) <= MOST_WORDS:
            return text
    return " ".join([*text.split()[: MOST_WORDS - 1], "…"])


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _in_order(run: RunTables) -> list[Contrast]:
    """Return the contrasts by what readers ask first.

    Changes of groups with an intervention, differences between changes, the change of the
    reference, then all others.
    """
    first = run.groups[0]

    def rank(one: Contrast) -> int:
        if one.kind == "change":
            return 2 if one.group == first and len(run.groups) > 1 else 0
        return {"difference": 1, "own": 3, "dose": 3}.get(one.kind, 4)

    return sorted(run.planned, key=rank)


def _where(run: RunTables, one: Contrast) -> str:
    """Return where a contrast looks, to follow a verdict."""
    at = f" at {one.time}" if len(run.times) > 1 and one.time else ""
    if one.kind == "change":
        return f"after the intervention{at}" if one.group == SINGLE_GROUP else f"in {one.group}{at}"
    if one.kind == "difference":
        return f"for {one.group} minus {one.reference}{at}"
    if one.kind == "average":
        return f"on average over groups{at}"
    if one.kind == "baseline":
        return f"before the intervention ({one.group} against {one.reference})"
    return f"in {one.name}"


def _donors(run: RunTables, summary: Mapping[str, Any]) -> str:
    pairs = {str(group): count for group, count in summary["pairs"].items() if count}
    donors = run.obs["donor"].nunique()
    told = f"{donors} {_plural('donor', donors)}"
    if len(run.times) > 1:
        # a donor may lack one of the times, so each time has its own pairs
        at: Counter[str] = Counter()
        for one in run.planned:
            if one.kind == "change" and one.time:
                at[one.time] += summary["contrasts"][one.name]["pairs"] or 0
        low, high = min(at.values()), max(at.values())
        if len(at) <= MOST_GROUPS:
            by_time = ", ".join(f"{count} at {time}" for time, count in at.items())
        else:
            by_time = f"{low} to {high} at each of {len(at)} times"
        return f"{told}; complete pairs: {by_time}."
    total = sum(pairs.values())
    noun = _plural("pair", total)
    if len(pairs) == 1 or len(pairs) > MOST_GROUPS:
        return f"{told}, {total} complete {noun}."
    by_group = ", ".join(f"{count} in {group}" for group, count in pairs.items())
    return f"{told}, {total} complete {noun} ({by_group})."


def _changed(run: RunTables, summary: Mapping[str, Any], most: int) -> str:
    counts = {
        one: (summary["contrasts"][one.name]["up"] or 0)
        + (summary["contrasts"][one.name]["down"] or 0)
        for one in _in_order(run)
        if one.kind in ("change", "difference")
        and summary["contrasts"][one.name]["status"] == "estimated"
    }
    if not counts:
        return "No change could be estimated."
    if not any(counts.values()):
        return "No gene is called in any change or difference between changes."
    shown = list(counts.items())[:most]
    parts = [f"{count or 'none'} {_where(run, one)}" for one, count in shown]
    first = next((n for n, (one, _) in enumerate(shown) if one.kind == "difference"), None)
    if first is not None:
        parts[first] += " (difference between the changes)"
    told = ", ".join(parts)
    others = len(counts) - most
    more = f", and {others} more {_plural('contrast', others)}" if others > 0 else ""
    return f"Genes called: {told}{more}."


def _target(run: RunTables, summary: Mapping[str, Any], most: int) -> str:
    name, rows = summary["target"]["name"], summary["target"]["contrasts"]
    if not name:
        return "No target was declared."
    known = [one for one in _in_order(run) if one.name in rows]
    called = [one for one in known if rows[one.name]["headline"] in ("up", "down")]
    order = [*called, *(one for one in known if one not in called)]
    if all(rows[one.name]["verdict"] == "absent" for one in order):
        return f"{name} is not in the counts."
    parts: list[str] = []
    for one in order[:most]:
        row = rows[one.name]
        word = _verdict(run, one, rows)
        numbers = ""
        if row["log2FoldChange"] is not None and row["ci_low"] is not None:
            title = "" if any("interval" in part for part in parts) else "log2 fold change "
            wide = f"{number(row['ci_low'])} to {number(row['ci_high'])}"
            numbers = f" ({title}{number(row['log2FoldChange'])}, "
            numbers += f"{'95 % interval ' if title else ''}{wide})"
        parts.append(f"{word}{numbers}")
    rest = Counter(_in_short(rows[one.name]) for one in order[most:])
    if rest:
        counted = ", ".join(f"{count} {words}" for words, count in rest.items())
        if len(rest) == 1:
            counted = ("all " if rest.total() > 1 else "") + next(iter(rest))
        parts.append(f"and {rest.total()} more ({counted})")
    return f"{name}: {'; '.join(parts)}."


def _in_short(row: Mapping[str, Any]) -> str:
    if row["verdict"] not in ("up", "down"):
        return _WORDS[row["verdict"]]
    return row["verdict"] if row["headline"] != "none" else f"{row['verdict']} but {NOT_OVERALL}"


def _verdict(run: RunTables, one: Contrast, rows: Mapping[str, Mapping[str, Any]]) -> str:
    row = rows[one.name]
    if row["verdict"] not in ("up", "down"):
        return f"{_WORDS[row['verdict']]} {_where(run, one)}"
    changes = {
        other.group: rows[other.name]["log2FoldChange"]
        for other in run.planned
        if other.kind == "change" and other.time == one.time and other.name in rows
    }
    said = phrases(
        one,
        changes.get(one.group),
        changes.get(one.reference),
        several=len(run.times) > 1,
        control=bool(run.settings["control"]),
    )
    clause = said.of(1 if row["verdict"] == "up" else -1).removeprefix("it ")
    return clause if row["headline"] != "none" else f"{clause}, but this is {NOT_OVERALL}"


def _factor(run: RunTables, config: Mapping[str, Any]) -> str:
    """Return what the first factor did, and how many of its responsive genes went along."""
    for name in config["factors"]:
        genes = run.factors[run.factors["factor"] == name]
        if (genes["call"] == "not_assessable").all():
            continue
        responsive = int(genes["call"].isin(RESPONSIVE).sum())
        levels = run.levels[run.levels["factor"] == name].set_index("contrast")
        shown = [
            one
            for one in _in_order(run)
            if one.kind == "change"
            and one.name in levels.index
            and (levels.at[one.name, "ci_low"] > 0 or levels.at[one.name, "ci_high"] < 0)
        ]
        if not shown:
            measured = levels["change_log2"].notna().any()
            level = "no change of its level is shown" if measured else "its level was not measured"
            respond = "gene responds" if responsive == 1 else "genes respond"
            return f"{name}: {level}; {responsive} {respond} to it."
        one = shown[0]
        change = float(levels.at[one.name, "change_log2"])
        verb = "rose" if change > 0 else "fell"
        text = f"{name} {verb} {_where(run, one)} (log2 {number(change)})"
        # without the targets, as in flags/factor_sets.tsv
        rows = run.concordance[
            (run.concordance["factor"] == name)
            & (run.concordance["contrast"] == one.name)
            & ~run.concordance["gene_id"].isin(run.targets["gene_id"].dropna())
        ]
        if rows.empty:
            return f"{text}; no gene other than a target is called responsive to it."
        predicted = np.where(rows["direction"] == "induced", 1, -1) * np.sign(change)
        agree = int((np.sign(rows["log2FoldChange"].astype(float)) == predicted).sum())
        told = (
            f"{text}; {agree} of {len(rows)} responsive genes other than targets changed as this "
            "predicts"
        )
        # the test of flags/factor_sets.tsv: a count alone shows no shift where genes correlate
        tested = run.sets[(run.sets["factor"] == name) & (run.sets["contrast"] == one.name)]
        if (tested["fry_pvalue"].astype(float) < config["differential_expression"]["alpha"]).any():
            return f"{told}."
        return f"{told}, but no common shift of them is shown."
    return ""


def _matrix(run: RunTables, summary: Mapping[str, Any], most: int) -> str:
    if not summary["gene_sets"]["collection"]:
        return ""
    rows = summary["gene_sets"]["contrasts"]
    changes = [one for one in _in_order(run) if one.kind == "change" and one.name in rows]
    counts = {one: {way: len(rows[one.name][way]) for way in rows[one.name]} for one in changes}
    if not any(sum(count.values()) for count in counts.values()):
        return "No matrix gene set is called."
    told = "; ".join(
        (", ".join(f"{n} {way}" for way, n in count.items() if n) or "none")
        + f" {_where(run, one)}"
        for one, count in list(counts.items())[:most]
    )
    more = f"; and {len(counts) - most} more changes" if len(counts) > most else ""
    return f"Matrix gene sets: {told}{more}."


def _cautions(
    run: RunTables, summary: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the cautions that apply, the most important first; the last one always applies."""
    lost = [
        name
        for name, row in summary["contrasts"].items()
        if row["status"] == "not_estimable" and not row["kind"].startswith("dose")
    ]
    if lost:
        yield f"Caution: {len(lost)} {_plural('contrast', len(lost))} could not be estimated."
    for one in _in_order(run):
        row = summary["target"]["contrasts"].get(one.name)
        if row and row["headline"] in ("up", "down") and row["needs"]:
            first, *others = row["needs"]
            donors = f"any one of {1 + len(others)} donors" if others else f"donor {first}"
            yield (
                f"Caution: without {donors} {summary['target']['name']} would not be called "
                f"{_where(run, one)}."
            )
    few = {group: count for group, count in summary["pairs"].items() if 0 < count < FEW_PAIRS}
    if few:
        group, count = min(few.items(), key=lambda item: item[1])
        where = "this cohort" if group == SINGLE_GROUP else group
        if count == 1:
            yield f"Caution: {where} has only one pair, which is not enough for a verdict."
        yield f"Caution: with {count} pairs in {where}, only large changes show."
    warnings = run.checks[run.checks["level"] == "warning"]
    if len(warnings):
        first = warnings.iloc[0]
        subject = f", {first['subject']}" if first["subject"] else ""
        count = "1 warning (" if len(warnings) == 1 else f"{len(warnings)} warnings (first: "
        yield f"Caution: quality control has {count}{first['check']}{subject})."
    if len(run.groups) > 1 and config["design"]["randomised"] is False:
        yield "Caution: donors were not randomised, so groups may differ for other reasons."
    if len(run.groups) > 1 and config["design"]["randomised"] is None:
        yield "Caution: the config does not say whether donors were randomised to groups."
    lines = [line for line in run.settings["lines"] if line]
    if len(lines) > 1:
        yield f"Caution: the conclusions hold for the {len(lines)} cell lines used."
    yield "Caution: the conclusions hold for the cells used."
