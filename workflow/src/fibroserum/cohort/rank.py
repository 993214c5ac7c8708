"""Whether a design can be fitted: its rank and residual degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.errors import InputError, Problem, listed, refuse


class NoResidual(InputError):
    """The input leaves a design no residual degree of freedom."""


def aliased_columns(design: Design) -> list[str]:
    """Return the dense columns that are linear combinations of those before them (Gram-Schmidt).

    The blocks come first: they are eliminated, at a cost linear in their number.
    """
    values = design.dense_values
    values = values / np.maximum(np.abs(values).max(axis=0, initial=0), np.finfo(float).tiny)
    within = design.centred(values)
    basis = np.empty((values.shape[0], 0))
    aliased = []
    for name, column, centred in zip(design.dense.columns, values.T, within.T, strict=True):
        size = np.linalg.norm(column)
        rest = centred / size if size else centred
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
            f"'{name}' does not vary within donors, so the donor effects already absorb it. "
            "Remove it from design.covariates."
        )
    if obs["time"].nunique() > 1 and constant_within("donor", "group"):
        return (
            f"'{name}' does not vary within a donor's pair, so the pair effects already absorb "
            "it. Remove it from design.covariates."
        )
    if obs["time"].nunique() > 1 and constant_within("time"):
        return (
            f"'{name}' is confounded with time: its effect cannot be separated from the change. "
            "Remove it from design.covariates."
        )
    if obs["group"].nunique() > 1 and constant_within("group"):
        return (
            f"'{name}' is confounded with group: its effect cannot be separated from the group "
            "effect. Remove it from design.covariates."
        )
    return f"Remove '{name}' from design.covariates, or remove the covariate that it repeats."


def is_estimable(design: Design, contrast: np.ndarray) -> bool:
    """Return whether the samples determine a contrast, whatever values aliased columns take.

    contrast: over all columns of the design. It must be a combination of the rows of the dense
    columns, block means taken out.
    """
    weights = design.dense_contrast(contrast)
    within = design.centred(design.dense_values)
    projected = np.linalg.pinv(within) @ (within @ weights)
    return bool(np.linalg.norm(projected - weights) < 1e-8 * np.linalg.norm(weights))


def full_rank(
    design: Design, what: str, obs: pd.DataFrame | None = None, covariates: Sequence[str] = ()
) -> Design:
    """Return a design without columns of groups that its other columns determine.

    obs: samples × (donor, group, time, covariates), to say why a covariate is to blame. Raises
    InputError where a covariate is to blame, NoResidual where no residual degree of freedom is
    left.
    """
    names = design.dense.columns
    if len(repeated := names[names.duplicated()].unique()):
        raise refuse(
            f"a column of the sheet has the name of a model coefficient: {listed(repeated)}",
            what,
            "other names for covariates",
            "Rename it in the sheet and in the config.",
        )
    aliased = aliased_columns(design)
    rank = design.n_columns - len(aliased)
    if len(design.samples) <= rank:
        problem = Problem(
            f"{len(design.samples)} samples and {design.n_columns} model coefficients leave no "
            "residual degree of freedom",
            what,
            "more samples than coefficients",
            "Add complete pairs, or remove covariates.",
        )
        raise NoResidual([problem])
    to_blame = [
        name
        for name in covariates
        if any(column == name or column.startswith(f"{name}[") for column in aliased)
    ]
    if to_blame:
        hints = [_why_aliased(obs, name) for name in to_blame if obs is not None]
        raise _deficient(aliased, what, " ".join(hints))
    return Design(design.dense.drop(columns=aliased), design.blocks)


def check_rank(
    design: Design, what: str, obs: pd.DataFrame | None = None, covariates: Sequence[str] = ()
) -> None:
    """Raise InputError when a design is rank-deficient or leaves no residual degree of freedom.

    obs, covariates: as `full_rank` takes them.
    """
    kept = full_rank(design, what, obs, covariates)
    aliased = [name for name in design.dense.columns if name not in kept.dense.columns]
    if aliased:
        raise _deficient(aliased, what)


def _deficient(aliased: Sequence[str], what: str, hint: str = "") -> InputError:
    named = ", ".join(f"'{column}'" for column in aliased)
    return refuse(
        f"the design is rank-deficient, because {named} is a combination of other model terms",
        what,
        "covariates that donor, group and time do not determine",
        hint,
    )
