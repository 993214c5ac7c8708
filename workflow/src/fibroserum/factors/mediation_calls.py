"""The rows of `mediation.tsv`: which donors and values go into each mediation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.factors.mediation import (
    Mediation,
    between_groups,
    not_assessable,
    within_subjects,
)
from fibroserum.intervals import sign_of_interval
from fibroserum.multiple_testing import benjamini_hochberg


def target_changes(log2: pd.Series, obs: pd.DataFrame, settings: Mapping[str, Any]) -> pd.Series:
    """Return a target's change of log2 expression by (donor, group), complete pairs alone."""
    keys = ["donor", "group"]
    frame = obs[[*keys, "time"]].assign(log2=log2)
    after = frame[frame["time"] == settings["after"]].set_index(keys)["log2"]
    before = frame[frame["time"] == settings["before"]].set_index(keys)["log2"]
    return (after - before).dropna()


def mediation_rows(
    factor: str,
    pairs: pd.DataFrame,
    log2: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Return the mediation of each target by a factor, for each group against the reference.

    pairs: `level_pairs`, empty where the factor was not measured; log2: samples × present targets;
    settings: `groups`, `before`, `after`, `crossover`, `targets` (name to gene id or None).
    `with_calls` makes the calls over all factors.
    """
    reference, *others = settings["groups"]
    comparisons: list[tuple[str, str | None]] = [(g, reference) for g in others]
    rows = []
    for target, gene in settings["targets"].items():
        for group, other in comparisons or [(reference, None)]:
            name = f"mediation {factor} {target} {group}"
            if gene is None:
                found = not_assessable(0, "the target is not in the count matrix")
            elif pairs.empty:
                found = not_assessable(0, "the factor's level was not measured")
            else:
                values = _complete(pairs, target_changes(log2[gene], obs, settings))
                found = _mediation(values, group, other, settings["crossover"], seed, name)
            rows.append({"target": target, "group": group, "reference": other} | asdict(found))
    return pd.DataFrame(rows)


def with_calls(rows: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Return the mediations of all factors and targets with `padj` and `call`.

    `mediated` needs both: BH of the joint test over all that could be assessed below alpha, and a
    bootstrap interval without 0.
    """
    pvalue = rows["pvalue"].to_numpy(float)
    padj = benjamini_hochberg(pvalue)
    sign = sign_of_interval(rows["ci_low"].to_numpy(float), rows["ci_high"].to_numpy(float))
    mediated = (padj < alpha) & (sign != 0)
    words = np.where(mediated, "mediated", "not_mediated")
    return rows.assign(padj=padj, call=np.where(np.isnan(pvalue), "not_assessable", words))


def _complete(pairs: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """Return pairs with level and target: donor, group, change_log2, sum_log2, target."""
    known = pairs[pairs["change_log2"].notna()].set_index(["donor", "group"])
    values = known[["change_log2"]].assign(
        sum_log2=known["before_log2"] + known["after_log2"], target=target
    )
    return values.dropna().astype(float).reset_index()


def _mediation(
    values: pd.DataFrame, group: str, other: str | None, crossover: bool, seed: int, name: str
) -> Mediation:
    own = values[values["group"] == group].set_index("donor")
    if other is None:
        rows = own[["change_log2", "target", "sum_log2"]].to_numpy()
        return within_subjects(rows, seed, name)
    second = values[values["group"] == other].set_index("donor")
    columns = ["change_log2", "target"]
    if not crossover:
        return between_groups(own[columns].to_numpy(), second[columns].to_numpy(), seed, name)
    donors = own.index.intersection(second.index)
    mine, theirs = own.loc[donors, columns].to_numpy(), second.loc[donors, columns].to_numpy()
    both = np.column_stack([mine - theirs, (mine + theirs)[:, 0]])
    return within_subjects(both, seed, name)
