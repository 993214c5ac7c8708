"""Every format holds the same truth and gives the same table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum.counts import read_counts
from fibroserum.counts.folders import line_kind
from fibroserum.errors import InputError
from helpers import count_files as files

CELLS = {"sample": "donor_time", "min_cells": 10}
BULK = [files.tsv, files.csv_quoted, files.r_table, files.featurecounts, files.nfcore, files.htseq,
        files.star, files.gdc, files.bulk_h5ad]  # fmt: skip


def assert_truth(counts: pd.DataFrame) -> None:
    expected = files.truth().loc[sorted(files.SAMPLES)]
    assert counts.dtypes.unique().tolist() == [np.dtype("int32")]
    assert sorted(counts.index) == sorted(files.SAMPLES)
    assert list(counts.columns) == files.GENES
    assert (counts.loc[expected.index].to_numpy() == expected.to_numpy()).all()


@pytest.mark.parametrize("build", BULK, ids=lambda build: build.__name__)
def test_every_bulk_format_gives_the_truth(build: Callable[[Path], Path], tmp_path: Path) -> None:
    table = read_counts([build(tmp_path)], known_samples=files.SAMPLES)
    assert_truth(table.counts)


@pytest.mark.parametrize("build", BULK[:-1], ids=lambda build: build.__name__)
def test_names_of_files_do_not_matter(build: Callable[[Path], Path], tmp_path: Path) -> None:
    path = build(tmp_path)
    moved = path.rename(tmp_path / "x.h5ad")
    assert_truth(read_counts([moved]).counts)


@pytest.mark.parametrize("how", ["plain", "gz", "bz2", "xz", "zst"])
def test_compression_is_told_by_magic_bytes(how: str, tmp_path: Path) -> None:
    data = files.tsv(tmp_path).read_bytes()
    path = tmp_path / "counts.txt"
    path.write_bytes(files.packed(data[:100], how) + files.packed(data[100:], how))
    assert_truth(read_counts([path]).counts)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_with_a_mark_are_read(encoding: str, tmp_path: Path) -> None:
    text = files.tsv(tmp_path).read_text()
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    (tmp_path / "x.tsv").write_bytes((mark + text).replace("\n", "\r\n").encode(encoding))
    assert_truth(read_counts([tmp_path / "x.tsv"]).counts)


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_cells_are_summed_per_sample(kind: str, tmp_path: Path) -> None:
    table = read_counts([files.cells_h5ad(tmp_path, kind)], cells=CELLS)
    assert_truth(table.counts)
    assert "48 cells summed into 4 samples" in table.notes[0]
    assert table.dropped == {}


@pytest.mark.parametrize("build", [files.ten_x_h5, files.ten_x_mtx], ids=["h5", "mtx"])
def test_ten_x_takes_samples_from_the_table_beside(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    table = read_counts([build(tmp_path)], cells=CELLS)
    assert_truth(table.counts)


def test_antibodies_are_left_out_and_said(tmp_path: Path) -> None:
    notes = read_counts([files.ten_x_h5(tmp_path)], cells=CELLS).notes
    assert any("excluded 1 feature of other kinds ('Antibody Capture')" in n for n in notes)


def test_a_mtx_file_stands_for_its_folder(tmp_path: Path) -> None:
    folder = files.ten_x_mtx(tmp_path)
    assert_truth(read_counts([folder / "matrix.mtx.gz"], cells=CELLS).counts)


def test_samples_of_few_cells_are_dropped_with_a_reason(tmp_path: Path) -> None:
    import anndata as ad

    path = files.cells_h5ad(tmp_path)
    adata = ad.read_h5ad(path)
    adata = adata[~(adata.obs["donor_time"].eq("NA") & (np.arange(len(adata)) > 20))].copy()
    adata.write_h5ad(path)
    few = int((adata.obs["donor_time"] == "NA").sum())
    assert 0 < few < 10
    table = read_counts([path], cells=CELLS)
    assert table.dropped == {"NA": f"{few} cells, fewer than cells.min_cells (10)"}
    assert sorted(table.counts.index) == ["001", "S2_post", "S2_pre"]


@pytest.mark.parametrize(
    ("forward", "strand"), [(0.5, "unstranded"), (0.02, "reverse"), (0.95, "forward")]
)
def test_star_column_follows_the_totals(forward: float, strand: str, tmp_path: Path) -> None:
    table = read_counts([files.star(tmp_path, forward)])
    assert f"4 STAR files; the {strand} column" in table.notes[0]
    counts = files.truth()
    sense = np.rint(counts * forward / (1 - forward)).astype(int)
    expected = {"unstranded": counts + sense, "reverse": counts, "forward": sense}[strand]
    assert (table.counts.loc[counts.index] == expected).all(axis=None)


def test_star_folders_of_one_sample_each_name_it(tmp_path: Path) -> None:
    source = files.star(tmp_path)
    for sample in files.SAMPLES:
        folder = tmp_path / "runs" / sample
        folder.mkdir(parents=True)
        (source / f"{sample}.ReadsPerGene.out.tab").rename(folder / "ReadsPerGene.out.tab")
    assert_truth(read_counts([tmp_path / "runs"]).counts)


def test_ambiguous_strandedness_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_counts([files.star(tmp_path, 0.3)])
    assert "30% of its stranded counts are on the forward strand" in str(caught.value)
    assert "from the column that fits" in str(caught.value)


def test_files_of_different_strandedness_are_refused(tmp_path: Path) -> None:
    folder = files.star(tmp_path, 0.02)
    other = files.star(tmp_path / "b", 0.98)
    (other / "001.ReadsPerGene.out.tab").replace(folder / "001.ReadsPerGene.out.tab")
    with pytest.raises(InputError, match=r"differ in strandedness: 1 forward .* 3 reverse"):
        read_counts([folder])


def test_symbols_of_nfcore_are_no_sample(tmp_path: Path) -> None:
    table = read_counts([files.nfcore(tmp_path)])
    assert any("column 'gene_name' describes genes" in note for note in table.notes)


def test_rows_outside_genes_are_left_out_and_said(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x", [*files.lines(files.truth()), "__no_feature\t1\t2\t3\t4"])
    table = read_counts([path])
    assert_truth(table.counts)
    assert table.left_out.T.to_numpy().tolist() == [[1, 2, 3, 4]]
    assert table.reasons == {"__no_feature": "counter of HTSeq"}


def test_featurecounts_columns_are_named_by_known_samples(tmp_path: Path) -> None:
    rows = [
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\tA/hits.bam\tB/hits.bam",
        "G\t1\t1\t9\t+\t9\t5\t6",
    ]
    path = files.write(tmp_path / "x", rows)
    assert list(read_counts([path], known_samples=["A", "B"]).counts.index) == ["A", "B"]
    assert list(read_counts([path]).counts.index) == ["A", "B"]


def test_h5ad_says_where_counts_were_taken(tmp_path: Path) -> None:
    notes = read_counts([files.bulk_h5ad(tmp_path)]).notes
    assert any("raw counts taken from layers['counts']" in note for note in notes)


def test_raw_x_is_used_when_x_is_logged(tmp_path: Path) -> None:
    import anndata as ad

    table = files.truth()
    adata = ad.AnnData(table.astype(float))
    adata.raw = adata
    adata.X = np.log1p(adata.X)
    adata.write_h5ad(tmp_path / "x.h5ad")
    read = read_counts([tmp_path / "x.h5ad"])
    assert_truth(read.counts)
    assert any("taken from raw.X" in note for note in read.notes)


def test_versions_are_taken_off_and_rows_that_meet_summed(tmp_path: Path) -> None:
    rows = ["gene\tA\tB", "ENSG00000182378.15\t1\t2", "ENSG00000182378.14\t10\t20",
            "ENSG00000182378.15_PAR_Y\t5\t5", "ENSG00000142192\t7\t8", "AC004.1\t3\t4"]  # fmt: skip
    table = read_counts([files.write(tmp_path / "x", rows)])
    assert table.counts.T.to_dict("list") == {"A": [11, 5, 7, 3], "B": [22, 5, 8, 4]}
    assert list(table.counts.columns) == [
        "ENSG00000182378", "ENSG00000182378_PAR_Y", "ENSG00000142192", "AC004.1"
    ]  # fmt: skip
    assert any("'ENSG00000182378' differ only in the version; summed" in n for n in table.notes)


def test_ids_stay_text(tmp_path: Path) -> None:
    rows = ["\t001\t1e5\tNA\tTrue", "NA\t1\t2\t3\t4", "nan\t1\t2\t3\t4", "007\t1\t2\t3\t4"]
    counts = read_counts([files.write(tmp_path / "x", rows)]).counts
    assert list(counts.index) == ["001", "1e5", "NA", "True"]
    assert list(counts.columns) == ["NA", "nan", "007"]


def test_whole_numbers_in_other_writing_are_counts(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x", ["g\tA\tB", "x\t1e3\t5.0", "y\t3000000000\t 7 "])
    counts = read_counts([path]).counts
    assert counts.to_numpy().tolist() == [[1000, 3_000_000_000], [5, 7]]
    assert counts.to_numpy().dtype == np.int64


def test_a_header_that_begins_as_a_comment_is_one(tmp_path: Path) -> None:
    header, *rows = files.lines(files.truth())
    path = files.write(tmp_path / "x", ["# counted in March", f"#{header}", *rows])
    assert_truth(read_counts([path]).counts)


def test_spaces_around_sample_names_are_taken_away_and_said(tmp_path: Path) -> None:
    header, *rows = files.lines(files.truth())
    path = files.write(tmp_path / "x", [header.replace("\t", " \t "), *rows])
    table = read_counts([path])
    assert_truth(table.counts)
    assert table.notes == (f"{path}: spaces around column names removed",)


def test_empty_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    folder = files.star(tmp_path)
    (folder / "empty.ReadsPerGene.out.tab").touch()
    assert_truth(read_counts([folder]).counts)


def test_a_table_of_cells_whose_first_line_is_a_comment_is_passed_over(tmp_path: Path) -> None:
    folder = files.ten_x_mtx(tmp_path)
    (folder / "about.csv").write_text("#barcode,donor_time\nbarcode,batch\nAAAC0000-1,1\n")
    table = read_counts([folder], cells={"sample": "donor_time", "min_cells": 10})
    assert_truth(table.counts)


def test_matrices_are_joined_on_gene_id(tmp_path: Path) -> None:
    table = files.truth()
    one = files.write(tmp_path / "a", files.lines(table.iloc[:2]))
    two = files.write(tmp_path / "b", files.lines(table.iloc[2:, ::-1]))
    assert_truth(read_counts([one, two]).counts)


def test_estimates_are_rounded_on_request(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("airway/kallisto_gene_est_counts_noninteger.tsv.gz")
    with pytest.raises(InputError, match="'fractional: round' in the config"):
        read_counts([path])
    table = read_counts([path], fractional="round")
    raw = pd.read_csv(path, sep="\t", index_col=0)
    assert (table.counts.T.to_numpy() == np.rint(raw.to_numpy())).all()
    assert any("fractional values rounded" in note for note in table.notes)


def test_real_tables_are_read(shared_data: Callable[[str], Path]) -> None:
    for name, shape in (("airway", (8, 64102)), ("lung_fibroblast_hypoxia", (16, 28395))):
        path = shared_data(f"{name}/counts.tsv.gz")
        table = read_counts([path])
        raw = pd.read_csv(path, sep="\t", index_col=0)
        assert table.counts.shape == shape
        assert (table.counts.T.to_numpy() == raw.to_numpy()).all()


def test_a_large_cohort_is_read_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.negative_binomial(1, 0.005, size=(20_000, 112))
    header = "\t".join(["gene", *(f"S{n}" for n in range(112))])
    rows = [f"G{n}\t" + "\t".join(map(str, row)) for n, row in enumerate(values.tolist())]
    path = tmp_path / "big"
    path.write_bytes(files.packed("\n".join([header, *rows]).encode(), "gz"))
    assert (read_counts([path]).counts.to_numpy() == values.T).all()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Name\tLength\tEffectiveLength\tTPM\tNumReads", "salmon"),
        ("target_id\tlength\teff_length\test_counts\ttpm", "kallisto"),
        ("N_unmapped\t1\t2\t3", "star"),
        ("ENSG00000000003\t12", "htseq"),
        ("gene\tS1", None),
        ("%%MatrixMarket matrix coordinate integer general", "mtx"),
    ],
)
def test_first_lines_tell_the_tool(line: str, kind: str | None) -> None:
    assert line_kind(line) == kind
