"""How an outcome itself changes in a contrast: means over donors, with a t interval."""

from __future__ import annotations

import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.intervals import Estimate, one_sample_t, sum_of_means


def outcome_change(pairs: pd.DataFrame, contrast: Contrast, *, crossover: bool) -> Estimate:
    """Return the weighted sum of the groups' mean changes of an outcome.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Rows of `outcome_pairs` of one outcome at the contrast's time: donor, group, change (NaN
        where it is unknown).
    contrast : Contrast
        Of changes to one time after.
    crossover : bool
        Whether donors are in several groups: then a comparison is a sum within donors.

    Returns
    -------
    Estimate
        On the outcome's scale. Each group has a variance of its own, with Satterthwaite's degrees
        of freedom: the t test of one group, Welch's of two.
    """
    wide = pairs.pivot_table(index="donor", columns="group", values="change")
    weights = pd.Series({group: contrast.scale(group) for group in contrast.groups})
    own = wide.reindex(columns=weights.index) * weights
    if crossover:
        return one_sample_t(own.dropna().sum(axis=1))
    return sum_of_means([own[group].dropna() for group in own])
