"""How often is a gene or a target falsely associated with an outcome? Simulated cohorts.

    python benchmarks/calibrate_outcomes.py --write docs/calibration.md

Seeded: each run gives the same numbers. Without `--write` the section is only printed.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

# before numpy: sums must not depend on the number of BLAS threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from outcome_cohorts import SETTINGS, SHAPES, SPREADS, outcome_cohort

from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.outcomes.pairs import outcome_slope
from fibroserum.slopes.design import Question
from fibroserum.slopes.model import SlopeSteps, slope_test
from sections import run_study

ALPHA = 0.05
DONORS = (6, 10, 20)
SHARES = (0.0, 0.1)
PANEL, GENES = 12, 400
PLAIN = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf, deletion=False)
# with the model of changes all settings, with that of the samples before the hardest outcome
QUESTIONS: dict[Question, tuple[str, ...]] = {"change": SHAPES, "baseline": ("outlier",)}
Key = tuple[Question, str, str, int, float]

TITLE = "Outcomes"
READING = """\
FDP: mean share of false calls among the calls (0 in a cohort without calls); if nothing is true,
the share of cohorts with a false call. *Genes*: Benjamini-Hochberg over all genes. *Panel*: over 12
targets, drawn among genes of all kinds. The error is the standard error over cohorts; a row passes
if FDP is at most 0.05 + 2 errors. *Plain*: limma-voom's moderated t, one variance for all pairs,
for comparison. *Groups*: changes of expression and of the outcome vary twice as much in one group;
*donor*: in one donor. *Outlier*: one outcome of 5 standard deviations."""


def one(key: Key, seed: int, genes: int = GENES) -> dict[str, float]:
    """Return the FDP of genes and of a panel in one cohort, and the share of true genes called."""
    question, spread, shape, donors, true = key
    cohort = outcome_cohort(
        donors, spread=spread, shape=shape, true=true, question=question, genes=genes, seed=seed
    )
    model = outcome_slope(
        cohort.counts,
        cohort.obs,
        SETTINGS,
        cohort.pairs,
        pd.Series(False, index=cohort.counts.columns),
        name="the outcome",
        question=question,
    )
    assert model.fit is not None, model.unavailable
    truth = cohort.true[model.table.index].to_numpy()
    groups = cohort.obs.loc[model.fit.samples, "group"]
    plain, _ = slope_test(model.fit, groups, PLAIN)
    panel = np.random.default_rng([seed, 7]).permutation(len(truth))[:PANEL]
    found: dict[str, float] = {}
    for name, table in (("", model.table), ("plain ", plain)):
        for family, own in (("genes", np.arange(len(truth))), ("panel", panel)):
            called = benjamini_hochberg(table["pvalue"].to_numpy()[own]) < ALPHA
            found[f"{name}{family}"] = float((called & ~truth[own]).sum() / max(called.sum(), 1))
            if family == "genes":
                found[f"{name}power"] = float((called & truth).sum() / max(truth.sum(), 1))
    return found


def rows(cohorts: int, workers: int) -> pd.DataFrame:
    """Return a row a setting: means and standard errors."""
    keys: list[Key] = [
        key
        for question, shapes in QUESTIONS.items()
        for key in product((question,), SPREADS, shapes, DONORS, SHARES)
    ]
    jobs = [(key, seed) for key in keys for seed in range(1, cohorts + 1)]
    with ProcessPoolExecutor(workers) as pool:
        found = pd.DataFrame(pool.map(one, *zip(*jobs, strict=True), chunksize=20))
    names = ["question", "spread", "outcome", "donors", "true"]
    found[names] = [key for key, _ in jobs]
    grouped = found.groupby(names, sort=False)
    errors = grouped.sem()[["genes", "panel"]].add_suffix("_error")
    return grouped.mean().join(errors).reset_index()


def passing(row: Mapping[Hashable, Any]) -> bool:
    """Return whether a row's genes and panel keep their level."""
    return all(row[name] <= ALPHA + 2 * row[f"{name}_error"] for name in ("genes", "panel"))


def finding(table: pd.DataFrame) -> str:
    """Return what the study shows in a sentence."""
    kept = sum(map(passing, table.to_dict("records")))
    return (
        f"{kept} of {len(table)} settings keep their level. The largest FDP of genes is "
        f"{table['genes'].max():.3f}; a plain moderated t has up to "
        f"{table['plain genes'].max():.3f}."
    )


def section(table: pd.DataFrame, cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    lines = [
        "| question | variance | outcome | donors | true | genes FDP | panel FDP | power "
        "| plain genes FDP | passes |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in table.to_dict("records"):
        lines.append(
            f"| {row['question']} | {row['spread']} | {row['outcome']} | {row['donors']} "
            f"| {row['true']:g} | {row['genes']:.3f} ± {row['genes_error']:.3f} "
            f"| {row['panel']:.3f} ± {row['panel_error']:.3f} | {row['power']:.2f} "
            f"| {row['plain genes']:.3f} | {'yes' if passing(row) else '**no**'} |"
        )
    head = (
        f"## {TITLE}\n\n`benchmarks/calibrate_outcomes.py`: {cohorts} simulated cohorts per row, "
        f"{GENES} genes that correlate, two groups of equal size."
    )
    return "\n".join([head, "", READING, "", *lines, ""])


if __name__ == "__main__":
    run_study(__doc__, rows, section, finding)
