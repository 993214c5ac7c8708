"""Which donor's own change is an outlier among the others'.

Nothing in a model with donors blocked guards against an outlier: each pair has its own intercept,
so Cook's distance sees no replicates. The rule is a deleted studentised residual of the donors'
own changes, its variance moderated towards the dispersion trend, Bonferroni over donors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma

from fibroserum.distributions import t_sf

# chance that a row without an outlier names one
FALSE_ALARM = 0.05
MIN_DONORS = 4
LN2 = float(np.log(2))


@dataclass(frozen=True)
class OwnValues:
    """Values that can be outliers: changes of pairs, or levels before in a baseline contrast.

    donors, groups: (units,) labels. values, variances: units × genes, log2, and their expected
    variance from the dispersion trend and the counts. design: units × columns.
    """

    donors: np.ndarray
    groups: np.ndarray
    values: np.ndarray
    variances: np.ndarray
    design: np.ndarray


def log_count_variance(counts: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    """Return the expected variance of log2 counts (samples × genes) by the delta method.

    A count y has variance y + dispersion × y² about its mean; y + 0.5 is taken for the mean, so
    that a zero has a wide variance and is not an outlier for that reason.
    """
    return (1.0 / (counts + 0.5) + dispersions) / LN2**2


def prior_df(prior_variance: float) -> float:
    """Return the degrees of freedom whose log chi-square has the given variance.

    prior_variance: of log dispersions around their trend. Solves trigamma(df / 2) = it by Newton,
    as limma does (Smyth 2004, SAGMB 3:3, appendix).
    """
    half = 0.5 + 1.0 / prior_variance
    for _ in range(50):
        value = polygamma(1, half)
        step = value * (1 - value / prior_variance) / polygamma(2, half)
        half += step
        if -step / half < 1e-10:
            break
    return float(2 * half)


def deleted_residual_pvalues(own: OwnValues, df_prior: float) -> np.ndarray:
    """Return for each unit and gene the two-sided p value that it belongs to the others.

    Weighted least squares with the expected variances as inverse weights; the residual of a unit
    against the fit without it, over a variance estimated without it and moderated: (df_prior +
    RSS) / (df_prior + df), since RSS is in units of the expected variance. NaN where the unit
    decides its own fitted value, or nothing is left to estimate the variance from.
    """
    units, genes = own.values.shape
    pvalues = np.full((units, genes), np.nan)
    df = units - np.linalg.matrix_rank(own.design) - 1
    if df < 1:
        return pvalues
    for gene in range(genes):
        root = 1.0 / np.sqrt(own.variances[:, gene])
        basis, _ = np.linalg.qr(own.design * root[:, None])
        scaled = own.values[:, gene] * root
        residual = scaled - basis @ (basis.T @ scaled)
        leverage = (basis**2).sum(axis=1)
        free = leverage < 1 - 1e-8
        share = residual[free] ** 2 / (1 - leverage[free])
        rss = np.maximum((residual**2).sum() - share, 0.0)
        statistic = np.sqrt(share / ((df_prior + rss) / (df_prior + df)))
        pvalues[free, gene] = 2 * t_sf(statistic, df_prior + df)
    return pvalues


def outlying_donors(
    own: OwnValues, groups: list[str], df_prior: float, false_alarm: float = FALSE_ALARM
) -> list[str | None]:
    """Return for each gene the outlying donor among the given groups, or None.

    Groups of fewer than 4 donors are not looked at. Of several the most extreme is named, ties
    broken by value and then by name, so that the order of donors decides nothing.
    """
    sizes = {group: int((own.groups == group).sum()) for group in groups}
    concerned = np.isin(own.groups, [group for group in groups if sizes[group] >= MIN_DONORS])
    found: list[str | None] = [None] * own.values.shape[1]
    if not concerned.any():
        return found
    pvalues = deleted_residual_pvalues(own, df_prior)[concerned]
    donors = own.donors[concerned]
    for gene, column in enumerate(pvalues.T):
        low = column < false_alarm / concerned.sum()
        if low.any():
            found[gene] = min(zip(column[low], map(str, donors[low]), strict=True))[1]
    return found
