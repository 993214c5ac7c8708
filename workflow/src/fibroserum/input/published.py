"""Published values that are drawn beside a cohort's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.errors import InputError, Problem, nearest
from fibroserum.files.table import place, read_sheet
from fibroserum.input.sheet import MISSING, empty_cells

COLUMNS = ("gene", "group", "pairs", "before", "before_se", "after", "after_se", "p")


def read_published(path: Path) -> pd.DataFrame:
    """Return a table of published means and standard errors, with their log2 ratio.

    The file is TSV, CSV or .xlsx with the columns of `COLUMNS`; `p` is text, as printed.
    `log2_ratio` is log2(after / before) and `log2_ratio_se` its standard error by the delta method,
    which ignores the correlation within pairs and is therefore too wide. Raises InputError for
    missing columns, genes without a name, or values that are not positive numbers.
    """
    table = read_sheet(path)
    problems = [
        Problem(
            f"has no column '{name}'",
            str(path),
            f"the columns {', '.join(COLUMNS)}",
            nearest(name, table.columns, "Columns found"),
        )
        for name in COLUMNS
        if name not in table
    ]
    if problems:
        raise InputError(problems)
    for name in ("gene", "group"):
        table[name] = table[name].str.strip()
    problems += empty_cells(table, "gene", MISSING)
    for name in COLUMNS[2:7]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        for row in table.index[~((numbers > 0) & np.isfinite(numbers))]:
            what = f"'{table.loc[row, name]}' is not a positive number"
            problems.append(Problem(what, place(table, row, name), "a number above 0"))
        table[name] = numbers
    if problems:
        raise InputError(problems)
    table["log2_ratio"] = np.log2(table["after"] / table["before"])
    relative = (table["before_se"] / table["before"]) ** 2 + (
        table["after_se"] / table["after"]
    ) ** 2
    table["log2_ratio_se"] = np.sqrt(relative) / np.log(2)
    return table
