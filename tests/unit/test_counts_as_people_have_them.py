"""Counts as people have them: samples on no row, layers, one file a sample, lanes, umlauts."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fibroserum.counts import CountTable, read_counts
from fibroserum.counts.cells import Part, one_sample
from fibroserum.counts.stage import sum_part, write_sums
from fibroserum.errors import InputError
from helpers import count_files as files
from helpers.bad_inputs import build, built
from helpers.small_cohort import good

KEPT = ["S2_pre", "S2_post"]


def same_as_truth(table: CountTable, names: list[str]) -> None:
    expected = files.truth().loc[names, files.GENES]
    found = table.counts.sort_index(axis=1).loc[names]
    assert list(table.counts.index) == names or sorted(table.counts.index) == sorted(names)
    assert (found.to_numpy() == expected.sort_index(axis=1).to_numpy()).all()


@pytest.mark.parametrize(
    ("write", "cells"),
    [
        (files.tsv, False), (files.csv_quoted, False), (files.r_table, False),
        (files.featurecounts, False), (files.nfcore, False), (files.htseq, False),
        (files.star, False), (files.bulk_h5ad, False), (files.cells_h5ad, True),
        (files.ten_x_h5, True), (files.ten_x_mtx, True),
    ],
)  # fmt: skip
def test_samples_without_a_row_are_left_out_of_every_format(
    write: Callable[[Path], Path], cells: bool, tmp_path: Path
) -> None:
    options = {"cells": {"sample": "donor_time"}} if cells else {}
    table = read_counts([write(tmp_path)], known_samples=[*KEPT, "not counted"], **options)  # type: ignore[arg-type]
    same_as_truth(table, KEPT)
    assert sorted(table.unlisted) == ["001", "NA"]


def test_where_no_sample_has_a_row_all_are_read(tmp_path: Path) -> None:
    table = read_counts([files.tsv(tmp_path)], known_samples=["x", "y"])
    same_as_truth(table, files.SAMPLES)
    assert table.unlisted == ()


def test_cells_of_a_sample_without_a_row_need_not_be_counts(tmp_path: Path) -> None:
    rows = ["gene\tgood\tfailed\tno_cells\tlog2FC", "BGN\t5\t0\tNA\t-1.5", "DCN\t7\t0\t3\tNA"]
    table = read_counts([files.write(tmp_path / "x", rows)], known_samples=["good"])
    assert table.counts.to_dict("index") == {"good": {"BGN": 5, "DCN": 7}}
    assert table.unlisted == ("failed", "no_cells")
    assert any("column 'log2FC' contains values other than counts" in note for note in table.notes)


def layered(path: Path, *, cells: bool, **layers: float) -> Path:
    """Write logged X, and layers: the truth times a factor."""
    values, labels = files.cells_of_truth() if cells else (files.truth().to_numpy(), files.SAMPLES)
    names = [f"C{n}" for n in range(len(labels))] if cells else labels
    obs = pd.DataFrame({"donor_time": labels}, index=names)
    adata = ad.AnnData(np.log1p(values.astype(float)), obs, pd.DataFrame(index=files.GENES))
    for name, factor in layers.items():
        adata.layers[name] = sparse.csr_matrix(values * factor)
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("cells", [False, True])
def test_a_layer_of_another_name_is_named_and_can_be_chosen(cells: bool, tmp_path: Path) -> None:
    path = layered(tmp_path / "x.h5ad", cells=cells, ambiguous=3, raw_counts=1, scaled=0.37)
    options = {"cells": {"sample": "donor_time"}} if cells else {}
    with pytest.raises(InputError) as caught:
        read_counts([path], **options)  # type: ignore[arg-type]
    said = str(caught.value)
    assert (
        "contains no whole numbers in X, but it does in the layers 'ambiguous', 'raw_counts'"
        in said
    )
    assert "write 'layer: raw_counts' in the config" in said
    table = read_counts([path], layer="raw_counts", **options)  # type: ignore[arg-type]
    same_as_truth(table, files.SAMPLES)
    assert any("raw counts taken from layers['raw_counts']" in note for note in table.notes)
    with pytest.raises(InputError, match=r"has no layers\['raw'\].*Valid: 'ambiguous', 'raw_c"):
        read_counts([path], layer="raw", **options)  # type: ignore[arg-type]


def test_a_layer_wins_over_the_usual_places_only_if_asked_for(tmp_path: Path) -> None:
    path = layered(tmp_path / "x.h5ad", cells=False, counts=2, spliced=1)
    assert (read_counts([path]).counts.to_numpy() == 2 * files.truth().to_numpy()).all()
    same_as_truth(read_counts([path], layer="spliced"), files.SAMPLES)
    with pytest.raises(InputError, match="values that look like logarithms"):
        read_counts([path], layer="X")


def one_file_a_sample(folder: Path, name: str) -> list[Path]:
    """Write each sample's cells to a 10x .h5 of its own, without a table of barcodes."""
    path = files.ten_x_h5(folder / "all")
    import h5py

    made = []
    _, labels = files.cells_of_truth()
    with h5py.File(path) as whole:
        group = whole["matrix"]
        stored = sparse.csr_matrix(
            (group["data"][:], group["indices"][:], group["indptr"][:]),
            shape=(len(labels), len(files.GENES) + 1),
        )
        for sample in files.SAMPLES:
            own = stored[[n for n, label in enumerate(labels) if label == sample]]
            target = folder / name.format(sample)
            target.parent.mkdir(parents=True, exist_ok=True)
            with h5py.File(target, "w") as handle:
                matrix = handle.create_group("matrix")
                for key in ("data", "indices", "indptr"):
                    matrix[key] = getattr(own, key)
                matrix["barcodes"] = np.array([f"B{n}" for n in range(own.shape[0])], dtype="S")
                group.copy("features", matrix)
            made.append(target)
    return made


