"""The donors behind a target: their own levels and changes, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import Design
from fibroserum.targets.outliers import OwnValues, log_count_variance


@dataclass(frozen=True)
class Samples:
    """The targets' part of a cohort.

    obs: samples × (donor, group, time, used_for). counts, log2: samples × target genes, raw and
    log2(normalized + 0.5). before: the time level of the reference.
    """

    obs: pd.DataFrame
    counts: pd.DataFrame
    log2: pd.DataFrame
    before: str

    def members(self, contrast: Contrast) -> pd.DataFrame:
        """Return one row a pair (in a baseline contrast, a donor) that a contrast compares.

        Indexed by donor and group, with the sample names `before` and `after` (missing where a
        donor has only a before sample).
        """
        groups = {contrast.group, contrast.reference} - {None}
        table = self.pairs() if contrast.kind != "baseline" else self.first()
        names = table.index.get_level_values("group")
        own = table[names.isin(groups)] if groups else table
        return own[informs(own.index)]

    def pairs(self) -> pd.DataFrame:
        """Return the complete pairs: index donor and group, columns before and after."""
        return self.first()[lambda table: table["used_for"] == "change"].drop(columns="used_for")

    def first(self) -> pd.DataFrame:
        """Return every donor with a before sample: columns before, after and used_for."""
        is_before = self.obs["time"] == self.before
        key = ["donor", "group"]
        named = self.obs[[*key, "used_for"]].astype(str).assign(sample=self.obs.index)
        start = named[is_before].set_index(key)
        end = named[~is_before].set_index(key)["sample"]
        table = start.rename(columns={"sample": "before"})
        table["after"] = end.reindex(table.index)
        return table[table["used_for"] != "none"].sort_index()


def informs(members: pd.MultiIndex) -> np.ndarray:
    """Return which donors and groups inform a contrast of all the groups among them.

    In a crossover a donor informs it with all groups or not at all.
    """
    donors = pd.Series(members.get_level_values("donor"))
    if not donors.duplicated().any():
        return np.ones(len(members), dtype=bool)
    sizes = donors.map(donors.value_counts())
    return (sizes == members.get_level_values("group").nunique()).to_numpy()


def target_samples(
    cohort: ad.AnnData, genes: list[str], before: str, factors: pd.Series
) -> Samples:
    """Return the samples of a cohort with the given genes only; factors: size factors by sample."""
    places = cohort.var_names.get_indexer(genes)
    counts = np.asarray(cohort.X)[:, places].astype(float)
    scale = factors.reindex(cohort.obs_names).fillna(cohort.obs["size_factor"]).to_numpy(float)
    frames = [
        pd.DataFrame(values, index=cohort.obs_names, columns=genes)
        for values in (counts, np.log2(counts / scale[:, None] + 0.5))
    ]
    obs = cohort.obs[["donor", "group", "time", "used_for"]].astype(str)
    return Samples(obs, frames[0], frames[1], before)


def donor_table(samples: Samples, targets: dict[str, str | None]) -> pd.DataFrame:
    """Return `target_donors`: a row for each target in the matrix and each donor (and group)."""
    first = samples.first()
    paired = first["after"].notna() & (first["used_for"] == "change")
    parts = []
    for target, gene in targets.items():
        if gene is None:
            continue
        values = samples.log2[gene]
        after = values.reindex(first["after"].where(paired)).to_numpy()
        part = pd.DataFrame(
            {
                "target": target,
                "donor": first.index.get_level_values("donor"),
                "group": first.index.get_level_values("group"),
                "before": values.loc[first["before"]].to_numpy(),
                "after": after,
            }
        )
        parts.append(part.assign(delta=part["after"] - part["before"]))
    columns = ["target", "donor", "group", "before", "after", "delta"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def changes(samples: Samples) -> pd.DataFrame:
    """Return each pair's own change, (donor, group) × genes, log2."""
    pairs = samples.pairs()
    after = samples.log2.loc[pairs["after"]].to_numpy()
    before = samples.log2.loc[pairs["before"]].to_numpy()
    return pd.DataFrame(after - before, index=pairs.index, columns=samples.log2.columns)


def _between(
    samples: Samples,
    upper: pd.Series,
    lower: pd.Series,
    design: Design,
    trend: np.ndarray,
) -> OwnValues:
    """Return the differences between two samples of each donor, with all columns that differ."""
    dense = design.dense
    steps = dense.loc[upper].to_numpy(float) - dense.loc[lower].to_numpy(float)
    variance = [
        log_count_variance(samples.counts.loc[names].to_numpy(), trend) for names in (upper, lower)
    ]
    return OwnValues(
        donors=upper.index.get_level_values("donor").to_numpy(),
        groups=upper.index.get_level_values("group").to_numpy(),
        values=samples.log2.loc[upper].to_numpy() - samples.log2.loc[lower].to_numpy(),
        variances=variance[0] + variance[1],
        design=steps[:, np.any(steps != 0, axis=0)],
    )


def own_changes(samples: Samples, design: Design, trend: np.ndarray) -> OwnValues:
    """Return the changes of the pairs; design: of the paired model; trend: of its dispersions."""
    pairs = samples.pairs()
    return _between(samples, pairs["after"], pairs["before"], design, trend)


def own_levels(
    samples: Samples, contrast: Contrast, design: Design, trend: np.ndarray
) -> OwnValues:
    """Return the levels before that a baseline contrast compares.

    In a crossover each donor's difference between the two groups; otherwise the levels themselves.
    design: of the baseline model; trend: of its dispersions.
    """
    first = samples.first()["before"]
    if design.blocks is not None:
        upper, lower = (
            first.xs(name, level="group") for name in (contrast.group, contrast.reference)
        )
        upper, lower = upper.align(lower, join="inner")
        index = pd.MultiIndex.from_product([upper.index, [contrast.group]], names=first.index.names)
        return _between(samples, upper.set_axis(index), lower.set_axis(index), design, trend)
    return OwnValues(
        donors=first.index.get_level_values("donor").to_numpy(),
        groups=first.index.get_level_values("group").to_numpy(),
        values=samples.log2.loc[first].to_numpy(),
        variances=log_count_variance(samples.counts.loc[first].to_numpy(), trend),
        design=design.dense.loc[first].to_numpy(float),
    )
