"""The workbook: every table, names as text, numbers as in the TSV."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from xlsxwriter.workbook import Workbook

from fibroserum import tables
from fibroserum.report import workbook as workbook_module
from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.workbook import (
    OPTIONS,
    Sheet,
    Texts,
    sheet_name,
    sheets_of,
    with_rows,
    workbook,
)
from helpers.report_run import make_run
from helpers.report_shape import HOSTILE, Shape


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[RunTables, openpyxl.Workbook]:
    folder = tmp_path_factory.mktemp("run")
    outcomes = ("skin", HOSTILE[0])
    shape = Shape(genes=120, names=HOSTILE, pairs=10, groups=("AT", HOSTILE[0]), outcomes=outcomes)
    config = make_run(folder, repository, shape)
    made = workbook(folder, "made up", stimulated(config), ["outcomes"])
    assert made == workbook(folder, "made up", stimulated(config), ["outcomes"])
    return load_run(folder, config), openpyxl.load_workbook(io.BytesIO(made))


def stimulated(config: dict[str, Any]) -> dict[str, bool]:
    return {name: bool(about["stimulation"]) for name, about in config["factors"].items()}


def test_first_sheet_explains_every_other(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    _, book = made
    rows = list(book["Read me"].iter_rows(values_only=True))
    heads = [number for number, row in enumerate(rows) if row[0] in ("sheet", "table")]
    listed = {row[0]: row for row in rows[heads[0] + 1 : heads[1]] if row[0]}
    assert set(listed) == set(book.sheetnames) - {"Read me"}
    explained = {(row[0], row[1]): row[3] for row in rows if row[3]}
    for _, schema, *_ in listed.values():
        for column in tables.schemas()[schema].columns:
            # an optional column is explained where a table has it
            if not column.optional:
                assert explained[schema, column.name] == column.about


def test_outcomes_have_sheets_where_the_config_names_some(
    made: tuple[RunTables, openpyxl.Workbook], tmp_path: Path, repository: Path
) -> None:
    names = {"outcome_pairs", "outcomes", "outcome_targets", "outcome_sets"}
    assert names <= set(made[1].sheetnames)
    config = make_run(tmp_path, repository, Shape(genes=60))
    found = {sheet.wanted for sheet in sheets_of(tmp_path, stimulated(config), [])}
    assert not names & found


def test_symbols_and_formulas_stay_text(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    _, book = made
    sheet = book["de AT_post_vs_pre"]
    cells = {row[2].value: row[2] for row in sheet.iter_rows(min_row=2)}
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
        assert header[0] == "contrast"
        assert {row[0] for row in rows} == {contrast}
        header, *rows = header[1:], *(row[1:] for row in rows)
        assert list(header) == list(frame.columns)
        for name in ("baseMean", "log2FoldChange", "pvalue", "padj"):
            shown = [row[header.index(name)] for row in rows]
            for value, cell in zip(frame[name], shown, strict=True):
                assert (cell is None) if value != value else cell == value


TEXTS = ["", " led", "trailed ", "a\x01b", "_x0041_", "<&>\"'", "=1+1", "é", "x" * 40_000, "50 %s"]


def test_cells_are_those_that_xlsxwriter_writes_one_by_one(tmp_path: Path) -> None:
    """In `targets`, which has columns of every kind; text in all its forms."""
    columns = tables.schemas()["targets"].columns
    values = {
        "text": TEXTS,
        "number": ["0.3", "-1e-300", "1e+300", "", "0", "0.3333333333", "5", "1e+15", "12.5", "7"],
        "integer": ["1", "", "-3", str(2**40), "0", "5", "6", "7", "8", "9"],
        "boolean": ["true", "", "false"] + ["true"] * 7,
    }
    values |= {"fraction": values["number"], "word": TEXTS}
    names = [column.name for column in columns]
    rows = list(zip(*(values[column.kind] for column in columns), strict=True)) * 3
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([names, *rows])
    table = Sheet("x", "targets", text.getvalue(), "label", "50 % <of>")
    assert table.length == len(rows)
    made = xml_of(table)
    reference = io.BytesIO()
    # row by row, with texts in their cells as ours have them
    with Workbook(reference, {**OPTIONS, "constant_memory": True}) as book:
        sheet = book.add_worksheet("x")
        sheet.write_row(0, 0, table.columns, book.add_format({"bold": True}))
        for row, cells in enumerate(rows, 1):
            sheet.write_string(row, 0, "50 % <of>")
            for place, (column, cell) in enumerate(zip(columns, cells, strict=True), 1):
                if not cell:
                    continue
                if column.kind == "boolean":
                    sheet.write_boolean(row, place, cell == "true")
                elif column.kind in ("text", "word"):
                    sheet.write_string(row, place, cell[:32_767])
                else:
                    sheet.write_number(row, place, float(cell))
    ours, theirs = (openpyxl.load_workbook(one)["x"] for one in (made, reference))
    assert ours.dimensions == theirs.dimensions
    for mine, other in zip(ours.iter_rows(), theirs.iter_rows(), strict=True):
        for a, b in zip(mine, other, strict=True):
            assert a.coordinate == b.coordinate
            assert (a.value, a.data_type, a.font.bold) == (b.value, b.data_type, b.font.bold)
    xml = zipfile.ZipFile(made).read("xl/worksheets/sheet1.xml").decode()
    assert '<is><t xml:space="preserve"> led</t></is>' in xml


def xml_of(table: Sheet) -> io.BytesIO:
    """Return a book of one table, whose rows are put in."""
    header, made = io.BytesIO(), io.BytesIO()
    with Workbook(header, OPTIONS) as book:
        sheet = book.add_worksheet("x")
        sheet.write_row(0, 0, table.columns, book.add_format({"bold": True}))
    with zipfile.ZipFile(header) as before, zipfile.ZipFile(made, "w") as after:
        for name in before.namelist():
            xml = before.read(name).decode()
            whole = "".join(with_rows(xml, table, Texts())) if "/sheet1." in name else xml
            after.writestr(name, whole)
    return made


def test_a_sheet_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"G{i}" for i in range(25)]
    table = Sheet("x", "left_out_genes", "\n".join(["gene", *rows, ""]))
    found = []
    for at_once in (10_000, 25, 4, 1):
        monkeypatch.setattr(workbook_module, "AT_ONCE", at_once)
        cells = openpyxl.load_workbook(xml_of(table))["x"].iter_rows(values_only=True)
        found.append([row[0] for row in cells])
    assert all(one == ["gene", *rows] for one in found)


def test_a_cell_longer_than_a_spreadsheet_allows_is_cut() -> None:
    long = ",".join(f"ENSG{number:011}" for number in range(12_000))
    table = Sheet("x", "left_out_genes", f"gene\n{long}\n")
    cells = openpyxl.load_workbook(xml_of(table))["x"].iter_rows(values_only=True)
    assert [row[0] for row in cells] == ["gene", long[:32_767]]


def test_sheet_names_fit_a_spreadsheet() -> None:
    taken: set[str] = set()
    wanted = ["de " + "a" * 60, "de " + "a" * 60 + "b", "a[b]:c*d?e/f\\g", "'", "History", "x", "X"]
    names = [sheet_name(one, taken) for one in wanted]
    assert all(0 < len(name) <= 31 for name in names)
    assert len({name.casefold() for name in names}) == len(names)
    assert not set("[]:*?/\\") & set("".join(names))
    assert names[4].casefold() != "history"


def test_names_that_differ_at_their_end_can_be_told_apart() -> None:
    groups = "resistance_training_vs_aerobic_training"
    names = [sheet_name(f"de {groups}_{end}", taken := set()) for end in ("change", "before")]
    assert names == ["de resistance_t…training_change", "de resistance_t…training_before"]
    assert len(taken) == 1


def test_the_first_sheet_lists_whole_names(
    made: tuple[RunTables, openpyxl.Workbook],
) -> None:
    run, book = made
    rows = list(book["Read me"].iter_rows(values_only=True))
    of = {row[0]: row[3] for row in rows if row[1] in ("de", "enrichment", "stimulation")}
    assert set(run.contrast_names) <= set(of.values())
    for name, whole in of.items():
        header, *cells = book[name].iter_rows(values_only=True) if name in book.sheetnames else [()]
        if header:
            assert header[0] == ("factor" if name.startswith("stimulation") else "contrast")
            assert {row[0] for row in cells} <= {whole}
