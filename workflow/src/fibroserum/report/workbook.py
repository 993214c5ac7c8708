"""The tables of a run as one workbook, with a first sheet that explains the others.

Text is written as text: SEPT9 stays a gene, and `=1+1` a name. Cells are those of the TSV files, as
they are printed there: XlsxWriter makes the book with the headers, and the rows are put in here.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet
from xlsxwriter.xmlwriter import XMLwriter

from fibroserum import tables
from fibroserum.input.names import file_name
from fibroserum.report.run_tables import CONFIGURED, SINGLE, explained_columns, single_files

# what a sheet holds below its header, and a cell
MOST_ROWS = 1_048_575
MOST_CHARACTERS = 32_767
# of a sheet's name
MOST_LETTERS = 31
# strings go in as they are: no formulas, no links, no numbers read out of text
OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
# of zlib: 6, its default, takes half as long again, for a file that is 0.5 % smaller
LEVEL = 5
# rows that are compressed at once
AT_ONCE = 2_000
# made for machines: one row a pair of samples
LEFT_OUT = {"distances"}
# replaced by the number of a row; no text has it, because control characters are escaped
ROW = "\0"
BOOLEAN = {"true": "1", "false": "0"}


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

    text: of the table's file; label: the name of a first column, which holds `of`, or "".
    """

    wanted: str
    schema: str
    text: str
    label: str = ""
    of: str = ""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        own = self.text[: self.text.index("\n")].split("\t")
        return [self.label, *own] if self.label else own

    @property
    def length(self) -> int:
        """The number of rows: a row is a line."""
        return self.text.count("\n") - 1

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row, the label's left out."""
        csv.field_size_limit(max(csv.field_size_limit(), len(self.text)))
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter="\t")
        next(reader)
        return reader


def sheets_of(
    folder: Path, stimulated: Mapping[str, bool], configured: Collection[str]
) -> Iterator[Sheet]:
    """Yield the sheets in the order of the questions; those of a contrast begin with its name.

    See `read_tables`.
    """

    def text(schema: str, **names: str) -> str:
        path = folder / tables.schemas()[schema].path.format(**names)
        return path.read_text(encoding="utf-8")

    first = Sheet("contrasts", "contrasts", text("contrasts"))
    place = first.columns.index("contrast")
    contrasts = [row[place] for row in first.rows()]
    for schema, words in (("de", "de"), ("enrichment", "sets")):
        for name in contrasts:
            own = text(schema, contrast=file_name(name))
            yield Sheet(f"{words} {name}", schema, own, "contrast", name)
    single = {}
    for field, path in single_files(folder, configured).items():
        if field not in LEFT_OUT:
            schema = SINGLE[field]
            header = "\t".join(tables.schemas()[schema].names) + "\n"
            single[field] = Sheet(schema, schema, text(schema) if path else header)
    for fields in CONFIGURED.values():
        if not single[fields[0]].length:
            # not asked for, or without a row
            single = {field: one for field, one in single.items() if field not in fields}
    yield from single.values()
    for factor, arm in stimulated.items():
        own = text("stimulation", factor=file_name(factor)) if arm else ""
        made = Sheet(f"stimulation {factor}", "stimulation", own, "factor", factor)
        if own and made.length:
            yield made


class Texts(dict[str, str]):
    """The insides of the cells of texts."""

    def __missing__(self, text: str) -> str:
        self[text] = _text(text)
        return self[text]


def _text(text: str) -> str:
    """Return a text as the inside of a cell: markup and control characters escaped."""
    plain = XMLwriter._escape_control_characters(text[:MOST_CHARACTERS])
    space = ' xml:space="preserve"' if plain != plain.strip() else ""
    return f"<is><t{space}>{escape(plain)}</t></is>"


