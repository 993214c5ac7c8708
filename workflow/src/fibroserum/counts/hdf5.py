"""HDF5 inputs: bulk and single-cell .h5ad, and 10x .h5; read block by block, never unpickled."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from fibroserum.counts.cells import (
    BLOCK_CELLS,
    Block,
    Genes,
    cell_samples,
    expressed,
    needs_cells,
    pseudobulk,
)
from fibroserum.counts.delimited import SYMBOL_COLUMNS
from fibroserum.counts.table import Matrix, listed
from fibroserum.errors import InputError, nearest, refuse

if TYPE_CHECKING:
    import h5py

#: What damaged or foreign HDF5 makes h5py and anndata raise.
_FAULTS = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError,
           NotImplementedError, OverflowError, MemoryError, AssertionError)  # fmt: skip
_AGAIN = "Copy or write it again, or bring a TSV."
#: Time to read a file's names and texts, and a second more for each 10 MB.
PROBE_SECONDS = 30
#: Cells of a dense bulk matrix (samples × genes) that are read at most: 4 GiB.
MAX_DENSE = 1 << 29
#: Values of one block of a sparse matrix, and cells and genes of a file, that are read at most.
MAX_BLOCK = 1 << 29
MAX_CELLS = 50_000_000
MAX_GENES = 1_000_000


def read_hdf5(
    path: Path,
    known_samples: Collection[str],
    cells: Mapping[str, Any] | None,
) -> Matrix:
    """Return the counts of an .h5ad or a 10x .h5 file; raises InputError for any other HDF5.

    An .h5ad is bulk unless `cells` is given. Raw counts are looked for in layers['counts'], X and
    raw.X; which was taken is noted.
    """
    import h5py

    where = str(path)
    _survive(path)
    try:
        with h5py.File(path, "r") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anndata's remarks on files of older versions
            _refuse_links(handle, where)
            keys = set(handle)
            if {"obs", "var"} <= keys:
                return _h5ad(handle, where, known_samples, cells)
            ten_x = [name for name in handle if _is_ten_x(handle[name])]
            if ten_x:
                return _ten_x(handle[ten_x[0]], path, cells)
            if "est_counts" in keys:
                hint = "Name the folder with kallisto's abundance.tsv."
                raise refuse("is kallisto's HDF5", where, "abundance.tsv", hint)
            raise refuse(
                f"is HDF5 but neither .h5ad nor 10x (it holds {listed(sorted(keys))})",
                where,
                "obs, var and X, or 10x's matrix",
            )
    except InputError:
        raise
    except _FAULTS as error:
        what = f"is damaged, or not written by anndata or 10x ({type(error).__name__}: {error})"
        raise refuse(what, where, hint=_AGAIN) from error


def _survive(path: Path) -> None:
    """Raise InputError where reading the file's texts crashes libhdf5 or takes no end."""
    script = Path(__file__).with_name("hdf5_probe.py")
    command = [sys.executable, "-P", str(script), str(path)]
    limit = PROBE_SECONDS + path.stat().st_size / 10e6
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired as error:
        what = f"is damaged: its names and texts were not read within {limit:.0f} s"
        raise refuse(what, str(path), hint=_AGAIN) from error
    if done.returncode < 0:
        what = f"is damaged: reading it ends HDF5 itself (signal {-done.returncode})"
        raise refuse(what, str(path), hint=_AGAIN)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        what = f"is damaged ({lines[-1] if lines else done.returncode})"
        raise refuse(what, str(path), hint=_AGAIN)


def _refuse_links(handle: h5py.File, where: str) -> None:
    """Refuse links to other files: a data file has no say in what else is read."""
    import h5py

    groups = [handle, *(handle[name] for name in ("layers", "raw", "matrix") if name in handle)]
    for group in groups:
        for name in group if isinstance(group, h5py.Group) else ():
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise refuse(f"'{name}' is a link to another file", where, "the data itself")


