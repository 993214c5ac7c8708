"""Would data with permuted labels have given as many calls?

A permutation leaves every sample where it is and permutes the rows of the design, donors aside:
before and after within a donor, or the group of whole donors. The linear model is refitted
genome-wide, with its precision weights kept: they belong to the samples, not to the labels.
Genes that pass its bar are refitted in the negative binomial model too, with size factors, trend
and prior kept and the gene's own dispersion re-estimated.

Flipping a real effect makes it spread: its gene then varies more than its noise does, and where
variances borrow from other genes' it passes a bar more often than an unchanged gene. So the genes
that are called are left out of the count, which is scaled to all (Xie, Pan & Khodursky 2005,
Bioinformatics 21:4280).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zlib import crc32

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import deseq, linear, tables
from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.cohort.designs import Design, design_of
from fibroserum.de.stage import result_table
from fibroserum.de.stored_fit import fixed_prior_fit, linear_model_of
from fibroserum.deseq import NegativeBinomialFit
from fibroserum.inference.wald import beyond
from fibroserum.linear import LinearFit
from fibroserum.permutations import labels
from fibroserum.permutations.labels import Permutations

logger = logging.getLogger(__name__)

# Fewer distinct permutations describe, and estimate no false discovery rate.
FEWEST = 50
QUANTILES = 80
SMALLEST_P = 1e-300


@dataclass(frozen=True)
class PermutationTables:
    """`table` fits the schema calibration, `quantiles` calibration_qq."""

    table: pd.DataFrame
    quantiles: pd.DataFrame


@dataclass(frozen=True)
class Engine:
    """What all permutations of a model share.

    counts: samples × genes that were fitted. groups: of each sample, or None where all have one
    variance. linear: the second model of the data as they are. vectors: the contrasts, by the name
    that they have in file names. main_only: whether the main model decides alone.
    """

    counts: pd.DataFrame
    design: Design
    groups: pd.Series | None
    negative_binomial: NegativeBinomialFit
    linear: LinearFit
    vectors: Mapping[str, np.ndarray]
    lfc_threshold: float
    main_only: bool
    n_cpus: int


@dataclass(frozen=True)
class Bars:
    """What a gene must pass to count: the p values that the called genes reached.

    counted: by gene, whether it is eligible and not called. scale: eligible genes over counted
    ones. second: None where the main model decides alone.
    """

    counted: pd.Series
    scale: float
    main: float
    second: float | None


def permutation_tables(
    cohort: ad.AnnData,
    fits: Mapping[str, ad.AnnData],
    *,
    permutations: int,
    alpha: float,
    seed: int,
    n_cpus: int = 1,
) -> PermutationTables:
    """Return observed against permuted calls of every contrast.

    fits: by model name, as `de.fitting.fit_model` makes them; permutations: permutations of each
    contrast, at most; all of them where there are fewer. Contrasts of a design with covariates are
    refused, with the reason in their row.
    """
    settings = settings_of(cohort)
    contrasts = contrasts_of(settings["groups"], settings["before"], settings["after"])
    engines: dict[str, Engine] = {}
    rows, quantiles = [], []
    for contrast in contrasts:
        fit = fits[contrast.model]
        table = result_table(fit, contrast.name, cohort.var["symbol"], alpha)
        if settings["covariates"]:
            rows.append(_refused(contrast, table, settings["covariates"]))
            continue
        if contrast.model not in engines:
            engines[contrast.model] = engine_of(fit, cohort.var["target"].astype(bool), n_cpus)
        engine = engines[contrast.model]
        obs = cohort.obs.loc[engine.design.samples, ["donor", "group", "time"]].astype(str)
        rng = np.random.default_rng([seed, crc32(f"permutations {contrast.name}".encode())])
        found = labels.draw_permutations(contrast, obs, engine.counts, settings, permutations, rng)
        logger.info(f"{contrast.name}: {len(found.rows)} permutations ({found.what})")
        row, part = _one_contrast(contrast, engine, found, table, alpha)
        rows.append(row)
        quantiles.append(part)
    return PermutationTables(
        pd.DataFrame(rows, columns=tables.schemas()["calibration"].names),
        pd.concat(quantiles, ignore_index=True) if quantiles else tables.empty("calibration_qq"),
    )


def _refused(contrast: Contrast, table: pd.DataFrame, covariates: list[str]) -> dict[str, object]:
    named = ", ".join(covariates)
    return {
        "contrast": contrast.name,
        "relabellings": 0,
        "observed": int((table["call"] != "none").sum()),
        "note": f"refused: the model adjusts for {named}, which change with time; labels cannot be "
        "exchanged while such covariates stay",
    }


def engine_of(fit: ad.AnnData, force_kept: pd.Series, n_cpus: int) -> Engine:
    """Return a model's engine.

    fit: as `de.fitting.fit_model` makes it; force_kept: by gene, kept in the linear model whatever
    its counts.
    """
    fitted, noted = fit.var_names[fit.var["fitted_dispersions"].notna()], fit.uns["model"]
    return Engine(
        counts=counts_of(fit)[fitted],
        design=design_of(fit),
        groups=fit.obs["group"].astype(str) if noted["own_spread"] else None,
        negative_binomial=fixed_prior_fit(fit),
        linear=linear_model_of(fit, force_kept, n_cpus),
        vectors={file: np.asarray(v, dtype=float) for file, v in noted["contrasts"].items()},
        lfc_threshold=float(noted["lfc_threshold"]),
        main_only=str(noted["second_opinion"]) == "none",
        n_cpus=n_cpus,
    )


def linear_test(
    engine: Engine, design: Design, groups: pd.Series | None, vector: np.ndarray
) -> pd.DataFrame:
    """Return the linear model's log2FoldChange and pvalue by gene, for a permuted design.

    groups: of each sample, permuted likewise, where each group has its own spread, as it then
    has in the test of the data; else None.
    """
    fit = engine.linear
    values = pd.DataFrame(fit.E, index=fit.samples, columns=fit.genes)
    again = linear.fit_weighted(values, design, fit.weights, n_cpus=engine.n_cpus)
    spread = linear.group_variances(again, groups, n_cpus=engine.n_cpus)
    table = linear.group_wise_t(again, vector, spread, n_cpus=engine.n_cpus)
    estimate = table["log2FoldChange"]
    pvalue = beyond(estimate, table["se"], engine.lfc_threshold, table["df_total"])
    return pd.DataFrame({"log2FoldChange": estimate, "pvalue": pvalue})


def main_test(engine: Engine, genes: pd.Index, design: Design, vector: np.ndarray) -> pd.DataFrame:
    """Return the negative binomial model's log2FoldChange and pvalue of some genes, permuted."""
    refit = deseq.refit_genes(
        engine.negative_binomial,
        engine.counts[genes],
        design.matrix,
        {"": vector},
        n_cpus=engine.n_cpus,
    )
    table = refit.tests[""]
    estimate = table["log2FoldChange"]
    pvalue = beyond(estimate, table["lfcSE"], engine.lfc_threshold)
    return pd.DataFrame({"log2FoldChange": estimate, "pvalue": pvalue})


