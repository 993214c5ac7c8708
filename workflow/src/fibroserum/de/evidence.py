"""What the other groups' donors show of each gene: the covariate of its weight in a contrast.

Donors of two groups are different people. Where a gene does not change in one group, its estimate
there is independent of its change in the other, which says whether the gene tends to respond. For
a difference it is the precision-weighted mean of the changes (Dai, Kooperberg, LeBlanc & Prentice
2012, Biometrika 99:929).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import null_space

from fibroserum.cohort.models import Model
from fibroserum.linear import ContrastFit, GroupVariance, estimates, variance_parts


def other_evidence(
    fits: Mapping[str, ContrastFit],
    model: Model,
    spread: Mapping[str, GroupVariance],
    *,
    n_cpus: int = 1,
) -> dict[str, np.ndarray]:
    """Return by contrast what is independent of it in the groups' changes, standardised (G,).

    For a change, the other groups' changes, positive where they agree with it in sign; for a
    difference, the size of the groups' mean change, each weighted by its precision; for an average,
    the size of the difference. Independent is the part of the changes that is uncorrelated with the
    contrast. Precisions, and the error that it is divided by, are those that are typical at the
    gene's mean expression: the gene's own would make it large wherever the contrast's own statistic
    is. Empty where donors are in several groups or in blocks, and in models of levels.
    """
    groups = sorted(set(model.groups)) if model.groups is not None else []
    alone = {
        group: name
        for name, weights in model.weights.items()
        for group in groups
        if {g: w for g, w in weights.items() if w} == {group: 1.0}
    }
    if model.name != "paired" or len(alone) < 2 or not set(alone.values()) <= set(fits):
        return {}
    if model.units is None or not (model.units == model.design.blocks).all():
        # donors in several groups, or blocks of donors
        return {}
    own = fits[next(iter(alone.values()))]
    vectors = [fits[alone[group]].vector for group in groups]
    changes = np.column_stack([estimates(own.fit, vector)[0] for vector in vectors])
    typical = _typical_covariance(own, vectors, spread[alone[groups[0]]], n_cpus)
    found = {}
    for name in fits:
        weights = np.array([model.weights[name].get(group, 0.0) for group in groups])
        found[name] = _independent(changes, typical, weights)
    return found


def _typical_covariance(
    own: ContrastFit, vectors: list[np.ndarray], spread: GroupVariance, n_cpus: int
) -> np.ndarray:
    """Return the covariance of the groups' changes (G, m, m) with the variances of the prior."""
    prior = np.column_stack([spread.prior_of(group).variance for group in spread.groups])
    count = len(vectors)
    found = np.empty((len(own.fit.genes), count, count))

    def variance(vector: np.ndarray) -> np.ndarray:
        total: np.ndarray = variance_parts(own.fit, vector, spread, n_cpus=n_cpus) * prior
        return total.sum(axis=1)

    for i in range(count):
        found[:, i, i] = variance(vectors[i])
        for j in range(i):
            both = variance(vectors[i] + vectors[j])
            found[:, i, j] = found[:, j, i] = (both - found[:, i, i] - found[:, j, j]) / 2
    return found


def _independent(changes: np.ndarray, typical: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what changes (G, m) hold beside a contrast (m,), over its error (G,)."""
    others = null_space(weights[None, :])
    estimate = changes @ weights
    along = np.einsum("gij,j->gi", typical, weights)
    side = along @ others
    rest = changes @ others - side * (estimate / (along @ weights))[:, None]
    error = np.einsum("ia,gij,jb->gab", others, typical, others)
    error -= side[:, :, None] * side[:, None, :] / (along @ weights)[:, None, None]
    size = np.sqrt(np.einsum("ga,ga->g", rest, np.linalg.solve(error, rest[..., None])[..., 0]))
    if np.count_nonzero(weights) > 1:
        return size
    return size * np.sign(estimate) * np.sign(rest @ others.sum(axis=0))