LAYOUTS = [
    "{}/outs/filtered_feature_bc_matrix.h5", "{}_filtered_feature_bc_matrix.h5", "{}.h5",
    "GSM5551234_{}_raw_feature_bc_matrix.h5",
    "per_sample_outs/{}/count/sample_filtered_feature_bc_matrix.h5",
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("parts", [0, 2])
def test_a_file_of_cells_may_be_one_sample(layout: str, parts: int, tmp_path: Path) -> None:
    paths = one_file_a_sample(tmp_path, layout)
    cells = {"sample": None, "min_cells": 5}
    summed = []
    for number in range(1, parts + 1):
        summed.append(tmp_path / f"{number}.npz")
        write_sums(sum_part(paths, cells, Part(number, parts)), summed[-1])
    table = read_counts(paths, cells=cells, known_samples=files.SAMPLES, summed=summed)
    same_as_truth(table, files.SAMPLES)
    assert one_sample(paths[1]) == "S2_pre"


def test_a_file_with_too_few_cells_is_dropped(tmp_path: Path) -> None:
    paths = one_file_a_sample(tmp_path, "{}.h5")
    more = {"sample": None, "min_cells": 13}
    table = read_counts(paths, cells=more, known_samples=files.SAMPLES[:2])
    assert table.dropped == dict.fromkeys(
        files.SAMPLES[:2], "12 cells, fewer than cells.min_cells (13)"
    )
    assert table.counts.empty


def test_folders_and_h5ad_may_be_one_sample_each(tmp_path: Path) -> None:
    """Of both the cells of all samples: their sum."""
    moved = files.ten_x_mtx(tmp_path / "S9").rename(tmp_path / "S9" / "filtered_feature_bc_matrix")
    whole = files.cells_h5ad(tmp_path).rename(tmp_path / "S8.h5ad")
    table = read_counts([moved, whole], cells={"min_cells": 2}, known_samples=["S8", "S9"])
    total = files.truth().sum().sort_index()
    for name in ("S8", "S9"):
        assert (table.counts.loc[name].sort_index() == total).all()


def test_lanes_in_two_files_or_columns_are_refused_with_the_way_to_sum_them(
    tmp_path: Path,
) -> None:
    one = files.write(tmp_path / "L1", ["gene\tS1", "BGN\t5"])
    two = files.write(tmp_path / "L2", ["gene\tS1", "BGN\t7"])
    both = files.write(tmp_path / "both", ["gene\tS1\tS1", "BGN\t5\t7"])
    for paths in ([one, two], [both]):
        with pytest.raises(InputError, match=r"use different names .S1_L1, S1_L2. and one row of"):
            read_counts(paths)


def test_what_the_message_on_lanes_says_works(tmp_path: Path) -> None:
    plain = build(good(), tmp_path / "plain").set_index("sample")
    cohort = good()
    values = [int(row[1]) for row in cohort.counts.rows[1:]]
    cohort.counts.drop_column("D1_pre")
    cohort.counts.add_column("D1_pre_L1", [str(value // 3) for value in values])
    cohort.counts.add_column("D1_pre_L2", [str(value - value // 3) for value in values])
    rest = cohort.sheet.row("D1_pre")[1:]
    cohort.sheet.drop("D1_pre")
    cohort.sheet.rows += [["D1_pre_L1", *rest], ["D1_pre_L2", *rest]]
    found = build(cohort, tmp_path / "lanes").set_index("sample")
    assert found.loc["D1_pre_L1", "library_size"] == plain.loc["D1_pre", "library_size"]
    assert "technical replicates" in found.loc["D1_pre_L2", "reason"]


def apart(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize("where", ["sheet", "counts", "config", "all"])
def test_letters_of_two_parts_are_the_letters_themselves(where: str, tmp_path: Path) -> None:
    cohort = good()
    cohort.rename_samples(lambda name: name.replace("D", "Jürgen "))
    cohort.sheet.map("timepoint", lambda time: {"pre": "früh", "post": "spät"}[time])
    cohort.sheet.rename("group", "Übung")
    cohort.design.update(before="früh", after="spät", group="Übung")
    if where in ("sheet", "all"):
        cohort.tables["samples.tsv"].rows = [[*map(apart, row)] for row in cohort.sheet.rows]
    if where in ("counts", "all"):
        cohort.tables["counts.tsv"].rows = [[*map(apart, row)] for row in cohort.counts.rows]
    if where in ("config", "all"):
        cohort.config = json.loads(apart(json.dumps(cohort.config, ensure_ascii=False)))
    (found,) = built(cohort, tmp_path)
    assert found.samples["sample"].iloc[0] == "Jürgen 1_post"
    assert found.adata.uns["fibroserum"]["before"] == "früh"


@pytest.mark.parametrize("write", [files.htseq, files.bulk_h5ad, files.cells_h5ad, files.star])
def test_so_are_those_of_file_names_and_binary_files(
    write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Jörg_vor", "Jörg_nach", "Zoë_vor", "Zoë_nach"]
    monkeypatch.setattr(files, "SAMPLES", [*map(apart, names)])
    cells = {"sample": "donor_time"} if write is files.cells_h5ad else None
    table = read_counts([write(tmp_path)], known_samples=names, cells=cells)
    assert sorted(table.counts.index) == sorted(names)
    assert table.unlisted == ()


def test_a_path_stays_as_it_is_on_disk(tmp_path: Path) -> None:
    cohort = good()
    cohort.config["counts"] = [apart("Zählung.tsv")]
    cohort.tables[apart("Zählung.tsv")] = cohort.tables.pop("counts.tsv")
    cohort.tables["counts.tsv"] = cohort.tables[apart("Zählung.tsv")]
    assert len(build(cohort, tmp_path)) == 12
