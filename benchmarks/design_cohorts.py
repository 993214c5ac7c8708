"""Simulated cohorts of several groups, several times after, and a dose, with known truth.

A donor responds in its own way, and alike at all times: later times correlate within donors beyond
the sample before that they share. Groups may differ in how much their donors differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

GROUPS = ("AT", "RT", "control")
#: what the cohort notes and does not have
EMPTY = ("covariates", "lines", "notes", "targets", "target_genes", "not_estimable")
EMPTY += ("why_not_estimable",)
#: standard deviation of a donor's own response (log2): alike, and unlike, by group
ALIKE, UNLIKE = (0.3, 0.3, 0.3), (0.15, 0.3, 0.6)
EFFECT = 0.8


@dataclass(frozen=True)
class Cell:
    """One kind of cohort.

    donors: in each group. spread: of the donors' own responses, by group. times: after the
    intervention. changed: share of the genes that change, in RT only and at the last time twice as
    much; their slope on the dose in RT likewise, at every time.
    """

    donors: int
    spread: tuple[float, ...] = ALIKE
    times: tuple[str, ...] = ("week8", "week16")
    changed: float = 0.1
    genes: int = 2000


def cohort_of(cell: Cell, seed: int) -> tuple[ad.AnnData, np.ndarray]:
    """Return a cohort as `cohort.stage.build_cohort` makes it, and which genes change (G,)."""
    rng = np.random.default_rng([seed, 20])
    rows = [
        (f"{group}{number:02d}", group, time)
        for group in GROUPS
        for number in range(cell.donors)
        for time in ("pre", *cell.times)
    ]
    obs = pd.DataFrame(rows, columns=["donor", "group", "time"])
    obs.index = pd.Index([f"{donor}_{time}" for donor, _, time in rows])
    donors = pd.unique(obs["donor"])
    sessions = pd.Series(rng.integers(8, 25, len(donors)).astype(float), donors)
    obs["sessions"] = sessions[obs["donor"]].map("{:g}".format).to_numpy()
    genes = cell.genes
    level = rng.normal(7.0, 1.5, genes)
    changed = rng.random(genes) < cell.changed
    sign = rng.choice([-1.0, 1.0], genes)
    start = rng.normal(0, 0.4, (len(donors), genes))
    spread = dict(zip(GROUPS, cell.spread, strict=True))
    width = np.array([spread[donor[:-2]] for donor in donors])[:, None]
    response = rng.normal(0, 1, (len(donors), genes)) * width * np.sqrt(0.6)
    log2 = level + start[pd.Categorical(obs["donor"], donors).codes]
    dose = (sessions - sessions.mean()) / 8
    for place, (donor, group, time) in enumerate(obs[["donor", "group", "time"]].to_numpy()):
        if time == "pre":
            continue
        own = rng.normal(0, 1, genes) * spread[group] * np.sqrt(0.4)
        log2[place] += response[list(donors).index(donor)] + own
        if group == "RT":
            size = EFFECT * (2 if time == cell.times[-1] else 1) + EFFECT * dose[donor]
            log2[place] += np.where(changed, sign * size, 0.0)
    depth = np.exp(rng.normal(0, 0.2, len(obs)))
    mean = 2.0**log2 * depth[:, None]
    dispersion = 0.01 + 1.0 / 2.0**level
    counts = rng.poisson(rng.gamma(1 / dispersion, mean * dispersion))
    names = pd.Index([f"G{number:05d}" for number in range(genes)])
    obs["used_for"], obs["size_factor"] = "change", depth / np.exp(np.log(depth).mean())
    var = pd.DataFrame({"symbol": "", "target": False}, index=names)
    cohort = ad.AnnData(X=counts.astype(np.int64), obs=obs, var=var)
    cohort.uns["fibroserum"] = {
        "cohort": "simulated",
        "before": "pre",
        "after": list(cell.times) if len(cell.times) > 1 else cell.times[0],
        "groups": list(GROUPS),
        "reference": GROUPS[0],
        "crossover": False,
        "differences": "pairwise",
        **{key: [] for key in EMPTY},
    }
    return cohort, changed
