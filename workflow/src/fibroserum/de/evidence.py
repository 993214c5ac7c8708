"""What the other groups' donors show of each gene: the covariate of its weight in a contrast.

Donors of two groups are different people. Where a gene does not change in one group, its estimate
there is independent of its change in the other, which says whether the gene tends to respond. For
a difference it is the precision-weighted mean of the changes (Dai, Kooperberg, LeBlanc & Prentice
2012, Biometrika 99:929).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import null_space

from fibroserum.cohort.models import Model
from fibroserum.linear import ContrastFit, GroupVariance, estimates, variance_parts

#: donors that each group of a difference needs: with fewer, the genes' variances are so uncertain
#: that large evidence and a false small p value go together
FEWEST_DONORS = 8


def other_evidence(
    fits: Mapping[str, ContrastFit],
    model: Model,
    spread: Mapping[str, GroupVariance],
    *,
    n_cpus: int = 1,
) -> dict[str, np.ndarray]:
    """Return by contrast what is independent of it in the groups' changes, standardised (G,).

    For a change, the other groups' changes, positive where they agree with it in sign; for a
    difference, the size of the compared groups' mean change, each weighted by its precision, and of
    any further group's change. Independent is the part that is uncorrelated with the contrast.
    Averages have none, nor contrasts of the config that are more than one change or the difference
    of two, nor differences of groups below `FEWEST_DONORS`. Empty
    where donors are in several groups or in blocks, and in models of levels.
    """
    if model.name != "paired" or model.units is None or model.groups is None:
        return {}
    if not (model.units == model.design.blocks).all():
        # donors in several groups, or blocks of donors
        return {}
    found: dict[str, np.ndarray] = {}
    by_fit: dict[int, list[str]] = {}
    for name, own in fits.items():
        by_fit.setdefault(id(own.fit), []).append(name)
    for names in by_fit.values():
        found |= _of_one_fit({name: fits[name] for name in names}, model, spread, n_cpus)
    return {name: found[name] for name in fits if name in found}


def _of_one_fit(
    fits: Mapping[str, ContrastFit],
    model: Model,
    spread: Mapping[str, GroupVariance],
    n_cpus: int,
) -> dict[str, np.ndarray]:
    """Return the evidence of contrasts that share a fit: those of one time after."""
    own = next(iter(fits.values()))
    if own.groups is None:
        return {}
    donors = own.groups.groupby(own.groups).size()
    groups = sorted(donors.index)
    alone = {
        group: name
        for name in fits
        for group in groups
        if model.scales[name] == {group: 1.0} and len(model.profiles[name][group]) == 2
    }
    if len(alone) < 2 or set(alone) != set(groups):
        return {}
    vectors = [fits[alone[group]].vector for group in groups]
    changes = np.column_stack([estimates(own.fit, vector)[0] for vector in vectors])
    covariances = _covariances(own, vectors, spread[alone[groups[0]]], n_cpus)
    found = {}
    for name in fits:
        weights = np.array([model.scales[name].get(group, 0.0) for group in groups])
        compared = [group for group, weight in zip(groups, weights, strict=True) if weight]
        difference = sorted(weights[weights != 0]) == [-1.0, 1.0]
        enough = donors[compared].min() >= FEWEST_DONORS
        if len(compared) == 1 or (difference and enough):
            found[name] = _independent(changes, covariances, weights)
    return found


def _covariances(
    own: ContrastFit, vectors: list[np.ndarray], spread: GroupVariance, n_cpus: int
) -> list[np.ndarray]:
    """Return two covariances of the groups' changes (G, m, m).

    With each gene's moderated variances, and with those of the prior, which are typical at the
    gene's mean expression.
    """
    typical = np.column_stack([spread.prior_of(group).variance for group in spread.groups])
    count = len(vectors)
    parts = {
        (i, j): variance_parts(own.fit, vectors[i] + vectors[j] * (i != j), spread, n_cpus=n_cpus)
        for i in range(count)
        for j in range(i + 1)
    }
    found = []
    for variances in (spread.variances, typical):
        total = {key: (part * variances).sum(axis=1) for key, part in parts.items()}
        covariance = np.empty((len(total[0, 0]), count, count))
        for (i, j), value in total.items():
            both = value if i == j else (value - total[i, i] - total[j, j]) / 2
            covariance[:, i, j] = covariance[:, j, i] = both
        found.append(covariance)
    return found


def _independent(
    changes: np.ndarray, covariances: Sequence[np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Return what changes (G, m) hold beside a contrast (m,), over its error (G,).

    The smallest of what the covariances say, as projection and as error. The gene's own variance
    makes it large where it is too small, as it does the contrast's statistic; the typical one, in a
    gene that varies more.
    """
    others = null_space(weights[None, :])
    sizes = []
    for projection in covariances:
        along = np.einsum("gij,j->gi", projection, weights)
        share = (along @ others) / (along @ weights)[:, None]
        rest_of = others.T - share[:, :, None] * weights
        rest = np.einsum("gai,gi->ga", rest_of, changes)
        for covariance in covariances:
            error = np.einsum("gai,gij,gbj->gab", rest_of, covariance, rest_of)
            scaled = np.linalg.solve(error, rest[..., None])[..., 0]
            sizes.append(np.sqrt(np.einsum("ga,ga->g", rest, scaled)))
    size: np.ndarray = np.min(sizes, axis=0)
    if np.count_nonzero(weights) > 1:
        return size
    return size * np.sign(changes @ weights) * np.sign(rest @ others.sum(axis=0))
