"""AnnData files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anndata as ad


def write_h5ad(adata: ad.AnnData, path: str | os.PathLike[str]) -> None:
    """Write an AnnData file; a reader never sees half of one."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        adata.write_h5ad(draft, compression="lzf")
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def read_h5ad(path: str | os.PathLike[str]) -> ad.AnnData:
    """Read an AnnData file that `write_h5ad` made."""
    import anndata as ad

    return ad.read_h5ad(path)
