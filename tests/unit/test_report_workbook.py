"""The workbook: every table, names as text, numbers as in the TSV."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from report_fixture import HOSTILE, Shape, make_run

from fibroserum import tables
from fibroserum.report.run import RunTables, load_run
from fibroserum.report.workbook import sheet_name, workbook


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[RunTables, openpyxl.Workbook]:
    folder = tmp_path_factory.mktemp("run")
    shape = Shape(genes=120, names=HOSTILE, pairs=10, groups=("AT", HOSTILE[0]))
    run = load_run(folder, make_run(folder, repository, shape))
    return run, openpyxl.load_workbook(io.BytesIO(workbook(run, "made up")))


def test_first_sheet_explains_every_other(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    _, book = made
    rows = list(book["Read me"].iter_rows(values_only=True))
    heads = [number for number, row in enumerate(rows) if row[0] in ("sheet", "table")]
    listed = {row[0]: row for row in rows[heads[0] + 1 : heads[1]] if row[0]}
    assert set(listed) == set(book.sheetnames) - {"Read me"}
    explained = {(row[0], row[1]): row[3] for row in rows if row[3]}
    for _, schema, *_ in listed.values():
        for column in tables.schemas()[schema].columns:
            assert explained[schema, column.name] == column.about


def test_symbols_and_formulas_stay_text(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    _, book = made
    sheet = book["de AT_post_vs_pre"]
    cells = {row[1].value: row[1] for row in sheet.iter_rows(min_row=2)}
    for name in HOSTILE:
        assert cells[name].data_type == "s"
        assert cells[name].hyperlink is None
    kinds = {cell.data_type for one in book for row in one.iter_rows() for cell in row}
    assert "f" not in kinds


def test_numbers_are_those_of_the_table(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    run, book = made
    for contrast in ("AT_post_vs_pre", "average_post_vs_pre"):
        header, *rows = book[f"de {contrast}"].iter_rows(values_only=True)
        frame = run.de[contrast]
        assert list(header) == list(frame.columns)
        for name in ("baseMean", "log2FoldChange", "pvalue", "padj"):
            shown = [row[header.index(name)] for row in rows]
            for value, cell in zip(frame[name], shown, strict=True):
                assert (cell is None) if value != value else cell == value


def test_the_same_tables_give_the_same_bytes(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    run, _ = made
    assert workbook(run, "x") == workbook(run, "x")


def test_sheet_names_fit_a_spreadsheet() -> None:
    taken: set[str] = set()
    wanted = ["de " + "a" * 60, "de " + "a" * 60 + "b", "a[b]:c*d?e/f\\g", "'", "History", "x", "X"]
    names = [sheet_name(one, taken) for one in wanted]
    assert all(0 < len(name) <= 31 for name in names)
    assert len({name.casefold() for name in names}) == len(names)
    assert not set("[]:*?/\\") & set("".join(names))
    assert names[4].casefold() != "history"
