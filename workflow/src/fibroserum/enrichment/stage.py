"""The stage: set tests of every contrast of a cohort, from its models and its result tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anndata as ad
import pandas as pd

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import MODEL_WORDS
from fibroserum.cohort.models import Model, models_of
from fibroserum.de.second_model import well_counted
from fibroserum.enrichment.expression import scores_and_tests, set_expression
from fibroserum.enrichment.set_tests import COLUMNS, SetSettings, SetTests, test_sets
from fibroserum.genes.gmt import GeneSet, map_sets
from fibroserum.linear import Expression, contrast_fits

#: What set tests and the context take from a contrast's result table.
DE_COLUMNS = [
    "gene_id",
    "log2FoldChange",
    "lfcSE",
    "ci_low",
    "ci_high",
    "stat",
    "padj",
    "second_log2FoldChange",
    "second_padj",
    "weight",
    "call",
]


@dataclass(frozen=True)
class Enrichment:
    """The tables of the stage; `tables` by contrast. See `tables.yaml` for their columns.

    other_tests: as `score_tests`, of the sets that are only scored.
    """

    tables: dict[str, pd.DataFrame]
    scores: pd.DataFrame
    score_tests: pd.DataFrame
    other_tests: pd.DataFrame
    left_out: pd.DataFrame


def enrich(
    cohort: ad.AnnData,
    results: Mapping[str, pd.DataFrame],
    sets: Sequence[GeneSet],
    settings: SetSettings,
    factors: Mapping[str, pd.Series],
    others: Sequence[GeneSet] = (),
) -> Enrichment:
    """Test gene sets (as `read_gmt` gives them) in every contrast of a cohort.

    cohort: samples × genes; results: `de` table by contrast name; factors: TMM factors by the
    model's name, as its fit has them.
    """
    mapped, lost = map_sets(sets, cohort.var)
    models = models_of(cohort.obs, settings_of(cohort))
    tests = [_test_model(cohort, model, results, mapped, settings, factors) for model in models]
    tables = {name: table for test in tests for name, table in test.tables.items()}
    sizes: dict[str, Any] = {"min_size": settings.min_size, "max_size": settings.max_size}
    scores, score_tests, other_tests = scores_and_tests(
        cohort, mapped, others=others, n_cpus=settings.n_cpus, **sizes
    )
    unmapped = lost.assign(reason="not in the count matrix")
    names = [model.name for model in models]
    untested = left_out_of(dict(zip(names, (test.left_out for test in tests), strict=True)))
    left_out = pd.concat([untested, unmapped], ignore_index=True)
    nothing = pd.DataFrame(columns=COLUMNS)
    tables = {name: tables.get(name, nothing) for name in results}
    return Enrichment(
        {name: _with_symbols(table, cohort.var["symbol"]) for name, table in tables.items()},
        scores,
        score_tests,
        other_tests,
        left_out.replace({"gene": {"": None}}),
    )


def left_out_of(by_model: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the models' sets without a test: collection, gene_set, gene, reason.

    The models fit different genes: a set that is left out of some of them has a row for each, whose
    reason names the model; one that is left out of all has the first model's row.
    """
    pairs = [set(zip(t["collection"], t["gene_set"], strict=True)) for t in by_model.values()]
    everywhere = set.intersection(*pairs)
    rows = []
    for number, (model, table) in enumerate(by_model.items()):
        for collection, gene_set, gene, reason in table.itertuples(index=False):
            if (collection, gene_set) not in everywhere:
                rows.append((collection, gene_set, gene, f"{reason} (in {MODEL_WORDS[model]})"))
            elif number == 0:
                rows.append((collection, gene_set, gene, reason))
    return pd.DataFrame(rows, columns=["collection", "gene_set", "gene", "reason"], dtype=object)


def _test_model(
    cohort: ad.AnnData,
    model: Model,
    results: Mapping[str, pd.DataFrame],
    sets: Sequence[GeneSet],
    settings: SetSettings,
    factors: Mapping[str, pd.Series],
) -> SetTests:
    """Test the sets in a model's contrasts, over the genes that were fitted."""
    own = {name: results[name].set_index("gene_id") for name in model.contrasts}
    first, own_factors = next(iter(own.values())), factors[model.name]
    expression = _expression(cohort, model, first, own_factors, settings.n_cpus)
    genes = expression.genes
    fits = contrast_fits(expression, model, n_cpus=settings.n_cpus)
    del expression  # samples × genes, which the tests do not need
    return test_sets(fits, genes, own, sets, settings)


def _expression(
    cohort: ad.AnnData, model: Model, result: pd.DataFrame, factors: pd.Series, n_cpus: int
) -> Expression:
    """Return what a model's set tests rest on; result: a `de` table by gene id."""
    well = well_counted(_fitted_counts(cohort, result), model, cohort.var["target"])
    return set_expression(well, model, factors, n_cpus=n_cpus)


def _fitted_counts(cohort: ad.AnnData, result: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of the genes that the main model fitted, by a `de` table by gene id."""
    fitted = result["lfcSE"].notna()
    return counts_of(cohort).loc[:, fitted.reindex(cohort.var_names, fill_value=False)]


def tested_genes(cohort: ad.AnnData, results: Mapping[str, pd.DataFrame]) -> dict[str, pd.Index]:
    """Return the genes over which sets are tested, and prerank ranks, in each contrast.

    results: `de` table by contrast name.
    """
    found: dict[str, pd.Index] = {}
    for model in models_of(cohort.obs, settings_of(cohort)):
        first = results[next(iter(model.contrasts))].set_index("gene_id")
        kept = well_counted(_fitted_counts(cohort, first), model, cohort.var["target"])
        found |= dict.fromkeys(model.contrasts, kept.columns)
    return found


def _with_symbols(table: pd.DataFrame, symbols: pd.Series) -> pd.DataFrame:
    """Say the leading edge and the gene that carries a set in symbols, where a gene has one."""
    names = symbols.where(symbols != "", symbols.index.to_series()).to_dict()
    edges = table["leading_edge"].map(
        lambda edge: ";".join(names.get(gene, gene) for gene in edge.split(";")),
        na_action="ignore",
    )
    carried = table["carried_by"].map(names, na_action="ignore")
    return table.assign(leading_edge=edges, carried_by=carried.where(carried.notna(), None))
