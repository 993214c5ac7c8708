"""Set tests that the calibration study compares with the project's own; none decides anything."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import stats

from fibroserum.enrichment.camera import normal_scores
from fibroserum.enrichment.membership import Membership
from fibroserum.linear import Effects, LinearFit

ROTATIONS = 499


def romer(effects: Effects, sets: Membership, rng: np.random.Generator) -> np.ndarray:
    """Two-sided p values of limma's romer (mean rank, residuals not shrunk)."""
    from edgepython.limma_port import squeeze_var

    both = np.column_stack([effects.contrast, effects.residual])
    d = effects.residual.shape[1]
    prior = squeeze_var(np.mean(effects.residual**2, axis=1), np.full(len(both), float(d)))
    df, scale = float(np.mean(prior["df_prior"])), float(np.mean(prior["var_prior"]))
    total = np.sum(both**2, axis=1)

    def mean_ranks(direction: np.ndarray) -> np.ndarray:
        value = both @ direction
        variance = (total - value**2) / d
        if np.isfinite(df):
            posterior = (df * scale + d * variance) / (df + d)
        else:
            posterior = np.full(len(value), scale)
        return np.asarray(sets.members @ stats.rankdata(value / np.sqrt(posterior)))

    observed = mean_ranks(np.eye(d + 1)[0])
    up, down = np.zeros(len(observed)), np.zeros(len(observed))
    for _ in range(ROTATIONS):
        direction = rng.normal(size=d + 1)
        rotated = mean_ranks(direction / np.linalg.norm(direction))
        up += rotated >= observed
        down += rotated <= observed
    return np.minimum(1, 2 * (np.minimum(up, down) + 1) / (ROTATIONS + 1))


def flips(fit: LinearFit, sets: Membership, rng: np.random.Generator) -> np.ndarray:
    """P values of GSEA's running sum on paired t statistics, null by sign flips of donors."""
    difference = (fit.E[1::2] - fit.E[::2]).T
    donors = difference.shape[1]
    if 2**donors <= ROTATIONS + 1:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=donors)))
    else:
        signs = np.vstack([np.ones(donors), rng.choice((1.0, -1.0), (ROTATIONS, donors))])
    square = np.sum(difference**2, axis=1)
    scores = np.empty((len(signs), sets.members.shape[0]))
    for i, sign in enumerate(signs):
        mean = difference @ sign / donors
        spread = np.sqrt((square - donors * mean**2) / (donors - 1))
        scores[i] = _running_sums(mean / (spread + np.median(spread)), sets)
    observed, null = scores[0], scores[1:]
    same = np.sign(null) == np.sign(observed)
    larger = same & (np.abs(null) >= np.abs(observed) - 1e-12)
    return (larger.sum(axis=0) + 1) / (same.sum(axis=0) + 1)


def _running_sums(statistic: np.ndarray, sets: Membership) -> np.ndarray:
    """GSEA's weighted running sum at its extreme, for each set."""
    genes = len(statistic)
    place = np.empty(genes, dtype=int)
    place[np.argsort(-statistic, kind="stable")] = np.arange(genes)
    sizes = np.diff(sets.members.indptr)
    result = np.empty(len(sizes))
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        members = np.array([sets.positions(row) for row in rows])
        members = np.take_along_axis(members, np.argsort(place[members], axis=1), axis=1)
        weight = np.abs(statistic[members])
        weight /= weight.sum(axis=1, keepdims=True)
        misses = (place[members] - np.arange(size)) / (genes - size)
        after = np.cumsum(weight, axis=1)
        high, low = (after - misses).max(axis=1), (after - weight - misses).min(axis=1)
        result[rows] = np.where(high > -low, high, low)
    return result


def camera_fixed(effects: Effects, sets: Membership, correlation: float = 0.01) -> np.ndarray:
    """P values of camera with limma's default, one correlation for all sets."""
    score = normal_scores(effects).contrast
    genes, m = len(score), sets.table["tested"].to_numpy(dtype=float)
    rest = genes - m
    own = np.asarray(sets.members @ score) / m
    delta = (own - score.mean()) * genes / rest
    total = (genes - 1) * score.var(ddof=1)
    pooled = (total - delta**2 * m * rest / genes) / (genes - 2)
    inflation = 1 + (m - 1) * correlation
    t = delta / np.sqrt(pooled * (inflation / m + 1 / rest))
    return 2 * stats.t.sf(np.abs(t), genes - 2)
