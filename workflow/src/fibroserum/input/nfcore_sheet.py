"""The sample sheet in a samplesheet of nf-core/rnaseq, whose rows are lanes of samples."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import pandas as pd

from fibroserum.errors import Collector, Problem, either, listed, nearest, refuse
from fibroserum.files.table import rows_text
from fibroserum.input.sheet import MISSING_ID, SAMPLE, empty_cells

#: Columns that describe reads, not samples.
_OF_READS = (
    *("fastq_1", "fastq_2", "strandedness", "seq_platform", "seq_center"),
    *("genome_bam", "transcriptome_bam", "percent_mapped"),
)


def one_row_per_sample(
    rows: pd.DataFrame, columns: Mapping[str, str | None], found: Collector, notes: list[str]
) -> pd.DataFrame:
    """Return the samplesheet without lanes and without columns of reads.

    A sample with several values in a column of the design is a problem. Other columns in which a
    sample has several values are left out, with a note. Raises InputError where there is no column
    of sample names.
    """
    source = str(rows.attrs["source"])
    if SAMPLE not in rows:
        hint = nearest(SAMPLE, rows.columns, "Columns found")
        raise refuse(f"has no column '{SAMPLE}'", source, "the column of sample names", hint)
    used = list(dict.fromkeys([SAMPLE, *(c for c in columns.values() if c in rows)]))
    for column in used:
        found.problems += empty_cells(rows, str(column), MISSING_ID)
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
    return rows[order].drop_duplicates(SAMPLE).reset_index(drop=True)


def add_parts_of_names(
    sheet: pd.DataFrame, columns: Mapping[str, str | None], pattern: str | None, source: str
) -> Iterator[Problem]:
    """Add to a sheet what a pattern of its sample names gives.

    Yields a problem where names do not match, where a column of the design is still missing, and
    where it differs from the names. Raises InputError for what is not a pattern.
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
        if column in sheet and key in parts:
            wrong = sheet[SAMPLE][parts[key].ne("") & (parts[key] != sheet[column])]
            if len(wrong):
                what = f"column '{column}' and --pattern differ for {listed(wrong)}"
                hint = f"Correct the column, or give {{{key}}} another name in the pattern."
                yield Problem(what, source, f"one {key} per sample", hint)
        elif column and column not in sheet and key not in parts:
            near = nearest(column, sheet.columns, "Columns found")
            hint = f"{near} Name a column with --{key}, or write {{{key}}} in --pattern."
            hint += " For a single group, write --single-group." if key == "group" else ""
            yield Problem(f"has no {key}", source, f"a column '{column}'", hint)
    for part in parts:
        new = columns.get(str(part), str(part))
        if new and new not in sheet:
            sheet[new] = parts[part]


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
