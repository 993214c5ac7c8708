"""The samples of a cohort: technical replicates summed, cell lines combined, pairs found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import SINGLE_GROUP, contrasts_of, order_groups
from fibroserum.cohort.lines import unshared_lines
from fibroserum.cohort.models import models_and_reasons
from fibroserum.errors import InputError, Problem
from fibroserum.input.covariates import covariate_kinds, covariate_names, declared_kinds
from fibroserum.input.outcomes import column_of, with_changes
from fibroserum.input.sheet import DESIGN_KEYS, MISSING, obs_name


def canonical_sheet(sheet: pd.DataFrame, design: dict[str, Any]) -> pd.DataFrame:
    """Return the sheet indexed by sample, with the columns donor, group, time and line in front.

    The other columns are named by `obs_name`.
    """
    indexed = sheet.set_index("sample")
    meant = {name: design[name] for name in DESIGN_KEYS}
    front = pd.DataFrame(index=indexed.index)
    for name, column in meant.items():
        absent = SINGLE_GROUP if name == "group" else ""
        front[name] = indexed[column] if column else absent
    rest = indexed.drop(columns=[column for column in meant.values() if column])
    rest = rest.rename(columns=obs_name)
    return pd.concat([front, rest], axis=1).sort_index()


@dataclass(frozen=True)
class Combined:
    """The libraries of a sheet, those of one donor, group and time taken together.

    sheet: as `canonical_sheet` returns it, a row for each sum, under the first of its libraries'
    names. into: library to that name. reasons: the words that say how, for libraries combined.
    """

    sheet: pd.DataFrame
    into: dict[str, str]
    reasons: dict[str, str]

    def sum(self, counts: pd.DataFrame) -> pd.DataFrame:
        """Return the summed counts (samples × genes) of the libraries."""
        return counts.groupby(counts.index.map(self.into)).sum().sort_index()


_REPEAT = "They are one sample: write the value that one has in the rows of all, or in none."


def combine_libraries(sheet: pd.DataFrame, keep_equal: Sequence[str]) -> Combined:
    """Take libraries of one donor, group and time together: technical replicates, and lines.

    sheet: as `canonical_sheet` returns it; keep_equal: columns that must agree among libraries
    that are summed. Raises InputError where they disagree.
    """
    reasons: dict[str, str] = {}
    problems: list[Problem] = []
    keys = sheet.groupby(["donor", "group", "time"], sort=True)
    into: dict[str, str] = {}
    for (donor, group, time), part in keys:
        names = sorted(part.index)
        into |= dict.fromkeys(names, names[0])
        if len(names) == 1:
            continue
        for column in keep_equal:
            if part[column].nunique(dropna=False) > 1:
                values = ", ".join(
                    f"'{value}'" for value in sorted(map(str, part[column].unique()))
                )
                problems.append(
                    Problem(
                        f"the libraries {', '.join(names)} are to be summed and differ in "
                        f"'{column}': {values}",
                        f"sample sheet, donor '{donor}', group '{group}', time '{time}'",
                        f"one value of '{column}' for a donor and time",
                        _REPEAT
                        if set(part[column].astype(str).str.strip().str.lower()) & MISSING
                        else "",
                    )
                )
        lines = part["line"].nunique()
        how = "technical replicates" if lines == 1 else f"libraries of {lines} lines"
        for name in names[1:]:
            reasons[name] = f"summed into {names[0]} ({how} of donor {donor} at {time})"
        reasons[names[0]] = f"sum of {', '.join(names)} ({how} of donor {donor} at {time})"
    if problems:
        raise InputError(problems)
    combined = sheet.loc[sorted(set(into.values()))].copy()
    lines_of = keys["line"].agg(lambda line: "+".join(sorted(set(line))))
    rows = combined[["donor", "group", "time"]].itertuples(index=False, name=None)
    combined["line"] = [lines_of[row] for row in rows]
    return Combined(combined, into, reasons)


def use_of_samples(
    sheet: pd.DataFrame, before: str, *, several_groups: bool
) -> tuple[pd.Series, pd.Series]:
    """Return for each sample what it is used for, and why where that is not everything."""
    paired = sheet.groupby(["donor", "group"])["time"].transform("nunique") == 2
    is_before = sheet["time"] == before
    alone = np.where(is_before & several_groups, "baseline", "none")
    used_for = pd.Series(np.where(paired, "change", alone), index=sheet.index)
    why_before = (
        "no after sample: kept for the baseline contrast alone"
        if several_groups
        else "no after sample, and one group has no baseline contrast"
    )
    why = np.where(is_before, why_before, "no before sample: a change needs both")
    return used_for, pd.Series(np.where(paired, "", why), index=sheet.index)


def covariate_settings(sheet: pd.DataFrame, design: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the covariates in `obs`, and which of them are categories.

    sheet: as `canonical_sheet` returns it.
    """
    names = {obs_name(name): kind for name, kind in declared_kinds(design)}
    kinds = covariate_kinds(sheet, {"covariates": [{name: kind} for name, kind in names.items()]})
    categorical = [name for name, kind in kinds.items() if kind == "categorical"]
    return {"covariates": list(names), "categorical": categorical}


def check_design(sheet: pd.DataFrame, config: dict[str, Any]) -> None:
    """Raise InputError for a design that cannot be fitted.

    sheet: one in which `check_sheet` found nothing. Libraries that are
    summed must agree, and the models must have full rank and residual degrees of freedom. A config
    that gives a column or a level two meanings has been refused, and there is nothing to add.
    """
    design = config["design"]
    columns = [design[name] for name in DESIGN_KEYS if design[name]] + covariate_names(design)
    if design["before"] != design["after"] and len(set(columns)) == len(columns):
        whole = with_changes(canonical_sheet(sheet, design), config.get("outcomes", {}))
        combined_samples(whole, config)


def combined_samples(
    full: pd.DataFrame, config: dict[str, Any]
) -> tuple[Combined, list[str], pd.Series, dict[str, str]]:
    """Return the libraries taken together with `used_for`, the groups, and what is not used.

    Also why contrasts are not estimable, by their names. Raises InputError as `check_design` does.
    """
    design = config["design"]
    serum = [factor["serum"] for factor in config["factors"].values() if factor["serum"]]
    blocks = [design["block"]] if design.get("block") else []
    measured = map(column_of, config.get("outcomes", {}).values())
    kept = map(obs_name, (*covariate_names(design), *blocks, *serum, *measured))
    keep_equal = [column for column in kept if column in full]
    combined = combine_libraries(full, keep_equal)
    obs = combined.sheet
    groups = order_groups(list(obs["group"]), design["reference_group"])
    used_for, why = use_of_samples(obs, design["before"], several_groups=len(groups) > 1)
    obs.insert(4, "used_for", used_for)
    settings = design | {
        "groups": groups,
        **covariate_settings(full, design),
        "block": obs_name(blocks[0]) if blocks else None,
    }
    in_pair = full.index.map(combined.into).isin(obs.index[used_for == "change"])
    at_start = (full["time"] == design["before"]).to_numpy()
    planned = contrasts_of(groups, design["before"], design["after"])
    unshared: dict[str, str] = {}
    for kind, rows in (("difference", in_pair), ("baseline", at_start)):
        unshared |= unshared_lines(full[rows], [c for c in planned if c.kind == kind])
    _, not_estimable = models_and_reasons(obs, settings | {"not_estimable": unshared})
    return combined, groups, why, not_estimable
