"""What a stored fit (`fit/*.h5ad`) holds, as the functions that refit take it."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.models import Model
from fibroserum.de.second_model import linear_model
from fibroserum.deseq import NegativeBinomialFit
from fibroserum.linear import LinearFit


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


def linear_model_of(fit: ad.AnnData, force_kept: pd.Series, n_cpus: int) -> LinearFit:
    """Return the voom fit of a model that `fit_model` fitted.

    force_kept: by gene, whether it is kept whatever its counts (the targets).
    """
    fitted = fit.var_names[fit.var["fitted_dispersions"].notna().to_numpy()]
    model = Model(fit.uns["model"]["name"], design_of(fit), {})
    return linear_model(counts_of(fit)[fitted], model, force_kept, fit.obs["norm_factors"], n_cpus)
