"""QC metrics of samples, principal components, distances."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform

from fibroserum.errors import require

MOST_VARIABLE = 500
MOST_PAIRS = 60_000


def gene_classes(var: pd.DataFrame) -> pd.DataFrame:
    """Return masks over genes: mitochondrial, ribosomal protein, haemoglobin."""
    symbol = var["symbol"].astype(str)
    return pd.DataFrame(
        {
            "mt": symbol.str.startswith("MT-"),
            "ribo": symbol.str.fullmatch(r"RP[LS]\d+[AXYL]?\d*|RPLP[012]|RPSA"),
            "hb": symbol.str.fullmatch(r"HB(A1|A2|B|D|E1|G1|G2|M|Q1|Z)"),
        },
        index=var.index,
    )


def sample_metrics(cohort: ad.AnnData) -> pd.DataFrame:
    """Return scanpy's QC metrics of each sample, with donor, group and time (index: sample)."""
    require("scanpy")
    import scanpy as sc

    plain = ad.AnnData(X=np.asarray(cohort.X, dtype=float), var=gene_classes(cohort.var))
    top = [50] if cohort.n_vars >= 50 else None
    obs, _ = sc.pp.calculate_qc_metrics(
        plain, qc_vars=["mt", "ribo", "hb"], percent_top=top, log1p=False
    )
    obs.index = cohort.obs_names
    metrics = cohort.obs[["donor", "group", "time"]].astype(object)
    metrics["total_counts"] = obs["total_counts"].astype(np.int64)
    metrics["n_genes"] = obs["n_genes_by_counts"].astype(np.int64)
    for name in ("pct_counts_mt", "pct_counts_ribo", "pct_counts_hb"):
        metrics[name] = obs[name]
    metrics["pct_top_50"] = obs["pct_counts_in_top_50_genes"] if top else np.nan
    return metrics


def log2_normalized(cohort: ad.AnnData) -> pd.DataFrame:
    """Return log2(normalized count + 0.5), samples × genes."""
    values = np.log2(np.asarray(cohort.layers["normalized"], dtype=float) + 0.5)
    return pd.DataFrame(values, index=cohort.obs_names, columns=cohort.var_names)


def most_variable(cohort: ad.AnnData, genes: int = MOST_VARIABLE) -> pd.DataFrame:
    """Return log2 normalized counts of the most variable well-counted genes, samples × genes.

    Genes whose mean normalized count is below 10 are left out: their logarithms vary by counting.
    """
    values = log2_normalized(cohort)
    counted = np.asarray(cohort.layers["normalized"]).mean(axis=0) >= 10
    if counted.sum() < 2:
        counted = np.asarray(cohort.layers["normalized"]).sum(axis=0) > 0
    values = values.loc[:, counted]
    order = values.var(axis=0).sort_index().sort_values(ascending=False, kind="stable")
    return values[order.index[:genes]]


def _scores(values: pd.DataFrame, count: int = 2) -> tuple[pd.DataFrame, np.ndarray]:
    """Return scores on the first components and all shares of variance; signs are made definite."""
    require("scanpy")
    import scanpy as sc

    most = min(values.shape) - 1
    columns = [f"PC{number}" for number in range(1, count + 1)]
    if most < 1 or not (values.var(axis=0) > 0).any():
        return pd.DataFrame(np.nan, index=values.index, columns=columns), np.array([])
    plain = ad.AnnData(values.to_numpy())
    sc.pp.pca(plain, n_comps=min(most, 10), svd_solver="full")
    loadings = plain.varm["PCs"]
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.sign(loadings[largest, np.arange(loadings.shape[1])])
    scores = pd.DataFrame(plain.obsm["X_pca"] * signs, index=values.index)
    scores = scores.reindex(columns=range(count)).set_axis(columns, axis=1)
    return scores, np.asarray(plain.uns["pca"]["variance_ratio"])


def components(expression: pd.DataFrame, obs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores of samples, as they are and within donors, and the shares of variance.

    Within donors: each pair's mean is taken out first, so that what before and after share does not
    hide what differs.
    """
    overall, shares = _scores(expression)
    paired = expression[obs["used_for"] == "change"]
    keys = [obs.loc[paired.index, name].astype(str) for name in ("donor", "group")]
    within, inner = _scores(paired - paired.groupby(keys).transform("mean"))
    positions = overall.join(within.add_suffix("_within"))
    rows = [
        {"component": f"PC{i}", "space": space, "variance_ratio": float(ratio)}
        for space, ratios in (("samples", shares), ("within_donor", inner))
        for i, ratio in enumerate(ratios, 1)
        if ratio > 1e-10
    ]
    return positions, pd.DataFrame(rows, columns=["component", "space", "variance_ratio"])


def correlations(expression: pd.DataFrame) -> np.ndarray:
    """Return the Spearman correlation between samples, samples × samples."""
    ranks = expression.rank(axis=1).to_numpy()
    if ranks.shape[0] < 2 or ranks.shape[1] < 2:
        return np.full((len(ranks), len(ranks)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(ranks)


def distance_table(expression: pd.DataFrame) -> pd.DataFrame:
    """Return distance and correlation of each pair of samples.

    Where there are more than `MOST_PAIRS` pairs, only each sample's ten nearest are kept: no one
    looks at half a million rows.
    """
    names = expression.index.to_numpy()
    distance = squareform(pdist(expression.to_numpy()))
    correlation = correlations(expression)
    first, second = np.triu_indices(len(names), 1)
    if len(first) > MOST_PAIRS:
        nearest = np.argsort(distance, axis=1, kind="stable")[:, 1:11]
        chosen = {tuple(sorted((i, int(j)))) for i, row in enumerate(nearest) for j in row}
        first, second = (np.array(index) for index in zip(*sorted(chosen), strict=True))
    return pd.DataFrame(
        {
            "sample": names[first],
            "other": names[second],
            "distance": distance[first, second],
            "correlation": correlation[first, second],
        }
    )
