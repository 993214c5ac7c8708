"""Sentences at the top of the page on the design of a run, and on counts of calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from fibroserum.cohort.contrasts import Contrast, averaged_groups, effects_of
from fibroserum.errors import listed
from fibroserum.report.loading import RunTables

# A group has many calls beside another, and their difference few, where the one has so many times
# as many and at least so many, and the difference at most this share of the surplus.
MANY_TIMES, LEAST_CALLS, FEW_SHARE = 2, 20, 0.05


def words_of_design(run: RunTables, config: Mapping[str, Any]) -> list[str]:
    """Return a sentence or two on each part of the design that goes beyond two times and groups."""
    return [
        *_not_compared(run),
        *_control(run),
        *_own_contrasts(run),
        *_only_before(run),
        *_ignored(run, config["design"]["ignore_times"]),
    ]


def _changing(run: RunTables) -> list[str]:
    return [group for group in run.groups if group not in run.settings["only_before"]]


def _not_compared(run: RunTables) -> Iterator[str]:
    """Say which two groups' changes no contrast compares."""
    compared = {frozenset(one.groups) for one in run.planned if _compares_two_changes(one)}
    lost = [pair for pair in combinations(_changing(run), 2) if frozenset(pair) not in compared]
    if lost:
        reference = run.groups[0]
        others = [group for group in _changing(run) if group != reference]
        pairs = [f"{later} against {earlier}" for earlier, later in lost]
        without = f"The reference group {reference} has no sample after, so it has no change. "
        compared_with = f"{_joined(others)} are each compared with {reference}. "
        yield (
            f"{compared_with if reference in _changing(run) else without}"
            f"{listed(pairs, 6, quote='')} {'is' if len(pairs) == 1 else 'are'} not in this run. "
            "To compare every two groups, write differences: pairwise in the config."
        )


def _compares_two_changes(contrast: Contrast) -> bool:
    return contrast.model == "paired" and sorted(w for _, w in contrast.weights) == [-1, 1]


def _control(run: RunTables) -> Iterator[str]:
    control = run.settings["control"]
    averaged = averaged_groups(_changing(run), control)
    if control and len(averaged) > 1:
        yield f"{control} is the control group: averages are over {_joined(averaged)}."


def _own_contrasts(run: RunTables) -> Iterator[str]:
    effects = effects_of(run.planned, control=run.settings["control"])
    own = [f"{one.name} is {effects[one.name]}" for one in run.planned if one.kind == "own"]
    if own:
        noun = "contrast" if len(own) == 1 else "contrasts"
        yield f"Own {noun} of the config: {'; '.join(own)}."


def _only_before(run: RunTables) -> Iterator[str]:
    groups, before = run.settings["only_before"], run.settings["before"]
    if groups:
        verb, pronoun = ("was", "It is") if len(groups) == 1 else ("were", "They are")
        yield (
            f"{_joined(groups)} {verb} measured only at {before}. "
            f"{pronoun} used only in the comparisons before the intervention."
        )


def _ignored(run: RunTables, times: list[str]) -> Iterator[str]:
    lost = int(run.samples["time"].isin(times).sum())
    if lost:
        verb = "is" if lost == 1 else "are"
        yield (
            f"{lost} {'sample' if lost == 1 else 'samples'} at {_joined(times)} {verb} left out, "
            "because design.ignore_times lists this time point."
        )


def calls_compared(run: RunTables) -> list[str]:
    """Return a sentence on each difference that finds little where one group has many more calls.

    More calls in one group than in another are often a matter of donors and variance. Only the
    difference contrast tests whether the changes differ (Gelman and Stern 2006).
    """
    rows = run.contrasts[run.contrasts["status"] == "estimated"].set_index("contrast")
    calls = (rows["up"] + rows["down"]).astype(int).to_dict()
    changes = {(c.group, c.time): c.name for c in run.planned if c.kind == "change"}
    found = []
    for one in run.planned:
        pair = [changes.get((group, one.time)) for group in (one.group, one.reference)]
        if one.kind != "difference" or not {one.name, *pair} <= set(calls):
            continue
        of = {one.group: calls[pair[0]], one.reference: calls[pair[1]]}
        fewer, more = sorted(of, key=of.__getitem__)
        surplus, differing = of[more] - of[fewer], calls[one.name]
        if of[more] < max(LEAST_CALLS, MANY_TIMES * of[fewer]) or differing > FEW_SHARE * surplus:
            continue
        at = f" at {one.time}" if len(run.times) > 1 else ""
        few = "calls none" if not differing else f"calls {differing:,}"
        found.append(
            f"More genes are called in {more} than in {fewer}{at} ({of[more]:,} and "
            f"{of[fewer]:,}). This is not evidence of a difference: the difference contrast {few}."
        )
    return found


def pairs_of_groups(run: RunTables) -> list[dict[str, Any]]:
    """Return of each group its complete pairs, by time after: group, counts (time and pairs)."""
    pairs = run.contrasts.set_index("contrast")["pairs"]
    return [
        {
            "group": group,
            "counts": [
                {"time": one.time, "pairs": int(pairs[one.name])}
                for one in run.planned
                if one.kind == "change" and one.group == group
            ],
        }
        for group in _changing(run)
    ]


def _joined(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
