"""What is wrong with a sample sheet once samples with too few cells are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from fibroserum.errors import Problem, listed
from fibroserum.files.table import place
from fibroserum.input.sheet_checks import check_sheet


def problems_without(
    sheet: pd.DataFrame, design: Mapping[str, Any], dropped: Collection[str]
) -> list[Problem]:
    """Return what is wrong with a sound sheet once samples with too few cells are gone.

    Half a pair may have gone with its cells, or a whole group, which contrasts were planned for.
    """
    rest = sheet[~sheet["sample"].isin(dropped)]
    problems = list(check_sheet(rest, design, {}, None))
    if design["group"]:
        left = sorted(set(rest[design["group"]]))
        problems += [
            Problem(
                f"the group '{group}' has no sample left",
                place(sheet),
                f"samples with enough cells in each group (only {listed(left)} have them)",
            )
            for group in dict.fromkeys(sheet[design["group"]])
            # of the reference group check_sheet says it
            if group not in left and group != design["reference_group"]
        ]
        problems += _without_after(sheet, rest, design)
    gone = (
        f"Excluded, because they have too few cells (cells.min_cells): {listed(sorted(dropped))}."
    )
    return [replace(one, hint=f"{one.hint} {gone}".strip()) for one in problems]


def _without_after(
    sheet: pd.DataFrame, rest: pd.DataFrame, design: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield a problem for each group that was measured after and has now samples before alone.

    Where no group has others, check_sheet says it; a group measured before only is what it was.
    """
    group, before = design["group"], design["before"]
    changing = [
        set(table.loc[table[design["time"]] != before, group].unique()) for table in (sheet, rest)
    ]
    for name in dict.fromkeys(rest[group]) if changing[1] else ():
        if name in changing[0] - changing[1]:
            yield Problem(
                f"the group '{name}' has only samples at '{before}'",
                place(sheet, column=design["time"]),
                "at least one complete pair in each group",
            )
