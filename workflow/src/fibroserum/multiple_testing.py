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


def adjusted_beside(pvalues: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Benjamini-Hochberg adjusted value of each p value (n,) with the same others (m,).

    As `benjamini_hochberg` of one of them and the others gives it.
    """
    p = np.asarray(pvalues, dtype=float)
    known = np.sort(others[np.isfinite(others)])
    number = len(known) + 1
    larger = len(known) - np.searchsorted(known, p, side="right")
    scaled = known[::-1] * (number / np.arange(number, 1, -1))
    least = np.minimum.accumulate(np.append(1.0, scaled))
    return np.minimum(p * (number / (number - larger)), least[larger])


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


def simes(pvalues: np.ndarray) -> np.ndarray:
    """Return the p value that no null hypothesis of a row is false; NaN where a row has none.

    pvalues: (m, k), missing ones NaN. Source: Simes 1986, Biometrika 73:751.
    """
    ascending = np.sort(pvalues, axis=1)
    known = np.isfinite(pvalues).sum(axis=1, keepdims=True)
    scaled = ascending * known / np.arange(1, pvalues.shape[1] + 1)
    return np.fmin.reduce(scaled, axis=1, initial=np.nan)


def holm_after_screening(pvalues: np.ndarray, *, spanned: bool = True) -> np.ndarray:
    """Return Holm's adjusted p values (k,) of a row that passed the screening.

    spanned: whether the screening says that one of these hypotheses at least is false. As in stageR
    the smallest of n p values is then multiplied by n - 1, not n. Missing ones stay missing and do
    not count.
    """
    adjusted = np.full(len(pvalues), np.nan)
    known = np.flatnonzero(np.isfinite(pvalues))
    order = known[np.argsort(pvalues[known], kind="stable")]
    most = max(len(order) - 1, 1) if spanned else len(order)
    factors = np.minimum(np.arange(len(order), 0, -1), most)
    adjusted[order] = np.minimum(np.maximum.accumulate(pvalues[order] * factors), 1.0)
    return adjusted


def stagewise_adjusted(
    pvalues: np.ndarray, screen: np.ndarray | None = None, *, spanned: bool = True
) -> np.ndarray:
    """Return for each p value (m rows × hypotheses) the lowest level at which it is confirmed.

    screen: (m,) p values that no null hypothesis of a row is false; None: those of Simes. spanned:
    whether a row that is screened rightly has a false hypothesis among these. At level
    a, R of m rows pass the screening (Benjamini-Hochberg), and in those the hypotheses whose Holm p
    value is at most a R / m are confirmed. R grows with a, so that the lowest such a is an adjusted
    p value. With one hypothesis it is Benjamini-Hochberg's. Source: stageR (Van den Berge, Soneson,
    Robinson & Clement 2017, Genome Biol 18:151), after Heller, Manduchi, Grant & Ewens 2009,
    Bioinformatics 25:1019.
    """
    screening = benjamini_hochberg(simes(pvalues) if screen is None else screen)
    passed = np.sort(screening[np.isfinite(screening)])
    if not len(passed):
        return np.full(pvalues.shape, np.nan)
    holm = np.apply_along_axis(holm_after_screening, 1, pvalues, spanned=spanned)
    # with at least r rows screened: the level is at least the r-th screening p value, which rises
    # with r, and the Holm p value over r / m, which falls: the lowest is where they cross
    share = len(passed) / np.arange(1, len(passed) + 1)
    first = np.searchsorted(passed / share, holm)
    confirmed = np.full(pvalues.shape, np.inf)
    for step in (-1, 0, 1):
        at = np.clip(first + step, 0, len(passed) - 1)
        confirmed = np.minimum(confirmed, np.maximum(passed[at], holm * share[at]))
    confirmed[np.isnan(holm)] = np.nan
    return np.minimum(np.maximum(confirmed, screening[:, None]), 1.0)
