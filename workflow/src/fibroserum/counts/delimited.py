"""Text tables: TSV and CSV count matrices, featureCounts, nf-core/rnaseq, HTSeq and STAR files."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.counts.table import Aside, Matrix
from fibroserum.errors import SHOWN, Problem, listed, refuse
from fibroserum.files.contents import composed
from fibroserum.files.grid import EUROPEAN_HINT, Grid, parse_lines, split
from fibroserum.files.left_out import is_counter, why_no_gene

#: Columns that describe a gene and are no samples (featureCounts, nf-core, biomaRt, Subread).
ANNOTATION_COLUMNS = {
    "gene_name", "gene_symbol", "symbol", "symbols", "gene_names", "gene_symbols",
    "external_gene_name", "hgnc_symbol", "genename", "feature_name",
    "chr", "start", "end", "strand", "length", "gene_biotype", "gene_type", "biotype",
    "description", "chromosome", "entrezid", "entrez_id", "gene_description",
}  # fmt: skip
FEATURECOUNTS_COLUMNS = ("geneid", "chr", "start", "end", "strand", "length")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+\s*")
_MISSING = {"", "na", "nan", "n/a", "null", "none", "#n/a", "-", ".", "inf", "-inf"}
ENSEMBL = re.compile(r"ENS[A-Z]*[GT]\d{11}(\.\d+)?.*")


def matrix_from(grid: Grid, path: Path, known_samples: Collection[str] = ()) -> Matrix:
    """Return a grid's numbers with genes in rows; cells that are no numbers are its problems.

    featureCounts' and nf-core/rnaseq's describing columns are left out and noted, rows of reads
    outside genes (__no_feature, N_unmapped …) put aside. Where columns bear known samples, the
    others are not read, and named in `unlisted`.
    """
    if grid.header is None:
        return _headless_matrix(grid, path, known_samples)
    header = tuple(name.strip() for name in grid.header)
    _refuse_rsem(header, grid.where)
    _refuse_transposed(grid, header, known_samples)
    described = [
        index for index, name in enumerate(header)
        if index and name.lower() in ANNOTATION_COLUMNS and name not in known_samples
    ]  # fmt: skip
    columns = [i for i in range(1, grid.width) if i not in set(described)]
    samples, notes = _sample_names(grid, header, columns, described, known_samples)
    named = [place for place, sample in enumerate(samples) if sample in known_samples]
    unlisted = tuple(sample for sample in samples if named and sample not in known_samples)
    if unlisted:
        columns = [columns[place] for place in named]
        samples = tuple(samples[place] for place in named)
    return replace(numbers(grid, samples, columns, notes), unlisted=unlisted)


def _sample_names(
    grid: Grid,
    header: tuple[str, ...],
    columns: Sequence[int],
    described: Sequence[int],
    known_samples: Collection[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    notes = list(grid.notes)
    samples = tuple(header[index] for index in columns)
    if described:
        names = listed([header[index] for index in described], 8)
        notes.append(f"{grid.where}: columns {names} describe genes and are no samples")
    if tuple(name.lower() for name in header[:6]) == FEATURECOUNTS_COLUMNS:
        plain = plain_names(samples, known_samples)
        if plain != samples:
            change = f"'{samples[0]}' is '{plain[0]}'"
            notes.append(f"{grid.where}: samples named after their alignment files ({change}, …)")
        samples = plain
    elif grid.header is not None and header != grid.header:
        notes.append(f"{grid.where}: spaces around column names taken away")
    return samples, tuple(notes)


_ALIGNER_ENDINGS = re.compile(
    r"(\.(bam|sam|cram)|[._-]?Aligned(\.sortedByCoord)?(\.out)?|[._-](sorted|sort|markdup|dedup|rmdup))$"
)


def plain_names(samples: tuple[str, ...], known_samples: Collection[str]) -> tuple[str, ...]:
    """Return sample names from featureCounts' columns, which are paths of alignment files.

    The way of shortening that gives most known samples, else the first that keeps them apart:
    the file's name without aligner endings, its folder's name, the column as it stands.
    """

    def stem(name: str) -> str:
        text = name.replace("\\", "/").rstrip("/").split("/")[-1]
        while _ALIGNER_ENDINGS.search(text) and _ALIGNER_ENDINGS.sub("", text):
            text = _ALIGNER_ENDINGS.sub("", text)
        return text

    def folder(name: str) -> str:
        parts = name.replace("\\", "/").split("/")
        return parts[-2] if len(parts) > 1 else name

    ways = [samples, tuple(map(stem, samples)), tuple(map(folder, samples))]
    known = set(known_samples)
    most = max(ways, key=lambda names: len(known.intersection(names)))
    if known.intersection(most):
        return most
    apart = [names for names in ways[1:] if len(set(names)) == len(names) and all(names)]
    return apart[0] if apart else samples


def _refuse_rsem(header: Sequence[str], where: str) -> None:
    if {"expected_count", "TPM"} <= set(header):
        hint = "Bring RSEM's expected counts of all samples as one table, 'fractional: round'."
        raise refuse("is RSEM's table of one sample", where, "genes by samples", hint)


def _refuse_transposed(grid: Grid, header: Sequence[str], known: Collection[str]) -> None:
    ids = [split(line, grid.separator)[0].strip() for line in grid.lines]
    names = list(header[1:])
    rows_known = sum(name in known for name in ids)
    columns_known = sum(name in known for name in names)
    genes_in_columns = sum(bool(ENSEMBL.fullmatch(name)) for name in names) > 0.5 * len(names)
    if header[0] and ENSEMBL.fullmatch(header[0]):
        raise refuse(
            f"has no header line: it begins with the gene '{header[0]}'",
            grid.where,
            "a first line with the sample names",
        )
    if genes_in_columns or (rows_known > columns_known and rows_known >= 0.5 * max(len(ids), 1)):
        hint = "Transpose it, for instance in R: write.table(t(x), sep='\\t', col.names=NA)."
        raise refuse("has samples in rows and genes in columns", grid.where, "genes in rows", hint)


def _headless_matrix(grid: Grid, path: Path, known_samples: Collection[str]) -> Matrix:
    first = split(grid.lines[0], grid.separator)
    columns = [i for i in range(1, grid.width) if first[i].strip().isdigit()]
    if len(columns) > 1 or grid.width - len(columns) > 2:
        raise refuse(
            f"has no header line: it begins with '{first[0]}'",
            grid.where,
            "a first line with the sample names",
            "For several alignments in one table, use htseq-count --with-header.",
        )
    sample = sample_name(path, known_samples)
    note = f"{grid.where}: no header (as HTSeq writes it); the sample is '{sample}'"
    return numbers(grid, (sample,), columns, (*grid.notes, note))


_FILE_ENDINGS = re.compile(
    r"[._-]?(gz|bz2|xz|zst|txt|tsv|csv|tab|out|counts?|htseq|ReadsPerGene|quant|abundance)$", re.I
)


def sample_name(path: Path, known_samples: Collection[str] = ()) -> str:
    """Return a sample's name from its file's: the first known one, else without tools' endings.

    A file whose name is nothing but such endings (ReadsPerGene.out.tab) is named by its folder.
    """
    names = [composed(path.name)]
    while _FILE_ENDINGS.search(names[-1]):
        names.append(_FILE_ENDINGS.sub("", names[-1]))
    folder = composed(path.resolve().parent.name)
    known = [name for name in (*names, folder) if name in known_samples]
    return known[0] if known else names[-1] or folder


def numbers(
    grid: Grid,
    samples: tuple[str, ...],
    columns: Sequence[int],
    notes: tuple[str, ...],
) -> Matrix:
    """Return the named columns of a grid as a matrix, gene ids in the first column.

    Rows of reads outside genes are put aside; other cells that are no numbers are problems.
    """
    if not columns or not grid.lines:
        lacking = "no sample column" if not columns else "no gene row"
        raise refuse(f"is an empty matrix: it has {lacking}", grid.where, "genes by samples")
    text_columns = {i: str for i in range(grid.width) if i not in set(columns)}
    frame = parse_lines(grid, text_columns)
    genes = frame[0].str.strip()
    keep = ~genes.map(is_counter).to_numpy(bool)
    aside: Aside = {}
    if not keep.all():
        read = frame[~keep][list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
        for name, row in zip(genes[~keep], read, strict=True):
            aside[name, why_no_gene(name)] = aside.get((name, why_no_gene(name)), 0) + row
        frame, genes = frame[keep], genes[keep]
        if not len(frame):
            raise refuse("is an empty matrix: it has no gene row", grid.where, "genes by samples")
    rows = tuple(np.asarray(grid.numbers)[keep].tolist())
    draft = Matrix(grid.where, tuple(genes), samples, np.empty((0, 0)), rows, notes, aside=aside)
    values, problems = _values(frame[list(columns)], draft)
    return replace(draft, values=values, problems=problems)


def _values(frame: pd.DataFrame, draft: Matrix) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Return the columns as one int64 or float64 array, and the cells that hold no number (0)."""
    columns, problems, commas = [], [], []
    for index, (_, column) in enumerate(frame.items()):
        if column.dtype.kind in "iu" and column.dtype != np.uint64:
            columns.append(column.to_numpy(np.int64))
        elif column.dtype.kind in "fu":
            columns.append(column.to_numpy(np.float64))
        else:
            read, wrong, with_comma = _text_column(column.astype(str), draft, index)
            columns.append(read)
            problems += wrong
            commas += with_comma
    if commas:
        more = f" ({len(commas):,} such cells)" if len(commas) > 1 else ""
        where, cell = commas[0]
        problems.insert(
            0,
            Problem(f"'{cell}' has a comma in it{more}", where, "digits", EUROPEAN_HINT),
        )
    floating = any(column.dtype.kind == "f" for column in columns)
    values = np.column_stack(columns).astype(np.float64 if floating else np.int64)
    return values, tuple(problems)


