"""The tables of a run as one workbook, with a first sheet that explains the others.

Text is written as text: SEPT9 stays a gene, and `=1+1` a name.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from fibroserum import tables
from fibroserum.report.run import SINGLE, Tables

MOST_ROWS = 1_048_575
# made for machines: one row a pair of samples
LEFT_OUT = {"distances"}


def sheet_name(wanted: str, taken: set[str]) -> str:
    """Return a name that a spreadsheet accepts: 31 characters, none of []:*?/\\, not yet taken."""
    clean = re.sub(r"[\[\]:*?/\\]", "_", wanted).strip("'") or "sheet"
    name, number = clean[:31], 1
    while name.casefold() in taken or name.casefold() == "history":
        number += 1
        tail = f"~{number}"
        name = clean[: 31 - len(tail)] + tail
    taken.add(name.casefold())
    return name


def sheets_of(run: Tables) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield wanted sheet name, schema and table, in the order of the questions."""
    for contrast, frame in run.de.items():
        yield f"de {contrast}", "de", frame
    for contrast, frame in run.enrichment.items():
        yield f"sets {contrast}", "enrichment", frame
    for field, schema in SINGLE.items():
        if field not in LEFT_OUT:
            yield schema, schema, getattr(run, field)
    for factor, frame in run.stimulation.items():
        if len(frame):
            yield f"stimulation {factor}", "stimulation", frame


def _write_cell(sheet: Any, row: int, column: int, value: Any) -> None:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return
    if isinstance(value, str):
        sheet.write_string(row, column, value)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    else:
        # as the TSV prints it: ten digits
        sheet.write_number(row, column, float(tables.FLOAT_FORMAT % value))


def _write_rows(sheet: Any, start: int, rows: Iterable[tuple[Any, ...]]) -> None:
    for number, row in enumerate(rows, start):
        for column, value in enumerate(row):
            _write_cell(sheet, number, column, value)


def _table_sheet(book: Any, bold: Any, name: str, frame: pd.DataFrame) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 1, 18)
    sheet.set_column(2, max(2, frame.shape[1] - 1), 14)
    for column, title in enumerate(frame.columns):
        sheet.write_string(0, column, str(title), bold)
    sheet.autofilter(0, 0, max(1, min(len(frame), MOST_ROWS)), frame.shape[1] - 1)
    columns = [frame[name].tolist() for name in frame]
    _write_rows(sheet, 1, zip(*(values[:MOST_ROWS] for values in columns), strict=True))


def _first_sheet(book: Any, bold: Any, listed: list[tuple[str, str, int]], cohort: str) -> None:
    sheet = book.add_worksheet("Read me")
    sheet.set_column(0, 1, 32)
    sheet.set_column(2, 2, 18)
    sheet.set_column(3, 3, 110)
    rows: list[tuple[Any, ...]] = [
        (f"Cohort {cohort}: every table of the run, a sheet each.",),
        ("A missing number is an empty cell. Columns are explained below.",),
        (),
    ]
    heads = [len(rows)]
    rows.append(("sheet", "table", "rows", "one row per"))
    schemas = tables.schemas()
    for name, schema, length in listed:
        shown = length if length <= MOST_ROWS else f"{MOST_ROWS} of {length}"
        rows.append((name, schema, shown, schemas[schema].row))
    rows.append(())
    heads.append(len(rows))
    rows.append(("table", "column", "kind", "what it says"))
    for schema in dict.fromkeys(schema for _, schema, _ in listed):
        for column in schemas[schema].columns:
            kind = ", ".join(column.words) or column.kind
            rows.append((schema, column.name, kind, column.about))
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if number in heads:
                sheet.write_string(number, place, str(value), bold)
            else:
                _write_cell(sheet, number, place, value)


def workbook(run: Tables, cohort: str) -> bytes:
    """Return `tables.xlsx`: the same bytes for the same tables."""
    from datetime import datetime

    import xlsxwriter

    stream = io.BytesIO()
    # strings go in as they are: no formulas, no links, no numbers read out of text
    # rows leave memory as they are written: every sheet is written from the top down
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(stream, options) as book:
        book.set_properties({"title": f"fibroserum: {cohort}", "created": datetime(2000, 1, 1)})
        bold = book.add_format({"bold": True})
        taken = {"read me"}
        named = [
            (sheet_name(wanted, taken), schema, frame) for wanted, schema, frame in sheets_of(run)
        ]
        _first_sheet(book, bold, [(n, schema, len(frame)) for n, schema, frame in named], cohort)
        for name, _, frame in named:
            _table_sheet(book, bold, name, frame)
    return stream.getvalue()
