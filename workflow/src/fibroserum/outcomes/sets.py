"""Is the expression of a gene set associated with an outcome? fry on the slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fibroserum import linear, tables
from fibroserum.distributions import t_isf, t_sf
from fibroserum.enrichment.fry import directional, standardised
from fibroserum.enrichment.membership import restrict
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import LinearFit
from fibroserum.multiple_testing import adjust
from fibroserum.slopes.design import VALUE
from fibroserum.slopes.influence import pair_variances
from fibroserum.slopes.model import SlopeModel, unit_codes


def set_slopes(
    model: SlopeModel,
    counts: pd.DataFrame,
    groups: pd.Series,
    sets: Sequence[GeneSet],
    *,
    min_size: int,
    max_size: int,
    alpha: float,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return fry's test of the slope in each set, Benjamini-Hochberg within collections.

    model: `slope_model` with a slope; counts: samples × genes; groups: by sample; sets: of matrix
    gene ids. The samples of a pair are compared at one depth, as in all set tests within donors.
    Weights are over each group's typical variance, and where pairs with leverage vary more than
    others, the statistic is divided by the root of the ratio. As in all set tests, a single gene
    makes no call (`carried_by`: its id).
    """
    assert model.fit is not None, "a model with a slope has a fit"
    sizes = {"min_size": min_size, "max_size": max_size}
    restricted = restrict(sets, model.fit.genes, counts.columns, **sizes)
    table = restricted.table[["collection", "gene_set", "tested"]]
    if table.empty:
        return tables.empty("outcome_sets").drop(columns=["outcome", "question", "time"])
    fit = _one_variance(model, counts, groups, n_cpus)
    column = fit.design.dense.columns.get_loc(VALUE)
    vector = fit.design.contrast((fit.design.dense.columns == VALUE).astype(float))
    effects = linear.genewise_effects(fit, vector, n_cpus=n_cpus)
    # one thread in BLAS: sums that it splits between threads could differ in the last bit
    with threadpool_limits(limits=1, user_api="blas"):
        found = directional(standardised(effects), restricted)
        ratio = pair_variances(fit, column, np.zeros(len(set(unit_codes(fit))))).ratio

    def raised(pvalue: pd.Series) -> np.ndarray:
        df = effects.residual.shape[1]
        return np.asarray(2 * t_sf(t_isf(pvalue / 2, df) / np.sqrt(ratio), df))

    slope = model.table["slope"].to_numpy()
    table = table.assign(
        mean_slope=restricted.members @ slope / table["tested"].to_numpy(float),
        pvalue=raised(found["fry_pvalue"]),
        pvalue_without_strongest=raised(found["fry_pvalue_without_strongest"]),
    )
    table["padj"] = adjust(table["pvalue"], table["collection"])
    shown = table["padj"] < alpha
    holds = shown & (table["pvalue_without_strongest"] < alpha)
    sign = np.where(found["direction"] == "up", "with", "against")
    strongest = pd.Series(fit.genes[found["fry_strongest"]], table.index, dtype=object)
    return table.assign(
        call=np.where(holds, sign, "none"), carried_by=strongest.where(shown & ~holds, None)
    )


def _one_variance(
    model: SlopeModel, counts: pd.DataFrame, groups: pd.Series, n_cpus: int
) -> LinearFit:
    """Return the fit of expression at one depth in each pair, groups weighted to vary alike."""
    fit, factors = model.fit, model.norm_factors
    assert fit is not None, "a model with a slope has a fit"
    if fit.design.blocks is None:
        values, weights = fit.E, fit.weights
    else:
        assert factors is not None, "a model of counts has normalisation factors"
        own = counts.loc[fit.samples, fit.genes]
        values, weights = linear.depth_matched(own, fit.design, factors.to_numpy())
    frame = pd.DataFrame(values, fit.samples, fit.genes)
    plain = linear.fit_weighted(frame, fit.design, weights, n_cpus=n_cpus)
    spread = linear.group_variances(plain, groups.loc[fit.samples], n_cpus=n_cpus)
    size = spread.typical / spread.typical_pooled
    return linear.fit_weighted(
        frame, fit.design, weights / size[spread.of_sample][:, None], n_cpus=n_cpus
    )
