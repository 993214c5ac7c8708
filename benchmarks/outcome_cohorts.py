"""Simulated cohorts with an outcome: correlated genes, groups and donors that vary unequally.

A simulator of its own: it shares no code with `fibroserum.simulate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SPREADS = ("equal", "groups", "donor")
SHAPES = ("normal", "skew", "outlier")
SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}
FACTORS = 5


@dataclass(frozen=True)
class OutcomeCohort:
    """counts: samples × genes; obs: of the samples; pairs: as `outcome_pairs`; true: by gene."""

    counts: pd.DataFrame
    obs: pd.DataFrame
    pairs: pd.DataFrame
    true: pd.Series


def outcome_cohort(
    donors: int,
    *,
    spread: str,
    shape: str,
    true: float,
    question: str = "change",
    genes: int,
    seed: int,
) -> OutcomeCohort:
    """Return a cohort of so many donors in two groups; true: share of genes with a slope.

    spread: `equal`; `groups`: changes in RT vary twice as much, of expression and of the outcome;
    `donor`: one donor's do. shape: of the outcome's changes, `outlier` has one of 5 standard
    deviations. A third of each gene's variance between donors is shared with other genes, through
    five latent factors that have nothing to do with the outcome. question: what true genes follow
    the outcome with, their change or their level before.
    """
    rng = np.random.default_rng([seed, donors, SPREADS.index(spread), SHAPES.index(shape)])
    rt = np.arange(donors) >= donors // 2
    size = np.ones(donors)
    if spread == "groups":
        size[rt] = 2.0
    elif spread == "donor":
        size[rng.integers(donors)] = 2.0
    change = _shaped(rng, donors, shape) * size + 0.5 * rt
    share, loads = np.sqrt(1 / 3), rng.normal(size=(2, FACTORS, genes)) / np.sqrt(FACTORS)

    def between(time: int, scale: np.ndarray) -> np.ndarray:
        common = rng.normal(size=(donors, FACTORS)) @ loads[time]
        own = rng.normal(size=(donors, genes))
        return 0.3 * scale[:, None] * (share * common + np.sqrt(1 - share**2) * own)

    follows = np.zeros(genes, bool)
    follows[rng.choice(genes, int(true * genes), replace=False)] = True
    slope = np.where(follows, rng.choice([-0.5, 0.5], genes), 0.0)
    effect = np.outer(change - change.mean(), slope)
    level, moved = between(0, size), between(1, size) + 0.3 * rng.normal(size=genes)
    if question == "change":
        moved = moved + effect
    else:
        level = level + effect
    log2 = rng.normal(6.0, 2.0, genes) + np.concatenate([level, level + moved])
    dispersion = 0.02 + 0.5 / np.maximum(2.0**log2, 4.0)
    depth = 2.0 ** rng.uniform(-0.7, 0.7, 2 * donors)
    mean = 2.0**log2 * depth[:, None]
    counts = rng.poisson(rng.gamma(1 / dispersion, mean * dispersion))
    names = [f"D{n:02d}" for n in range(donors)]
    group = np.where(rt, "RT", "AT")
    obs = pd.DataFrame(
        {
            "donor": names * 2,
            "group": np.tile(group, 2),
            "time": np.repeat(["pre", "post"], donors),
            "used_for": "change",
        },
        index=[f"{name}_{time}" for time in ("pre", "post") for name in names],
    )
    columns = [f"G{n:04d}" for n in range(genes)]
    pairs = pd.DataFrame({"donor": names, "group": group, "before": np.nan, "after": np.nan})
    pairs = pairs.assign(change=change, used=True, reason=None)
    frame = pd.DataFrame(counts, obs.index, columns)
    return OutcomeCohort(frame, obs, pairs, pd.Series(follows, columns))


def _shaped(rng: np.random.Generator, donors: int, shape: str) -> np.ndarray:
    """Return the outcome's changes, of standard deviation 1."""
    if shape == "skew":
        return np.asarray(rng.exponential(size=donors) - 1)
    values = rng.normal(size=donors)
    if shape == "outlier":
        values[rng.integers(donors)] = 5.0
    return np.asarray(values)
