"""p values adjusted for the number of tests.

scipy.stats has the adjustment too, but importing it takes longer than all other imports of the job
that makes the result tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# of the standard normal; scipy.stats takes longer to import than all else that the tables need
NORMAL_975 = 1.959963984540054
THETAS = 50
LOWESS_SPAN = 1 / 5


def benjamini_hochberg(pvalues: np.ndarray) -> np.ndarray:
    """Return adjusted p values (n,); missing ones stay missing and do not count.

    Source: Benjamini & Hochberg 1995, J R Stat Soc B 57:289, as step-up adjusted p values.
    """
    p = np.asarray(pvalues, dtype=float)
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    falling = known[np.argsort(-p[known], kind="stable")]
    number = len(falling)
    scaled = p[falling] * (number / np.arange(number, 0, -1))
    adjusted[falling] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def weighted_benjamini_hochberg(pvalues: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return adjusted p values (n,) of hypotheses with positive weights (n,); missing ones stay.

    Benjamini-Hochberg of p / weight (Genovese, Roeder & Wasserman 2006, Biometrika 93:509), weights
    scaled to mean 1 over the tests, and at least p itself, so that no weight makes a call of a p
    value above the level.
    """
    p, own = np.asarray(pvalues, dtype=float), np.asarray(weights, dtype=float)
    tested = np.isfinite(p)
    mean = own[tested].mean() if tested.any() else 1.0
    return np.maximum(benjamini_hochberg(p / own * mean), p)


def panel_adjusted(pvalues: np.ndarray, genes: Sequence[str | None]) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p values over a panel in which a gene may recur.

    pvalues, genes: (n,). A gene that several rows name is one test, that of its first row; all its
    rows have its adjusted value. Rows without a gene (None) have none.
    """
    panel = pd.Series(np.asarray(pvalues, dtype=float), index=pd.Index(genes, dtype=object))
    once = panel[panel.index.notna() & ~panel.index.duplicated()]
    adjusted = pd.Series(benjamini_hochberg(once.to_numpy()), index=once.index)
    return adjusted.reindex(panel.index).to_numpy()


def adjust(pvalue: pd.Series, collection: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg adjusted p values within each collection; NaN stays out of it."""
    result = pd.Series(np.nan, index=pvalue.index)
    for _, rows in pvalue.dropna().groupby(collection):
        result[rows.index] = benjamini_hochberg(rows.to_numpy())
    return result


def _rejections(p: np.ndarray, means: np.ndarray, cutoffs: np.ndarray, alpha: float) -> np.ndarray:
    """Return how many genes are called at `alpha` (Benjamini-Hochberg) above each cutoff."""
    tested = np.flatnonzero(np.isfinite(p) & np.isfinite(means))
    order = tested[np.argsort(p[tested])]
    ascending, expressed = p[order], means[order]
    rejected = np.zeros(len(cutoffs))
    for place, cutoff in enumerate(cutoffs):
        kept = ascending[expressed >= cutoff]
        below = np.flatnonzero(kept * len(kept) / np.arange(1, len(kept) + 1) < alpha)
        rejected[place] = below[-1] + 1 if len(below) else 0
    return rejected


def independent_filtering(pvalues: np.ndarray, base_mean: np.ndarray, alpha: float) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p values with weakly expressed genes set aside.

    As DESeq2's `results()`: of 50 quantiles of the base mean as a threshold, the lowest at which
    the number of rejections at `alpha` comes within its scatter of the maximum of a lowess curve
    through those numbers. NaN where p is NaN or the gene is below the threshold. Genes whose base
    mean is NaN are left out altogether.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    p, means = np.asarray(pvalues, dtype=float), np.asarray(base_mean, dtype=float)
    known = np.isfinite(means)
    if not known.any():
        return np.full(len(p), np.nan)
    lowest = float(np.mean(means[known] == 0))
    thetas = np.linspace(lowest, 0.95 if lowest < 0.95 else 1.0, THETAS)
    cutoffs = np.quantile(means[known], thetas)
    rejected = _rejections(p, means, cutoffs, alpha)
    chosen = 0
    if rejected.max() > 10:
        curve = lowess(
            rejected,
            thetas,
            frac=LOWESS_SPAN,
            it=3,
            delta=0.01 * np.ptp(thetas),
            return_sorted=False,
        )
        some = rejected > 0
        threshold = curve.max() - np.sqrt(np.mean((rejected[some] - curve[some]) ** 2))
        for level in (threshold, 0.9 * curve.max(), 0.8 * curve.max()):
            if (rejected > level).any():
                chosen = int(np.argmax(rejected > level))
                break
    return benjamini_hochberg(np.where(known & (means >= cutoffs[chosen]), p, np.nan))
