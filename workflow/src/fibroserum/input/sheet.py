"""The sample sheet: one row a sample, every cell text, checked against the design."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.errors import Problem, listed, nearest, refuse
from fibroserum.files.table import column_name, place, read_sheet, rows_text

#: Cells that say that a number is missing; of a level, and of an id.
MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "null", "none"})
#: `none` is a level: a group without an intervention, a donor without a drug.
MISSING_LEVEL = MISSING - {"none"}
MISSING_ID = frozenset({""})
#: The column of the sample names, whatever the user's sheet calls it.
SAMPLE = "sample"
#: Keys of `design` that name columns of the sheet.
DESIGN_KEYS = ("donor", "group", "time", "line")
#: Names that columns of `obs` cannot take from the sheet: the pipeline's own, and h5ad's.
_TAKEN = frozenset({*DESIGN_KEYS, "used_for", "size_factor", "sample", "_index"})


def read_sample_sheet(path: Path, design: Mapping[str, Any]) -> pd.DataFrame:
    """Return a sheet as `read_sheet` does, the column of sample names called `sample`.

    design: the config's section, or a factor's `stimulation`. Another column of that name becomes
    `sheet.sample`. Raises InputError as `read_sheet` does, and where there is no column of sample
    names.
    """
    sheet, column = read_sheet(path), design.get("sample", SAMPLE)
    if column == SAMPLE:
        return _without_ignored(sheet, design)
    if column not in sheet.columns:
        hint = nearest(column, sheet.columns, "Columns found")
        raise refuse(
            f"has no column '{column}'",
            str(path),
            "the column that the key 'sample' of the config names",
            hint,
        )
    renamed = sheet.rename(columns={SAMPLE: obs_name(SAMPLE), column: SAMPLE})
    renamed.attrs = sheet.attrs | {"names": {SAMPLE: column, obs_name(SAMPLE): SAMPLE}}
    return _without_ignored(renamed, design)


def compared_and_ignored(design: Mapping[str, Any]) -> list[str]:
    """Return the levels of time that are before or after, and in `ignore_times`; of a config."""
    return sorted({design["before"], *times_after(design)} & {*design.get("ignore_times", ())})


def times_after(design: Mapping[str, Any]) -> list[str]:
    """Return the levels of time after the intervention that the config names."""
    after = design["after"]
    return [after] if isinstance(after, str) else list(after)


#: In a sheet's attributes: donor, group and time of each sample that `ignore_times` leaves out.
IGNORED = "ignored"
#: How the reason of such a sample begins in samples.tsv.
IGNORED_TIME = "excluded: design.ignore_times lists"


def _without_ignored(sheet: pd.DataFrame, design: Mapping[str, Any]) -> pd.DataFrame:
    """Return a sheet without the rows of `ignore_times`, named in its attribute `IGNORED`."""
    levels = design.get("ignore_times", ())
    if not levels or design["time"] not in sheet:
        return sheet
    ignored = sheet[design["time"]].isin(levels)
    kept, rest = sheet[~ignored].reset_index(drop=True), sheet[ignored]
    columns = [design[key] for key in ("donor", "group", "time")]
    lines = [n for n, out in zip(sheet.attrs["lines"], ignored, strict=True) if not out]
    kept.attrs = sheet.attrs | {
        "lines": lines,
        IGNORED: {
            str(row[SAMPLE]): [str(row.get(column, "")) for column in columns]
            for row in rest.to_dict("records")
            if SAMPLE in row
        },
    }
    return kept


def with_sheet_names(config: dict[str, Any]) -> dict[str, Any]:
    """Return a sound config with columns called as `read_sample_sheet` calls them.

    Where the sample names stand elsewhere, the sheet's own column `sample` has another name.
    """

    def renamed(section: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
        if section["sample"] == SAMPLE:
            return section
        return section | {key: obs_name(SAMPLE) for key in keys if section[key] == SAMPLE}

    own, factors = obs_name(SAMPLE), {}
    design = renamed(config["design"], (*DESIGN_KEYS, "pool", "block", "dose"))
    elsewhere, normalization = design["sample"] != SAMPLE, config["normalization"]
    if elsewhere and normalization["column"] == SAMPLE:
        normalization = normalization | {"column": own}
    if elsewhere:
        design["covariates"] = [
            {own: entry[SAMPLE]} if isinstance(entry, Mapping) and SAMPLE in entry else entry
            for entry in (own if entry == SAMPLE else entry for entry in design["covariates"])
        ]
    for name, factor in config["factors"].items():
        serum = own if elsewhere and factor["serum"] == SAMPLE else factor["serum"]
        arm = factor["stimulation"]
        arm = renamed(arm, ("column", "block")) if arm else arm
        factors[name] = factor | {"serum": serum, "stimulation": arm}
    outcomes = {
        name: entry | {key: own for key in ("column", "change_column") if entry[key] == SAMPLE}
        for name, entry in config["outcomes"].items()
        if elsewhere
    }
    return config | {
        "design": design,
        "factors": factors,
        "normalization": normalization,
        "outcomes": config["outcomes"] | outcomes,
    }


def obs_name(column: str) -> str:
    """Return the name in `obs` of a sheet's column that is none of the design's.

    h5ad files take no `/` in names. A column that bears a name of the pipeline's own (`line`,
    `used_for`) and means something else is `sheet.{name}`.
    """
    return f"sheet.{column}" if column in _TAKEN else column.replace("/", "_")


def empty_cells(
    sheet: pd.DataFrame,
    column: str,
    missing: frozenset[str] = MISSING_LEVEL,
    named: Collection[str | None] = (),
) -> Iterator[Problem]:
    """Yield a problem where cells of a column are empty or say that a value is missing.

    named: levels that the config names, which are no missing values whatever their words.
    """
    rows = [
        row
        for row, v in enumerate(sheet[column])
        if v.strip().lower() in missing and v not in named
    ]
    if rows:
        cell = sheet[column].iloc[rows[0]].strip()
        what = "the cell is empty" if not cell else f"the value is missing ('{cell}')"
        what += f" in {rows_text(sheet, rows)}" if len(rows) > 1 else ""
        where = place(sheet, rows[0] if len(rows) == 1 else None, column)
        yield Problem(what, where, "a value for every sample")


def missing_names(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield notes on names in a sound sheet that other tables use for a missing value.

    Levels that the config names need no note.
    """
    named = {design["before"], *times_after(design), design["reference_group"]}
    for key in ("sample", *DESIGN_KEYS):
        column = SAMPLE if key == "sample" else design[key]
        if not column:
            continue
        words = [v for v in dict.fromkeys(sheet[column]) if v not in named]
        if found := [v for v in words if v.lower() in MISSING - MISSING_ID]:
            yield (
                f"{listed(found)} in column '{column_name(sheet, column)}' is used as the name "
                f"of a {key}, not as a missing value"
            )


