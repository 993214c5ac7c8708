"""Which donors inform a contrast, and with which samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.input.covariates import numbers


def members_of(contrast: Contrast, obs: pd.DataFrame) -> pd.DataFrame:
    """Return the donors that inform a contrast, with their samples.

    obs: samples × (donor, group, time, used_for, the column of a dose). Indexed by donor and group,
    with a column for each time whose cells are names of samples. A donor informs a contrast where
    it has every time that the value of its group needs (`Contrast.profile`); in a crossover, where
    it does so in every group that the contrast compares. A slope on the dose needs a dose too.
    """
    usable = (
        obs["used_for"] != "none" if contrast.model == "baseline" else obs["used_for"] == "change"
    )
    found = complete(obs[usable], {group: contrast.profile(group) for group in contrast.groups})
    if contrast.dose:
        doses = doses_of(obs, contrast.dose, contrast.before)
        at = doses[doses.index.get_level_values("time") == contrast.time]
        found = found[found.index.isin(at.index.droplevel("time"))]
    return found[informs(found.index)]


def doses_of(obs: pd.DataFrame, column: str, before: str) -> pd.Series:
    """Return the dose of each pair that has one, by donor, group and time after.

    obs: samples × (donor, group, time, used_for and the column, text). The dose is the number of
    the sample after; where the samples before have other numbers, and not all the same, it is the
    number after minus the one before.
    """
    own = obs.loc[obs["used_for"] == "change", ["donor", "group", "time"]].astype(str)
    values = pd.Series(
        numbers(obs.loc[own.index, column].astype(str)), pd.MultiIndex.from_frame(own)
    )
    is_before = values.index.get_level_values("time") == before
    later, start = values[~is_before].dropna(), values[is_before].droplevel("time")
    first = start.reindex(later.index.droplevel("time")).to_numpy()
    known = np.isfinite(first)
    if len(np.unique(first[known])) < 2 or np.array_equal(first[known], later[known]):
        return later
    return (later - first).dropna()


def complete(obs: pd.DataFrame, profiles: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return the donors that have every time of the value of their group, with their samples.

    obs: samples × (donor, group, time); profiles: by group, the weight of each time in the value.
    Indexed and with columns as in `members_of`.
    """
    own = obs.loc[obs["group"].isin(list(profiles)), ["donor", "group", "time"]]
    table = own.astype(str).assign(sample=own.index).set_index(["donor", "group", "time"])
    wide = table["sample"].unstack("time").sort_index()  # noqa: PD010 (names, no numbers)
    found = np.zeros(len(wide), dtype=bool)
    for group, profile in profiles.items():
        needed = [time for time, weight in profile.items() if weight]
        of_group = wide.index.get_level_values("group") == group
        found |= of_group & wide.reindex(columns=needed).notna().all(axis=1).to_numpy()
    return wide[found]


def informs(members: pd.MultiIndex) -> np.ndarray:
    """Return which donors and groups inform a contrast of all the groups among them.

    In a crossover a donor informs it with all groups or not at all.
    """
    donors = pd.Series(members.get_level_values("donor"))
    if not donors.duplicated().any():
        return np.ones(len(members), dtype=bool)
    sizes = donors.map(donors.value_counts())
    return (sizes == members.get_level_values("group").nunique()).to_numpy()


def pairs_of(contrast: Contrast, obs: pd.DataFrame) -> int:
    """Return the number of pairs behind a contrast; of a baseline contrast, of donors."""
    members = members_of(contrast, obs)
    if contrast.kind == "baseline":
        return int(members.index.get_level_values("donor").nunique())
    return len(members)


def why_uninformed(contrast: Contrast, obs: pd.DataFrame) -> str:
    """Return why no donor of a group informs a contrast of changes, or nothing."""
    profiles = {group: contrast.profile(group) for group in contrast.groups}
    members = complete(obs[obs["used_for"] == "change"], profiles)
    present = set(members.index.get_level_values("group"))
    lost = [group for group in contrast.groups if group not in present]
    if not lost:
        return ""
    needed = [f"'{time}'" for time, weight in contrast.profile(lost[0]).items() if weight]
    return f"no donor of {lost[0]} has samples at {' and '.join(sorted(needed))}"
