"""What can be wrong with a sample sheet: its columns, samples, covariates and serum levels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.errors import SHOWN, Problem, listed, nearest, number_of
from fibroserum.files.table import column_name, place, rows_text
from fibroserum.input.covariates import (
    Kind,
    could_be_codes,
    covariate_names,
    declared_kinds,
    numbers,
    spelling,
)
from fibroserum.input.normalization import size_factor_problems
from fibroserum.input.serum_levels import LEVEL, detection_limit, half_limit_log2
from fibroserum.input.sheet import (
    DESIGN_KEYS,
    MISSING,
    MISSING_ID,
    MISSING_LEVEL,
    SAMPLE,
    empty_cells,
    folded,
    obs_name,
    variants,
)
from fibroserum.input.sheet_design import design_problems


def check_sheet(
    sheet: pd.DataFrame,
    design: Mapping[str, Any],
    factors: Mapping[str, Mapping[str, Any]],
    counts_samples: Collection[str] | None,
    size_factor: str | None = None,
) -> tuple[Problem, ...]:
    """Return everything wrong with a sheet, or nothing.

    sheet: as `read_sheet` returns it. design, factors: the config's sections, complete.
    counts_samples: the samples that were counted; None where the matrices have not been read.
    size_factor: the column of given size factors. That `before` differs from `after` is the
    config's to check.
    """
    factors = {name: factor for name, factor in factors.items() if factor["serum"]}
    problems = list(_column_problems(sheet, design, factors))
    if "sample" in sheet.columns:
        problems += _sample_problems(sheet)
        if counts_samples is not None:
            problems += _counted_problems(sheet, counts_samples)
    for name, kind in declared_kinds(design):
        if name in sheet.columns:
            problems += _covariate_problems(sheet, name, kind, design)
    if design.get("block") in sheet.columns:
        problems += empty_cells(sheet, design["block"])
    if design.get("dose") in sheet.columns:
        problems += [*_dose_problems(sheet, design["dose"]), *_repeated_doses(sheet, design)]
    problems += _dose_in_design(design)
    for name, factor in factors.items():
        if factor["serum"] in sheet.columns:
            problems += _serum_problems(sheet, name, factor)
    # a column of the design is refused by the config's check
    if size_factor is not None and size_factor not in map(design.get, DESIGN_KEYS):
        problems += size_factor_problems(sheet, size_factor)
    return (*problems, *design_problems(sheet, design), *_name_problems(sheet, design))


def _name_problems(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each pair of the sheet's columns that get one name in `obs`."""
    meant = {design[name] for name in DESIGN_KEYS} | {"sample"}
    seen: dict[str, str] = {}
    for column in sheet.columns:
        if column in meant:
            continue
        other = seen.setdefault(obs_name(column), column)
        if other != column:
            yield Problem(
                f"the columns '{other}' and '{column}' both become '{obs_name(column)}'",
                f"{place(sheet)}, header",
                "names that still differ when '/' is replaced by '_'",
                "Rename one of them.",
            )


