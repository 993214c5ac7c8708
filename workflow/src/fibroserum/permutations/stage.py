"""Would data with permuted labels have given as many calls?

A permutation leaves every sample where it is and permutes the rows of the design, donors aside:
before and after within a donor, or the group of whole donors. The linear model is refitted
genome-wide, over one value per donor as in the data; factors that belong to the samples, not to the
labels, are kept: size factors, TMM factors, weights of pairs and genes, and precision weights where
there are any.
Genes that pass its bar are refitted in the negative binomial model too, with size factors, trend
and prior kept and the gene's own dispersion re-estimated.

Flipping a real effect makes it spread: its gene then varies more than its noise does, and where
variances borrow from other genes' it passes a bar more often than an unchanged gene. So the genes
that are called are left out of the count, which is scaled to all (Xie, Pan & Khodursky 2005,
Bioinformatics 21:4280).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from zlib import crc32

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import deseq, linear, tables
from fibroserum.cohort.accessors import all_contrasts, counts_of, settings_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import Model, model_of
from fibroserum.de.stage import half_width, result_table
from fibroserum.de.stored_fit import expression_of_calls, fitted_genes, fixed_prior_fit
from fibroserum.deseq import NegativeBinomialFit
from fibroserum.inference.wald import beyond
from fibroserum.linear import Expression
from fibroserum.permutations import labels
from fibroserum.permutations.labels import Permutations

logger = logging.getLogger(__name__)

# Fewer distinct permutations describe, and estimate no false discovery rate.
FEWEST = 50
QUANTILES = 80
SMALLEST_P = 1e-300
# Between two messages on how many permutations are done.
SECONDS = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class PermutationTables:
    """`table` fits the schema calibration, `quantiles` calibration_qq."""

    table: pd.DataFrame
    quantiles: pd.DataFrame


@dataclass(frozen=True)
class Engine:
    """What all permutations of a model share.

    counts: samples × genes that were fitted. model: of the data, its contrasts by the names that
    they have in file names. expression: that the second model tests. main_only: whether the main
    model decides alone. left_out: genes without a part in size factors and TMM factors.
    """

    counts: pd.DataFrame
    model: Model
    negative_binomial: NegativeBinomialFit
    expression: Expression
    lfc_threshold: float
    main_only: bool
    left_out: int


@dataclass(frozen=True)
class Bars:
    """What a gene must pass to count: the p values over weights that the called genes reached.

    counted: by gene, whether it is eligible and not called; weight: its weight. scale: eligible
    genes over counted ones. second: None where the main model decides alone.
    """

    counted: pd.Series
    weight: pd.Series
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
    weighted: bool = True,
    n_cpus: int = 1,
) -> PermutationTables:
    """Return observed against permuted calls of every contrast.

    fits: by model name, as `de.fitting.fit_model` makes them; permutations: permutations of each
    contrast, at most; all of them where there are fewer; weighted: as `result_table` takes it, the
    data's weights in every permutation. Contrasts of a design with covariates are
    refused, with the reason in their row.
    """
    settings = settings_of(cohort)
    engines: dict[str, Engine] = {}
    rows, quantiles = [], []
    for contrast in all_contrasts(settings):
        if why := settings["not_estimable"].get(contrast.name):
            rows.append(
                _refused(contrast, tables.empty("de"), f"the contrast is not estimable: {why}")
            )
            continue
        fit = fits[contrast.model]
        table = result_table(fit, contrast.name, cohort.var["symbol"], alpha, weighted=weighted)
        if why := _why_refused(settings):
            rows.append(_refused(contrast, table, why))
            continue
        if contrast.model not in engines:
            engines[contrast.model] = engine_of(fit, cohort.var["target"].astype(bool))
        engine = engines[contrast.model]
        data = linear_test(engine, engine.model, contrast.file)
        if data.empty:
            why = "too few donors contribute to this contrast for the second model"
            rows.append(_refused(contrast, table, why))
            continue
        obs = cohort.obs.loc[engine.counts.index, ["donor", "group", "time"]].astype(str)
        rng = np.random.default_rng([seed, crc32(f"permutations {contrast.name}".encode())])
        found = labels.draw_permutations(contrast, obs, engine.counts, settings, permutations, rng)
        logger.info(f"{contrast.name}: {len(found.rows)} permutations ({found.what})")
        row, part = _one_contrast(contrast, engine, found, table, data, alpha, n_cpus)
        rows.append(row)
        quantiles.append(part)
    return PermutationTables(
        pd.DataFrame(rows, columns=tables.schemas()["calibration"].names),
        pd.concat(quantiles, ignore_index=True) if quantiles else tables.empty("calibration_qq"),
    )


def _why_refused(settings: Mapping[str, Any]) -> str:
    """Return why labels cannot be exchanged in a cohort, or nothing."""
    if settings["covariates"]:
        named = ", ".join(settings["covariates"])
        return (
            f"the model adjusts for {named}, which change with time, so labels cannot be permuted"
        )
    if settings["block"]:
        return "donors share blocks (design.block), so their labels are not exchangeable"
    return ""


def _refused(contrast: Contrast, table: pd.DataFrame, why: str) -> dict[str, object]:
    return {
        "contrast": contrast.name,
        "relabellings": 0,
        "observed": int((table["call"] != "none").sum()),
        "note": f"no permutations, because {why}",
    }


def engine_of(fit: ad.AnnData, force_kept: pd.Series) -> Engine:
    """Return a model's engine.

    fit: as `de.fitting.fit_model` makes it; force_kept: by gene, kept in the linear model whatever
    its counts.
    """
    noted = fit.uns["model"]
    return Engine(
        counts=counts_of(fit)[fitted_genes(fit)],
        model=model_of(fit),
        negative_binomial=fixed_prior_fit(fit),
        expression=expression_of_calls(fit, force_kept),
        lfc_threshold=float(noted["lfc_threshold"]),
        main_only=str(noted["second_opinion"]) == "none",
        left_out=int(fit.var["left_out"].sum()),
    )


def linear_test(engine: Engine, model: Model, contrast: str) -> pd.DataFrame:
    """Return the linear model's log2FoldChange, se, df and pvalue by gene, for permuted labels.

    model: the engine's, its labels permuted. Empty where the donors are too few for it.
    """
    columns = ["log2FoldChange", "se", "df", "pvalue"]
    asked = replace(model, contrasts={contrast: model.contrasts[contrast]})
    fits = linear.contrast_fits(engine.expression, asked)
    if contrast not in fits:
        return pd.DataFrame(columns=columns, dtype=float)
    table = linear.contrast_test(fits[contrast])
    table = table.rename(columns={"df_total": "df"})
    table["pvalue"] = beyond(
        table["log2FoldChange"], table["se"], engine.lfc_threshold, table["df"]
    )
    return table[columns]


def main_test(engine: Engine, genes: pd.Index, model: Model, contrast: str) -> pd.DataFrame:
    """Return the negative binomial model's log2FoldChange, lfcSE and pvalue of some genes."""
    refit = deseq.refit_genes(
        engine.negative_binomial,
        engine.counts[genes],
        model.design.matrix,
        {"": model.contrasts[contrast]},
    )
    table = refit.tests[""][["log2FoldChange", "lfcSE"]].copy()
    table["pvalue"] = beyond(table["log2FoldChange"], table["lfcSE"], engine.lfc_threshold)
    return table


