"""A good sample sheet, and what the checks say of it once something is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.input.sheet_checks import check_sheet

DESIGN: dict[str, Any] = {
    "donor": "donor", "group": "group", "time": "timepoint", "before": "pre", "after": "post",
    "reference_group": "AT", "line": None, "line_sex": None, "crossover": False,
    "randomised": True, "covariates": [],
}  # fmt: skip
FACTORS = {"CCL28": {"gene": "CCL28", "serum": "ccl28", "serum_scale": "linear"}}


def sheet() -> pd.DataFrame:
    """Return two donors in each of two groups, before and after."""
    rows = [
        {"sample": f"{donor}_{time}", "donor": donor, "group": group, "timepoint": time,
         "ccl28": f"{level}", "age": age, "plate": plate, "line": "L1"}
        for donor, group, age, plate in
        (("D1", "AT", "50", "p1"), ("D2", "AT", "61", "p2"), ("D3", "RT", "47", "p1"),
         ("D4", "RT", "55.5", "p2"))
        for time, level in (("pre", 12.5), ("post", 9))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def problems(table: pd.DataFrame, counted: Any = None, **design: Any) -> list[str]:
    return [str(p) for p in check_sheet(table, DESIGN | design, FACTORS, counted)]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def changed(row: int, column: str, value: str) -> pd.DataFrame:
    table = sheet()
    table.loc[row, column] = value
    return table


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
