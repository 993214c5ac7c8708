"""A table of text: header, rows and the line of each row, for messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fibroserum.errors import SHOWN, InputError, Problem, appear, listed
from fibroserum.files.grid import parse_lines, read_grid

_EMPTY_HINT = "Spreadsheets leave empty columns behind. Delete the column if it is empty."


def read_sheet(path: Path) -> pd.DataFrame:
    """Return the sheet as it stands: TSV, CSV or .xlsx told apart by content, every cell text.

    `001`, `1e5` and `NA` stay as they are; spaces around a cell or a name are removed.
    `attrs["source"]` and `attrs["lines"]` hold the file and each row's line in it, for messages,
    `attrs["notes"]` what was done in reading. Raises InputError for what is no table, for rows of
    unequal length, and for column names that are empty or repeated.
    """
    sheet, problems = sheet_and_problems(path)
    if problems:
        raise InputError(problems)
    return sheet


def sheet_and_problems(path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the sheet as `read_sheet` does, and what is wrong with its column names.

    Raises InputError for what is no table, or has no rows, and for rows of unequal length.
    """
    grid = read_grid(path, header=True)
    assert grid.header is not None, "asked for"
    where = f"{path}, header"
    problems = []
    header = [name.strip() for name in grid.header]
    for index, name in enumerate(header, 1):
        if not name:
            hint = (
                "Name it 'sample' if it contains the sample names." if index == 1 else _EMPTY_HINT
            )
            problems.append(Problem(f"column {index} has no name", where, "a name", hint))
    repeated = [name for name, n in Counter(header).items() if n > 1 and name]
    if repeated:
        what = f"{appear('column', repeated)} more than once"
        problems.append(Problem(what, where, "each column name only once"))
    if not grid.lines:
        problems.append(Problem("has a header but no rows", str(path), "one row per sample"))
        raise InputError(problems)
    frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))
    trimmed = frame.apply(lambda column: column.str.strip())
    spaced = [
        header[index]
        for index in range(grid.width)
        if not trimmed.iloc[:, index].equals(frame.iloc[:, index])
    ]
    spaced += [name for name, raw in zip(header, grid.header, strict=True) if name != raw]
    note = f"{path}: spaces around cells were removed (columns {listed(dict.fromkeys(spaced), 8)})"
    notes = [*grid.notes, *([note] if spaced else [])]
    trimmed.columns = pd.Index(header)
    trimmed.attrs = {"source": str(path), "lines": list(grid.numbers), "notes": notes}
    return trimmed, problems


def place(sheet: pd.DataFrame, row: int | None = None, column: str | None = None) -> str:
    """Return where something stands in the sheet, for a message; `row` counts from 0."""
    parts = [str(sheet.attrs.get("source", "sample sheet"))]
    if row is not None:
        lines = sheet.attrs.get("lines", ())
        parts.append(f"row {lines[row] if len(lines) == len(sheet) else row + 2}")
    if column is not None:
        parts.append(f"column '{column_name(sheet, column)}'")
    return ", ".join(parts)


def column_name(sheet: pd.DataFrame, column: str) -> str:
    """Return what the file calls a column of a sheet, in which it may have another name."""
    return str(sheet.attrs.get("names", {}).get(column, column))


def rows_text(sheet: pd.DataFrame, rows: Sequence[int]) -> str:
    """Return "row 3" or "rows 3, 5", line numbers of the file."""
    lines = sheet.attrs.get("lines", ())
    numbers = [str(lines[row] if len(lines) == len(sheet) else row + 2) for row in rows]
    shown = ", ".join(numbers[:SHOWN]) + (", …" if len(numbers) > SHOWN else "")
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"