def bars_of(table: pd.DataFrame, alpha: float, *, main_only: bool) -> Bars:
    """Return the bars that a result table's calls reached (index: gene ids)."""
    eligible = table["padj"].notna()
    if not main_only:
        eligible &= table["second_padj"].notna()
    called = table["call"] != "none"
    counted = eligible & ~called
    single = alpha / max(int(eligible.sum()), 1)
    main, second = single, single
    if called.any():
        ratios = table.loc[called, ["pvalue", "second_pvalue"]].div(table["weight"], axis=0)
        main, second = (float(largest) for largest in ratios[called].max())
    scale = float(eligible.sum() / max(counted.sum(), 1))
    return Bars(counted, table["weight"], scale, main, None if main_only else second)


def passing(engine: Engine, bars: Bars, second: pd.DataFrame, model: Model, contrast: str) -> int:
    """Return how many counted genes pass the bars with permuted labels.

    second: `linear_test` of them. Genes that pass the linear model's bar are refitted in the main.
    """
    if bars.second is None:
        genes = bars.counted.index[bars.counted]
    else:
        ratio = second["pvalue"] / bars.weight.reindex(second.index)
        near = second.index[(ratio <= bars.second).to_numpy()]
        genes = near[bars.counted.reindex(near).to_numpy(bool)]
    if not len(genes):
        return 0
    main = main_test(engine, genes, model, contrast)
    passed = main["pvalue"] / bars.weight[genes] <= bars.main
    if bars.second is not None:
        other = second.loc[genes]
        numbers = main.assign(second_lfcSE=other["se"], second_df=other["df"])
        passed &= np.sign(main["log2FoldChange"]) == np.sign(other["log2FoldChange"])
        passed &= main["log2FoldChange"].abs() > half_width(numbers)
    return int(passed.sum())


