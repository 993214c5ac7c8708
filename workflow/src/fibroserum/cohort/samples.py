"""The samples of a cohort: technical replicates summed, cell lines combined, pairs found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import all_contrasts, change_times
from fibroserum.cohort.contrasts import SINGLE_GROUP, Contrast, order_groups, own_problems
from fibroserum.cohort.lines import unshared_lines
from fibroserum.cohort.members import doses_of, members_of
from fibroserum.cohort.models import models_and_reasons
from fibroserum.errors import InputError, Problem, listed, nearest
from fibroserum.input.covariates import covariate_kinds, covariate_names, declared_kinds
from fibroserum.input.outcomes import column_of, with_changes
from fibroserum.input.sheet import DESIGN_KEYS, MISSING, compared_and_ignored, obs_name, times_after


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


def comparisons(obs: pd.DataFrame, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the contrasts of a cohort are made from, as `all_contrasts` takes it.

    obs: `group` and `time` of its samples.
    """
    design = config["design"]
    groups = order_groups(list(obs["group"]), design["reference_group"])
    later = times_after(design)
    changing = set(obs.loc[obs["time"] != design["before"], "group"])
    return {
        "groups": groups,
        "before": design["before"],
        "after": later[0] if len(later) == 1 else later,
        "only_before": [group for group in groups if group not in changing],
        "differences": config.get("differences", "reference"),
        "control": design.get("control"),
        "contrasts": config.get("contrasts", {}),
        "dose": obs_name(design["dose"]) if design.get("dose") else None,
    }


def comparison_problems(compared: Mapping[str, Any]) -> list[Problem]:
    """Return every problem of the groups and contrasts that a config asks for.

    compared: as `comparisons` returns it.
    """
    groups, only_before = compared["groups"], compared["only_before"]
    problems = list(
        own_problems(
            compared["contrasts"],
            groups,
            change_times(compared),
            only_before,
            "config, contrasts",
            compared["before"],
        )
    )
    control, where = compared["control"], "config, design.control"
    if control and control not in groups:
        hint = nearest(control, groups)
        what = f"no sample has the group '{control}'"
        problems.append(Problem(what, where, "a group of the sample sheet", hint))
    elif control in only_before:
        changing = [group for group in groups if group not in only_before]
        what = f"the group '{control}' has no sample after, so it has no change"
        expected = "the group without an intervention, with samples after"
        hint = (
            f"Groups with a change: {listed(changing, 8)}. If the study has no such group, "
            "remove the key."
        )
        problems.append(Problem(what, where, expected, hint))
    return problems


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
        sample, names = pd.factorize(counts.index.map(self.into), sort=True)
        order = np.argsort(sample, kind="stable")
        values = counts.to_numpy()[order]
        if len(names) < len(counts):
            first = np.searchsorted(sample[order], np.arange(len(names)))
            values = np.add.reduceat(values, first, axis=0, dtype=np.int64)
        return pd.DataFrame(values, names, counts.columns)


_REPEAT = "We sum them to one sample. Write the known value in all their rows, or in none."


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
                        f"the samples {', '.join(names)} are to be summed, but they differ in "
                        f"'{column}': {values}",
                        f"sample sheet, donor '{donor}', group '{group}', time '{time}'",
                        f"one value of '{column}' per donor and time",
                        _REPEAT
                        if set(part[column].astype(str).str.strip().str.lower()) & MISSING
                        else "",
                    )
                )
        lines = part["line"].nunique()
        how = "technical replicates" if lines == 1 else f"samples of {lines} cell lines"
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


def use_of_samples(sheet: pd.DataFrame, planned: Sequence[Contrast]) -> tuple[pd.Series, pd.Series]:
    """Return for each sample what it is used for, and why where that is not everything.

    planned: the cohort's contrasts. A sample is used for changes where it is in the value of its
    donor in one of them.
    """
    whole = sheet.assign(used_for="change")
    named = [members_of(c, whole) for c in planned if c.kind in ("change", "own")]
    paired = sheet.index.isin(np.concatenate([table.to_numpy().ravel() for table in named]))
    is_before = sheet["time"] == planned[0].before
    several_groups = any(contrast.kind == "baseline" for contrast in planned)
    alone = np.where(is_before & several_groups, "baseline", "none")
    used_for = pd.Series(np.where(paired, "change", alone), index=sheet.index)
    why_before = (
        "no after sample: used only in the baseline contrast"
        if several_groups
        else "no after sample, and a single group has no baseline contrast"
    )
    why = np.where(is_before, why_before, "no before sample: a change needs both samples")
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
    twice = design["before"] in times_after(design) or compared_and_ignored(design)
    if not twice and len(set(columns)) == len(columns):
        full = with_changes(canonical_sheet(sheet, design), config.get("outcomes", {}))
        if problems := comparison_problems(comparisons(full, config)):
            raise InputError(problems)
        combined_samples(full, config)


def _without_dose(obs: pd.DataFrame, compared: Mapping[str, Any]) -> pd.Series:
    """Return which samples after, of complete pairs, have no dose."""
    doses = doses_of(obs, compared["dose"], compared["before"])
    keys = pd.MultiIndex.from_frame(obs[["donor", "group", "time"]])
    later = (obs["used_for"] == "change") & (obs["time"] != compared["before"])
    return later & ~keys.isin(doses.index)


def combined_samples(
    full: pd.DataFrame, config: dict[str, Any]
) -> tuple[Combined, dict[str, Any], pd.Series, dict[str, str]]:
    """Return the libraries taken together with `used_for`, `comparisons`, and what is not used.

    Also why contrasts are not estimable, by their names. Raises InputError as `check_design` does.
    """
    design = config["design"]
    serum = [factor["serum"] for factor in config["factors"].values() if factor["serum"]]
    blocks = [design["block"]] if design.get("block") else []
    measured = map(column_of, config.get("outcomes", {}).values())
    dose = [design["dose"]] if design.get("dose") else []
    kept = map(obs_name, (*covariate_names(design), *blocks, *serum, *measured, *dose))
    keep_equal = [column for column in kept if column in full]
    combined = combine_libraries(full, keep_equal)
    obs = combined.sheet
    compared = comparisons(obs, config)
    planned = all_contrasts(compared)
    used_for, why = use_of_samples(obs, planned)
    obs.insert(4, "used_for", used_for)
    if compared["dose"]:
        why = why.mask(
            _without_dose(obs, compared), f"no dose ('{dose[0]}'): not used in slopes on the dose"
        )
    settings = (
        design
        | compared
        | {
            **covariate_settings(full, design),
            "block": obs_name(blocks[0]) if blocks else None,
        }
    )
    in_pair = full.index.map(combined.into).isin(obs.index[used_for == "change"])
    at_start = (full["time"] == design["before"]).to_numpy()
    unshared: dict[str, str] = {}
    for model, rows in (("paired", in_pair), ("baseline", at_start)):
        unshared |= unshared_lines(full[rows], [c for c in planned if c.model == model])
    _, not_estimable = models_and_reasons(obs, settings | {"not_estimable": unshared})
    return combined, compared, why, not_estimable
