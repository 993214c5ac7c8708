"""Simulated cohorts through the pipeline's own functions, for the studies of targets."""

from __future__ import annotations

import os

# before numpy: processes share the cores, and sums must not depend on their number
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import call_genes, result_table
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.simulate.panel import generator
from fibroserum.targets.study import Study, target_study
from fibroserum.targets.verdict import Rule

ALPHA = 0.05
PANEL_SIZE, CHANGED = 12, 4
MIN_MEAN = 10.0
CONTRASTS = {"change": "RT_post_vs_pre", "difference": "RT_vs_AT_change"}
FALSE, POWER = "false share of {}", "power of {}"
DESIGN = {
    "donor": "donor",
    "group": "group",
    "time": "timepoint",
    "line": None,
    "before": "pre",
    "after": "post",
    "reference_group": "AT",
    "crossover": False,
    "covariates": [],
}


def analyse(
    counts: pd.DataFrame,
    sheet: pd.DataFrame,
    *,
    crossover: bool = False,
    models: tuple[str, ...] = ("paired",),
) -> tuple[ad.AnnData, dict[str, ad.AnnData], dict[str, pd.DataFrame]]:
    """Return the cohort, its fits and their result tables, as the rules make them.

    counts: samples × genes; sheet: sample, donor, group, timepoint.
    """
    genes = counts.columns
    annotation = pd.DataFrame({"symbol": genes, "ensembl": "", "entrez": ""}, index=genes)
    inputs = Inputs(counts, sheet, annotation, {}, {}, ())
    design = DESIGN | {"crossover": crossover}
    config = {"cohort": "calibration", "design": design, "factors": {}}
    cohort = build_cohort(inputs, config, 10).adata
    # the second opinion keeps targets whatever their counts: panels are of well counted genes
    never = pd.Series(False, index=cohort.var_names)
    factors, noted = cohort.obs["size_factor"], settings_of(cohort)
    fits = {
        model.name: fit_model(counts_of(cohort), model, factors, never, FitSettings())
        for model in models_of(cohort.obs, noted)
        if model.name in models
    }
    tables = {
        contrast.name: result_table(
            fits[contrast.model], contrast.name, cohort.var["symbol"], ALPHA
        ).set_index("gene_id", drop=False)
        for contrast in contrasts_of(noted["groups"], noted["before"], noted["after"])
        if contrast.model in models
    }
    return cohort, fits, tables


def panels_of(truth: pd.DataFrame, table: pd.DataFrame, seed: int) -> list[list[str]]:
    """Return disjoint panels of well counted genes: a third change in RT, where anything does."""
    usable = table["second_pvalue"].notna() & (table["baseMean"] >= MIN_MEAN)
    known = truth.loc[table.index[usable], list(CONTRASTS.values())]
    rng = generator(seed, "panels")
    changed = rng.permutation(known.index[(known != 0).all(axis=1)])
    same = rng.permutation(known.index[(known == 0).all(axis=1)])
    of_each = CHANGED if len(changed) else 0
    rest = PANEL_SIZE - of_each
    count = min(len(same) // rest, len(changed) // of_each if of_each else len(same))
    return [
        [*changed[n * of_each : (n + 1) * of_each], *same[n * rest : (n + 1) * rest]]
        for n in range(count)
    ]


def outcome(words: pd.Series, truth: pd.Series, of: str) -> dict[str, float]:
    """Return V / max(R, 1) and the share of true effects found, of calls `up` and `down`.

    A call of the wrong sign is false. truth: log2 fold changes of at least the genes of `words`.
    """
    truth = truth[words.index]
    called = words.isin(["up", "down"])
    right = called & (np.where(words == "up", 1.0, -1.0) == np.sign(truth))
    found = {FALSE.format(of): (called & ~right).sum() / max(called.sum(), 1)}
    if (truth != 0).any():
        found[POWER.format(of)] = right.sum() / (truth != 0).sum()
    return found


def study_of(
    cohort: ad.AnnData,
    fits: dict[str, ad.AnnData],
    tables: dict[str, pd.DataFrame],
    targets: list[str],
) -> Study:
    """Return what the tables on a panel of targets are made from."""
    cohort.uns["fibroserum"] |= {"targets": targets, "target_genes": targets}
    return target_study(cohort, fits, tables, Rule(ALPHA))


def panel_calls(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the calls of both models, and of the main one alone, on one panel."""
    table = rows.assign(
        padj=benjamini_hochberg(rows["pvalue"].to_numpy(float)),
        second_padj=benjamini_hochberg(rows["second_pvalue"].to_numpy(float)),
    )
    return call_genes(table, ALPHA, main_only=False), call_genes(table, ALPHA, main_only=True)


def rate(values: pd.Series) -> str:
    """Return mean ± standard error, empty where nothing is known."""
    known = values.dropna()
    if known.empty:
        return ""
    return f"{known.mean():.3f} ± {known.sem():.3f}"