def _one_contrast(
    contrast: Contrast,
    engine: Engine,
    found: Permutations,
    table: pd.DataFrame,
    data: pd.DataFrame,
    alpha: float,
    n_cpus: int,
) -> tuple[dict[str, object], pd.DataFrame]:
    """Return the contrast's row and its quantiles; data: `linear_test` of the data's own labels."""
    table = table.set_index("gene_id")
    bars = bars_of(table, alpha, main_only=engine.main_only)
    ranks = quantile_ranks(len(data))

    def permutation(model: Model) -> tuple[int, int, np.ndarray]:
        second = linear_test(engine, model, contrast.file)
        number = passing(engine, bars, second, model, contrast.file)
        small = int((second["pvalue"] < alpha).sum())
        return number, small, _log_quantiles(second["pvalue"], ranks)

    with ThreadPoolExecutor(max(1, n_cpus)) as pool:
        done = pool.map(permutation, permuted(engine.model, found))
        results = list(logged(done, len(found.rows), contrast.name))
    counts = [number for number, _, _ in results]
    small = [number for _, number, _ in results]
    drawn = [quantiles for *_, quantiles in results]
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
        "note": _note(found, observed, engine.left_out),
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


def logged(results: Iterable[T], number: int, name: str) -> Iterator[T]:
    """Yield a contrast's results, and log how many of `number` there are and the time left."""
    start = last = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= SECONDS or done == number:
            left = (now - start) / done * (number - done)
            logger.info(f"{name}: {done} of {number} permutations, about {left:.0f} s left")
            last = now


def _note(found: Permutations, observed: int, left_out: int) -> str:
    parts = [found.what]
    if left_out:
        parts.append(
            f"size factors and TMM factors come from the unpermuted data, without {left_out} "
            "genes that change"
        )
    if found.exact:
        parts.append("all distinct permutations")
    if len(found.rows) < FEWEST:
        parts.append(
            f"descriptive only: {len(found.rows)} distinct permutations are too few to estimate "
            "a false discovery rate"
        )
    if not observed:
        parts.append(
            "no gene is called, so the thresholds are alpha divided by the number of genes"
        )
    return "; ".join(parts)


def permuted(model: Model, found: Permutations) -> Iterator[Model]:
    """Yield a model for each permutation: blocks stay, rows of the other columns are permuted."""
    design = model.design
    for rows in found.rows:
        dense = pd.DataFrame(design.dense_values[rows], design.samples, design.dense.columns)
        groups, times = (
            None if labels is None else pd.Series(labels.to_numpy()[rows], index=labels.index)
            for labels in (model.groups, model.times)
        )
        yield replace(model, design=Design(dense, design.blocks), groups=groups, times=times)


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
