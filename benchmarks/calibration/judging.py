"""Which figures of the study are judged, and by what rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from calibration.plan import FRESH, Row

LEVEL, FAMILY, CEILING = 0.05, 0.05, 0.07
#: what is judged where something changes: means of V / max(R, 1)
FDP = ("fdp", "panel_fdp", "verdict_fdp")
#: where nothing does: shares of cohorts, 0 or 1 in each
NULL = ("any", "set_any")
#: shown with the judged figures
BESIDE = ("power", "panel_power", "verdict_power", "cover")
WORDS = {
    "fdp": "call",
    "any": "call, any",
    "set_any": "set call, any",
    "panel_fdp": "panel",
    "verdict_fdp": "verdict",
}


@dataclass(frozen=True)
class Figure:
    """The mean of a measure over the cohorts of a row; error: its standard error (NaN for one)."""

    row: str
    again: bool
    variant: str
    kind: str
    measure: str
    cohorts: int
    mean: float
    error: float

    @property
    def claim(self) -> str:
        """The claim in words: what is made, on which contrast."""
        if self.kind == "specific":
            return "`specific`"
        return f"{WORDS.get(self.measure, self.measure)}, {self.kind}"

    @property
    def text(self) -> str:
        """Mean ± standard error."""
        error = "" if np.isnan(self.error) else f" ± {self.error:.3f}"
        return f"{self.mean:.3f}{error}"


def figures(table: pd.DataFrame) -> list[Figure]:
    """Return the figures of all rows, variants and measures of `results.long_table`."""
    keyed = table.assign(again=table["seed"] >= FRESH)
    keys = ["row", "again", "variant", "kind", "measure"]
    grouped = keyed.groupby(keys, sort=False)["value"].agg(["size", "mean", "sem"]).reset_index()
    return [
        Figure(
            row=str(group["row"]),
            again=bool(group["again"]),
            variant=str(group["variant"]),
            kind=str(group["kind"]),
            measure=str(group["measure"]),
            cohorts=int(group["size"]),
            mean=float(group["mean"]),
            error=float(group["sem"]),
        )
        for group in grouped.to_dict("records")
    ]


def is_judged(figure: Figure, row: Row) -> bool:
    """Return whether a figure is among those that pass or fail."""
    if row.null:
        return figure.measure in (*NULL, "panel_fdp")
    return figure.measure in FDP or (figure.kind, figure.measure) == ("specific", "fdp")


def family_size(found: list[Figure], rows: Mapping[str, Row], variant: str) -> int:
    """Return the number of figures of a variant that are judged in the first runs."""
    return sum(f.variant == variant and not f.again and is_judged(f, rows[f.row]) for f in found)


def limit(figure: Figure, tests: int) -> float:
    """Return the largest mean with which a figure that is no share of cohorts passes."""
    z = float(stats.norm.isf(FAMILY / tests))
    return min(LEVEL + z * figure.error, CEILING)


def passes(figure: Figure, tests: int) -> bool | None:
    """Return whether a figure passes at a one-sided family level of .05 over `tests`; None: open.

    A mean FDP: at most .05 + z standard errors, and never above .07. The share of null cohorts
    with a call: the exact binomial p value of .05 is not below the family's level.
    """
    if figure.measure in NULL:
        calls = round(figure.mean * figure.cohorts)
        return bool(stats.binom.sf(calls - 1, figure.cohorts, LEVEL) >= FAMILY / tests)
    if np.isnan(figure.error):
        return None
    return figure.mean <= limit(figure, tests)


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Return the values with a column a variant, by row, kind, measure and seed, sorted."""
    keys = ["row", "kind", "measure", "seed"]
    return table.pivot_table(index=keys, columns="variant", values="value")


def paired_difference(
    wide: pd.DataFrame, key: tuple[str, str, str], variant: str, reference: str
) -> tuple[float, float]:
    """Return the mean difference of two variants on the same cohorts, and its standard error.

    wide: `side_by_side`; key: row, kind, measure.
    """
    if variant not in wide or reference not in wide:
        return float("nan"), float("nan")
    own = wide.loc[key]
    difference = (own[variant] - own[reference]).dropna()
    return float(difference.mean()), float(difference.sem())
