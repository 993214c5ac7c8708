"""F tests of several contrasts at once, with a variance for each group.

Between groups of different donors: the Wald statistic on the groups' own moderated variances, its
reference distribution that of Johansen (1980, Biometrika 67:85), which with two groups is Welch's t
test and with more Welch's analysis of variance (1951, Biometrika 38:330). Within donors, whose
several values correlate: Hotelling's T² of one vector for each donor, its covariance moderated
across genes (Tai & Speed 2006, Ann Stat 34:2387).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from fibroserum.cohort.donor_values import DonorVectors
from fibroserum.linear.donor_level import ContrastFit, Expression
from fibroserum.linear.group_variance import GroupVariance, variance_parts
from fibroserum.linear.moderation import variance_prior
from fibroserum.linear.voom import estimates


def contrasts_f(
    own: ContrastFit,
    vectors: Sequence[np.ndarray],
    spread: GroupVariance,
    *,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Test by gene that several contrasts of one linear model are all 0.

    vectors: over the design's columns, linearly independent. spread: of the fit; with one group the
    test is limma's moderated F. Returns F, df, df2, pvalue. As in `group_wise_t` df2 is at most
    that of the variance of all donors.
    """
    count = len(vectors)
    estimate = np.column_stack([estimates(own.fit, vector)[0] for vector in vectors])
    parts = _parts(own, vectors, spread, n_cpus) * spread.variances[:, :, None, None]
    covariance = parts.sum(axis=1)
    wald = np.einsum("gi,gi->g", estimate, _solve(covariance, estimate))
    if len(spread.groups) < 2:
        return _table(own.fit.genes, wald / count, count, np.full(len(wald), spread.df[0]))
    scale, df2 = _johansen(parts, spread.df)
    return _table(own.fit.genes, wald / scale, count, np.minimum(df2, spread.df_pooled))


