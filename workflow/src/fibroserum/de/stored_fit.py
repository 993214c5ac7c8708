"""What a stored fit (`fit/*.h5ad`) holds, as the functions that refit take it."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.models import model_of
from fibroserum.de.second_model import expression_of, well_counted, with_quality
from fibroserum.deseq import NegativeBinomialFit
from fibroserum.linear import ContrastFit, Expression, contrast_fits


def no_fit(cohort: ad.AnnData, model: str) -> ad.AnnData:
    """Return what stands for the fit of a model without contrasts; `read_fits` leaves it out."""
    fit = ad.AnnData(obs=cohort.obs[[]].assign(norm_factors=np.nan), var=cohort.var[[]])
    fit.uns["model"] = {"name": model, "contrasts": {}}
    return fit


def fixed_prior_fit(fit: ad.AnnData) -> NegativeBinomialFit:
    """Return what `deseq.refit_genes` holds of a fit that `fit_model` made; no coefficients."""
    design = design_of(fit).matrix
    noted, var = fit.uns["model"], fit.var
    trend = np.asarray(noted["trend_coefficients"], dtype=float)
    return NegativeBinomialFit(
        genes=fit.var_names,
        samples=fit.obs_names,
        design=design,
        size_factors=fit.obs["size_factors"].to_numpy(float),
        base_mean=var["baseMean"].to_numpy(float),
        genewise_dispersions=var["genewise_dispersions"].to_numpy(float),
        fitted_dispersions=var["fitted_dispersions"].to_numpy(float),
        map_dispersions=var["MAP_dispersions"].to_numpy(float),
        dispersions=var["dispersions"].to_numpy(float),
        coefficients=np.full((fit.n_vars, design.shape[1]), np.nan),
        converged=(var["status"] == "tested").to_numpy(bool),
        trend_coefficients=trend if trend.size else None,
        trend_type=str(noted["trend_type"]),
        prior_variance=float(noted["prior_variance"]),
        squared_logres=float(noted["squared_logres"]),
        count_outlier=var["count_outlier"].to_numpy(bool),
        replaced=var["replaced"].to_numpy(bool),
        replaced_counts=np.asarray(fit.obsm["replaced_counts"]),
    )


def linear_models_of(fit: ad.AnnData, force_kept: pd.Series, n_cpus: int) -> dict[str, ContrastFit]:
    """Return the voom fits of a model's contrasts, by the names that they have in file names.

    fit: as `fit_model` makes it; force_kept: by gene, kept whatever its counts (the targets).
    """
    return contrast_fits(_expression(fit, force_kept, weighted=True), model_of(fit), n_cpus=n_cpus)


def expression_of_calls(fit: ad.AnnData, force_kept: pd.Series) -> Expression:
    """Return the values that the second model of a fit tested."""
    weighted = str(fit.uns["model"]["second_opinion"]) == "voom"
    return with_quality(_expression(fit, force_kept, weighted=weighted), fit.obs)


def _expression(fit: ad.AnnData, force_kept: pd.Series, *, weighted: bool) -> Expression:
    model = model_of(fit)
    well = well_counted(counts_of(fit)[fitted_genes(fit)], model, force_kept)
    return expression_of(well, model, fit.obs["norm_factors"], weighted=weighted)


def fitted_genes(fit: ad.AnnData) -> pd.Index:
    """Return the genes that both models were fitted to."""
    return fit.var_names[fit.var["fitted_dispersions"].notna().to_numpy()]
