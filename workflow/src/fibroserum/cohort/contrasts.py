"""Contrasts and models of a cohort, built from its design.

Donors are blocked by one indicator column each, with one `after` column a group and no intercept:
formula designs with donors nested in unequal groups are rank-deficient. A contrast is a numeric
vector over those columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from fibroserum.errors import InputError, Problem, refuse
from fibroserum.input.config import file_name

Kind = Literal["change", "difference", "average", "baseline"]
SINGLE_GROUP = "all"


@dataclass(frozen=True)
class Contrast:
    """One contrast: what it estimates, for which group, against which, from which model."""

    name: str
    kind: Kind
    group: str | None
    reference: str | None
    model: Literal["paired", "baseline"]

    @property
    def file(self) -> str:
        """The name as it stands in file names."""
        return file_name(self.name)


@dataclass(frozen=True)
class Model:
    """A design matrix (samples × columns) and for each contrast a numeric vector over them.

    groups: of each sample, which may spread differently; None: they are one.
    """

    name: Literal["paired", "baseline", "stimulation"]
    design: pd.DataFrame
    contrasts: dict[str, np.ndarray]
    groups: pd.Series | None = None

    @property
    def residual_df(self) -> int:
        """Samples minus columns."""
        return self.design.shape[0] - self.design.shape[1]


def order_groups(groups: Sequence[str], reference: str | None) -> list[str]:
    """Return the groups with the reference first, the others in the order of their names."""
    rest = sorted(set(groups) - {reference})
    return [reference, *rest] if reference in set(groups) else rest


def contrasts_of(groups: Sequence[str], before: str, after: str) -> list[Contrast]:
    """Return every contrast of SPEC for groups given with the reference first."""
    reference, *others = groups
    found = [Contrast(f"{g}_{after}_vs_{before}", "change", g, None, "paired") for g in groups]
    found += [
        Contrast(f"{g}_vs_{reference}_change", "difference", g, reference, "paired") for g in others
    ]
    if others:
        found.append(Contrast(f"average_{after}_vs_{before}", "average", None, None, "paired"))
    found += [
        Contrast(f"{g}_vs_{reference}_{before}", "baseline", g, reference, "baseline")
        for g in others
    ]
    return found


def _indicators(values: pd.Series, label: str, levels: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {f"{label}[{level}]": (values == level).astype(float) for level in levels},
        index=values.index,
    )


def covariate_columns(obs: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Return covariates as columns: numbers centred, categories as indicators less the first."""
    parts = [pd.DataFrame(index=obs.index)]
    for name in covariates:
        numbers = pd.to_numeric(obs[name], errors="coerce")
        if numbers.notna().all():
            parts.append((numbers.astype(float) - numbers.mean()).to_frame(name))
        else:
            text = obs[name].astype(str)
            parts.append(_indicators(text, name, sorted(text.unique())[1:]))
    return pd.concat(parts, axis=1)


def _vector(design: pd.DataFrame, weights: dict[str, float]) -> np.ndarray:
    return np.array([weights.get(column, 0.0) for column in design.columns])


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
    donors = _indicators(obs["donor"], "donor", sorted(obs["donor"].unique()))
    main = _indicators(obs["group"], "group", groups[1:] if crossover else [])
    changes = _indicators(obs["group"].where(obs["time"] == after), "after", groups)
    design = pd.concat([donors, main, changes, covariate_columns(obs, covariates)], axis=1)
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
    if crossover:
        donors = _indicators(obs["donor"], "donor", sorted(obs["donor"].unique()))
        main = pd.concat([donors, _indicators(obs["group"], "group", groups[1:])], axis=1)
    else:
        main = _indicators(obs["group"], "group", groups)
    design = pd.concat([main, covariate_columns(obs, covariates)], axis=1)
    check_rank(design, "the baseline model", obs, covariates)
    vectors = {}
    for contrast in contrasts:
        if contrast.model == "baseline":
            weights = {f"group[{contrast.group}]": 1.0, f"group[{contrast.reference}]": -1.0}
            vectors[contrast.name] = _vector(design, weights)
    return Model("baseline", design, vectors, obs["group"].astype(str))


def aliased_columns(design: pd.DataFrame) -> list[str]:
    """Return the columns that are linear combinations of those before them (Gram-Schmidt)."""
    values = design.to_numpy(float)
    values = values / np.maximum(np.abs(values).max(axis=0, initial=0), np.finfo(float).tiny)
    basis = np.empty((values.shape[0], 0))
    aliased = []
    for name, column in zip(design.columns, values.T, strict=True):
        size = np.linalg.norm(column)
        rest = column / size if size else column
        # twice is enough: one pass loses orthogonality where columns nearly coincide
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        left = np.linalg.norm(rest)
        if left < 1e-8:
            aliased.append(str(name))
        else:
            basis = np.column_stack([basis, rest / left])
    return aliased


def _why_aliased(obs: pd.DataFrame, name: str) -> str:
    """Return why a covariate cannot be told from the design, as far as the sheet shows it."""

    def constant_within(*keys: str) -> bool:
        several = all(obs[key].nunique() < len(obs) for key in keys)
        return several and bool((obs.groupby(list(keys))[name].nunique() == 1).all())

    if constant_within("donor"):
        return (
            f"'{name}' is constant within donors, whose blocks hold it already: "
            "take it out of design.covariates."
        )
    if obs["time"].nunique() > 1 and constant_within("time"):
        return f"'{name}' is confounded with time: its effect cannot be told from the change."
    if obs["group"].nunique() > 1 and constant_within("group"):
        return f"'{name}' is confounded with group: its effect cannot be told from the group's."
    return f"Leave '{name}' out of design.covariates, or the covariate that it repeats."


def check_rank(
    design: pd.DataFrame, what: str, obs: pd.DataFrame | None = None, covariates: Sequence[str] = ()
) -> None:
    """Raise InputError when a design is rank-deficient or leaves no residual degree of freedom.

    obs: samples × (donor, group, time, covariates), to say why a covariate is to blame.
    """
    aliased = aliased_columns(design)
    rank = design.shape[1] - len(aliased)
    if design.shape[0] <= rank:
        raise refuse(
            f"{design.shape[0]} samples for {design.shape[1]} columns leave no residual "
            "degree of freedom",
            what,
            "more samples than columns",
            "Bring more complete pairs, or fewer covariates.",
        )
    if aliased:
        named = ", ".join(f"'{column}'" for column in aliased)
        to_blame = [
            name
            for name in covariates
            if any(column == name or column.startswith(f"{name}[") for column in aliased)
        ]
        raise refuse(
            f"the design is rank-deficient: {named} can be made from the other columns",
            what,
            "covariates that donor, group and time do not determine",
            " ".join(_why_aliased(obs, name) for name in to_blame if obs is not None),
        )


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
