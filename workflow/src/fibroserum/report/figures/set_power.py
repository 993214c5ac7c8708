"""How large a mean change of a gene set a cohort of this size would have found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.members import complete
from fibroserum.report.loading import RunTables
from fibroserum.targets.donor_values import weighted_sums
from fibroserum.targets.power import Precision, detectable


def donor_values(
    log2: pd.DataFrame, obs: pd.DataFrame, contrast: Contrast
) -> tuple[pd.DataFrame, float]:
    """Return each donor's own value of a contrast, and the contrast's variance over a donor's.

    log2: samples × genes; obs: samples × (donor, group, time, used_for). Donors × genes, indexed by
    donor and group. Where all compared groups have the same times in their values, the other
    groups' values are among them: they share in the variance. In a crossover a donor has one value,
    over its groups. The factor is NaN where a compared group has no donor.
    """
    baseline = contrast.model == "baseline"
    used = obs[obs["used_for"] != "none" if baseline else obs["used_for"] == "change"]
    profiles = {group: contrast.profile(group) for group in contrast.groups}
    first = profiles[contrast.groups[0]]
    if all(profile == first for profile in profiles.values()):
        profiles = dict.fromkeys(sorted(set(used["group"].astype(str))), first)
    members = complete(used, profiles)
    values = weighted_sums(log2, members, profiles)
    groups = members.index.get_level_values("group")
    donors = members.index.get_level_values("donor")
    if not donors.duplicated().any():
        sizes = groups.value_counts()
        parts = [contrast.scale(name) ** 2 / sizes.get(name, np.nan) for name in contrast.groups]
        return values, float(np.sum(parts))
    scale = groups.map(lambda name: contrast.scale(name) if name in contrast.groups else np.nan)
    own = values.mul(scale.to_numpy(float), axis=0)[scale.notna()]
    counts = own.groupby(level="donor").size()
    summed = own.groupby(level="donor").sum()[counts == len(contrast.groups)]
    summed.index = pd.MultiIndex.from_product([summed.index, [""]], names=["donor", "group"])
    return summed, 1 / len(summed) if len(summed) else np.nan


def detectable_mean(
    values: pd.DataFrame, factor: float, sets: Sequence[Sequence[str]], alpha: float
) -> list[float]:
    """Return the log2 fold change of all genes of each set that has a power of 80 %.

    values, factor: `donor_values`. As in fry, each gene is put on the scale of its own standard
    deviation, and the set's mean is tested with one variance for all groups; here by Student's t
    at `alpha`. NaN where donors are too few, or do not differ.
    """
    freedom = len(values) - values.index.get_level_values("group").nunique()
    if freedom < 1 or not np.isfinite(factor):
        return [np.nan] * len(sets)
    residual = values - values.groupby(level="group").transform("mean")
    variance = np.square(residual).sum() / freedom
    # half the gene's own and half the typical one: with few donors its own is often too low
    deviation = np.sqrt((variance + variance.median()) / 2).to_numpy()
    scaled = residual.to_numpy() / deviation
    # the power depends on the effect over its standard error alone
    in_errors = detectable(Precision(np.nan, 1.0, freedom), alpha)
    found = []
    for genes in sets:
        places = values.columns.get_indexer(pd.Index(genes, dtype=object))
        means = scaled[:, places].sum(axis=1) / max(len(places), 1)
        se = np.sqrt(np.square(means).sum() / freedom * factor)
        inverse = (1 / deviation[places]).sum() / max(len(places), 1)
        found.append(float(in_errors * se / inverse) if se > 0 else np.nan)
    return found


def detectable_means(run: RunTables, sets: pd.DataFrame, alpha: float) -> pd.Series:
    """Return the mean log2 fold change of each set that 80 % of such studies would find.

    sets: rows of set tables with collection, gene_set and contrast; the index is theirs. At alpha
    over the number of sets of the collection: what a set needs that changes alone. NaN for slopes
    on a dose.
    """
    genes = {(one.collection, one.name): one.genes for one in run.gene_sets}
    keys = zip(sets["collection"], sets["gene_set"], strict=True)
    used = {gene for key in keys for gene in genes[key]}
    log2 = np.log2(run.normalized.loc[:, run.normalized.columns.isin(used)] + 0.5)
    planned = {one.name: one for one in run.planned}
    found = pd.Series(np.nan, sets.index)
    for name, own in sets.groupby("contrast", sort=False):
        contrast, ranked = planned[str(name)], run.ranked[str(name)]
        if contrast.dose:
            continue
        values, factor = donor_values(log2, run.obs, contrast)
        families = run.enrichment[str(name)]["collection"].value_counts()
        for collection, rows in own.groupby("collection", sort=False):
            tested = [ranked[ranked.isin(genes[str(collection), one])] for one in rows["gene_set"]]
            level = alpha / families[collection]
            found[rows.index] = detectable_mean(values, factor, tested, level)
    return found
