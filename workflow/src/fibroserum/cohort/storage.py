"""AnnData files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import pandas as pd
from anndata.io import read_elem


def write_h5ad(adata: ad.AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData file; a reader never sees half of one. Text of `var` is never missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        # Text of samples as categories, which scanpy expects. Those of genes would be sorted, which
        # takes longer than the file; packed, every job would take longer to read it.
        adata.strings_to_categoricals(adata.obs)
        adata.write_h5ad(draft, convert_strings_to_categoricals=False)
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read_h5ad(path: str | os.PathLike[str], *, layers: bool = True) -> ad.AnnData:
    """Read an AnnData file that `write_h5ad` made; layers: whether they are read, too."""
    left = () if layers else ("layers",)
    with h5py.File(path, "r") as file:
        return _with_text(ad.AnnData(**_elements(file, left)))


def open_h5ad(path: str | os.PathLike[str]) -> ad.AnnData:
    """Open an AnnData file that `write_h5ad` made, its matrices unread.

    `X` and layers are datasets of the open file: `numpy.asarray` reads one, and a view of some
    genes reads only these.
    """
    file = h5py.File(path, "r")
    parts = _elements(file, ("X", "layers"))
    return _with_text(ad.AnnData(X=file.get("X"), layers=dict(file["layers"]), **parts))


def _elements(file: h5py.File, left: tuple[str, ...]) -> dict[str, Any]:
    return {name: read_elem(file[name]) for name in file if name not in left}


def _with_text(adata: ad.AnnData) -> ad.AnnData:
    for frame in (adata.obs, adata.var):
        for column in frame.columns[frame.dtypes == "category"]:
            # anndata stores repeated text as categories; here it is text
            frame[column] = frame[column].astype(object)
    return adata


def read_fits(paths: Iterable[str | os.PathLike[str]]) -> dict[str, ad.AnnData]:
    """Open the fits of a run (`fit/*.h5ad`) by model, those of models with contrasts."""
    fits = {str(fit.uns["model"]["name"]): fit for fit in map(open_h5ad, paths)}
    return {name: fit for name, fit in fits.items() if fit.uns["model"]["contrasts"]}


def norm_factors_of(path: str | os.PathLike[str]) -> tuple[str, pd.Series]:
    """Return a fit's model and its `norm_factors` by sample, the rest of the file unread."""
    with h5py.File(path, "r") as file:
        return str(read_elem(file["uns/model/name"])), read_elem(file["obs"])["norm_factors"]
