"""Poor pairs: those whose changes vary more than the others'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import settings_of
from fibroserum.cohort.contrasts import joined
from fibroserum.linear.quality import FEWEST_PAIRS, TOLERATED
from fibroserum.qc.check import Check, not_assessed, ok, warning

#: a weight below which a pair is named
POOR = 0.5
CHECK: Final = "quality of pairs"


def pair_quality(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> Iterator[Check]:
    """Name the pairs with a low quality weight."""
    weights = sample_weights(cohort, fits).dropna()
    obs = cohort.obs.loc[weights.index, ["donor", "group"]].astype(str).assign(weight=weights)
    pairs = obs.groupby(["donor", "group"], sort=True)["weight"].min()
    size = pairs.groupby("group").size()
    few = sorted(size.index[size < FEWEST_PAIRS])
    if few or pairs.empty:
        reason = f"needs at least {FEWEST_PAIRS} pairs in one group"
        yield not_assessed(CHECK, reason, subject=joined(few))
    pairs = pairs[~pairs.index.get_level_values("group").isin(few)]
    if pairs.empty:
        return
    used = str(fits["paired"].uns["model"]["second_opinion"]) != "none"
    for (donor, group), weight in pairs[pairs < POOR].items():
        named = f"{donor} ({group})" if settings_of(cohort)["crossover"] else str(donor)
        message = (
            f"quality weight {weight:.2f}: the changes of this pair vary "
            f"{TOLERATED / weight:.1f} times as much as those of the median pair (variance of the "
            f"genes that do not change in {group}). Either a sample is poor, or many genes changed "
            "in this donor only"
        )
        if used:
            message += ". The pair counts less in the second model (voom). No sample is excluded"
        advice = (
            "Look at the depth, RNA quality and PCA of both samples. flags/target_loo.tsv shows "
            "each verdict without this donor."
        )
        yield warning(CHECK, named, message, advice)
    if not (pairs < POOR).any():
        yield ok(CHECK, f"quality weights of pairs are {pairs.min():.2f} to {pairs.max():.2f}")


def sample_weights(cohort: ad.AnnData, fits: Mapping[str, ad.AnnData]) -> pd.Series:
    """Return the quality weight of each sample; NaN without a pair, or without a fit of pairs."""
    if "paired" not in fits:
        return pd.Series(np.nan, cohort.obs_names)
    return fits["paired"].obs["quality_weight"].astype(float).reindex(cohort.obs_names)
