"""Salmon, DRAGEN and kallisto: estimates to gene counts, scaled by length as tximport does.

tximport's `lengthScaledTPM` (Soneson, Love, Robinson 2015, F1000Research 4:1521), written out here:
the Python port of it (pytximport) brings xarray, flox and a BioMart client for these few lines, and
drops transcripts without a gene.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.counts.folders import SALMON_HEADER
from fibroserum.counts.numbers import numbers
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError, Problem, capped, listed, refuse
from fibroserum.files.contents import composed, require
from fibroserum.files.grid import parse_lines, read_grid
from fibroserum.files.left_out import why_no_gene

#: Why a transcript is left out, and the largest share of the counts that may be.
NO_GENE = "no gene in tx2gene"
MOST_LACKING = 0.2
_GENES = re.compile(r"genes\.sf\b", re.IGNORECASE)
_GENE_ID = re.compile(r"ENS[A-Z]*G\d{11}")


@dataclass(frozen=True)
class Transcripts:
    """One sample's estimates: per transcript effective length, TPM and reads."""

    where: str
    names: tuple[str, ...]
    length: np.ndarray
    tpm: np.ndarray
    reads: np.ndarray


def read_quants(
    files: Sequence[Path],
    tx2gene: Path | None,
    known_samples: Collection[str],
    where: str,
    named: Collection[str] = (),
) -> Matrix:
    """Return length-scaled gene counts (fractional) of Salmon's, DRAGEN's or kallisto's results.

    files: one quant.sf, quant.genes.sf or abundance.tsv a sample. Estimates of genes are taken
    where there is no tx2gene, or nothing else: Salmon's are the sums that tx2gene would give.
    Transcripts without a gene are put aside, as tximport leaves them out; those that `named` holds
    (in lower case) are genes. Raises InputError where tx2gene is missing or lacks too many, or the
    samples were quantified on different transcripts.
    """
    of_genes = [path for path in files if _GENES.search(path.name)]
    files = of_genes if tx2gene is None and of_genes else sorted({*files} - {*of_genes}) or files
    samples = _aligned([_read_one(path) for path in files], where)
    names = samples[0].names
    whole = files[0] in of_genes or 2 * sum(map(bool, map(_GENE_ID.match, names))) > len(names)
    if tx2gene is None and not whole:
        raise refuse(
            "contains estimates of transcripts, but the config names no tx2gene",
            where,
            "tx2gene: a table of transcript and gene ids",
            "nf-core/rnaseq writes one, tx2gene.tsv.",
        )
    reads = np.column_stack([sample.reads for sample in samples])
    tpm = np.column_stack([sample.tpm for sample in samples])
    length = np.column_stack([sample.length for sample in samples])
    note = f"{where}: counts scaled by length, from {len(samples)} samples with "
    said = tuple(_quant_sample(path, known_samples) for path in files)
    if whole or tx2gene is None:
        values = length_scaled(reads, tpm, length, np.arange(len(names)))
        return Matrix(where, names, said, values, (), (f"{note}gene estimates",))
    genes = np.asarray(_genes_of(samples[0], tx2gene, named), dtype=object)
    kept = genes != ""
    lacking = [(names[row], reads[row]) for row in np.flatnonzero(~kept)]
    notes = [f"{note}transcript estimates", *_lacking(lacking, reads, tx2gene, where)]
    codes, found = pd.factorize(genes[kept])
    values = length_scaled(reads[kept], tpm[kept], length[kept], codes)
    aside = {(name, why_no_gene(name) or NO_GENE): row for name, row in lacking}
    return Matrix(where, tuple(found), said, values, (), tuple(notes), used="tx2gene", aside=aside)


def _aligned(samples: Sequence[Transcripts], where: str) -> list[Transcripts]:
    """Return the samples with the transcripts in the order of the first. Raises InputError."""
    orders = [_order(samples[0], other) for other in samples]
    problems = [
        _other_transcripts(samples[0], other)
        for other, order in zip(samples, orders, strict=True)
        if order is None
    ]
    if problems:
        raise InputError(capped(problems, where))
    return [
        Transcripts(
            one.where, samples[0].names, one.length[order], one.tpm[order], one.reads[order]
        )
        for one, order in zip(samples, orders, strict=True)
    ]


