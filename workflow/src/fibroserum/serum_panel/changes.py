"""Does a molecule's level change? A moderated t test of one value per donor, over all molecules.

The test is that of the linear model over donor values (`linear.group_variance`): each group has a
variance of its own, moderated across molecules (Smyth 2004, SAGMB 3:3), and a comparison of groups
has Satterthwaite's degrees of freedom. The levels of some molecules are missing in some donors, so
that each molecule has degrees of freedom of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fibroserum.distributions import t_isf, t_sf
from fibroserum.intervals import ROUNDING
from fibroserum.linear import satterthwaite, variance_prior
from fibroserum.multiple_testing import benjamini_hochberg

FEWEST = 2
CONSTANT = "the level changes by the same amount in every donor"


def changes_of(values: Sequence[pd.DataFrame], *, group_wise: bool = True) -> pd.DataFrame:
    """Return the test of the sum of the groups' means, by molecule.

    Parameters
    ----------
    values : sequence of pandas.DataFrame
        For each group that is compared, donors × molecules, NaN where unknown
        (`contrast_values`).
    group_wise : bool
        Whether each group has a variance of its own. With one variance for all, and levels without
        missing values, the test is limma's (lmFit, contrasts.fit, eBayes).

    Returns
    -------
    pandas.DataFrame
        By molecule: donors, change_log2, ci_low, ci_high (95 %), pvalue, reason. NaN, with the
        reason, for a molecule with fewer than two donors in a group, or whose values do not differ.
    """
    arrays = [frame.to_numpy(float) for frame in values]
    counts = np.column_stack([np.isfinite(array).sum(axis=0) for array in arrays])
    tested = (counts >= FEWEST).all(axis=1)
    constant = np.column_stack([_constant(array) for array in arrays]).all(axis=1)
    reason = np.where(tested, np.where(constant, CONSTANT, ""), _too_few(values))
    used = tested & ~constant
    found = pd.DataFrame(
        {"donors": counts.sum(axis=1), "reason": [text or None for text in reason]},
        index=values[0].columns,
    )
    columns = ["change_log2", "ci_low", "ci_high", "pvalue"]
    found[columns] = np.nan
    if used.any():
        found.loc[used, columns] = _tested([a[:, used] for a in arrays], group_wise=group_wise)
    return found


def _tested(arrays: list[np.ndarray], *, group_wise: bool) -> np.ndarray:
    """Return estimate, interval and p value, (molecules, 4)."""
    counts = np.column_stack([np.isfinite(array).sum(axis=0) for array in arrays])
    means = np.column_stack([np.nanmean(array, axis=0) for array in arrays])
    own = np.column_stack([np.nanvar(array, axis=0, ddof=1) for array in arrays])
    df = counts - 1.0
    all_df = df.sum(axis=1)
    pooled, pooled_df = _moderated((own * df).sum(axis=1) / all_df, all_df)
    if group_wise:
        moderated = [_moderated(own[:, g], df[:, g]) for g in range(len(arrays))]
        variances = np.column_stack([variance for variance, _ in moderated])
        parts, total = variances / counts, np.column_stack([own_df for _, own_df in moderated])
        variance, total_df = satterthwaite(parts, total, pooled_df)
    else:
        variance, total_df = pooled * (1.0 / counts).sum(axis=1), pooled_df
    estimate, se = means.sum(axis=1), np.sqrt(variance)
    half = t_isf(0.025, total_df) * se
    pvalue = 2 * t_sf(np.abs(estimate) / se, total_df)
    return np.column_stack([estimate, estimate - half, estimate + half, pvalue])


def _moderated(variance: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return limma's moderated variances and their degrees of freedom, (molecules,)."""
    prior = variance_prior(variance, df)
    return prior.posterior(variance, df), np.minimum(df + prior.df, prior.most)


def _constant(array: np.ndarray) -> np.ndarray:
    """Return which molecules have values that do not differ, (molecules,)."""
    known = np.isfinite(array)
    high = np.where(known, array, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(known, array, np.inf).min(axis=0, initial=np.inf)
    size = np.maximum(1.0, np.where(known, np.abs(array), 0.0).max(axis=0, initial=0.0))
    return np.asarray(high - low <= ROUNDING * size)


def _too_few(values: Sequence[pd.DataFrame]) -> str:
    where = "" if len(values) == 1 else " in each group"
    return f"a change needs the levels of at least {FEWEST} donors{where}"


def with_calls(changes: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Add padj (BH over the molecules tested) and call (up, down, none; None: not tested)."""
    padj = benjamini_hochberg(changes["pvalue"].to_numpy(float))
    sign = np.where(changes["change_log2"] > 0, "up", "down")
    call = pd.Series(np.where(padj < alpha, sign, "none"), changes.index, dtype=object)
    return changes.assign(padj=padj, call=call.where(~np.isnan(padj), None))
