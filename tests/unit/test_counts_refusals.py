"""One mistake each: what is refused, where, and what to do instead."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum.counts import folders, read_counts
from fibroserum.errors import InputError
from fibroserum.files import contents
from helpers import count_files as files


def refusal(*paths: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_counts(paths, **options)  # type: ignore[arg-type]
    return str(caught.value)


def table(*rows: str) -> str:
    return "\n".join(["gene\tS1\tS2", *rows]) + "\n"


def cpm(scale: float, digits: int = 4) -> str:
    """Return counts of 400 genes scaled to one total."""
    rng = np.random.default_rng(3)
    counts = rng.negative_binomial(1, 0.01, size=(400, 3)).astype(float)
    scaled = counts / counts.sum(axis=0) * scale
    return frame_text(np.round(scaled, digits))


def frame_text(values: np.ndarray) -> str:
    frame = pd.DataFrame(values, index=[f"G{n}" for n in range(len(values))])
    frame.columns = [f"S{n}" for n in range(values.shape[1])]
    return frame.to_csv(sep="\t")


def size_factored(rounded: int = 6) -> str:
    rng = np.random.default_rng(3)
    counts = rng.negative_binomial(1, 0.02, size=(400, 3))
    return frame_text(np.round(counts / np.array([0.81, 1.07, 1.33]), rounded))


def fpkm() -> str:
    rng = np.random.default_rng(3)
    return frame_text(np.round(np.exp(rng.normal(1, 2, size=(600, 3))), 4))


TEXTS = {
    "negative": (table("A\t-3\t4"), "row 2 ('A'), column 'S1': the count is negative (-3)"),
    "fraction": (table("A\t3.5\t4"), "row 2 ('A'), column 'S1': the count 3.5 is not a whole"),
    "advice for fractions": (table("A\t3.5\t4"), "write 'fractional: round' in the config"),
    "empty cell": (table("A\t1\t4", "B\t\t4"), "row 3 ('B'), column 'S1': the cell is empty"),
    "missing": (table("A\t1\tNA"), "row 2 ('A'), column 'S2': the count is missing ('NA')"),
    "not a number": (table("A\t1\tmany"), "row 2 ('A'), column 'S2': 'many' is not a number"),
    "boolean": (table("A\t1\tTrue"), "row 2 ('A'), column 'S2': 'True' is not a number"),
    "infinite": (table("A\t1\t1e999"), "row 2 ('A'), column 'S2': the count is infinite"),
    "huge": (table("A\t1\t1e16"), "column 'S2': the count 1e+16 is impossibly large"),
    "rows count blank lines": (table("A\t1\t2", "", "B\tx\t2"), "row 4 ('B'), column 'S1': 'x' is"),
    "decimal comma": (table("A\t1,5\t4"), "row 2 ('A'), column 'S1': '1,5' contains a comma"),
    "semicolons": ("gene;S1;S2\nA;1;2\n", "has semicolons between columns; expected tabs"),
    "semicolons, decimal commas": ("g;S1\nA;1,5\n", "Save it with commas between columns and"),
    "spaces": ('"S1" "S2"\n"A" 1 2\n', "has spaces between columns"),
    "one column": ("gene\nA\nB\n", "has a single column (its first line is 'gene')"),
    "duplicate gene": (table("A\t1\t2", "B\t1\t2", "A\t3\t4"),
                       "rows 2, 4: the gene 'A' appears in 2 rows; expected each gene only once"),
    "empty gene": (table("A\t1\t2", "\t1\t2"), "row 3 (''): the row has no gene id"),
    "duplicate sample": ("gene\tS1\tS1\nA\t1\t2\n", "the sample 'S1' appears in more than one"),
    "unnamed sample": ("gene\tS1\t\nA\t1\t2\n", "header: column 3 contains '2' but has no name"),
    "silent sample": (table("A\t1\t0", "B\t2\t0"), "column 'S2': every count of this sample is 0"),
    "no genes": ("gene\tS1\tS2\n", "is an empty matrix: it has no gene row"),
    "no samples": ("gene_id\tgene_name\nA\tB\n", "is an empty matrix: it has no sample column"),
    "special rows alone": (table("__no_feature\t1\t2"), "is an empty matrix: it has no gene row"),
    "ragged": (table("A\t1\t2", "B\t1"), "row 3: has 2 cells; expected 3, as in the first row"),
    "open quote": (table("A\t1\t2", '"B\t1\t2'), "row 3: a quotation mark is opened"),
    "text column": ("gene\tdonor\tS1\nA\tD1\t2\nB\tD2\t3\n",
                    "column 'donor': the column contains only text ('D1', …)"),
    "transposed ensembl": ("sample\tENSG00000182492\tENSG00000011465\nS1\t1\t2\n",
                           "has samples in rows and genes in columns; expected genes in rows"),
    "no header": ("ENSG00000182492\t4\t5\nENSG00000011465\t1\t2\n",
                  "has no header line. It begins with the gene 'ENSG00000182492'"),
    "htseq of many without header": ("A\t4\t5\nB\t1\t2\n__no_feature\t1\t2\n",
                                     "use htseq-count --with-header"),
    "rsem": ("gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
             "A\tB\t1\t1\t1\t1\t1\n", "is an RSEM table of a single sample"),
    "date": (table("1-Mar\t1\t2", "B\t2\t3"), "row 2 ('1-Mar'): gene id '1-Mar' is a symbol"),
    "tpm": (cpm(1e6), "contains TPM or CPM values (every sample adds up to a million); expected"),
    "tpm in whole numbers": (cpm(1e6, 0), "contains TPM or CPM values rounded to whole numbers"),
    "scaled to one total": (cpm(1e7, 5), "contains scaled values (every sample adds up to 1e+07"),
    "size factors": (size_factored(), "contains counts divided by one factor per sample"),
    "fpkm": (fpkm(), "contains values that look like FPKM or TPM ("),
    "logged": (frame_text(np.log2(np.arange(1, 31)).reshape(10, 3)), "look like logarithms"),
    "log cpm": (frame_text(np.random.default_rng(1).normal(2, 3, (9, 3))), "look like logarithms"),
    "html": ("<!DOCTYPE html>\n<html>", "is a web page (HTML or XML), not a table"),
    "git lfs": ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "comments": ("# one\n# two\n", "contains only comment lines"),
    "blank": ("\n \n", "is empty; expected a table with a header and rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_with_one_mistake_is_refused(name: str, tmp_path: Path) -> None:
    text, expected = TEXTS[name]
    path = tmp_path / "counts.tsv"
    path.write_text(text)
    said = refusal(path)
    assert f"{path}" in said
    assert expected in said
    assert "1 problem with the input" in said


BYTES = {
    "xlsx": (
        b"PK\x03\x04" + b"\0" * 30 + b"[Content_Types].xml xl/workbook.xml",
        "is a damaged Excel workbook (File is not a zip file)",
    ),
    "ods": (
        b"PK\x03\x04" + b"\0" * 30 + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "is an OpenDocument spreadsheet (.ods); expected a text table or .xlsx. Save it as .xlsx.",
    ),
    "zip": (b"PK\x03\x04" + b"\0" * 30 + b"counts.tsv", "is a zip archive"),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1",
        "is an old Excel workbook (.xls), or one with a password",
    ),
    "pdf": (b"%PDF-1.7", "is a PDF"),
    "rds": (gzip.compress(b"X\n\x00\x00\x00\x03"), "is an R data file"),
    "bam": (gzip.compress(b"BAM\x01"), "is a BAM alignment"),
    "tar": (gzip.compress(b"a" * 257 + b"ustar\x0000"), "is a tar archive"),
    "hdf5 in gzip": (gzip.compress(contents.HDF5_MAGIC), "is a compressed or misplaced HDF5 file"),
    "latin-1": ("gene\tS1\nA\t1\nBé\t2\n".encode("latin-1"), "row 3: byte 0xE9 is not UTF-8"),
    "utf-16 without mark": (
        "gene\tS1\nA\t1\n".encode("utf-16-le"),
        "UTF-16 without a byte order mark",
    ),
    "utf-16 broken": (b"\xff\xfe\x00\xd8", "is not valid UTF-16"),
    "control characters": (b"gene\tS1\nA\x07\t1\n", "row 2: contains the control character U+0007"),
    "nul": (b"gene\tS1\nAAAAAAAA\x00\t1\n", "contains the control character U+0000"),
    "empty": (b"", "is empty"),
    "empty gzip": (gzip.compress(b""), "is empty"),
    "hdf5 cut short": (contents.HDF5_MAGIC + b"\0" * 40, "is damaged (OSError: "),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_table_are_refused(name: str, tmp_path: Path) -> None:
    data, expected = BYTES[name]
    path = tmp_path / "counts.tsv"
    path.write_bytes(data)
    assert expected in refusal(path)


@pytest.mark.parametrize("how", ["gz", "bz2", "xz", "zst"])
def test_cut_and_damaged_archives_are_refused(how: str, tmp_path: Path) -> None:
    data = files.packed(files.tsv(tmp_path).read_bytes() * 3, how)
    path = tmp_path / "x"
    path.write_bytes(data[:-9])
    assert "is damaged or cut short: its" in refusal(path)
    path.write_bytes(data[:20] + bytes(20) + data[40:])
    assert "is damaged or cut short: its" in refusal(path)


def test_bombs_stop_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MAX_TABLE_BYTES", 1 << 20)
    for how in ("plain", "gz", "bz2", "xz", "zst"):
        path = tmp_path / how
        path.write_bytes(files.packed(bytes(2 << 20), how))
        assert "is larger than 1 MiB once unpacked" in refusal(path)


def test_all_mistakes_of_a_file_are_said_together(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("gene\tS1\tS1\nA\t-1\tx\nA\t1.5\t2\n")
    said = refusal(path)
    for part in ("problems", "more than one column", "in 2 rows",
                 "'x' is not a number", "negative (-1)", "1.5 is not a whole number"):  # fmt: skip
        assert part in said


def test_long_lists_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(table(*(f"G{n}\t-1\tno" for n in range(50)), "H\t1\t1"))
    said = refusal(path)
    assert "45 more cells with the same problem" in said
    assert said.count("negative") == 5
    assert said.count("'no' is not a number") == 5


def test_problems_of_all_files_are_said_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(table("A\t-1\t1"))
    (tmp_path / "b").write_text(table("A\tx\t1"))
    said = refusal(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert "3 problems" in said
    assert f"{tmp_path / 'c'}: does not exist" in said


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    files.tsv(tmp_path)
    assert "Did you mean 'counts.tsv'?" in refusal(tmp_path / "count.tsv")
    assert "does not exist either" in refusal(tmp_path / "no" / "counts.tsv")


def test_no_paths(tmp_path: Path) -> None:
    assert "the config names no count matrix" in refusal()


def test_the_same_input_twice(tmp_path: Path) -> None:
    path = files.tsv(tmp_path)
    assert "is listed twice; expected each input only once" in refusal(
        path, tmp_path / "." / path.name
    )


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.tsv(tmp_path)
    monkeypatch.setattr(contents.os, "access", lambda *_: False)  # root may read everything
    assert (
        "cannot be read (permission denied); expected a file that you have permission to read"
        in refusal(path)
    )


def test_a_file_that_fails_while_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.tsv(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert "cannot be read (Input/output error)" in refusal(path)


def test_a_folder_without_counts_says_what_it_holds(tmp_path: Path) -> None:
    assert "is a folder without count files (it is empty)" in refusal(tmp_path)
    files.tsv(tmp_path)
    said = refusal(tmp_path)
    assert "(it contains 'counts.tsv'); expected STAR, HTSeq" in said
    assert "name the file." in said


def test_a_folder_of_too_many_files_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folders.MAX_ENTRIES == 20_000
    monkeypatch.setattr(folders, "MAX_ENTRIES", 6)
    for number in range(4):
        files.write(tmp_path / "many" / str(number) / "quant.sf", ["x"])
        files.write(tmp_path / "many" / str(number) / "aux_info.json", ["{}"])
    said = refusal(tmp_path / "many")
    assert "many: contains more than 6 files; expected a folder of count files" in said


def test_a_folder_of_two_tools(tmp_path: Path) -> None:
    files.star(tmp_path)
    files.write(
        tmp_path / "star" / "S9" / "quant.sf", ["Name\tLength\tEffectiveLength\tTPM\tNumReads"]
    )
    assert "contains results of several tools (salmon, star)" in refusal(tmp_path / "star")


def test_damage_in_a_folder_is_said(tmp_path: Path) -> None:
    folder = files.htseq(tmp_path)
    (folder / "001.htseq.counts.txt").write_bytes(gzip.compress(b"A\t1\n" * 9)[:-12])
    assert "001.htseq.counts.txt: is damaged or cut short" in refusal(folder)


def test_samples_in_rows_are_told_by_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("sample\tBGN\tDCN\nS1\t1\t2\nS2\t3\t4\n")
    said = refusal(path, known_samples=["S1", "S2"])
    assert "has samples in rows and genes in columns" in said
    assert "Transpose it" in said


def test_a_sample_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(table("A\t1\t2"))
    (tmp_path / "b").write_text("gene\tS2\nA\t2\n")
    said = refusal(tmp_path / "a", tmp_path / "b")
    assert f"{tmp_path / 'b'}: the sample 'S2' is also in {tmp_path / 'a'}" in said


def test_files_with_different_genes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(table("A\t1\t2", "B\t1\t2", "C\t1\t2"))
    (tmp_path / "b").write_text("gene\tS3\nA\t2\nD\t2\n")
    said = refusal(tmp_path / "a", tmp_path / "b")
    assert "the gene ids differ: 1 in both, 2 only in" in said
    assert "('B', 'C'); 1 only in" in said
    assert "We do not drop genes or fill them with zeros." in said


def test_normalised_values_are_refused_when_rounding_too(tmp_path: Path) -> None:
    for text in (cpm(1e6), size_factored(), fpkm()):
        (tmp_path / "x").write_text(text)
        assert "Use the counts before any normalisation." in refusal(
            tmp_path / "x", fractional="round"
        )


def test_estimates_are_not_taken_for_normalised_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    means = rng.gamma(0.3, 300, size=(3000, 1))
    scaled = rng.poisson(means, size=(3000, 4)) * rng.uniform(0.95, 1.05, size=(3000, 4))
    (tmp_path / "x").write_text(frame_text(np.round(scaled, 3)))
    counts = read_counts([tmp_path / "x"], fractional="round").counts
    assert (counts.T.to_numpy() == np.rint(np.round(scaled, 3))).all()


def test_multi_mapping_halves_are_not_taken_for_normalised_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    halves = rng.negative_binomial(1, 0.02, size=(400, 3)) / 2
    (tmp_path / "x").write_text(frame_text(halves))
    assert "is not a whole number" in refusal(tmp_path / "x")
