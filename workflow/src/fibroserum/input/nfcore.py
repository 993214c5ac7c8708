"""Command: config and sample sheet of a cohort from a run of nf-core/rnaseq (docs/nfcore.md)."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fibroserum.errors import Collector, InputError, Problem, listed, refuse
from fibroserum.files.contents import first_line, require
from fibroserum.files.table import read_sheet
from fibroserum.input.config import Config, resolve
from fibroserum.input.names import file_name
from fibroserum.input.nfcore_sheet import (
    add_parts_of_names,
    of_options,
    one_row_per_sample,
    refused_by_a_run,
    rename_as_counted,
)
from fibroserum.input.schema import config_schema
from fibroserum.input.sheet import SAMPLE

#: Levels of the design: what each is a level of, and what is written where none is given.
_LEVELS = {
    "before": ("time", "<level of the time column before the intervention>"),
    "after": ("time", "<level of the time column after the intervention>"),
    "reference_group": ("group", "<group that the others are compared with>"),
}


def convert(
    counts: Path,
    samplesheet: Path,
    cohort: str,
    columns: Mapping[str, str | None],
    pattern: str | None = None,
    levels: Mapping[str, Any] | None = None,
) -> tuple[Path, Path, list[str]]:
    """Write `config/{cohort}.yaml` and `config/{cohort}.samples.tsv`.

    Parameters
    ----------
    counts, samplesheet : pathlib.Path
        Merged gene counts and samplesheet of the run. A sample may have several rows (lanes).
    cohort : str
        Name of the cohort.
    columns : mapping of str to str or None
        Columns of the samplesheet for `donor`, `group` and `time`; None for a single group.
    pattern : str, optional
        Parts of the sample names, in place of columns that are missing: `{donor}_{group}_{time}`.
    levels : mapping, optional
        `before`, `after` (a list) and `reference_group`, of which a missing one becomes a
        placeholder; `ignore_times` (a list) and `crossover`.

    Returns
    -------
    tuple
        The paths of config and sheet, and notes.

    Raises
    ------
    InputError
        With every problem. No file is written then.
    """
    found, notes, levels = Collector(), list[str](), levels or {}
    paths = [Path("config", f"{file_name(cohort)}{end}") for end in (".yaml", ".samples.tsv")]
    for path in paths:
        if path.exists():
            hint = "Move the file, or give another --cohort."
            found.problems.append(Problem("exists already", str(path), "no such file", hint))
    counted: list[str] = []
    with found.collecting():
        counted = _counted(counts)
    sheet, read = pd.DataFrame(), list[str]()
    extra = {key: levels[key] for key in ("ignore_times", "crossover") if levels.get(key)}
    with found.collecting():
        sheet = one_row_per_sample(read_sheet(samplesheet), columns, found, notes)
        read = list(sheet)
        found.problems += add_parts_of_names(sheet, columns, pattern, str(samplesheet))
        if counted:
            names = (str(counts), str(samplesheet))
            found.problems += rename_as_counted(sheet, counted, *names, notes)
    known = {key: sorted({*sheet.get(column, ())} - {""}) for key, column in columns.items()}
    design: dict[str, Any] = {"sample": SAMPLE, **columns}
    for key, (of, placeholder) in _LEVELS.items():
        if levels.get(key) or key != "reference_group" or len(known[of]) > 1:
            design[key] = levels.get(key) or placeholder
    design |= extra
    config: Config = {"cohort": cohort, "counts": [str(counts)], "fractional": "round"}
    config |= {"samples": str(paths[1]), "design": design}
    resolved, problems = resolve(config, config_schema(), str(paths[0]))
    if len(sheet):
        missing = [key for key in _LEVELS if key in design and not levels.get(key)]
        made = [column for column in sheet if column not in read]
        problems += tuple(refused_by_a_run(sheet, made, resolved["design"], missing))
    found.problems += [of_options(problem, str(paths[0])) for problem in problems]
    found.finish()
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=1000)
    for key, (of, placeholder) in _LEVELS.items():
        if design.get(key) == placeholder:
            levels_found = " ".join(listed(known[of], 8).split())
            text = text.replace(placeholder, f"{placeholder}  # found: {levels_found}")
            notes.append(f"{paths[0]}: replace the <placeholder> of design.{key}")
    if counts.name.removesuffix(".gz").endswith("merged.gene_counts.tsv"):
        hint = "Use gene_counts_length_scaled.tsv, unless the reads are 3' tags"
        notes.append(f"{counts}: the counts are not corrected for transcript lengths. {hint}")
    paths[0].parent.mkdir(exist_ok=True)
    table = sheet.to_csv(sep="\t", index=False, lineterminator="\n")
    for path, content in zip(paths, (text, table), strict=True):
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(content)
    return paths[0], paths[1], notes


def _counted(path: Path) -> list[str]:
    """Return the samples of a merged table of gene counts."""
    require(path)
    header = first_line(path).split("\t")
    if header[:2] != ["gene_id", "gene_name"] or re.search(r"gene_(tpm|length)", path.name):
        raise refuse(
            "is not a merged table of gene counts",
            str(path),
            "columns gene_id, gene_name and one for each sample",
            "Use salmon.merged.gene_counts_length_scaled.tsv.",
        )
    return header[2:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write config/NAME.yaml and config/NAME.samples.tsv from a run of nf-core/rnaseq."""
    parser = argparse.ArgumentParser("python -m fibroserum.input.nfcore", description=main.__doc__)
    add = parser.add_argument
    add("counts", type=Path, help="salmon.merged.gene_counts_length_scaled.tsv of the run")
    add("samplesheet", type=Path, help="samplesheet of the run")
    add("--cohort", required=True, metavar="NAME", help="name of the cohort")
    add("--donor", default="donor", metavar="COLUMN", help="default: donor")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--group", default="group", metavar="COLUMN", help="default: group")
    group.add_argument("--single-group", action="store_true", help="all donors are one group")
    add("--time", default="timepoint", metavar="COLUMN", help="default: timepoint")
    add("--pattern", help="parts of the sample names, such as '{donor}_{group}_{time}'")
    add("--before", metavar="LEVEL", help="time before the intervention")
    add("--after", nargs="+", metavar="LEVEL", help="one or several times after it")
    add("--ignore", nargs="+", metavar="LEVEL", help="times whose samples are left out")
    add("--reference", metavar="GROUP", help="group that the others are compared with")
    add("--crossover", action="store_true", help="the same donors are in several groups")
    given = parser.parse_args(arguments)
    group_column = None if given.single_group else given.group
    columns = {"donor": given.donor, "group": group_column, "time": given.time}
    levels = {"before": given.before, "after": given.after, "reference_group": given.reference}
    levels |= {"ignore_times": given.ignore, "crossover": given.crossover}
    where = (given.counts, given.samplesheet, given.cohort)
    try:
        *paths, notes = convert(*where, columns, given.pattern, levels)
    except InputError as error:
        sys.exit(str(error))
    print(*notes, *(f"{path}: written" for path in paths), sep="\n")


if __name__ == "__main__":
    main()
