"""Salmon and kallisto: transcript estimates to gene counts, scaled by length as tximport does.

tximport's `lengthScaledTPM` (Soneson, Love, Robinson 2015, F1000Research 4:1521), written out here:
the Python port of it (pytximport) brings xarray, flox and a BioMart client for these few lines, and
drops transcripts without a gene.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.counts.delimited import numbers
from fibroserum.counts.folders import SALMON_HEADER
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError, Problem, capped, listed, refuse
from fibroserum.files.contents import require
from fibroserum.files.grid import parse_lines, read_grid


@dataclass(frozen=True)
class Transcripts:
    """One sample's estimates: per transcript effective length, TPM and reads."""

    where: str
    names: tuple[str, ...]
    length: np.ndarray
    tpm: np.ndarray
    reads: np.ndarray


def read_quants(
    files: Sequence[Path], tx2gene: Path | None, known_samples: Collection[str], where: str
) -> Matrix:
    """Return length-scaled gene counts (fractional) of Salmon's or kallisto's results.

    files: one quant.sf or abundance.tsv a sample, named by its folder. Raises InputError where
    tx2gene is missing, lacks transcripts, or the samples were quantified on different transcripts.
    """
    if tx2gene is None:
        raise refuse(
            "holds transcript estimates, and the config names no tx2gene",
            where,
            "tx2gene: a table of transcript and gene ids",
            "nf-core/rnaseq leaves one as tx2gene.tsv.",
        )
    samples = [_read_one(path) for path in files]
    first = samples[0]
    problems = [
        Problem(
            f"its {len(other.names):,} transcripts are not those of {first.where}",
            other.where,
            "one transcriptome for all samples",
            "Quantify all libraries with one index.",
        )
        for other in samples[1:]
        if other.names != first.names
    ]
    if problems:
        raise InputError(capped(problems, where))
    genes = _genes_of(first, tx2gene)
    codes, names = pd.factorize(np.asarray(genes, dtype=object))
    values = length_scaled(
        np.column_stack([sample.reads for sample in samples]),
        np.column_stack([sample.tpm for sample in samples]),
        np.column_stack([sample.length for sample in samples]),
        codes,
    )
    note = f"{where}: counts scaled by length from {len(samples)} transcript estimates"
    named = tuple(_quant_sample(path, known_samples) for path in files)
    return Matrix(where, tuple(names), named, values, (), (note,))


def _quant_sample(path: Path, known_samples: Collection[str]) -> str:
    """Return the sample: the results' folder, or the file's own first part where that is known."""
    own = path.name.split(".")[0]
    return own if own in known_samples else path.resolve().parent.name


def length_scaled(
    reads: np.ndarray, tpm: np.ndarray, length: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Return genes × samples counts: gene TPM times mean length, scaled to each sample's reads.

    reads, tpm, length: transcripts × samples; codes: the gene of each transcript, from 0.
    Gene lengths are averages weighted by TPM; where a gene is silent in a sample, the geometric
    mean of its other samples, and where it is silent in all, the plain mean over its transcripts
    and samples. Source: tximport 1.26 (`countsFromAbundance = "lengthScaledTPM"`).
    """
    gene_reads, gene_tpm, weighted = (_by_gene(x, codes) for x in (reads, tpm, tpm * length))
    with np.errstate(invalid="ignore", divide="ignore"):
        gene_length = weighted / gene_tpm
        usable = np.where(gene_tpm > 0, gene_length, np.nan)
        logs = np.log(usable)
    known = np.isfinite(logs)
    mean_log = np.where(known, logs, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    plain = _by_gene(length.mean(axis=1, keepdims=True), codes)[:, 0] / np.bincount(codes)
    instead = np.where(known.any(axis=1), np.exp(mean_log), plain)
    gene_length = np.where(known, usable, instead[:, None])
    scaled = gene_tpm * gene_length.mean(axis=1, keepdims=True)
    totals = scaled.sum(axis=0)
    return scaled * np.divide(
        gene_reads.sum(axis=0), totals, out=np.zeros_like(totals), where=totals > 0
    )


def _by_gene(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    summed = np.zeros((int(codes.max()) + 1, values.shape[1]))
    np.add.at(summed, codes, values)
    return summed


def _read_one(path: Path) -> Transcripts:
    grid = read_grid(path, header=True)
    assert grid.header is not None, "asked for"
    columns = (2, 3, 4)
    table = numbers(grid, tuple(grid.header[i] for i in columns), columns, ())
    estimates = _estimates(table)
    reads, tpm = (2, 1) if tuple(grid.header) == SALMON_HEADER else (1, 2)
    length = estimates[:, 0]
    return Transcripts(str(path), table.genes, length, estimates[:, tpm], estimates[:, reads])


def _estimates(matrix: Matrix) -> np.ndarray:
    values = np.asarray(matrix.values, dtype=float)
    problems = list(matrix.problems)
    for column, name in enumerate(matrix.samples):
        wrong = np.flatnonzero(~np.isfinite(values[:, column]) | (values[:, column] < 0))
        if len(wrong):
            row = int(wrong[0])
            what = f"the value {values[row, column]:g} is no {name}"
            problems.append(Problem(what, matrix.cell(row, column), "a number ≥ 0"))
    if problems:
        raise InputError(capped(problems, matrix.where))
    return values


def _genes_of(sample: Transcripts, tx2gene: Path) -> list[str]:
    """Return the gene of each transcript, versions and `|` parts aside."""
    genes_by_name = _read_tx2gene(tx2gene, frozenset(sample.names))
    without_version = {_bare(name): gene for name, gene in genes_by_name.items()}
    genes: list[str] = []
    lacking: list[str] = []
    for name in sample.names:
        short = name.split("|")[0]
        gene = genes_by_name.get(name) or genes_by_name.get(short)
        gene = gene or without_version.get(_bare(short))
        genes.append(gene or "")
        if not gene:
            lacking.append(name)
    if lacking:
        raise refuse(
            f"{len(lacking):,} of the {len(sample.names):,} transcripts of {sample.where} have no "
            f"gene in it ({listed(lacking, 3)})",
            str(tx2gene),
            "a row for every transcript",
            "Take the tx2gene table of the annotation that the index was made from.",
        )
    return genes


_VERSION = re.compile(r"(?<=\d{11})\.\d+")


def _bare(name: str) -> str:
    """Return an Ensembl id without its version; `_PAR_Y` stays."""
    return _VERSION.sub("", name, count=1) if name.startswith("ENS") else name


def _read_tx2gene(path: Path, transcripts: Collection[str]) -> dict[str, str]:
    require(path)
    grid = read_grid(path, header=True)
    assert grid.header is not None, "asked for"
    frame = parse_lines(grid, dict.fromkeys(range(grid.width), str))
    rows = [[cell.strip() for cell in row[:2]] for row in frame.itertuples(index=False, name=None)]
    first = [cell.strip() for cell in grid.header[:2]]
    bare = {_bare(name.split("|")[0]) for name in transcripts}
    if _bare(first[0].split("|")[0]) in bare:
        rows.insert(0, first)
    genes: dict[str, str] = {}
    problems: list[Problem] = []
    for row in rows:
        if not row[1]:
            problems.append(
                Problem(f"the transcript '{row[0]}' has no gene", str(path), "a gene id")
            )
        elif genes.setdefault(row[0], row[1]) != row[1]:
            what = f"the transcript '{row[0]}' has two genes, '{genes[row[0]]}' and '{row[1]}'"
            problems.append(Problem(what, str(path), "one gene for each transcript"))
    if problems:
        raise InputError(capped(problems, str(path)))
    return genes
