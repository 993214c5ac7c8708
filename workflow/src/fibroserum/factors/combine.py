"""Combining the evidence on a factor's genes: Stouffer, partial conjunction, replicability, calls.

Stouffer et al. (1949) The American Soldier, vol. 1; Benjamini & Heller (2008) Biometrics 64:1215
for the partial conjunction; Bogomolov & Heller (2018) Biometrika 105:505 for replicability;
Benjamini & Hochberg (1995) J R Stat Soc B 57:289.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.distributions import chi2_isf, chi2_ppf, normal_cdf, normal_isf, normal_sf, t_sf
from fibroserum.multiple_testing import benjamini_hochberg

# Beyond this a normal tail is below the smallest number a float can hold.
LARGEST_Z = 37.0
# a source's own two-sided p value below which it contradicts a call of the other sign
OPPOSED = 0.05
# The share of alpha for genes that the selecting source found by mistake. It is the smaller one:
# the selection is adjusted already, and a strict threshold falls on the tested source.
SELECTING = 0.2


@dataclass(frozen=True)
class Evidence:
    """One source of evidence on a factor's genes.

    name: stimulation or serum. z: by gene id, the signed normal score of its p value, NaN where it
    was not tested. df_prior, df_residual: of the moderated t test behind it.
    """

    name: str
    z: pd.Series
    df_prior: float = np.inf
    df_residual: float = np.inf


def signed_z(estimate: pd.Series, pvalue: pd.Series) -> pd.Series:
    """Return the normal score that has the estimate's sign and the two-sided p value."""
    size = np.minimum(normal_isf(pvalue.to_numpy(float) / 2), LARGEST_Z)
    return pd.Series(np.sign(estimate.to_numpy(float)) * size, index=estimate.index)


def nearer_to_zero(first: pd.Series, second: pd.Series) -> pd.Series:
    """Return the smaller of two normal scores where their signs agree, 0 where they do not.

    That is the score of the larger one-sided p value on either side.
    """
    agree = np.sign(first) == np.sign(second)
    smaller = np.sign(first) * np.minimum(first.abs(), second.abs())
    return smaller.where(agree, 0.0).where(first.notna() & second.notna())


def two_sided(z: np.ndarray) -> np.ndarray:
    """Return two-sided p values of normal scores."""
    return np.minimum(1.0, 2 * normal_sf(np.abs(z)))


def stouffer(z: np.ndarray) -> np.ndarray:
    """Return the combined score of sources (genes × sources) with equal, fixed weights."""
    return np.asarray(z.sum(axis=1) / np.sqrt(z.shape[1]))


def _square_given_variance(df_prior: float, df_residual: float) -> np.ndarray:
    """Return E[z² | the gene's variance] of a null gene, at Gauss-Legendre nodes of its quantile.

    z: normal score of a moderated t. The gene's variance is scaled inverse chi-square around the
    prior (Smyth 2004 SAGMB 3:3), its estimate chi-square around it.
    """
    nodes, _ = _legendre(100)
    variance = df_prior / chi2_isf(nodes, df_prior)
    inner, weights = _legendre(40)
    estimate = variance[:, None] * chi2_ppf(inner, df_residual) / df_residual
    posterior = (df_prior + df_residual * estimate) / (df_prior + df_residual)
    normal, mass = np.polynomial.hermite_e.hermegauss(40)
    half = normal > 0
    t = normal[half] * np.sqrt(variance[:, None] / posterior)[:, :, None]
    z = normal_isf(t_sf(t, df_prior + df_residual))
    return np.asarray((z**2 @ (mass[half] / mass[half].sum())) @ weights)


def _legendre(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(number)
    return (nodes + 1) / 2, weights / 2


def shared_variance_df(first: Evidence, second: Evidence) -> float:
    """Return the degrees of freedom of the t distribution that the combined score follows.

    A moderated t test keeps its level over genes, not within a gene: one that varies more than its
    estimate says has too large a |z| in every source. In two experiments on the same cells that
    gene is the same, so |z| goes together and the combined score has heavier tails than the
    normal. With
    c = Cov(z1², z2²) of a null gene whose variance holds the same rank in both sources, its excess
    kurtosis is 1.5 c, which is that of a t distribution with 4 + 4/c degrees of freedom.
    """
    if not np.isfinite([first.df_prior, second.df_prior]).all():
        return np.inf
    _, weights = _legendre(100)
    squares = [
        _square_given_variance(source.df_prior, source.df_residual) for source in (first, second)
    ]
    centred = [square - square @ weights for square in squares]
    c = float((centred[0] * centred[1]) @ weights)
    return 4 + 4 / c if c > 0 else np.inf


def combined_pvalue(sources: list[Evidence], combined: np.ndarray) -> np.ndarray:
    """Return two-sided p values of combined scores.

    One source: normal. Two: a t distribution of variance 1, see `shared_variance_df`.
    """
    df = shared_variance_df(sources[0], sources[1]) if len(sources) == 2 else np.inf
    if not np.isfinite(df):
        return two_sided(combined)
    return np.asarray(2 * t_sf(np.abs(combined) * np.sqrt(df / (df - 2)), df))


def partial_conjunction(z: np.ndarray) -> np.ndarray:
    """Return the p value that every source (genes × sources) shows the gene, with one sign.

    Twice the smaller of (largest one-sided p for up, largest one-sided p for down), at most 1.
    """
    up, down = normal_sf(z).max(axis=1), normal_cdf(z).max(axis=1)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(up, down)))