def _text_column(
    column: pd.Series, draft: Matrix, index: int
) -> tuple[np.ndarray, list[Problem], list[tuple[str, str]]]:
    cells = column.to_numpy()
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64).copy()
    wrong = [int(row) for row in np.flatnonzero(np.isnan(numbers))]
    for row in [row for row in wrong if _NUMBER.fullmatch(cells[row])]:
        numbers[row] = float(cells[row])
    wrong = [row for row in wrong if np.isnan(numbers[row])]
    commas = [
        (draft.cell(row, index), cells[row].strip())
        for row in wrong
        if _COMMA_NUMBER.fullmatch(cells[row])
    ]
    rest = [row for row in wrong if not _COMMA_NUMBER.fullmatch(cells[row])]
    if len(rest) == len(cells) and len(cells) > 1 and len(set(cells)) > 1:
        name = draft.samples[index]
        what = f"the column holds text throughout ('{cells[0][:40]}', …)"
        where = f"{draft.where}, column '{name}'"
        hint = "Leave the column out, or put the gene id first and samples alone after it."
        return np.zeros(len(cells)), [Problem(what, where, "counts", hint)], commas
    problems = [_bad_cell(cells[row], draft.cell(row, index)) for row in rest[:SHOWN]]
    if len(rest) > SHOWN:
        where = f"{draft.where}, column '{draft.samples[index]}'"
        problems.append(Problem(f"and {len(rest) - SHOWN:,} more cells like the last", where))
    return np.where(np.isnan(numbers), 0, numbers), problems, commas


def _bad_cell(cell: str, where: str) -> Problem:
    text = cell.strip()
    if not text:
        return Problem("the cell is empty", where, "a whole number ≥ 0")
    what = f"'{text[:40]}' is not a number"
    if text.lower() in _MISSING:
        what = f"the count is missing ('{text}')"
    return Problem(what, where, "a whole number ≥ 0")
