"""The fit of a model: one fit serves all its contrasts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import deseq
from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import MODEL_WORDS
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.models import Model, keep_model, models_of
from fibroserum.cohort.storage import read_h5ad
from fibroserum.de.normalisation import normalise
from fibroserum.de.second_model import (
    Second,
    expression_of,
    no_second_model,
    quality_weights,
    second_model,
    well_counted,
    with_quality,
)
from fibroserum.de.settings import FitSettings
from fibroserum.de.stored_fit import fixed_prior_fit
from fibroserum.errors import listed, refuse
from fibroserum.input.names import file_name
from fibroserum.input.normalization import FIXED
from fibroserum.linear import Expression

if TYPE_CHECKING:
    from fibroserum.deseq.datasets import BlockedDeseqDataSet

logger = logging.getLogger(__name__)

# as PyDESeq2 names them
DISPERSIONS = ["genewise_dispersions", "fitted_dispersions", "MAP_dispersions", "dispersions"]

# the second model with the factors that were not kept, where these did not settle
OTHER = ["other_log2FoldChange", "other_pvalue"]


def initial_status(counts: pd.DataFrame, min_count: int) -> pd.Series:
    """Return `all_zero`, `low_count` or `tested` for each gene (counts: samples × genes)."""
    totals = counts.sum(axis=0)
    status = np.where(totals == 0, "all_zero", np.where(totals < min_count, "low_count", "tested"))
    return pd.Series(status, index=counts.columns, dtype=object)


def fit_model(
    counts: pd.DataFrame,
    model: Model,
    size_factors: pd.Series,
    force_kept: pd.Series,
    settings: FitSettings,
) -> ad.AnnData:
    """Fit a model and test its contrasts.

    counts: samples × genes, raw, at least the model's samples; size_factors: by sample;
    force_kept: by gene, whether the second model keeps it whatever its counts (the targets).
    Returns the fit as docs/architecture.md describes it.
    """
    design = model.design
    # a slope is per unit of the dose: no threshold of a change applies to it
    threshold = 0.0 if model.name == "dose" else settings.lfc_threshold
    counts = counts.loc[design.samples]
    status = initial_status(counts, settings.min_count)
    fitted = counts.loc[:, status == "tested"]
    well = well_counted(fitted, model, force_kept)
    _check_samples(well, model.name)
    scale = normalise(fitted, well, model, size_factors, settings)
    factors = scale.size_factors.to_numpy(float)
    weighted, n_cpus = settings.second_opinion == "voom", settings.n_cpus
    expression = expression_of(well, model, scale.norm_factors, weighted=weighted, n_cpus=n_cpus)
    quality = quality_weights(expression, model)
    obs = pd.DataFrame(
        {
            "size_factors": factors,
            "norm_factors": scale.norm_factors,
            "quality_weight": quality if settings.steps.quality else 1.0,
        },
        index=counts.index,
    )
    second, other = _second(with_quality(expression, obs), model, settings), None
    if scale.other is not None:
        expression = expression_of(well, model, scale.other, weighted=weighted, n_cpus=n_cpus)
        other = _second(with_quality(expression, obs), model, settings)
    # as large as the counts, or larger
    del expression, well
    fit = deseq.fit(fitted, design.matrix, factors, n_cpus=n_cpus)
    status.loc[fitted.columns[~fit.converged]] = "not_converged"
    var = pd.DataFrame(
        {"status": status, "baseMean": deseq.mean_normalised(counts.to_numpy(), factors)}
    )
    replaced = fitted.columns[fit.replaced]
    # as R's: the mean of the counts that were fitted
    var.loc[replaced, "baseMean"] = fit.base_mean[fit.replaced]
    for name in DISPERSIONS:
        found = pd.Series(getattr(fit, name.lower()), fitted.columns)
        var[name] = found.reindex(counts.columns)
    var["count_outlier"] = counts.columns.isin(fitted.columns[fit.count_outlier])
    var["replaced"] = counts.columns.isin(replaced)
    adata = ad.AnnData(X=counts.to_numpy(), obs=obs, var=var)
    keep_model(adata, model)
    adata.obsm["replaced_counts"] = fit.replaced_counts
    if scale.other is not None:
        adata.obs["other_norm_factors"] = scale.other
    adata.var["left_out"] = counts.columns.isin(scale.left_out)
    for name, vector in model.contrasts.items():
        contrast = np.asarray(vector, dtype=float)
        table = deseq.wald(fit, fitted, contrast, threshold, n_cpus=n_cpus)
        table["log2FoldChange_shrunken"] = deseq.shrink(fit, fitted, contrast, table, n_cpus=n_cpus)
        table = table.reindex(counts.columns)
        table.loc[status == "not_converged", ["stat", "pvalue"]] = np.nan
        table = table.join(second.tables[name])
        if other is not None:
            last = other.tables[name][["second_log2FoldChange", "second_pvalue"]]
            table = table.join(last.set_axis(OTHER, axis=1))
        adata.varm[file_name(name)] = table
    adata.uns["model"] |= {
        "trend_type": fit.trend_type,
        "trend_coefficients": (
            np.array([]) if fit.trend_coefficients is None else fit.trend_coefficients
        ),
        "prior_variance": fit.prior_variance,
        "squared_logres": fit.squared_logres,
        "second_opinion": settings.second_opinion,
        "lfc_threshold": threshold,
        "spread_ratio": {file_name(name): second.spread_ratio[name] for name in model.contrasts},
        "pooled_groups": list(second.pooled_groups),
        "normalisation": scale.outcome,
        "normalisation_rounds": scale.rounds,
    }
    return adata


def _check_samples(well: pd.DataFrame, model: str) -> None:
    """Raise InputError for samples without a count in the genes that the second model tests."""
    without = list(well.index[well.sum(axis=1) == 0])
    if without:
        raise refuse(
            f"samples without counts in the {well.shape[1]:,} genes of the second model: "
            f"{listed(without)}",
            MODEL_WORDS[model],
            "counts of these genes in every sample",
            "Sequence these samples deeper, or remove their rows from the sheet.",
        )


def _second(expression: Expression, model: Model, settings: FitSettings) -> Second:
    """Return the second model of the genes `well_counted`."""
    if settings.second_opinion == "none":
        return no_second_model(model, expression.genes)
    return second_model(expression, model, settings)


def fit_cohort(cohort: ad.AnnData, settings: FitSettings) -> Iterator[ad.AnnData]:
    """Yield the fit of each model of a cohort, the paired one first.

    cohort: samples × genes, as `cohort.stage.build_cohort` returns it.
    """
    counts, factors = counts_of(cohort), cohort.obs["size_factor"]
    noted, donor_values = settings_of(cohort), settings.steps.donor_values
    if noted["size_factor_method"] in FIXED:
        settings = replace(settings, factors=noted["size_factor_method"])
    for model in models_of(cohort.obs, noted, donor_values=donor_values):
        logger.info(
            f"fitting {model.name}: {len(model.design.samples)} samples × {cohort.n_vars} genes"
        )
        yield fit_model(counts, model, factors, cohort.var["target"], settings)


def read_fit(
    fit: str | os.PathLike[str] | ad.AnnData, *, n_cpus: int | None = None
) -> BlockedDeseqDataSet:
    """Return a fit as PyDESeq2's dataset, for tests of other contrasts.

    Parameters
    ----------
    fit : path or anndata.AnnData
        A fit that a run has kept (`fit/{model}.h5ad`), or one of those that `fit` returns.
    n_cpus : int, optional
        Threads. None: all.

    Returns
    -------
    BlockedDeseqDataSet
        A fitted `pydeseq2.dds.DeseqDataSet` of all genes of the input; those that were not fitted
        hold NaN. Its `obsm["design_matrix"]` has the columns over which a contrast is written.
        PyDESeq2's own `DeseqStats` runs on it.

    Raises
    ------
    ValueError
        For the file of an older version.

    References
    ----------
    .. [1] Muzellec, Telenczuk, Cabeli, Andreux (2023) Bioinformatics 39:btad547,
       doi:10.1093/bioinformatics/btad547 (PyDESeq2)

    Examples
    --------
    >>> dataset = read_fit(fits["paired"])
    >>> [name for name in dataset.obsm["design_matrix"] if name.startswith("after")]
    ['after[AT]', 'after[RT]']
    """
    from fibroserum.deseq.datasets import BlockedDeseqDataSet

    own = fit.to_memory(copy=True) if isinstance(fit, ad.AnnData) else read_h5ad(fit)
    own.X = np.asarray(own.X, dtype=np.int64)
    design = design_of(own).matrix
    dataset = BlockedDeseqDataSet(adata=own, design=design, n_cpus=n_cpus, quiet=True)
    held = fixed_prior_fit(own)
    dataset.hold(deseq.with_coefficients(held, dataset.to_df(), n_cpus=dataset.inference.n_cpus))
    return dataset
