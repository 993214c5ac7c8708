"""Spike-ins, counters, transgenes and what the config excludes: left out, kept apart, listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort.accessors import left_out_table
from fibroserum.cohort.stage import Cohort
from fibroserum.cohort.storage import read_h5ad, write_h5ad
from fibroserum.counts import read_counts
from fibroserum.errors import InputError
from fibroserum.files.left_out import why_no_gene
from fibroserum.genes.table import bundled, load_table
from fibroserum.qc.design import left_out_genes
from helpers import count_files as files
from helpers.bad_inputs import built
from helpers.small_cohort import SmallCohort, good

HTSEQ, STAR, SUBREAD = (f"counter of {tool}" for tool in ("HTSeq", "STAR", "featureCounts"))
KNOWN = {
    "__no_feature": HTSEQ, "__feature": HTSEQ, "__total_records": HTSEQ, "X__not_aligned": HTSEQ,
    "__ambiguous[A+B]": HTSEQ, "ambiguous": HTSEQ, "too_low_aqual": HTSEQ, "_lowaqual": HTSEQ,
    "N_noFeature": STAR, "Assigned": SUBREAD, "Unassigned_NoFeatures": SUBREAD,
    "ERCC-00002": "ERCC spike-in", "ERCC.00171": "ERCC spike-in",
    "gSpikein_ERCC-00004": "ERCC spike-in", "gSpikein_phiX174": "PhiX", "phiX": "PhiX",
    "SIRV3": "SIRV spike-in", "SIRV4001": "SIRV spike-in", "R2_42": "sequin", "R1_101_1": "sequin",
    "EGFP": "transgene", "tdTomato": "transgene", "SV40-LT": "transgene",
    "BGN_transgene": "transgene", "ERCC-00002.1": "ERCC spike-in", "ERCC-00002-12": "ERCC spike-in",
    "__no_feature.1": HTSEQ, "N_unmapped-1": STAR, "phiX.1": "PhiX", "EGFP.2": "transgene",
}  # fmt: skip
GENES = [
    "ERCC1",
    "ERCC6L2",
    "SIRT1",
    "BGN",
    "ambiguous2",
    "LOC124903",
    "RP11-34P13.7",
    "7SK",
    "CFP",
    "AC004893.1",
]


@pytest.mark.parametrize(("name", "reason"), KNOWN.items())
def test_a_row_that_is_no_gene_is_recognised(name: str, reason: str) -> None:
    assert why_no_gene(name) == reason


def test_no_pattern_fits_a_human_gene() -> None:
    index, table = bundled(), load_table()
    names = {*table["symbol"], *table["ensembl"], *index.alias, *index.ambiguous, *GENES}
    assert [name for name in names if why_no_gene(name)] == []
    assert len(names) > 50_000


def with_rows(cohort: SmallCohort, rows: dict[str, Sequence[object]]) -> SmallCohort:
    for name, counts in rows.items():
        cohort.counts.rows.append([name, *map(str, counts)])
    return cohort


def spiked(seed: int = 5) -> dict[str, Sequence[object]]:
    """Return 92 spike-ins, three times as many after, counters and transgenes."""
    rng = np.random.default_rng(seed)
    rows = {f"ERCC-{n:05}": rng.poisson([300, 900] * 6) for n in range(2, 94)}
    counters = {"ambiguous": [50_000] * 12, "__total_records": [10**6] * 12}
    return rows | counters | {"tdTomato": range(12), "pLV/DCN": [40] * 12}


def one(cohort: SmallCohort, folder: Path) -> Cohort:
    (found,) = built(cohort, folder)
    return found


def test_what_is_left_out_changes_no_number_of_the_genes(tmp_path: Path) -> None:
    plain = one(good(), tmp_path / "plain")
    cohort = with_rows(good(), spiked())
    cohort.config["genes"] = {"exclude": ["pLV/*"]}
    found = one(cohort, tmp_path / "spiked")
    pd.testing.assert_frame_equal(found.samples, plain.samples)
    assert (found.adata.X == plain.adata.X).all()
    assert list(found.adata.var_names) == list(plain.adata.var_names)

    write_h5ad(found.adata, tmp_path / "cohort.h5ad")
    stored = read_h5ad(tmp_path / "cohort.h5ad")
    table = left_out_table(stored)
    tables.write("left_out_genes", table, tmp_path / "left_out.tsv")
    read = tables.read("left_out_genes", tmp_path / "left_out.tsv").set_index("gene")
    assert len(read) == 96
    assert read.loc["ambiguous"].tolist() == [HTSEQ, 600_000]
    assert read.loc["tdTomato"].tolist() == ["transgene", 66]
    assert read.loc["pLV/DCN"].tolist() == ["genes.exclude", 480]
    counted = {row[0]: sum(map(int, row[1:])) for row in cohort.counts.rows[1:]}
    assert read["total"].to_dict() == {name: counted[name] for name in read.index}
    place = stored.obs_names.get_loc("D1_post"), read.index.get_loc("tdTomato")
    assert stored.obsm["left_out"][place] == cohort.counts.header.index("D1_post") - 1

    said = {check.message.split("(")[1].split(")")[0]: check for check in
            left_out_genes(table, stored)}  # fmt: skip
    assert set(said) == {"ERCC spike-in", HTSEQ, "transgene", "genes.exclude"}
    assert said["ERCC spike-in"].message.startswith("92 rows are left out of tests")
    assert said["ERCC spike-in"].level == "note"
    assert left_out_table(plain.adata).empty


def test_genes_that_the_config_names_stay(tmp_path: Path) -> None:
    cohort = with_rows(good(), spiked())
    cohort.config["targets"] += ["tdTomato"]  # the matrix has it in this case
    cohort.config["genes"] = {"exclude": ["COL*", "LUM", "nowhere", "VMI"]}
    found = one(cohort, tmp_path)
    out = left_out_table(found.adata).set_index("gene")["reason"]
    assert {"tdTomato", "COL1A1", "pLV/DCN"} & set(out.index) == set()
    own = set(out.index[out == "genes.exclude"])
    others = set(cohort.counts.header) | {row[0] for row in cohort.counts.rows}
    # COL12A1 and the like fit COL*; COL1A1 does too, and is a target
    assert own == {name for name in others if name.startswith("COL")} - {"COL1A1"} | {"LUM"}
    assert own.isdisjoint(found.adata.var_names)
    said = [note for note in found.adata.uns["fibroserum"]["notes"] if "genes.exclude" in note]
    assert said == [
        "genes.exclude: 'nowhere' matches no row of the counts.",
        "genes.exclude: 'VMI' matches no row of the counts. Did you mean 'VIM'?",
    ]


def test_a_gene_cannot_be_excluded_and_named(tmp_path: Path) -> None:
    cohort = good()
    cohort.config["genes"] = {"exclude": ["DCN"]}
    with pytest.raises(InputError, match="'DCN' is to be excluded, but targets names it"):
        one(cohort, tmp_path)


def renamed(how: str) -> SmallCohort:
    """Return a good cohort of which the matrices name BGN or all genes otherwise."""
    index = bundled()
    cohort = good()
    ids = {name: index.primary[index.symbol[name]] for name in index.symbol}
    new = {"symbols": {}, "ensembl": ids, "alias": {"BGN": "DSPG1"}}[how]
    for table in ("counts.tsv", "arm.counts.tsv"):
        for row in cohort.tables[table].rows[1:]:
            row[0] = new.get(row[0], row[0])
    return cohort


@pytest.mark.parametrize(
    ("how", "entry"),
    [
        ("ensembl", "ENSG00000182492"), ("ensembl", "ENSG00000182492.17"), ("ensembl", "DSPG1"),
        ("symbols", "ENSG00000182492"), ("symbols", "633"), ("symbols", "DSPG1"),
        ("alias", "DSPG1"), ("alias", "BGN"), ("ensembl", "ENSG0000018249*"),
        ("alias", "DSPG*"), ("symbols", "BG*"),
    ],
)  # fmt: skip
def test_a_target_stays_by_whatever_name_it_is_excluded(
    how: str, entry: str, tmp_path: Path
) -> None:
    cohort = renamed(how)
    cohort.config["genes"] = {"exclude": [entry]}
    if "*" not in entry:
        with pytest.raises(InputError, match=f"'{entry}' is to be excluded, but targets names it"):
            one(cohort, tmp_path)
        return
    found = one(cohort, tmp_path)
    assert "BGN" in set(found.adata.var["symbol"])
    notes = " ".join(found.adata.uns["fibroserum"]["notes"])
    assert f"genes.exclude: '{entry}' matches only genes that other keys name" in notes
    assert "not in the count matrix" not in notes


def test_an_own_annotation_names_rows_of_targets_too(tmp_path: Path) -> None:
    cohort = good()
    names = [row[0] for row in cohort.counts.rows[1:]]
    cohort.instead["own.tsv"] = "gene_id\tsymbol\n" + "".join(f"X{n}\t{n}\n" for n in names)
    for table in ("counts.tsv", "arm.counts.tsv"):
        cohort.tables[table].map(cohort.tables[table].header[0], lambda name: f"X{name}")
    cohort.config["genes"] = {"annotation": "own.tsv", "exclude": ["XBGN"]}
    with pytest.raises(InputError, match="'XBGN' is to be excluded, but targets names it"):
        one(cohort, tmp_path)


def test_entries_for_one_row_fit_it_all(tmp_path: Path) -> None:
    cohort = good()
    lum = bundled().primary[bundled().symbol["LUM"]]
    cohort.config["genes"] = {"exclude": ["LUM", lum, "LU*", "LDC"]}
    found = one(cohort, tmp_path)
    assert list(left_out_table(found.adata)["gene"]) == ["LUM"]
    assert "genes.exclude" not in " ".join(found.adata.uns["fibroserum"]["notes"])
    cohort.config["genes"] = {"exclude": ["**"]}
    with pytest.raises(InputError, match="would exclude every gene"):
        one(cohort, tmp_path / "all")


def test_a_symbol_excludes_a_row_of_ensembl_ids(tmp_path: Path) -> None:
    index = bundled()
    cohort = good()
    for table in ("counts.tsv", "arm.counts.tsv"):
        for row in cohort.tables[table].rows[1:]:
            row[0] = index.primary[index.symbol[row[0]]]
    cohort.config["genes"] = {"exclude": ["LUM", "TIMP*"]}
    found = one(cohort, tmp_path)
    ids = {index.primary[index.symbol[name]] for name in ("LUM", "TIMP1", "TIMP2", "TIMP3")}
    assert set(left_out_table(found.adata)["gene"]) == ids
    assert ids.isdisjoint(found.adata.var_names)
    assert ids.isdisjoint(found.stimulation["CCL28"].var_names)


def test_spike_ins_of_an_arm_are_left_out_too(tmp_path: Path) -> None:
    cohort = good()
    cohort.tables["arm.counts.tsv"].rows.append(["ERCC-00002", *["9000"] * 6])
    found = one(cohort, tmp_path)
    assert "ERCC-00002" not in found.stimulation["CCL28"].var_names
    notes = found.adata.uns["fibroserum"]["notes"]
    assert (
        "stimulation experiment with CCL28: excluded rows that are not genes: 'ERCC-00002'" in notes
    )


def test_files_need_not_agree_on_what_is_left_out(tmp_path: Path) -> None:
    header, *rows = files.lines(files.truth())
    own = ["SIRV1\t1\t1\t1\t1", "no_feature\t5\tNA\t5\t5"]
    first = files.write(tmp_path / "a", [header, *rows, *own])
    second = files.write(tmp_path / "b", [header.replace("S2", "S3").replace("001", "2")
                                          .replace("NA", "4"), *rows])  # fmt: skip
    found = read_counts([first, second])
    pd.testing.assert_frame_equal(found.counts.iloc[:4], read_counts([first]).counts)
    assert found.left_out["SIRV1"].tolist()[:4] == [1] * 4
    assert found.left_out["SIRV1"].isna().tolist() == [False] * 4 + [True] * 4
    assert found.left_out["no_feature"].isna().tolist()[:4] == [False, True, False, False]


@pytest.mark.parametrize("build", [files.bulk_h5ad, files.cells_h5ad, files.ten_x_h5])
def test_the_same_rows_are_left_out_of_binary_formats(
    build: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first gene is renamed to a spike-in, the second to a counter."""
    renamed = ["ERCC-00130", "__no_feature", *files.GENES[2:]]
    monkeypatch.setattr(files, "GENES", renamed)
    cells = None if build is files.bulk_h5ad else {"sample": "donor_time"}
    found = read_counts([build(tmp_path)], cells=cells)  # type: ignore[operator]
    assert list(found.counts.columns) == renamed[2:]
    assert set(found.reasons) == set(renamed[:2])


