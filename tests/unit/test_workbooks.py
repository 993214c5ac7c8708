"""Excel workbooks of counts and of sheets; what a workbook may not do."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from fibroserum.counts import read_counts
from fibroserum.errors import InputError
from fibroserum.files import workbook
from fibroserum.files.table import read_sheet

COUNTS = [["gene", "S1", "S2", None], ["BGN", 1, 2.0], [], ["a\nb", 3, "4"], [" ", None]]
SHEET = [
    ["sample", "donor", "visit", "pool"],
    ["001", 1, date(2020, 3, 4), True],
    ["S2", 1.5, datetime(2020, 3, 4, 8, 30), None],
]
DATES = [["gene", "S1"], *[[datetime(2006, 9, day), day] for day in range(1, 9)], ["BGN", 4]]


def saved(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def said(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read(path)
    return str(refused.value)


def counts(path: Path) -> dict[str, list[int]]:
    return read_counts([path]).counts.T.to_dict("list")


def test_the_first_sheet_or_the_named_one_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "all.xlsx", hidden=SHEET, Counts=COUNTS, samples=SHEET)
    book = openpyxl.load_workbook(path)
    book["hidden"].sheet_state = "hidden"
    book.save(path)
    table = read_counts([path])
    assert table.counts.T.to_dict("list") == {"S1": [1, 3], "S2": [2, 4]}
    assert list(table.counts) == ["BGN", "a\nb"]
    assert table.notes == (f"{path}: we read sheet 'Counts' of 'hidden', 'Counts', 'samples'",)
    named = read_counts([Path(f"{path}#Counts")])
    assert named.counts.equals(table.counts)
    assert named.notes == ()
    sheet = read_sheet(Path(f"{path}#samples"))
    assert sheet.to_numpy().tolist() == [
        ["001", "1", "2020-03-04", "TRUE"],
        ["S2", "1.5", "2020-03-04 08:30:00", ""],
    ]
    assert sheet.attrs["lines"] == [2, 3]


def test_a_workbook_is_known_by_its_content(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.xlsx", Counts=COUNTS)
    assert counts(path.rename(tmp_path / "counts.tsv")) == {"S1": [1, 3], "S2": [2, 4]}
    # a mark in the name of a file that is there belongs to the name
    marked = saved(tmp_path / "a.xlsx#b.xlsx", Counts=COUNTS)
    assert counts(marked) == {"S1": [1, 3], "S2": [2, 4]}


def test_rows_are_those_of_the_spreadsheet(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.xlsx", Counts=[*COUNTS[:4], ["DCN", "many", 1]])
    assert "row 5 ('DCN'), column 'S1': 'many' is not a number" in said(counts, path)


def test_dates_among_genes_are_refused_and_all_listed(tmp_path: Path) -> None:
    text = said(counts, saved(tmp_path / "x.xlsx", Dates=DATES))
    assert "row 2 ('2006-09-01'): gene id '2006-09-01' is a symbol that a spreadsheet" in text
    assert "It was probably SEPTIN1." in text
    assert all(f"'2006-09-0{day}'" in text for day in range(1, 9))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.xlsx#Count", "x.xlsx#Count: has no sheet 'Count'. Did you mean 'Counts'?"),
        ("y.xlsx#Counts", "y.xlsx: does not exist. Did you mean 'x.xlsx'?"),
        ("text.xlsx#Counts", "text.xlsx#Counts: is not an Excel workbook with a sheet 'Counts'"),
        ("empty.xlsx", "empty.xlsx: is empty; expected a table with a header and rows"),
    ],
)
def test_what_is_not_there_is_named(name: str, expected: str, tmp_path: Path) -> None:
    saved(tmp_path / "x.xlsx", Counts=COUNTS)
    saved(tmp_path / "empty.xlsx", Counts=[[None], [" "]])
    (tmp_path / "text.xlsx").write_text("gene\tS1\nA\t1\n")
    for read in (counts, read_sheet):
        assert expected in said(read, tmp_path / name)


HEAD = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<dimension ref="A1:XFD1048576"/><sheetData>'
)
END = "</sheetData></worksheet>"


def row(number: int, column: str) -> str:
    return f'<row r="{number}"><c r="{column}{number}"><v>1</v></c></row>'


def with_sheet(path: Path, content: str) -> Path:
    """Put a sheet's XML into a workbook in place of its own."""
    data = saved(path, Counts=COUNTS).read_bytes()
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            own = content.encode() if name == "xl/worksheets/sheet1.xml" else source.read(name)
            target.writestr(name, own)
    path.write_bytes(stream.getvalue())
    return path


