"""The sample sheet: one row a sample, every cell text, checked against the design."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.config import name_clashes
from fibroserum.counts.grid import parse_lines, read_grid
from fibroserum.counts.table import SHOWN, listed
from fibroserum.errors import InputError, Problem, nearest

MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "null", "none"})
_DESIGN_KEYS = ("donor", "group", "time", "line")


def read_sheet(path: Path) -> pd.DataFrame:
    """Return the sheet as it stands: TSV or CSV told apart by content, every cell text.

    `001`, `1e5` and `NA` stay as they are. `attrs["source"]` and `attrs["lines"]` hold the file and
    each row's line in it, for messages. Raises InputError for what is no table, for rows of unequal
    length, and for column names that are empty, repeated or surrounded by spaces.
    """
    grid = read_grid(path, header=True)
    assert grid.header is not None, "asked for"
    where = f"{path}, header"
    problems = []
    for index, name in enumerate(grid.header, 1):
        if not name.strip():
            hint = "Name it 'sample' if it holds the sample names." if index == 1 else ""
            problems.append(Problem(f"column {index} has no name", where, "a name", hint))
        elif name != name.strip():
            what = f"the column name '{name}' has spaces around it"
            problems.append(Problem(what, where, f"'{name.strip()}'"))
    repeated = [name for name, n in Counter(grid.header).items() if n > 1 and name.strip()]
    if repeated:
        what = f"the columns {listed(repeated)} stand more than once"
        problems.append(Problem(what, where, "each column once"))
    if not grid.lines:
        problems.append(Problem("has a header and no rows", str(path), "one row a sample"))
    if problems:
        raise InputError(problems)
    frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))
    frame.columns = pd.Index(grid.header)
    frame.attrs = {"source": str(path), "lines": list(grid.numbers)}
    return frame


def check_sheet(
    sheet: pd.DataFrame,
    design: Mapping[str, Any],
    factors: Mapping[str, Mapping[str, Any]],
    counts_samples: Collection[str] | None,
) -> tuple[Problem, ...]:
    """Return everything wrong with a sheet, or nothing.

    sheet: as `read_sheet` returns it. design: the config's section, complete. factors: those with a
    `serum` column, by name. counts_samples: the samples that were counted; None where the matrices
    have not been read. That `before` differs from `after` is the config's to check.
    """
    problems = list(_column_problems(sheet, design, factors))
    if "sample" in sheet.columns:
        problems += _sample_problems(sheet)
        if counts_samples is not None:
            problems += _counted_problems(sheet, counts_samples)
    for name in design["covariates"]:
        if name in sheet.columns:
            problems += _covariate_problems(sheet, name)
    for name, factor in factors.items():
        if factor["serum"] in sheet.columns:
            problems += _serum_problems(sheet, name, factor)
    return (*problems, *_design_problems(sheet, design))


def _design_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> list[Problem]:
    """Return problems with donors, groups, times, lines; with pairs where those are sound."""
    problems: list[Problem] = []
    present = [key for key in _DESIGN_KEYS if design[key] in sheet.columns]
    for key in present:
        problems += empty_cells(sheet, design[key])
        problems += variants(sheet, design[key])
    if "time" in present:
        problems += _level_problems(sheet, design)
    if not design["group"] or "group" in present:
        problems += _group_problems(sheet, design)
    # a column of another meaning is refused with the config
    if design.get("pool") in set(sheet.columns) - {design[key] for key in _DESIGN_KEYS}:
        problems += _pool_problems(sheet, design)
    wanted = {key for key in ("donor", "group", "time") if design[key]}
    if not problems and wanted <= set(present):
        problems += _crossover_problems(sheet, design)
        problems += _pair_problems(sheet, design)
        if "line" in present:
            problems += _line_problems(sheet, design)
    return problems


def place(sheet: pd.DataFrame, row: int | None = None, column: str | None = None) -> str:
    """Return where something stands in the sheet, for a message; `row` counts from 0."""
    parts = [str(sheet.attrs.get("source", "sample sheet"))]
    if row is not None:
        lines = sheet.attrs.get("lines", ())
        parts.append(f"row {lines[row] if len(lines) == len(sheet) else row + 2}")
    if column is not None:
        parts.append(f"column '{column}'")
    return ", ".join(parts)


def _rows(sheet: pd.DataFrame, rows: Sequence[int]) -> str:
    """Return "row 3" or "rows 3, 5", line numbers of the file."""
    lines = sheet.attrs.get("lines", ())
    numbers = [str(lines[row] if len(lines) == len(sheet) else row + 2) for row in rows]
    shown = ", ".join(numbers[:SHOWN]) + (", …" if len(numbers) > SHOWN else "")
    return f"row{'s' if len(numbers) > 1 else ''} {shown}"


def _column_problems(
    sheet: pd.DataFrame, design: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    wanted = [("sample", "the sample names")]
    wanted += [(design[key], f"design.{key} of the config") for key in _DESIGN_KEYS if design[key]]
    if design.get("pool"):
        wanted.append((design["pool"], "design.pool of the config"))
    wanted += [(name, "design.covariates of the config") for name in design["covariates"]]
    wanted += [
        (factor["serum"], f"factors.{name}.serum of the config") for name, factor in factors.items()
    ]
    for column, why in wanted:
        if column not in sheet.columns:
            hint = nearest(column, sheet.columns)
            yield Problem(f"has no column '{column}'", place(sheet), why, hint)


def _sample_problems(sheet: pd.DataFrame) -> Iterator[Problem]:
    samples = sheet["sample"].tolist()
    yield from empty_cells(sheet, "sample", missing=frozenset({""}))
    for row, name in enumerate(samples):
        if name != name.strip() and name.strip():
            what = f"the sample '{name}' has spaces around it"
            yield Problem(what, place(sheet, row, "sample"), f"'{name.strip()}'")
    repeated = [name for name, n in Counter(samples).items() if n > 1 and name.strip()]
    for name in repeated[:SHOWN]:
        rows = [row for row, other in enumerate(samples) if other == name]
        what = f"the sample '{name}' stands in {_rows(sheet, rows)}"
        yield Problem(what, place(sheet, column="sample"), "one row a sample")
    if len(repeated) > SHOWN:
        rest = f"and {len(repeated) - SHOWN:,} more samples in several rows"
        yield Problem(rest, place(sheet, column="sample"))


def _counted_problems(sheet: pd.DataFrame, counted: Collection[str]) -> Iterator[Problem]:
    named = set(sheet["sample"]) - {""}
    only_sheet = [name for name in dict.fromkeys(sheet["sample"]) if name and name not in counted]
    only_counts = [name for name in counted if name not in named]
    if len(only_sheet) == len(named) and only_counts:
        yield Problem(
            f"none of its samples ({listed(only_sheet, 3)}) is in the counts, "
            f"which hold {listed(only_counts, 3)}",
            place(sheet, column="sample"),
            "the names of the count matrix's columns",
            _r_name_hint(only_sheet[0], counted),
        )
        return
    for name in only_sheet[:SHOWN]:
        row = sheet["sample"].tolist().index(name)
        hint = _r_name_hint(name, counted) or nearest(name, only_counts)
        what = f"the sample '{name}' is not in the counts"
        yield Problem(what, place(sheet, row, "sample"), "a column of the count matrix", hint)
    if len(only_sheet) > SHOWN:
        rest = f"and {len(only_sheet) - SHOWN:,} more samples that are not in the counts"
        yield Problem(rest, place(sheet, column="sample"))
    for name in only_counts[:SHOWN]:
        hint = nearest(name, only_sheet) or "Add its row, or take its column out of the matrix."
        what = f"the sample '{name}' of the counts is not in the sheet"
        yield Problem(what, place(sheet, column="sample"), "a row for each counted sample", hint)
    if len(only_counts) > SHOWN:
        rest = f"and {len(only_counts) - SHOWN:,} more samples of the counts without a row"
        yield Problem(rest, place(sheet, column="sample"))


def _r_name_hint(name: str, counted: Collection[str]) -> str:
    """Return a hint where R's make.names has changed a name on its way into the matrix."""
    made = re.sub(r"[^\w.]", ".", name, flags=re.ASCII)
    made = f"X{made}" if re.match(r"[\d_]|\.\d", made) else made
    if made != name and made in counted:
        return f"R has written it as '{made}': use check.names=FALSE, or that name in the sheet."
    return ""


