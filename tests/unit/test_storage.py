"""AnnData files: whole or not at all, any name, designs without a column per donor."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.models import models_of
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


def cohort_of(donors: int, *, crossover: bool) -> pd.DataFrame:
    """Return the sheet of a cohort with an age that changes, a batch and a name with a slash."""
    groups = ["AT", "RT"]
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
def test_a_design_comes_back_from_codes(
    tmp_path: Path, crossover: bool, covariates: list[str]
) -> None:
    sheet = cohort_of(11, crossover=crossover)
    settings = {"groups": ["AT", "RT"], "before": "pre", "after": "post"}
    settings |= {"crossover": crossover, "covariates": covariates}
    models = models_of(sheet, settings)
    assert [model.name for model in models] == ["paired", "baseline"]
    for model in models:
        fit = ad.AnnData(np.eye(len(model.design)), obs=sheet.loc[model.design.index, ["donor"]])
        fit.obsm["design_matrix"] = model.design
        write_h5ad(fit, tmp_path / "fit.h5ad")
        back = read_h5ad(tmp_path / "fit.h5ad")
        pd.testing.assert_frame_equal(back.obsm["design_matrix"], model.design, check_exact=True)
        assert list(back.obsm) == ["design_matrix"]
        pd.testing.assert_frame_equal(back.obs, fit.obs)
        stored = ad.read_h5ad(tmp_path / "fit.h5ad")
        assert list(stored.obsm) == ["design_dense"]
        indicators = stored.obs["design_block"].cat.categories
        assert len(indicators) + stored.obsm["design_dense"].shape[1] == model.design.shape[1]
        assert stored.obsm["design_dense"].shape[1] <= 6


@pytest.mark.parametrize("values", [[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [0.0, 0.0]],
                                    [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])  # fmt: skip
def test_a_design_without_indicators_is_refused(tmp_path: Path, values: list[list[float]]) -> None:
    given = ad.AnnData(np.eye(len(values)))
    given.obsm["design_matrix"] = pd.DataFrame(values, given.obs_names, ["a", "b"])
    with pytest.raises(ValueError, match="does not begin with indicators"):
        write_h5ad(given, tmp_path / "x.h5ad")
