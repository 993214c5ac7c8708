"""Published values that are drawn beside a cohort's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.errors import InputError, Problem, nearest

COLUMNS = ("gene", "group", "pairs", "before", "before_se", "after", "after_se", "p")


def read_published(path: Path) -> pd.DataFrame:
    """Return a table of published means and standard errors, with their log2 ratio.

    The file is TSV with the columns of `COLUMNS`; `p` is text, as printed. `log2_ratio` is
    log2(after / before) and `log2_ratio_se` its standard error by the delta method, which ignores
    the correlation within pairs and is therefore too wide. Raises InputError for missing columns or
    values that are no positive numbers.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError([Problem(f"cannot be read: {error}", str(path), "a TSV file")]) from error
    problems = [
        Problem(f"no column '{name}'", str(path), "", nearest(name, table.columns))
        for name in COLUMNS
        if name not in table
    ]
    if problems:
        raise InputError(problems)
    for name in COLUMNS[2:7]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        for row in table.index[~(numbers > 0)]:
            where = f"{path}, line {row + 2}, {name}"
            problems.append(Problem(f"'{table.loc[row, name]}'", where, "a positive number"))
        table[name] = numbers
    if problems:
        raise InputError(problems)
    table["log2_ratio"] = np.log2(table["after"] / table["before"])
    relative = (table["before_se"] / table["before"]) ** 2 + (
        table["after_se"] / table["after"]
    ) ** 2
    table["log2_ratio_se"] = np.sqrt(relative) / np.log(2)
    return table
