"""Sheets of Excel workbooks (.xlsx, .xlsm) as tab-separated text: the cells' values, no more."""

from __future__ import annotations

import csv
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from fibroserum.errors import listed, nearest, refuse

#: Cells of a sheet, empty ones among others included: 60,000 genes, 500 samples.
MAX_CELLS = 30_000_000
#: Excel has no more.
MAX_ROWS = 1 << 20
_SUFFIXES = (".xlsx", ".xlsm")
#: What openpyxl raises for a damaged workbook.
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def split_sheet(path: str) -> tuple[str, str | None]:
    """Return a path without the sheet behind `#`, and the sheet: `file.xlsx#Counts`.

    A `#` elsewhere, and one in the name of a file that exists, belongs to the name.
    """
    file, mark, sheet = path.rpartition("#")
    if not mark or not file.lower().endswith(_SUFFIXES) or os.path.exists(path):
        return path, None
    return file, sheet


def is_workbook(data: bytes) -> bool:
    """Tell whether bytes are an Excel workbook of the kind that is read, sound or damaged."""
    return data.startswith(b"PK\x03\x04") and b"xl/workbook.xml" in data


def read_rows(
    data: bytes, sheet: str | None, where: str, most_bytes: int
) -> tuple[list[tuple[int, str]], str]:
    """Return the rows of a sheet that hold anything, with their numbers, and a note or "".

    Rows are tab-separated text of one length. Dates are written as 2006-09-02, whole numbers
    without a point, and formulas as the values that were stored with them. sheet: its name; None
    for the first that is not hidden. Raises InputError for a workbook that is damaged, larger than
    `most_bytes` once unpacked, or whose sheet has more than MAX_CELLS cells.
    """
    from openpyxl import load_workbook  # takes a fifth of a second: most inputs are text

    try:
        _refuse_bombs(data, where, most_bytes)
        # openpyxl warns of styles and extensions that it leaves out; the values are whole
        with warnings.catch_warnings(action="ignore"):
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            names = [found.title for found in book.worksheets]
            shown = [found.title for found in book.worksheets if found.sheet_state == "visible"]
            name = next(iter(shown or names), "") if sheet is None else sheet
            if name not in names:
                raise refuse(f"has no sheet '{name}'", where, "", nearest(name, names))
            rows = list(_rows(book[name], where))
            _refuse_formulas_without_values(book[name], rows, where)
    except _FAULTS as error:
        what = f"is a damaged Excel workbook ({str(error)[:200] or type(error).__name__})"
        hint = "Open it in a spreadsheet program and save it again, or copy it again."
        raise refuse(what, where, hint=hint) from error
    several = f"{where}: we read sheet '{name}' of {listed(names)}"
    return rows, several if len(names) > 1 and sheet is None else ""


def _refuse_bombs(data: bytes, where: str, most_bytes: int) -> None:
    """Raise InputError for what unpacks to too much, and for XML that declares entities."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # a member is never unpacked beyond the size that is declared
        if sum(member.file_size for member in archive.infolist()) > most_bytes:
            what = f"is larger than {most_bytes / 2**20:,.0f} MiB once unpacked"
            raise refuse(what, where, "a workbook of tables")
        for member in archive.infolist():
            with archive.open(member) as stream:
                end = b""
                while block := stream.read(1 << 20):
                    if b"<!ENTITY" in end + block:
                        what = "declares entities in its XML, which no spreadsheet program does"
                        raise refuse(what, where, "a workbook that a spreadsheet program wrote")
                    end = block[-8:]


def _rows(sheet: Any, where: str) -> Iterator[tuple[int, str]]:
    """Yield the rows of a sheet that hold anything; raises InputError for too many cells."""
    # the size that the file declares may be wrong, or a trap
    sheet.reset_dimensions()
    rows: list[tuple[int, list[str]]] = []
    cells = width = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        texts = [_text(value) for value in row]
        while texts and not texts[-1].strip():
            texts.pop()
        if texts:
            rows.append((number, texts))
        width = max(width, len(texts))
        cells += len(row)
        if max(cells, width * len(rows)) > MAX_CELLS or number > MAX_ROWS:
            what = (
                f"its sheet '{sheet.title}' has more than {MAX_CELLS:,} cells or {MAX_ROWS:,} rows"
            )
            raise refuse(what, where, "a table of counts or a sample sheet")
    for number, texts in rows:
        yield number, joined([*texts, *[""] * (width - len(texts))], "\t")


def _refuse_formulas_without_values(
    sheet: Any, rows: Sequence[tuple[int, str]], where: str
) -> None:
    """Raise InputError for formulas whose values were not stored, as programs write them.

    The formulas are looked for only where a cell is empty. They are not parsed, as openpyxl would.
    """
    if all("" not in text.split("\t") for _, text in rows):
        return
    cells = []
    with sheet._get_source() as source:
        for _, element in ElementTree.iterparse(source):
            kind = element.tag.rpartition("}")[2]
            if kind == "c":
                parts = {child.tag.rpartition("}")[2]: child.text for child in element}
                # a stored empty text has the type `str`
                if "f" in parts and not parts.get("v") and element.get("t", "n") == "n":
                    cells.append(element.get("r", "without a reference"))
            elif kind == "row":
                element.clear()
    if cells:
        what = f"contains formulas without stored values: {listed(cells)}"
        hint = (
            "Open it in a spreadsheet program and save it again, or replace the formulas by "
            "their values."
        )
        raise refuse(what, f"{where}, sheet '{sheet.title}'", "values", hint)


def joined(cells: Sequence[str], separator: str) -> str:
    """Return cells as one record, those quoted that need it."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator="\n").writerow(cells)
    return stream.getvalue()[:-1]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return str(value).replace("\r\n", "\n").replace("\r", "\n")
