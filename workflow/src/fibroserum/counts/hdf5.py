"""HDF5 inputs: bulk and single-cell .h5ad, and 10x .h5; read block by block, never unpickled.

Matrices are read by h5py, one pass, and not by anndata's lazy reading, which gives the same sums
and saves nothing. `sparse_dataset` hands what stands in the file to compiled code of scipy that
trusts it: one index beyond the genes ends the process, where here it is a problem that is said.
`experimental.read_elem_lazy` does so too, and needs dask and xarray for what is one loop.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

from fibroserum.counts.cells import (
    BLOCK_VALUES,
    WHOLE,
    Block,
    Genes,
    Part,
    cell_samples,
    expressed,
    needs_cells,
    one_sample,
    pseudobulk,
)
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError, listed, nearest, refuse
from fibroserum.files.contents import composed

#: What damaged or foreign HDF5 makes h5py and anndata raise.
_FAULTS = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError,
           NotImplementedError, OverflowError, MemoryError, AssertionError)  # fmt: skip
_AGAIN = "Copy it or write it again, or use a TSV."
#: Processor time to read a file's names and texts, and a second more for each 10 MB. A sound file
#: of a million cells takes two. How long a busy machine or a slow disk takes decides nothing.
PROBE_SECONDS = 60
#: Cells of a dense bulk matrix (samples × genes) that are read at most: 4 GiB.
MAX_DENSE = 1 << 29
#: Cells and genes of a file that are read at most.
MAX_CELLS = 50_000_000
MAX_GENES = 1_000_000


def read_hdf5(
    path: Path,
    known_samples: Collection[str],
    cells: Mapping[str, Any] | None,
    part: Part = WHOLE,
    layer: str | None = None,
) -> Matrix:
    """Return the counts of an .h5ad or a 10x .h5 file; raises InputError for any other HDF5.

    An .h5ad is bulk unless `cells` is given. Raw counts are looked for in layers['counts'], X and
    raw.X, or in the one that `layer` names; which was taken is noted. part: of the single cells
    that are summed.
    """
    where = str(path)
    _survive(path)
    try:
        with h5py.File(path, "r") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anndata's remarks on files of older versions
            _refuse_links(handle, where)
            keys = set(handle)
            if {"obs", "var"} <= keys:
                if cells is not None:
                    return _cells_h5ad(handle, where, cells, part, layer)
                return _bulk_h5ad(handle, where, known_samples, layer)
            ten_x = [name for name in handle if _is_ten_x(handle[name])]
            if ten_x:
                return _ten_x(handle[ten_x[0]], path, cells, part)
            if "est_counts" in keys:
                hint = "Name the folder that contains kallisto's abundance.tsv."
                raise refuse("is an HDF5 file of kallisto", where, "abundance.tsv", hint)
            raise refuse(
                f"is HDF5, but neither .h5ad nor 10x (it contains {listed(sorted(keys))})",
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
    limit = int(PROBE_SECONDS + path.stat().st_size / 10e6)
    command = [sys.executable, "-P", str(script), str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == -signal.SIGXCPU:
        what = f"its names and texts took more than {limit} s of processor time to read"
        raise refuse(what, str(path), "one or two seconds for an intact file", _AGAIN)
    if done.returncode < 0:
        what = (
            "is damaged: the HDF5 library crashes when it reads the file (signal "
            f"{-done.returncode})"
        )
        raise refuse(what, str(path), hint=_AGAIN)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        what = f"is damaged ({lines[-1] if lines else done.returncode})"
        raise refuse(what, str(path), hint=_AGAIN)


def _refuse_links(handle: h5py.File, where: str) -> None:
    """Refuse links to other files: a data file has no say in what else is read."""
    groups = [handle, *(handle[name] for name in ("layers", "raw", "matrix") if name in handle)]
    for group in groups:
        for name in group if isinstance(group, h5py.Group) else ():
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise refuse(f"'{name}' is a link to another file", where, "the data in this file")


def _is_ten_x(item: Any) -> bool:
    return isinstance(item, h5py.Group) and {"barcodes", "indptr", "indices", "data"} <= set(item)


def _ten_x(group: h5py.Group, path: Path, cells: Mapping[str, Any] | None, part: Part) -> Matrix:
    if cells is None:
        raise needs_cells(str(path))
    features = group.get("features", group)
    ids = _texts(features["id" if "id" in features else "genes"])
    kinds = _texts(features["feature_type"]) if "feature_type" in features else None
    barcodes = _texts(group["barcodes"])
    genes = expressed(ids, kinds, str(path))
    samples = cell_samples(path, cells, barcodes)
    blocks = _by_cell(group, len(barcodes), len(ids), str(path), part)
    return pseudobulk(str(path), blocks, samples, genes, cells)


def _texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    if dataset.shape[0] > MAX_CELLS:
        raise ValueError(f"{dataset.shape[0]:,} names")
    return tuple(composed(v.decode() if isinstance(v, bytes) else str(v)) for v in dataset[:])


def _sparse_rows(
    group: h5py.Group, rows: int, columns: int, where: str, part: Part
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield blocks of a matrix stored by rows (data, indices, indptr): rows, columns, values."""
    pointers, entries = group["indptr"][:], group["data"].shape[0]
    if pointers.dtype.kind not in "iu" or group["indices"].dtype.kind not in "iu":
        raise refuse("the indices of its matrix are not whole numbers", where)
    pointers = pointers.astype(np.int64)  # a block beyond the last must not overflow
    lengths = np.diff(pointers)
    if len(lengths) != rows or pointers[0] or (lengths < 0).any():
        raise refuse(f"its matrix does not have {rows:,} cells", where, "a complete file")
    if pointers[-1] != entries or group["indices"].shape[0] != entries:
        raise refuse("its matrix is cut short", where, "a complete file", "Copy the file again.")
    if lengths.max(initial=0) > columns:
        raise refuse(
            "its matrix has more values than cells and genes allow", where, "a complete file"
        )
    span = part.span(rows)
    start, end = span.start, span.stop
    while start < end:
        stop = int(np.searchsorted(pointers, pointers[start] + BLOCK_VALUES, side="right")) - 1
        stop = min(max(stop, start + 1), end)
        place = slice(int(pointers[start]), int(pointers[stop]))
        indices = group["indices"][place]
        if len(indices) and (indices.min() < 0 or indices.max() >= columns):
            raise refuse("its matrix refers to genes that are not named", where, "a complete file")
        own = np.repeat(np.arange(start, stop, dtype=np.int32), lengths[start:stop])
        yield own, indices.astype(np.int32, copy=False), group["data"][place]
        start = stop


