"""The tables of a run as one workbook, with a first sheet that explains the others.

Text is written as text: SEPT9 stays a gene, and `=1+1` a name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet
from xlsxwriter.xmlwriter import XMLwriter

from fibroserum import tables
from fibroserum.report.run_tables import CONFIGURED, SINGLE, Tables, explained

# what a sheet holds below its header, and a cell
MOST_ROWS = 1_048_575
MOST_CHARACTERS = 32_767
# of a sheet's name
MOST_LETTERS = 31
# strings go in as they are: no formulas, no links, no numbers read out of text
OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
# rows whose cells are in memory as text
AT_ONCE = 10_000
# made for machines: one row a pair of samples
LEFT_OUT = {"distances"}


def sheet_name(wanted: str, taken: set[str]) -> str:
    """Return a name that a spreadsheet accepts: 31 characters, none of []:*?/\\, not yet taken."""
    clean = re.sub(r"[\[\]:*?/\\]", "_", wanted).strip("'") or "sheet"
    name, number = clean, 1
    if len(clean) > MOST_LETTERS:
        # the end of a contrast's name says what it compares
        name = f"{clean[: MOST_LETTERS // 2]}…{clean[-(MOST_LETTERS // 2) :]}"
    clean = name
    while name.casefold() in taken or name.casefold() == "history":
        number += 1
        tail = f"~{number}"
        name = clean[: MOST_LETTERS - len(tail)] + tail
    taken.add(name.casefold())
    return name


@dataclass(frozen=True)
class Sheet:
    """A sheet: the name it should have, its schema and table, and the contrast or factor it is of.

    of: "" where the table is of the whole run.
    """

    wanted: str
    schema: str
    frame: pd.DataFrame
    of: str = ""


def sheets_of(run: Tables) -> Iterator[Sheet]:
    """Yield the sheets in the order of the questions; those of a contrast begin with its name."""
    for contrast, frame in run.de.items():
        yield Sheet(f"de {contrast}", "de", _labelled(frame, "contrast", contrast), contrast)
    for contrast, frame in run.enrichment.items():
        own = _labelled(frame, "contrast", contrast)
        yield Sheet(f"sets {contrast}", "enrichment", own, contrast)
    left_out = set(LEFT_OUT)
    for fields in CONFIGURED.values():
        left_out |= set() if len(getattr(run, fields[0])) else set(fields)
    for field, schema in SINGLE.items():
        if field not in left_out:
            yield Sheet(schema, schema, getattr(run, field))
    for factor, frame in run.stimulation.items():
        if len(frame):
            own = _labelled(frame, "factor", factor)
            yield Sheet(f"stimulation {factor}", "stimulation", own, factor)


def _labelled(frame: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Return a table with a first column that holds one name."""
    label = pd.DataFrame({column: pd.Series(name, index=frame.index, dtype=object)})
    return pd.concat([label, frame], axis=1)


class TableSheet(Worksheet):
    """A sheet with a header, and below it a table, whose cells are made a column at a time.

    XlsxWriter makes them one by one, in four times the time. This leans on names that are its own
    business, in the version that requirements.lock pins; a test holds it to its public ones.
    """

    table_below: pd.DataFrame | None = None

    def set_table(self, frame: pd.DataFrame, heading: Format) -> None:
        """Write the header of a table, and keep its rows for when the workbook is closed."""
        self.table_below = frame.iloc[:MOST_ROWS]
        for column, title in enumerate(frame.columns):
            self.write_string(0, column, str(title), heading)
        self.dim_rowmax = len(self.table_below)

    def _write_rows(self) -> None:
        super()._write_rows()
        if self.table_below is None:
            return
        for start in range(0, len(self.table_below), AT_ONCE):
            part = self.table_below.iloc[start : start + AT_ONCE]
            first = start + 2  # rows count from one, and the header is the first
            columns = [
                cells_of(part[name], xl_col_to_name(place), first)
                for place, name in enumerate(part)
            ]
            rows = enumerate(map("".join, zip(*columns, strict=True)), first)
            self.fh.write("".join([f'<row r="{row}">{cells}</row>' for row, cells in rows]))


def cells_of(values: pd.Series, letters: str, first: int) -> list[str]:
    """Return a column's cells as XML, empty strings for missing values.

    values: as `tables.read` gives them; letters: of the column; first: the number of the first row.
    Numbers have ten digits, whole ones all of theirs, as the TSV prints them.
    """
    rows = range(first, first + len(values))
    found = zip(rows, values.tolist(), values.isna().tolist(), strict=True)
    if is_bool_dtype(values.dtype):
        return [
            "" if none else f'<c r="{letters}{row}" t="b"><v>{value:d}</v></c>'
            for row, value, none in found
        ]
    if is_numeric_dtype(values.dtype):
        digits = "d" if is_integer_dtype(values.dtype) else ".10g"
        return [
            "" if none else f'<c r="{letters}{row}"><v>{value:{digits}}</v></c>'
            for row, value, none in found
        ]
    texts = {text: _text(text) for text in values.dropna().unique()}
    return [
        "" if none else f'<c r="{letters}{row}" t="inlineStr">{texts[value]}</c>'
        for row, value, none in found
    ]


def _text(text: str) -> str:
    """Return a text as the inside of a cell: markup and control characters escaped."""
    plain = XMLwriter._escape_control_characters(text[:MOST_CHARACTERS])
    space = ' xml:space="preserve"' if plain != plain.strip() else ""
    return f"<is><t{space}>{escape(plain)}</t></is>"


def _table_sheet(book: Workbook, bold: Format, name: str, frame: pd.DataFrame) -> None:
    sheet = book.add_worksheet(name, TableSheet)
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 1, 18)
    sheet.set_column(2, max(2, frame.shape[1] - 1), 14)
    sheet.set_table(frame, bold)
    sheet.autofilter(0, 0, max(1, min(len(frame), MOST_ROWS)), frame.shape[1] - 1)


def _first_sheet(
    book: Workbook,
    bold: Format,
    listed: list[tuple[str, Sheet]],
    columns: Mapping[str, list[tables.Column]],
    cohort: str,
) -> None:
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
    rows.append(("sheet", "table", "rows", "contrast or factor", "one row per"))
    schemas = tables.schemas()
    for name, one in listed:
        length = len(one.frame)
        shown = length if length <= MOST_ROWS else f"{MOST_ROWS} of {length}"
        rows.append((name, one.schema, shown, one.of, schemas[one.schema].row))
    rows.append(())
    heads.append(len(rows))
    rows.append(("table", "column", "kind", "what it says"))
    for schema in dict.fromkeys(one.schema for _, one in listed):
        for column in columns[schema]:
            kind = ", ".join(column.words) or column.kind
            rows.append((schema, column.name, kind, column.about))
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if number in heads:
                sheet.write_string(number, place, str(value), bold)
            elif isinstance(value, str):
                sheet.write_string(number, place, value)
            else:
                sheet.write(number, place, value)


def workbook(run: Tables, cohort: str) -> bytes:
    """Return `tables.xlsx`: the same bytes for the same tables."""
    stream = io.BytesIO()
    with Workbook(stream, OPTIONS) as book:
        book.set_properties({"title": f"fibroserum: {cohort}", "created": datetime(2000, 1, 1)})
        bold = book.add_format({"bold": True})
        taken = {"read me"}
        named = [(sheet_name(one.wanted, taken), one) for one in sheets_of(run)]
        _first_sheet(book, bold, named, explained(run), cohort)
        for name, one in named:
            _table_sheet(book, bold, name, one.frame)
    return stream.getvalue()