def _order(first: Transcripts, other: Transcripts) -> np.ndarray | None:
    """Return where the first sample's transcripts stand in another, or None: they are others."""
    if other.names == first.names:
        return np.arange(len(first.names))
    place = pd.Index(other.names)
    if len(other.names) != len(first.names) or not place.is_unique:
        return None
    order = place.get_indexer(pd.Index(first.names))
    return order if (order >= 0).all() else None


def _other_transcripts(first: Transcripts, other: Transcripts) -> Problem:
    lacking = sorted({*first.names} - {*other.names})
    more = sorted({*other.names} - {*first.names})
    parts = [
        f"{len(names):,} {words} ({listed(names, 3)})"
        for names, words in ((lacking, "are missing"), (more, "are only here"))
        if names
    ]
    return Problem(
        f"its {len(other.names):,} transcripts differ from those of {first.where}: "
        f"{' and '.join(parts) or 'some appear more than once'}",
        other.where,
        "the same transcriptome for all samples",
        "Quantify all samples with the same index.",
    )


def _lacking(
    lacking: Sequence[tuple[str, np.ndarray]], reads: np.ndarray, tx2gene: Path, where: str
) -> Iterator[str]:
    """Yield a note on transcripts without a gene, spike-ins and the like aside, if there are any.

    Raises InputError where they have too many counts.
    """
    unknown = {name: row for name, row in lacking if not why_no_gene(name)}
    if not unknown:
        return
    total = float(reads.sum())
    share = float(sum(row.sum() for row in unknown.values())) / total if total else 1.0
    what = f"{len(unknown):,} transcripts ({listed(unknown, 3)}) have no gene in {tx2gene}"
    if share > MOST_LACKING:
        raise refuse(
            f"{what}, with {share:.0%} of the counts",
            where,
            f"at most {MOST_LACKING:.0%} of the counts without a gene",
            "Use the tx2gene table of the annotation that the index was made from.",
        )
    yield f"{where}: {what}; excluded, with {share:.2%} of the counts"


_ENDING = re.compile(r"[._-]?(quant|abundance)?([._]genes)?\.(sf|tsv)(\.\w+)?$", re.IGNORECASE)


def _quant_sample(path: Path, known_samples: Collection[str]) -> str:
    """Return the sample: the file's own name, in whole or its first part, or that of its folder."""
    own, folder = _ENDING.sub("", composed(path.name)), composed(path.resolve().parent.name)
    known = [name for name in (own, own.split(".")[0], folder) if name in known_samples]
    return known[0] if known else own or folder


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
            what = f"the value {values[row, column]:g} is not a {name}"
            problems.append(Problem(what, matrix.cell(row, column), "a number ≥ 0"))
    if problems:
        raise InputError(capped(problems, matrix.where))
    return values


def _genes_of(sample: Transcripts, tx2gene: Path, named: Collection[str]) -> list[str]:
    """Return the gene of each transcript, versions and `|` parts aside; no text where none is.

    Of transcripts that `named` holds the name is the gene's.
    """
    genes_by_name = _read_tx2gene(tx2gene, frozenset(sample.names))
    without_version = {_bare(name): gene for name, gene in genes_by_name.items()}
    genes: list[str] = []
    for name in sample.names:
        short = name.split("|")[0]
        gene = genes_by_name.get(name) or genes_by_name.get(short)
        gene = gene or without_version.get(_bare(short))
        genes.append(gene or (name if name.casefold() in named else ""))
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
        if row[1] and genes.setdefault(row[0], row[1]) != row[1]:
            what = f"the transcript '{row[0]}' has two genes, '{genes[row[0]]}' and '{row[1]}'"
            problems.append(Problem(what, str(path), "one gene per transcript"))
    if problems:
        raise InputError(capped(problems, str(path)))
    return genes
