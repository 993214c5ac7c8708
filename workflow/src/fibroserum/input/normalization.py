"""Where size factors come from: the config's section, and the column of the sample sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, Problem, nearest, number_of
from fibroserum.files.table import column_name, place
from fibroserum.input.covariates import covariate_names, numbers
from fibroserum.input.sheet import DESIGN_KEYS, MISSING, empty_cells

#: Methods whose size factors do not come from the genes: no model re-estimates them.
FIXED = ("given", "spike_ins")
#: The key that each method reads.
KEYS = {"given": "column", "spike_ins": "genes"}


def normalization_problems(config: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Yield what is wrong with `normalization` in a config that fits the schema.

    where: the config's name, for messages.
    """
    section, design = config["normalization"], config["design"]
    method, column = section["method"], section["column"]
    for needing, key in KEYS.items():
        if section[key] is not None and method != needing:
            yield Problem(
                f"'{key}' is set, but the method '{method}' does not use it",
                f"{where}, normalization",
                f"'{key}' only with 'method: {needing}'",
                f"Write 'method: {needing}', or remove '{key}'.",
            )
    if method == "given" and column is None:
        yield Problem(
            "the method 'given' needs a column",
            f"{where}, normalization.column",
            "the column of the sample sheet with the size factors",
        )
    taken = {design[key]: f"design.{key}" for key in (*DESIGN_KEYS, "sample", "pool", "block")}
    taken |= dict.fromkeys(covariate_names(design), "a covariate")
    taken |= {f["serum"]: f"factors.{name}.serum" for name, f in config["factors"].items()}
    if column is not None and column in taken:
        yield Problem(
            f"the column '{column}' is also {taken[column]}",
            f"{where}, normalization.column",
            "a column that no other key uses",
        )
    for entry in section["genes"] or ():
        if not entry.strip("* "):
            yield Problem(
                f"'{entry}' matches every gene",
                f"{where}, normalization.genes",
                "ids of spike-ins, or a part of them with *, such as 'ERCC-*'",
            )


def size_factor_problems(sheet: pd.DataFrame, column: str) -> Iterator[Problem]:
    """Yield what is wrong with the column of given size factors: all must be positive numbers."""
    if column not in sheet.columns:
        what = f"has no column '{column_name(sheet, column)}'"
        why = "the column that normalization.column names"
        yield Problem(what, place(sheet), why, nearest(column, sheet.columns, "Columns found"))
        return
    yield from empty_cells(sheet, column, MISSING)
    values = numbers(sheet[column])
    absent = sheet[column].str.strip().str.lower().isin(MISSING).to_numpy()
    wrong = np.flatnonzero(~absent & ~(values > 0))
    for row in wrong[:SHOWN]:
        cell = sheet[column].iloc[row].strip()
        kind = "a number" if np.isnan(values[row]) else "positive"
        comma = cell.count(",") == 1 and "." not in cell
        yield Problem(
            f"the size factor '{cell}' is not {kind}",
            place(sheet, int(row), column),
            "a number above 0 for every sample",
            "Write decimals with a point." if comma and np.isnan(values[row]) else "",
        )
    if len(wrong) > SHOWN:
        rest = f"{number_of(len(wrong) - SHOWN, 'more size factor')} with the same problem"
        yield Problem(rest, place(sheet, column=column))
