"""Single cells summed in parts: sums, words and problems of one reading, however it is shared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.plan import plan
from fibroserum.cohort.stage import build_cohort
from fibroserum.counts import CountTable, cells, hdf5, read_counts
from fibroserum.counts.cells import Part
from fibroserum.counts.stage import sum_part, write_sums
from fibroserum.errors import InputError
from fibroserum.input.schema import config_schema
from fibroserum.runtime.scatter import part_of
from helpers import count_files as files
from helpers.cells_cohort import cells_cohort

CELLS = {"sample": "donor_time", "min_cells": 10}
BUILDERS: dict[str, Callable[[Path], Path]] = {
    "csr": lambda folder: files.cells_h5ad(folder, "csr"),
    "csc": lambda folder: files.cells_h5ad(folder, "csc"),
    "dense": lambda folder: files.cells_h5ad(folder, "dense"),
    "10x": files.ten_x_h5,
}


@pytest.fixture(autouse=True)
def _trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read these files without the process that tries whether they crash libhdf5."""
    monkeypatch.setattr(hdf5, "_survive", lambda path: None)


def parted(paths: list[Path], number: int, folder: Path, options: Any = CELLS) -> list[Path]:
    """Return the files of the parts, as the jobs of a run leave them."""
    made = [folder / f"{n}-of-{number}.npz" for n in range(1, number + 1)]
    for path in made:
        write_sums(sum_part(paths, options, part_of(path.stem)), path)
    return made


def same(found: CountTable, whole: CountTable) -> None:
    pd.testing.assert_frame_equal(found.counts, whole.counts)
    assert found.notes == whole.notes
    assert found.dropped == whole.dropped
    assert found.used == whole.used == {"cells"}


def problems(paths: list[Path], summed: list[Path], options: Any = CELLS) -> tuple[object, ...]:
    with pytest.raises(InputError) as error:
        read_counts(paths, cells=options, summed=summed)
    return error.value.problems


@given(st.integers(0, 300), st.integers(1, 12))
def test_parts_share_every_row_once(rows: int, number: int) -> None:
    spans = [Part(n, number).span(rows) for n in range(1, number + 1)]
    assert [row for span in spans for row in span] == list(range(rows))
    assert max(map(len, spans)) - min(map(len, spans)) <= 1


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("kind", BUILDERS)
def test_sums_of_parts_are_those_of_the_whole(
    kind: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = BUILDERS[kind](tmp_path)
    whole = read_counts([path], cells=CELLS)
    assert whole.counts.T.to_numpy().tolist() == files.truth().sort_index().T.to_numpy().tolist()
    monkeypatch.setattr(hdf5, "BLOCK_VALUES", 7)
    summed = parted([path], number, tmp_path / "parts")
    again = parted([path], number, tmp_path / "again")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in summed]
    path.write_bytes(path.read_bytes()[:600])  # what is summed is not read again
    same(read_counts([path], cells=CELLS, summed=summed), whole)


def test_inputs_of_other_kinds_are_read_as_ever(tmp_path: Path) -> None:
    mtx = files.ten_x_mtx(tmp_path)
    (summed,) = parted([mtx, tmp_path / "absent"], 1, tmp_path)
    same(read_counts([mtx], cells=CELLS, summed=[summed]), read_counts([mtx], cells=CELLS))


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("wrong", [0.5, -1.0, np.nan])
def test_problems_of_parts_are_those_of_the_whole(
    number: int, wrong: float, tmp_path: Path
) -> None:
    paths = [files.cells_h5ad(tmp_path / "a", "csr"), files.ten_x_h5(tmp_path / "b")]
    with h5py.File(paths[0], "a") as handle:
        handle["X/data"][-1] = wrong
    with h5py.File(paths[1], "a") as handle:
        handle["matrix/indices"][0] = 99
    expected = problems(paths, [])
    assert len(expected) == 2
    assert problems(paths, parted(paths, number, tmp_path)) == expected


