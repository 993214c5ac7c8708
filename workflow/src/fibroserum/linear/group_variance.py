"""Tests in which every group has a residual variance of its own.

A model with one variance a gene takes the groups' donors for equally unlike. Where those of one
group respond each in their own way, the variance of that group's change is understated by as much
as the others' overstate it. Here each group's variance comes from its own residuals, is moderated
across genes by itself (Smyth 2004, SAGMB 3:3), and a contrast's variance is the sum of the groups'
parts, on Satterthwaite's degrees of freedom (1946, Biometrics Bull 2:110), as in Welch's test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import digamma

from fibroserum.cohort.designs import centred_within
from fibroserum.linear import kernels
from fibroserum.linear.moderation import VariancePrior, variance_prior
from fibroserum.linear.voom import LinearFit, estimates, t_table

# A ratio (`spread_ratio`) beyond which groups do not spread alike: a nominal 95 % interval of a
# model that pools them covers less than 93 %. In simulated cohorts whose donors do spread alike,
# ratios are within 0.05 of 1 from four donors an arm on (docs/calibration.md).
UNEQUAL = 1.15

# A group with less is judged by the variance of all: a pair alone has no spread.
FEWEST_DF = 1.0 - 1e-8


@dataclass(frozen=True)
class GroupVariance:
    """Moderated residual variances of G genes, one a group.

    groups: names, sorted. of_sample: (n,) the group of each sample, as a position. variances:
    (G, groups). df: (groups,) total degrees of freedom; df_pooled: of the variance of all. priors:
    of each group's variance, and at last of the variance of all. typical: (groups,) the geometric
    mean of the genes' variances, before moderation; typical_pooled: the same of all samples
    together. pooled: groups without a residual degree of freedom, which have the variance of all.
    """

    groups: tuple[str, ...]
    of_sample: np.ndarray
    variances: np.ndarray
    df: np.ndarray
    df_pooled: float
    priors: tuple[VariancePrior, ...]
    typical: np.ndarray
    typical_pooled: float
    pooled: tuple[str, ...]

    def of(self, genes: np.ndarray) -> GroupVariance:
        """Return the variances of some genes, by position."""
        priors = tuple(prior.of(genes) for prior in self.priors)
        return replace(self, variances=self.variances[genes], priors=priors)

    def prior_of(self, group: str) -> VariancePrior:
        """Return the prior of a group's variance, or of all samples' for another name."""
        return self.priors[self.groups.index(group) if group in self.groups else -1]


def group_variances(
    fit: LinearFit,
    groups: pd.Series | None,
    *,
    moderated: bool = True,
    priors: GroupVariance | None = None,
    n_cpus: int = 1,
) -> GroupVariance:
    """Return the residual variances of each group of samples in a linear fit.

    groups: by sample; None: all are one. moderated: False leaves each gene its own variance.
    priors: of the same genes in other samples, in place of priors estimated here. A group's
    residuals are taken about the means of its samples within each donor, so that in a crossover a
    donor's other groups have no part in them. Its degrees of freedom are the trace of the map from
    data to those residuals, without weights: one number for all genes.
    """
    if groups is None or groups.nunique() < 2:
        names = ("",) if groups is None or groups.empty else (str(groups.iloc[0]),)
        of_sample = np.zeros(len(fit.samples), dtype=np.int64)
    else:
        of_sample, found_names = pd.factorize(groups.loc[fit.samples].astype(str), sort=True)
        names, of_sample = tuple(found_names), of_sample.astype(np.int64)
    cells = _cells(fit.design.codes, of_sample, len(names))
    rss = _residual_squares(fit, cells, of_sample, len(names), n_cpus)
    df = _degrees_of_freedom(fit, cells, of_sample, len(names))

    def prior_of(group: str, variance: np.ndarray, own: float) -> VariancePrior:
        if not moderated:
            return VariancePrior(variance, 0.0, own)
        if priors is not None:
            return priors.prior_of(group)
        return variance_prior(variance, own, fit.covariate)

    whole = fit.sigma**2
    everything = prior_of("", whole, fit.df_residual)
    found = []
    for group, name in enumerate(names):
        if df[group] >= FEWEST_DF and len(names) > 1:
            variance, own = rss[:, group] / df[group], float(df[group])
            prior = prior_of(name, variance, own)
        else:
            variance, own, prior = whole, float(fit.df_residual), everything
        found.append((prior, prior.posterior(variance, own), prior.total_df(own), variance, own))
    return GroupVariance(
        groups=names,
        of_sample=of_sample,
        variances=np.column_stack([posterior for _, posterior, *_ in found]),
        df=np.array([total for _, _, total, *_ in found]),
        df_pooled=everything.total_df(fit.df_residual),
        priors=(*(prior for prior, *_ in found), everything),
        typical=np.array([_typical(variance, own) for *_, variance, own in found]),
        typical_pooled=_typical(whole, fit.df_residual),
        pooled=tuple(name for name, own in zip(names, df, strict=True) if own < FEWEST_DF),
    )


def _typical(variance: np.ndarray, df: float) -> float:
    """Return a typical one of variances (G,).

    The mean logarithm of a variance on few degrees of freedom is too small by a known amount
    (Smyth 2004, section 6.2), which is corrected.
    """
    # as limma does: a variance of almost nothing is no information on the others
    floor = np.maximum(variance, max(1e-5 * np.median(variance), np.finfo(float).tiny))
    return float(np.exp(np.log(floor).mean() + np.log(df / 2) - digamma(df / 2)))


def _cells(donors: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return the cell (donor × group) of each sample, numbered from 0; -1 without a donor."""
    cells = np.full(len(donors), -1, dtype=np.int64)
    inside = donors >= 0
    cells[inside] = np.unique(donors[inside] * count + groups[inside], return_inverse=True)[1]
    return cells