BOMBS = {
    "cells far to the right": (
        HEAD + "".join(row(n, "XFD") for n in range(1, 99)) + END,
        "has more than 1,000,000 cells",
    ),
    "one wide row": (
        HEAD + row(1, "XFD") + "".join(row(n, "A") for n in range(2, 99)) + END,
        "has more than 1,000,000 cells",
    ),
    "a row far below": (HEAD + row(1, "A") + row(1 << 40, "A") + END, "or 1,000 rows"),
    "entities": (f'<!DOCTYPE w [<!ENTITY a "aa">]>{HEAD}{END}', "declares entities in its XML"),
    "much of nothing": (HEAD + " " * (1 << 21) + END, "is larger than 1 MiB once unpacked"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_CELLS", 1_000_000)
    monkeypatch.setattr(workbook, "MAX_ROWS", 1_000)
    monkeypatch.setattr("fibroserum.files.contents.MAX_TABLE_BYTES", 1 << 20)
    content, expected = BOMBS[name]
    assert expected in said(counts, with_sheet(tmp_path / "x.xlsx", content))


def test_the_size_that_a_sheet_declares_means_nothing(tmp_path: Path) -> None:
    cells = '<row r="1"><c t="str"><v>gene</v></c><c t="str"><v>S1</v></c></row>'
    cells += '<row r="2"><c t="str"><v>BGN</v></c><c><v>7</v></c></row>'
    assert counts(with_sheet(tmp_path / "x.xlsx", HEAD + cells + END)) == {"S1": [7]}


def test_a_formula_is_its_stored_value(tmp_path: Path) -> None:
    cells = '<row r="1"><c t="str"><v>gene</v></c><c t="str"><v>S1</v></c></row>'
    cells += '<row r="2"><c t="str"><v>BGN</v></c><c r="B2"><f>1+1</f><v>7</v></c></row>'
    path = with_sheet(tmp_path / "x.xlsx", HEAD + cells + END)
    assert counts(path) == {"S1": [7]}
    without = with_sheet(path, (HEAD + cells + END).replace("<v>7</v>", ""))
    for read in (counts, read_sheet):
        text = said(read, without)
        assert "sheet 'Counts': contains formulas without stored values: 'B2'" in text
        assert "Open it in a spreadsheet program and save it again" in text
    shared = '<f t="shared" si="0" ref="B2:B3">%s</f><v>7</v>'
    for formula in ('"a', "A1"):  # which openpyxl would fail to move to A3
        odd = cells.replace("<f>1+1</f><v>7</v>", shared % formula)
        odd += '<row r="3"><c r="A3"><f t="shared" si="0"/><v>5</v></c><c r="B3"/></row>'
        assert "column 'S1': the cell is empty" in said(counts, with_sheet(path, HEAD + odd + END))
    empty = (HEAD + cells + END).replace(
        '<c r="B2"><f>1+1</f><v>7</v>', '<c t="str"><f>""</f><v></v>'
    )
    assert "column 'S1': the cell is empty" in said(counts, with_sheet(path, empty))


TITLE, FOOTNOTE = [["Table S1. Counts"]], [[], ["* without the second run"]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [*TITLE, *COUNTS],
            "row 1: 'Table S1. Counts' is the only cell of its row, like a title above",
        ),
        (
            [[None, "Samples"], *COUNTS],
            "row 1: 'Samples' is the only cell of its row, like a title above",
        ),
        (
            [*COUNTS, *FOOTNOTE],
            "row 7 ('* without the second run'): only the first cell of the row is filled in",
        ),
    ],
)
def test_titles_and_footnotes_are_named_once(
    rows: list[list[Any]], expected: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "x.xlsx", Counts=rows)
    book = openpyxl.load_workbook(path)
    book["Counts"].merge_cells(None, 1, 1, 1, 1)
    book.save(path)
    text = said(counts, path)
    assert expected in text
    assert "1 problem with" in text
