"""A factor's measured level: per pair, and how it changes in each contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.input.serum_levels import detection_limit, half_limit_log2
from fibroserum.input.sheet import MISSING
from fibroserum.intervals import one_sample_t, sign_of_interval, welch_t

Scale = Literal["linear", "log2"]
BELOW = "is below the limit of detection: half the limit is used"
PAIR_COLUMNS = ["donor", "group", "before_log2", "after_log2", "change_log2", "used", "reason"]


@dataclass(frozen=True)
class Change:
    """Mean change of a log2 level in a contrast, with its 95 % interval and p value.

    donors: with a usable level at both times. NaN where donors are too few or do not differ.
    """

    donors: int
    estimate: float
    ci_low: float
    ci_high: float
    pvalue: float

    @property
    def sign(self) -> int:
        """Return 1 or -1 where the interval excludes 0, else 0."""
        return int(sign_of_interval(self.ci_low, self.ci_high))


def log2_level(cell: object, scale: Scale) -> tuple[float, str]:
    """Return the log2 of a sheet's cell, or NaN and what is wrong with it.

    Of a level below the limit of detection (`<15`): log2 of half the limit, and `BELOW`.
    """
    text = str(cell).strip()
    if (limit := detection_limit(text)) is not None:
        return half_limit_log2(limit, scale), BELOW
    value = float(pd.to_numeric(text, errors="coerce"))
    if text.lower() in MISSING:
        return np.nan, "is missing"
    if not np.isfinite(value):
        return np.nan, f"is '{text}', which is not a number"
    if scale == "log2":
        return value, ""
    if value <= 0:
        return np.nan, f"is {text}; a logarithm needs a positive value"
    return float(np.log2(value)), ""


def level_pairs(
    obs: pd.DataFrame, settings: Mapping[str, Any], column: str, scale: Scale
) -> pd.DataFrame:
    """Return a factor's level for each donor and group, by group (reference first) and donor.

    obs: samples × (donor, group, time, `column`); settings: `groups`, `before`, `after`. Columns:
    `PAIR_COLUMNS`; `used` is false, and `reason` says why, where a level is missing or has no
    logarithm, or both are below the limit of detection; `change_log2` is NaN there. Where one is,
    half the limit is used, and `reason` says so.
    """
    rank = {group: number for number, group in enumerate(settings["groups"])}
    first = obs.drop_duplicates(["donor", "group", "time"])
    keys = [first[key].astype(str) for key in ("donor", "group", "time")]
    cells = dict(zip(zip(*keys, strict=True), first[column], strict=True))
    pairs = {(donor, group) for donor, group, _ in cells}
    rows = []
    for donor, group in sorted(pairs, key=lambda pair: (rank[pair[1]], pair[0])):
        found: dict[str, float] = {}
        reasons: list[str] = []
        below: list[str] = []
        for name in ("before", "after"):
            taken = (donor, group, str(settings[name]))
            if taken not in cells:
                found[name] = np.nan
                reasons.append(f"there is no sample {name} ({settings[name]})")
                continue
            found[name], why = log2_level(cells[taken], scale)
            if why:
                own = below if why == BELOW else reasons
                own.append(f"the level {name} ({settings[name]}) {why}")
        if len(below) == 2:
            found = dict.fromkeys(found, np.nan)
            reasons = ["both levels are below the limit of detection: their change is unknown"]
        rows.append(
            {
                "donor": donor,
                "group": group,
                "before_log2": found["before"],
                "after_log2": found["after"],
                "change_log2": found["after"] - found["before"],
                "used": not reasons,
                "reason": "; ".join(reasons or below) or None,
            }
        )
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def mean_change(values: Sequence[float]) -> Change:
    """Return the mean of changes with its t interval and test (a paired t test of the levels)."""
    return Change(len(values), *one_sample_t(values))


def difference_of_changes(group: Sequence[float], reference: Sequence[float]) -> Change:
    """Return Welch's comparison of two groups' changes: group minus reference."""
    return Change(len(group) + len(reference), *welch_t(group, reference))


def level_change(pairs: pd.DataFrame, contrast: Contrast, *, crossover: bool) -> Change:
    """Return how a factor's level changes in a change or difference contrast.

    pairs: as `level_pairs` returns them. In a crossover a difference is taken within donors.
    """
    known = pairs[pairs["change_log2"].notna()]
    own = known[known["group"] == contrast.group].set_index("donor")["change_log2"]
    if contrast.kind == "change":
        return mean_change(own)
    other = known[known["group"] == contrast.reference].set_index("donor")["change_log2"]
    if crossover:
        return mean_change((own - other).dropna())
    return difference_of_changes(own, other)
