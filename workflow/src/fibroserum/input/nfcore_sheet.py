"""The sample sheet in a samplesheet of nf-core/rnaseq, whose rows are lanes of samples."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from fibroserum.errors import Collector, Problem, either, listed, nearest, refuse
from fibroserum.files.table import rows_text
from fibroserum.input.sheet import IGNORED, MISSING_ID, SAMPLE, empty_cells, times_after
from fibroserum.input.sheet_checks import check_sheet

#: Columns that describe reads, not samples.
_OF_READS = (
    *("fastq_1", "fastq_2", "strandedness", "seq_platform", "seq_center"),
    *("genome_bam", "transcriptome_bam", "percent_mapped"),
)
#: What messages say of the config, and of the options that write it.
_OPTIONS = {
    "design.before": "--before",
    "design.after": "--after",
    "before and after": "--before and --after",
    "design.ignore_times": "--ignore",
    "ignore_times": "--ignore",
    "design.reference_group": "--reference",
    "design.group is null": "--single-group is given",
    "design.group": "--group",
    "'crossover: true'": "--crossover",
    "Write 'crossover: false'": "Leave out --crossover",
    "design.crossover is true": "--crossover is given",
}


def one_row_per_sample(
    rows: pd.DataFrame, columns: Mapping[str, str | None], found: Collector, notes: list[str]
) -> pd.DataFrame:
    """Return the samplesheet without lanes and without columns of reads.

    `attrs["lines"]` holds the first line of each sample. A sample without a name, or with several
    values in a column of the design, is a problem. Other columns in which a sample has several
    values are left out, with a note. Raises InputError where there is no column of sample names.
    """
    source = str(rows.attrs["source"])
    if SAMPLE not in rows:
        hint = nearest(SAMPLE, rows.columns, "Columns found")
        raise refuse(f"has no column '{SAMPLE}'", source, "the column of sample names", hint)
    used = list(dict.fromkeys([SAMPLE, *(c for c in columns.values() if c in rows)]))
    found.problems += empty_cells(rows, SAMPLE, MISSING_ID)
    kept = [column for column in rows if column not in _OF_READS or column in used]
    several = rows[kept].groupby(SAMPLE, sort=False).nunique() > 1
    for column in used[1:]:
        for name in several.index[several[column]]:
            lanes = rows[rows[SAMPLE] == name]
            what = f"'{name}' has the values {listed(dict.fromkeys(lanes[column]))}"
            where = f"{source}, {rows_text(rows, list(lanes.index))}, column '{column}'"
            found.problems.append(Problem(what, where, "one value per sample"))
    left = [column for column in several if column not in used and several[column].any()]
    if left:
        notes.append(f"{source}: {listed(left)} left out, because rows of one sample differ")
    order = [*used, *(column for column in kept if column not in (*used, *left))]
    return _rows(rows[order], ~rows[SAMPLE].duplicated() & rows[SAMPLE].ne(""))


def _rows(sheet: pd.DataFrame, kept: pd.Series) -> pd.DataFrame:
    """Return rows of a sheet, with their lines."""
    lines = [line for line, one in zip(sheet.attrs["lines"], kept, strict=True) if one]
    part = sheet[kept].reset_index(drop=True)
    part.attrs = sheet.attrs | {"lines": lines}
    return part


def add_parts_of_names(
    sheet: pd.DataFrame, columns: Mapping[str, str | None], pattern: str | None, source: str
) -> Iterator[Problem]:
    """Add to a sheet what a pattern of its sample names gives.

    A part has the name of its key or of its column: `{time}` or `{timepoint}`. Yields a problem
    where names do not match, where a column of the design is still missing, and where a column
    differs from the names. Raises InputError for what is not a pattern.
    """
    parts = pd.DataFrame(index=sheet.index)
    if pattern is not None:
        parts = sheet[SAMPLE].str.extract(_expression(pattern)).fillna("")
        strange = sheet[SAMPLE][parts.eq("").all(axis=1)]
        if len(strange):
            what = f"'{pattern}' does not match {listed(strange)}"
            hint = "No part may contain a separator. Rename samples, or add columns."
            yield Problem(what, f"{source}, column '{SAMPLE}'", "names of one form", hint)
    for key, column in columns.items():
        if column in parts and column not in columns:
            if key in parts:
                what = f"{{{key}}} and {{{column}}} are both the {key}"
                yield Problem(what, "--pattern", f"one part for the {key}")
                parts = parts.drop(columns=column)
            parts = parts.rename(columns={column: key})
        if column is None and key in parts:
            what = f"'{pattern}' has a part {{{key}}}, but --single-{key} is given"
            hint = f"Leave out --single-{key}, or give the part another name."
            yield Problem(what, "--pattern", f"no part {{{key}}}", hint)
        elif column and column not in sheet and key not in parts:
            near = nearest(column, sheet.columns, "Columns found")
            hint = f"{near} Name a column with --{key}, or write {{{key}}} in --pattern."
            hint += " For a single group, write --single-group." if key == "group" else ""
            yield Problem(f"has no {key}", source, f"a column '{column}'", hint)
    for part in map(str, parts):
        name = columns.get(part, part)
        if name is None:
            continue
        if name not in sheet:
            sheet[name] = parts[part]
            continue
        wrong = sheet[SAMPLE][parts[part].ne("") & (parts[part] != sheet[name])]
        if len(wrong):
            what = f"column '{name}' and --pattern differ for {listed(wrong)}"
            hint = "Correct the column, or give the part another name in the pattern."
            yield Problem(what, source, f"one {part} per sample", hint)


def _expression(pattern: str) -> str:
    """Return a pattern of names as a regular expression, in which no part has a separator."""
    pieces = re.split(r"\{([A-Za-z_]\w*)\}", pattern)
    literals, names = pieces[::2], pieces[1::2]
    separators = {mark for text in literals for mark in text if not mark.isalnum()}
    apart = all(separators.intersection(text) for text in literals[1:-1])
    if not names or len(set(names)) < len(names) or not apart or separators & {*"{}"}:
        expected = "parts in braces, each once, with a separator between two parts"
        hint = "Write for example '{donor}_{group}_{time}'."
        raise refuse(f"'{pattern}' is not a pattern of names", "--pattern", expected, hint)
    part = f"[^{re.escape(''.join(sorted(separators)))}]+" if separators else ".+"
    groups = [
        f"(?P<{name}>{part}){re.escape(end)}" for name, end in zip(names, literals[1:], strict=True)
    ]
    return f"^{re.escape(literals[0])}{''.join(groups)}$"


def rename_as_counted(
    sheet: pd.DataFrame, counted: Collection[str], counts: str, source: str, notes: list[str]
) -> Iterator[Problem]:
    """Give samples the names that R has made of theirs in the counts, with a note.

    nf-core/rnaseq writes spaces as `_`, and R writes `1-a` as `X1.a`. Yields a problem for each
    sample that was not counted, and for names that R has made equal.
    """
    names: dict[str, str] = {}
    for name in sheet[SAMPLE]:
        plain = re.sub(r"\s", "_", name)
        in_r = re.sub(r"^(?![A-Za-z]|\.(?!\d))", "X", re.sub(r"[^\w.]", ".", plain))
        column = next((one for one in (name, plain, in_r) if one in counted), None)
        names |= {name: column} if column else {}
    free = [column for column in counted if column not in names.values()]
    for name in sheet[SAMPLE][~sheet[SAMPLE].isin(names)]:
        why = "If nf-core/rnaseq removed the sample (too few reads), delete its rows."
        hint = f"{nearest(name, free, 'Counted without a row')} {why}".lstrip()
        where = f"{source}, column '{SAMPLE}'"
        yield Problem(f"the sample '{name}' has no counts", where, f"a column of {counts}", hint)
    for column in dict.fromkeys(names.values()):
        same = [f"'{name}'" for name in names if names[name] == column]
        if len(same) > 1:
            what = f"column '{column}' could be {either(same)}"
            yield Problem(what, f"{counts}, header", "one column per sample")
    changed = [name for name, column in names.items() if name != column]
    if changed:
        first = f"'{changed[0]}' is '{names[changed[0]]}'"
        notes.append(f"{counts}: names were changed ({first}). The sheet has those of the counts")
        sheet[SAMPLE] = [names.get(name, name) for name in sheet[SAMPLE]]


def refused_by_a_run(
    sheet: pd.DataFrame, made: Collection[str], design: Mapping[str, Any], missing: Collection[str]
) -> list[Problem]:
    """Return the problems for which a run would refuse a sheet.

    made: columns that a pattern has made, which are empty where it does not match; design: of the
    config, complete; missing: its keys that are placeholders. Problems that depend on the levels
    that replace these are left out.
    """
    # names that R has made equal are refused by `rename_as_counted`
    distinct = ~sheet[SAMPLE].duplicated()
    sheet = _rows(sheet, sheet[list(made)].ne("").all(axis=1) & distinct)
    time, ignored = sheet.get(design["time"]), design["ignore_times"]
    if time is None or sheet.empty:
        return []
    rest = _rows(sheet, ~time.isin(ignored))
    out = sheet[time.isin(ignored)]
    rest.attrs[IGNORED] = {row[SAMPLE]: ("", "", row[time.name]) for _, row in out.iterrows()}
    times = sorted({*rest[design["time"]]})
    after = [] if "after" in missing else times_after(design)
    left = [level for level in times if level not in after]
    if rest.empty or ("before" in missing and not left):
        what = f"--after and --ignore name all times, {listed(sorted({*time}))}"
        return [Problem(what, "options", "one for --before")]
    found: list[tuple[Problem, ...]] = []
    for before in left[:2] if "before" in missing else [design["before"]]:
        filled = {"before": before, "after": after or [level for level in times if level != before]}
        if "reference_group" in missing:
            filled["reference_group"] = rest[design["group"]].iloc[0]
        found.append(check_sheet(rest, {**design, **filled}, {}, None))
    absent = {f"has no column '{design[key]}'" for key in ("donor", "group", "time")}
    return [
        problem
        for problem in found[0]
        if problem.what not in absent and all(problem in others for others in found[1:])
    ]


def of_options(problem: Problem, config: str) -> Problem:
    """Return a problem of a config that is not written yet, in words of the command's options."""

    def said(text: str) -> str:
        for key, option in _OPTIONS.items():
            text = text.replace(key, option)
        return text

    where = said(problem.where.removeprefix(f"{config}, ").removeprefix("config, "))
    where = {"cohort": "--cohort", "design": "options"}.get(where, where)
    texts = {key: said(getattr(problem, key)) for key in ("what", "expected", "hint")}
    return replace(problem, where=where, **texts)
