"""Folders of one file a sample, as STAR and HTSeq write them, and which folder is which."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from fibroserum.counts.delimited import matrix_from, sample_name
from fibroserum.counts.numbers import numbers
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError, Problem, capped, listed, refuse
from fibroserum.files.contents import first_line, read_text
from fibroserum.files.grid import Grid, is_star, read_grid
from fibroserum.files.left_out import is_counter

FolderKind = Literal["mtx", "salmon", "kallisto", "star", "htseq"]
SALMON_HEADER = ("Name", "Length", "EffectiveLength", "TPM", "NumReads")
KALLISTO_HEADER = ("target_id", "length", "eff_length", "est_counts", "tpm")
#: Entries of a folder that are looked at: more is no folder of counts.
MAX_ENTRIES = 20_000
_STRANDS = ("unstranded", "forward", "reverse")
#: The same columns in the tables of the Genomic Data Commons, behind the names of genes.
GDC_COLUMNS = ("unstranded", "stranded_first", "stranded_second")


def line_kind(line: str) -> FolderKind | None:
    """Return what a file is by its first line, None for what is no quantification."""
    if line.startswith("%%MatrixMarket"):
        return "mtx"
    cells = line.split("\t")
    if tuple(cells) == SALMON_HEADER:
        return "salmon"
    if tuple(cells) == KALLISTO_HEADER:
        return "kallisto"
    if (cells[0] == "N_unmapped" and len(cells) == 4) or set(GDC_COLUMNS) <= set(cells):
        return "star"
    if len(cells) in (2, 3) and cells[0] and cells[-1].strip().isdigit():
        return "htseq" if not is_counter(cells[0]) else None
    return None


def find_files(folder: Path) -> tuple[FolderKind, list[Path]]:
    """Return what a folder holds and its files, one a sample, from it and its direct subfolders.

    Raises InputError where nothing, or more than one kind, is recognised.
    """
    found: dict[FolderKind, list[Path]] = {}
    plain: list[str] = []
    for path in _files(folder):
        if not path.stat().st_size:
            continue
        kind = line_kind(first_line(path, "#")) or _counters_first(path)
        if kind:
            found.setdefault(kind, []).append(path)
        elif path.parent == folder:
            plain.append(path.name)
    quantified = [kind for kind in found if kind != "htseq"]
    if len(quantified) > 1:
        raise refuse(
            f"contains results of several tools ({', '.join(sorted(quantified))})",
            str(folder),
            "results of one tool",
            "Name the folder or the files of the tool to use.",
        )
    if not found:
        inner = "" if plain else _inside(folder)
        has = f"it contains {listed(sorted(plain), 4)}" if plain else inner or "it is empty"
        hint = "To read a table in the folder, name the file." if plain else ""
        if "abundance.h5" in inner:
            hint = "Run kallisto with --plaintext, or convert these files with 'kallisto h5dump'."
        raise refuse(
            f"is a folder without count files ({has})",
            str(folder),
            "STAR, HTSeq, Salmon or kallisto results, or a 10x matrix",
            hint,
        )
    kind = quantified[0] if quantified else "htseq"
    return kind, sorted(found[kind])


def _counters_first(path: Path) -> FolderKind | None:
    """Return `htseq` for its counts sorted so that a counter is first, None for all else."""
    name, _, rest = first_line(path).partition("\t")
    if not is_counter(name) or not rest.strip().isdigit():
        return None
    lines = read_text(path).lines
    return "htseq" if any(not is_counter(line.split("\t")[0]) for line in lines) else None


def _inside(folder: Path) -> str:
    """Return what the direct subfolders of a folder hold, in words; empty if nothing."""
    names = sorted({path.name for path in _files(folder)})
    return f"its folders contain {listed(names, 4)}" if names else ""


def _files(folder: Path) -> list[Path]:
    files: list[Path] = []
    entries = sorted(folder.iterdir())
    for entry in entries:
        inner = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        files += [path for path in inner if path.is_file() and not path.name.startswith(".")]
        if len(files) > MAX_ENTRIES:
            what = f"contains more than {MAX_ENTRIES:,} files"
            raise refuse(what, str(folder), "a folder of count files")
    return files


def read_htseq(files: Sequence[Path], known_samples: Collection[str], where: str) -> list[Matrix]:
    """Return one matrix a file, its sample named by the file."""
    matrices: list[Matrix] = []
    problems: list[Problem] = []
    for path in files:
        try:
            matrices.append(matrix_from(read_grid(path), path, known_samples))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(capped(problems, where))
    return _said_once(matrices, where, "HTSeq files; samples are named after the files")


def read_star(files: Sequence[Path], known_samples: Collection[str], where: str) -> list[Matrix]:
    """Return one matrix a ReadsPerGene file, from the column of the libraries' strandedness.

    The Genomic Data Commons adds names of genes before these columns, and other values behind them.
    STAR counts each gene unstranded, for the first read's strand, and for the reverse. Where three
    quarters of the stranded counts are on one strand it is that column, where they are even the
    unstranded one. Between, and where files differ, InputError: a guess would lose reads.
    """
    matrices: list[Matrix] = []
    problems: list[Problem] = []
    strands: dict[str, str] = {}
    for path in files:
        grid = read_grid(path)
        whole = numbers(grid, _STRANDS, _strand_columns(grid, path), ())
        problems += whole.problems
        sample = sample_name(path, known_samples)
        strand, share = _strand(whole.values)
        if not strand:
            problems.append(_unclear(path, share))
            continue
        strands[str(path)] = strand
        matrices.append(replace(whole.of([_STRANDS.index(strand)]), samples=(sample,)))
    if len(set(strands.values())) > 1:
        problems.append(_mixed(strands, where))
    if problems:
        raise InputError(capped(problems, where))
    strand = next(iter(strands.values()))
    what = (
        f"STAR files; the {strand} column is used, as the column totals show; samples are named "
        "after the files"
    )
    return _said_once(matrices, where, what)


def _strand_columns(grid: Grid, path: Path) -> tuple[int, ...]:
    """Return the columns of the three strands, in STAR's own file or as the GDC writes it."""
    if is_star(grid):
        return 1, 2, 3
    if grid.header is not None and set(GDC_COLUMNS) <= set(grid.header):
        return tuple(grid.header.index(name) for name in GDC_COLUMNS)
    raise refuse("is not a ReadsPerGene table of STAR", str(path), "four columns")