def empty_cells(
    sheet: pd.DataFrame, column: str, missing: frozenset[str] = MISSING
) -> Iterator[Problem]:
    """Yield a problem where cells of a column are empty or say that a value is missing."""
    rows = [row for row, v in enumerate(sheet[column]) if v.strip().lower() in missing]
    if rows:
        cell = sheet[column].iloc[rows[0]].strip()
        what = "the cell is empty" if not cell else f"the value is missing ('{cell}')"
        what += f" in {_rows(sheet, rows)}" if len(rows) > 1 else ""
        where = place(sheet, rows[0] if len(rows) == 1 else None, column)
        yield Problem(what, where, "a value for every sample")


def _key(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).split()).casefold()


def variants(sheet: pd.DataFrame, column: str) -> Iterator[Problem]:
    """Yield a problem for each level written in several ways, or with spaces around it."""
    values = sheet[column].tolist()
    by_key: dict[str, Counter[str]] = {}
    for value in values:
        by_key.setdefault(_key(value), Counter())[value] += 1
    for key, forms in by_key.items():
        if not key:
            continue
        usual = forms.most_common(1)[0][0]
        for form in forms:
            rows = [row for row, value in enumerate(values) if value == form]
            if form != usual:
                what = f"'{form}' ({_rows(sheet, rows)}) differs from '{usual}' in case or spaces"
                where = place(sheet, column=column)
                yield Problem(f"{what} alone", where, "one way of writing a level")
            elif len(forms) == 1 and form != form.strip():
                what = f"'{form}' ({_rows(sheet, rows)}) has spaces around it"
                yield Problem(what, place(sheet, column=column), f"'{form.strip()}'")


