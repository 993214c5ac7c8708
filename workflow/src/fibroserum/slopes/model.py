"""The slope of expression on one value of each pair: a factor's level, an outcome, a molecule.

`change`: the model of changes within donors gets one more column, each pair's value, centred within
its group, on the after sample. Its coefficient is the change of log2 expression per unit of the
value, among donors of one group. Centring leaves the groups' own mean changes to the groups'
columns: a group's response to its intervention is no evidence here, and the slope says nothing
about the contrasts that it is later compared with. `baseline`: the same column on the samples
before, in a model of groups between donors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.distributions import t_isf, t_sf
from fibroserum.errors import InputError
from fibroserum.intervals import ROUNDING
from fibroserum.linear.robust import WHOLE
from fibroserum.slopes.design import (
    VALUE,
    Question,
    centred,
    keys_of,
    slope_design,
    tmm_or_fixed,
    well_counted,
)
from fibroserum.slopes.influence import (
    ASKED,
    HALF,
    PairVariances,
    hc3_pvalue,
    pair_variances,
    without_each_pair,
)

# A ratio (`PairVariances`) beyond which pairs with leverage vary more: HC3 is asked as well. In
# simulated cohorts whose pairs vary alike, none extreme, it is below 1.03 from 8 donors a group on.
UNLIKE = 1.05
COLUMNS = ["slope", "se", "df", "ci_low", "ci_high", "pvalue"]
BLOCKED = "donors share blocks (design.block), so their values are not independent"


@dataclass(frozen=True)
class SlopeSteps:
    """Which steps the slope's test takes beyond one variance a gene; all but in an ablation.

    group_wise: a residual variance for each group. pair_ratio: the variance times the ratio that
    the pairs' variances show. hc3_beyond: the ratio beyond which the larger of the p value and
    HC3's is taken; infinite: nowhere. deletion: the slope without the pair that makes most of it.
    moderated: variances moderated across genes; False for genes that are named in advance, whose
    variances need not be those of other genes.
    """

    group_wise: bool = True
    pair_ratio: bool = True
    hc3_beyond: float = UNLIKE
    deletion: bool = True
    moderated: bool = True


STEPS = SlopeSteps()
#: for genes that are named in advance: a moderated test keeps its level on average over genes
OWN_VARIANCE = SlopeSteps(moderated=False)


@dataclass(frozen=True)
class SlopeModel:
    """The slope of every gene on a value of each pair (a donor's in a group).

    Attributes
    ----------
    table : pandas.DataFrame
        By gene id: slope (log2 expression per unit of the value), se, df, ci_low, ci_high, pvalue.
        The interval excludes 0 where p < 0.05, and only there. Empty where there is no slope.
    pairs : pandas.DataFrame
        By donor and group: leverage and relative_variance of the pairs that the model used.
    unavailable : str
        Why there is no slope, or nothing.
    fit : LinearFit or None
        limma-voom with the value over `size` as its last column.
    size : float
        What the values were divided by in `fit`: a power of two, so that no digit changes.
    df_prior, df_residual : float
        Of the moderated t test, in a typical gene.
    norm_factors : pandas.Series or None
        By sample, the normalisation factors of `fit`; None where the expression was given.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    unavailable: str = ""
    fit: linear.LinearFit | None = None
    size: float = 1.0
    df_prior: float = np.inf
    df_residual: float = np.inf
    norm_factors: pd.Series | None = None

    @classmethod
    def without(cls, why: str) -> SlopeModel:
        """Return the model where there is no slope, and why."""
        index = pd.MultiIndex.from_arrays([[], []])
        pairs = pd.DataFrame(index=index, columns=["leverage", "relative_variance"], dtype=float)
        return cls(pd.DataFrame(columns=COLUMNS, dtype=float), pairs, why)


def _why_constant(values: pd.Series, magnitude: float, name: str) -> str:
    if values.empty:
        return f"no pair has a usable change of {name}"
    if np.abs(centred(values)).max() <= ROUNDING * magnitude:
        return (
            f"{name} changes by the same amount in every donor of a group, so there is no slope "
            "to estimate"
        )
    return ""


def _why_one_pair(design: Design, obs: pd.DataFrame, name: str) -> str:
    """Return why the slope rests on a pair that decides its own fitted value, or nothing."""
    within = design.centred(design.dense_values)
    basis, triangle = np.linalg.qr(within)
    # a pair's two samples have half of its leverage each
    leverage = (1 if design.blocks is None else 2) * (basis**2).sum(axis=1)
    influence = basis @ np.linalg.inv(triangle)[design.dense.columns.get_loc(VALUE)]
    alone = (leverage >= WHOLE) & (np.abs(influence) > ROUNDING * np.abs(influence).max())
    if not alone.any():
        return ""
    if design.blocks is None:
        pair = str(obs.loc[design.samples[alone][0], "donor"])
    else:
        pair = design.labels[design.codes[alone][0]].replace("|", ", ")
    return (
        f"the slope depends on a single pair ({pair}): without it {name} changes by the same "
        "amount in every donor of a group"
    )


def slope_fit(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    design: Design,
    force_kept: pd.Series,
    *,
    norm_factors: pd.Series | None = None,
    n_cpus: int = 1,
) -> tuple[linear.LinearFit, pd.Series]:
    """Return limma-voom with the values beside donors or groups, and its normalisation factors.

    Arguments as `slope_model` takes them.
    """
    own = well_counted(counts, obs, settings, design, force_kept)
    if norm_factors is None or not norm_factors.index.equals(own.index):
        norm_factors = tmm_or_fixed(own, settings)
    fit = linear.voom_fit(own, design, norm_factors=norm_factors.to_numpy(), n_cpus=n_cpus)
    return fit, norm_factors


def slope_model(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    values: pd.Series,
    force_kept: pd.Series,
    *,
    name: str,
    question: Question = "change",
    magnitude: float | None = None,
    expression: linear.Expression | None = None,
    norm_factors: pd.Series | None = None,
    n_cpus: int = 1,
    steps: SlopeSteps = STEPS,
) -> SlopeModel:
    """Fit limma-voom with a value of each pair beside the donors, and test its slope in every gene.

    The moderated t test keeps its level with few donors, which the negative binomial Wald test does
    not (docs/calibration.md). Each group has a variance of its own; where pairs with leverage vary
    more than others of their group, by the residuals of all genes, the slope's variance is
    multiplied by that ratio, and beyond `UNLIKE` the p value is at least that of HC3 (Hayes & Cai
    2007, Behav Res Methods 39:709). Where one pair makes more than half of a slope with p < 0.05,
    its p value is that of the slope without the pair, if that is larger.

    Parameters
    ----------
    counts : pandas.DataFrame
        Samples × genes, raw.
    obs : pandas.DataFrame
        Of the same samples (donor, group, time, covariates): the complete pairs of one time after.
    settings : mapping
        `groups`, `before`, `after` (one time), `crossover`, `covariates`; perhaps `categorical`,
        `block`, `fixed_size_factors`.
    values : pandas.Series
        By (donor, group), one number for each usable pair.
    force_kept : pandas.Series
        By gene, whether it is kept whatever its counts (the targets).
    name : str
        The value in sentences, such as "the level".
    question : {"change", "baseline"}
        Whether expression is the pair's change or its value before.
    magnitude : float, optional
        Size of the measurements that the values were computed from: differences below `ROUNDING` of
        it are none. By default that of the values.
    expression : Expression, optional
        `weighted_expression` of the counts, computed once for many values. By default the precision
        weights are those of the model with the value.
    norm_factors : pandas.Series, optional
        Those of another value's model on the same counts: taken where its samples are the same.
    n_cpus : int
        Threads; results do not depend on it.
    steps : SlopeSteps
        For ablations.
    """
    values = values.astype(float)
    most = float(np.abs(values).max()) if len(values) else 0.0
    why = BLOCKED if settings.get("block") else ""
    why = why or _why_constant(values, most if magnitude is None else magnitude, name)
    if not why:
        # a power of two changes no digit of any estimate
        size = float(2.0 ** np.round(np.log2(np.abs(centred(values)).max())))
        try:
            design = slope_design(obs, settings, values / size, question)
        except InputError as error:
            why = "; ".join(problem.what for problem in error.problems)
    why = why or _why_one_pair(design, obs, name)
    if why:
        return SlopeModel.without(why)
    if expression is None:
        fit, norm_factors = slope_fit(
            counts, obs, settings, design, force_kept, norm_factors=norm_factors, n_cpus=n_cpus
        )
    else:
        kept = expression.samples.get_indexer(design.samples)
        log2 = pd.DataFrame(expression.log2[kept], design.samples, expression.genes)
        assert expression.weights is not None, "of voom"
        fit = linear.fit_weighted(log2, design, expression.weights[kept], n_cpus=n_cpus)
    own = obs.loc[fit.samples]
    tested, alike = slope_test(fit, own["group"].astype(str), steps, n_cpus=n_cpus)
    _, pooled = linear.posterior_variance(fit.sigma**2, fit.df_residual)
    # with a variance a group a typical gene has fewer degrees of freedom than the pooled fit
    typical = float(tested["df_total"].median()) / pooled
    first = np.unique(unit_codes(fit), return_index=True)[1]
    described = pd.DataFrame(
        {"leverage": alike.leverage, "relative_variance": alike.variances},
        index=keys_of(own.iloc[first]),
    )
    return SlopeModel(
        with_intervals(tested, size),
        described,
        "",
        fit,
        size,
        (pooled - fit.df_residual) * typical,
        fit.df_residual * typical,
        norm_factors,
    )


def with_own_variance(model: SlopeModel, groups: pd.Series, *, n_cpus: int = 1) -> pd.DataFrame:
    """Return a model's table in which each gene has its own variance; groups: by sample."""
    if model.fit is None:
        return model.table
    own = groups.loc[model.fit.samples].astype(str)
    return with_intervals(slope_test(model.fit, own, OWN_VARIANCE, n_cpus=n_cpus)[0], model.size)


def unit_codes(fit: linear.LinearFit) -> np.ndarray:
    """Return the pair of each sample as a position; without blocks each sample is its own."""
    return fit.design.codes if fit.design.blocks is not None else np.arange(len(fit.samples))


def slope_test(
    fit: linear.LinearFit, groups: pd.Series, steps: SlopeSteps = STEPS, *, n_cpus: int = 1
) -> tuple[pd.DataFrame, PairVariances]:
    """Return the slope's test, columns of `moderated_t`, and the pairs' variances.

    fit: `slope_fit`; groups: by sample.
    """
    column = fit.design.dense.columns.get_loc(VALUE)
    slope = fit.design.contrast((fit.design.dense.columns == VALUE).astype(float))
    of_pair = groups.groupby(unit_codes(fit)).first().to_numpy(str)
    if steps.group_wise:
        spread = linear.group_variances(fit, groups, moderated=steps.moderated, n_cpus=n_cpus)
        tested = linear.group_wise_t(fit, slope, spread, n_cpus=n_cpus)
    else:
        tested, of_pair = linear.moderated_t(fit, slope), np.zeros(len(of_pair))
    alike = pair_variances(fit, column, of_pair)
    statistic, pvalue = np.abs(tested["t"]), tested["pvalue"]
    if steps.pair_ratio:
        pvalue = 2 * t_sf(statistic / np.sqrt(alike.ratio), tested["df_total"])
    if alike.ratio > steps.hc3_beyond:
        pvalue = np.maximum(pvalue, hc3_pvalue(fit, column))
    if steps.deletion:
        alone = without_each_pair(fit, column)
        made = (alone.share < HALF) & (tested["pvalue"] < ASKED)
        pvalue = np.where(made, np.maximum(pvalue, alone.pvalue), pvalue)
    return tested.assign(pvalue=pvalue), alike


def with_intervals(tested: pd.DataFrame, size: float = 1.0) -> pd.DataFrame:
    """Return slopes with the standard errors and 95 % intervals that their p values imply.

    tested: `slope_test`; size: of `SlopeModel`. The error is the slope over the t that has its p
    value on its degrees of freedom: steps beyond the moderated t widen the interval as they do the
    p value.
    """
    slope, df = tested["log2FoldChange"] / size, tested["df_total"]
    implied = t_isf(tested["pvalue"] / 2, df)
    # a slope of 0, or a p value below the smallest number, implies no error
    plain = np.isfinite(implied) & (implied > 0)
    se = (np.abs(slope) / np.where(plain, implied, 1.0)).where(plain, tested["se"] / size)
    half = t_isf(0.025, df) * se
    return pd.DataFrame(
        {
            "slope": slope,
            "se": se,
            "df": df,
            "ci_low": slope - half,
            "ci_high": slope + half,
            "pvalue": tested["pvalue"],
        }
    )
