"""The sheet's checks and the factors' levels agree on what says that a value is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.factors.levels import log2_level
from fibroserum.input.sheet import MISSING
from fibroserum.input.sheet_checks import check_sheet

DESIGN = {
    "donor": "donor", "group": None, "reference_group": None, "time": "time", "line": None,
    "pool": None, "before": "pre", "after": "post", "covariates": [], "crossover": False,
}  # fmt: skip


@pytest.mark.parametrize("cell", sorted({*MISSING, "#N/A", " NaN "}))
def test_what_no_check_refuses_is_missing(cell: str) -> None:
    rows = [("a", "D1", "pre", "3"), ("b", "D1", "post", cell)]
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "time", "ccl28"])
    assert check_sheet(sheet, DESIGN, {"CCL28": {"serum": "ccl28"}}, None) == ()
    value, why = log2_level(cell, "linear")
    assert np.isnan(value)
    assert why == "is missing"


@pytest.mark.parametrize("cell", ["inf", "-Infinity"])
def test_a_covariate_of_numbers_has_no_infinite_ones(cell: str) -> None:
    rows = [(f"s{i}", f"D{i // 2}", ("pre", "post")[i % 2]) for i in range(4)]
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "time"])
    sheet["dose"] = [cell, "1", cell, "2"]
    (problem,) = check_sheet(sheet, DESIGN | {"covariates": ["dose"]}, {}, None)
    assert f"'{cell}' is not a number" in problem.what
    # of categories one may be called so
    sheet["dose"] = [cell, "none given", "saline", cell]
    assert check_sheet(sheet, DESIGN | {"covariates": ["dose"]}, {}, None) == ()
