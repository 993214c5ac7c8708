"""Tables as spreadsheets and vendors write them: line breaks, empty columns, marks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fibroserum.counts import CountTable, read_counts
from fibroserum.errors import InputError
from fibroserum.files.table import read_sheet
from helpers import count_files as files

SHEET = ("S1", "S2")


def read(folder: Path, text: str, **options: object) -> CountTable:
    (folder / "x").write_text(text, encoding="utf-8")
    return read_counts([folder / "x"], **options)  # type: ignore[arg-type]


def refusal(folder: Path, text: str, **options: object) -> str:
    with pytest.raises(InputError) as refused:
        read(folder, text, **options)
    return str(refused.value)


def values(table: CountTable) -> dict[str, list[int]]:
    return table.counts.T.to_dict("list")


GOOD = {"S1": [1, 3], "S2": [2, 4]}


@pytest.mark.parametrize(
    "text",
    [
        "gene\tS1\tS2\nA\t1\t2\t\nB\t3\t4\t\n",  # a tab at each row's end
        "gene\tS1\tS2\t\nA\t1\t2\t\nB\t3\t4\t\n",
        "gene\tS1\tS2\t\t\nA\t1\t2\nB\t3\t4\n",
        "S1\tS2\nA\t1\t2\t\nB\t3\t4\t\n",  # R's short header
        "gene,S1,,S2\nA,1,,2\nB,3, ,4\n,,,\n",  # an empty column and an empty row
        'gene,S1,S2,\nA,1,2,""\nB,3,4,\n',
    ],
)
def test_columns_without_name_and_content_are_left_out(text: str, tmp_path: Path) -> None:
    table = read(tmp_path, text)
    assert values(table) == GOOD
    assert table.notes == (f"{tmp_path / 'x'}: excluded columns without name and content",)


def test_an_htseq_file_with_tabs_at_its_ends_has_no_header(tmp_path: Path) -> None:
    assert values(read(tmp_path, "A\t5\t\nB\t6\t\n__no_feature\t9\t\n")) == {"x": [5, 6]}


def test_what_stands_behind_the_last_name_is_no_nothing(tmp_path: Path) -> None:
    assert "has 4 cells; expected 3" in refusal(
        tmp_path, "gene\tS1\tS2\nA\t1\t2\t9\nB\t3\t4\nC\t1\t1\n"
    )
    assert "row 2 ('A'), column 'S2': the cell is empty" in refusal(
        tmp_path, "gene\tS1\tS2\nA\t1\t\nB\t3\t4\n"
    )


@pytest.mark.parametrize("known", [(), ("S1", "S2"), ("S2", "S3")])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("S1\tS2\tS3\t\nA\t1\t2\t3\nB\t3\t4\t5\n", 4),  # R's short header and a tab
        ("S1,S2,S3,\nA,1,2,3,\nB,3,4,5,\n", 4),
        ("S1\t\tS3\nA\t1\t2\nB\t3\t4\n", 2),
    ],
)
def test_a_column_with_content_has_a_name(
    text: str, place: int, known: tuple[str, ...], tmp_path: Path
) -> None:
    said = refusal(tmp_path, text, known_samples=known)
    assert (
        f"header: column {place} contains '{place - 1 if place > 2 else 1}' but has no name" in said
    )
    assert "If 'S1' is a sample, write 'gene' before it in the header." in said


def test_a_quoted_cell_may_hold_line_breaks(tmp_path: Path) -> None:
    text = 'gene,S1,S2\r\n"A\r\n\r\n(alpha, ""a"")",1,2\r\nB,3,many\r\n'
    said = refusal(tmp_path, text)
    assert "row 5 ('B'), column 'S2': 'many' is not a number" in said
    table = read(tmp_path, text.replace("many", "4"))
    assert values(table) == GOOD
    # as pandas reads it
    assert (
        list(table.counts) == pd.read_csv(tmp_path / "x").iloc[:, 0].str.replace("\r", "").tolist()
    )
    (tmp_path / "s").write_text('sample,"donor\nid",note\nS1,D1,"two\nlines"\nS2,D2,5" plate\n')
    sheet = read_sheet(tmp_path / "s")
    assert sheet.to_dict("list") == {
        "sample": ["S1", "S2"], "donor\nid": ["D1", "D2"], "note": ["two\nlines", '5" plate'],
    }  # fmt: skip
    assert sheet.attrs["lines"] == [3, 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('gene,S1\nA,1\n"B,2\nC,3\n', "row 3: a quotation mark is opened but not closed"),
        ('gene,S1\n"A"x,1\n', "row 2: a quotation mark is closed before the end of its cell"),
    ],
)
def test_quotation_marks_that_do_not_pair_are_named(
    text: str, expected: str, tmp_path: Path
) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("big", "bigger"),
    [
        ('"1,376"', '"12,345,678"'),
        ("1 376", "12 345 678"),
        ("1\u00a0376", "12\u00a0345\u00a0678"),
        ("1\u202f376", "12\u202f345\u202f678"),
        ("1'376", "12'345'678"),
        ("1,376.0", "12,345,678"),
    ],
)
def test_thousands_marks_are_read_where_they_can_be_nothing_else(
    big: str, bigger: str, tmp_path: Path
) -> None:
    table = read(tmp_path, f"gene\tS1\tS2\nA\t{big}\t2\nB\t{bigger}\t999\n")
    assert values(table) == {"S1": [1376, 12345678], "S2": [2, 999]}
    assert "between groups of three digits is read as a thousands separator" in table.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "gene\tS1\tS2\nA\t1,376\t2\nB\t1,2\t999\n",  # not three digits
        "gene\tS1\tS2\nA\t1,376\t2\nB\t1,255\t1000\n",  # a large number without a mark
        'gene,S1,S2\nA,"1,376",2\nB,"1,255",7\n',  # the mark separates columns
        "gene\tS1\tS2\nA\t1.376\t2\nB\t1.255\t7\n",  # points
        "gene\tS1\tS2\nA\t1,376\t2\nB\t0,897\t7\n",  # no group begins with 0
        "gene\tS1\tS2\nA\t1,376\t0\nB\t12,255\t2,424\n",  # nothing from 1 to 999
    ],
)
@pytest.mark.parametrize("fractional", ["refuse", "round"])
def test_marks_that_may_be_decimal_are_refused_with_both_readings(
    text: str, fractional: str, tmp_path: Path
) -> None:
    said = refusal(tmp_path, text, fractional=fractional)
    assert "1 problem with" in said
    assert "row 2 ('A'), column 'S1': '1" in said
    assert "can be read as 1376 or as 1.376" in said
    assert "Save the numbers without thousands separators" in said


def test_points_that_can_only_be_thousands_marks_are_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, "gene\tS1\tS2\nA\t1.376.222\t2\nB\t1.255\t7\n")
    assert "row 2 ('A'), column 'S1': '1.376.222' has points as thousands separators" in said
    assert "row 3 ('B'), column 'S1': '1.255' can be read as 1255 or as 1.255" in said


def test_estimates_with_three_decimals_are_rounded(tmp_path: Path) -> None:
    rows = "".join(f"G{n}\t{n}.125\t1.375\t{40 * n}\n" for n in range(1, 40))
    table = read(tmp_path, "gene\tS1\tS2\tS3\n" + rows, fractional="round")
    assert table.counts["G7"].tolist() == [7, 1, 280]


VENDOR = """gene\tS1\tS2\tgene_chr\tgene_start\tgene_length\ttf_family\tgene_description
A\t1\t2\t1\t1200\t99\t-\tx, y
B\t3\t4\tX\t1300\t98\tHox\t
"""
BIOMART = """Gene stable ID,S1,Gene name,Chromosome/scaffold name,Gene start (bp),Strand,S2,Entrez
A,1,BGN,1,1200,-1,2,633
B,3,DCN,2,100,1,4,
"""
MEASURES = """gene\tS1_count\tS2_count\tS1_FPKM\tS2_FPKM\tS1\ttpm.S2\tlog2FC\tpadj\tdelta\tratio
A\t1\t2\t.1\t.2\t%s\t10\t-1\tNA\t-4\t.25
B\t3\t4\t.3\t.2\t%s\t20\t1\t.01\t4\t.5
"""


@pytest.mark.parametrize("text", [VENDOR, BIOMART])
def test_columns_that_describe_genes_are_left_out_and_named(text: str, tmp_path: Path) -> None:
    table = read(tmp_path, text, known_samples=SHEET)
    assert values(table) == GOOD
    header = text.splitlines()[0].replace("\t", ",").split(",")
    others = ", ".join(f"'{name}'" for name in header[1:] if name not in SHEET)
    assert table.notes == (
        f"{tmp_path / 'x'}: columns {others} describe genes and are not samples",
    )


def test_of_counts_beside_other_values_the_sheets_columns_are_taken(tmp_path: Path) -> None:
    text = MEASURES.replace("\tS1\t", "\tfpkm_S1\t").replace("%s", ".5")
    table = read(tmp_path, text, known_samples=SHEET)
    assert values(table) == GOOD
    notes = " ".join(table.notes)
    assert (
        "'S1_FPKM', 'S2_FPKM', 'fpkm_S1', 'tpm.S2', 'log2FC', 'padj' contain values other" in notes
    )
    assert "column 'delta' contains negative values and is not a sample" in notes
    assert "column 'ratio' contains fractions and is not a sample" in notes
    assert "columns renamed without the word 'count' ('S1_count' becomes 'S1', …)" in notes


def test_the_sheet_decides_which_column_is_a_sample(tmp_path: Path) -> None:
    # the sheet's own names win over words in them, and a fault in its columns is one
    text = "gene\tlength\tS1_FPKM\tS3\nA\t1\t2\t5\nB\t3\tmany\t6\n"
    said = refusal(tmp_path, text, known_samples=["length", "S1_FPKM"])
    assert "row 3 ('B'), column 'S1_FPKM': 'many' is not a number" in said
    table = read(tmp_path, text.replace("many", "4"), known_samples=["length", "S1_FPKM"])
    assert values(table) == {"length": [1, 3], "S1_FPKM": [2, 4]}
    assert table.unlisted == ("S3",)


@pytest.mark.parametrize("order", ["S1\tS2\tS1_count\tS2_count", "count.S1\tcount.S2\tS1\tS2"])
@pytest.mark.parametrize("fractional", ["refuse", "round"])
def test_counts_beside_fractions_under_the_samples_names_are_taken(
    order: str, fractional: str, tmp_path: Path
) -> None:
    # the FPKM of S2 happen to be whole numbers
    rows = ("A", "1.5\t6", "1\t2"), ("B", ".2\t0", "3\t4")
    lines = [
        "\t".join([gene, fpkm, counts] if order.startswith("S1") else [gene, counts, fpkm])
        for gene, fpkm, counts in rows
    ]
    text = "\n".join([f"gene\t{order}", *lines])
    table = read(tmp_path, text, known_samples=SHEET, fractional=fractional)
    assert values(table) == GOOD
    notes = " ".join(table.notes)
    assert "columns renamed without the word 'count'" in notes
    assert "columns 'S1 (no counts)', 'S2 (no counts)' contain values other than counts" in notes
    assert table.unlisted == ()
    # whole numbers twice: the sheet's own names are taken
    same = text.replace("1.5", "7").replace(".2", "8")
    assert values(read(tmp_path, same, known_samples=SHEET)) != GOOD


@pytest.mark.parametrize(
    ("name", "cells", "said"),
    [
        (
            "Total",
            (3, 7),
            "column 'Total' contains sums of samples and is not a sample of the sheet",
        ),
        ("all", (11, 12), "column 'all' contains sums of samples and is not a sample of the sheet"),
        ("pos", (5, 6), "column 'pos' describes genes and is not a sample"),
        ("Paralogs", (0, 1), "column 'Paralogs' describes genes and is not a sample"),
        ("posX", (3, 8), ""),
    ],
)
def test_sums_and_descriptions_in_whole_numbers_are_no_samples(
    name: str, cells: tuple[int, int], said: str, tmp_path: Path
) -> None:
    text = f"gene\tS1\tS2\tS3\t{name}\nA\t1\t2\t8\t{cells[0]}\nB\t3\t4\t5\t{cells[1]}\n"
    table = read(tmp_path, text, known_samples=SHEET)
    assert values(table) == GOOD
    assert table.unlisted == (("S3",) if said else ("S3", name))
    assert said in " ".join(table.notes)


GDC = "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\tstranded_first\t"
GDC += "stranded_second\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded\n"
GDC += "".join(f"N_{n}\t\t\t5\t5\t5\t\t\t\n" for n in ("unmapped", "multimapping"))


@pytest.mark.parametrize(("forward", "column"), [(0.5, 0), (0.95, 1), (0.05, 2)])
def test_the_gdcs_tables_of_star_are_read(forward: float, column: int, tmp_path: Path) -> None:
    truth = files.truth().iloc[1:3]
    expected = {}
    for sample, row in truth.iterrows():
        strands = [[n, round(forward * n), n - round(forward * n)] for n in row]
        cells = ("\t".join(map(str, three)) for three in strands)
        rows = [
            f"{gene}.5\tG\tprotein_coding\t{three}\t1.5\t.3\t.2"
            for gene, three in zip(row.index, cells, strict=True)
        ]
        folder = tmp_path / f"uuid-{sample}"
        name = f"{sample}.rna_seq.augmented_star_gene_counts.tsv"
        files.write(folder / name, [GDC + rows[0], *rows[1:]])
        expected[sample] = [three[column] for three in strands]
    table = read_counts([tmp_path])
    assert values(table) == expected
    assert list(table.counts) == files.GENES
    one = read_counts([folder / name])
    assert values(one) == {sample: expected[sample]}
