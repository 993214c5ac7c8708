"""Small cohorts with planted targets, taken through the pipeline's own steps."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
from fibroserum.de.stage import result_table
from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings, TargetTables

GENES = 250
DISPERSION = 0.02
BOTH = FitSettings()
DESIGN = ("settings", "reference", "crossover", "covariates", "pool", "block")


@dataclass(frozen=True)
class Planted:
    """A target: mean count, log2 changes by group, log2 by sample, or counts outright."""

    mean: float = 400.0
    change: Mapping[str, float] = field(default_factory=dict)
    samples: Mapping[str, float] = field(default_factory=dict)
    counts: float | None = None


@dataclass(frozen=True)
class Drawn:
    """Counts (samples × genes) and the sample sheet."""

    counts: pd.DataFrame
    sheet: pd.DataFrame


def sheet_of(donors: Mapping[str, int], *, crossover: bool = False) -> pd.DataFrame:
    """Return a sample sheet of complete pairs."""
    rows = [
        (f"D{n:02d}" if crossover else f"{group}{n:02d}", group, time)
        for group, count in donors.items()
        for n in range(1, count + 1)
        for time in ("pre", "post")
    ]
    sheet = pd.DataFrame(rows, columns=["donor", "group", "time"])
    names = [f"{donor}_{group}_{time}" for donor, group, time in rows]
    sheet.insert(0, "sample", names)
    return sheet


def draw(
    targets: Mapping[str, Planted],
    donors: Mapping[str, int],
    seed: int = 1,
    *,
    crossover: bool = False,
) -> Drawn:
    """Return a cohort; every gene has its own stream, so that targets do not disturb others."""
    sheet = sheet_of(donors, crossover=crossover)
    donor = pd.factorize(sheet["donor"])[0]
    after = (sheet["time"] == "post").to_numpy()
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.normal(0, 0.15, len(sheet)))
    background = {f"G{n:03d}": Planted(mean=np.exp(rng.normal(5.5, 1.0))) for n in range(GENES)}
    columns = {}
    for name, gene in {**background, **targets}.items():
        own = np.random.default_rng([seed, zlib.crc32(name.encode())])
        log2 = own.normal(0, 0.25, donor.max() + 1)[donor]
        log2 += after * sheet["group"].map(gene.change).fillna(0.0).to_numpy(float)
        log2 += sheet["sample"].map(gene.samples).fillna(0.0).to_numpy(float)
        mean = gene.mean * depth * 2**log2
        noise = own.gamma(1 / DISPERSION, DISPERSION, len(sheet))
        drawn = own.poisson(mean * noise)
        columns[name] = drawn if gene.counts is None else np.full(len(sheet), gene.counts)
    counts = pd.DataFrame(columns, index=pd.Index(sheet["sample"])).astype(np.int64)
    return Drawn(counts, sheet)


def analysed(
    drawn: Drawn,
    targets: list[str] | dict[str, str],
    *,
    settings: FitSettings = BOTH,
    reference: str = "AT",
    crossover: bool = False,
    covariates: list[str] | None = None,
    pool: str | None = None,
    block: str | None = None,
) -> tuple[ad.AnnData, dict[str, ad.AnnData], dict[str, pd.DataFrame]]:
    """Return a cohort, its fits and its result tables; targets: genes, or names and their genes."""
    genes = drawn.counts.columns
    annotation = pd.DataFrame({"symbol": genes, "ensembl": "", "entrez": ""}, index=genes)
    named = targets if isinstance(targets, dict) else dict(zip(targets, targets, strict=True))
    found = {target: gene if gene in genes else None for target, gene in named.items()}
    design = {
        "donor": "donor",
        "group": "group",
        "time": "time",
        "line": None,
        "pool": pool,
        "block": block,
        "before": "pre",
        "after": "post",
        "reference_group": reference,
        "crossover": crossover,
        "covariates": covariates or [],
    }
    config = {"cohort": "test", "design": design, "factors": {}}
    inputs = Inputs(drawn.counts, drawn.sheet, annotation, found, {}, ())
    cohort = build_cohort(inputs, config, settings.min_count).adata
    noted = settings_of(cohort)
    fits = {
        model.name: fit_model(
            counts_of(cohort), model, cohort.obs["size_factor"], cohort.var["target"], settings
        )
        for model in models_of(cohort.obs, noted)
    }
    contrasts = contrasts_of(noted["groups"], noted["before"], noted["after"])
    tables = {
        c.name: result_table(fits[c.model], c.name, cohort.var["symbol"], 0.05) for c in contrasts
    }
    return cohort, fits, tables


def flagged(
    drawn: Drawn, targets: list[str] | dict[str, str], *, de_edit: Any = None, **options: Any
) -> TargetTables:
    """Return the target tables of a cohort.

    de_edit: changes the result tables in place; options: of `analysed`, or of the settings.
    """
    given = {name: options.pop(name) for name in DESIGN if name in options}
    cohort, fits, tables = analysed(drawn, targets, **given)
    if de_edit:
        de_edit(tables)
    published = options.pop("published", None)
    given = {"alpha": 0.05, "equivalence_lfc": None, "power_lfc": 0.15, "randomised": True}
    return flag_targets(cohort, fits, tables, TargetSettings(**given | options), published)


def verdict(flags: TargetTables, target: str, contrast: str) -> pd.Series:
    """Return the row of a target in a contrast."""
    rows = flags.targets
    return rows[(rows["target"] == target) & (rows["contrast"] == contrast)].iloc[0]
