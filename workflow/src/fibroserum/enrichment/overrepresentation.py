"""Over-representation of called genes: Fisher's exact test, one-sided, with its own background."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.enrichment.membership import Membership


def overrepresentation(called: np.ndarray, testable: np.ndarray, sets: Membership) -> pd.Series:
    """Return hypergeometric p values, P(overlap at least as large), of each set.

    called: mask (G,) of genes called in either direction. testable: mask (G,) of the genes that
    could have been: the background, to which sets are restricted. A set without overlap has p = 1.
    """
    hits = called & testable
    overlap = np.asarray(sets.members @ hits.astype(float)).round().astype(int)
    size = np.asarray(sets.members @ testable.astype(float)).round().astype(int)
    pvalue = np.empty(len(size))
    for own in np.unique(size):
        tails = _tails(int(own), int(hits.sum()), int(testable.sum()))
        pvalue[size == own] = tails[overlap[size == own]]
    return pd.Series(pvalue, index=sets.table.index, name="ora_pvalue")


def _tails(size: int, hits: int, total: int) -> np.ndarray:
    """Return P(overlap >= k) of a set with `hits` of `total` genes, for k from 0 to `size`.

    From the ratios of hypergeometric probabilities; scipy.stats takes half a second to import.
    """
    least, most = max(0, size + hits - total), min(size, hits)
    k = np.arange(least, most)
    ratio = (hits - k) * (size - k) / ((k + 1) * (total - hits - size + k + 1))
    logs = np.cumsum(np.concatenate([[0.0], np.log(ratio)]))
    chance = np.exp(logs - logs.max())
    tail = np.cumsum(chance[::-1])[::-1]
    return np.concatenate([np.ones(least), tail / tail[0], np.zeros(size - most)])
