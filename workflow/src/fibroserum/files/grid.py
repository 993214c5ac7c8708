"""A delimited text as a grid of cells: its separator, its header, lines of equal length."""

from __future__ import annotations

import csv
import io
import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fibroserum.errors import SHOWN, InputError, Problem, capped, refuse
from fibroserum.files.contents import read_text
from fibroserum.files.left_out import is_counter
from fibroserum.files.workbook import joined

ID_HEADERS = {
    "", "gene", "genes", "geneid", "gene_id", "gene_ids", "ensgene", "ensembl", "ensembl_id",
    "ensembl_gene_id", "entrez", "entrez_id", "entrezid", "symbol", "gene_name", "gene_symbol",
    "id", "feature", "feature_id", "name", "target_id", "rownames", "unnamed: 0",
}  # fmt: skip
EUROPEAN_HINT = (
    "Save it with commas between columns and decimal points in numbers, or as tab-separated text."
)


@dataclass(frozen=True)
class Grid:
    """A delimited text: a header (or none) and data lines of equal length, not yet numbers."""

    where: str
    separator: str
    header: tuple[str, ...] | None
    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    width: int
    notes: tuple[str, ...] = ()


def split(line: str, separator: str) -> list[str]:
    """Return a line's fields, quotes taken away."""
    if '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator))


def first_cell(line: str, separator: str) -> str:
    """Return a line's first field; the rest, perhaps thousands of fields, is not split."""
    return split(line, separator)[0] if '"' in line else line.partition(separator)[0]


def find_separator(lines: Sequence[str], where: str) -> str:
    """Return the tab or the comma; refuse semicolons, spaces and single columns with advice."""
    first = lines[0]
    if "\t" in first:
        return "\t"
    if first.count(";") and first.count(";") >= first.count(","):
        raise refuse("has semicolons between columns", where, "tabs or commas", EUROPEAN_HINT)
    if "," in first:
        return ","
    if len(first.split()) > 1 and all(len(line.split()) > 1 for line in lines[:5]):
        hint = "In R, write it with write.table(..., sep='\\t', quote=FALSE, col.names=NA)."
        raise refuse("has spaces between columns", where, "tabs or commas", hint)
    raise refuse(
        f"has a single column (its first line is '{first[:60]}')",
        where,
        "a column of ids and further columns",
    )


def read_grid(path: Path, *, header: bool = False) -> Grid:
    """Return the file's header and lines, every line of the same number of fields.

    A line is one record: a quoted cell may hold line breaks (RFC 4180). Comment lines (#) before
    the header, rows without content and columns without name and content are left out. A header one
    field short, as R writes it, gets an empty name for the ids. `header`: the first line is one
    whatever it holds. Raises InputError listing ragged lines and open quotes.
    """
    text = read_text(path)
    where = str(path)
    comments = _leading_comments(text.lines)
    if comments == len(text.lines):
        raise refuse("contains only comment lines", where, "a header and rows")
    lines, numbers = text.lines[comments:], text.numbers[comments:]
    separator = find_separator([_first_record(lines), *lines[1:5]], where)
    records = _records(lines, numbers, separator, where)
    if not records:
        raise refuse("is empty", where, "a header and rows")
    headless = not header and _is_headless(records, separator)
    width, short_header = _layout(records)
    _refuse_title(records, width, separator, where)
    _refuse_ragged(records, width, short_header, where)
    cut = any(record.fields > width for record in records)
    rows = [
        record.text if record.fields <= width else _first_fields(record.text, separator, width)
        for record in records
    ]
    names: tuple[str, ...] | None = None
    if not headless:
        names = tuple(split(rows[0].removeprefix("#"), separator))
        names = ("", *names) if short_header else names
        rows, records = rows[1:], records[1:]
        kept = _with_name_or_content(names, rows, separator)
        if len(kept) < width:
            cut, width, names = True, len(kept), tuple(names[index] for index in kept)
            cells = (split(row, separator) for row in rows)
            rows = [joined([row[index] for index in kept], separator) for row in cells]
    left_out = (f"{where}: excluded columns without name and content",) if cut else ()
    places = tuple(record.number for record in records)
    return Grid(where, separator, names, tuple(rows), places, width, (*text.notes, *left_out))


@dataclass(frozen=True)
class _Record:
    """A row as text, its first line in the file, its fields, and those up to the last in use."""

    text: str
    number: int
    fields: int
    used: int


def _first_record(lines: Sequence[str]) -> str:
    """Return the first line, and further ones while a quotation mark is open."""
    for count in range(1, min(len(lines), 20) + 1):
        text = "\n".join(lines[:count])
        if text.count('"') % 2 == 0:
            return text
    return lines[0]


def _records(
    lines: Sequence[str], numbers: Sequence[int], separator: str, where: str
) -> list[_Record]:
    """Return the rows that hold anything. Raises InputError where quotation marks do not pair."""
    if not any('"' in line for line in lines):
        found = [_plain_record(*line, separator) for line in zip(lines, numbers, strict=True)]
        return [record for record in found if record.used]
    # blank lines were left out, and within a quoted cell they are part of it
    gaps = [after - number for number, after in itertools.pairwise([*numbers, numbers[-1] + 1])]
    fed = [line + "\n" * gap for line, gap in zip(lines, gaps, strict=True)]
    reader = csv.reader(fed, delimiter=separator, strict=True)
    problems, records = [], []
    while reader.line_num < len(fed):
        first = reader.line_num
        try:
            cells = next(reader)
        except csv.Error as error:
            problems.append(_quote_problem(error, f"{where}, row {numbers[first]}"))
            continue
        record = "".join(fed[first : reader.line_num]).rstrip("\n")
        records.append(_Record(record, numbers[first], len(cells), _used(cells)))
    if problems:
        raise InputError(capped(problems, where))
    return [record for record in records if record.used]