def _by_cell(group: h5py.Group, cells: int, genes: int, where: str, part: Part) -> Iterator[Block]:
    return (Block(*block) for block in _sparse_rows(group, cells, genes, where, part))


def _by_gene(group: h5py.Group, cells: int, genes: int, where: str, part: Part) -> Iterator[Block]:
    for gene, cell, values in _sparse_rows(group, genes, cells, where, part):
        yield Block(cell, gene, values)


def _dense(item: h5py.Dataset, cells: int, genes: int, where: str, part: Part) -> Iterator[Block]:
    if item.shape != (cells, genes):
        raise refuse(f"its matrix is {item.shape}, not {(cells, genes)}", where)
    span = part.span(cells)
    step = max(1, BLOCK_VALUES // max(genes, 1))
    for start in range(span.start, span.stop, step):
        values = item[start : min(start + step, span.stop)]
        rows, columns = np.nonzero(values)
        yield Block(rows + start, columns, values[rows, columns])


def _blocks(item: Any, cells: int, genes: int, where: str, part: Part = WHOLE) -> Iterator[Block]:
    """Yield blocks of a part of anndata's dense, CSR or CSC matrix: ranges of cells, of genes."""
    if isinstance(item, h5py.Dataset):
        return _dense(item, cells, genes, where, part)
    by_gene = str(item.attrs.get("encoding-type", "")).startswith("csc")
    return (_by_gene if by_gene else _by_cell)(item, cells, genes, where, part)


def _cells_h5ad(
    handle: h5py.File, where: str, cells: Mapping[str, Any], part: Part, asked: str | None
) -> Matrix:
    column = cells.get("sample")
    labels = _labels(handle, str(column), where) if column else _one_label(handle, where)
    layer, genes = _raw_counts(handle, len(labels), where, asked)
    blocks = _blocks(_item(handle, layer), len(labels), len(genes.ids), where, part)
    return pseudobulk(where, blocks, labels, genes, cells)


def _labels(handle: h5py.File, column: str, where: str) -> list[str]:
    """Return a column of obs as text, empty where it is missing; no other column is read."""
    obs = handle["obs"]
    if str(obs.attrs.get("encoding-version", "")) == "0.2.0":
        columns = [str(name) for name in obs.attrs["column-order"]]
    else:
        # before anndata 0.8 the names of categories stood apart from their column
        obs = _frame(handle, "obs")
        columns = [str(name) for name in obs.columns]
    if column not in columns:
        hint = nearest(column, columns, "Columns found")
        raise refuse(f"obs has no column '{column}'", where, "cells.sample of the config", hint)
    try:
        values = obs[column] if isinstance(obs, pd.DataFrame) else read_elem(obs[column])
    except Exception as error:  # anndata has exceptions of its own for what it cannot read
        raise ValueError(f"obs: {error}") from error
    if len(values) > MAX_CELLS:
        raise ValueError(f"{len(values):,} cells")
    codes, kinds = pd.factorize(pd.Series(values).astype(object))
    return np.asarray([*map(_whole, kinds), ""], dtype=object)[codes].tolist()


def _one_label(handle: h5py.File, where: str) -> list[str]:
    """Return the file's own sample for each of its cells."""
    return [one_sample(Path(where))] * len(_frame(handle, "obs"))


def _bulk_h5ad(
    handle: h5py.File, where: str, known_samples: Collection[str], asked: str | None
) -> Matrix:
    names = tuple(composed(str(name)) for name in _frame(handle, "obs").index)
    layer, genes = _raw_counts(handle, len(names), where, asked)
    unknown = bool(known_samples) and not set(names) & set(known_samples)
    if len(names) > 2000 or (len(names) > 500 and unknown):
        raise needs_cells(where)
    if len(names) * len(genes.ids) > MAX_DENSE:
        raise refuse(f"has {len(names):,} samples × {len(genes.ids):,} genes", where, "a cohort")
    item = _item(handle, layer)
    stored = getattr(item, "dtype", None) or item["data"].dtype
    if stored.kind not in "iufb":
        raise refuse(f"contains values of type {stored}", where, "raw counts")
    values = np.zeros((len(names), len(genes.ids)), "f8" if stored.kind == "f" else "i8")
    for block in _blocks(item, *values.shape, where):
        places = block.cells.astype(np.int64) * len(genes.ids) + block.genes
        np.add.at(values.reshape(-1), places, block.counts.astype(values.dtype))
    return Matrix(where, genes.ids, names, values.T, (), genes.notes)


def _raw_counts(handle: h5py.File, rows: int, where: str, asked: str | None) -> tuple[str, Genes]:
    """Return where raw counts stand, and their genes, with a note of it."""
    if rows > MAX_CELLS:
        raise ValueError(f"{rows:,} cells")
    layer, var = _raw_layer(handle, rows, where, asked)
    genes = _genes(var, where)
    if len(genes.ids) > MAX_GENES:
        raise ValueError(f"{len(genes.ids):,} genes")
    return layer, replace(genes, notes=(*genes.notes, f"{where}: raw counts taken from {layer}"))


def _frame(handle: h5py.File, place: str) -> pd.DataFrame:
    try:
        frame = read_elem(handle[place])
    except Exception as error:  # anndata has exceptions of its own for what it cannot read
        raise ValueError(f"{place}: {error}") from error
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{place} is not a table")
    return frame


def _whole(value: object) -> str:
    """Return a label as text; 1.0 of a column that once had gaps is 1."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else composed(str(value))  # type: ignore[call-overload]


def _place(layer: str) -> str:
    """Return where `X`, `raw.X` or a layer, as `layers['counts']`, stands in the file."""
    found = re.fullmatch(r"layers\['(.*)'\]", layer)
    return f"layers/{found[1]}" if found else layer.replace(".", "/")


def _item(handle: h5py.File, layer: str) -> Any:
    return handle[_place(layer)]


def _raw_layer(
    handle: h5py.File, rows: int, where: str, asked: str | None
) -> tuple[str, pd.DataFrame]:
    """Return the first of layers['counts'], X, raw.X that holds whole numbers, and its genes.

    Or the one that is asked for. Where none of the three does and another layer does, InputError
    names it: only the user knows what it holds. Else the first that there is: the checks of values
    then say what it looks like.
    """
    layers = handle.get("layers")
    names = sorted(layers) if isinstance(layers, h5py.Group) else []
    every = [f"layers['{name}']" for name in names]
    every += [place for place in ("X", "raw.X") if _place(place) in handle]
    if asked is not None:
        layer = asked if asked in ("X", "raw.X") else f"layers['{asked}']"
        if layer not in every:
            hint = nearest(asked, [*names, *every[len(names) :]])
            raise refuse(f"has no {layer}", where, "the layer that the config names", hint)
        return layer, _var(handle, layer)
    usual = [layer for layer in ("layers['counts']", "X", "raw.X") if layer in every]
    for layer in usual:
        if _is_whole(handle, layer, rows, where):
            return layer, _var(handle, layer)
    found = [
        name
        for name, layer in zip(names, every, strict=False)
        if layer not in usual and _is_whole(handle, layer, rows, where)
    ]
    if found:
        likely = min(found, key=lambda name: not re.search("count|raw|umi", name, re.IGNORECASE))
        raise refuse(
            f"contains no whole numbers in {' or '.join(usual) or 'X, which is missing'}, but "
            f"it does in the layers {listed(found)}",
            where,
            "raw counts in layers['counts'], X or raw.X",
            f"If they are raw counts, write 'layer: {likely}' in the config.",
        )
    if not usual:
        raise refuse("has neither X nor layers['counts']", where, "raw counts")
    return usual[0], _var(handle, usual[0])


def _var(handle: h5py.File, layer: str) -> pd.DataFrame:
    return _frame(handle, "raw/var" if layer == "raw.X" else "var")


def _is_whole(handle: h5py.File, layer: str, rows: int, where: str) -> bool:
    """Tell whether a layer's first block holds whole numbers."""
    genes = len(_var(handle, layer))
    block = next(_blocks(_item(handle, layer), rows, genes, where), None)
    return block is not None and bool((block.counts == np.rint(block.counts)).all())


def _genes(var: pd.DataFrame, where: str) -> Genes:
    """Return gene ids: var's gene_ids where scanpy put the 10x ids, else its index."""
    names = tuple(map(str, var.index))
    lower = {str(column).lower(): column for column in reversed(list(var.columns))}
    keep = np.ones(len(names), dtype=bool)
    if "gene_ids" in lower and var[lower["gene_ids"]].astype(str).is_unique:
        ids = tuple(var[lower["gene_ids"]].astype(str))
        note = f"{where}: gene ids taken from var['gene_ids']"
        return Genes(ids, keep, (note,))
    return Genes(names, keep)
