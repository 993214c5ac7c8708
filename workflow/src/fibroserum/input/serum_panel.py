"""A panel of circulating molecules: the table of their levels, read and checked.

Levels below a limit of detection are written in a cell (`<15`), or are below the limit that the
config names. Every problem of the table is raised in one list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, InputError, Problem, nearest, number_of
from fibroserum.files.table import place, rows_text, sheet_and_problems
from fibroserum.input.covariates import numbers
from fibroserum.input.panel_levels import Limit, PanelLevels
from fibroserum.input.sheet import DESIGN_KEYS, SAMPLE, obs_name

#: How a factor's `serum` begins that is a molecule of the panel, not a column of the sample sheet.
PANEL = "panel:"
KEYS = ("donor", "group", "time")


@dataclass(frozen=True)
class SerumPanel:
    """Levels of molecules in serum, a row for each donor, group and time.

    rows: columns donor, group and time. levels: rows × molecules, on the table's scale; the limit
    of detection where `below` is true, NaN where the level is missing. below: likewise, boolean.
    """

    rows: pd.DataFrame
    levels: pd.DataFrame
    below: pd.DataFrame
    scale: str

    @property
    def log2(self) -> pd.DataFrame:
        """The log2 levels; below the limit of detection, log2 of half the limit."""
        log2 = self.levels if self.scale == "log2" else np.log2(self.levels)
        return log2 - self.below.astype(float)

    def cells(self, molecule: str, samples: pd.DataFrame) -> pd.Series:
        """Return a molecule's levels as a column of the sample sheet has them, in text.

        samples: donor, group and time by sample.
        """
        own = [
            "" if np.isnan(value) else f"{'<' if below else ''}{value!r}"
            for value, below in zip(
                self.levels[molecule].tolist(), self.below[molecule].tolist(), strict=True
            )
        ]
        known = dict(
            zip(self.rows[list(KEYS)].itertuples(index=False, name=None), own, strict=True)
        )
        asked = samples[list(KEYS)].itertuples(index=False, name=None)
        return pd.Series([known.get(key, "") for key in asked], samples.index, dtype=object)


def molecule_of(serum: str | None) -> str | None:
    """Return the molecule of the panel that a factor's `serum` names, or None."""
    return serum.removeprefix(PANEL).strip() if serum and serum.startswith(PANEL) else None