def folded(value: str) -> str:
    """Return a level without case, spare spaces and leading zeros, to compare ways of writing it.

    A spreadsheet makes 1 of 001; zeros after a point are no leading ones.
    """
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", _plain(value))


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).split()).casefold()


def variants(sheet: pd.DataFrame, column: str) -> Iterator[Problem]:
    """Yield a problem for each level written in several ways."""
    values = sheet[column].tolist()
    by_key: dict[str, Counter[str]] = {}
    for value in values:
        by_key.setdefault(folded(value), Counter())[value] += 1
    for key, forms in by_key.items():
        if not key:
            continue
        usual = forms.most_common(1)[0][0]
        for form in forms:
            rows = [row for row, value in enumerate(values) if value == form]
            if form != usual:
                how = "case or spaces" if _plain(form) == _plain(usual) else "leading zeros"
                what = f"'{form}' ({rows_text(sheet, rows)}) differs from '{usual}' only in {how}"
                yield Problem(what, place(sheet, column=column), "one spelling per level")


def is_pool(cell: str) -> bool | None:
    """Return whether a cell of the pool column says a pool of sera, or None where it says neither.

    A number is how many persons' sera are in it (1: no pool); else yes or no, true or false.
    """
    word = cell.strip().casefold()
    if word in ("yes", "true"):
        return True
    if word in ("no", "false"):
        return False
    return word != "1" if re.fullmatch(r"[1-9]\d*", word, flags=re.ASCII) else None


def pools_of(sheet: pd.DataFrame, design: Mapping[str, Any]) -> list[str]:
    """Return the donors of a sound sheet that are pools of sera, sorted."""
    column = design.get("pool")
    if not column:
        return []
    return sorted(set(sheet.loc[sheet[column].map(is_pool).eq(True), design["donor"]]))
