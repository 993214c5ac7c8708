"""Raw counts from what a core facility delivers; formats are told apart by content, not by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibroserum.counts.cells import one_sample
from fibroserum.counts.join import (
    Counted,
    join,
    join_problems,
    name_problems,
    put_aside,
    without_versions,
)
from fibroserum.counts.sniff import read_matrices
from fibroserum.counts.stage import gather
from fibroserum.counts.table import CountTable, Fractional, Matrix
from fibroserum.counts.values import silent_samples, to_counts
from fibroserum.errors import InputError, Problem, capped, listed, refuse
from fibroserum.files.contents import composed

__all__ = ["CountTable", "read_counts"]

#: Inputs that are read at the same time.
READERS = 2


def read_counts(
    paths: str | Path | Sequence[str | Path],
    *,
    fractional: Fractional = "refuse",
    tx2gene: str | Path | None = None,
    cells: dict[str, Any] | None = None,
    known_samples: Collection[str] | None = None,
    summed: Sequence[Path] = (),
    exclude: Collection[str] = (),
    named: Collection[str] = (),
    layer: str | None = None,
) -> CountTable:
    """Read and join count inputs; formats are recognised by content, not by name.

    Parameters
    ----------
    paths : path, or several
        Files or folders, each of any format: TSV or CSV with genes in rows (plain, gzip, bzip2, xz,
        zstandard), featureCounts, nf-core/rnaseq's merged tables, HTSeq and STAR files or folders
        of them, Salmon and kallisto folders, bulk h5ad; single-cell h5ad, 10x h5 and MTX folders.
    fractional : {"refuse", "round"}
        What to do with fractional counts. `round` is for length-scaled estimates.
    tx2gene : path, optional
        Table of transcript and gene ids, for Salmon and kallisto.
    cells : dict, optional
        `{"sample": obs column, "min_cells": n}` for single cells, which are summed per sample.
        Without a column each file is one sample, named by itself or its folders.
    known_samples : collection of str, optional
        The sheet's samples. They help to recognise transposed matrices and file names that stand
        for samples. Other samples are left out, unless none of the sheet's is there.
    summed : sequence of pathlib.Path
        Parts of the sums of single cells, made by `counts.stage`: their files are not read.
    exclude : collection of str
        Rows to leave out besides spike-ins, counters and transgenes, with * for any text.
    named : collection of str
        Rows that are kept whatever they look like, in lower case.
    layer : str, optional
        Where an .h5ad has its raw counts. None: layers['counts'], X, raw.X.

    Returns
    -------
    CountTable
        `counts`: samples × genes, whole numbers. `notes`: what was done to the input, a sentence
        each. `left_out`: samples × rows that are no genes.

    Raises
    ------
    InputError
        With every problem of every input.

    Examples
    --------
    >>> table = read_counts("counts.tsv")
    >>> table.counts.shape
    (17, 1500)
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    if not paths:
        raise refuse(
            "the config names no count matrix", "counts", "one or several files or folders"
        )
    known = frozenset(map(composed, known_samples or ()))
    problems: list[Problem] = []
    matrices: list[Matrix] = []
    seen: set[Path] = set()
    sums = _gathered(summed)
    names_of = Path(tx2gene) if tx2gene else None
    once = []
    for path in map(Path, paths):
        if path.resolve() in seen:
            problems.append(Problem("is listed twice", str(path), "each input only once"))
        else:
            once.append(path)
        seen.add(path.resolve())

    def read(path: Path) -> list[Matrix]:
        gathered = sums.get(str(path))
        found = (
            [gathered] if gathered else read_matrices(path, known, names_of, cells, named, layer)
        )
        whole = cells is not None and cells.get("sample") is None
        return [_as_one_sample(one, path, known) if whole else one for one in found]

    with ThreadPoolExecutor(READERS) as pool:
        for waiting in [pool.submit(read, path) for path in once]:
            try:
                matrices += waiting.result()
            except InputError as error:
                problems += error.problems
    matrices, unlisted = _listed_samples(matrices, known)
    tables: list[Counted] = []
    for matrix in matrices:
        counted, wrong = _checked(matrix, fractional, exclude, named)
        problems += wrong
        tables += counted
    problems += join_problems(tables)
    if problems:
        raise InputError(problems)
    return replace(join(tables), unlisted=unlisted)


def _gathered(summed: Sequence[Path]) -> dict[str, Matrix]:
    if not summed:
        return {}
    return gather(summed)


def _as_one_sample(matrix: Matrix, path: Path, known: Collection[str]) -> Matrix:
    """Return a file of cells of one sample with the name that the sheet has for it."""
    if matrix.used != "cells":
        return matrix
    (old,) = (*matrix.samples, *matrix.dropped)
    new = one_sample(path, known)
    return replace(
        matrix,
        samples=tuple(new for _ in matrix.samples),
        dropped=dict.fromkeys([new] * len(matrix.dropped), "".join(matrix.dropped.values())),
        notes=tuple(note.replace(f"sample '{old}'", f"sample '{new}'") for note in matrix.notes),
    )


def _listed_samples(
    matrices: Sequence[Matrix], known: Collection[str]
) -> tuple[list[Matrix], tuple[str, ...]]:
    """Return the matrices with the sheet's samples alone, and the names of the others.

    Where no sample is the sheet's, all stay: then names differ, and the sheet's check says so.
    """
    names = [name for m in matrices for name in (*m.samples, *m.dropped, *m.unlisted)]
    if not set(known) & set(names):
        return list(matrices), ()
    kept = [
        replace(
            matrix.of([n for n, name in enumerate(matrix.samples) if name in known]),
            dropped={name: why for name, why in matrix.dropped.items() if name in known},
        )
        for matrix in matrices
    ]
    others = dict.fromkeys(name for name in names if name not in known)
    return [matrix for matrix in kept if matrix.samples or matrix.dropped], tuple(others)


def _checked(
    matrix: Matrix, fractional: Fractional, exclude: Collection[str], named: Collection[str]
) -> tuple[list[Counted], list[Problem]]:
    """Return a matrix's counts, or its problems."""
    counts, notes, wrong = to_counts(matrix, fractional)
    problems = [*name_problems(matrix, exclude), *matrix.problems, *wrong]
    if problems:
        return [], capped(problems, matrix.where)
    plain = without_versions(matrix, counts, (*matrix.notes, *notes))
    kept = put_aside(plain, exclude, named)
    if not kept.genes:
        said = listed(plain.genes, 3)
        problem = Problem(
            f"contains no genes: all its rows ({said}) are excluded", matrix.where, "genes"
        )
        return [], [problem]
    return [kept], silent_samples(kept.where, kept.samples, kept.counts)
