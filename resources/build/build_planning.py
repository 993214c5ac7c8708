"""Make resources/planning/public_cohorts.tsv: how much donors' changes vary in public cohorts.

    PYTHONPATH=workflow/src FIBROSERUM_DATA=FOLDER python resources/build/build_planning.py

FOLDER holds the cohorts of README. Seventeen numbers a cohort, none of a single gene: medians over
genes whose mean normalized count is within a factor of 2 of a mean count.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import all_contrasts, counts_of, settings_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = REPOSITORY / "resources" / "planning" / "public_cohorts.tsv"
MEANS = (30, 100, 300, 1000, 3000)


class Source(NamedTuple):
    """A public cohort: what was sampled, from where, its licence, and its design."""

    cells: str
    source: str
    licence: str
    design: dict[str, Any]
    only: dict[str, str]


SOURCES = {
    "muscle_exercise_t2d": Source(
        "muscle biopsies of 37 people, before and three hours after a bout of exercise",
        "Pillon et al. 2022, GSE202295, as packed in trainome/seqwrappaper",
        "CC0-1.0",
        {"donor": "donor", "group": "group", "time": "time", "before": "basal", "after": "rec"},
        {},
    ),
    "lung_fibroblast_hypoxia": Source(
        "lung fibroblasts, 4 cultures in 21 % and 0.5 % oxygen, without a drug",
        "Copeland et al. 2023, oldhamlab/rnaseq.lf.hypoxia.molidustat",
        "MIT",
        {"donor": "replicate", "group": None, "time": "oxygen", "before": "21%", "after": "0.5%"},
        {"treatment": "DMSO"},
    ),
}


def cohort_rows(name: str, folder: Path) -> pd.DataFrame:
    """Return a cohort's rows of the table. folder: holds counts.tsv.gz and samples.csv."""
    about = SOURCES[name]
    sheet = pd.read_csv(folder / "samples.csv", dtype=str)
    for column, value in about.only.items():
        sheet = sheet[sheet[column] == value]
    sheet = sheet[sheet[about.design["time"]].isin([about.design["before"], about.design["after"]])]
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0)
    counts.index = counts.index.astype(str)
    counts = counts[~counts.index.duplicated()].T.loc[sheet["sample"]]
    genes = counts.columns
    annotation = pd.DataFrame({"symbol": genes, "ensembl": "", "entrez": ""}, index=genes)
    reference = None if about.design["group"] is None else min(sheet[about.design["group"]])
    design = {"line": None, "reference_group": reference, "crossover": False, "covariates": []}
    config = {"cohort": name, "design": about.design | design, "factors": {}}
    inputs = Inputs(counts, sheet.reset_index(drop=True), annotation, {}, {}, ())
    cohort = build_cohort(inputs, config, 10).adata
    never = pd.Series(False, index=cohort.var_names)
    model = models_of(cohort.obs, settings_of(cohort))[0]
    fit = fit_model(counts_of(cohort), model, cohort.obs["size_factor"], never, FitSettings())
    changes = {c.file: c.group for c in all_contrasts(settings_of(cohort)) if c.kind == "change"}
    donors = fit.obs.groupby("group", observed=True)["unit"].nunique()
    pairs = np.array([donors[group] for group in changes.values()])
    tables = [fit.varm[change] for change in changes]
    ses = pd.concat([one["second_lfcSE"] for one in tables], axis=1)
    second = (ses**2 * pairs).mean(axis=1, skipna=False).dropna()
    prior_df = np.mean([one["second_df"].median() for one in tables] - (pairs - 1))
    dispersion, mean = fit.var["dispersions"], fit.var["baseMean"]
    rows = []
    for level in MEANS:
        near = fit.var_names[mean.between(level / 2, level * 2)].intersection(second.index)
        rows.append(
            {
                "cohort": name,
                "pairs": int(pairs.sum()),
                "prior_df": round(float(prior_df), 1),
                "mean_count": level,
                "dispersion": float(f"{dispersion[near].median():.3g}"),
                "change_sd": float(f"{np.sqrt(second[near].median()):.3g}"),
                "cells": about.cells,
                "source": about.source,
                "licence": about.licence,
            }
        )
    return pd.DataFrame(rows)


def main() -> int:
    """Write the table."""
    data = Path(os.environ.get("FIBROSERUM_DATA", REPOSITORY / "data"))
    parts = [cohort_rows(name, data / name) for name in SOURCES]
    TABLE.parent.mkdir(exist_ok=True)
    pd.concat(parts).to_csv(TABLE, sep="\t", index=False, lineterminator="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
