"""The workbook: every table, names as text, numbers as in the TSV."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from xlsxwriter.workbook import Workbook

from fibroserum import tables
from fibroserum.report import workbook as workbook_module
from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.workbook import OPTIONS, TableSheet, sheet_name, workbook
from helpers.report_run import make_run
from helpers.report_shape import HOSTILE, Shape


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[RunTables, openpyxl.Workbook]:
    folder = tmp_path_factory.mktemp("run")
    outcomes = ("skin", HOSTILE[0])
    shape = Shape(genes=120, names=HOSTILE, pairs=10, groups=("AT", HOSTILE[0]), outcomes=outcomes)
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
            # an optional column is explained where a table has it
            if not column.optional:
                assert explained[schema, column.name] == column.about


def test_outcomes_have_sheets_where_the_config_names_some(
    made: tuple[RunTables, openpyxl.Workbook], tmp_path: Path, repository: Path
) -> None:
    names = {"outcome_pairs", "outcomes", "outcome_targets", "outcome_sets"}
    assert names <= set(made[1].sheetnames)
    run = load_run(tmp_path, make_run(tmp_path, repository, Shape(genes=60)))
    assert not names & {sheet.wanted for sheet in workbook_module.sheets_of(run)}


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


def test_the_same_tables_give_the_same_bytes(made: tuple[RunTables, openpyxl.Workbook]) -> None:
    run, _ = made
    assert workbook(run, "x") == workbook(run, "x")


TEXTS = ["", " led", "trailed ", "a\x01b", "_x0041_", "<&>\"'", "=1+1", "é", "x" * 40_000, None]


def test_cells_are_those_that_xlsxwriter_writes_one_by_one() -> None:
    frame = pd.DataFrame(
        {
            "text": TEXTS,
            "float": [0.1 + 0.2, -1e-300, 1e300, np.nan, 0.0, 1 / 3, 5.0, 1e15, 123456789.1234, 7],
            "whole": pd.array([1, None, -3, 2**40, 0, 5, 6, 7, 8, 9], dtype="Int64"),
            "yes": pd.array([True, None, False] + [True] * 7, dtype="boolean"),
            "nothing": [None] * len(TEXTS),
        }
    )
    frame = pd.concat([frame] * 3, ignore_index=True)
    made, reference = io.BytesIO(), io.BytesIO()
    with Workbook(made, OPTIONS) as book:
        sheet = book.add_worksheet("x", TableSheet)
        sheet.set_table(frame, book.add_format({"bold": True}))
    # row by row, with texts in their cells as ours have them
    with Workbook(reference, {**OPTIONS, "constant_memory": True}) as book:
        sheet = book.add_worksheet("x")
        sheet.write_row(0, 0, frame.columns, book.add_format({"bold": True}))
        for row, cells in enumerate(frame.itertuples(index=False), 1):
            for column, value in enumerate(cells):
                if isinstance(value, str) and value:
                    sheet.write_string(row, column, value[:32_767])
                elif isinstance(value, float) and value == value:
                    sheet.write_number(row, column, float(f"{value:.10g}"))
                elif isinstance(value, bool | np.bool_):
                    sheet.write_boolean(row, column, bool(value))
                elif isinstance(value, int | np.integer):
                    sheet.write_number(row, column, int(value))
    ours, theirs = (
        openpyxl.load_workbook(io.BytesIO(one.getvalue()))["x"] for one in (made, reference)
    )
    assert ours.dimensions == theirs.dimensions == f"A1:E{len(frame) + 1}"
    for mine, other in zip(ours.iter_rows(), theirs.iter_rows(), strict=True):
        for a, b in zip(mine, other, strict=True):
            assert a.coordinate == b.coordinate
            if a.value != "":  # which the other has as no cell
                assert (a.value, a.data_type, a.font.bold) == (b.value, b.data_type, b.font.bold)
    assert [cell.value for cell in ours["B"][5:6]] == [0]
    assert [cell.value for cell in ours["D"][3:4]] == [False]
    xml = zipfile.ZipFile(made).read("xl/worksheets/sheet1.xml").decode()
    assert '<is><t xml:space="preserve"> led</t></is>' in xml


def test_a_sheet_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"gene": [f"G{i}" for i in range(25)], "n": np.arange(25.0)})
    found = []
    for at_once in (10_000, 25, 4, 1):
        monkeypatch.setattr(workbook_module, "AT_ONCE", at_once)
        stream = io.BytesIO()
        with Workbook(stream, OPTIONS) as book:
            book.add_worksheet("x", TableSheet).set_table(frame, book.add_format())
        rows = openpyxl.load_workbook(io.BytesIO(stream.getvalue()))["x"].iter_rows(
            values_only=True
        )
        found.append(list(rows))
    assert found[0][1:] == list(frame.itertuples(index=False, name=None))
    assert all(one == found[0] for one in found)


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
