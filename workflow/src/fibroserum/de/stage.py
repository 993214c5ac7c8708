"""Differential expression: one fit serves all contrasts of a model; tables; calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.models import Model
from fibroserum.cohort.storage import read_h5ad
from fibroserum.deseq import NegativeBinomialFit, with_coefficients
from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats
from fibroserum.inference.wald import beyond
from fibroserum.input.names import file_name
from fibroserum.intervals import NORMAL_975
from fibroserum.linear import LinearFit
from fibroserum.multiple_testing import benjamini_hochberg, independent_filtering

SecondOpinion = Literal["voom", "none"]
# as PyDESeq2 names them
DISPERSIONS = ["genewise_dispersions", "fitted_dispersions", "MAP_dispersions", "dispersions"]


@dataclass(frozen=True)
class FitSettings:
    """What the fit depends on: alpha is not among it.

    min_count: genes with fewer counts over the model's samples are not fitted. lfc_threshold: |log2
    fold change| above which is tested. n_cpus: threads; results do not depend on it.
    """

    min_count: int = 10
    second_opinion: SecondOpinion = "voom"
    lfc_threshold: float = 0.0
    n_cpus: int = 1


def initial_status(counts: pd.DataFrame, min_count: int) -> pd.Series:
    """Return `all_zero`, `low_count` or `tested` for each gene (counts: samples × genes)."""
    totals = counts.sum(axis=0)
    status = np.where(totals == 0, "all_zero", np.where(totals < min_count, "low_count", "tested"))
    return pd.Series(status, index=counts.columns, dtype=object)


def fit_model(
    counts: pd.DataFrame,
    model: Model,
    size_factors: pd.Series,
    always: pd.Series,
    settings: FitSettings,
) -> ad.AnnData:
    """Fit a model and test its contrasts.

    counts: samples × genes, raw, at least the model's samples; size_factors: by sample; always: by
    gene, whether the second opinion keeps it whatever its counts (the targets). Returns the fit as
    docs/architecture.md describes it.
    """
    counts = counts.loc[model.design.index]
    status = initial_status(counts, settings.min_count)
    fitted = counts.loc[:, status == "tested"]
    factors = size_factors.loc[model.design.index].to_numpy(float)
    groups = "" if model.groups is None else model.groups
    obs = pd.DataFrame({"size_factors": factors, "group": groups}, index=counts.index)
    dataset = BlockedDeseqDataSet(
        counts=fitted,
        metadata=obs[["size_factors"]],
        design=model.design,
        n_cpus=settings.n_cpus,
        quiet=True,
    )
    dataset.deseq2()
    fit = dataset.fitted
    assert fit is not None, "with DESeq2's limits the fit is ours"
    status.loc[fitted.columns[~fit.converged]] = "not_converged"
    var = pd.DataFrame({"status": status, "baseMean": counts.div(factors, axis=0).mean(axis=0)})
    var[DISPERSIONS] = dataset.var[DISPERSIONS].reindex(counts.columns)
    var["count_outlier"] = counts.columns.isin(fitted.columns[fit.count_outlier])
    var["replaced"] = counts.columns.isin(fitted.columns[fit.replaced])
    adata = ad.AnnData(X=counts.to_numpy(), obs=obs, var=var)
    adata.obsm["design_matrix"] = model.design
    adata.obsm["replaced_counts"] = fit.replaced_counts
    adata.obs["norm_factors"] = norm_factors(fitted, model, always)
    second = second_opinion(fitted, model, always, settings, adata.obs["norm_factors"])
    for name, vector in model.contrasts.items():
        stats = BlockedDeseqStats(
            dataset,
            vector,
            lfc_null=settings.lfc_threshold,
            alt_hypothesis="greaterAbs" if settings.lfc_threshold else None,
            independent_filter=False,
            quiet=True,
        )
        stats.summary()
        table = stats.results_df[["log2FoldChange", "lfcSE", "stat", "pvalue"]].copy()
        table["log2FoldChange_shrunken"] = stats.shrink_contrast()
        table = table.reindex(counts.columns)
        table.loc[status == "not_converged", ["stat", "pvalue"]] = np.nan
        adata.varm[file_name(name)] = table.join(second.tables[name])
    adata.uns["model"] = {
        "name": model.name,
        "contrasts": {file_name(name): vector for name, vector in model.contrasts.items()},
        "trend_type": fit.trend_type,
        "trend_coefficients": (
            np.array([]) if fit.trend_coefficients is None else fit.trend_coefficients
        ),
        "prior_variance": fit.prior_variance,
        "squared_logres": fit.squared_logres,
        "second_opinion": settings.second_opinion,
        "lfc_threshold": settings.lfc_threshold,
        "spread_ratio": {file_name(name): second.spread_ratio[name] for name in model.contrasts},
        "own_spread": second.own_spread,
        "pooled_groups": list(second.pooled_groups),
    }
    return adata


def held_fit(fit: ad.AnnData) -> NegativeBinomialFit:
    """Return what `deseq.refit_genes` holds of a fit that `fit_model` made; no coefficients."""
    design = fit.obsm["design_matrix"]
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


def read_fit(path: str | os.PathLike[str], *, n_cpus: int | None = None) -> BlockedDeseqDataSet:
    """Return a fit of a run (`fit/*.h5ad`) as PyDESeq2's dataset, for tests of other contrasts.

    All genes of the input are in it; those that were not fitted hold NaN. n_cpus: threads, all
    unless given. PyDESeq2's own `DeseqStats` runs on it, as `BlockedDeseqStats` does.
    """
    fit = read_h5ad(path)
    design = fit.obsm["design_matrix"]
    dataset = BlockedDeseqDataSet(adata=fit, design=design, n_cpus=n_cpus, quiet=True)
    held = held_fit(fit)
    dataset.hold(with_coefficients(held, dataset.to_df(), n_cpus=dataset.inference.n_cpus))
    return dataset


@dataclass(frozen=True)
class Second:
    """What the second opinion says.

    tables: by contrast, a row a gene that it tests: second_log2FoldChange, second_pvalue,
    second_lfcSE, second_df. spread_ratio: by contrast, `linear.spread_ratio`, NaN without voom.
    own_spread: whether each group was given a variance of its own. pooled_groups: groups too
    small for one.
    """

    tables: dict[str, pd.DataFrame]
    spread_ratio: dict[str, float]
    own_spread: bool = False
    pooled_groups: tuple[str, ...] = ()


def second_opinion(
    counts: pd.DataFrame,
    model: Model,
    always: pd.Series,
    settings: FitSettings,
    factors: pd.Series,
) -> Second:
    """Return the second model's estimates and p values, contrast by contrast.

    Where donors of one group spread more than those of others, genome-wide, voom has a residual
    variance for each group: the main model has one for all, and the two must agree. Elsewhere the
    test is limma's own. counts: samples × genes that are fitted; genes below filterByExpr's bound
    are not tested, as limma's authors advise, the targets aside. factors: `norm_factors`.
    """
    columns = ["second_log2FoldChange", "second_pvalue", "second_lfcSE", "second_df"]
    unknown = dict.fromkeys(model.contrasts, float("nan"))
    if settings.second_opinion == "none":
        nothing = pd.DataFrame(np.nan, index=counts.columns[:0], columns=columns)
        return Second(dict.fromkeys(model.contrasts, nothing), unknown)
    fit = linear_model(counts, model, always, factors, settings.n_cpus)
    spread = linear.own_spread(fit, model.groups, n_cpus=settings.n_cpus)
    ratios = {
        name: linear.spread_ratio(fit, vector, spread, n_cpus=settings.n_cpus)
        for name, vector in model.contrasts.items()
    }
    own = linear.unequal(ratios.values())
    tables = {
        name: linear.own_spread_t(fit, vector, spread, n_cpus=settings.n_cpus)
        if own
        else linear.moderated_t(fit, vector)
        for name, vector in model.contrasts.items()
    }
    found = {name: _second_columns(table, settings) for name, table in tables.items()}
    return Second(found, ratios, own, spread.pooled)


def _second_columns(table: pd.DataFrame, settings: FitSettings) -> pd.DataFrame:
    estimate, se, df = (table[name] for name in ("log2FoldChange", "se", "df_total"))
    return pd.DataFrame(
        {
            "second_log2FoldChange": estimate,
            "second_pvalue": beyond(estimate, se, settings.lfc_threshold, df),
            "second_lfcSE": se,
            "second_df": df,
        }
    )


def well_counted(counts: pd.DataFrame, model: Model, always: pd.Series) -> pd.DataFrame:
    """Return the model's samples and the genes that pass edgeR's filterByExpr, or are `always`."""
    own = counts.loc[model.design.index]
    keep = linear.filter_by_expr(own, model.design, keep=always[own.columns].to_numpy())
    return own.loc[:, keep]


def norm_factors(counts: pd.DataFrame, model: Model, always: pd.Series) -> pd.Series:
    """Return TMM factors of the model's samples, over the genes that are `well_counted`."""
    well = well_counted(counts, model, always)
    return pd.Series(linear.tmm_factors(well), index=well.index)


