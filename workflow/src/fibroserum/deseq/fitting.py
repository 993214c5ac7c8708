"""The whole fit: size factors, dispersions, trend, prior, coefficients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.deseq.model import (
    NegativeBinomialFit,
    count_matrix,
    group_like,
    usable_structure,
)
from fibroserum.deseq.stages import Problem, final, genewise
from fibroserum.deseq.trend import fit_trend, prior_variance
from fibroserum.normalization import size_factors as estimate_size_factors


def _spread(values: np.ndarray, kept: np.ndarray, empty: float | bool = np.nan) -> np.ndarray:
    """Return values of the kept genes among all genes."""
    out = np.full((len(kept), *values.shape[1:]), empty, dtype=values.dtype)
    out[kept] = values
    return out


def checked_size_factors(
    size_factors: np.ndarray | pd.Series | None, counts: np.ndarray
) -> np.ndarray:
    """Return the given size factors, or the estimated ones; ValueError unless all positive."""
    if size_factors is None:
        factors = estimate_size_factors(counts)[0]
    else:
        factors = np.asarray(size_factors, dtype=float)
    if factors.shape != (len(counts),) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError("Size factors must be positive, one a sample.")
    return factors


def fit(
    counts: pd.DataFrame | np.ndarray,
    design: pd.DataFrame,
    *,
    size_factors: np.ndarray | pd.Series | None = None,
    n_cpus: int = 1,
) -> NegativeBinomialFit:
    """Fit a negative binomial regression to each gene, as R's `DESeq()` does.

    counts: samples × genes, whole numbers. design: samples × columns, of full rank, with fewer
    columns than samples; rows in the order of the counts'. size_factors: (samples,), estimated
    (median of ratios) unless given. Raises ValueError for anything else.
    Source: Love, Huber & Anders 2014, Genome Biol 15:550; docs/methods.md says where this differs.
    """
    matrix, samples, genes = count_matrix(counts)
    structure = usable_structure(design, len(matrix))
    factors = checked_size_factors(size_factors, matrix)
    kept = (matrix != 0).any(axis=0)
    if not kept.any():
        raise ValueError("Every count is zero.")
    problem = Problem(
        counts=matrix if kept.all() else matrix[:, kept],
        structure=structure,
        offsets=np.log(factors)[structure.order],
        linear_means=group_like(design.to_numpy(dtype=float)),
        n_cpus=n_cpus,
    )
    first = genewise(problem)
    trend = fit_trend(first.base_mean, first.dispersions)
    fitted = trend(first.base_mean)
    variance, squared = prior_variance(
        first.dispersions, fitted, structure.n_samples - structure.n_columns
    )
    second = final(problem, first, fitted, variance, squared)
    coefficients = np.empty_like(second.coefficients)
    coefficients[:, structure.columns] = second.coefficients
    return NegativeBinomialFit(
        genes=genes,
        samples=samples,
        design=design,
        size_factors=factors,
        base_mean=_spread(first.base_mean, kept, 0.0),
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
        count_outlier=np.zeros(len(genes), dtype=bool),
        replaced=np.zeros(len(genes), dtype=bool),
    )
