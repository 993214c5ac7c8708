"""The donors behind a target: their own levels and changes, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import Design
from fibroserum.cohort.members import complete, members_of
from fibroserum.targets.outliers import OwnValues, log_count_variance


@dataclass(frozen=True)
class Samples:
    """The targets' part of a cohort.

    obs: samples × (donor, group, time, used_for, the column of a dose). counts, log2: samples ×
    target genes, raw and log2(normalized + 0.5). before: the time level of the reference.
    """

    obs: pd.DataFrame
    counts: pd.DataFrame
    log2: pd.DataFrame
    before: str

    def members(self, contrast: Contrast) -> pd.DataFrame:
        """Return the donors that a contrast compares, as `members_of`."""
        return members_of(contrast, self.obs)

    def values(self, contrast: Contrast) -> pd.DataFrame:
        """Return each donor's own value of a contrast of changes, (donor, group) × genes, log2.

        Of a change after minus before, of several times their weighted sum.
        """
        profiles = {group: contrast.profile(group) for group in contrast.groups}
        return weighted_sums(self.log2, self.members(contrast), profiles)

    def pairs(self, time: str) -> pd.DataFrame:
        """Return the complete pairs at a time after: by donor and group, columns before, after."""
        table = self.first(time)
        return table[table["after"].notna()].drop(columns="used_for")

    def first(self, time: str) -> pd.DataFrame:
        """Return every donor with a before sample: columns before, after (at `time`), used_for."""
        key = ["donor", "group"]
        named = self.obs[[*key, "used_for"]].astype(str).assign(sample=self.obs.index)
        start = named[self.obs["time"] == self.before].set_index(key)
        paired = (self.obs["time"] == time) & (self.obs["used_for"] == "change")
        end = named[paired].set_index(key)["sample"]
        table = start.rename(columns={"sample": "before"})
        table["after"] = end.reindex(table.index)
        return table[table["used_for"] != "none"].sort_index()


def weighted_sums(
    table: pd.DataFrame,
    members: pd.DataFrame,
    profiles: Mapping[str, Mapping[str, float]],
    power: int = 1,
) -> pd.DataFrame:
    """Return the weighted sum of each donor's samples, (donor, group) × columns of the table.

    table: samples × columns; members: as `complete` returns them; profiles: by group, the weight of
    each time, which is raised to `power`.
    """
    groups = members.index.get_level_values("group")
    total = np.zeros((len(members), table.shape[1]))
    for group, profile in profiles.items():
        rows = np.flatnonzero(groups == group)
        for time, weight in profile.items():
            if weight and len(rows):
                total[rows] += weight**power * table.loc[members[time].iloc[rows]].to_numpy()
    return pd.DataFrame(total, members.index, table.columns)


def target_samples(
    cohort: ad.AnnData, genes: list[str], before: str, factors: pd.Series, dose: str | None = None
) -> Samples:
    """Return the samples of a cohort with the given genes only; factors: size factors by sample.

    dose: its column in `obs`.
    """
    counts = counts_of(cohort[:, genes]).to_numpy(float)
    scale = factors.reindex(cohort.obs_names).fillna(cohort.obs["size_factor"]).to_numpy(float)
    frames = [
        pd.DataFrame(values, index=cohort.obs_names, columns=genes)
        for values in (counts, np.log2(counts / scale[:, None] + 0.5))
    ]
    columns = ["donor", "group", "time", "used_for", *([dose] if dose else [])]
    obs = cohort.obs[columns].astype(str)
    return Samples(obs, frames[0], frames[1], before)


def donor_table(
    samples: Samples, targets: dict[str, str | None], times: Sequence[str]
) -> pd.DataFrame:
    """Return `target_donors`: a row for each target in the matrix and each donor (and group).

    times: after the intervention; with several a row for each, and a column `time`.
    """
    parts = []
    for target, gene in targets.items():
        if gene is None:
            continue
        for time in times:
            first, values = samples.first(time), samples.log2[gene]
            part = pd.DataFrame(
                {
                    "target": target,
                    "donor": first.index.get_level_values("donor"),
                    "group": first.index.get_level_values("group"),
                    "before": values.loc[first["before"]].to_numpy(),
                    "after": values.reindex(first["after"]).to_numpy(),
                }
            )
            if len(times) > 1:
                part.insert(3, "time", time)
            parts.append(part.assign(delta=part["after"] - part["before"]))
    return pd.concat(parts, ignore_index=True) if parts else tables.empty("target_donors")


def own_changes(
    samples: Samples, contrast: Contrast, groups: Sequence[str], design: Design, trend: np.ndarray
) -> OwnValues:
    """Return the donors' values of a contrast of changes.

    groups: those with changes; where all compared groups have the same times in their
    values, the others' values are among them. design: of the contrast's model; trend: of
    its dispersions.
    """
    profiles = {group: contrast.profile(group) for group in contrast.groups}
    if all(profile == profiles[contrast.groups[0]] for profile in profiles.values()):
        profiles = dict.fromkeys(groups, profiles[contrast.groups[0]])
    used = (samples.obs["used_for"] == "change") & samples.obs.index.isin(design.samples)
    members = complete(samples.obs[used], profiles)
    raw = log_count_variance(samples.counts.to_numpy(), trend)
    variances = pd.DataFrame(raw, samples.counts.index, samples.counts.columns)
    return OwnValues(
        donors=members.index.get_level_values("donor").to_numpy(),
        groups=members.index.get_level_values("group").to_numpy(),
        values=weighted_sums(samples.log2, members, profiles).to_numpy(),
        variances=weighted_sums(variances, members, profiles, power=2).to_numpy(),
        design=_independent(weighted_sums(design.dense, members, profiles).to_numpy()),
    )


def _independent(columns: np.ndarray) -> np.ndarray:
    """Return the columns that are not 0, without those that others determine."""
    used = columns[:, np.any(columns != 0, axis=0)]
    rank = np.linalg.matrix_rank(used) if used.size else 0
    if rank == used.shape[1]:
        return used
    kept: list[int] = []
    for place in range(used.shape[1]):
        if np.linalg.matrix_rank(used[:, [*kept, place]]) > len(kept):
            kept.append(place)
    return used[:, kept]


def own_levels(
    samples: Samples, contrast: Contrast, design: Design, trend: np.ndarray
) -> OwnValues:
    """Return the levels before that a baseline contrast compares.

    In a crossover each donor's difference between the two groups; otherwise the levels themselves.
    design: of the baseline model; trend: of its dispersions.
    """
    used = samples.obs[
        (samples.obs["used_for"] != "none") & (samples.obs["time"] == samples.before)
    ]
    first = used.assign(sample=used.index).set_index(["donor", "group"])["sample"].sort_index()
    if design.blocks is not None:
        upper, lower = (
            first.xs(name, level="group") for name in (contrast.group, contrast.reference)
        )
        upper, lower = upper.align(lower, join="inner")
        dense = design.dense
        steps = dense.loc[upper].to_numpy(float) - dense.loc[lower].to_numpy(float)
        variance = [
            log_count_variance(samples.counts.loc[names].to_numpy(), trend)
            for names in (upper, lower)
        ]
        return OwnValues(
            donors=upper.index.to_numpy(),
            groups=np.full(len(upper), contrast.group, dtype=object),
            values=samples.log2.loc[upper].to_numpy() - samples.log2.loc[lower].to_numpy(),
            variances=variance[0] + variance[1],
            design=steps[:, np.any(steps != 0, axis=0)],
        )
    return OwnValues(
        donors=first.index.get_level_values("donor").to_numpy(),
        groups=first.index.get_level_values("group").to_numpy(),
        values=samples.log2.loc[first].to_numpy(),
        variances=log_count_variance(samples.counts.loc[first].to_numpy(), trend),
        design=design.dense.loc[first].to_numpy(float),
    )