def linear_model(
    counts: pd.DataFrame, model: Model, always: pd.Series, factors: pd.Series, n_cpus: int
) -> LinearFit:
    """Return the voom fit that serves the second opinion and the set tests.

    factors: `norm_factors` of these counts, by sample, as a fit's `obs` has them.
    """
    well = well_counted(counts, model, always)
    factor = factors.loc[well.index].to_numpy(float)
    return linear.voom_fit(well, model.design, norm_factors=factor, n_cpus=n_cpus)


def linear_model_of(fit: ad.AnnData, always: pd.Series, n_cpus: int) -> LinearFit:
    """Return the voom fit of a model that `fit_model` fitted.

    always: by gene, whether it is kept whatever its counts (the targets).
    """
    fitted = fit.var_names[fit.var["fitted_dispersions"].notna().to_numpy()]
    model = Model(fit.uns["model"]["name"], fit.obsm["design_matrix"], {})
    return linear_model(counts_of(fit)[fitted], model, always, fit.obs["norm_factors"], n_cpus)


def call_genes(table: pd.DataFrame, alpha: float, *, main_only: bool) -> pd.Series:
    """Return `up`, `down` or `none` for each gene: both models significant, with the same sign.

    main_only: the main model alone decides.
    """
    sign = np.sign(table["log2FoldChange"])
    called = table["padj"] < alpha
    if not main_only:
        agree = (table["second_padj"] < alpha) & (np.sign(table["second_log2FoldChange"]) == sign)
        called &= agree
    words = np.where(called & (sign > 0), "up", np.where(called & (sign < 0), "down", "none"))
    return pd.Series(words, index=table.index, dtype=object)


