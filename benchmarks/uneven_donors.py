"""Cohorts and panels whose donors vary unequally, with known truth.

Shares nothing with fibroserum.simulate: counts are gamma-Poisson, a donor's changes are drawn
gene by gene. The dials are those of uneven_donors.toml.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DIALS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "uneven_donors.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class SerumCohort:
    """Counts (samples × genes), their sheet with `level` (log2, text), and which genes follow."""

    counts: pd.DataFrame
    obs: pd.DataFrame
    true: pd.Series


def serum_cohort(setting: str, donors: int, *, null: bool, seed: int) -> SerumCohort:
    """Return a cohort of two groups of so many donors; null: no gene follows the level."""
    dial = DIALS["serum"] | DIALS["serum"]["settings"][setting]
    rng = np.random.default_rng([dial["seed"], donors, null, seed])
    genes, people = dial["genes"], 2 * donors
    rt = np.arange(people) >= donors
    change = rng.normal(size=people) * np.array(dial["level_sd"])[rt.astype(int)]
    if "extreme" in dial:
        change[donors] = dial["extreme"] * dial["level_sd"][1] * rng.choice([-1, 1])
    slopes = np.zeros(genes)
    if not null:
        slopes[: dial["true"]] = dial["slope"] * rng.choice([-1, 1], dial["true"])
    affected = rng.random(genes) < dial.get("part", 1.0)
    own = dial["response_sd"] + dial.get("rt_response_sd", 0.0) * rt[:, None] * affected
    more = dial.get("response_per_level", 0.0) * np.abs(change)[:, None] * affected
    response = rng.normal(size=(people, genes)) * own + rng.normal(size=(people, genes)) * more
    shared = np.where(rng.random(genes) < 0.05, rng.uniform(0.4, 1, genes), 0)
    post = np.outer(change, slopes) + response + shared * rng.choice([-1, 1], genes)
    post[donors] += rng.normal(0, 1, genes) * dial.get("poor_sd", 0.0)
    mean = np.exp(rng.normal(np.log(100), 1.2, genes))
    dispersion = (0.03 + 1 / mean) * np.exp(rng.normal(0, 0.5, genes))
    base = rng.normal(0, 0.4, (people, genes))
    log2 = np.concatenate([base, base + post])
    depth = rng.lognormal(0, 0.2, (2 * people, 1))
    expected = mean * 2**log2 * depth * rng.gamma(1 / dispersion, dispersion, log2.shape)
    names = [f"D{n:02d}_{time}" for time in ("pre", "post") for n in range(people)]
    before = rng.normal(10, 0.5, people)
    obs = pd.DataFrame(
        {
            "donor": [name.split("_")[0] for name in names],
            "group": np.where(np.tile(rt, 2), "RT", "AT"),
            "time": [name.split("_")[1] for name in names],
            "level": [repr(float(v)) for v in np.concatenate([before, before + change])],
        },
        index=names,
    )
    columns = [f"g{n}" for n in range(genes)]
    counts = pd.DataFrame(rng.poisson(expected), names, columns)
    return SerumCohort(counts, obs, pd.Series(slopes != 0, columns))


def muscle_pairs(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts and sheet of the complete pairs before and three hours after exercise."""
    sheet = pd.read_csv(folder / "samples.csv", index_col=0, dtype=str)
    sheet = sheet[sheet["time"].isin(["basal", "rec"])]
    sheet = sheet[sheet.groupby("donor")["time"].transform("nunique") == 2]
    obs = sheet.assign(
        group=sheet["group"].map({"NGT": "AT", "T2D": "RT"}),
        time=sheet["time"].map({"basal": "pre", "rec": "post"}),
    ).sort_values(["time", "donor"], ascending=[False, True])
    raw = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0)
    raw = raw[~raw.index.duplicated()][list(obs.index)].T
    return raw.loc[:, (raw >= 10).sum() >= 17], obs


def real_cohort(counts: pd.DataFrame, obs: pd.DataFrame, *, null: bool, seed: int) -> SerumCohort:
    """Return real pairs with a drawn level; slopes are thinned into some genes unless null.

    counts, obs: `muscle_pairs`. A level that is drawn has nothing to do with any gene. A gene is
    made to follow it by binomial thinning of the sample of each pair that is to be lower.
    """
    dial = DIALS["real"]
    rng = np.random.default_rng([dial["seed"], null, seed])
    chosen = counts.iloc[:, rng.choice(counts.shape[1], dial["genes"], replace=False)]
    donors = sorted(set(obs["donor"]))
    change = pd.Series(rng.normal(0, dial["level_sd"], len(donors)), donors)
    values = chosen.to_numpy(copy=True)
    true = np.arange(dial["genes"]) < (0 if null else dial["true"])
    slopes = dial["slope"] * rng.choice([-1, 1], dial["genes"]) * true
    wanted = (
        np.outer(obs["donor"].map(change), slopes) * np.where(obs["time"] == "post", 1, -1)[:, None]
    )
    lower = wanted < 0
    values[lower] = rng.binomial(values[lower], 2.0 ** wanted[lower])
    level = np.where(obs["time"] == "post", 10 + obs["donor"].map(change), 10.0)
    return SerumCohort(
        pd.DataFrame(values, chosen.index, chosen.columns),
        obs.assign(level=[repr(float(v)) for v in level]),
        pd.Series(true, chosen.columns),
    )


def panel(setting: str, donors: int, true: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of two groups, (donors, 1 + targets): the factor first.

    The factor differs between the groups; of the targets the first `true` follow it.
    """
    dial = DIALS["panels"] | DIALS["panels"]["settings"][setting]
    rng = np.random.default_rng([dial["seed"], donors, true, seed])
    targets = dial["targets"]
    rt = np.arange(2 * donors) < donors
    distance = rng.normal(0, dial["level_sd"], 2 * donors)
    factor = distance + dial["shift"] * rt
    slopes = np.zeros(targets)
    slopes[:true] = dial["slope"] * rng.choice([-1, 1], true)
    sd = np.full((2 * donors, targets), dial["target_sd"])
    if "grows" in dial:
        size = np.abs(factor if dial["by"] == "size" else distance)
        # where a part varies so, the others are as noisy on average
        part = np.arange(targets) >= targets - dial.get("part", targets)
        sd += np.where(part, dial["grows"] * size[:, None], dial["grows"] * size.mean())
    noise = rng.normal(size=sd.shape) * sd
    if dial.get("bad"):
        factor[0] += rng.normal(-0.4, 1.5)
        noise[0] += rng.normal(0, 0.8, targets)
    changes = np.column_stack([factor, np.outer(factor, slopes) + noise])
    return changes[rt], changes[~rt]
