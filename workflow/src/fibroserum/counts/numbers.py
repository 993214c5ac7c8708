"""Cells of count tables as numbers: thousands marks, decimal commas, and what is no number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fibroserum.counts.table import Aside, Matrix
from fibroserum.errors import SHOWN, Problem, number_of, refuse
from fibroserum.files.grid import EUROPEAN_HINT, Grid, parse_lines
from fibroserum.files.left_out import is_counter, why_no_gene

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d[\d.,]*,\d+\s*")
#: Between groups of three digits: comma, spaces of any width, apostrophes.
_GROUPS = re.compile(r"\s*[1-9]\d{0,2}([, \u00a0\u2009\u202f'’])\d{3}(\1\d{3})*(\.\d+)?\s*")
_POINT_GROUPS = re.compile(r"\s*[1-9]\d{0,2}(\.\d{3})+\s*")
_PLAIN_HINT = "Save the numbers without thousands separators and with a decimal point."
#: cells that hold no number
MISSING = {"", "na", "nan", "n/a", "null", "none", "#n/a", "-", ".", "inf", "-inf"}


def numbers(
    grid: Grid,
    samples: tuple[str, ...],
    columns: Sequence[int],
    notes: tuple[str, ...],
) -> Matrix:
    """Return the named columns of a grid as a matrix, gene ids in the first column.

    Rows of reads outside genes are put aside; other cells that are no numbers are problems.
    """
    if not columns or not grid.lines:
        lacking = "no sample column" if not columns else "no gene row"
        raise refuse(
            f"is an empty matrix: it has {lacking}",
            grid.where,
            "genes in rows and samples in columns",
        )
    text_columns = {i: str for i in range(grid.width) if i not in set(columns)}
    frame = parse_lines(grid, text_columns)
    genes = frame[0].str.strip()
    counts, mark = _without_thousands_marks(frame[list(columns)], grid.separator)
    if mark:
        said = f"'{mark}' between groups of three digits is read as a thousands separator"
        notes = (*notes, f"{grid.where}: {said}")
    keep = ~genes.map(is_counter).to_numpy(bool)
    aside: Aside = {}
    if not keep.all():
        read = counts[~keep].apply(pd.to_numeric, errors="coerce").to_numpy(float)
        for name, row in zip(genes[~keep], read, strict=True):
            aside[name, why_no_gene(name)] = aside.get((name, why_no_gene(name)), 0) + row
        counts, genes = counts[keep], genes[keep]
        if not len(genes):
            raise refuse(
                "is an empty matrix: it has no gene row",
                grid.where,
                "genes in rows and samples in columns",
            )
    rows = tuple(np.asarray(grid.numbers)[keep].tolist())
    draft = Matrix(grid.where, tuple(genes), samples, np.empty((0, 0)), rows, notes, aside=aside)
    counts, lone = _without_lone_cells(counts, draft)
    values, problems = _values(counts, draft)
    problems = (*lone, *problems)
    broken = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind == "f":
        broken = np.isfinite(values) & (values != np.rint(values))
    if broken.any() and _points_may_be_thousands(values, broken, grid, columns, keep):
        gene, sample = np.argwhere(broken)[0]
        number, place = values[gene, sample], draft.cell(int(gene), int(sample))
        what = f"'{number:.3f}' can be read as {number * 1000:.0f} or as {number:.3f}"
        problems = (*problems, Problem(what, place, "whole numbers", _PLAIN_HINT))
        values = np.where(broken, 0, values)
    return replace(draft, values=values, problems=problems)


def _without_lone_cells(counts: pd.DataFrame, draft: Matrix) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the counts with 0 in rows that hold their first cell alone, and a problem for each.

    Notes and titles are such rows.
    """
    texts = counts.select_dtypes(object)
    if len(draft.samples) < 2 or texts.shape[1] < counts.shape[1]:
        return counts, []
    blank = texts.apply(lambda column: column.astype(str).str.strip() == "").all(axis=1)
    rows = np.flatnonzero(blank)
    hint = "If it is a note or a title, remove it. Otherwise write its counts."
    problems = [
        Problem(
            "only the first cell of the row is filled in",
            draft.gene_place(int(row)),
            "counts",
            hint,
        )
        for row in rows[:SHOWN]
    ]
    if len(rows) > SHOWN:
        problems.append(
            Problem(
                f"{number_of(len(rows) - SHOWN, 'more row')} with the same problem", draft.where
            )
        )
    return counts.mask(blank, "0") if len(rows) else counts, problems


def _points_may_be_thousands(
    values: np.ndarray, broken: np.ndarray, grid: Grid, columns: Sequence[int], keep: np.ndarray
) -> bool:
    """Tell whether every fraction may be a whole number with points between groups of digits.

    So spreadsheets of many countries write thousands: three digits behind each point, no number
    above 999 without one, none that begins with 0. Estimates of expression hardly ever look so.
    broken: where the fractions are; keep: the rows of the grid that are genes.
    """
    if values[broken].min() < 1 or values.max() >= 1000:
        return False
    frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))[keep]
    cells = frame[list(columns)].to_numpy(dtype=object)[broken]
    return all(map(_POINT_GROUPS.fullmatch, cells))


