"""GSEA of a ranked list with permuted genes: described, never called from.

Its p values are wrong where genes correlate (docs/calibration.md); the normalised score and the
leading edge are what readers know. The score is GSEApy's own. What it is held against is not
permuted anew for every set: random sets of one size serve all sets of that size (Korotkevich,
Sukhov, Sergushichev 2016, bioRxiv 060012), and are scored at their own genes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

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
    ranked = ranking(statistic)
    names = statistic.index.astype(str).to_numpy()[ranked]
    values = statistic.to_numpy(dtype=float)[ranked]
    hits = _places(sets, ranked)
    lengths = np.array([len(own) for own in hits], dtype=np.int64)
    usable = np.flatnonzero((lengths > 0) & (lengths < len(ranked)))
    score = np.full(len(hits), np.nan)
    score[usable] = _gseapy_scores(values, [hits[row] for row in usable])
    sizes, weights = np.unique(lengths[usable]).tolist(), np.abs(values)
    nes, pvalue = np.full(len(hits), np.nan), np.full(len(hits), np.nan)
    edges = [""] * len(hits)
    for size, null in null_scores(weights, sizes, permutations, seed).items():
        rows = np.flatnonzero(lengths == size)
        nes[rows], pvalue[rows] = _normalised(score[rows], null)
        up, down = peaks(weights, np.array([hits[row] for row in rows]))[1:]
        for row, rising, falling in zip(rows, up, down, strict=True):
            edge = hits[row][: rising + 1] if score[row] >= 0 else hits[row][falling:][::-1]
            edges[row] = ";".join(names[edge])
    found = {"NES": nes, "prerank_pvalue": pvalue, "leading_edge": edges}
    return pd.DataFrame(found, index=sets.table.index)


def _places(sets: Membership, ranked: np.ndarray) -> list[np.ndarray]:
    """Return the places of each set's genes in the ranking, ascending."""
    place = np.full(sets.members.shape[1], -1)
    place[ranked] = np.arange(len(ranked))
    own = [place[sets.positions(row)] for row in range(len(sets.table))]
    return [np.sort(places[places >= 0]) for places in own]


def _gseapy_scores(values: np.ndarray, hits: Sequence[np.ndarray]) -> np.ndarray:
    """Return GSEApy's enrichment scores of sets of places; values: (G,), from most up to down."""
    prerank_rs = _gse().prerank_rs
    labels, scores = [str(place) for place in range(len(values))], np.empty(len(hits))
    for start in range(0, len(hits), PORTION):
        portion = {
            str(row): [labels[place] for place in hits[row]]
            for row in range(start, min(start + PORTION, len(hits)))
        }
        # no permutations of its own, hence one thread and any seed
        answer = prerank_rs(labels, values.tolist(), portion, 1.0, 1, len(labels), 0, 1, 0)
        for summary in answer.summaries:
            scores[int(summary.term)] = summary.es
    return scores


@cache
def _gse() -> ModuleType:
    """Return GSEApy's compiled module by itself: the package loads plots and web clients, too."""
    require("gseapy")
    package = find_spec("gseapy")
    assert package, "required"
    found = PathFinder.find_spec("gseapy.gse", package.submodule_search_locations)
    assert found, "GSEApy has a compiled module"
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


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
            [peaks(weights, np.sort(drawn[i : i + DRAWS, :size], axis=1))[0] for i in starts]
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


def peaks(weights: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the enrichment score of each row of hits, (sets, k) ascending places in the ranking.

    The running sum rises at hits and falls between them: it is largest at a hit, and smallest just
    before one. Which hits these are, by number, comes with the score.
    """
    size = hits.shape[1]
    risen = np.cumsum(weights[hits], axis=1)
    total = risen[:, -1:]
    before = np.column_stack([np.zeros(len(hits)), risen[:, :-1]])
    fallen = (hits - np.arange(size)) / (len(weights) - size)
    # where no gene has a statistic but zero, nothing rises
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    after, ahead = risen * share - fallen, before * share - fallen
    highest, lowest = after.max(axis=1), ahead.min(axis=1)
    score = np.where(highest >= -lowest, highest, lowest)
    return score, after.argmax(axis=1), ahead.argmin(axis=1)


def ranking(statistic: pd.Series) -> np.ndarray:
    """Return the positions of the genes that have a statistic, from most up to most down.

    Ties stand in the order of gene ids, so that the answer does not depend on that of the matrix.
    """
    values = statistic.to_numpy(dtype=float)
    ranked = np.flatnonzero(np.isfinite(values))
    names = statistic.index.astype(str).to_numpy()
    return ranked[np.lexsort((names[ranked], -values[ranked]))]


def _normalised(score: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return NES and p values of sets of one size, by the null scores of each score's sign."""
    nes, pvalue = np.full(len(score), np.nan), np.empty(len(score))
    for of_sign, same in ((score >= 0, null[null >= 0]), (score < 0, null[null < 0])):
        size = np.abs(same)
        beaten = len(size) - np.searchsorted(np.sort(size), np.abs(score[of_sign]))
        pvalue[of_sign] = (beaten + 1) / (len(size) + 1)
        if len(size) and size.mean() > 0:
            nes[of_sign] = score[of_sign] / size.mean()
    return nes, pvalue