def _residual_squares(
    fit: LinearFit, cells: np.ndarray, of_sample: np.ndarray, groups: int, n_cpus: int
) -> np.ndarray:
    """Return the weighted residual sums of squares within cells (G, groups)."""
    dense = np.ascontiguousarray(fit.design.dense_values)
    return kernels.grouped_squares(
        fit.E.T,
        fit.weights.T,
        dense,
        np.ascontiguousarray(fit.dense_coefficients),
        cells,
        int(cells.max(initial=-1)) + 1,
        of_sample,
        groups,
        n_cpus,
    )


def _degrees_of_freedom(
    fit: LinearFit, cells: np.ndarray, of_sample: np.ndarray, groups: int
) -> np.ndarray:
    """Return the residual degrees of freedom within each group's cells (groups,)."""
    centred = fit.design.centred(fit.design.dense_values)
    inverse = np.linalg.inv(centred.T @ centred)
    found = np.empty(groups)
    for group in range(groups):
        rows = of_sample == group
        within = centred_within(centred[rows], cells[rows])
        own_cells = np.unique(cells[rows][cells[rows] >= 0])
        found[group] = rows.sum() - len(own_cells) - np.trace(inverse @ within.T @ within)
    # the order of samples must not decide a last bit
    return found.round(9)


def variance_parts(
    fit: LinearFit, contrast: np.ndarray, spread: GroupVariance, *, n_cpus: int = 1
) -> np.ndarray:
    """Return by gene and group what a unit variance of the group adds to a contrast's (G, groups).

    contrast: over the design's columns. The sum over the group's samples of their squared
    influence on the estimate over their weights; over all groups, the pooled fit's own.
    """
    vector = fit.design.dense_contrast(contrast)
    dense = np.ascontiguousarray(fit.design.dense_values)
    # the squares of the influence of each sample
    return kernels.grouped_squares(
        np.broadcast_to(0.0, fit.weights.T.shape),
        fit.weights.T,
        dense,
        np.ascontiguousarray(-(fit.covariance @ vector)),
        fit.design.codes,
        len(fit.design.labels),
        spread.of_sample,
        len(spread.groups),
        n_cpus,
    )


def group_wise_t(
    fit: LinearFit, contrast: np.ndarray, spread: GroupVariance, *, n_cpus: int = 1
) -> pd.DataFrame:
    """Return the moderated t of a contrast with a variance for each group.

    Columns as `moderated_t` returns them, `df_total` by gene. With one group they are its own.
    A gene that varies more than its prior says does so in every group: the prior counts once, and
    the degrees of freedom are at most those of the pooled variance.
    """
    estimate, _ = estimates(fit, contrast)
    variance, df = contrast_variance(fit, contrast, spread, n_cpus=n_cpus)
    return t_table(fit, estimate, np.sqrt(variance), df)


def contrast_variance(
    fit: LinearFit, contrast: np.ndarray, spread: GroupVariance, *, n_cpus: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of a contrast's estimate and its degrees of freedom, by gene (G,)."""
    parts = variance_parts(fit, contrast, spread, n_cpus=n_cpus) * spread.variances
    return satterthwaite(parts, spread.df, spread.df_pooled)


def satterthwaite(
    parts: np.ndarray, part_df: np.ndarray, pooled: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of independent parts (G, groups) of a variance and its degrees of freedom.

    part_df: of the parts, (groups,) or (G, groups). pooled: of the variance of all together, one
    number or (G,), which several parts have at most.
    """
    variance = parts.sum(axis=1)
    df = np.broadcast_to(np.asarray(pooled, float), variance.shape).copy()
    np.divide(variance**2, (parts**2 / part_df).sum(axis=1), out=df, where=variance > 0)
    several = (parts > 1e-12 * variance[:, None]).sum(axis=1) > 1
    return variance, np.where(several, np.minimum(df, pooled), df)


def spread_ratio(
    fit: LinearFit, contrast: np.ndarray, spread: GroupVariance, *, n_cpus: int = 1
) -> float:
    """Return how much larger a contrast's typical variance is than a pooled one says.

    1 where the groups' typical residual variances are equal. Above 1, intervals of a model that
    pools them are too narrow by its square root; below 1, too wide.
    """
    own, pooled = typical_variances(fit, contrast, spread, n_cpus=n_cpus)
    return own / pooled


def typical_variances(
    fit: LinearFit, contrast: np.ndarray, spread: GroupVariance, *, n_cpus: int = 1
) -> tuple[float, float]:
    """Return a contrast's typical variance with a variance for each group, and with one for all."""
    parts = np.median(variance_parts(fit, contrast, spread, n_cpus=n_cpus), axis=0)
    return float((parts * spread.typical).sum()), float(parts.sum() * spread.typical_pooled)


def unequal(ratios: Iterable[float]) -> bool:
    """Return whether the spread ratios of a model's contrasts ask for a variance a group."""
    return max(ratios, default=1.0) > UNEQUAL
