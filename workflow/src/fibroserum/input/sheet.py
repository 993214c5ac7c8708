"""The sample sheet: one row a sample, every cell text, checked against the design."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.counts.grid import parse_lines, read_grid
from fibroserum.counts.table import SHOWN, listed
from fibroserum.errors import InputError, Problem

MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "null", "none"})
#: Keys of `design` that name columns of the sheet.
DESIGN_KEYS = ("donor", "group", "time", "line")


_EMPTY_HINT = "Spreadsheets leave empty columns behind: delete it where nothing stands in it."


def read_sheet(path: Path) -> pd.DataFrame:
    """Return the sheet as it stands: TSV or CSV told apart by content, every cell text.

    `001`, `1e5` and `NA` stay as they are. `attrs["source"]` and `attrs["lines"]` hold the file and
    each row's line in it, for messages. Raises InputError for what is no table, for rows of unequal
    length, and for column names that are empty, repeated or surrounded by spaces.
    """
    grid = read_grid(path, header=True)
    assert grid.header is not None, "asked for"
    where = f"{path}, header"
    problems = []
    for index, name in enumerate(grid.header, 1):
        if not name.strip():
            hint = "Name it 'sample' if it holds the sample names." if index == 1 else _EMPTY_HINT
            problems.append(Problem(f"column {index} has no name", where, "a name", hint))
        elif name != name.strip():
            what = f"the column name '{name}' has spaces around it"
            problems.append(Problem(what, where, f"'{name.strip()}'"))
    repeated = [name for name, n in Counter(grid.header).items() if n > 1 and name.strip()]
    if repeated:
        what = f"the columns {listed(repeated)} stand more than once"
        problems.append(Problem(what, where, "each column once"))
    if not grid.lines:
        problems.append(Problem("has a header and no rows", str(path), "one row a sample"))
    if problems:
        raise InputError(problems)
    frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))
    frame.columns = pd.Index(grid.header)
    frame.attrs = {"source": str(path), "lines": list(grid.numbers)}
    return frame


def place(sheet: pd.DataFrame, row: int | None = None, column: str | None = None) -> str:
    """Return where something stands in the sheet, for a message; `row` counts from 0."""
    parts = [str(sheet.attrs.get("source", "sample sheet"))]
    if row is not None:
        lines = sheet.attrs.get("lines", ())
        parts.append(f"row {lines[row] if len(lines) == len(sheet) else row + 2}")
    if column is not None:
        parts.append(f"column '{column}'")
    return ", ".join(parts)


def rows_text(sheet: pd.DataFrame, rows: Sequence[int]) -> str:
    """Return "row 3" or "rows 3, 5", line numbers of the file."""
    lines = sheet.attrs.get("lines", ())
    numbers = [str(lines[row] if len(lines) == len(sheet) else row + 2) for row in rows]
    shown = ", ".join(numbers[:SHOWN]) + (", …" if len(numbers) > SHOWN else "")
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"


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
