"""The stimulation arm: fibroblasts with and without the recombinant factor."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.errors import Problem, listed, nearest
from fibroserum.files.table import column_name
from fibroserum.input.sheet import empty_cells, read_sample_sheet, variants


def _column_problems(sheet: pd.DataFrame, arm: dict[str, Any], where: str) -> Iterator[Problem]:
    for key in ("column", "block"):
        if not arm[key]:
            continue
        if arm[key] in sheet:
            yield from empty_cells(sheet, arm[key], named=(arm["control"], arm["treated"]))
            yield from variants(sheet, arm[key])
            continue
        yield Problem(
            f"has no column '{column_name(sheet, arm[key])}'",
            where,
            f"the column that stimulation.{key} of the config names",
            nearest(arm[key], sheet.columns, "Columns found"),
        )


def _level_problems(sheet: pd.DataFrame, arm: dict[str, Any], where: str) -> Iterator[Problem]:
    levels = sorted(sheet[arm["column"]].unique())
    for key in ("control", "treated"):
        if arm[key] not in levels:
            yield Problem(
                f"no sample has the {arm['column']} '{arm[key]}' that stimulation.{key} names",
                where,
                "at least two samples of each level",
                nearest(arm[key], [level for level in levels if level not in arm.values()]),
            )
    counts = sheet[arm["column"]].value_counts()
    few = [key for key in ("control", "treated") if counts.get(arm[key], 0) == 1]
    if few and not arm["block"]:
        yield Problem(
            f"only one sample is '{arm[few[0]]}'", where, "at least two samples of each level"
        )


def _block_problems(sheet: pd.DataFrame, arm: dict[str, Any], where: str) -> Iterator[Problem]:
    used = sheet[sheet[arm["column"]].isin([arm["control"], arm["treated"]])]
    for block, part in used.groupby(arm["block"]):
        absent = {arm["control"], arm["treated"]} - set(part[arm["column"]])
        if absent:
            yield Problem(
                f"{arm['block']} '{block}' has no '{absent.pop()}' sample",
                where,
                "control and treated samples in every block",
                f"Remove the rows of {block} from the sheet, or add its missing sample.",
            )


def check_stimulation(
    factor: str, arm: dict[str, Any], counted: Collection[str] | None
) -> tuple[Problem, ...]:
    """Return what is wrong with a stimulation arm's sheet.

    arm: the config's `stimulation`; counted: the samples of its count matrix, or None where the
    matrix has not been read. Raises InputError where the sheet cannot be read.
    """
    sheet = read_sample_sheet(Path(arm["samples"]), arm)
    where = f"{arm['samples']} (factor {factor})"
    if "sample" not in sheet:
        hint = nearest("sample", sheet.columns, "Columns found")
        hint += " If the column has another name, write it in stimulation.sample."
        return (Problem("has no column 'sample'", where, "the column of sample names", hint),)
    problems = list(_column_problems(sheet, arm, where))
    doubled = sorted(sheet.loc[sheet["sample"].duplicated(), "sample"].unique())
    problems += [
        Problem(f"the sample '{name}' appears twice", where, "one row per sample")
        for name in doubled
    ]
    if counted is not None and not set(sheet["sample"]) & set(counted):
        problems.append(
            Problem(
                f"none of the samples ({listed(sheet['sample'], 3)}) is in {arm['counts']}, "
                f"which contains {listed(counted, 3)}",
                where,
                "the names of the count matrix's columns",
            )
        )
    elif counted is not None:
        for name in sorted(set(sheet["sample"]) - set(counted)):
            problems.append(
                Problem(
                    f"the sample '{name}' is not in {arm['counts']}",
                    where,
                    "a column of the count matrix",
                    nearest(name, sorted(set(counted) - set(sheet["sample"])), "Samples found"),
                )
            )
    if problems:
        return tuple(problems)
    problems = list(_level_problems(sheet, arm, where))
    if arm["block"] and not problems:
        problems += _block_problems(sheet, arm, where)
        used = sheet[arm["column"]].isin([arm["control"], arm["treated"]])
        if not problems and sheet.loc[used, arm["block"]].nunique() < 2:
            what = f"all samples have the same {arm['block']}"
            hint = "If the samples are independent, write 'block: null'."
            problems.append(
                Problem(
                    what, where, "at least two blocks, each with control and treated samples", hint
                )
            )
    return tuple(problems)


def left_out(factor: str, sheet: pd.DataFrame, arm: dict[str, Any]) -> list[str]:
    """Return a note on the samples of the arm that are neither control nor treated, if any."""
    others = sheet[~sheet[arm["column"]].isin([arm["control"], arm["treated"]])]
    if others.empty:
        return []
    levels = ", ".join(f"'{level}'" for level in sorted(others[arm["column"]].unique()))
    names = ", ".join(others["sample"])
    what = f"stimulation experiment with {factor}: excluded {names}"
    return [f"{what}, because {arm['column']} is {levels}"]