def rows_of(sheet: Sheet, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the rows of a table as XML, without cells for missing values.

    texts: cells of texts, by the text.
    """
    kinds = {one.name: one.kind for one in tables.schemas()[sheet.schema].columns}
    cells: list[str] = []
    words: list[tuple[int, Mapping[str, str]]] = []
    first = f'<c r="A{ROW}" t="inlineStr">{texts[sheet.of]}</c>' if sheet.label else ""
    for place, name in enumerate(sheet.columns[len(sheet.label) > 0 :]):
        reference = f'<c r="{xl_col_to_name(place + bool(sheet.label))}{ROW}"'
        if kinds[name] in ("number", "fraction", "integer"):
            cells.append(f"{reference}><v>%s</v></c>")
        elif kinds[name] == "boolean":
            cells.append(f'{reference} t="b"><v>%s</v></c>')
            words.append((place, BOOLEAN))
        else:
            cells.append(f'{reference} t="inlineStr">%s</c>')
            words.append((place, texts))
    # few rows differ in which values they lack
    templates: dict[tuple[bool, ...], str] = {}
    start = f'<row r="{ROW}">{first.replace("%", "%%")}'
    # rows count from one, and the header is the first
    for number, row in enumerate(itertools.islice(sheet.rows(), MOST_ROWS), 2):
        there = tuple(map(bool, row))
        if there not in templates:
            templates[there] = f"{start}{''.join(itertools.compress(cells, there))}</row>"
        for place, known in words:
            if there[place]:
                row[place] = known[row[place]]
        yield (templates[there] % tuple(filter(None, row))).replace(ROW, str(number))


def _table_sheet(book: Workbook, bold: Format, name: str, table: Sheet) -> None:
    """Add a sheet with the header of a table."""
    sheet: Worksheet = book.add_worksheet(name)
    columns = table.columns
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 1, 18)
    sheet.set_column(2, max(2, len(columns) - 1), 14)
    for column, title in enumerate(columns):
        sheet.write_string(0, column, title, bold)
    sheet.autofilter(0, 0, max(1, min(table.length, MOST_ROWS)), len(columns) - 1)


def with_rows(xml: str, sheet: Sheet, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the parts of a worksheet's XML that has a header alone, with the rows of the table."""
    last = min(sheet.length, MOST_ROWS) + 1
    before, after = xml.split("</sheetData>")
    yield re.sub(r'(<dimension ref="A1:[A-Z]+)1"', rf'\g<1>{last}"', before, count=1)
    rows = rows_of(sheet, texts)
    while part := "".join(itertools.islice(rows, AT_ONCE)):
        yield part
    yield f"</sheetData>{after}"


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
        length = one.length
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


def workbook(
    folder: Path, cohort: str, stimulated: Mapping[str, bool], configured: Collection[str] = ()
) -> bytes:
    """Return `tables.xlsx` of a finished run: the same bytes for the same tables.

    folder, stimulated, configured: see `read_tables`.
    """
    made, stream = io.BytesIO(), io.BytesIO()
    taken, texts = {"read me"}, Texts()
    sheets = list(sheets_of(folder, stimulated, configured))
    named = [(sheet_name(one.wanted, taken), one) for one in sheets]
    with Workbook(made, OPTIONS) as book:
        book.set_properties({"title": f"fibroserum: {cohort}", "created": datetime(2000, 1, 1)})
        bold = book.add_format({"bold": True})
        there = {(one.schema, column) for one in sheets for column in one.columns}
        _first_sheet(book, bold, named, explained_columns(there), cohort)
        for name, one in named:
            _table_sheet(book, bold, name, one)
    # the first sheet explains
    of = {f"xl/worksheets/sheet{number}.xml": one for number, one in enumerate(sheets, 2)}
    with (
        zipfile.ZipFile(made) as headers,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as whole,
    ):
        for name in headers.namelist():
            xml = headers.read(name).decode("utf-8")
            with whole.open(name, "w") as file:
                for part in with_rows(xml, of[name], texts) if name in of else [xml]:
                    file.write(part.encode("utf-8"))
    return stream.getvalue()