def key_problems(config: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Yield what is wrong with the config's keys about the panel, the table aside."""
    panel = config["serum_panel"]
    for factor, entry in config["factors"].items():
        if molecule_of(entry["serum"]) is None:
            continue
        if not panel:
            yield Problem(
                f"'{entry['serum']}' refers to serum_panel, but the config has no serum_panel",
                f"{where}, factors.{factor}.serum",
                "a column of the sample sheet, or the key serum_panel with a table",
            )
        elif entry["serum_scale"] == "log2" != panel["scale"]:
            yield Problem(
                "serum_scale is log2, but the level comes from serum_panel, whose scale is linear",
                f"{where}, factors.{factor}.serum_scale",
                "the scale of serum_panel",
                f"Remove serum_scale from {factor}, or write 'scale: log2' in serum_panel.",
            )
    limit = panel["detection_limit"] if panel else None
    if isinstance(limit, int | float) and limit <= 0 and panel["scale"] == "linear":
        yield Problem(
            f"the limit {limit:g} is not above 0, but the scale is linear",
            f"{where}, serum_panel.detection_limit",
            "a limit above 0",
            "If the levels are logarithms, write 'scale: log2'.",
        )


def with_panel_scale(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config in which a factor from the panel has the scale of the panel.

    Without a panel, which is refused, it has no level.
    """
    panel = config["serum_panel"]
    own = {"serum_scale": panel["scale"]} if panel else {"serum": None}
    factors = {
        name: entry if molecule_of(entry["serum"]) is None else entry | own
        for name, entry in config["factors"].items()
    }
    return config | {"factors": factors}


def read_panel(
    config: Mapping[str, Any], samples: pd.DataFrame, ignored: Collection[str] = ()
) -> SerumPanel:
    """Return the levels of the config's `serum_panel`.

    config: complete; samples: donor, group and time by sample, of the sample sheet; ignored: names
    of samples that `ignore_times` leaves out, whose rows are left out here too. Raises
    InputError with every problem of the table, and of factors that take their level from it.
    """
    panel, design = config["serum_panel"], config["design"]
    table, problems = sheet_and_problems(Path(panel["table"]))
    keys = _key_columns(panel, design)
    missing = [column for column in keys.values() if column not in table.columns]
    if missing:
        problems += [_no_key(table, column, panel["key"], samples) for column in missing]
        raise InputError(problems)
    reserved = {design[key]: key for key in ("sample", *DESIGN_KEYS) if design[key]}
    limit, problem = _limit_place(table, panel["detection_limit"], next(iter(keys.values())))
    problems += problem
    places: dict[str, int] = {}
    for position, name in enumerate(table.columns):
        if name in reserved and name not in keys.values():
            problems.append(_named_as_key(table, name, reserved[name]))
        elif name and name not in keys.values() and position != limit.column:
            places.setdefault(name, position)
    if not places:
        what = "has no column of a molecule"
        problems.append(Problem(what, place(table), "one column per molecule"))
    problems += _in_case_alone(table, list(places))
    problems += _source_problems(config["factors"], list(places), panel["table"])
    out = _ignored_rows(table, keys, ignored, design)
    own = np.setdiff1d(np.arange(len(table)), out if limit.row is None else [*out, limit.row])
    rows, wrong = _rows(table, own, keys, samples)
    problems += wrong
    levels = PanelLevels(table, own, places, limit, panel["scale"])
    problems += levels.problems()
    if problems:
        raise InputError(problems)
    first, problems = _one_row_each(table, own, rows, levels.numbers, levels.below)
    if problems:
        raise InputError(problems)
    return SerumPanel(
        rows.iloc[first].reset_index(drop=True),
        pd.DataFrame(levels.numbers[first], columns=list(places)),
        pd.DataFrame(levels.below[first], columns=list(places)),
        panel["scale"],
    )


def _key_columns(panel: Mapping[str, Any], design: Mapping[str, Any]) -> dict[str, str]:
    """Return the table's key columns by what they are."""
    if panel["key"] == SAMPLE:
        return {SAMPLE: design["sample"]}
    keys = ("donor", "time", "group") if design["crossover"] else ("donor", "time")
    # a column `sample` that is none of sample names has another name in the config (`obs_name`)
    return {key: SAMPLE if design[key] == obs_name(SAMPLE) else design[key] for key in keys}


def _no_key(table: pd.DataFrame, column: str, key: str, samples: pd.DataFrame) -> Problem:
    known = {*samples.index, *samples["donor"]}
    turned = len(known & set(table.columns)) > 1
    hint = (
        "The table has samples in columns. Transpose it: samples in rows, molecules in columns."
        if turned
        else nearest(column, table.columns, "Columns found")
    )
    expected = f"the column of 'key: {key}', with the same name as in the sample sheet"
    return Problem(f"has no column '{column}'", place(table), expected, hint)


def _named_as_key(table: pd.DataFrame, name: str, key: str) -> Problem:
    return Problem(
        f"the column '{name}' has the same name as the sample sheet's column of design.{key}",
        f"{place(table)}, header",
        "only key columns and molecules",
        "Remove it from the table, or rename the molecule.",
    )


def _in_case_alone(table: pd.DataFrame, molecules: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name in molecules:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            what = f"the molecules '{other}' and '{name}' differ only in upper and lower case"
            yield Problem(what, f"{place(table)}, header", "each molecule only once")


def _limit_place(
    table: pd.DataFrame, limit: float | str | None, key: str
) -> tuple[Limit, list[Problem]]:
    if limit is None:
        return Limit(), []
    if not isinstance(limit, str):
        return Limit(float(limit)), []
    names = table.iloc[:, list(table.columns).index(key)].tolist()
    rows = [number for number, name in enumerate(names) if name == limit]
    if len(rows) == 1 and limit not in table.columns:
        return Limit(row=rows[0]), []
    if limit in table.columns and limit != key and not rows:
        return Limit(column=list(table.columns).index(limit)), []
    found = "several rows, or a row and a column," if rows else "no row and no column"
    return Limit(), [
        Problem(
            f"{found} of the table {'have' if rows else 'has'} the name '{limit}', which "
            "serum_panel.detection_limit gives",
            place(table),
            f"one row with this name in column '{key}', or one column",
            "" if rows else _limit_hint(limit, [*table.columns, *names[-3:]]),
        )
    ]


def _limit_hint(limit: str, names: Sequence[str]) -> str:
    if np.isfinite(numbers(pd.Series([limit]))).all():
        return f"If one limit applies to every molecule, write {limit} without quotes."
    return nearest(limit, names)


def _source_problems(
    factors: Mapping[str, Mapping[str, Any]], molecules: Sequence[str], table: str
) -> Iterator[Problem]:
    """Yield a problem for each factor whose molecule is unknown, or has a second level."""
    known = {name.casefold(): name for name in reversed(molecules)}
    for factor, entry in factors.items():
        molecule, where = molecule_of(entry["serum"]), f"config, factors.{factor}.serum"
        if molecule is not None and molecule not in molecules:
            hint = nearest(molecule, molecules)
            what = f"'{molecule}' is not a molecule of {table}"
            yield Problem(what, where, "a molecule of the panel table", hint)
        elif molecule is None and entry["serum"]:
            names = (factor, entry["serum"])
            twin = next((known[n.casefold()] for n in names if n.casefold() in known), None)
            if twin is not None:
                yield Problem(
                    f"{factor} has levels in two places: the sample sheet's column "
                    f"'{entry['serum']}' and '{twin}' of {table}",
                    where,
                    "one source per molecule",
                    f"Write '{PANEL}{twin}', or remove the molecule from the table.",
                )


def _ignored_rows(
    table: pd.DataFrame,
    keys: Mapping[str, str],
    ignored: Collection[str],
    design: Mapping[str, Any],
) -> list[int]:
    """Return the rows of samples, or times, that the config ignores."""
    key, names = (SAMPLE, ignored) if SAMPLE in keys else ("time", design.get("ignore_times", ()))
    cells = table.iloc[:, list(table.columns).index(keys[key])]
    return np.flatnonzero(cells.isin(list(names))).tolist()


def _rows(
    table: pd.DataFrame, own: np.ndarray, keys: Mapping[str, str], samples: pd.DataFrame
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return donor, group and time of the table's rows `own`, and problems of their keys."""
    header = list(table.columns)
    cells = pd.DataFrame(
        {
            key: table.iloc[own, header.index(column)].to_numpy(object)
            for key, column in keys.items()
        }
    )
    known: dict[str, Collection[str]] = (
        {SAMPLE: list(samples.index)}
        if SAMPLE in keys
        else {key: list(dict.fromkeys(samples[key])) for key in keys}
    )
    problems: list[Problem] = []
    for key, column in keys.items():
        unknown = [row for row in cells.index if cells.loc[row, key] not in known[key]]
        for row in unknown[:SHOWN]:
            name = cells.loc[row, key]
            what = f"the {key} '{name}' is not in the sample sheet" if name else "the cell is empty"
            hint = nearest(name, known[key])
            expected = f"a {key} of the sample sheet"
            problems.append(Problem(what, place(table, int(own[row]), column), expected, hint))
        if len(unknown) > SHOWN:
            rest = f"{number_of(len(unknown) - SHOWN, 'more row')} not in the sample sheet"
            problems.append(Problem(rest, place(table, column=column)))
    names = list(map(" ".join, cells.itertuples(index=False, name=None)))
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1 and name.strip()]
    words = " and ".join(keys)
    for name in repeated[:SHOWN]:
        rows = [int(own[row]) for row, other in enumerate(names) if other == name]
        what = f"the {words} '{name}' appears in {rows_text(table, rows)}"
        problems.append(Problem(what, place(table), f"one row per {words}"))
    if len(repeated) > SHOWN:
        rest = f"{number_of(len(repeated) - SHOWN, 'more key')} ({words}) in several rows"
        problems.append(Problem(rest, place(table)))
    if problems:
        return pd.DataFrame(columns=list(KEYS)), problems
    if SAMPLE in keys:
        return samples.loc[cells[SAMPLE], list(KEYS)].reset_index(drop=True), []
    if "group" not in cells:
        # outside a crossover a donor is in one group
        cells["group"] = cells["donor"].map(samples.groupby("donor")["group"].first())
    return cells[list(KEYS)], []


def _one_row_each(
    table: pd.DataFrame,
    own: np.ndarray,
    rows: pd.DataFrame,
    values: np.ndarray,
    below: np.ndarray,
) -> tuple[list[int], list[Problem]]:
    """Return the row of each donor, group and time, and problems where several rows differ.

    Samples of one donor, group and time (technical replicates, several cell lines) share a serum.
    """
    problems, first = [], []
    for key, part in rows.groupby(list(KEYS), sort=True).groups.items():
        places = list(part)
        first.append(places[0])
        same = all(
            np.array_equal(values[places[0]], values[other], equal_nan=True)
            and np.array_equal(below[places[0]], below[other])
            for other in places[1:]
        )
        if not same:
            problems.append(
                Problem(
                    f"{rows_text(table, [int(own[row]) for row in places])} describe the same "
                    f"serum (donor '{key[0]}', group '{key[1]}', time '{key[2]}') but differ",
                    place(table),
                    "one level of each molecule per donor and time",
                    "Keep one of the rows, or write the same levels in all of them.",
                )
            )
    return first, problems
