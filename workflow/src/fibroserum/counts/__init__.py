"""Raw counts from what a core facility delivers; formats are told apart by content, not by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from fibroserum.counts.join import Counted, join, join_problems, name_problems, without_versions
from fibroserum.counts.sniff import read_matrices
from fibroserum.counts.stage import gather
from fibroserum.counts.table import CountTable, Fractional, Matrix
from fibroserum.counts.values import to_counts
from fibroserum.errors import InputError, Problem, capped, refuse

__all__ = ["CountTable", "read_counts"]


def read_counts(
    paths: Sequence[Path],
    *,
    fractional: Fractional = "refuse",
    tx2gene: Path | None = None,
    cells: dict[str, Any] | None = None,
    known_samples: Collection[str] | None = None,
    summed: Sequence[Path] = (),
) -> CountTable:
    """Read and join count inputs.

    paths: files or folders, each of any format: TSV/CSV with genes in rows (plain, gzip, bzip2, xz,
    zstandard), featureCounts, nf-core/rnaseq's merged tables, HTSeq and STAR files or folders of
    them, Salmon and kallisto folders, bulk h5ad; single-cell h5ad, 10x h5 and MTX folders.
    fractional: `refuse`, or `round` for length-scaled estimates.
    tx2gene: table of transcript and gene ids, for Salmon and kallisto.
    cells: `{"sample": obs column, "min_cells": n}` for single cells, which are summed per sample.
    known_samples: the sheet's samples; they help to recognise transposed matrices and file names
    that stand for samples. Samples unknown to the sheet are read all the same.
    summed: parts of the sums of single cells, made by `counts.stage`: their files are not read.

    Returns samples × genes with what was done in `notes`. Raises InputError with every problem of
    every input: see `fibroserum.errors`.
    """
    if not paths:
        raise refuse("no count matrix is named", "counts", "one or several files or folders")
    known = frozenset(known_samples or ())
    problems: list[Problem] = []
    tables: list[Counted] = []
    seen: set[Path] = set()
    sums = _gathered(summed)
    for path in map(Path, paths):
        if path.resolve() in seen:
            problems.append(Problem("is listed twice", str(path), "each input once"))
            continue
        seen.add(path.resolve())
        try:
            found = sums.get(str(path))
            matrices = [found] if found else read_matrices(path, known, tx2gene, cells)
        except InputError as error:
            problems += error.problems
            continue
        for matrix in matrices:
            counted, wrong = _checked(matrix, fractional)
            problems += wrong
            tables += counted
    problems += join_problems(tables)
    if problems:
        raise InputError(problems)
    return join(tables)


def _gathered(summed: Sequence[Path]) -> dict[str, Matrix]:
    if not summed:
        return {}
    return gather(summed)


def _checked(matrix: Matrix, fractional: Fractional) -> tuple[list[Counted], list[Problem]]:
    """Return a matrix's counts, or its problems."""
    counts, notes, wrong = to_counts(matrix, fractional)
    problems = [*name_problems(matrix), *matrix.problems, *wrong]
    if problems:
        return [], capped(problems, matrix.where)
    return [without_versions(matrix, counts, (*matrix.notes, *notes))], []