def _strand(values: np.ndarray) -> tuple[str, float]:
    """Return the strandedness (empty where unclear) and the forward share of stranded counts."""
    _, forward, reverse = values.sum(axis=0, dtype=float)
    if forward + reverse == 0:
        return "unstranded", 0.5
    share = forward / (forward + reverse)
    if share >= 0.75:
        return "forward", share
    if share <= 0.25:
        return "reverse", share
    return ("unstranded" if 0.4 <= share <= 0.6 else ""), share


_OWN_TABLE = (
    "Make one table, genes in rows, from the column that fits your library preparation kit."
)


def _unclear(path: Path, share: float) -> Problem:
    what = (
        f"{share:.0%} of its stranded counts are on the forward strand, which fits neither "
        "stranded nor unstranded sequencing"
    )
    return Problem(what, str(path), "at least 75 % on one strand, or 40 to 60 %", _OWN_TABLE)


def _mixed(strands: dict[str, str], where: str) -> Problem:
    counted = {s: [p for p, t in strands.items() if t == s] for s in sorted(set(strands.values()))}
    said = ", ".join(f"{len(paths)} {s} ({paths[0]})" for s, paths in counted.items())
    return Problem(
        f"the files differ in strandedness: {said}",
        where,
        "one library preparation kit",
        _OWN_TABLE,
    )


def _said_once(matrices: Sequence[Matrix], where: str, what: str) -> list[Matrix]:
    """Return the matrices with one note instead of the same one for each file."""
    note = f"{where}: {len(matrices)} {what}"
    first, *rest = matrices
    return [replace(first, notes=(note,)), *(replace(matrix, notes=()) for matrix in rest)]
