"""The pipeline's own chain on one cohort, as the rules' scripts call it.

Each step of the chain that can be switched off has a name here. Without steps the chain is what
it was before them: voom on samples with donors as columns, one variance a gene where the groups'
typical variances are alike, factors estimated once, and the main model's own intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import anndata as ad
import pandas as pd

from calibration.cohort import AFTER, BEFORE, REFERENCE
from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings, Steps
from fibroserum.de.stage import result_table
from fibroserum.enrichment.expression import set_models_of
from fibroserum.enrichment.set_tests import SetSettings, test_sets
from fibroserum.genes.gmt import GeneSet

ALPHA, MIN_COUNT = 0.05, 10
#: limma_trend: donor values are not weighted; match_depth: of set tests; other_contrast: genes'
#: weights; the others: `fibroserum.de.settings.Steps`
STEPS = (
    "renormalise",
    "donor_values",
    "limma_trend",
    "group_wise",
    "quality",
    "interval",
    "match_depth",
    "other_contrast",
)
#: steps that change tables and no fit
OF_TABLES = frozenset({"interval", "other_contrast"})
DESIGN = {
    "donor": "donor",
    "group": "group",
    "time": "time",
    "line": None,
    "before": BEFORE,
    "after": AFTER,
    "reference_group": REFERENCE,
}


@dataclass(frozen=True)
class Chain:
    """A cohort analysed: its AnnData, fits by model, result tables by contrast, by gene id.

    steps: that were switched on.
    """

    steps: frozenset[str]
    cohort: ad.AnnData
    fits: dict[str, ad.AnnData]
    tables: dict[str, pd.DataFrame]


def fit_settings(steps: frozenset[str]) -> FitSettings:
    """Return the settings with the named steps switched on. Raises KeyError for another name."""
    if unknown := steps - set(STEPS):
        raise KeyError(f"no step {', '.join(sorted(unknown))}: {', '.join(STEPS)}")
    of_fit = {field.name: field.name in steps for field in fields(Steps)}
    second = "limma_trend" if "limma_trend" in steps else "voom"
    return FitSettings(MIN_COUNT, second_opinion=second, steps=Steps(**of_fit))


def run_chain(
    counts: pd.DataFrame,
    sheet: pd.DataFrame,
    steps: frozenset[str] = frozenset(),
    *,
    covariates: Sequence[str] = (),
    baseline: bool = False,
    block: str | None = None,
    earlier: Iterable[Chain] = (),
) -> Chain:
    """Build a cohort, fit its models, and make the tables of their contrasts.

    counts: samples × genes; sheet: by sample, donor, group, time and whatever else. covariates:
    columns of the sheet that the design declares, block: its `design.block`. baseline: fit the
    baseline model too. earlier: chains of the same cohort, whose fits serve where only steps of
    the tables differ.
    """
    for chain in earlier:
        if not (chain.steps ^ steps) - OF_TABLES:
            return replace(chain, steps=steps, tables=_tables(chain.cohort, chain.fits, steps))
    genes = counts.columns
    annotation = pd.DataFrame({"symbol": genes, "ensembl": "", "entrez": ""}, index=genes)
    rows = sheet.rename_axis("sample").reset_index()
    inputs = Inputs(counts, rows, annotation, {}, {}, ())
    crossover = bool((sheet.groupby("donor")["group"].nunique() > 1).any())
    design = DESIGN | {"crossover": crossover, "covariates": list(covariates), "block": block}
    config = {"cohort": "calibration", "design": design, "factors": {}}
    cohort = build_cohort(inputs, config, MIN_COUNT).adata
    never = pd.Series(False, index=cohort.var_names)
    noted, settings = settings_of(cohort), fit_settings(steps)
    fits: dict[str, ad.AnnData] = {
        model.name: fit_model(counts_of(cohort), model, cohort.obs["size_factor"], never, settings)
        for model in models_of(cohort.obs, noted, donor_values=settings.steps.donor_values)
        if model.name == "paired" or baseline
    }
    return Chain(steps, cohort, fits, _tables(cohort, fits, steps))


def _tables(
    cohort: ad.AnnData, fits: dict[str, ad.AnnData], steps: frozenset[str]
) -> dict[str, pd.DataFrame]:
    """Return the result table of each contrast, by gene id."""
    noted = settings_of(cohort)
    return {
        contrast.name: result_table(
            fits[contrast.model],
            contrast.name,
            cohort.var["symbol"],
            ALPHA,
            weighted="other_contrast" in steps,
            interval="interval" in steps,
        ).set_index("gene_id", drop=False)
        for contrast in contrasts_of(noted["groups"], noted["before"], noted["after"])
        if contrast.model in fits
    }


def analyse(
    counts: pd.DataFrame,
    sheet: pd.DataFrame,
    steps: frozenset[str] = frozenset(),
    *,
    covariates: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """Return the result table of each contrast of the paired model, by gene id."""
    return run_chain(counts, sheet, steps, covariates=covariates).tables


def set_tables(chain: Chain, sets: Mapping[str, tuple[str, ...]]) -> dict[str, pd.DataFrame]:
    """Return the set tests of each contrast of the paired model, as the rule makes them."""
    fit = chain.fits["paired"]
    never = pd.Series(False, index=fit.var_names)
    known = [GeneSet("null", name, "", genes) for name, genes in sets.items()]
    fits = set_models_of(fit, never, 1, match_depth="match_depth" in chain.steps)
    settings = SetSettings(ALPHA, 5, 500, permutations=10, seed=1, n_cpus=1)
    genes = next(iter(fits.values())).fit.genes
    found = test_sets(fits, genes, _by_file(chain), known, settings)
    return {name: found.tables[file] for file, name in _names(chain).items()}


def _names(chain: Chain) -> dict[str, str]:
    """Return the paired model's contrasts: name by file name, as a fit notes them."""
    noted = settings_of(chain.cohort)
    found = contrasts_of(noted["groups"], noted["before"], noted["after"])
    return {c.file: c.name for c in found if c.model == "paired"}


def _by_file(chain: Chain) -> dict[str, pd.DataFrame]:
    return {file: chain.tables[name] for file, name in _names(chain).items()}
