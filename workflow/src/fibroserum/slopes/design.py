"""Designs of a slope on a value of each pair, and the counts and factors that are fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import Design, indicators
from fibroserum.cohort.models import covariate_columns, paired_model
from fibroserum.cohort.rank import check_rank

Question = Literal["change", "baseline"]
# the column of the values, the last of the design
VALUE = "slope[value]"


def keys_of(frame: pd.DataFrame) -> pd.MultiIndex:
    """Return donor and group of each row, as text."""
    return pd.MultiIndex.from_arrays([frame["donor"].astype(str), frame["group"].astype(str)])


def centred(values: pd.Series) -> pd.Series:
    """Return values by (donor, group) less their group's mean."""
    return values - values.groupby(level=1, sort=False).transform("mean")


def slope_design(
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    values: pd.Series,
    question: Question = "change",
) -> Design:
    """Return the design of a slope model, `VALUE` last.

    obs: samples × (donor, group, time, covariates) of complete pairs; settings: `groups`, `before`,
    `after`, `crossover`, `covariates`; values: by (donor, group), of the pairs that have one. In a
    crossover each pair is a block and each donor has a mean change of its own, so that a donor's
    several pairs do not count as several donors. Raises InputError where the slope cannot be
    estimated.
    """
    own = obs[keys_of(obs).isin(values.index)]
    value = centred(values).reindex(keys_of(own)).to_numpy(float)
    groups = [group for group in settings["groups"] if (own["group"].astype(str) == group).any()]
    before = question == "baseline"
    make = _before_columns if before else change_columns
    dense, blocks = make(own, settings, groups)
    after = 1.0 if before else (own["time"] == settings["after"]).to_numpy(float)
    kept = np.ones(len(own), bool)
    if before:
        kept = (own["time"] == settings["before"]).to_numpy()
    column = pd.DataFrame({VALUE: after * value}, index=own.index)[kept]
    design = Design(pd.concat([dense, column], axis=1), blocks)
    check_rank(design, f"the model of the slope ({question})")
    return design


def change_columns(
    obs: pd.DataFrame, settings: Mapping[str, Any], groups: list[str]
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Return the dense columns and blocks of the model of changes."""
    crossover = settings["crossover"]
    pair = obs["donor"].astype(str) + "|" + obs["group"].astype(str)
    model = paired_model(
        obs.assign(donor=pair) if crossover else obs,
        groups,
        settings["after"],
        [],
        crossover=False,
        covariates=settings["covariates"],
        categorical=settings.get("categorical", ()),
    )
    dense = model.design.dense
    if crossover:
        after = (obs["time"] == settings["after"]).to_numpy(float)
        changes = {
            f"donor_after[{donor}]": after * (obs["donor"] == donor)
            for donor in sorted(obs["donor"].unique())
        }
        dense = dense.drop(columns=f"after[{groups[0]}]").assign(**changes)
    return dense, model.design.blocks


def _before_columns(
    obs: pd.DataFrame, settings: Mapping[str, Any], groups: list[str]
) -> tuple[pd.DataFrame, None]:
    """Return the dense columns of the samples before: groups and, in a crossover, donors."""
    own = obs[obs["time"] == settings["before"]]
    names, donors = own["group"].astype(str), own["donor"].astype(str)
    crossover = settings["crossover"]
    parts = [
        indicators(names, "group", groups[1:] if crossover else groups),
        indicators(donors, "donor", sorted(donors.unique()) if crossover else []),
        covariate_columns(own, settings["covariates"], settings.get("categorical", ())),
    ]
    return pd.concat(parts, axis=1), None


def tmm_or_fixed(own: pd.DataFrame, settings: Mapping[str, Any]) -> pd.Series:
    """Return TMM factors by sample, or those of size factors that are not of the genes."""
    fixed = settings.get("fixed_size_factors")
    if fixed is None:
        return pd.Series(linear.tmm_factors(own), own.index)
    return linear.fixed_norm_factors(own, fixed)


def well_counted(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    design: Design,
    force_kept: pd.Series,
) -> pd.DataFrame:
    """Return the counts of the design's samples in genes with enough of them."""
    own = counts.loc[design.samples]
    # which genes have counts enough is a matter of the groups, not of donors or the values
    group = obs.loc[own.index, "group"]
    if design.blocks is not None:
        group = group.where(obs.loc[own.index, "time"] == settings["after"])
    plain = pd.DataFrame({f"after[{name}]": (group == name) * 1.0 for name in group.unique()})
    keep = linear.filter_by_expr(
        own,
        Design(plain.loc[:, plain.any()]),
        keep=force_kept[own.columns].to_numpy(bool),
    )
    return own.loc[:, keep]
