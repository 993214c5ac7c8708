"""Single cells: raw counts summed per sample (pseudobulk), a block of values at a time.

Sums are whole numbers and additive: whatever the blocks, the parts and their order, they are the
same. So a matrix may be shared among jobs by ranges of cells (`Part`), which needs no order of its
cells, where a job a sample would read all of a file whose cells are mixed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from fibroserum.counts.table import Matrix
from fibroserum.counts.values import RAW_HINT
from fibroserum.errors import InputError, Problem, listed, number_of, refuse
from fibroserum.files.companions import header_of
from fibroserum.files.contents import composed, read_text
from fibroserum.files.grid import parse_lines, read_grid

if TYPE_CHECKING:
    from scipy.sparse import coo_matrix

#: Values that are held in memory at a time: 2,000 cells of 2,000 genes, 100 MB with all copies.
BLOCK_VALUES = 1 << 22
#: Samples × genes that are summed at most: 4 GiB.
MAX_SUMS = 1 << 29


class Block(NamedTuple):
    """Values, not yet checked, each with the position of its cell and of its gene in the file."""

    cells: np.ndarray
    genes: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Part:
    """One of several jobs that share the cells; the whole by default."""

    number: int = 1
    of: int = 1

    def span(self, length: int) -> range:
        """Return this part's share of `length` rows: parts differ by one row at most."""
        return range(length * (self.number - 1) // self.of, length * self.number // self.of)


WHOLE = Part()


@dataclass(frozen=True)
class Genes:
    """The genes of a single-cell matrix: ids, and which are kept."""

    ids: tuple[str, ...]
    keep: np.ndarray
    notes: tuple[str, ...] = ()


def pseudobulk(
    where: str,
    blocks: Iterator[Block],
    samples: Sequence[str],
    genes: Genes,
    cells: Mapping[str, Any],
) -> Matrix:
    """Return the sum of each sample's cells as genes × samples.

    blocks: of all cells, or of a part of them: `samples` is of all, so that parts agree on what
    they sum and say. samples: one name a cell, empty for a cell without one (left out and noted).
    Samples with fewer than `cells["min_cells"]` cells are left out, with the reason in `dropped`.
    Raises InputError where cells hold no raw counts.
    """
    least = int(cells.get("min_cells", 10))
    names = np.asarray([name.strip() for name in samples], dtype=object)
    sizes = pd.Series(names[names != ""], dtype=object).value_counts()
    kept = sorted(name for name, n in sizes.items() if n >= least)
    few = f"fewer than cells.min_cells ({least})"
    dropped = {
        str(name): f"{number_of(n, 'cell')}, {few}" for name, n in sizes.items() if n < least
    }
    if not kept and cells.get("sample"):
        what = f"no sample has {least} cells (the largest has {sizes.max() if len(sizes) else 0})"
        raise refuse(
            what,
            where,
            f"samples of at least {least} cells",
            "Lower cells.min_cells if fewer cells are enough.",
        )
    if len(kept) * len(genes.ids) > MAX_SUMS:
        what = (
            f"its cells belong to {len(kept):,} samples × {len(genes.ids):,} genes, which is "
            "too many"
        )
        raise refuse(
            what,
            where,
            "the samples of one cohort",
            "Check that cells.sample names the column of samples.",
        )
    codes = pd.Index(kept).get_indexer(names)
    summed = _sum_blocks(where, blocks, codes, len(kept), len(genes.ids))
    notes = [f"{where}: {int((codes >= 0).sum()):,} cells summed into {len(kept)} samples"]
    unassigned = int((names == "").sum())
    if unassigned:
        notes.append(f"{where}: excluded {number_of(unassigned, 'cell')} without a sample")
    notes += [f"{where}: excluded sample '{name}': {why}" for name, why in dropped.items()]
    ids = tuple(np.asarray(genes.ids, dtype=object)[genes.keep])
    return Matrix(
        where,
        ids,
        tuple(kept),
        summed[:, genes.keep].T,
        (),
        (*notes, *genes.notes),
        (),
        dropped,
    )


def _sum_blocks(
    where: str, blocks: Iterator[Block], codes: np.ndarray, samples: int, genes: int
) -> np.ndarray:
    """Return samples × genes; codes: each cell's sample, -1 for a cell that is left out."""
    from scipy.sparse import coo_array

    summed = np.zeros((samples, genes), dtype=np.int64)
    # cells that are left out go to a row more
    owners = np.where(codes < 0, samples, codes).astype(np.int32)
    for block in blocks:
        values = _whole_numbers(block.counts, where)
        # of values in the same place, toarray makes the sum
        places = (owners[block.cells], block.genes)
        summed += coo_array((values, places), (samples + 1, genes)).toarray()[:samples]
    return summed


def _whole_numbers(values: np.ndarray, where: str) -> np.ndarray:
    """Return counts as int64. Raises InputError where they are no raw counts."""
    if values.dtype.kind not in "iufb":
        raise refuse(f"the cells contain values of type {values.dtype}", where, "raw counts")
    if not np.isfinite(values).all() or (values < 0).any():
        raise refuse("the cells contain negative or missing values", where, "raw counts", RAW_HINT)
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        wrong = values[values != np.rint(values)][0]
        what = (
            f"the cells contain fractions ({wrong:g}), so they are probably normalised or log "
            "values"
        )
        hint = "Put the raw counts in X or in layers['counts']."
        raise refuse(what, where, "raw counts", hint)
    if len(values) and values.max() > 1e9:
        raise refuse(
            f"a cell contains the count {values.max():g}, which is impossibly large",
            where,
            "raw counts",
        )
    return values.astype(np.int64)


def read_mtx(folder: Path, mtx: Path, cells: Mapping[str, Any] | None) -> Matrix:
    """Return the pseudobulk of a 10x MTX folder: matrix, features (or genes) and barcodes.

    Which cell is of which sample stands in a table of the folder (barcodes.tsv itself, or any TSV
    or CSV) with the column that `cells["sample"]` names and a column of barcodes. Without a column
    all cells are of one sample.
    """
    where = str(folder)
    if cells is None:
        raise needs_cells(where)
    files = [path for path in sorted(mtx.parent.iterdir()) if path.is_file() and path != mtx]
    features = _named(files, ("feature", "gene"), where)
    barcodes = _named(files, ("barcode",), where)
    genes = _features(features)
    names = [line.split("\t")[0].strip() for line in read_text(barcodes).lines]
    matrix = _matrix_market(mtx, len(genes.ids))
    if matrix.shape[1] == len(names) - 1:
        names = names[1:]  # a header above the barcodes
    if matrix.shape[1] != len(names):
        raise refuse(
            f"has {matrix.shape[1]:,} cells, but {barcodes.name} names {len(names):,}",
            str(mtx),
            "one barcode per cell",
        )
    samples = cell_samples(mtx, cells, names)
    return pseudobulk(where, _entries(matrix), samples, genes, cells)


def needs_cells(where: str) -> InputError:
    """Return the error for single cells whose samples the config does not tell."""
    return refuse(
        "contains single cells, but the config does not say which sample each cell belongs to",
        where,
        "cells: {sample: the column that names each cell's sample}",
        "If each file is one sample, write 'cells: {min_cells: 10}'.",
    )


#: What 10x, STARsolo and GEO add to a sample's name, and folders that bear none.
_ADDED = re.compile(
    r"^GSM\d+[_-]|[._-]?((sample_)?(filtered|raw)_(feature|gene)_bc_matri(x|ces)|matrix|molecule_info"
    r"|h5(ad)?|mtx|gz|Solo\.out)$"
)
_FOLDERS = {"outs", "count", "per_sample_outs", "Gene", "GeneFull", "filtered", "raw", "GRCh38", ""}


def one_sample(path: Path, known_samples: Collection[str] = ()) -> str:
    """Return the sample of a file of cells: a known one by its own name, or by a folder above it.

    Where none is known, the first name that is more than what tools add.
    """
    names = []
    for part in (path.name, *(folder.name for folder in path.resolve().parents[:4])):
        names.append(composed(part))
        while _ADDED.search(names[-1]):
            names.append(_ADDED.sub("", names[-1], count=1))
    known = [name for name in names if name in known_samples]
    said = [name for name in names if name not in _FOLDERS and not _ADDED.search(name)]
    return [*known, *said, path.name][0]


def _entries(matrix: coo_matrix) -> Iterator[Block]:
    for start in range(0, matrix.nnz, BLOCK_VALUES):
        place = slice(start, start + BLOCK_VALUES)
        yield Block(matrix.col[place], matrix.row[place], matrix.data[place])


def _named(files: Sequence[Path], parts: Sequence[str], where: str) -> Path:
    found = [path for path in files if any(part in path.name.lower() for part in parts)]
    if not found:
        raise refuse(
            f"has no {parts[0]}s file beside its matrix", where, f"{parts[0]}s.tsv as 10x writes it"
        )
    return found[0]


def _features(path: Path) -> Genes:
    rows = [[cell.strip() for cell in line.split("\t")] for line in read_text(path).lines]
    width = min(map(len, rows))
    ids = tuple(row[0] for row in rows)
    kinds = [row[2] for row in rows] if width > 2 else None
    return expressed(ids, kinds, str(path))


def expressed(ids: tuple[str, ...], kinds: Sequence[str] | None, where: str) -> Genes:
    """Return the genes, features of other kinds (antibodies, guides) marked to be left out."""
    keep = np.ones(len(ids), dtype=bool)
    if kinds is None or "Gene Expression" not in kinds:
        return Genes(ids, keep)
    keep = np.asarray([kind == "Gene Expression" for kind in kinds])
    others = sorted({kind for kind in kinds if kind != "Gene Expression"})
    what = f"excluded {number_of(int((~keep).sum()), 'feature')} of other kinds"
    said = f"{where}: {what} ({listed(others)})"
    return Genes(ids, keep, (said,) if others else ())


def _matrix_market(path: Path, genes: int) -> coo_matrix:
    """Return genes × cells; sizes are checked against the features before anything is allocated."""
    from scipy.io import mmread
    from scipy.sparse import coo_matrix

    text = read_text(path)
    body = [line for line in text.lines if not line.startswith("%")]
    where = str(path)
    try:
        sizes = [int(size) for size in body[0].split()]
    except (IndexError, ValueError) as error:
        raise refuse("has no line with its size", where, "a MatrixMarket matrix") from error
    if len(sizes) != 3 or "coordinate" not in text.lines[0]:
        raise refuse("is not a sparse MatrixMarket matrix", where, "rows, columns, entries")
    if sizes[0] != genes:
        what = f"has {sizes[0]:,} rows, but its features file names {genes:,}"
        raise refuse(what, where, "one row per feature")
    if sizes[2] != len(body) - 1 or not 0 < sizes[1] <= 100_000_000:
        what = f"announces {sizes[2]:,} entries but has {len(body) - 1:,}"
        raise refuse(what, where, "a complete file", "Copy or download it again.")
    try:
        found = mmread(io.BytesIO("\n".join(text.lines).encode()), spmatrix=True)
    except (ValueError, OverflowError, TypeError) as error:
        raise refuse(f"cannot be read as MatrixMarket ({error})", where) from error
    if np.iscomplexobj(found.data):
        raise refuse("contains complex numbers", where, "raw counts")
    return coo_matrix(found)


def cell_samples(path: Path, cells: Mapping[str, Any], barcodes: Sequence[str]) -> list[str]:
    """Return each cell's sample from the one table beside `path` with its column and barcodes.

    Without a column all cells are of one sample.
    """
    folder, column = path.parent, cells.get("sample")
    if column is None:
        return [one_sample(path)] * len(barcodes)
    wanted = set(barcodes)
    tables: list[tuple[Path, dict[str, str]]] = []
    seen: set[str] = set()
    for path in sorted(folder.iterdir()):
        header = header_of(path)
        seen.update(header)
        if column not in header:
            continue
        grid = read_grid(path, header=True)
        assert grid.header is not None, "asked for"
        frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))
        names = [name.strip() for name in grid.header]
        if column not in names:
            continue  # its first line was a comment
        labels = frame[names.index(column)]
        for index in frame.columns:
            if wanted <= set(frame[index]):
                tables.append((path, dict(zip(frame[index], labels, strict=True))))
                break
    if len(tables) != 1:
        several = f"{len(tables)} tables ({listed([path.name for path, _ in tables])})"
        found = f"{several} next to the cells have" if tables else "no table next to the cells has"
        raise InputError(
            [
                Problem(
                    f"{found} the column '{column}' and every barcode",
                    str(folder),
                    "one TSV or CSV with this column and a column of barcodes",
                    f"Columns found: {listed(sorted(seen))}." if seen and not tables else "",
                )
            ]
        )
    return [tables[0][1][barcode] for barcode in barcodes]
