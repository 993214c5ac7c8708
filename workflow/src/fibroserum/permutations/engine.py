"""A model whose labels are permuted, and the genes that then pass the bars of the data's calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import deseq, linear
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import Model, model_of
from fibroserum.de.stage import half_width
from fibroserum.de.stored_fit import expression_of_calls, fitted_genes, fixed_prior_fit
from fibroserum.deseq import NegativeBinomialFit
from fibroserum.inference.wald import beyond
from fibroserum.linear import Expression
from fibroserum.processes import process_pool

SMALLEST_P = 1e-300


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


def permuted(model: Model, rows_of_each: Iterable[np.ndarray]) -> Iterator[Model]:
    """Yield a model for each permutation: blocks stay, rows of the other columns are permuted."""
    design = model.design
    for rows in rows_of_each:
        dense = pd.DataFrame(design.dense_values[rows], design.samples, design.dense.columns)
        groups, times = (
            None if labels is None else pd.Series(labels.to_numpy()[rows], index=labels.index)
            for labels in (model.groups, model.times)
        )
        yield replace(model, design=Design(dense, design.blocks), groups=groups, times=times)


@dataclass(frozen=True)
class Asked:
    """What is counted in each permutation: of a model's contrast, by the name in file names.

    ranks: of the p values whose quantiles are kept.
    """

    model: str
    contrast: str
    bars: Bars
    alpha: float
    ranks: np.ndarray


#: Of a permutation: genes that pass the bars, p values below alpha, quantiles.
Counted = tuple[int, int, np.ndarray]
OverParts = Callable[..., Iterable[list[Counted]]]

#: The engines by model, of this process.
_engines: dict[str, Engine] = {}


def _set_engines(engines: Mapping[str, Engine]) -> None:
    _engines.clear()
    _engines.update(engines)


@contextmanager
def over_parts(engines: Mapping[str, Engine], n_cpus: int) -> Iterator[OverParts]:
    """Yield a `map` for `counted` that uses so many processes.

    Threads would wait for each other: a permutation of few donors is pandas, not kernels.
    """
    if n_cpus < 2:
        _set_engines(engines)
        yield map
        return
    with process_pool(n_cpus, _set_engines, engines) as pool:
        yield pool.map


def counted(asked: Asked, rows: Sequence[np.ndarray]) -> list[Counted]:
    """Return what is counted in some permutations."""
    engine = _engines[asked.model]
    results = []
    for model in permuted(engine.model, rows):
        second = linear_test(engine, model, asked.contrast)
        number = passing(engine, asked.bars, second, model, asked.contrast)
        small = int((second["pvalue"] < asked.alpha).sum())
        results.append((number, small, log_quantiles(second["pvalue"], asked.ranks)))
    return results


def log_quantiles(pvalues: pd.Series, ranks: np.ndarray) -> np.ndarray:
    """Return -log10 of the p values of given ranks (1: the smallest)."""
    ordered = np.sort(pvalues.to_numpy(float))[ranks - 1]
    return np.asarray(-np.log10(np.maximum(ordered, SMALLEST_P)))
