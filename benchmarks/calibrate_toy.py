"""The toy cohort's generator with seeds 1 to 20, through the library: how often results are right.

python benchmarks/calibrate_toy.py --write docs/calibration.md
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.annotation import find_targets
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort, stimulation_arm
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.enrichment.set_tests import SetSettings
from fibroserum.enrichment.stage import enrich
from fibroserum.factors.stage import FactorSettings, flag_factors
from fibroserum.factors.stimulation import stimulation_table
from fibroserum.genes.gmt import GeneSet
from fibroserum.genes.mapping import annotate
from fibroserum.input.config import with_defaults
from fibroserum.input.schema import config_schema
from fibroserum.simulate import CohortSpec, simulate_cohort
from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings
from sections import took, write_section

ROOT = Path(__file__).resolve().parents[1]
ARM = {
    "samples": "the simulated stimulation experiment",
    "column": "treatment",
    "control": "vehicle",
    "treated": "ccl28",
    "block": "culture",
}


def resolved_config() -> dict[str, Any]:
    """Return the bundled config, complete."""
    import yaml

    raw = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return with_defaults(raw, config_schema())


def analysed(seed: int) -> dict[str, Any]:
    """Return the tables of a cohort drawn with a seed, and its truth."""
    config = resolved_config()
    alpha = config["differential_expression"]["alpha"]
    drawn = simulate_cohort(CohortSpec(), seed)
    annotation = annotate(list(drawn.counts.columns), "ensembl")
    targets, _ = find_targets(config["targets"], annotation, drawn.counts)
    sheet = drawn.samples.astype(str)
    cohort = build_cohort(
        Inputs(drawn.counts, sheet, annotation, targets, {}, ()), config, 10
    ).adata
    noted = settings_of(cohort)
    fits = {
        model.name: fit_model(
            counts_of(cohort), model, cohort.obs["size_factor"], cohort.var["target"], FitSettings()
        )
        for model in models_of(cohort.obs, noted)
    }
    contrasts = contrasts_of(noted["groups"], noted["before"], noted["after"])
    de = {
        c.name: result_table(fits[c.model], c.name, cohort.var["symbol"], alpha) for c in contrasts
    }
    arm = stimulation_arm(drawn.stimulation_counts, drawn.stimulation_samples, cohort.var)
    table = stimulation_table(arm, ARM, alpha=alpha, min_count=10)
    settings = TargetSettings(alpha, equivalence_lfc=None, power_lfc=0.15, randomised=True)
    flags = flag_targets(cohort, fits, de, settings)
    factors = flag_factors(
        cohort,
        fits["paired"],
        de,
        {"CCL28": table},
        {},
        config["factors"],
        FactorSettings(alpha, seed),
    )
    sets = [GeneSet("null_sets", name, "", genes) for name, genes in drawn.null_sets.items()]
    norm_factors = {name: fit.obs["norm_factors"] for name, fit in fits.items()}
    found = enrich(cohort, de, sets, SetSettings(alpha, 5, 500, 100, seed, 1), norm_factors)
    return {
        "truth": drawn.truth,
        "de": de,
        "targets": flags.targets,
        "factors": factors.factors,
        "sets": found.tables,
    }


def false_share(called: pd.Index, true: pd.Series) -> float:
    """Return the false discovery proportion, V / max(R, 1)."""
    return float((true.reindex(called) == 0).sum() / max(len(called), 1))


def measures(seed: int) -> dict[str, float]:
    """Return what is measured on one cohort."""
    tables = analysed(seed)
    truth, verdicts = tables["truth"], tables["targets"]
    out: dict[str, float] = {}
    for name, table in tables["de"].items():
        called = table.loc[table["call"] != "none", "gene_id"]
        out[f"FDP, genes called in {name}"] = false_share(pd.Index(called), truth[name])
    said = verdicts[verdicts["verdict"].isin(["up", "down"])]
    true = np.array([truth.loc[row.gene_id, row.contrast] for row in said.itertuples()])
    right = np.sign(true) == np.where(said["verdict"] == "up", 1, -1)
    out["FDP, verdicts up or down"] = float((~right).sum() / max(len(said), 1))
    bgn = verdicts[verdicts["target"] == "BGN"].set_index("contrast")["verdict"]
    out["BGN up in RT"] = float(bgn["RT_post_vs_pre"] == "up")
    out["BGN not up in AT"] = float(bgn["AT_post_vs_pre"] != "up")
    for factor in ("CCL28", "CXCL4"):
        own = tables["factors"].query("factor == @factor")
        called = pd.Index(own.loc[own["call"].isin(["responsive", "confirmed"]), "gene_id"])
        planted = truth["ccl28_responsive"] & (factor == "CCL28")
        out[f"FDP, {factor}-responsive"] = false_share(called, planted.astype(float))
        if factor == "CCL28":
            share = planted[called.intersection(planted.index)].sum() / planted.sum()
            out["planted CCL28-responsive genes called"] = float(share)
    sets = pd.concat(tables["sets"].values())
    out["null sets called (fry)"] = float((sets["call"] != "none").mean())
    out["null sets enriched"] = float((sets["enriched"] != "none").mean())
    return out


def section(rows: pd.DataFrame) -> str:
    """Return the section of docs/calibration.md."""
    error = rows.std(ddof=1) / np.sqrt(len(rows))
    lines = [
        "## The toy cohort's generator",
        "",
        f"`python benchmarks/calibrate_toy.py`: seeds 1 to {len(rows)} (8 and 10 donors,",
        "3,000 genes, the bundled config), mean ± Monte Carlo error. FDP is V / max(R, 1);",
        "the bundled cohort is seed 1.",
        "",
        "| measure | mean |",
        "| --- | --- |",
        *[f"| {name} | {rows[name].mean():.3f} ± {error[name]:.3f} |" for name in rows],
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    start = time.monotonic()
    with ProcessPoolExecutor(asked.processes) as pool:
        rows = pd.DataFrame(pool.map(measures, range(1, asked.seeds + 1)))
    text = section(rows)
    print(text)
    print(took(start))
    if asked.write:
        write_section(asked.write, text)


if __name__ == "__main__":
    main()