def bars_of(table: pd.DataFrame, alpha: float, *, main_only: bool) -> Bars:
    """Return the bars that a result table's calls reached (index: gene ids)."""
    eligible = table["padj"].notna()
    if not main_only:
        eligible &= table["second_padj"].notna()
    called = table["call"] != "none"
    counted = eligible & ~called
    single = alpha / max(int(eligible.sum()), 1)
    main = float(table.loc[called, "pvalue"].max()) if called.any() else single
    second = float(table.loc[called, "second_pvalue"].max()) if called.any() else single
    scale = float(eligible.sum() / max(counted.sum(), 1))
    return Bars(counted, scale, main, None if main_only else second)


def passing(
    engine: Engine, bars: Bars, second: pd.DataFrame, design: Design, vector: np.ndarray
) -> int:
    """Return how many counted genes pass the bars in a permuted design.

    second: `linear_test` of it. Genes that pass the linear model's bar are refitted in the main.
    """
    if bars.second is None:
        genes = bars.counted.index[bars.counted]
    else:
        near = second.index[(second["pvalue"] <= bars.second).to_numpy()]
        genes = near[bars.counted.reindex(near).to_numpy(bool)]
    if not len(genes):
        return 0
    main = main_test(engine, genes, design, vector)
    passed = main["pvalue"] <= bars.main
    if bars.second is not None:
        other = second.loc[genes, "log2FoldChange"]
        passed &= np.sign(main["log2FoldChange"]) == np.sign(other)
    return int(passed.sum())