def _johansen(parts: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a Wald statistic is divided by to be an F, and its second degrees of freedom.

    parts: (G, groups, q, q), of the covariance that each group has; df: (groups,). Both (G,).
    """
    count = parts.shape[-1]
    # what each group has of the covariance: the identity over all of them
    shares = np.linalg.solve(parts.sum(axis=1)[:, None], parts)
    traces = np.trace(shares, axis1=2, axis2=3)
    squares = np.einsum("gkij,gkji->gk", shares, shares)
    lost = ((squares + traces**2) / df).sum(axis=1) / 2
    scale = count + 2 * lost - 6 * lost / (count + 2)
    df2 = np.full(len(parts), np.inf)
    np.divide(count * (count + 2), 3 * lost, out=df2, where=lost > 0)
    return scale, df2


def _parts(
    own: ContrastFit, vectors: Sequence[np.ndarray], spread: GroupVariance, n_cpus: int
) -> np.ndarray:
    """Return what a unit variance of each group adds to the covariance (G, groups, q, q)."""

    def part(vector: np.ndarray) -> np.ndarray:
        return variance_parts(own.fit, vector, spread, n_cpus=n_cpus)

    count = len(vectors)
    found = np.empty((len(own.fit.genes), len(spread.groups), count, count))
    for i in range(count):
        found[:, :, i, i] = part(vectors[i])
        for j in range(i):
            both = part(vectors[i] + vectors[j]) - found[:, :, i, i] - found[:, :, j, j]
            found[:, :, i, j] = found[:, :, j, i] = both / 2
    return found


@dataclass(frozen=True)
class _Covariances:
    """Moderated covariances of the groups' vectors: matrices (G, groups, d, d), df (groups,)."""

    matrices: np.ndarray
    df: np.ndarray


def vectors_f(
    expression: Expression,
    vectors: DonorVectors,
    *,
    trended: bool = True,
    moderated: bool = True,
) -> pd.DataFrame:
    """Test by gene that the mean vector of every group is 0.

    Returns F, df, df2, pvalue. moderated: False leaves each gene its own covariances. The T² of
    groups of different donors are added, and their sum is held against Johansen's reference, as in
    `contrasts_f`; of one group it is Hotelling's T², which is exact.
    """
    values = np.stack([matrix @ expression.log2 for matrix in vectors.matrices], axis=2)
    weights = _weights(expression, vectors)
    design = vectors.design.to_numpy(float)
    groups = vectors.groups.to_numpy(str)
    names = sorted(set(groups))
    # (G or 1, p, u): what each donor adds to the coefficients
    weighted = design.T[None] * weights.T[:, None, :]
    influence = np.linalg.solve(weighted @ design[None], weighted)
    by_gene = values.transpose(1, 0, 2)
    coefficients = influence @ by_gene
    residual = (by_gene - design[None] @ coefficients) * np.sqrt(weights.T)[:, :, None]
    plain = 1 - np.einsum("up,pu->u", design, np.linalg.pinv(design))
    covariate = expression.log2.mean(axis=0) if trended else None
    covariances = _covariances(residual, plain, groups, names, covariate, moderated=moderated)
    q, d = len(names), by_gene.shape[2]
    # of the coefficients of the groups' columns, the first of the design
    size = q * d
    parts = np.empty((len(by_gene), q, size, size))
    for place, name in enumerate(names):
        rows = groups == name
        own = influence[:, :q, rows]
        scale = (own / weights.T[:, None, rows]) @ own.transpose(0, 2, 1)
        part = np.einsum("gkl,gij->gkilj", scale, covariances.matrices[:, place])
        parts[:, place] = part.reshape(-1, size, size)
    estimate = coefficients[:, :q].reshape(-1, size)
    wald = np.einsum("gi,gi->g", estimate, _solve(parts.sum(axis=1), estimate))
    if q > 1:
        scale, df2 = _johansen(parts, covariances.df)
        return _table(expression.genes, wald / scale, size, df2)
    df = covariances.df[0]
    df2 = df - d + 1
    scale = size * (df / df2 if np.isfinite(df) else 1.0)
    return _table(expression.genes, wald / scale, size, np.full(len(wald), df2))


def _weights(expression: Expression, vectors: DonorVectors) -> np.ndarray:
    """Return the weight of each donor's vector, (u, G) or (u, 1): the mean over its values."""
    variances = expression.variances
    if variances is None:
        return np.ones((len(vectors.groups), 1))
    squares = [matrix.power(2) for matrix in vectors.matrices]
    ratios = [np.asarray(s.sum(axis=1)) / np.asarray(s @ variances) for s in squares]
    return np.asarray(np.mean(ratios, axis=0))


def _covariances(
    residual: np.ndarray,
    free: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    covariate: np.ndarray | None,
    *,
    moderated: bool,
) -> _Covariances:
    """Return the groups' covariances, moderated.

    residual: (G, u, d), over the root of the weights; free: (u,), 1 less the leverage; covariate:
    as `variance_prior` takes it. The prior has the correlations that all genes have together, and a
    variance for each component of the vectors that these make independent.
    """
    found, dfs = [], []
    d = residual.shape[2]
    for name in names:
        own = residual[:, groups == name]
        df = float(free[groups == name].sum().round(9))
        covariance = own.transpose(0, 2, 1) @ own / df
        if not moderated:
            found.append(covariance)
            dfs.append(df)
            continue
        size = np.trace(covariance, axis1=1, axis2=2)
        seen = size > 0
        typical = (covariance[seen] / size[seen, None, None]).mean(axis=0) * d
        root = np.linalg.cholesky(typical)
        whitened = np.linalg.solve(root, np.linalg.solve(root, covariance).transpose(0, 2, 1))
        priors = [variance_prior(whitened[:, i, i], df, covariate) for i in range(d)]
        least = min(priors, key=lambda prior: prior.df).df
        level = np.zeros_like(whitened)
        for i, prior in enumerate(priors):
            level[:, i, i] = prior.variance
        share = least / (least + df) if np.isfinite(least) else 1.0
        found.append(root @ (share * level + (1 - share) * whitened) @ root.T)
        dfs.append(min(df + least, priors[0].most))
    return _Covariances(np.stack(found, axis=1), np.array(dfs))


def _solve(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    solved: np.ndarray = np.linalg.solve(matrices, vectors[..., None])[..., 0]
    return solved


def _table(genes: pd.Index, statistic: np.ndarray, df: int, df2: np.ndarray) -> pd.DataFrame:
    # beyond 1e10 degrees of freedom the p value is that of infinitely many
    pvalue = fdtrc(df, np.minimum(df2, 1e10), statistic)
    return pd.DataFrame({"F": statistic, "df": df, "df2": df2, "pvalue": pvalue}, index=genes)