def _plain_record(line: str, number: int, separator: str) -> _Record:
    if line[-1] != separator and not line[-1].isspace():
        fields = line.count(separator) + 1
        return _Record(line, number, fields, fields)
    cells = line.split(separator)
    return _Record(line, number, len(cells), _used(cells))


def _used(cells: Sequence[str]) -> int:
    return next((n for n in range(len(cells), 0, -1) if cells[n - 1].strip()), 0)


def _quote_problem(error: csv.Error, where: str) -> Problem:
    text = str(error)
    if "end of data" in text or "field limit" in text:
        return Problem(
            "a quotation mark is opened but not closed", where, "quotation marks in pairs"
        )
    if "expected after" in text:
        what = "a quotation mark is closed before the end of its cell"
        return Problem(what, where, "quotation marks around whole cells, and doubled inside them")
    return Problem(f"cannot be split ({text})", where)


def _layout(records: Sequence[_Record]) -> tuple[int, bool]:
    """Return the number of columns, and whether the header is one field short, as R writes it.

    Empty cells behind the header's last name, as spreadsheets leave them, are no columns.
    """
    head, rows = records[0], records[1:]
    if all(row.used <= head.used for row in rows):
        return head.used, False
    longer = sum(row.used == head.fields + 1 for row in rows)
    short = head.used == head.fields and 2 * longer > len(rows)
    return head.fields + short, short


def _first_fields(row: str, separator: str, width: int) -> str:
    return joined(split(row, separator)[:width], separator)


def _with_name_or_content(
    names: Sequence[str], rows: Sequence[str], separator: str
) -> Sequence[int]:
    """Return the columns but those without a name in which no row holds anything."""
    nameless = [index for index, name in enumerate(names) if index and not name.strip()]
    for row in rows:
        if not nameless:
            break
        cells = split(row, separator)
        nameless = [index for index in nameless if not cells[index].strip()]
    return [index for index in range(len(names)) if index not in nameless]


def _leading_comments(lines: Sequence[str]) -> int:
    """Return how many comment lines precede the header; a '#gene' header is no comment."""
    count = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if 0 < count < len(lines):
        for separator in ("\t", ","):
            cells = lines[count].split(separator)
            same = len(cells) > 1 and lines[count - 1].count(separator) == len(cells) - 1
            if same and cells[-1].strip().isdigit():
                return count - 1
    return count


def _refuse_title(records: Sequence[_Record], width: int, separator: str, where: str) -> None:
    """Refuse a title above the header: one cell, alone in its row of a table of three and more."""
    given = [cell.strip() for cell in split(records[0].text, separator) if cell.strip()]
    if len(given) == 1 and width > 2 and 2 * sum(row.used > 2 for row in records) > len(records):
        what = f"'{given[0][:60]}' is the only cell of its row, like a title above the header"
        hint = "Remove the rows above the header, and merged cells."
        raise refuse(what, f"{where}, row {records[0].number}", "a header in the first row", hint)


def _refuse_ragged(records: Sequence[_Record], width: int, short_header: bool, where: str) -> None:
    first = "second" if short_header else "first"
    wrong = [
        Problem(
            f"has {row.fields} cells",
            f"{where}, row {row.number}",
            f"{width}, as in the {first} row",
        )
        for row in records[short_header:]
        if row.fields < width or row.used > width
    ]
    if wrong:
        raise InputError(capped(wrong, where, SHOWN))


def _is_headless(records: Sequence[_Record], separator: str) -> bool:
    """Tell whether the first line already holds counts, as in HTSeq's and STAR's files."""
    first = split(records[0].text, separator)[: records[0].used]
    if is_counter(first[0]):
        return True
    if not first[-1].strip().isdigit() or first[0].strip().lower() in ID_HEADERS:
        return False
    return len(first) == 2 or any(
        is_counter(first_cell(row.text, separator)) for row in records[-5:]
    )


def parse_lines(grid: Grid, text_columns: dict[int, type[str]]) -> pd.DataFrame:
    """Return the grid's cells, columns numbered from 0; text where asked or where no number."""
    text = "\n".join(grid.lines).encode()

    def parse(*, in_parts: bool) -> pd.DataFrame:
        return pd.read_csv(
            io.BytesIO(text),
            sep=grid.separator,
            header=None,
            names=list(range(grid.width)),
            index_col=False,
            dtype=text_columns,
            na_filter=False,
            low_memory=in_parts,
            skip_blank_lines=False,
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.DtypeWarning)
            try:
                return parse(in_parts=True)
            except pd.errors.DtypeWarning:
                # a column of numbers in one part and text in another: all of it is text
                return parse(in_parts=False)
    except (ValueError, OverflowError) as error:  # ParserError is a ValueError
        raise refuse(f"cannot be read as a table ({error})", grid.where) from error


def is_star(grid: Grid) -> bool:
    """Tell whether this is STAR's ReadsPerGene table: four columns, N_unmapped first."""
    return grid.header is None and grid.width == 4 and grid.lines[0].startswith("N_unmapped")
