"""Outcomes, which were measured in the donors beside the serum: columns of the sample sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, Problem, listed, nearest, number_of
from fibroserum.files.table import column_name, place, rows_text
from fibroserum.input.covariates import covariate_names, numbers
from fibroserum.input.names import long_names, name_clashes, nameless
from fibroserum.input.sheet import MISSING, obs_name
from fibroserum.input.sheet_checks import comma_hint

Outcomes = Mapping[str, Mapping[str, Any]]
WHERE = "config, outcomes"
#: What the reason of a pair begins with that has a value, where its outcome has no slope.
UNAVAILABLE = "not assessed: "


def column_of(entry: Mapping[str, Any]) -> str:
    """Return the sheet's column of an outcome; entry: of the config, sound."""
    return str(entry["column"] or entry["change_column"])


def outcome_problems(
    sheet: pd.DataFrame,
    design: Mapping[str, Any],
    factors: Mapping[str, Mapping[str, Any]],
    outcomes: Outcomes,
) -> Iterator[Problem]:
    """Yield everything wrong with the outcomes of a config and their columns in a sheet.

    design, factors, outcomes: the config's sections, complete.
    """
    yield from name_clashes(list(outcomes), WHERE, "outcomes")
    yield from long_names(list(outcomes), WHERE)
    taken = _taken(design, factors)
    for name, entry in outcomes.items():
        where = f"{WHERE}.{name}"
        if nameless(name):
            what = f"the name '{name}' has no letter or digit, so no file can be named after it"
            yield Problem(what, WHERE, "a name with a letter or a digit")
        if bool(entry["column"]) == bool(entry["change_column"]):
            both = "both column and change_column" if entry["column"] else "no column"
            yield Problem(
                f"outcomes.{name} has {both}",
                where,
                "either column (one value per sample) or change_column (one change per donor)",
            )
            continue
        if entry["change_column"] and entry["scale"] == "log2":
            yield Problem(
                "scale is log2, but a change may be negative and has no logarithm",
                f"{where}.scale",
                "'scale: linear' with change_column",
                "Use column with the values before and after, or write the changes of the log2 "
                "values into the sheet.",
            )
        column = column_of(entry)
        if column in taken:
            key = "column" if entry["column"] else "change_column"
            what = f"'{column_name(sheet, column)}' is also the column of {taken[column]}"
            yield Problem(what, f"{where}.{key}", "a column that only the outcome uses")
        elif column not in sheet.columns:
            what = f"has no column '{column_name(sheet, column)}'"
            hint = nearest(column, sheet.columns, "Columns found")
            yield Problem(what, place(sheet), f"the column that outcomes.{name} names", hint)
        else:
            yield from _cell_problems(sheet, name, entry)
            if entry["change_column"]:
                yield from _several_changes(sheet, design, column)


def _taken(design: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of the sheet that have another meaning, and which."""
    keys = ("sample", "donor", "group", "time", "line", "pool", "block")
    found = {factor["serum"]: f"factors.{name}.serum" for name, factor in factors.items()}
    found |= dict.fromkeys(covariate_names(design), "design.covariates")
    found |= {design.get(key): f"design.{key}" for key in keys} | {"sample": "design.sample"}
    return {column: meaning for column, meaning in found.items() if column}


def _cell_problems(sheet: pd.DataFrame, name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    column = column_of(entry)
    values = sheet[column]
    found = numbers(values)
    given = ~values.str.strip().str.lower().isin(MISSING).to_numpy()
    if not given.any():
        what = f"has no value of the outcome '{name}'"
        yield Problem(
            what,
            place(sheet, column=column),
            "numbers",
            f"Remove '{name}' from outcomes, or fill in the column.",
        )
    wrong = np.flatnonzero(given & np.isnan(found))
    for row in wrong[:SHOWN]:
        what = f"the value '{values.iloc[row]}' of '{name}' is not a number"
        hint = comma_hint(values.iloc[row])
        yield Problem(what, place(sheet, int(row), column), "a number, or an empty cell", hint)
    if len(wrong) > SHOWN:
        rest = f"{number_of(len(wrong) - SHOWN, 'more value')} with the same problem"
        yield Problem(rest, place(sheet, column=column))
    low = np.flatnonzero(np.nan_to_num(found, nan=1.0) <= 0)
    if entry["column"] and entry["scale"] == "log2" and len(low):
        row = int(low[0])
        what = f"the value {found[row]:g} of '{name}' has no logarithm"
        what += f" ({number_of(len(low), 'such cell')})"
        hint = f"Write 'scale: linear' for {name}, or leave the cell empty."
        yield Problem(what, place(sheet, row, column), "values above 0 with scale log2", hint)


def _several_changes(
    sheet: pd.DataFrame, design: Mapping[str, Any], column: str
) -> Iterator[Problem]:
    """Yield a problem for each donor (in a crossover: and group) that has several changes."""
    keys = [design[key] for key in ("donor", "group") if design[key] in sheet.columns]
    if design["donor"] not in keys:
        return
    change = pd.Series(numbers(sheet[column]), index=range(len(sheet)))
    rows = sheet[keys].reset_index(drop=True)
    for names, part in change.dropna().groupby([rows[key] for key in keys], sort=False):
        if part.nunique() > 1:
            said = listed([f"{value:g}" for value in part.unique()], quote="")
            who = f"the donor '{names[0]}' ({rows_text(sheet, list(part.index))})"
            yield Problem(
                f"{who} has several changes: {said}",
                place(sheet, column=column),
                "one change per donor, in one of its rows or in all of them",
            )


def with_changes(sheet: pd.DataFrame, outcomes: Outcomes) -> pd.DataFrame:
    """Return a sheet in which each row of a donor and group has the change that one of them has.

    sheet: sound, as `canonical_sheet` returns it.
    """
    filled = {}
    for entry in outcomes.values():
        if entry["change_column"]:
            column = obs_name(entry["change_column"])
            given = sheet[column].where(~sheet[column].str.strip().str.lower().isin(MISSING))
            filled[column] = given.groupby([sheet["donor"], sheet["group"]]).transform("first")
    return sheet.assign(**{name: values.fillna("") for name, values in filled.items()})