def replicability(z: np.ndarray, alpha: float) -> np.ndarray:
    """Return adjusted p values of the claim that both sources show a gene, with one sign.

    z: normal scores, genes × 2. Each source selects and the other is tested among the selected
    genes (`_one_way`), at alpha / 2 either way; a gene is claimed where either way claims it. The
    false discovery rate of the two together is at most the sum of both. 1 where neither way
    selects a gene.
    """
    p = normal_sf(np.abs(z))
    agree = np.sign(z[:, 0]) == np.sign(z[:, 1])
    ways = [_one_way(p[:, own], p[:, 1 - own], agree, alpha / 2) for own in (0, 1)]
    return np.asarray(np.minimum(1.0, 2 * np.minimum(*ways)))


def _one_way(
    selecting: np.ndarray, tested: np.ndarray, agree: np.ndarray, alpha: float
) -> np.ndarray:
    """Return adjusted p values of claims on the genes that one source selects.

    selecting, tested: one-sided p values in the direction of each source's own estimate; agree:
    whether the directions are one. The procedure of Bogomolov & Heller (2018): the first source
    selects R1 genes at a false discovery rate of 2 alpha, the other R2 with a p value that can be
    claimed at all. With R claims, p1 <= SELECTING x alpha R / R2 and p2 <= (1 - SELECTING) x
    alpha R / R1.
    """
    first = benjamini_hochberg(2 * selecting) < 2 * alpha
    second = tested <= (1 - SELECTING) * alpha
    both = first & second & agree
    score = np.maximum(
        selecting[both] * second.sum() / SELECTING, tested[both] * first.sum() / (1 - SELECTING)
    )
    out = np.ones(len(agree))
    # step-up over the genes that both select: the k-th smallest score over k
    out[both] = benjamini_hochberg(score / max(len(score), 1))
    return out


def _against(z: np.ndarray, combined: np.ndarray, sources: list[Evidence]) -> list[str | None]:
    """Return for each gene (genes × sources) the source that points the other way, or None.

    Scores that cancel in part may still combine to a call; a source at p < 0.05 against it is
    named.
    """
    said: list[str | None] = [None] * len(z)
    other = (np.sign(z) == -np.sign(combined)[:, None]) & (two_sided(z) < OPPOSED)
    for gene, source in np.argwhere(other):
        p = two_sided(z[gene, source])
        said[gene] = f"the {sources[source].name} evidence has the opposite sign (p = {p:.2g})"
    return said


def combine(sources: list[Evidence], genes: pd.Index, alpha: float) -> pd.DataFrame:
    """Return the verdict on each gene.

    genes: gene ids, one row each. Columns: direction, evidence, responsive_pvalue,
    responsive_padj, confirmed_pvalue, confirmed_padj, call, reason. Adjustment runs over the genes
    that all sources tested: BH for responsive, `replicability` for confirmed. A gene that one of
    two sources did not test is not assessable, and `reason` says so; so it does of a called gene
    whose other source points the other way.
    """
    out = pd.DataFrame(index=genes)
    tested = pd.DataFrame(
        {source.name: source.z.reindex(genes).notna() for source in sources}, index=genes
    )
    names = np.array([source.name for source in sources], dtype=object)
    seen = tested.to_numpy(bool)
    out["direction"], out["evidence"], out["reason"] = None, None, None
    for name in ("responsive", "confirmed"):
        out[f"{name}_pvalue"] = np.nan
        out[f"{name}_padj"] = np.nan
    out["call"] = "not_assessable"
    if not sources:
        out["reason"] = "the cohort has no evidence on this factor"
        return out
    said = {tuple(row): " and ".join(names[row]) or None for row in np.unique(seen, axis=0)}
    missing = {row: " and ".join(names[~np.array(row)]) for row in said}
    out["evidence"] = [said[tuple(row)] for row in seen]
    out["reason"] = [
        f"not tested: {missing[tuple(row)]}" if not row.all() else None for row in seen
    ]
    full = seen.all(axis=1)
    z = np.column_stack([source.z.reindex(genes).to_numpy(float) for source in sources])[full]
    combined = stouffer(z)
    out.loc[full, "responsive_pvalue"] = combined_pvalue(sources, combined)
    directions = {1.0: "induced", -1.0: "suppressed", 0.0: None}
    out.loc[full, "direction"] = [directions[sign] for sign in np.sign(combined)]
    if len(sources) > 1:
        out.loc[full, "confirmed_pvalue"] = partial_conjunction(z)
        out.loc[full, "confirmed_padj"] = replicability(z, alpha)
    out["responsive_padj"] = benjamini_hochberg(out["responsive_pvalue"].to_numpy(float))
    responsive = out["responsive_padj"] < alpha
    words = np.where(responsive, "responsive", "not_responsive")
    words = np.where(responsive & (out["confirmed_padj"] < alpha), "confirmed", words)
    out["call"] = np.where(full, words, "not_assessable")
    if len(sources) > 1:
        against = pd.Series(_against(z, combined, sources), index=genes[full])
        called = responsive & full & out["reason"].isna()
        out["reason"] = against.reindex(genes).where(called, out["reason"])
    return out
