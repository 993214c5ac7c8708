"""AnnData files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import anndata as ad
import h5py
import pandas as pd
from anndata.io import read_elem


def write_h5ad(adata: ad.AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData file; a reader never sees half of one."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        adata.write_h5ad(draft, compression="lzf")
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read_h5ad(
    path: str | os.PathLike[str], *, counts: bool = True, layers: bool = True
) -> ad.AnnData:
    """Read an AnnData file that `write_h5ad` made.

    counts: whether `X` is read; layers: whether they are. They are the largest parts of a file.
    """
    left = {"X" if not counts else "", "layers" if not layers else ""}
    with h5py.File(path, "r") as file:
        adata = ad.AnnData(**{key: read_elem(file[key]) for key in file if key not in left})
    for frame in (adata.obs, adata.var):
        for column in frame.columns[frame.dtypes == "category"]:
            # anndata stores repeated text as categories; here it is text
            frame[column] = frame[column].astype(object)
    return adata


def read_fits(
    paths: Iterable[str | os.PathLike[str]], *, counts: bool = True
) -> dict[str, ad.AnnData]:
    """Return the fits of a run (`fit/*.h5ad`) by model, those of models with contrasts.

    counts: as of `read_h5ad`.
    """
    read = [read_h5ad(path, counts=counts) for path in paths]
    fits = {str(fit.uns["model"]["name"]): fit for fit in read}
    return {name: fit for name, fit in fits.items() if fit.uns["model"]["contrasts"]}


def norm_factors_of(path: str | os.PathLike[str]) -> tuple[str, pd.Series]:
    """Return a fit's model and its `norm_factors` by sample, the rest of the file unread."""
    with h5py.File(path, "r") as file:
        return str(read_elem(file["uns/model/name"])), read_elem(file["obs"])["norm_factors"]
