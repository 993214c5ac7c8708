"""The sample sheet: one row a sample, every cell text, checked against the design."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fibroserum.errors import Problem
from fibroserum.files.table import place, rows_text

MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "null", "none"})
#: Keys of `design` that name columns of the sheet.
DESIGN_KEYS = ("donor", "group", "time", "line")
#: Names that columns of `obs` cannot take from the sheet: the pipeline's own, and h5ad's.
_TAKEN = frozenset({*DESIGN_KEYS, "used_for", "size_factor", "sample", "_index"})


def obs_name(column: str) -> str:
    """Return the name in `obs` of a sheet's column that is none of the design's.

    h5ad files take no `/` in names. A column that bears a name of the pipeline's own (`line`,
    `used_for`) and means something else is `sheet.{name}`.
    """
    return f"sheet.{column}" if column in _TAKEN else column.replace("/", "_")


def empty_cells(
    sheet: pd.DataFrame, column: str, missing: frozenset[str] = MISSING
) -> Iterator[Problem]:
    """Yield a problem where cells of a column are empty or say that a value is missing."""
    rows = [row for row, v in enumerate(sheet[column]) if v.strip().lower() in missing]
    if rows:
        cell = sheet[column].iloc[rows[0]].strip()
        what = "the cell is empty" if not cell else f"the value is missing ('{cell}')"
        what += f" in {rows_text(sheet, rows)}" if len(rows) > 1 else ""
        where = place(sheet, rows[0] if len(rows) == 1 else None, column)
        yield Problem(what, where, "a value for every sample")


def folded(value: str) -> str:
    """Return a level without case, spare spaces and leading zeros, to compare ways of writing it.

    A spreadsheet makes 1 of 001; zeros after a point are no leading ones.
    """
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", _plain(value))


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).split()).casefold()


def variants(sheet: pd.DataFrame, column: str) -> Iterator[Problem]:
    """Yield a problem for each level written in several ways, or with spaces around it."""
    values = sheet[column].tolist()
    by_key: dict[str, Counter[str]] = {}
    for value in values:
        by_key.setdefault(folded(value), Counter())[value] += 1
    for key, forms in by_key.items():
        if not key:
            continue
        usual = forms.most_common(1)[0][0]
        for form in forms:
            rows = [row for row, value in enumerate(values) if value == form]
            if form != usual:
                how = "case or spaces" if _plain(form) == _plain(usual) else "leading zeros"
                what = f"'{form}' ({rows_text(sheet, rows)}) differs from '{usual}' in {how} alone"
                yield Problem(what, place(sheet, column=column), "one way of writing a level")
            elif len(forms) == 1 and form != form.strip():
                what = f"'{form}' ({rows_text(sheet, rows)}) has spaces around it"
                yield Problem(what, place(sheet, column=column), f"'{form.strip()}'")


def is_pool(cell: str) -> bool | None:
    """Return whether a cell of the pool column says a pool of sera, or None where it says neither.

    A number is how many persons' sera are in it (1: no pool); else yes or no, true or false.
    """
    word = cell.strip().casefold()
    if word in ("yes", "true"):
        return True
    if word in ("no", "false"):
        return False
    return int(word) > 1 if re.fullmatch(r"[1-9]\d*", word, flags=re.ASCII) else None


def pools_of(sheet: pd.DataFrame, design: Mapping[str, Any]) -> list[str]:
    """Return the donors of a sound sheet that are pools of sera, sorted."""
    column = design.get("pool")
    if not column:
        return []
    return sorted(set(sheet.loc[sheet[column].map(is_pool).eq(True), design["donor"]]))