def _column_problems(
    sheet: pd.DataFrame, design: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    wanted = [(SAMPLE, "the column of sample names")]
    wanted += [
        (design[key], f"the column that design.{key} names") for key in DESIGN_KEYS if design[key]
    ]
    if design.get("pool"):
        wanted.append((design["pool"], "the column that design.pool names"))
    if design.get("block"):
        wanted.append((design["block"], "the column that design.block names"))
    if design.get("dose"):
        wanted.append((design["dose"], "the column that design.dose names"))
    wanted += [
        (name, "the column that design.covariates names") for name in covariate_names(design)
    ]
    wanted += [
        (factor["serum"], f"the column that factors.{name}.serum names")
        for name, factor in factors.items()
    ]
    for column, why in wanted:
        if column not in sheet.columns:
            hint = nearest(column, sheet.columns, "Columns found")
            hint += (
                " If the column has another name, write it in design.sample."
                if column == SAMPLE
                else ""
            )
            what = f"has no column '{column_name(sheet, column)}'"
            yield Problem(what, place(sheet), why, hint)


def _sample_problems(sheet: pd.DataFrame) -> Iterator[Problem]:
    samples = sheet["sample"].tolist()
    yield from empty_cells(sheet, "sample", missing=MISSING_ID)
    repeated = [name for name, n in Counter(samples).items() if n > 1 and name.strip()]
    for name in repeated[:SHOWN]:
        rows = [row for row, other in enumerate(samples) if other == name]
        what = f"the sample '{name}' appears in {rows_text(sheet, rows)}"
        yield Problem(what, place(sheet, column="sample"), "one row per sample")
    if len(repeated) > SHOWN:
        rest = f"{number_of(len(repeated) - SHOWN, 'more sample')} in several rows"
        yield Problem(rest, place(sheet, column="sample"))


def _counted_problems(sheet: pd.DataFrame, counted: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each sample of the sheet that was not counted.

    Samples that were counted and have no row are left out of the counts, with a row that says so.
    """
    named = set(sheet["sample"]) - {""}
    only_sheet = [name for name in dict.fromkeys(sheet["sample"]) if name and name not in counted]
    only_counts = [name for name in counted if name not in named]
    if len(only_sheet) == len(named) and only_counts:
        yield Problem(
            f"none of the samples ({listed(only_sheet, 3)}) is in the counts. The counts "
            f"contain {listed(only_counts, 3)}",
            place(sheet, column="sample"),
            "the names of the count matrix's columns",
            _r_name_hint(only_sheet[0], counted) or _case_hint(only_sheet[0], only_counts),
        )
        return
    for name in only_sheet[:SHOWN]:
        row = sheet["sample"].tolist().index(name)
        hint = _r_name_hint(name, counted) or nearest(name, only_counts, "Samples found")
        what = f"the sample '{name}' is not in the counts"
        yield Problem(what, place(sheet, row, "sample"), "a column of the count matrix", hint)
    if len(only_sheet) > SHOWN:
        rest = f"{number_of(len(only_sheet) - SHOWN, 'more sample')} not in the counts"
        yield Problem(rest, place(sheet, column="sample"))


def _case_hint(name: str, counted: Collection[str]) -> str:
    """Return a hint where a counted sample has that name but for case, spaces or zeros."""
    like = next((other for other in counted if folded(other) == folded(name)), None)
    return f"'{name}' is written '{like}' there. Use the same spelling." if like else ""


def _r_name_hint(name: str, counted: Collection[str]) -> str:
    """Return a hint where R's make.names has changed a name on its way into the matrix."""
    made = re.sub(r"[^\w.]", ".", name, flags=re.ASCII)
    made = f"X{made}" if re.match(r"[\d_]|\.\d", made) else made
    if made != name and made in counted:
        return (
            f"R changed '{name}' to '{made}'. Read the counts with check.names=FALSE in R, or "
            f"write '{made}' in the sheet."
        )
    return ""


def _can_be_estimated(sheet: pd.DataFrame, name: str, design: Mapping[str, Any]) -> bool:
    """Return whether a covariate varies within pairs and times; else the models refuse it."""
    units = [design[key] for key in ("donor", "group") if design[key] in sheet.columns]
    keys = [units, *([[design["time"]]] if design["time"] in sheet.columns else [])]
    return all(sheet.groupby(key)[name].nunique().max() > 1 for key in keys if key)


def _covariate_problems(
    sheet: pd.DataFrame, name: str, kind: Kind | None, design: Mapping[str, Any]
) -> Iterator[Problem]:
    missing = MISSING if kind == "numeric" else MISSING_LEVEL
    empty = list(empty_cells(sheet, name, missing=missing))
    yield from empty
    values = sheet[name]
    if not empty and len(sheet) > 1 and values.map(folded).nunique() == 1:
        what = f"the covariate is '{values.iloc[0]}' in every sample"
        yield Problem(
            what,
            place(sheet, column=name),
            "values that differ between samples",
            "Remove it from covariates.",
        )
        return
    absent = values.str.strip().str.lower().isin(missing)
    codes = could_be_codes(values[~absent]) if kind is None and len(sheet) > 1 else []
    if len(codes) > 1 and _can_be_estimated(sheet, name, design):
        shown = f"{', '.join(codes[:-1])} and {codes[-1]}"
        yield Problem(
            f"the covariate contains only the whole numbers {shown}, which may be measurements "
            "or names of categories",
            place(sheet, column=name),
            "the kind of the covariate in design.covariates",
            f"Write {spelling(name, 'categorical')} if the numbers are names (one effect each), "
            f"or {spelling(name, 'numeric')} if they are measurements (one slope).",
        )
        return
    given = np.flatnonzero(~absent).tolist()
    numeric = ~np.isnan(numbers(values))
    text = given if kind == "categorical" else [row for row in given if not numeric[row]]
    if kind == "categorical" and len(text) == len(given) == values.nunique() > 2:
        what = "the covariate is categorical, but every sample has a different category"
        yield Problem(what, place(sheet, column=name), "categories that several samples share")
        return
    if kind == "categorical":
        yield from variants(sheet, name)
        return
    if kind == "numeric" and text:
        cell = values.iloc[text[0]]
        hint = comma_hint(cell) or f"If it is a category, write {spelling(name, 'categorical')}."
        what = f"'{cell}' ({rows_text(sheet, text)}) is not a number, but the covariate is numeric"
        yield Problem(what, place(sheet, column=name), "a number for every sample", hint)
        return
    # infinite values would be numbers to the model
    endless = pd.to_numeric(values, errors="coerce").notna().all()
    if text and (len(text) < 0.5 * len(given) or endless):
        what = (
            f"'{values.iloc[text[0]]}' is not a number, but the covariate is a number in most rows"
        )
        expected = "only numbers, or only categories"
        yield Problem(what, place(sheet, text[0], name), expected, comma_hint(values.iloc[text[0]]))
    elif text and len(text) == len(given) == values.nunique() > 2:
        what = "the covariate is text, and every sample has a different text"
        expected = "numbers, or categories that several samples share"
        yield Problem(what, place(sheet, column=name), expected, comma_hint(values.iloc[text[0]]))
    elif text:
        yield from variants(sheet, name)


def comma_hint(value: str) -> str:
    """Return how to write a number with commas; both readings where the comma may be either."""
    text = value.strip()
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        whole = text.replace(",", "")
        if text.count(",") > 1 or "." in text:
            return f"Write {whole}, without a thousands separator."
        return (
            f"It can be read as {whole} or as {text.replace(',', '.')}. Write numbers without "
            "thousands separators and with a decimal point."
        )
    if re.fullmatch(r"\s*[+-]?\d+,\d+\s*", value):
        return "Write decimals with a point."
    return ""


def limit_hint(value: str) -> str:
    """Return how to write a level that is no number: below a limit, above a range, with a unit."""
    if (limit := detection_limit(value)) is not None and limit <= 0:
        return "A limit of detection is above 0. Write the assay's limit, or leave the cell empty."
    if found := re.match(r"\s*[<≤]\s*=?(.*)", value):
        alone = "write only '<' and the limit, such as '<15'."
        return comma_hint(found[1]) or f"If it is below the limit of detection, {alone}"
    if re.match(r"\s*[>≥]", value):
        return "It is above the assay's range. Measure a dilution, or leave the cell empty."
    if re.match(r"\s*\d[\d.]*\s*[^\d.,\s]", value):
        return "Write only the number, in the same unit for all samples."
    if not re.search(r"\d", value):
        return (
            "If it means below the limit of detection, write only '<' and the limit, such as "
            "'<15'. If the level was not measured, leave the cell empty."
        )
    return ""


def _dose_in_design(design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each design in which a slope on the dose cannot be had."""
    reasons = {
        "crossover": "in a crossover a donor's pairs are not independent",
        "block": "donors who share blocks are not independent",
    }
    for key, why in reasons.items():
        if design.get("dose") and design.get(key):
            yield Problem(
                f"a slope on the dose compares independent donors, and {why}",
                "config, design.dose",
                f"'dose: null', or no design.{key}",
            )


def _dose_problems(sheet: pd.DataFrame, column: str) -> Iterator[Problem]:
    values = sheet[column]
    given = ~values.str.strip().str.lower().isin(MISSING).to_numpy(bool)
    if not given.any():
        hint = "Write the doses, or 'dose: null' in the config."
        yield Problem("has no dose", place(sheet, column=column), "numbers", hint)
    wrong = np.flatnonzero(given & np.isnan(numbers(values)))
    for row in wrong[:SHOWN]:
        what = f"the dose '{values.iloc[row]}' is not a number"
        hint = comma_hint(values.iloc[row])
        yield Problem(what, place(sheet, int(row), column), "a number, or an empty cell", hint)
    if len(wrong) > SHOWN:
        rest = f"{number_of(len(wrong) - SHOWN, 'more dose')} with the same problem"
        yield Problem(rest, place(sheet, column=column))


def _repeated_doses(sheet: pd.DataFrame, design: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem where most donors of each group repeat one dose in their rows, and not all.

    The column then holds one dose a donor with a mistake in it, or doses before and after.
    """
    donor, group, time = (design[key] for key in ("donor", "group", "time"))
    if not {donor, time, *([group] if group else [])} <= set(sheet.columns):
        return
    rows = pd.DataFrame(
        {
            "donor": sheet[donor].to_numpy(),
            "group": sheet[group].to_numpy() if group else "",
            "before": (sheet[time] == design["before"]).to_numpy(),
            "dose": numbers(sheet[design["dose"]]),
        }
    ).dropna()
    rows = rows[rows.groupby(["group", "donor"])["before"].transform("nunique") == 2]
    if rows.loc[rows["before"], "dose"].nunique() < 2:
        return
    repeated = rows.groupby(["group", "donor"])["dose"].nunique() == 1
    if repeated.all() or not (repeated.groupby(level="group").mean() > 0.5).all():
        return
    odd = list(repeated.index[~repeated].get_level_values("donor"))
    others = "has" if len(odd) == 1 else "have"
    yield Problem(
        f"{int(repeated.sum())} donors have the same dose in all their rows, but {listed(odd)} "
        f"{others} several doses",
        place(sheet, column=design["dose"]),
        "the same dose in all rows of a donor",
        "If you mean doses before and after, leave the cells of samples before empty, and "
        "write after minus before in the cells of samples after.",
    )


def _serum_problems(
    sheet: pd.DataFrame, factor: str, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    column = entry["serum"]
    values = sheet[column]
    levels, scale = numbers(values), entry.get("serum_scale", "linear")
    given = values.str.strip().str.lower().map(lambda v: v not in MISSING).to_numpy(bool)
    if not given.any():
        what = f"has no level of {factor}"
        hint = f"Write the levels, or 'serum: null' for {factor}."
        yield Problem(what, place(sheet, column=column), "numbers", hint)
    limits = values.map(detection_limit).to_numpy(float)
    below = ~np.isnan([half_limit_log2(limit, scale) for limit in limits])
    wrong = np.flatnonzero(given & np.isnan(levels) & ~below)
    for row in wrong[:SHOWN]:
        what = f"the level '{values.iloc[row]}' of {factor} is not a number"
        hint = comma_hint(values.iloc[row]) or limit_hint(values.iloc[row])
        yield Problem(what, place(sheet, int(row), column), LEVEL, hint)
    if len(wrong) > SHOWN:
        rest = f"{number_of(len(wrong) - SHOWN, 'more level')} with the same problem"
        yield Problem(rest, place(sheet, column=column))
    negative = np.flatnonzero(np.nan_to_num(levels) < 0)
    if len(negative) and scale == "linear":
        row = int(negative[0])
        what = f"the level {levels[row]:g} of {factor} is negative"
        what += f" ({number_of(len(negative), 'such cell')})"
        hint = f"If the levels are logarithms, write 'serum_scale: log2' for {factor}."
        yield Problem(what, place(sheet, row, column), "a level of 0 or more", hint)
