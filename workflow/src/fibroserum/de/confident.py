"""Log2 fold changes that are confidently exceeded."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

# log2
STEP = 0.01


def treat(size: np.ndarray, error: np.ndarray, df: np.ndarray, null: float) -> np.ndarray:
    """Return p values for |effect| <= null.

    size, error: |estimate| and its standard error; df: degrees of freedom of its t.
    Source: McCarthy & Smyth 2009, Bioinformatics 25:765.
    """
    return stdtr(df, (null - size) / error) + stdtr(df, -(null + size) / error)


def confident_lfc(
    estimate: np.ndarray, error: np.ndarray, df: np.ndarray, alpha: float
) -> np.ndarray:
    """Return for each gene the signed log2 fold change that it confidently exceeds.

    It is the largest size, in steps of 0.01, above which the gene's TREAT p value, adjusted by
    Benjamini and Hochberg over all genes with an estimate, is at most alpha: of the genes with
    |value| >= c, a share of at most alpha is expected to have a smaller effect than c. 0 where
    there is no size above 0, NaN without an estimate.

    Source: topconfects, Harrison, Pattison, Powell & Beilharz 2019, Genome Biol 20:67.
    """
    estimate, error, df = (np.asarray(part, dtype=float) for part in (estimate, error, df))
    tested = np.flatnonzero(np.isfinite(estimate) & (error > 0))
    size, error, df = np.abs(estimate[tested]), error[tested], df[tested]

    def significant(genes: np.ndarray, others: int, step: int) -> np.ndarray:
        """Return which genes are significant at a step, where `others` are and the rest is not."""
        pvalues = treat(size[genes], error[genes], df[genes], step * STEP)
        order = np.argsort(pvalues)
        bars = alpha * (others + np.arange(1, len(genes) + 1)) / len(tested)
        below = np.flatnonzero(pvalues[order] <= bars)
        found = np.zeros(len(genes), dtype=bool)
        found[order[: below[-1] + 1 if len(below) else 0]] = True
        return found

    # p values rise with the size, so what is significant at a step is so at all smaller ones:
    # genes are sorted between two steps, first by doubling, then by halving what lies between
    steps, low, kept = np.zeros(len(tested)), 0, np.arange(len(tested))
    kept = kept[significant(kept, 0, 0)]
    ranges = []
    while len(kept):
        high = max(2 * low, 1)
        passed = significant(kept, 0, high)
        ranges.append((low, high, kept[~passed], int(passed.sum())))
        low, kept = high, kept[passed]
    while ranges:
        low, high, genes, others = ranges.pop()
        middle = (low + high) // 2
        if middle == low or not len(genes):
            steps[genes] = low
            continue
        passed = significant(genes, others, middle)
        ranges.append((low, middle, genes[~passed], others + int(passed.sum())))
        ranges.append((middle, high, genes[passed], others))
    found = np.full(len(estimate), np.nan)
    found[tested] = np.round(np.sign(estimate[tested]) * steps * STEP, 2) + 0.0
    return found
