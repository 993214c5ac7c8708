"""QC metrics of samples, principal components, distances."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from fibroserum.errors import require

MOST_VARIABLE = 500
MOST_PAIRS = 60_000
#: The least mean normalized count of a well-counted gene.
LEAST_MEAN = 10.0
#: Genes and samples whose values are in memory at once.
GENES, PART = 2048, 256
#: Of squared distances that products of matrices give.
SLACK = 1e-9


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

    classes, top = gene_classes(cohort.var), [50] if cohort.n_vars >= 50 else None

    def of_samples(counts: np.ndarray) -> pd.DataFrame:
        plain = ad.AnnData(X=counts.astype(float), var=classes)
        obs, _ = sc.pp.calculate_qc_metrics(
            plain, qc_vars=list(classes), percent_top=top, log1p=False
        )
        return obs

    counts = np.asarray(cohort.X)
    obs = pd.concat([of_samples(counts[n : n + PART]) for n in range(0, len(counts), PART)])
    obs.index = cohort.obs_names
    metrics = cohort.obs[["donor", "group", "time"]].astype(object)
    metrics["total_counts"] = obs["total_counts"].astype(np.int64)
    metrics["n_genes"] = obs["n_genes_by_counts"].astype(np.int64)
    for name in ("pct_counts_mt", "pct_counts_ribo", "pct_counts_hb"):
        metrics[name] = obs[name]
    metrics["pct_top_50"] = obs["pct_counts_in_top_50_genes"] if top else np.nan
    return metrics


def normalized(cohort: ad.AnnData, genes: np.ndarray) -> np.ndarray:
    """Return counts over size factors, samples × genes, single precision: the cohort's layer.

    genes: their places. Made from the counts: the layer is as large as these, and takes longer.
    """
    found = np.empty((cohort.n_obs, len(genes)), dtype=np.float32)
    factors = cohort.obs["size_factor"].to_numpy(float)
    for row, (counts, factor) in enumerate(zip(np.asarray(cohort.X), factors, strict=True)):
        found[row] = counts[genes] / factor
    return found


def mean_levels(cohort: ad.AnnData) -> np.ndarray:
    """Return the mean normalized count of each gene."""
    parts = np.array_split(np.arange(cohort.n_vars), -(-cohort.n_vars // GENES))
    means = [normalized(cohort, part).mean(axis=0, dtype=float) for part in parts]
    return np.concatenate(means)


def log2_normalized(cohort: ad.AnnData, genes: pd.Index) -> pd.DataFrame:
    """Return log2(normalized count + 0.5), samples × genes."""
    values = normalized(cohort, cohort.var_names.get_indexer(genes)).astype(float, order="F")
    return pd.DataFrame(np.log2(values + 0.5), index=cohort.obs_names, columns=genes)


def most_variable(cohort: ad.AnnData, genes: int = MOST_VARIABLE) -> pd.DataFrame:
    """Return log2 normalized counts of the most variable well-counted genes, samples × genes.

    Genes whose mean normalized count is below 10 are left out: their logarithms vary by counting.
    """
    levels = mean_levels(cohort)
    counted = levels >= LEAST_MEAN
    if counted.sum() < 2:
        counted = levels > 0
    names = cohort.var_names[counted]
    parts = [names[n : n + GENES] for n in range(0, max(1, len(names)), GENES)]
    variance = pd.concat([log2_normalized(cohort, part).var() for part in parts])
    order = variance.sort_index().sort_values(ascending=False, kind="stable")
    return log2_normalized(cohort, order.index[:genes])


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


def unit_ranks(expression: pd.DataFrame) -> np.ndarray:
    """Return the ranks of each sample's genes with mean 0 and length 1, samples × genes.

    Their products are Spearman correlations. NaN for a sample whose genes are all equal, and for
    fewer than two genes.
    """
    ranks = expression.rank(axis=1).to_numpy()
    if ranks.shape[1] < 2:
        return np.full((len(ranks), 1), np.nan)
    ranks -= ranks.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ranks / np.linalg.norm(ranks, axis=1, keepdims=True)


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the smallest values in ascending order, of equal ones the first."""
    near = np.flatnonzero(values <= np.partition(values, count - 1)[count - 1])
    return near[np.argsort(values[near], kind="stable")][:count]


def nearest_pairs(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of rows of which one is among the nearest `count` of the other.

    Products of matrices show which rows can be: their error is far below `SLACK` of the largest
    square. The distances of these are then compared.
    """
    centred = values - values.mean(axis=0)
    square = np.einsum("sg,sg->s", centred, centred)
    slack, chosen = SLACK * square.max(), set[tuple[int, int]]()
    for start in range(0, len(values), PART):
        part = slice(start, start + PART)
        apart = square[part, None] + square - 2 * (centred[part] @ centred.T)
        most = np.partition(apart, count, axis=1)[:, count] + slack
        for row, (own, limit) in enumerate(zip(apart, most, strict=True), start):
            near = np.flatnonzero(own <= limit)
            distance = cdist(values[[row]], values[near])[0]
            chosen |= {
                (min(row, other), max(row, other))
                for other in near[smallest(distance, count + 1)[1:]].tolist()
            }
    first, second = np.array(sorted(chosen)).T
    return first, second


def distance_table(expression: pd.DataFrame) -> pd.DataFrame:
    """Return distance and correlation of each pair of samples.

    Where there are more than `MOST_PAIRS` pairs, only each sample's ten nearest are kept: no one
    looks at half a million rows.
    """
    names, values = expression.index.to_numpy(), expression.to_numpy()
    if len(names) * (len(names) - 1) // 2 > MOST_PAIRS:
        first, second = nearest_pairs(values, 10)
    else:
        first, second = np.triu_indices(len(names), 1)
    ranks = unit_ranks(expression)
    distance, correlation = np.empty((2, len(first)))
    for start in range(0, len(first), GENES):
        part = slice(start, start + GENES)
        one, other = first[part], second[part]
        distance[part] = np.sqrt(np.square(values[one] - values[other]).sum(axis=1))
        correlation[part] = np.einsum("pg,pg->p", ranks[one], ranks[other])
    return pd.DataFrame(
        {
            "sample": names[first],
            "other": names[second],
            "distance": distance,
            "correlation": correlation,
        }
    )
