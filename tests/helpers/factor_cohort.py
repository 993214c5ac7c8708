"""A small cohort whose genes follow a serum factor, for the tests of factors and relabelling."""

from __future__ import annotations

from dataclasses import dataclass, field

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import models_of
from fibroserum.cohort.size_factors import size_factors
from fibroserum.cohort.stage import stimulation_arm
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings, SecondOpinion
from fibroserum.de.stage import result_table

GENES = 300
# the first follow the factor: ten are suppressed by it, ten induced
SLOPES = np.r_[np.full(10, -1.2), np.full(10, 1.2), np.zeros(GENES - 20)]
NAMES = pd.Index([f"g{i:03d}" for i in range(GENES)])
TARGETS = {"g000": "g000", "g250": "g250", "NOPE": None}
ARM = {
    "counts": "arm.tsv",
    "samples": "arm_samples.tsv",
    "column": "treatment",
    "control": "vehicle",
    "treated": "factor",
    "block": "culture",
}


@dataclass(frozen=True)
class Options:
    """donors: by group. fall: mean change of the log2 level in RT. change: of genes in RT, log2."""

    donors: dict[str, int] = field(default_factory=lambda: {"AT": 10, "RT": 10})
    fall: float = -1.0
    slopes: np.ndarray = field(default_factory=lambda: SLOPES)
    change: np.ndarray = field(default_factory=lambda: np.zeros(GENES))
    seed: int = 1


def _counts(log2_mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = 40.0
    return rng.poisson(rng.gamma(shape, np.exp2(log2_mean) / shape)).astype(np.int64)


def annotation() -> pd.DataFrame:
    """Return the annotation of the genes, whose symbols are their ids."""
    table = pd.DataFrame({"symbol": NAMES, "ensembl": "", "entrez": ""}, index=NAMES)
    table["match"] = "official"
    table["target"] = NAMES.isin([gene for gene in TARGETS.values() if gene])
    return table


def make_cohort(options: Options) -> ad.AnnData:
    """Return a cohort whose obs holds the level as `factor`, in text as a sheet has it."""
    rng = np.random.default_rng(options.seed)
    base = rng.uniform(6, 10, GENES)
    rows, means = [], []
    for group, donors in options.donors.items():
        for number in range(donors):
            own, start = base + rng.normal(0, 0.3, GENES), rng.normal(9, 0.4)
            step = rng.normal(options.fall if group == "RT" else 0.0, 0.5)
            for time in ("pre", "post"):
                level = start + (step if time == "post" else 0.0)
                moved = options.change * (group == "RT") * (time == "post")
                means.append(own + options.slopes * (level - 9) + moved)
                rows.append(
                    {
                        "sample": f"{group}{number}_{time}",
                        "donor": f"{group}{number}",
                        "group": group,
                        "time": time,
                        "line": "",
                        "used_for": "change",
                        "factor": repr(2.0**level),
                    }
                )
    obs = pd.DataFrame(rows).set_index("sample")
    counts = _counts(np.array(means), rng)
    obs["size_factor"] = size_factors(counts)[0]
    adata = ad.AnnData(X=counts, obs=obs, var=annotation())
    adata.uns["fibroserum"] = {
        "before": "pre",
        "after": "post",
        "groups": list(options.donors),
        "crossover": False,
        "covariates": [],
        "lines": [""],
        "notes": [],
        "targets": list(TARGETS),
        "target_genes": [gene or "" for gene in TARGETS.values()],
    }
    return adata


def make_arm(effect: np.ndarray, seed: int = 7, cultures: int = 4) -> ad.AnnData:
    """Return a stimulation arm in which genes change by `effect` (log2)."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(6, 10, GENES)
    means, rows = [], []
    for culture in range(cultures):
        own = base + rng.normal(0, 0.2, GENES)
        for treatment in ("vehicle", "factor"):
            means.append(own + effect * (treatment == "factor"))
            name = f"c{culture}_{treatment}"
            rows.append({"sample": name, "culture": f"c{culture}", "treatment": treatment})
    sheet = pd.DataFrame(rows)
    counts = pd.DataFrame(_counts(np.array(means), rng), index=sheet["sample"], columns=NAMES)
    return stimulation_arm(counts, sheet, annotation())


def fits_of(
    cohort: ad.AnnData, second_opinion: SecondOpinion = "limma_trend", lfc_threshold: float = 0.0
) -> dict[str, ad.AnnData]:
    """Return the cohort's fits by model."""
    settings = {
        key: cohort.uns["fibroserum"][key]
        for key in ("groups", "before", "after", "crossover", "covariates")
    }
    counts = pd.DataFrame(cohort.X, index=cohort.obs_names, columns=cohort.var_names)
    return {
        model.name: fit_model(
            counts,
            model,
            cohort.obs["size_factor"],
            cohort.var["target"],
            FitSettings(second_opinion=second_opinion, lfc_threshold=lfc_threshold),
        )
        for model in models_of(cohort.obs, settings)
    }


def de_of(cohort: ad.AnnData, paired: ad.AnnData, alpha: float = 0.05) -> dict[str, pd.DataFrame]:
    """Return the result tables of the paired model's contrasts."""
    contrasts = contrasts_of(cohort.uns["fibroserum"]["groups"], "pre", "post")
    return {
        c.name: result_table(paired, c.name, cohort.var["symbol"], alpha)
        for c in contrasts
        if c.model == "paired"
    }
