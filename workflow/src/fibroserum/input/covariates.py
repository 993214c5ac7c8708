"""Covariates as the config names them: a column, or a column with its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

Kind = Literal["categorical", "numeric"]
#: Undeclared whole numbers, at most so many distinct ones, may be categories or measurements.
MOST_CODES = 6


def declared_kinds(design: Mapping[str, Any]) -> list[tuple[str, Kind | None]]:
    """Return each covariate of the config's `design` and its kind, None where it has none."""
    found: list[tuple[str, Kind | None]] = []
    for entry in design["covariates"]:
        found += entry.items() if isinstance(entry, Mapping) else [(entry, None)]
    return found


def covariate_names(design: Mapping[str, Any]) -> list[str]:
    """Return the columns of the covariates, in the order of the config."""
    return [name for name, _ in declared_kinds(design)]


def covariate_kinds(sheet: pd.DataFrame, design: Mapping[str, Any]) -> dict[str, Kind]:
    """Return the kind of each covariate: as declared, or numeric where every value is a number."""
    return {
        name: kind or ("numeric" if np.isfinite(numbers(sheet[name])).all() else "categorical")
        for name, kind in declared_kinds(design)
    }


def could_be_codes(values: pd.Series) -> list[str]:
    """Return the distinct values where they are few whole numbers, else nothing."""
    levels = np.unique(numbers(values))
    if len(levels) > MOST_CODES or not np.isfinite(levels).all() or (levels % 1 != 0).any():
        return []
    return [f"{level:g}" for level in levels]


def spelling(name: str, kind: Kind) -> str:
    """Return how a covariate with its kind is written in the config."""
    return yaml.safe_dump(
        {name: kind}, default_flow_style=True, allow_unicode=True, width=10_000
    ).strip()


def numbers(values: pd.Series) -> np.ndarray:
    """Return text cells as numbers, NaN for what is not a finite number."""
    found = pd.to_numeric(values.str.strip(), errors="coerce").to_numpy(float)
    return np.where(np.isfinite(found), found, np.nan)
