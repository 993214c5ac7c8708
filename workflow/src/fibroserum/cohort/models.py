"""The models of a cohort: design matrices, and contrasts as numeric vectors over their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.cohort.designs import Design, indicators
from fibroserum.cohort.rank import check_rank
from fibroserum.errors import InputError, Problem


@dataclass(frozen=True)
class Model:
    """A design with its blocks, and for each contrast a numeric vector over all its columns.

    groups: of each sample, which may spread differently; None: they are one.
    """

    name: Literal["paired", "baseline", "stimulation"]
    design: Design
    contrasts: dict[str, np.ndarray]
    groups: pd.Series | None = None


def covariate_columns(obs: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Return covariates as columns: numbers centred, categories as indicators less the first."""
    parts = [pd.DataFrame(index=obs.index)]
    for name in covariates:
        numbers = pd.to_numeric(obs[name], errors="coerce")
        if numbers.notna().all():
            parts.append((numbers.astype(float) - numbers.mean()).to_frame(name))
        else:
            text = obs[name].astype(str)
            parts.append(indicators(text, name, sorted(text.unique())[1:]))
    return pd.concat(parts, axis=1)


def _vector(design: Design, weights: dict[str, float]) -> np.ndarray:
    return design.contrast(np.array([weights.get(name, 0.0) for name in design.dense.columns]))


def _paired_weights(contrast: Contrast, groups: Sequence[str]) -> dict[str, float]:
    if contrast.kind == "change":
        return {f"after[{contrast.group}]": 1.0}
    if contrast.kind == "difference":
        return {f"after[{contrast.group}]": 1.0, f"after[{contrast.reference}]": -1.0}
    return {f"after[{group}]": 1.0 / len(groups) for group in groups}


def paired_model(
    obs: pd.DataFrame,
    groups: Sequence[str],
    after: str,
    contrasts: Sequence[Contrast],
    *,
    crossover: bool,
    covariates: Sequence[str] = (),
) -> Model:
    """Return the model of changes within donors.

    obs: samples × (donor, group, time, covariates), complete pairs only; groups: reference first.
    Raises InputError when the design is rank-deficient, naming the columns.
    """
    main = indicators(obs["group"], "group", list(groups[1:]) if crossover else [])
    changes = indicators(obs["group"].where(obs["time"] == after), "after", list(groups))
    dense = pd.concat([main, changes, covariate_columns(obs, covariates)], axis=1)
    design = Design(dense, obs["donor"])
    own = [contrast for contrast in contrasts if contrast.model == "paired"]
    check_rank(design, "the model of changes", obs, covariates)
    vectors = {c.name: _vector(design, _paired_weights(c, groups)) for c in own}
    return Model("paired", design, vectors, obs["group"].astype(str))


def baseline_model(
    obs: pd.DataFrame,
    groups: Sequence[str],
    contrasts: Sequence[Contrast],
    *,
    crossover: bool,
    covariates: Sequence[str] = (),
) -> Model:
    """Return the model of groups before the intervention: between donors, or within in a crossover.

    obs: before samples only. Raises InputError when the design is rank-deficient.
    """
    main = indicators(obs["group"], "group", list(groups[1:] if crossover else groups))
    dense = pd.concat([main, covariate_columns(obs, covariates)], axis=1)
    design = Design(dense, obs["donor"] if crossover else None)
    check_rank(design, "the baseline model", obs, covariates)
    vectors = {}
    for contrast in contrasts:
        if contrast.model == "baseline":
            weights = {f"group[{contrast.group}]": 1.0, f"group[{contrast.reference}]": -1.0}
            vectors[contrast.name] = _vector(design, weights)
    return Model("baseline", design, vectors, obs["group"].astype(str))


def models_of(obs: pd.DataFrame, settings: dict[str, Any]) -> list[Model]:
    """Return the paired model, and the baseline model where there are several groups.

    obs: samples × (donor, group, time, used_for, covariates); settings: `groups` (reference first),
    `before`, `after`, `crossover`, `covariates`. Raises InputError with both models' problems.
    """
    groups, before, after = settings["groups"], settings["before"], settings["after"]
    contrasts = contrasts_of(groups, before, after)
    common = {"crossover": settings["crossover"], "covariates": settings["covariates"]}
    problems: list[Problem] = []
    models: list[Model] = []
    paired = obs[obs["used_for"] == "change"]
    first = obs[(obs["used_for"] != "none") & (obs["time"] == before)]
    builders = [lambda: paired_model(paired, groups, after, contrasts, **common)]
    if len(groups) > 1:
        builders.append(lambda: baseline_model(first, groups, contrasts, **common))
    for build in builders:
        try:
            models.append(build())
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return models


TREATED = "treated"


def stimulation_design(sheet: pd.DataFrame, arm: dict[str, Any]) -> Design:
    """Return the design of a stimulation experiment: its blocks, and the column `treated`.

    Without blocks there is one for all samples. Samples of other levels are left out. Raises
    InputError where the design is rank-deficient.
    """
    used = sheet[sheet[arm["column"]].isin([arm["control"], arm["treated"]])].set_index("sample")
    used = used.sort_index()
    blocks = used[arm["block"]] if arm["block"] else pd.Series("all", index=used.index)
    treated = (used[arm["column"]] == arm["treated"]).astype(float)
    design = Design(treated.to_frame(TREATED), blocks)
    check_rank(design, f"the stimulation arm of {arm['samples']}")
    return design