def _numbers(values: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(values.str.strip(), errors="coerce").to_numpy(float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _covariate_problems(sheet: pd.DataFrame, name: str) -> Iterator[Problem]:
    empty = list(empty_cells(sheet, name))
    yield from empty
    values = sheet[name]
    if not empty and len(sheet) > 1 and values.map(_key).nunique() == 1:
        what = f"the covariate is '{values.iloc[0]}' in every sample"
        yield Problem(
            what, place(sheet, column=name), "values that differ", "Take it out of covariates."
        )
        return
    given = [row for row, v in enumerate(values) if v.strip().lower() not in MISSING]
    numeric = ~np.isnan(_numbers(values))
    text = [row for row in given if not numeric[row]]
    if text and len(text) < 0.5 * len(given):
        what = f"'{values.iloc[text[0]]}' is no number, as the covariate is in most rows"
        expected = "numbers throughout, or categories throughout"
        yield Problem(
            what, place(sheet, text[0], name), expected, _comma_hint(values.iloc[text[0]])
        )
    elif text and len(text) == len(given) == values.nunique() > 2:
        what = "the covariate is text and differs in every sample"
        expected = "numbers, or categories that samples share"
        yield Problem(what, place(sheet, column=name), expected, _comma_hint(values.iloc[text[0]]))
    elif text:
        yield from variants(sheet, name)


def _comma_hint(value: str) -> str:
    if re.fullmatch(r"\s*[+-]?\d+,\d+\s*", value):
        return "Write decimals with a point."
    return ""


def _serum_problems(
    sheet: pd.DataFrame, factor: str, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    column = entry["serum"]
    values = sheet[column]
    numbers = _numbers(values)
    given = values.str.strip().str.lower().map(lambda v: v not in MISSING).to_numpy(bool)
    if not given.any():
        what = f"holds no level of {factor} at all"
        hint = f"Say 'serum: null' for {factor}."
        yield Problem(what, place(sheet, column=column), "numbers", hint)
    wrong = np.flatnonzero(given & np.isnan(numbers))
    for row in wrong[:SHOWN]:
        what = f"the level '{values.iloc[row]}' of {factor} is not a number"
        hint = _comma_hint(values.iloc[row])
        yield Problem(what, place(sheet, int(row), column), "a number, or an empty cell", hint)
    if len(wrong) > SHOWN:
        rest = f"and {len(wrong) - SHOWN:,} more levels that are not numbers"
        yield Problem(rest, place(sheet, column=column))
    negative = np.flatnonzero(np.nan_to_num(numbers) < 0)
    if len(negative) and entry.get("serum_scale", "linear") == "linear":
        row = int(negative[0])
        what = f"the level {numbers[row]:g} of {factor} is negative ({len(negative)} such cells)"
        hint = f"If levels are logarithms, say 'serum_scale: log2' for {factor}."
        yield Problem(what, place(sheet, row, column), "levels ≥ 0", hint)


def _level_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    column = design["time"]
    levels = [level for level in dict.fromkeys(sheet[column]) if level.strip()]
    asked = {key: design[key] for key in ("before", "after")}
    unknown = {key: level for key, level in asked.items() if level not in levels}
    for key, level in unknown.items():
        yield Problem(
            f"no sample is '{level}', which design.{key} names",
            place(sheet, column=column),
            "a level of that column",
            nearest(level, [name for name in levels if name not in asked.values()] or levels),
        )
    if unknown or design["before"] == design["after"]:
        return
    keys = {_key(level) for level in asked.values()}
    for level in levels:
        if _key(level) not in keys:
            rows = [row for row, value in enumerate(sheet[column]) if value == level]
            yield Problem(
                f"'{level}' ({_rows(sheet, rows)}) is neither before nor after",
                place(sheet, column=column),
                f"'{asked['before']}' or '{asked['after']}'",
                nearest(level, asked.values()),
            )


def _group_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    column, reference = design["group"], design["reference_group"]
    if not column:
        if reference:
            what = f"design.reference_group is '{reference}', but design.group is null"
            yield Problem(what, "config, design", "a group column, or no reference group")
        return
    groups = [name for name in dict.fromkeys(sheet[column]) if name.strip()]
    if reference and reference not in groups:
        yield Problem(
            f"no sample is of the group '{reference}', which design.reference_group names",
            place(sheet, column=column),
            "a group of the sheet",
            nearest(reference, groups),
        )
    elif not reference and len({_key(name) for name in groups}) > 1:
        yield Problem(
            f"design.reference_group is missing, and there are {len(groups)} groups",
            "config, design",
            "the group that the others are compared with",
            f"Valid: {listed(groups, 8)}.",
        )
    apart = {_key(name): name for name in groups}  # variants in case are said elsewhere
    yield from name_clashes(list(apart.values()), place(sheet, column=column), "group names")


def is_pool(cell: str) -> bool | None:
    """Return whether a cell of the pool column says a pool of sera, or None where it says neither.

    A number is how many persons' sera are in it (1: no pool); else yes or no, true or false.
    """
    word = cell.strip().casefold()
    if word in ("yes", "true"):
        return True
    if word in ("no", "false"):
        return False
    return int(word) > 1 if re.fullmatch(r"[1-9]\d*", word, flags=re.ASCII) else None


def pools_of(sheet: pd.DataFrame, design: Mapping[str, Any]) -> list[str]:
    """Return the donors of a sound sheet that are pools of sera, sorted."""
    column = design.get("pool")
    if not column:
        return []
    return sorted(set(sheet.loc[sheet[column].map(is_pool).eq(True), design["donor"]]))


def _pool_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for cells that say no pool size, and for donors that are pool and person."""
    column, donor = design["pool"], design["donor"]
    yield from empty_cells(sheet, column)
    said = sheet[column].map(is_pool)
    given = ~sheet[column].str.strip().str.lower().isin(MISSING)
    wrong = np.flatnonzero(given & said.isna())
    for row in wrong[:SHOWN]:
        what = f"'{sheet[column].iloc[row]}' does not say how many persons' sera were pooled"
        expected = "a whole number (1: no pool), or yes or no"
        yield Problem(what, place(sheet, int(row), column), expected)
    if len(wrong) > SHOWN:
        rest = f"and {len(wrong) - SHOWN:,} more cells that are neither a number nor yes or no"
        yield Problem(rest, place(sheet, column=column))
    if donor not in sheet.columns:
        return
    kinds = said[said.notna()].groupby(sheet[donor], sort=False).nunique()
    for name in kinds.index[kinds > 1][:SHOWN]:
        rows = [row for row, value in enumerate(sheet[donor]) if value == name]
        what = (
            f"the donor '{name}' ({_rows(sheet, rows)}) is a pool in one sample and not in another"
        )
        yield Problem(what, place(sheet, column=column), "one kind of serum a donor")


def _crossover_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    if not design["group"]:
        if design["crossover"]:
            what = "design.crossover is true, but design.group is null"
            yield Problem(what, "config, design", "several groups in a crossover")
        return
    groups = sheet.groupby(design["donor"], sort=False)[design["group"]].unique()
    several = groups[groups.map(len) > 1]
    if design["crossover"] and several.empty:
        yield Problem(
            "design.crossover is true, but no donor is in two groups",
            place(sheet, column=design["donor"]),
            "the same donors in several groups",
            "Say 'crossover: false'.",
        )
    if design["crossover"]:
        return
    for donor, names in several.head(SHOWN).items():
        rows = [row for row, value in enumerate(sheet[design["donor"]]) if value == donor]
        yield Problem(
            f"the donor '{donor}' ({_rows(sheet, rows)}) is in the groups {listed(names)}",
            place(sheet, column=design["donor"]),
            "each donor in one group",
            "If donors crossed over, say 'crossover: true'; if these are different people, "
            "give them different names.",
        )
    if len(several) > SHOWN:
        rest = f"and {len(several) - SHOWN:,} more donors in two groups"
        yield Problem(rest, place(sheet, column=design["donor"]))


def _pair_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each group in which no donor has both before and after."""
    before, after = design["before"], design["after"]
    column = design["group"]
    parts = sheet.groupby(column, sort=False) if column else [("", sheet)]
    for group, part in parts:
        times = part.groupby(design["donor"])[design["time"]].agg(set)
        if any({before, after} <= seen for seen in times):
            continue
        who = f"the group '{group}'" if column else "the sheet"
        present = set(part[design["time"]])
        if len(present) == 1:
            what = f"{who} has '{present.pop()}' samples alone"
        else:
            what = f"no donor of {who} has both '{before}' and '{after}'"
        yield Problem(
            what,
            place(sheet, column=design["time"]),
            "at least one complete pair in each group",
            f"A donor's two samples share one name in '{design['donor']}'.",
        )


def _line_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each pair whose samples before and after are of different lines."""
    keys = [design[key] for key in ("donor", "group") if design[key]]
    for names, part in sheet.groupby(keys, sort=False):
        lines = {
            level: set(part.loc[part[design["time"]] == level, design["line"]])
            for level in (design["before"], design["after"])
        }
        before, after = lines[design["before"]], lines[design["after"]]
        if before and after and before != after:
            yield Problem(
                f"the donor '{names[0]}' has the lines {listed(sorted(before))} at "
                f"'{design['before']}' and {listed(sorted(after))} at '{design['after']}'",
                place(sheet, column=design["line"]),
                "the same lines at both times",
                "Leave the samples of the other lines out of both tables.",
            )
