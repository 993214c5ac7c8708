"""AnnData files that appear whole or not at all.

A design matrix has a column per donor. The file holds one code per sample instead, and the columns
that follow the donors'; `read_h5ad` returns the design matrix.
"""

from __future__ import annotations

import os
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

# HDF5 takes `/` for a path: names of columns (covariates) hold this in its place
SLASH = "\u2215"
DESIGN = "design_matrix"
# in the file: obs, the indicator column that a sample is in; obsm, the columns that follow those
CODES, DENSE = "design_block", "design_dense"


def _coded(design: pd.DataFrame) -> tuple[pd.Categorical, pd.DataFrame]:
    """Return the code of each sample, and the columns that follow the indicators.

    Raises ValueError unless the design begins with indicators, of which each sample has one.
    """
    values = design.to_numpy()
    codes = (values != 0).argmax(axis=1)
    number = int(codes.max()) + 1
    if not np.array_equal(values[:, :number], codes[:, None] == np.arange(number)):
        raise ValueError("The design does not begin with indicators of donors or groups.")
    indicators, dense = design.columns[:number], design.iloc[:, number:]
    return (
        pd.Categorical.from_codes(codes, indicators),
        dense.rename(columns=lambda name: str(name).replace("/", SLASH)),
    )


def _decoded(codes: pd.Categorical, dense: pd.DataFrame) -> pd.DataFrame:
    """Return the design that `_coded` took apart: columns of float64."""
    indicators = codes.codes == np.arange(len(codes.categories))[:, None]
    names = [*codes.categories, *(str(name).replace(SLASH, "/") for name in dense.columns)]
    values = np.vstack([indicators, dense.to_numpy(dtype=float).T])
    return pd.DataFrame(values.T, index=dense.index, columns=names)


def write_h5ad(adata: ad.AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData file; a reader never sees half of one."""
    if DESIGN in adata.obsm:
        adata = _without_design(adata)
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


def _without_design(adata: ad.AnnData) -> ad.AnnData:
    """Return what a file holds of a fit: codes instead of the design; matrices are not copied."""
    codes, dense = _coded(adata.obsm[DESIGN])
    others = {name: adata.obsm[name] for name in adata.obsm if name != DESIGN}
    return ad.AnnData(
        X=adata.X,
        obs=adata.obs.assign(**{CODES: codes}),
        var=adata.var.copy(),
        uns=adata.uns,
        obsm={**others, DENSE: dense},
        varm=dict(adata.varm),
    )


def read_h5ad(path: str | os.PathLike[str]) -> ad.AnnData:
    """Read an AnnData file that `write_h5ad` made."""
    adata = ad.read_h5ad(path)
    if CODES in adata.obs:
        codes = adata.obs.pop(CODES).array
        adata.obsm[DESIGN] = _decoded(codes, adata.obsm.pop(DENSE))
    for frame in (adata.obs, adata.var):
        for column in frame.columns[frame.dtypes == "category"]:
            # anndata stores repeated text as categories; here it is text
            frame[column] = frame[column].astype(object)
    return adata


def norm_factors_of(path: str | os.PathLike[str]) -> tuple[str, pd.Series]:
    """Return a fit's model and its `norm_factors` by sample, the rest of the file unread."""
    with h5py.File(path, "r") as file:
        return str(read_elem(file["uns/model/name"])), read_elem(file["obs"])["norm_factors"]
