"""Stage-wise testing: a gene is screened over its hypotheses, and only then one is named.

Source: stageR (Van den Berge, Soneson, Robinson & Clement 2017, Genome Biol 18:151), after Heller,
Manduchi, Grant & Ewens 2009, Bioinformatics 25:1019.
"""

from __future__ import annotations

import numpy as np

from fibroserum.multiple_testing import benjamini_hochberg


def simes(pvalues: np.ndarray) -> np.ndarray:
    """Return the p value that no null hypothesis of a row is false; NaN where a row has none.

    pvalues: (m, k), missing ones NaN. Source: Simes 1986, Biometrika 73:751.
    """
    ascending = np.sort(pvalues, axis=1)
    known = np.isfinite(pvalues).sum(axis=1, keepdims=True)
    scaled = ascending * known / np.arange(1, pvalues.shape[1] + 1)
    return np.fmin.reduce(scaled, axis=1, initial=np.nan)


def holm_after_screening(pvalues: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values (k,) of a row that passed the screening.

    As in stageR: that one hypothesis at least is false is what the screening said, so the smallest
    of n p values is multiplied by n - 1, not n. Missing ones stay missing and do not count.
    """
    adjusted = np.full(len(pvalues), np.nan)
    known = np.flatnonzero(np.isfinite(pvalues))
    order = known[np.argsort(pvalues[known], kind="stable")]
    factors = np.minimum(np.arange(len(order), 0, -1), max(len(order) - 1, 1))
    adjusted[order] = np.minimum(np.maximum.accumulate(pvalues[order] * factors), 1.0)
    return adjusted


def stagewise_adjusted(pvalues: np.ndarray, screen: np.ndarray | None = None) -> np.ndarray:
    """Return for each p value (m rows × hypotheses) the lowest level at which it is confirmed.

    screen: (m,) p values that no null hypothesis of a row is false; None: those of Simes. At level
    a, R of m rows pass the screening (Benjamini-Hochberg), and in those the hypotheses whose Holm p
    value is at most a R / m are confirmed. R grows with a, so that the lowest such a is an adjusted
    p value. With one hypothesis it is Benjamini-Hochberg's.
    """
    screening = benjamini_hochberg(simes(pvalues) if screen is None else screen)
    passed = np.sort(screening[np.isfinite(screening)])
    if not len(passed):
        return np.full(pvalues.shape, np.nan)
    holm = np.apply_along_axis(holm_after_screening, 1, pvalues)
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
