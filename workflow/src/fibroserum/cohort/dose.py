"""The dose of each pair: how much of the intervention a donor got, or for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Arm, Contrast
from fibroserum.cohort.members import doses_of

#: Pairs that a slope needs: through two any line goes.
FEWEST_PAIRS = 3


def why_no_slopes(contrasts: Sequence[Contrast], obs: pd.DataFrame) -> dict[str, str]:
    """Return by contrast why its slope on the dose cannot be estimated; others are left out."""
    found = {}
    for one in contrasts:
        doses = doses_of(obs, str(one.dose), one.before)
        for group in one.groups:
            arms = doses.index.droplevel("donor")
            own = doses[arms == (group, one.time)].droplevel(["group", "time"])
            if one.name not in found and (why := _why_no_slope(own, group, str(one.dose))):
                found[one.name] = why
    return found


def _why_no_slope(doses: pd.Series, group: str, column: str) -> str:
    """Return why a group has no slope at a time; doses: of its donors."""
    levels, counts = np.unique(doses, return_counts=True)
    if len(levels) == 1 and len(doses) > 1:
        return f"the dose ('{column}') is {levels[0]:g} in every pair of {group}"
    if len(doses) < FEWEST_PAIRS:
        has = "1 pair has" if len(doses) == 1 else f"{len(doses) or 'no'} pairs have"
        return f"in {group} {has} a dose ('{column}'), but a slope needs {FEWEST_PAIRS}"
    if len(levels) == 2 and counts.min() == 1:
        donor = doses.index[doses == levels[counts.argmin()]][0]
        return f"without donor {donor} the dose ('{column}') is the same in every pair of {group}"
    return ""


def dose_rows(obs: pd.DataFrame, doses: pd.Series, before: str) -> np.ndarray:
    """Return which samples are of a pair with a dose, (n,); doses: `doses_of`, of some pairs."""
    keys = pd.MultiIndex.from_frame(obs[["donor", "group", "time"]].astype(str))
    paired = keys.droplevel("time").isin(doses.index.droplevel("time"))
    rows: np.ndarray = keys.isin(doses.index) | (paired & (keys.get_level_values("time") == before))
    return rows


def dose_columns(
    obs: pd.DataFrame, doses: pd.Series, columns: Mapping[Arm, str]
) -> tuple[pd.DataFrame, float]:
    """Return a column of doses for each arm, centred within it, on its samples after.

    columns: the name of each. The doses are divided by a power of two, which is returned too and
    changes no digit.
    """
    keys = pd.MultiIndex.from_frame(obs[["donor", "group", "time"]].astype(str))
    value = doses.reindex(keys).to_numpy(float)
    size = float(2.0 ** np.round(np.log2(np.abs(doses).max())))
    made = {}
    for (group, time), name in columns.items():
        own = ((obs["group"] == group) & (obs["time"] == time)).to_numpy()
        made[name] = np.where(own, (value - value[own].mean()) / size, 0.0)
    return pd.DataFrame(made, obs.index), size
