"""The whole fit: size factors, dispersions, trend, prior, coefficients."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.deseq.model import (
    NegativeBinomialFit,
    count_matrix,
    group_like,
    mean_normalised,
    usable_structure,
)
from fibroserum.deseq.outliers import (
    TO_FILTER,
    TO_REPLACE,
    outliers,
    replaced_counts,
    replicates,
)
from fibroserum.deseq.stages import Final, Genewise, Problem, final, genewise, regression
from fibroserum.deseq.trend import Trend, fit_trend, prior_variance
from fibroserum.inference.structure import find_blocks


def _spread(values: np.ndarray, kept: np.ndarray, empty: float | bool = np.nan) -> np.ndarray:
    """Return values of the kept genes among all genes."""
    if kept.all():
        return values
    out = np.full((len(kept), *values.shape[1:]), empty, dtype=values.dtype)
    out[kept] = values
    return out


@dataclass(frozen=True, eq=False)
class Held:
    """What all genes decide."""

    trend: Trend
    variance: float
    squared: float


@dataclass(frozen=True, eq=False)
class Estimates:
    """Both passes over the kept genes, and the trend at each."""

    first: Genewise
    fitted: np.ndarray
    second: Final


def _merged(whole: Any, part: Any, where: np.ndarray, known: np.ndarray) -> Any:
    """Return a result with the genes `where` taken from `part`, those not `known` as NaN."""
    values = {}
    for item in fields(whole):
        column = getattr(whole, item.name).copy()
        empty = False if column.dtype == bool else np.nan
        column[where] = empty
        column[np.flatnonzero(where)[known]] = getattr(part, item.name)
        values[item.name] = column
    return replace(whole, **values)


def _without_outliers(
    problem: Problem, estimates: Estimates, held: Held, design: pd.DataFrame, factors: np.ndarray
) -> tuple[Estimates, np.ndarray, np.ndarray, np.ndarray]:
    """Return estimates with replaceable outliers replaced, genes replaced, genes in doubt, counts.

    The counts are those of the genes replaced, as replaced.
    """
    replaceable = replicates(design) >= TO_REPLACE
    outlying, doubtful = outliers(problem, estimates.second.dispersions, design, replaceable)
    replaced = np.asarray(outlying.any(axis=0))
    if not replaced.any():
        return estimates, replaced, doubtful, problem.counts[:, replaced]
    counts = replaced_counts(problem.counts[:, replaced], factors, outlying[:, replaced])
    known = (counts != 0).any(axis=0)
    again = replace(problem, counts=counts[:, known])
    first = genewise(again)
    fitted = held.trend(first.base_mean)
    second = final(again, first, fitted, held.variance, held.squared)
    trend = estimates.fitted.copy()
    trend[replaced] = np.nan
    trend[np.flatnonzero(replaced)[known]] = fitted
    merged = Estimates(
        _merged(estimates.first, first, replaced, known),
        trend,
        _merged(estimates.second, second, replaced, known),
    )
    return merged, replaced, doubtful, counts


def fit(
    counts: pd.DataFrame | np.ndarray,
    design: pd.DataFrame,
    size_factors: np.ndarray | pd.Series,
    *,
    n_cpus: int = 1,
) -> NegativeBinomialFit:
    """Fit a negative binomial regression to each gene, as R's `DESeq()` does.

    counts: samples × genes, whole numbers. design: samples × columns, of full rank, with fewer
    columns than samples; rows in the order of the counts'. size_factors: (samples,), positive.
    Raises ValueError for anything else.
    Source: Love, Huber & Anders 2014, Genome Biol 15:550; docs/methods.md says where this differs.
    """
    matrix, samples, genes = count_matrix(counts)
    structure = usable_structure(design, samples)
    kept = (matrix != 0).any(axis=0)
    if not kept.any():
        raise ValueError("Every count is zero.")
    factors = np.asarray(size_factors, dtype=float)
    if factors.shape != (len(matrix),) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError("Size factors must be positive, one a sample.")
    problem = Problem(
        counts=matrix if kept.all() else matrix[:, kept],
        structure=structure,
        offsets=np.log(factors)[structure.order],
        linear_means=group_like(structure),
        n_cpus=n_cpus,
    )
    first = genewise(problem)
    trend = fit_trend(first.base_mean, first.dispersions)
    fitted = trend(first.base_mean)
    variance, squared = prior_variance(
        first.dispersions, fitted, structure.n_samples - structure.n_columns
    )
    second = final(problem, first, fitted, variance, squared)
    estimates = Estimates(first, fitted, second)
    doubtful = replaced = np.zeros(int(kept.sum()), dtype=bool)
    replaced_by = matrix[:, :0]
    if replicates(design).max() >= TO_FILTER:
        estimates, replaced, doubtful, replaced_by = _without_outliers(
            problem, estimates, Held(trend, variance, squared), design, factors
        )
    first, fitted, second = estimates.first, estimates.fitted, estimates.second
    coefficients = np.empty_like(second.coefficients)
    coefficients[:, structure.columns] = second.coefficients
    return NegativeBinomialFit(
        genes=genes,
        samples=samples,
        design=design,
        size_factors=factors,
        base_mean=_spread(np.nan_to_num(first.base_mean), kept, 0.0),
        genewise_dispersions=_spread(first.dispersions, kept),
        fitted_dispersions=_spread(fitted, kept),
        map_dispersions=_spread(second.map_dispersions, kept),
        dispersions=_spread(second.dispersions, kept),
        coefficients=_spread(coefficients, kept),
        converged=_spread(second.converged, kept, False),
        trend_coefficients=trend.coefficients,
        trend_type=trend.kind,
        prior_variance=variance,
        squared_logres=squared,
        count_outlier=_spread(doubtful, kept, False),
        replaced=_spread(replaced, kept, False),
        replaced_counts=replaced_by,
    )


def with_coefficients(
    fit: NegativeBinomialFit, counts: pd.DataFrame | np.ndarray, *, n_cpus: int = 1
) -> NegativeBinomialFit:
    """Return a fit with coefficients and base means computed anew from what was fitted.

    With the coefficients (genes × donors) a file would be more than twice as large. counts: the
    ones fitted.
    """
    matrix, _, _ = count_matrix(counts)
    structure = find_blocks(fit.design.to_numpy(dtype=float))
    known = np.isfinite(fit.dispersions)
    problem = Problem(
        counts=fit.counts_fitted(matrix)[:, known],
        structure=structure,
        offsets=np.log(fit.size_factors)[structure.order],
        linear_means=False,
        n_cpus=n_cpus,
    )
    coefficients = np.full((len(known), structure.n_columns), np.nan)
    coefficients[np.ix_(known, structure.columns)] = regression(problem, fit.dispersions[known])
    base_mean = mean_normalised(fit.counts_fitted(matrix), fit.size_factors)
    return replace(fit, coefficients=coefficients, base_mean=base_mean)
