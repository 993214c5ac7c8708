"""AnnData files: whole or not at all, any name, designs without a column per donor."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import Design, design_of, keep_design
from fibroserum.cohort.models import models_of
from fibroserum.cohort.storage import open_h5ad, read_h5ad, write_h5ad


def adata() -> ad.AnnData:
    return ad.AnnData(np.eye(2), obs=pd.DataFrame(index=["s/1", "s2"]))


def test_a_file_comes_back(tmp_path: Path) -> None:
    write_h5ad(adata(), tmp_path / "deep" / "x.h5ad")
    back = read_h5ad(tmp_path / "deep" / "x.h5ad")
    assert list(back.obs_names) == ["s/1", "s2"]
    np.testing.assert_array_equal(back.X, np.eye(2))


def test_parts_that_a_job_does_not_need_stay_unread(tmp_path: Path) -> None:
    given = adata()
    given.layers["normalized"] = np.ones((2, 2))
    write_h5ad(given, tmp_path / "x.h5ad")
    plain = read_h5ad(tmp_path / "x.h5ad", layers=False)
    assert plain.X is not None
    assert not plain.layers
    whole = read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(whole.layers["normalized"], np.ones((2, 2)))


def test_matrices_of_an_open_file_are_read_when_asked_for(tmp_path: Path) -> None:
    given = ad.AnnData(
        np.arange(6).reshape(2, 3),
        obs=pd.DataFrame(index=["s1", "s2"]),
        var=pd.DataFrame({"symbol": ["", "", "BGN"]}, index=["g1", "g2", "g3"]),
        layers={"half": np.arange(6).reshape(2, 3) / 2},
    )
    write_h5ad(given, tmp_path / "x.h5ad")
    back = open_h5ad(tmp_path / "x.h5ad")
    assert isinstance(back.X, h5py.Dataset)
    assert isinstance(back.layers["half"], h5py.Dataset)
    assert back.var["symbol"].tolist() == ["", "", "BGN"]
    pd.testing.assert_frame_equal(counts_of(back), counts_of(given))
    # in the order asked for
    pd.testing.assert_frame_equal(counts_of(back[:, ["g3", "g1"]]), counts_of(given)[["g3", "g1"]])
    np.testing.assert_array_equal(back[:, ["g2"]].layers["half"], [[0.5], [2.0]])


def with_text() -> ad.AnnData:
    names = [f"g{number}" for number in range(40)]
    return ad.AnnData(
        np.arange(160).reshape(4, 40),
        obs=pd.DataFrame({"group": ["RT", "AT", "RT", "AT"]}, index=["s1", "s2", "s3", "s4"]),
        var=pd.DataFrame({"symbol": ["", "BGN"] * 20, "tested": [True, False] * 20}, index=names),
        layers={"half": np.arange(160).reshape(4, 40) / 2},
    )


def test_text_and_matrices_are_plain_in_the_file(tmp_path: Path) -> None:
    write_h5ad(with_text(), tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad") as file:
        names: list[str] = []
        file.visit(names.append)
        found = [file[name] for name in names if isinstance(file[name], h5py.Dataset)]
        assert len(found) > 5
        assert {item.compression for item in found} == {None}
        assert file["var/symbol"].attrs["encoding-type"] == "string-array"
        # scanpy plots samples by categories
        assert file["obs/group"].attrs["encoding-type"] == "categorical"
    write_h5ad(with_text(), tmp_path / "y.h5ad")
    assert (tmp_path / "x.h5ad").read_bytes() == (tmp_path / "y.h5ad").read_bytes()


def test_a_file_of_an_earlier_version_is_read_alike(tmp_path: Path) -> None:
    with_text().write_h5ad(tmp_path / "old.h5ad", compression="lzf")
    write_h5ad(with_text(), tmp_path / "new.h5ad")
    old, new = (read_h5ad(tmp_path / f"{name}.h5ad") for name in ("old", "new"))
    pd.testing.assert_frame_equal(old.obs, new.obs)
    pd.testing.assert_frame_equal(old.var, new.var)
    assert new.var["symbol"].dtype == object
    np.testing.assert_array_equal(old.X, new.X)
    np.testing.assert_array_equal(old.layers["half"], new.layers["half"])


def test_a_slash_in_a_name_of_a_design_comes_back(tmp_path: Path) -> None:
    given = adata()
    dense = pd.DataFrame(np.eye(2), given.obs_names, ["after[A/B]", "after[A_B]"])
    keep_design(given, Design(dense, pd.Series(["a/b", "a_b"], given.obs_names)))
    write_h5ad(given, tmp_path / "x.h5ad")
    back = design_of(read_h5ad(tmp_path / "x.h5ad"))
    assert list(back.matrix.columns) == ["donor[a/b]", "donor[a_b]", "after[A/B]", "after[A_B]"]
    np.testing.assert_array_equal(back.matrix, np.tile(np.eye(2), 2))


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


def cohort_of(donors: int, *, crossover: bool) -> pd.DataFrame:
    """Return the sheet of a cohort with hours that change, a batch and slashes in names."""
    groups = ["A/T", "RT"]
    rows = [
        {"donor": f"D{d}/{d % 7}", "group": group, "time": time}
        for d in range(donors)
        for group in (groups if crossover else [groups[d % 2]])
        for time in ("pre", "post")
    ]
    sheet = pd.DataFrame(rows)
    sheet["hours/kit"] = np.random.default_rng(1).normal(size=len(sheet))
    sheet["batch"] = np.where(np.random.default_rng(2).random(len(sheet)) < 0.5, "a", "b")
    sheet["used_for"] = "change"
    sheet.index = [f"s{i}" for i in range(len(sheet))]
    return sheet


@pytest.mark.parametrize("crossover", [False, True])
@pytest.mark.parametrize("covariates", [[], ["hours/kit", "batch"]])
def test_a_design_is_stored_as_blocks_and_other_columns(
    tmp_path: Path, crossover: bool, covariates: list[str]
) -> None:
    sheet = cohort_of(11, crossover=crossover)
    settings = {"groups": ["A/T", "RT"], "before": "pre", "after": "post"}
    settings |= {"crossover": crossover, "covariates": covariates}
    models = models_of(sheet, settings)
    assert [model.name for model in models] == ["paired", "baseline"]
    for model in models:
        design = model.design
        fit = ad.AnnData(np.eye(len(design.samples)), obs=sheet.loc[design.samples, ["donor"]])
        keep_design(fit, design)
        noted = fit.obs.copy()
        write_h5ad(fit, tmp_path / "fit.h5ad")
        back = read_h5ad(tmp_path / "fit.h5ad")
        pd.testing.assert_frame_equal(design_of(back).matrix, design.matrix, check_exact=True)
        assert design_of(back).labels == design.labels
        pd.testing.assert_frame_equal(back.obs, noted)
        stored = ad.read_h5ad(tmp_path / "fit.h5ad")
        assert list(stored.obsm) == ["design_dense"]
        assert stored.obsm["design_dense"].shape[1] <= 6
        donors = stored.obs["donor"].astype(str)
        if crossover and model.name == "paired":
            assert (stored.obs["block"].astype(str) == donors + "|" + sheet["group"]).all()
            assert len(design.labels) == 22
        elif crossover or model.name == "paired":
            assert stored.obs["block"].astype(str).equals(donors)
            assert len(design.labels) == 11
        else:
            assert "block" not in stored.obs
