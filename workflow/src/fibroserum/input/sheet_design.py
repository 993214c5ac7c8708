"""What can be wrong with a sheet's design: donors, groups, times, lines, pools and pairs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, Problem, either, listed, nearest, number_of
from fibroserum.files.table import place, rows_text
from fibroserum.input.names import name_clashes
from fibroserum.input.sheet import (
    DESIGN_KEYS,
    IGNORED,
    MISSING,
    MISSING_ID,
    MISSING_LEVEL,
    compared_and_ignored,
    empty_cells,
    folded,
    is_pool,
    times_after,
    variants,
)


def design_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> list[Problem]:
    """Return problems with donors, groups, times, lines; with pairs where those are sound."""
    problems: list[Problem] = []
    present = [key for key in DESIGN_KEYS if design[key] in sheet.columns]
    named = [design["before"], *times_after(design), design["reference_group"]]
    for key in present:
        missing = MISSING_ID if key == "donor" else MISSING_LEVEL
        problems += empty_cells(sheet, design[key], missing, named)
        problems += variants(sheet, design[key])
    if "time" in present:
        problems += _level_problems(sheet, design)
    if not design["group"] or "group" in present:
        problems += _group_problems(sheet, design)
    # a column of another meaning is refused with the config
    if design.get("pool") in set(sheet.columns) - {design[key] for key in DESIGN_KEYS}:
        problems += _pool_problems(sheet, design)
    wanted = {key for key in ("donor", "group", "time") if design[key]}
    # a time that is compared and ignored is refused with the config
    if compared_and_ignored(design):
        return problems
    if not problems and wanted <= set(present):
        problems += _crossover_problems(sheet, design)
        problems += _pair_problems(sheet, design)
        if "line" in present:
            problems += _line_problems(sheet, design)
    return problems


def _level_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    column, later = design["time"], times_after(design)
    levels = [level for level in dict.fromkeys(sheet[column]) if level.strip()]
    ignored = {time for *_, time in sheet.attrs.get(IGNORED, {}).values()}
    asked = [("before", design["before"]), *(("after", level) for level in later)]
    unknown = [(key, level) for key, level in asked if level not in {*levels, *ignored}]
    for key, level in unknown:
        others = [name for name in levels if name not in {other for _, other in asked}]
        yield Problem(
            f"no sample has the level '{level}' that design.{key} names",
            place(sheet, column=column),
            "a level of this column",
            _as_list(level, levels) or nearest(level, others or levels),
        )
    for level in design.get("ignore_times", ()):
        if level not in ignored and level not in (design["before"], *later):
            yield Problem(
                f"no sample has the level '{level}' that design.ignore_times names",
                place(sheet, column=column),
                "a level of this column",
                nearest(level, levels),
            )
    if unknown or design["before"] in later or ignored & {level for _, level in asked}:
        return
    keys = {folded(level) for _, level in asked}
    for level in levels:
        if folded(level) not in keys:
            rows = [row for row, value in enumerate(sheet[column]) if value == level]
            named = [f"'{name}'" for _, name in asked]
            yield Problem(
                f"the level '{level}' ({rows_text(sheet, rows)}) is in neither design.before nor "
                "design.after",
                place(sheet, column=column),
                either(named),
                f"{_misspelt(level, [name for _, name in asked])}To exclude these samples, add "
                f"the level to design.ignore_times. To compare it with '{design['before']}', "
                "add it to design.after.",
            )


def _as_list(text: str, levels: Sequence[str]) -> str:
    """Return what to write for levels that are in one text, or nothing."""
    parts = [part.strip() for part in text.strip("[] ").split(",")]
    if len(parts) < 2 or not set(parts) <= set(levels):
        return ""
    return f"Write it as a list, without quotes: [{', '.join(parts)}]."


def _misspelt(level: str, names: Sequence[str]) -> str:
    """Return which of the names a level may be, and a space; week16 is not a misspelt week8."""
    digits = re.findall(r"[0-9]+", level)
    if digits:
        names = [name for name in names if re.findall(r"[0-9]+", name) == digits]
    return f"{nearest(level, names)} " if names else ""


def _group_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    column, reference = design["group"], design["reference_group"]
    if not column:
        if reference:
            what = f"design.reference_group is '{reference}', but design.group is null"
            yield Problem(what, "config, design", "a group column, or no reference group")
        return
    groups = [name for name in dict.fromkeys(sheet[column]) if name.strip()]
    if reference and reference not in groups:
        yield Problem(
            f"no sample has the group '{reference}' that design.reference_group names",
            place(sheet, column=column),
            "a group of the sample sheet",
            nearest(reference, groups),
        )
    elif not reference and len({folded(name) for name in groups}) > 1:
        yield Problem(
            f"design.reference_group is missing, but there are {len(groups)} groups",
            "config, design",
            "the group that the others are compared with",
            f"Valid: {listed(groups, 8)}.",
        )
    apart = {folded(name): name for name in groups}  # variants in case are said elsewhere
    yield from name_clashes(list(apart.values()), place(sheet, column=column), "group names")


def _pool_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for cells that say no pool size, and for donors that are pool and person."""
    column, donor = design["pool"], design["donor"]
    yield from empty_cells(sheet, column, MISSING)
    said = sheet[column].map(is_pool)
    given = ~sheet[column].str.strip().str.lower().isin(MISSING)
    wrong = np.flatnonzero(given & said.isna())
    for row in wrong[:SHOWN]:
        what = f"'{sheet[column].iloc[row]}' does not say how many sera were pooled"
        expected = "the number of sera (1 means no pool), or yes or no"
        yield Problem(what, place(sheet, int(row), column), expected)
    if len(wrong) > SHOWN:
        rest = f"{number_of(len(wrong) - SHOWN, 'more cell')} with the same problem"
        yield Problem(rest, place(sheet, column=column))
    if donor not in sheet.columns:
        return
    kinds = said[said.notna()].groupby(sheet[donor], sort=False).nunique()
    for name in kinds.index[kinds > 1][:SHOWN]:
        rows = [row for row, value in enumerate(sheet[donor]) if value == name]
        who = f"the donor '{name}' ({rows_text(sheet, rows)})"
        what = f"{who} is a pool in one sample but not in another"
        yield Problem(what, place(sheet, column=column), "one kind of serum per donor")