def test_a_file_that_changes_between_its_parts_is_read_whole(tmp_path: Path) -> None:
    path = files.cells_h5ad(tmp_path)
    first, _ = parted([path], 2, tmp_path / "before")
    adata = ad.read_h5ad(path)
    adata[adata.obs["donor_time"] != "NA"].copy().write_h5ad(path)
    _, second = parted([path], 2, tmp_path / "after")
    found = read_counts([path], cells=CELLS, summed=[first, second])
    same(found, read_counts([path], cells=CELLS))
    assert "NA" not in found.counts.index


def test_a_column_of_many_values_is_not_taken_for_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MAX_SUMS", 4 * len(files.GENES) - 1)
    (problem,) = problems([files.cells_h5ad(tmp_path)], [])
    assert "its cells belong to 4 samples × 8 genes, which is too many" in str(problem)


def test_no_other_column_of_obs_is_read(tmp_path: Path) -> None:
    path = files.cells_h5ad(tmp_path)
    with h5py.File(path, "a") as handle:
        order = [*handle["obs"].attrs["column-order"], "torn"]
        handle["obs"].attrs["column-order"] = np.array(order, dtype=h5py.string_dtype())
        handle["obs"]["torn"] = [1.0]
    assert read_counts([path], cells=CELLS).counts.shape == (4, len(files.GENES))


def test_categories_of_older_versions_are_read(tmp_path: Path) -> None:
    """Before 0.8 anndata kept a column's categories in a group beside it, by reference."""
    path = files.cells_h5ad(tmp_path)
    whole = read_counts([path], cells=CELLS)
    with h5py.File(path, "a") as handle:
        obs = handle["obs"]
        codes, names = obs["donor_time/codes"][:], obs["donor_time/categories"][:]
        del obs["donor_time"]
        obs["__categories/donor_time"] = names
        obs["__categories/donor_time"].attrs["ordered"] = False
        obs["donor_time"] = codes
        obs["donor_time"].attrs["categories"] = obs["__categories/donor_time"].ref
        obs.attrs["encoding-version"] = "0.1.0"
    same(read_counts([path], cells=CELLS), whole)


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ([1.0, np.nan, 2.0], ["1", "2"]),
        (pd.array([1, None, 2], dtype="Int64"), ["1", "2"]),
        (pd.Categorical(["a ", None, "b"]), ["a", "b"]),
        (pd.array(["a", None, "b"], dtype="string"), ["a", "b"]),
        ([True, False, True], ["False", "True"]),
    ],
)
def test_labels_of_any_kind_name_samples(labels: Any, kept: list[str], tmp_path: Path) -> None:
    obs = pd.DataFrame({"library": labels}, index=["x", "y", "z"])
    var = pd.DataFrame(index=["BGN", "DCN"])
    with ad.settings.override(allow_write_nullable_strings=True):
        ad.AnnData(np.ones((3, 2)), obs, var).write_h5ad(tmp_path / "x.h5ad")
    options = {"sample": "library", "min_cells": 1}
    assert list(read_counts([tmp_path / "x.h5ad"], cells=options).counts.index) == kept


@pytest.mark.parametrize("number", [1, 3])
def test_half_a_pair_may_go_with_its_cells(
    number: int, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells_cohort(few={"D6_post": 9})
    cohort.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = config_schema()
    config = plan(cohort.config, schema, repository, "cohort.yaml").config
    summed = parted([Path("cells.h5ad")], number, tmp_path / "parts", config["cells"])
    made = build_cohort(read_all(config, summed), config, 10)
    table = made.samples.set_index("sample")
    assert table.loc["D6_post", ["used_for", "reason"]].tolist() == [
        "none",
        "9 cells, fewer than cells.min_cells (10)",
    ]
    assert table.loc["D6_pre", "used_for"] == "baseline"
    assert "D6_post" not in made.adata.obs_names
    assert made.adata.n_obs == 11


def test_a_group_without_pairs_once_cells_are_gone_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells_cohort(few={"D4_post": 3, "D5_pre": 3, "D6_post": 9})
    cohort.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    schema = config_schema()
    config = plan(cohort.config, schema, repository, "cohort.yaml").config
    summed = parted([Path("cells.h5ad")], 2, tmp_path / "parts", config["cells"])
    with pytest.raises(InputError) as whole:
        read_all(config)
    with pytest.raises(InputError) as found:
        read_all(config, summed)
    assert found.value.problems == whole.value.problems
    assert "RT" in str(found.value)
