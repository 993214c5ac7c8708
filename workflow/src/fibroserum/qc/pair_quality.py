"""Poor pairs: those whose changes vary more than the others'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import settings_of
from fibroserum.linear.quality import TOLERATED
from fibroserum.qc.check import Check

#: a weight below which a pair is named
POOR = 0.5


def pair_quality(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Name the pairs with a low quality weight; nothing where no group has enough pairs."""
    weights = sample_weights(cohort, fits).dropna()
    if (weights == 1.0).all():
        return
    obs = cohort.obs.loc[weights.index, ["donor", "group"]].astype(str).assign(weight=weights)
    pairs = obs.groupby(["donor", "group"], sort=True)["weight"].min()
    used = str(fits["paired"].uns["model"]["second_opinion"]) != "none"
    for (donor, group), weight in pairs[pairs < POOR].items():
        named = f"{donor} ({group})" if settings_of(cohort)["crossover"] else str(donor)
        message = (
            f"quality weight {weight:.2f}: over the genes that do not change in {group}, the "
            f"variance of this pair's changes is {TOLERATED / weight:.1f} times that of the median "
            "pair: a poor sample, or many genes that changed in this donor alone. "
        )
        if used:
            message += "It counts less in the second model, and no sample is dropped. "
        message += (
            "Look at the depth, RNA quality and PCA of both samples; flags/target_loo.tsv has each "
            "verdict without this donor"
        )
        yield Check("quality of pairs", "warning", named, message)
    if not (pairs < POOR).any():
        said = f"quality weights of pairs are {pairs.min():.2f} to {pairs.max():.2f}"
        yield Check("quality of pairs", "ok", "", said)


def sample_weights(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> pd.Series:
    """Return the quality weight of each sample; NaN without a pair, or without a fit of pairs."""
    if "paired" not in fits:
        return pd.Series(np.nan, cohort.obs_names)
    return fits["paired"].obs["quality_weight"].astype(float).reindex(cohort.obs_names)