def _crossover_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    if not design["group"]:
        if design["crossover"]:
            what = "design.crossover is true, but design.group is null"
            yield Problem(
                what, "config, design", "a column of groups, because a crossover compares groups"
            )
        return
    groups = _values_of(sheet, design["donor"], design["group"])
    several = {donor: names for donor, names in groups.items() if len(names) > 1}
    if design["crossover"] and not several:
        yield Problem(
            "design.crossover is true, but no donor is in two groups",
            place(sheet, column=design["donor"]),
            "the same donors in several groups",
            "Write 'crossover: false'.",
        )
    if design["crossover"]:
        return
    for donor, names in itertools.islice(several.items(), SHOWN):
        rows = [row for row, value in enumerate(sheet[design["donor"]]) if value == donor]
        yield Problem(
            f"the donor '{donor}' ({rows_text(sheet, rows)}) is in the groups {listed(names)}",
            place(sheet, column=design["donor"]),
            "each donor in one group",
            "If the study is a crossover, write 'crossover: true'. If these are different "
            "donors, give them different names.",
        )
    if len(several) > SHOWN:
        rest = f"{number_of(len(several) - SHOWN, 'more donor')} in several groups"
        yield Problem(rest, place(sheet, column=design["donor"]))


def _values_of(sheet: pd.DataFrame, by: str, column: str) -> dict[str, list[str]]:
    """Return the values of a column by those of another, in the order of the sheet."""
    found: dict[str, dict[str, None]] = {}
    # groups of pandas would copy the sheet's `attrs`, with a number for each line, every time
    for key, value in zip(sheet[by], sheet[column], strict=True):
        found.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in found.items()}


def _pair_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each group in which no donor has both before and after.

    A group that was measured before only has baseline contrasts, where another group has changes.
    """
    before, later = design["before"], times_after(design)
    column = design["group"]
    parts = list(sheet.groupby(column, sort=False)) if column else [("", sheet)]
    only_before = [set(part[design["time"]]) == {before} for _, part in parts]
    for (group, part), alone in zip(parts, only_before, strict=True):
        times = _values_of(part, design["donor"], design["time"])
        if any(before in seen and set(seen) & set(later) for seen in times.values()):
            continue
        if alone and not all(only_before):
            continue
        who = f"the group '{group}'" if column else "the sheet"
        present = set(part[design["time"]])
        after = "' or '".join(later)
        if len(present) == 1:
            what = f"{who} has only samples at '{present.pop()}'"
        else:
            what = f"no donor of {who} has both '{before}' and '{after}'"
        yield Problem(
            what,
            place(sheet, column=design["time"]),
            "at least one complete pair in each group",
            f"The two samples of a donor need the same name in column '{design['donor']}'.",
        )


def _line_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each pair whose samples before and after are of different lines."""
    keys = [design[key] for key in ("donor", "group") if design[key]]
    for names, part in sheet.groupby(keys, sort=False):
        lines = part.groupby(design["time"])[design["line"]].agg(set).to_dict()
        before = lines.get(design["before"])
        for level in times_after(design):
            after = lines.get(level)
            if before and after and before != after:
                yield Problem(
                    f"the donor '{names[0]}' has the cell lines {listed(sorted(before))} at "
                    f"'{design['before']}' and {listed(sorted(after))} at '{level}'",
                    place(sheet, column=design["line"]),
                    "the same cell lines at both times",
                    "Remove the rows of cell lines that lack one of the times from the sheet.",
                )


_EARLY = ("pre", "before", "baseline", "vor", "vorher", "avant")
_LATE = ("post", "after", "nach", "nachher", "apres", "après", "followup", "follow-up")


def turned_times(design: Mapping[str, Any]) -> list[str]:
    """Return a note where the levels of time are named the other way round."""
    before, later = design["before"], times_after(design)
    turned = [time for time in later if time.casefold() in _EARLY]
    if before.casefold() not in _LATE or not turned:
        return []
    after = turned[0]
    return [
        f"before is '{before}' and after is '{after}', so a positive log2 fold change means "
        f"higher in '{after}'. If you did not mean this, exchange the two in design"
    ]