def _one_contrast(
    contrast: Contrast,
    engine: Engine,
    found: Permutations,
    table: pd.DataFrame,
    alpha: float,
) -> tuple[dict[str, object], pd.DataFrame]:
    """Return the contrast's row and its quantiles."""
    table, vector = table.set_index("gene_id"), engine.vectors[contrast.file]
    data = linear_test(engine, engine.design, engine.groups, vector)
    bars = bars_of(table, alpha, main_only=engine.main_only)
    ranks = quantile_ranks(len(data))
    counts, small, drawn = [], [], []
    for number, (design, groups) in enumerate(permuted(engine, found), 1):
        second = linear_test(engine, design, groups, vector)
        counts.append(passing(engine, bars, second, design, vector))
        small.append(int((second["pvalue"] < alpha).sum()))
        drawn.append(_log_quantiles(second["pvalue"], ranks))
        if number % max(1, len(found.rows) // 10) == 0:
            logger.info(f"{contrast.name}: {number} of {len(found.rows)} permutations")
    observed = int((table["call"] != "none").sum())
    observed_small = int((data["pvalue"] < alpha).sum())
    row = {
        "contrast": contrast.name,
        "relabellings": len(counts),
        "observed": observed,
        "exact": found.exact,
        "bar": bars.main,
        "second_bar": bars.second,
        "small_pvalues": observed_small,
        "note": _note(found, observed),
    }
    if counts:
        mean = float(np.mean(counts)) * bars.scale
        beaten = sum(number >= observed_small for number in small)
        row |= {
            "permuted_mean": mean,
            "permuted_small_pvalues": float(np.mean(small)),
            "pvalue": (beaten + 1) / (len(small) + 1),
        }
        if len(counts) >= FEWEST and observed:
            row["empirical_fdr"] = min(1.0, mean / observed)
    return row, _quantile_rows(contrast.name, data["pvalue"], ranks, drawn)


def _note(found: Permutations, observed: int) -> str:
    parts = [found.what]
    if found.exact:
        parts.append("every distinct relabelling")
    if len(found.rows) < FEWEST:
        parts.append(
            f"descriptive only: {len(found.rows)} distinct relabellings are too few to estimate a "
            "false discovery rate"
        )
    if not observed:
        parts.append("nothing is called: the bars are alpha over the number of genes")
    return "; ".join(parts)


def permuted(engine: Engine, found: Permutations) -> Iterator[tuple[Design, pd.Series | None]]:
    """Yield the design and the samples' groups, if the engine has them, of each permutation."""
    designs = permuted_designs(engine.design, found)
    for rows, design in zip(found.rows, designs, strict=True):
        groups = engine.groups
        if groups is not None:
            groups = pd.Series(groups.to_numpy()[rows], index=groups.index)
        yield design, groups


def permuted_designs(design: Design, found: Permutations) -> Iterator[Design]:
    """Yield the design of each permutation: blocks stay, rows of the other columns are permuted."""
    for rows in found.rows:
        dense = pd.DataFrame(design.dense_values[rows], design.samples, design.dense.columns)
        yield Design(dense, design.blocks)


def quantile_ranks(genes: int) -> np.ndarray:
    """Return ranks of p values for a QQ plot, evenly spaced on the log scale."""
    return np.unique(np.geomspace(1, genes, QUANTILES).round().astype(int))


def _log_quantiles(pvalues: pd.Series, ranks: np.ndarray) -> np.ndarray:
    """Return -log10 of the p values of given ranks (1: the smallest)."""
    ordered = np.sort(pvalues.to_numpy(float))[ranks - 1]
    return np.asarray(-np.log10(np.maximum(ordered, SMALLEST_P)))


def _quantile_rows(
    name: str, data: pd.Series, ranks: np.ndarray, drawn: list[np.ndarray]
) -> pd.DataFrame:
    if drawn:
        low, middle, high = np.quantile(np.array(drawn), [0.025, 0.5, 0.975], axis=0)
    else:
        low = middle = high = np.full(len(ranks), np.nan)
    return pd.DataFrame(
        {
            "contrast": name,
            "quantile": ranks / len(data),
            "expected": -np.log10((ranks - 0.5) / len(data)),
            "observed": _log_quantiles(data, ranks),
            "permuted_median": middle,
            "permuted_low": low,
            "permuted_high": high,
        }
    )
