"""Serum levels in the sample sheet: values below a limit of detection, and notes on levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import listed
from fibroserum.input.covariates import numbers

#: What a cell of a level can be, for messages.
LEVEL = "a number, '<' with the limit of detection, or an empty cell"
#: Other signs for less than: full width, small, and slanted.
_LESS = str.maketrans({"＜": "<", "﹤": "<", "≦": "≤", "⩽": "≤"})


def detection_limit(cell: object) -> float | None:
    """Return the limit in a cell such as `<15`, which is a level below it; None for other cells."""
    number = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
    plain = str(cell).translate(_LESS)
    found = re.fullmatch(rf"\s*[<≤]\s*=?\s*({number})\s*", plain, flags=re.ASCII)
    limit = float(found[1]) if found else np.inf
    return limit if np.isfinite(limit) else None


def serum_notes(
    sheet: pd.DataFrame, design: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield notes on the levels of a sound sheet that are below a limit, or look so.

    design, factors: the config's sections.
    """
    for factor, entry in factors.items():
        if entry["serum"]:
            yield from _factor_notes(sheet, design, factor, entry["serum"])


def _factor_notes(
    sheet: pd.DataFrame, design: Mapping[str, Any], factor: str, column: str
) -> Iterator[str]:
    pairs = levels_of_pairs(sheet, design, column)
    lowest = pairs["lowest"].min()
    one = pairs["below"] & ~pairs["all_below"]
    rows = {
        "both": pairs["all_below"],
        "one": one,
        "above": one & (pairs["limit"] > pairs["lowest"]),
        "equal": ~pairs["below"] & pairs["measured"] & (pairs["highest"] == lowest),
    }
    found = {what: list(pairs.index[own & (pairs["times"] > 1)]) for what, own in rows.items()}
    if found["both"]:
        yield (
            f"{factor}: both levels of {listed(found['both'], 10, '')} are below the limit of "
            "detection. Their change is unknown, so the slope does not use these pairs"
        )
    if found["one"]:
        yield (
            f"{factor}: one level of {listed(found['one'], 10, '')} is below the limit of "
            "detection. It is replaced by half the limit"
        )
    if found["above"]:
        yield (
            f"{factor}: one level of {listed(found['above'], 10, '')} is below a limit that is "
            "above the level measured in the pair's other sample. Whether the level rose or "
            "fell is unknown. Check the limit, or leave the cell empty"
        )
    if found["equal"]:
        yield (
            f"{factor}: both levels of {listed(found['equal'], 10, '')} are {lowest:g}, the "
            f"lowest value of the column '{column}'. This counts as a measured change of 0. If "
            "it means below the limit of detection, write '<' and the limit in these cells"
        )


def levels_of_pairs(sheet: pd.DataFrame, design: Mapping[str, Any], column: str) -> pd.DataFrame:
    """Return what each donor's (in a crossover: and group's) cells of a level are.

    Index: the donor (and group), sorted. times: how many; below, all_below: whether the level at
    one time, or at all, is below a limit of detection; limit: the largest; lowest, highest: of the
    levels; measured: whether no cell is without a level.
    """
    cells = pd.DataFrame({"level": numbers(sheet[column])}, index=sheet.index)
    cells["limit"] = sheet[column].map(detection_limit).astype(float)
    several = bool(design["group"] and design["crossover"])
    keys = [sheet[design[key]].to_numpy() for key in ("donor", "group") if design[key]]
    at_time = cells["limit"].notna().groupby([*keys, sheet[design["time"]].to_numpy()]).all()
    own, below = cells.groupby(keys), at_time.groupby(level=list(range(len(keys))))
    found = pd.DataFrame(
        {
            "times": below.size(),
            "below": below.any(),
            "all_below": below.all(),
            "limit": own["limit"].max(),
            "lowest": own["level"].min(),
            "highest": own["level"].max(),
            "measured": own["level"].count() == own["level"].size(),
        }
    )
    if design["group"]:
        found.index = found.index.map(lambda key: f"{key[0]} ({key[1]})" if several else key[0])
    return found


def half_limit_log2(limit: float, scale: str) -> float:
    """Return log2 of half a limit, NaN where it has no logarithm; scale: of the limit."""
    if scale == "log2":
        return limit - 1.0
    return float(np.log2(limit / 2)) if limit > 0 else np.nan