def _is_ten_x(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Group) and {"barcodes", "indptr", "indices", "data"} <= set(item)


def _ten_x(group: h5py.Group, path: Path, cells: Mapping[str, Any] | None) -> Matrix:
    if cells is None:
        raise needs_cells(str(path))
    features = group.get("features", group)
    ids = _texts(features["id" if "id" in features else "genes"])
    symbols = _texts(features["name" if "name" in features else "gene_names"])
    kinds = _texts(features["feature_type"]) if "feature_type" in features else None
    barcodes = _texts(group["barcodes"])
    genes = expressed(ids, symbols, kinds, str(path))
    samples = cell_samples(path.parent, str(cells["sample"]), barcodes)
    blocks = _sparse_blocks(group, len(barcodes), len(ids), str(path))
    return pseudobulk(str(path), blocks, samples, genes, cells)


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    if dataset.shape[0] > MAX_CELLS:
        raise ValueError(f"{dataset.shape[0]:,} names")
    return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in dataset[:])


def _sparse_blocks(group: h5py.Group, rows: int, columns: int, where: str) -> Iterator[Block]:
    """Yield blocks of rows of a matrix stored by rows (data, indices, indptr)."""
    pointers = group["indptr"][:].astype(np.int64)
    entries = group["data"].shape[0]
    if len(pointers) != rows + 1 or pointers[0] or (np.diff(pointers) < 0).any():
        raise refuse(f"its matrix is not of {rows:,} cells", where, "a whole file")
    if pointers[-1] != entries or group["indices"].shape[0] != entries:
        raise refuse("its matrix is cut short", where, "a whole file", "Copy it again.")
    start = 0
    while start < rows:
        stop = int(np.searchsorted(pointers, pointers[start] + MAX_BLOCK // 16, side="right")) - 1
        stop = min(max(stop, start + 1), start + BLOCK_CELLS, rows)
        span = slice(int(pointers[start]), int(pointers[stop]))
        if span.stop - span.start > MAX_BLOCK:
            raise refuse("a cell has more values than there are genes", where, "a whole file")
        indices = group["indices"][span]
        if len(indices) and (indices.min() < 0 or indices.max() >= columns):
            raise refuse("its matrix points at genes that it does not name", where, "a whole file")
        part = (group["data"][span], indices, pointers[start : stop + 1] - pointers[start])
        yield slice(start, stop), sparse.csr_matrix(part, shape=(stop - start, columns))
        start = stop


def _blocks(item: Any, rows: int, columns: int, where: str) -> Iterator[Block]:
    """Yield blocks of rows of anndata's dense, CSR or CSC matrix."""
    import h5py

    if isinstance(item, h5py.Dataset):
        if item.shape != (rows, columns):
            raise refuse(f"its matrix is {item.shape}, not {(rows, columns)}", where)
        step = max(1, min(BLOCK_CELLS, MAX_BLOCK // 16 // max(columns, 1)))
        for start in range(0, rows, step):
            place = slice(start, min(start + step, rows))
            yield place, sparse.csr_matrix(item[place])
    elif str(item.attrs.get("encoding-type", "")).startswith("csc"):
        if item["data"].shape[0] > MAX_BLOCK:
            hint = "Write it with X in CSR (adata.X = adata.X.tocsr())."
            raise refuse("its matrix is stored by genes and too large", where, hint=hint)
        parts = [csc for _, csc in _sparse_blocks(item, columns, rows, where)]
        yield slice(0, rows), sparse.csr_matrix(sparse.vstack(parts).T)
    else:
        yield from _sparse_blocks(item, rows, columns, where)


def _h5ad(
    handle: h5py.File,
    where: str,
    known_samples: Collection[str],
    cells: Mapping[str, Any] | None,
) -> Matrix:
    obs = _frame(handle, "obs")
    if len(obs) > MAX_CELLS:
        raise ValueError(f"{len(obs):,} cells")
    layer, var = _raw_layer(handle, len(obs), where)
    genes = _genes(var, where)
    if len(genes.ids) > MAX_GENES:
        raise ValueError(f"{len(genes.ids):,} genes")
    note = f"{where}: raw counts taken from {layer}"
    item = _item(handle, layer)
    genes = Genes(genes.ids, genes.symbols, genes.keep, (*genes.notes, note))
    if cells is not None:
        column = str(cells["sample"])
        if column not in obs:
            hint = nearest(column, obs.columns)
            raise refuse(f"obs has no column '{column}'", where, "cells.sample of the config", hint)
        labels = obs[column].astype(object).where(obs[column].notna(), "").map(_whole).tolist()
        blocks = _blocks(item, len(obs), len(genes.ids), where)
        return pseudobulk(where, blocks, labels, genes, cells)
    names = tuple(map(str, obs.index))
    unknown = bool(known_samples) and not set(names) & set(known_samples)
    if len(names) > 2000 or (len(names) > 500 and unknown):
        raise needs_cells(where)
    if len(names) * len(genes.ids) > MAX_DENSE:
        raise refuse(f"has {len(names):,} samples × {len(genes.ids):,} genes", where, "a cohort")
    parts = [part.toarray() for _, part in _blocks(item, len(names), len(genes.ids), where)]
    values = np.vstack(parts) if parts else np.zeros((0, len(genes.ids)))
    values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64).T
    return Matrix(where, genes.ids, names, values, (), genes.notes, genes.symbols)


def _frame(handle: h5py.File, place: str) -> pd.DataFrame:
    from anndata.io import read_elem

    try:
        frame = read_elem(handle[place])
    except Exception as error:  # anndata has exceptions of its own for what it cannot read
        raise ValueError(f"{place}: {error}") from error
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{place} is no table")
    return frame


def _whole(value: object) -> str:
    """Return a label as text; 1.0 of a column that once had gaps is 1."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _item(handle: h5py.File, layer: str) -> Any:
    return handle[{"X": "X", "raw.X": "raw/X"}.get(layer, "layers/counts")]


def _raw_layer(handle: h5py.File, rows: int, where: str) -> tuple[str, pd.DataFrame]:
    """Return the first of layers['counts'], X, raw.X that holds whole numbers, and its genes.

    Where none does, the first that there is: the checks of values then say what it looks like.
    """
    places = {"layers['counts']": "layers/counts", "X": "X", "raw.X": "raw/X"}
    present = [layer for layer, place in places.items() if place in handle]
    if not present:
        raise refuse("has neither X nor layers['counts']", where, "raw counts")
    tables = {layer: _frame(handle, "raw/var" if layer == "raw.X" else "var") for layer in present}
    for layer in present:
        block = next(_blocks(_item(handle, layer), rows, len(tables[layer]), where), None)
        if block is not None and (block[1].data == np.rint(block[1].data)).all():
            return layer, tables[layer]
    return present[0], tables[present[0]]


def _genes(var: pd.DataFrame, where: str) -> Genes:
    """Return gene ids and symbols: var's gene_ids where scanpy put the 10x ids, else its index."""
    names = tuple(map(str, var.index))
    lower = {str(column).lower(): column for column in reversed(list(var.columns))}
    symbol_column = next((lower[name] for name in SYMBOL_COLUMNS if name in lower), None)
    symbols = tuple(var[symbol_column].astype(str)) if symbol_column is not None else None
    keep = np.ones(len(names), dtype=bool)
    if "gene_ids" in lower and var[lower["gene_ids"]].astype(str).is_unique:
        ids = tuple(var[lower["gene_ids"]].astype(str))
        note = f"{where}: gene ids taken from var['gene_ids']"
        return Genes(ids, symbols or names, keep, (note,))
    return Genes(names, symbols, keep)
