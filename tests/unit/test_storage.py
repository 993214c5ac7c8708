"""AnnData files: whole or not at all, and any name."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.storage import read_h5ad, write_h5ad


def adata() -> ad.AnnData:
    found = ad.AnnData(np.eye(2), obs=pd.DataFrame(index=["s/1", "s2"]))
    found.obsm["design_matrix"] = pd.DataFrame(
        {"donor[a/b]": [1.0, 0.0], "donor[a_b]": [0.0, 1.0]}, index=found.obs_names
    )
    return found


def test_a_slash_in_a_donors_name_comes_back(tmp_path: Path) -> None:
    given = adata()
    write_h5ad(given, tmp_path / "deep" / "x.h5ad")
    back = read_h5ad(tmp_path / "deep" / "x.h5ad")
    assert list(back.obsm["design_matrix"].columns) == ["donor[a/b]", "donor[a_b]"]
    assert list(given.obsm["design_matrix"].columns) == ["donor[a/b]", "donor[a_b]"]
    assert list(back.obs_names) == ["s/1", "s2"]


def test_repeated_text_stays_text(tmp_path: Path) -> None:
    genes = pd.DataFrame({"symbol": ["", "", "BGN"]}, index=["g1", "g2", "g3"])
    given = ad.AnnData(np.eye(3), obs=pd.DataFrame(index=["s1", "s2", "s3"]), var=genes)
    write_h5ad(given, tmp_path / "x.h5ad")
    symbols = read_h5ad(tmp_path / "x.h5ad").var["symbol"]
    assert symbols.dtype == object
    assert symbols.tolist() == ["", "", "BGN"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.h5ad"
    write_h5ad(adata(), path)
    before = path.read_bytes()
    broken = adata()
    broken.uns["no"] = object()
    with pytest.raises(Exception, match="no"):
        write_h5ad(broken, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.h5ad"]