def _without_thousands_marks(frame: pd.DataFrame, separator: str) -> tuple[pd.DataFrame, str]:
    """Return the columns with thousands marks taken away, and an example; "" where there are none.

    They are marks only if every cell of digits that is no number has one with three digits behind
    each, the mark does not separate columns, and no number above 999 is without one. Commas may
    be decimal where each cell has a single one and the table has no other number from 1 to 999.
    """
    texts = frame.select_dtypes(object)
    cells = pd.unique(texts.to_numpy(dtype=object).ravel()) if texts.shape[1] else []
    odd = [c for c in map(str, cells) if not _NUMBER.fullmatch(c) and any(map(str.isdigit, c))]
    found = [_GROUPS.fullmatch(cell) for cell in odd]
    marks = {match[1] for match in found if match}
    plain = frame.apply(pd.to_numeric, errors="coerce") if marks else frame
    if len(marks) != 1 or separator in marks or not all(found) or (plain > 999).any(axis=None):
        return frame, ""
    mark = marks.pop()
    single = all(cell.count(",") == 1 and "." not in cell for cell in odd)
    if mark == "," and single and not (plain >= 1).any(axis=None):
        return frame, ""
    unmarked = texts.apply(lambda column: column.astype(str).str.replace(mark, "", regex=False))
    return frame.drop(columns=texts.columns).join(unmarked)[list(frame.columns)], mark


def _values(frame: pd.DataFrame, draft: Matrix) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Return the columns as one int64 or float64 array, and the cells that hold no number (0)."""
    columns, problems, commas = [], [], []
    for index, (_, column) in enumerate(frame.items()):
        if column.dtype.kind in "iu" and column.dtype != np.uint64:
            columns.append(column.to_numpy(np.int64))
        elif column.dtype.kind in "fu":
            columns.append(column.to_numpy(np.float64))
        else:
            read, wrong, with_comma = _text_column(column.astype(str), draft, index)
            columns.append(read)
            problems += wrong
            commas += with_comma
    if commas:
        more = f" ({len(commas):,} such cells)" if len(commas) > 1 else ""
        where, cell = commas[0]
        what, hint = f"'{cell}' contains a comma{more}", EUROPEAN_HINT
        if _GROUPS.fullmatch(cell):
            readings = f"{cell.replace(',', '')} or as {cell.replace(',', '.', 1)}"
            what, hint = f"'{cell}' can be read as {readings}{more}", _PLAIN_HINT
        problems.insert(0, Problem(what, where, "digits", hint))
    floating = any(column.dtype.kind == "f" for column in columns)
    values = np.empty((len(frame), len(columns)), np.float64 if floating else np.int64)
    for index, column in enumerate(columns):
        values[:, index] = column
    return values, tuple(problems)


def _text_column(
    column: pd.Series, draft: Matrix, index: int
) -> tuple[np.ndarray, list[Problem], list[tuple[str, str]]]:
    cells = column.to_numpy()
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64).copy()
    wrong = [int(row) for row in np.flatnonzero(np.isnan(numbers))]
    for row in [row for row in wrong if _NUMBER.fullmatch(cells[row])]:
        numbers[row] = float(cells[row])
    wrong = [row for row in wrong if np.isnan(numbers[row])]
    commas = [
        (draft.cell(row, index), cells[row].strip())
        for row in wrong
        if _COMMA_NUMBER.fullmatch(cells[row])
    ]
    rest = [row for row in wrong if not _COMMA_NUMBER.fullmatch(cells[row])]
    if len(rest) == len(cells) and len(cells) > 1 and len(set(cells)) > 1:
        name = draft.samples[index]
        what = f"the column contains only text ('{cells[0][:40]}', …)"
        where = f"{draft.where}, column '{name}'"
        hint = "Remove the column. The table needs the gene id first and only samples after it."
        return np.zeros(len(cells)), [Problem(what, where, "counts", hint)], commas
    problems = [_bad_cell(cells[row], draft.cell(row, index)) for row in rest[:SHOWN]]
    if len(rest) > SHOWN:
        where = f"{draft.where}, column '{draft.samples[index]}'"
        problems.append(
            Problem(f"{number_of(len(rest) - SHOWN, 'more cell')} with the same problem", where)
        )
    return np.where(np.isnan(numbers), 0, numbers), problems, commas


def _bad_cell(cell: str, where: str) -> Problem:
    text = cell.strip()
    if not text:
        return Problem("the cell is empty", where, "a whole number ≥ 0")
    if _POINT_GROUPS.fullmatch(text):
        what = f"'{text}' has points as thousands separators"
        return Problem(what, where, "digits", _PLAIN_HINT)
    what = f"'{text[:40]}' is not a number"
    if text.lower() in MISSING:
        what = f"the count is missing ('{text}')"
    return Problem(what, where, "a whole number ≥ 0")
