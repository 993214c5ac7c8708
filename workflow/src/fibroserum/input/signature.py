"""A user's own signature of a factor: genes, and what more of the factor does to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fibroserum.errors import InputError, Problem, nearest
from fibroserum.files.table import place, read_sheet
from fibroserum.genes.ids import mangled
from fibroserum.genes.mapping import resolve, why_unmapped

COLUMNS = ("gene", "direction")
DIRECTIONS = ("up", "down")


def read_signature(path: Path) -> pd.DataFrame:
    """Return a signature: gene (as written) and direction (up, down); other columns are ignored.

    TSV, CSV or .xlsx. Raises InputError with every problem: a missing column, an empty gene, an
    unknown direction, a gene twice.
    """
    table = read_sheet(path)
    problems = [
        Problem(
            f"has no column '{name}'",
            str(path),
            f"the columns {', '.join(COLUMNS)}",
            nearest(name, table.columns, "Columns found"),
        )
        for name in COLUMNS
        if name not in table
    ]
    if problems:
        raise InputError(problems)
    table = table[[*COLUMNS]].apply(lambda column: column.str.strip())
    table.attrs = {"source": str(path), "lines": table.attrs.get("lines", [])}
    problems = [*_cell_problems(table), *mangled(table["gene"].tolist(), str(path))]
    if problems:
        raise InputError(problems)
    return table


def _cell_problems(table: pd.DataFrame) -> Iterator[Problem]:
    for row in table.index[table["gene"] == ""]:
        yield Problem("the cell is empty", place(table, row, "gene"), "a gene")
    for row in table.index[~table["direction"].isin(DIRECTIONS)]:
        value = table.loc[row, "direction"]
        hint = nearest(value, DIRECTIONS, "")
        what = f"the direction '{value}' is unknown"
        yield Problem(what, place(table, row, "direction"), "up or down", hint)
    twice = table["gene"].duplicated() & (table["gene"] != "")
    for row in table.index[twice]:
        what = f"gene '{table.loc[row, 'gene']}' appears more than once"
        yield Problem(what, place(table, row, "gene"), "each gene only once")


def on_genes(signature: pd.DataFrame, annotation: pd.DataFrame) -> tuple[pd.Series, dict[str, str]]:
    """Return the direction (up, down) by gene id, and why each other gene has none.

    annotation: of the matrix' genes. Two names of one gene with two directions give it none.
    """
    found, unmapped = resolve(list(signature["gene"]), annotation)
    left_out = {name: why_unmapped(name, annotation) for name in unmapped}
    said = signature.set_index("gene")["direction"]
    directions: dict[str, set[str]] = {}
    for name, rows in found.items():
        for gene in rows:
            directions.setdefault(gene, set()).add(str(said[name]))
    for gene, words in directions.items():
        if len(words) > 1:
            left_out[gene] = f"the signature names {gene} twice, with different directions"
    clear = {gene: min(words) for gene, words in directions.items() if len(words) == 1}
    return pd.Series(clear, dtype=object), left_out
