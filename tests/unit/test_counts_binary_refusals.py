"""Single cells and HDF5 files that are refused, and the sentence that says why."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fibroserum.counts import hdf5, hdf5_probe, read_counts
from fibroserum.errors import InputError
from helpers import count_files as files


def refusal(*paths: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_counts(paths, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("build", [files.ten_x_h5, files.ten_x_mtx], ids=["h5", "mtx"])
def test_cells_need_their_samples(build: Callable[[Path], Path], tmp_path: Path) -> None:
    path = build(tmp_path)
    assert "does not say which sample each cell belongs to" in refusal(path)
    said = refusal(path, cells={"sample": "donor", "min_cells": 10})
    assert "no table next to the cells has the column 'donor' and every barcode" in said
    assert "Columns found: " in said
    folder = path if path.is_dir() else path.parent
    (folder / "more.csv").write_text((folder / "metadata.csv").read_text())
    said = refusal(path, cells={"sample": "donor_time", "min_cells": 10})
    assert "2 tables ('metadata.csv', 'more.csv') next to the cells have" in said


def test_an_unknown_obs_column_names_the_nearest(tmp_path: Path) -> None:
    said = refusal(files.cells_h5ad(tmp_path), cells={"sample": "donortime"})
    assert "obs has no column 'donortime'" in said
    assert "Did you mean 'donor_time'?" in said


def test_too_few_cells_everywhere(tmp_path: Path) -> None:
    said = refusal(files.cells_h5ad(tmp_path), cells={"sample": "donor_time", "min_cells": 13})
    assert "no sample has 13 cells (the largest has 12)" in said


def test_logged_cells_are_refused(tmp_path: Path) -> None:
    import anndata as ad

    path = files.cells_h5ad(tmp_path)
    adata = ad.read_h5ad(path)
    adata.X = adata.X.log1p()
    adata.write_h5ad(path)
    said = refusal(path, cells={"sample": "donor_time"})
    assert "the cells contain fractions" in said
    assert "Put the raw counts in X or in layers['counts']." in said
    adata.X = -adata.X
    adata.write_h5ad(path)
    assert "negative or missing" in refusal(path, cells={"sample": "donor_time"})


def test_single_cells_are_not_taken_for_bulk(tmp_path: Path) -> None:
    import anndata as ad

    obs = pd.DataFrame(index=[f"C{n}" for n in range(2001)])
    adata = ad.AnnData(X=sparse.csr_matrix(np.ones((2001, 2))), obs=obs)
    adata.write_h5ad(tmp_path / "x.h5ad")
    assert "contains single cells" in refusal(tmp_path / "x.h5ad")


def test_bulk_h5ad_is_checked_by_cell(tmp_path: Path) -> None:
    import anndata as ad

    values = files.truth().astype(float)
    values.iloc[1, 2] = -4
    ad.AnnData(values).write_h5ad(tmp_path / "x.h5ad")
    said = refusal(tmp_path / "x.h5ad")
    assert f"gene '{files.GENES[2]}', column 'S2_pre': the count is negative (-4)" in said


def _h5(path: Path, **groups: object) -> Path:
    with h5py.File(path, "w") as handle:
        for name, value in groups.items():
            if value is None:
                handle.create_group(name)
            else:
                handle[name] = value
    return path


def test_other_hdf5_is_refused(tmp_path: Path) -> None:
    assert "is HDF5, but neither .h5ad nor 10x (it contains 'a')" in refusal(
        _h5(tmp_path / "a", a=[1])
    )
    assert "is an HDF5 file of kallisto" in refusal(_h5(tmp_path / "b", est_counts=[1.0], aux=None))
    link = _h5(tmp_path / "c", X=h5py.ExternalLink("/etc/other.h5", "/X"), obs=None, var=None)
    assert "'X' is a link to another file" in refusal(link)
    broken = _h5(tmp_path / "d", obs=None, var=[1], X=[1])
    assert "is damaged, or not written by anndata or 10x (TypeError: obs is no" in refusal(broken)
    path = files.bulk_h5ad(tmp_path)
    with h5py.File(path, "a") as handle:
        del handle["X"], handle["layers"]
    assert "has neither X nor layers['counts']; expected raw counts" in refusal(path)


def test_a_sparse_matrix_cut_short_is_refused(tmp_path: Path) -> None:
    path = files.cells_h5ad(tmp_path)
    with h5py.File(path, "a") as handle:
        indices = handle["X/indices"][:]
        handle["X/indices"][0] = 99
    said = refusal(path, cells={"sample": "donor_time"})
    assert "refers to genes that are not named" in said
    with h5py.File(path, "a") as handle:
        handle["X/indices"][0] = indices[0]
        pointers = handle["X/indptr"][:]
        pointers[-1] += 1
        handle["X/indptr"][:] = pointers
    assert "its matrix is cut short" in refusal(path, cells={"sample": "donor_time"})


def test_mtx_folders_are_whole(tmp_path: Path) -> None:
    folder = files.ten_x_mtx(tmp_path)
    options = {"cells": {"sample": "donor_time", "min_cells": 10}}
    matrix = gzip.decompress((folder / "matrix.mtx.gz").read_bytes())
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(matrix.rsplit(b"\n", 2)[0]))
    assert "announces" in refusal(folder, **options)
    bomb = b"%%MatrixMarket matrix coordinate integer general\n8 99999999999 1\n1 1 1\n"
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(bomb))
    assert "announces 1 entries" in refusal(folder, **options)
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(bomb.replace(b"8 9", b"7 9")))
    assert "has 7 rows, but its features file names 8" in refusal(folder, **options)
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(matrix))
    (folder / "features.tsv.gz").unlink()
    assert "has no features file beside its matrix" in refusal(folder, **options)


def test_mtx_folders_name_every_cell(tmp_path: Path) -> None:
    folder = files.ten_x_mtx(tmp_path)
    barcodes = gzip.decompress((folder / "barcodes.tsv.gz").read_bytes())
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(barcodes.rsplit(b"\n", 1)[0]))
    said = refusal(folder, cells={"sample": "donor_time", "min_cells": 10})
    assert "has 48 cells, but barcodes.tsv.gz names 47; expected one barcode per cell" in said


def test_pointers_that_are_fractions_are_refused(tmp_path: Path) -> None:
    path = files.cells_h5ad(tmp_path)
    with h5py.File(path, "a") as handle:
        pointers = handle["X/indptr"][:].astype(float)
        del handle["X/indptr"]
        handle["X/indptr"] = pointers
    said = refusal(path, cells={"sample": "donor_time"})
    assert "the indices of its matrix are not whole numbers" in said


def test_hdf5_that_crashes_or_never_ends_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.bulk_h5ad(tmp_path)
    probe = tmp_path / "hdf5_probe.py"
    monkeypatch.setattr(hdf5, "__file__", str(tmp_path / "hdf5.py"))
    probe.write_text("import os\nos.kill(os.getpid(), 11)\n")
    assert "is damaged: the HDF5 library crashes when it reads the file (signal 11)" in refusal(
        path
    )
    real = (Path(hdf5_probe.__file__)).read_text()
    endless = "def probe(path):\n    while True: pass\nif __name__"
    probe.write_text(real.replace("if __name__", endless))
    monkeypatch.setattr(hdf5, "PROBE_SECONDS", 1)
    assert "its names and texts took more than 1 s of processor time to read" in refusal(path)
    assert "damaged" not in refusal(path)


def test_a_slow_disk_or_a_busy_machine_is_not_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe waits longer than it may compute; its clock is the processor's."""
    path = files.bulk_h5ad(tmp_path)
    probe = tmp_path / "hdf5_probe.py"
    text = Path(hdf5_probe.__file__).read_text()
    slow = text.replace("    with h5py", "    import time; time.sleep(2.5)\n    with h5py")
    probe.write_text(slow)
    monkeypatch.setattr(hdf5, "__file__", str(tmp_path / "hdf5.py"))
    monkeypatch.setattr(hdf5, "PROBE_SECONDS", 2)
    assert read_counts([path]).counts.shape == (4, len(files.GENES))
