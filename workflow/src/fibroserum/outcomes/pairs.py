"""An outcome's value and change in each pair, and the slope of expression on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.input.covariates import numbers
from fibroserum.input.outcomes import column_of
from fibroserum.input.sheet import obs_name
from fibroserum.slopes.design import Question, keys_of
from fibroserum.slopes.model import STEPS, SlopeModel, SlopeSteps, slope_model

COLUMNS = ["donor", "group", "before", "after", "change", "used", "reason"]
FEWEST_PAIRS = 4


def outcome_pairs(
    obs: pd.DataFrame, settings: Mapping[str, Any], entry: Mapping[str, Any]
) -> pd.DataFrame:
    """Return an outcome's change in each pair, by group (reference first) and donor.

    obs: samples × (donor, group, time, the outcome's column), text, complete pairs of one time;
    settings: `groups`, `before`, `after`; entry: of the config. Columns `COLUMNS`: before and after
    on the outcome's scale, empty where the sheet holds changes.
    """
    value = pd.Series(numbers(obs[obs_name(column_of(entry))].astype(str)), keys_of(obs))
    if entry["scale"] == "log2":
        value = np.log2(value)
    named = {"before": settings["before"], "after": settings["after"]}
    at = {name: value[(obs["time"] == time).to_numpy()] for name, time in named.items()}
    table = pd.DataFrame(at).rename_axis(["donor", "group"])
    if entry["change_column"]:
        table = table.assign(before=np.nan, after=np.nan, change=table["before"])
        missing = {"change": "the change is missing"}
    else:
        table["change"] = table["after"] - table["before"]
        missing = {name: f"the value {name} ({time}) is missing" for name, time in named.items()}
    table = table.reset_index()
    lost = [table[name].isna().map({True: said, False: ""}) for name, said in missing.items()]
    reasons = ["; ".join(filter(None, own)) for own in zip(*lost, strict=True)]
    table = table.assign(used=table["change"].notna(), reason=[why or None for why in reasons])
    rank = {group: number for number, group in enumerate(settings["groups"])}
    table = table.assign(rank=table["group"].map(rank)).sort_values(["rank", "donor"])
    return table[COLUMNS].reset_index(drop=True)


def outcome_slope(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    pairs: pd.DataFrame,
    force_kept: pd.Series,
    *,
    name: str,
    question: Question,
    norm_factors: pd.Series | None = None,
    n_cpus: int = 1,
    steps: SlopeSteps = STEPS,
) -> SlopeModel:
    """Return the slope of expression on an outcome's change.

    pairs: `outcome_pairs`; name: of the outcome; other arguments as `slope_model` takes them.
    """
    used = pairs[pairs["used"]]
    if 0 < len(used) < FEWEST_PAIRS:
        have = "1 pair has" if len(used) == 1 else f"{len(used)} pairs have"
        return SlopeModel.without(
            f"only {have} a change of {name}; a slope needs at least {FEWEST_PAIRS}"
        )
    size = np.nanmax(np.abs(used[["before", "after", "change"]].to_numpy(float)), initial=0.0)
    return slope_model(
        counts,
        obs,
        settings,
        pd.Series(used["change"].to_numpy(float), index=keys_of(used)),
        force_kept,
        name=name,
        question=question,
        magnitude=float(size),
        norm_factors=norm_factors,
        n_cpus=n_cpus,
        steps=steps,
    )