def result_table(fit: ad.AnnData, contrast: str, symbols: pd.Series, alpha: float) -> pd.DataFrame:
    """Return `de/{contrast}.tsv`: one row a gene of the input, in the order of the fit."""
    numbers = fit.varm[file_name(contrast)]
    table = pd.DataFrame({"gene_id": fit.var_names, "symbol": symbols.reindex(fit.var_names)})
    table = table.set_index(fit.var_names)
    table["symbol"] = table["symbol"].where(table["symbol"] != "", None)
    table["baseMean"] = fit.var["baseMean"]
    for name in ("log2FoldChange", "lfcSE", "stat", "pvalue", "log2FoldChange_shrunken"):
        table[name] = numbers[name]
    table["ci_low"] = table["log2FoldChange"] - NORMAL_975 * table["lfcSE"]
    table["ci_high"] = table["log2FoldChange"] + NORMAL_975 * table["lfcSE"]
    pvalues, means = table["pvalue"].to_numpy(float), table["baseMean"].to_numpy(float)
    table["padj"] = independent_filtering(pvalues, means, alpha)
    table["dispersion"] = fit.var["dispersions"]
    status = fit.var["status"].astype(object)
    filtered = (status == "tested") & table["pvalue"].notna() & table["padj"].isna()
    outlying = (status == "tested") & table["pvalue"].isna()
    table["status"] = status.mask(filtered, "low_count").mask(outlying, "outlier")
    for name in ("second_log2FoldChange", "second_pvalue"):
        table[name] = numbers[name]
    table["second_padj"] = benjamini_hochberg(table["second_pvalue"].to_numpy(float))
    main_only = str(fit.uns["model"]["second_opinion"]) == "none"
    table["call"] = call_genes(table, alpha, main_only=main_only)
    return table.reset_index(drop=True)


def contrast_row(
    contrast: Contrast, table: pd.DataFrame, fit: ad.AnnData, pairs: int, alpha: float
) -> dict[str, object]:
    """Return the row of `contrasts.tsv`."""
    main = call_genes(table, alpha, main_only=True)
    design = fit.obsm["design_matrix"]
    return {
        "contrast": contrast.name,
        "kind": contrast.kind,
        "group": contrast.group,
        "reference": contrast.reference,
        "pairs": pairs,
        "residual_df": design.shape[0] - design.shape[1],
        "tested": int((table["status"] == "tested").sum()),
        "up": int((table["call"] == "up").sum()),
        "down": int((table["call"] == "down").sum()),
        "up_main": int((main == "up").sum()),
        "down_main": int((main == "down").sum()),
        "spread_ratio": float(fit.uns["model"]["spread_ratio"][contrast.file]),
    }


def pairs_of(contrast: Contrast, obs: pd.DataFrame, before: str) -> int:
    """Return the complete pairs behind a contrast; for a baseline, its donors' before samples."""
    groups = {contrast.group, contrast.reference} - {None}
    own = obs[obs["group"].isin(groups)] if groups else obs
    if contrast.kind == "baseline":
        return int(own.loc[own["time"] == before, "donor"].nunique())
    return int(((own["time"] == before) & (own["used_for"] == "change")).sum())
