"""GSEA of a ranked list with permuted genes: described, never called from.

Its p values are wrong where genes correlate (docs/calibration.md); the normalised score and the
leading edge are what readers know. The score is GSEApy's own. What it is held against is not
permuted anew for every set: random sets of one size serve all sets of that size (Korotkevich,
Sukhov, Sergushichev 2016, bioRxiv 060012), and are scored at their own genes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from fibroserum.enrichment.membership import Membership
from fibroserum.errors import require

# GSEApy returns the running sum of every set; in portions they stay out of memory's way.
PORTION = 250
# random sets that are scored at once, likewise
DRAWS = 10_000


def prerank(
    statistic: pd.Series, sets: Membership, *, permutations: int, seed: int
) -> pd.DataFrame:
    """Return NES, prerank_pvalue and leading_edge (gene ids, ';' between) of each set.

    statistic: signed, indexed by the tested genes in the order of the membership; genes without
    one (NaN) are not ranked. p = (b + 1) / (m + 1), with b the same-sign null scores at least as
    large, of m; NES is the score over the mean size of these m, NaN where there is none. NaN and an
    empty leading edge where no gene of the set, or every gene, is ranked.
    """
    require("gseapy")
    from gseapy.gse import prerank_rs

    values, ranked = statistic.to_numpy(dtype=float), ranking(statistic)
    names = statistic.index.astype(str).to_numpy()
    labels = [str(i) for i in ranked]
    present = np.zeros(len(values), dtype=bool)
    present[ranked] = True
    result = pd.DataFrame(
        {"NES": np.nan, "prerank_pvalue": np.nan, "leading_edge": ""}, index=sets.table.index
    )
    members = {
        row: [str(i) for i in sets.positions(row) if present[i]] for row in range(len(sets.table))
    }
    usable = [row for row, genes in members.items() if 0 < len(genes) < len(ranked)]
    scores = {}
    for start in range(0, len(usable), PORTION):
        portion = {str(row): members[row] for row in usable[start : start + PORTION]}
        # no permutations of its own, hence one thread and any seed
        answer = prerank_rs(labels, values[ranked].tolist(), portion, 1.0, 1, len(ranked), 0, 1, 0)
        for summary in answer.summaries:
            row = int(summary.term)
            scores[row] = summary.es
            edge = _leading_edge(summary.es, np.asarray(summary.run_es), summary.hits)
            result.loc[row, "leading_edge"] = ";".join(names[ranked[edge]])
    sizes = sorted({len(members[row]) for row in usable})
    nulls = null_scores(np.abs(values[ranked]), sizes, permutations, seed)
    for row, score in scores.items():
        null = nulls[len(members[row])]
        result.loc[row, ["NES", "prerank_pvalue"]] = _normalised(score, null)
    return result


def null_scores(
    weights: np.ndarray, sizes: Sequence[int], number: int, seed: int
) -> dict[int, np.ndarray]:
    """Return the enrichment scores (number,) of random sets of each size.

    weights: (G,), the size of each gene's statistic, in the order of the ranking. A random set of
    one size is the beginning of that of the next, which sizes there are besides does not matter.
    """
    if not sizes:
        return {}
    drawn = _drawn(len(weights), max(sizes), number, seed)
    starts = range(0, number, DRAWS)
    return {
        size: np.concatenate(
            [_scores(weights, np.sort(drawn[i : i + DRAWS, :size], axis=1)) for i in starts]
        )
        for size in sizes
    }


@lru_cache(maxsize=1)  # the contrasts of a model rank as many genes
def _drawn(genes: int, size: int, number: int, seed: int) -> np.ndarray:
    """Return random sets (number, size) of places, whose beginnings are those of smaller ones."""
    rng = np.random.default_rng(seed)
    drawn = np.empty((number, size), dtype=np.int32)
    for row in drawn:
        row[:] = rng.permutation(genes)[:size]
    return drawn


def _scores(weights: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return the enrichment score of each row of hits, (sets, k) ascending places in the ranking.

    The running sum rises at hits and falls between them: it is largest at a hit, and smallest just
    before one.
    """
    size = hits.shape[1]
    risen = np.cumsum(weights[hits], axis=1)
    total = risen[:, -1:]
    before = np.column_stack([np.zeros(len(hits)), risen[:, :-1]])
    fallen = (hits - np.arange(size)) / (len(weights) - size)
    # where no gene has a statistic but zero, nothing rises
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    highest = (risen * share - fallen).max(axis=1)
    lowest = (before * share - fallen).min(axis=1)
    return np.where(highest >= -lowest, highest, lowest)


def ranking(statistic: pd.Series) -> np.ndarray:
    """Return the positions of the genes that have a statistic, from most up to most down.

    Ties stand in the order of gene ids, so that the answer does not depend on that of the matrix.
    """
    values = statistic.to_numpy(dtype=float)
    ranked = np.flatnonzero(np.isfinite(values))
    names = statistic.index.astype(str).to_numpy()
    return ranked[np.lexsort((names[ranked], -values[ranked]))]


def _normalised(score: float, null: np.ndarray) -> tuple[float, float]:
    """Return NES and p value of a score, by the null scores of its sign."""
    same = np.abs(null[null >= 0] if score >= 0 else null[null < 0])
    nes = score / same.mean() if len(same) and same.mean() > 0 else np.nan
    return nes, (int(np.sum(same >= abs(score))) + 1) / (len(same) + 1)


def _leading_edge(score: float, running: np.ndarray, hits: list[int]) -> list[int]:
    """Return ranks of the set's genes up to the peak of the running sum, strongest first."""
    if score >= 0:
        peak = int(running.argmax())
        return [hit for hit in hits if hit <= peak]
    peak = int(running.argmin())
    return [hit for hit in hits if hit >= peak][::-1]
