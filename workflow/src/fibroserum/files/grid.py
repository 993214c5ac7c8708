"""A delimited text as a grid of cells: its separator, its header, lines of equal length."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fibroserum.errors import SHOWN, InputError, Problem, capped, refuse
from fibroserum.files.contents import read_text
from fibroserum.files.left_out import is_counter

ID_HEADERS = {
    "", "gene", "genes", "geneid", "gene_id", "gene_ids", "ensgene", "ensembl", "ensembl_id",
    "ensembl_gene_id", "entrez", "entrez_id", "entrezid", "symbol", "gene_name", "gene_symbol",
    "id", "feature", "feature_id", "name", "target_id", "rownames", "unnamed: 0",
}  # fmt: skip
EUROPEAN_HINT = (
    "Save it with commas between columns and points in numbers, or as tab-separated text."
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
        hint = "In R: write.table(..., sep='\\t', quote=FALSE, col.names=NA)."
        raise refuse("has spaces between columns", where, "tabs or commas", hint)
    raise refuse(
        f"has a single column (its first line is '{first[:60]}')", where, "a column of ids and more"
    )


def read_grid(path: Path, *, header: bool = False) -> Grid:
    """Return the file's header and lines, every line of the same number of fields.

    Comment lines (#) before the header are left out. A header one field short, as R writes it,
    gets an empty name for the ids. `header`: the first line is one whatever it holds. Raises
    InputError listing ragged lines and open quotes.
    """
    text = read_text(path)
    where = str(path)
    comments = _leading_comments(text.lines)
    if comments == len(text.lines):
        raise refuse("holds comment lines alone", where, "a header and rows")
    lines, numbers = text.lines[comments:], text.numbers[comments:]
    separator = find_separator(lines, where)
    widths = _widths(lines, numbers, separator, where)
    headless = not header and _is_headless(lines, separator)
    longer = sum(width == widths[0] + 1 for width in widths[1:])
    short_header = not headless and 2 * longer > len(widths) - 1
    width = widths[0] + short_header
    _refuse_ragged(widths, numbers, width, short_header, where)
    names: tuple[str, ...] | None = None
    if not headless:
        names = tuple(split(lines[0].removeprefix("#"), separator))
        names = ("", *names) if short_header else names
        lines, numbers = lines[1:], numbers[1:]
    return Grid(where, separator, names, lines, numbers, width, text.notes)


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


def _widths(lines: Sequence[str], numbers: Sequence[int], separator: str, where: str) -> list[int]:
    problems, widths = [], []
    for line, number in zip(lines, numbers, strict=True):
        if '"' not in line:
            widths.append(line.count(separator) + 1)
            continue
        if line.count('"') % 2:
            what = "a quotation mark is opened and not closed"
            problems.append(Problem(what, f"{where}, row {number}", "quotes in pairs"))
            continue
        try:
            widths.append(len(split(line, separator)))
        except csv.Error as error:
            problems.append(Problem(f"cannot be split ({error})", f"{where}, row {number}"))
    if problems:
        raise InputError(capped(problems, where))
    return widths


def _refuse_ragged(
    widths: Sequence[int], numbers: Sequence[int], width: int, short_header: bool, where: str
) -> None:
    first = "second" if short_header else "first"
    wrong = [
        Problem(f"has {n} fields", f"{where}, row {number}", f"{width}, as in the {first} row")
        for index, (n, number) in enumerate(zip(widths, numbers, strict=True))
        if n != width and not (index == 0 and short_header)
    ]
    if wrong:
        raise InputError(capped(wrong, where, SHOWN))


def _is_headless(lines: Sequence[str], separator: str) -> bool:
    """Tell whether the first line already holds counts, as in HTSeq's and STAR's files."""
    first = split(lines[0], separator)
    if is_counter(first[0]):
        return True
    if not first[-1].strip().isdigit() or first[0].strip().lower() in ID_HEADERS:
        return False
    return len(first) == 2 or any(is_counter(split(line, separator)[0]) for line in lines[-5:])


def parse_lines(grid: Grid, text_columns: dict[int, type[str]]) -> pd.DataFrame:
    """Return the grid's cells, columns numbered from 0; text where asked or where no number."""
    try:
        return pd.read_csv(
            io.StringIO("\n".join(grid.lines)),
            sep=grid.separator,
            header=None,
            names=list(range(grid.width)),
            index_col=False,
            dtype=text_columns,
            na_filter=False,
            low_memory=False,
            skip_blank_lines=False,
        )
    except (ValueError, OverflowError) as error:  # ParserError is a ValueError
        raise refuse(f"cannot be read as a table ({error})", grid.where) from error


def is_star(grid: Grid) -> bool:
    """Tell whether this is STAR's ReadsPerGene table: four columns, N_unmapped first."""
    return grid.header is None and grid.width == 4 and grid.lines[0].startswith("N_unmapped")