def test_htseq_files_of_old_and_new_versions(tmp_path: Path) -> None:
    folder = files.htseq(tmp_path)
    for path in sorted(folder.iterdir())[:2]:
        text = path.read_text().replace("\n__", "\n") + "__total_records\t99"
        # as `sort` puts them where it folds case
        path.write_text("\n".join(sorted(text.splitlines(), key=str.casefold)) + "\n")
    files.write(folder / "S1.summary", ["__no_feature\t9", "__ambiguous\t4"])  # no counts
    found = read_counts([folder])
    pd.testing.assert_frame_equal(
        found.counts.loc[files.SAMPLES, files.GENES],
        files.truth(),
        check_names=False,
        check_dtype=False,
    )
    assert set(found.reasons.values()) == {HTSEQ}
    assert {"ambiguous", "__ambiguous", "__total_records"} <= set(found.left_out)


def test_spike_ins_alone_are_no_matrix(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x", ["gene\tS1", "ERCC-00002\t5", "ERCC-00003\t5"])
    with pytest.raises(InputError, match=r"contains no genes: all its rows .* are excluded"):
        read_counts([path])


def test_a_sample_with_spike_ins_alone_is_silent(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x", ["gene\tS1\tS2", "BGN\t5\t0", "ERCC-00002\t5\t70"])
    with pytest.raises(InputError, match="column 'S2': every count of this sample is 0"):
        read_counts([path])


def test_thousands_of_rows_can_be_left_out(tmp_path: Path) -> None:
    """HDF5 keeps the names of a table's columns in 64 KiB."""
    names = [f"LINC{n:05}-transcript/with-a-long-name" for n in range(5000)]
    cohort = with_rows(good(), {name: [n % 7] * 12 for n, name in enumerate(names)})
    cohort.config["genes"] = {"exclude": ["LINC*"]}
    found = one(cohort, tmp_path).adata
    write_h5ad(found, tmp_path / "cohort.h5ad")
    table = left_out_table(read_h5ad(tmp_path / "cohort.h5ad"))
    assert table["gene"].tolist() == names
    assert table["total"].tolist() == [n % 7 * 12 for n in range(5000)]
