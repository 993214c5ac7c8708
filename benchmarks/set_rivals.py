"""Set tests that the calibration study compares with the project's own; none decides anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtri_exp

from fibroserum import deseq
from fibroserum.cohort.designs import Design
from fibroserum.deseq.stages import Problem, leverage
from fibroserum.enrichment.camera import normal_scores
from fibroserum.enrichment.membership import Membership
from fibroserum.inference.structure import find_blocks
from fibroserum.linear import Effects, LinearFit, kept_shares, voom_fit
from fibroserum.linear.effects import contrast_as_last

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


def thinned_once(
    counts: pd.DataFrame, design: Design, factors: np.ndarray, seed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Voom's values and weights of counts thinned binomially to their block's shallowest sample."""
    share = kept_shares(counts.to_numpy().sum(axis=1) * factors, design.codes)
    thinned = np.random.default_rng(seed).binomial(counts.to_numpy(), share[:, None])
    fit = voom_fit(
        pd.DataFrame(thinned, counts.index, counts.columns), design, norm_factors=factors
    )
    return fit.E, fit.weights


def negative_binomial_z(
    counts: pd.DataFrame, design: Design, factors: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Z scores (n, G) of counts under the fit without a contrast (over the dense columns).

    Those of edgeR's `zscoreNBinom` (mid-p) in `fry.DGEList`, with this project's fit.
    """
    size = counts.to_numpy().sum(axis=1) * factors
    fitted = deseq.fit(counts, design.matrix, size / np.exp(np.log(size).mean()))
    raw = counts.to_numpy(dtype=float)

    def scores(contrast: np.ndarray) -> np.ndarray:
        dense = contrast_as_last(design.dense_values, contrast)[:, :-1]
        columns = pd.DataFrame(dense, index=design.samples)
        structure = find_blocks(Design(columns, design.blocks).matrix.to_numpy())
        offsets = np.log(fitted.size_factors)[structure.order]
        problem = Problem(raw, structure, offsets, linear_means=False, n_cpus=1)
        mean, _ = leverage(problem, fitted.dispersions)
        r = 1 / fitted.dispersions
        share = r / (r + np.maximum(mean, 1e-17))
        half = stats.nbinom.logpmf(raw, r, share) - np.log(2)
        lower = np.logaddexp(stats.nbinom.logcdf(raw - 1, r, share), half)
        upper = np.logaddexp(stats.nbinom.logsf(raw, r, share), half)
        return np.where((raw == 0) | (raw < mean), ndtri_exp(lower), -ndtri_exp(upper))

    return scores
