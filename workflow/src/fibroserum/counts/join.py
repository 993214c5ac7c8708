"""From checked matrices to one table: names, merged ids, the join on gene id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fibroserum.counts.table import Aside, CountTable, Matrix, smallest_type
from fibroserum.errors import SHOWN, Problem, appear, listed, number_of
from fibroserum.files.left_out import EXCLUDED, fits, why_no_gene
from fibroserum.genes.ids import mangled_at

_ENSEMBL_VERSION = re.compile(r"(ENS[A-Z]*[GT]\d{11})\.\d+(?:_\d+)?(_PAR_Y)?")


@dataclass(frozen=True)
class Counted:
    """One file's checked counts: genes × samples int64, ids unique, Ensembl versions taken off."""

    where: str
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    counts: np.ndarray
    notes: tuple[str, ...]
    dropped: dict[str, str]
    used: str
    aside: Aside


def name_problems(matrix: Matrix, exclude: Collection[str]) -> list[Problem]:
    """Return problems with a matrix's sample names and gene ids: empty and repeated ones.

    Rows that fit `exclude` are left out: they may repeat.
    """
    problems = []
    for index, sample in enumerate(matrix.samples, 1):
        if not sample:
            where = f"{matrix.where}, sample column {index}"
            problems.append(Problem("the column has no name", where, "a sample name"))
    repeated = [name for name, n in Counter(matrix.samples).items() if n > 1 and name]
    if repeated:
        what = f"{appear('sample', repeated)} in more than one column"
        problems.append(Problem(what, matrix.where, "each sample only once", LANES))
    problems += [
        Problem("the row has no gene id", matrix.gene_place(index), "a gene id")
        for index in [i for i, gene in enumerate(matrix.genes) if not gene][:SHOWN]
    ]
    return [*problems, *_repeated_genes(matrix, exclude), *_mangled_genes(matrix)]


def _mangled_genes(matrix: Matrix) -> list[Problem]:
    """Return problems with ids that a spreadsheet changed: the first, and one with the rest."""
    found = mangled_at(matrix.genes)
    problems = [
        replace(problem, where=matrix.gene_place(place)) for place, problem in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        names = ", ".join(f"'{matrix.genes[place]}'" for place, _ in found[SHOWN:])
        rest = f"{number_of(len(found) - SHOWN, 'more gene id')} changed by a spreadsheet program"
        problems.append(Problem(f"{rest}: {names}", matrix.where))
    return problems


def _repeated_genes(matrix: Matrix, exclude: Collection[str]) -> list[Problem]:
    if len(set(matrix.genes)) == len(matrix.genes):
        return []
    counted = Counter(matrix.genes)
    repeated = [g for g, n in counted.items() if n > 1 and g and not fits(g, exclude)]
    hint = (
        "Use a table with Ensembl ids (they are unique), sum the rows, or exclude them with "
        "genes.exclude."
    )
    problems = []
    for gene in repeated[:SHOWN]:
        rows = [
            str(matrix.rows[i]) for i, g in enumerate(matrix.genes) if g == gene and matrix.rows
        ]
        at = f"{matrix.where}, rows {', '.join(rows[:SHOWN])}" if rows else matrix.where
        what = f"the gene '{gene}' appears in {counted[gene]} rows"
        problems.append(Problem(what, at, "each gene only once", hint))
    if len(repeated) > SHOWN:
        rest = f"{number_of(len(repeated) - SHOWN, 'more gene')} in several rows"
        problems.append(Problem(rest, matrix.where))
    return problems


def without_versions(matrix: Matrix, counts: np.ndarray, notes: tuple[str, ...]) -> Counted:
    """Return the counts with Ensembl versions taken off the ids, rows that then meet summed.

    `_PAR_Y` stays part of the id: the copies on X and Y are different genes of the annotation.
    Every sum is noted.
    """
    plain = [_ENSEMBL_VERSION.sub(r"\1\2", gene) for gene in matrix.genes]
    stripped = sum(a != b for a, b in zip(plain, matrix.genes, strict=True))
    if stripped:
        notes = (*notes, f"{matrix.where}: version removed from {stripped:,} Ensembl ids")
    codes, genes = pd.factorize(np.asarray(plain, dtype=object))
    if len(genes) < len(plain):
        met = [gene for gene, n in Counter(plain).items() if n > 1]
        notes = (
            *notes,
            f"{matrix.where}: rows of {listed(met)} differ only in the version; summed",
        )
        summed = np.zeros((len(genes), counts.shape[1]), dtype=np.int64)
        np.add.at(summed, codes, counts)
        counts = summed
    said = (notes, matrix.dropped, matrix.used, matrix.aside)
    return Counted(matrix.where, tuple(genes), matrix.samples, counts, *said)


def put_aside(table: Counted, exclude: Collection[str], named: Collection[str]) -> Counted:
    """Return the counts with rows that are no genes, or fit `exclude`, put aside.

    named: rows that stay, in lower case. Files need not agree on rows that are put aside.
    """
    reasons = [
        ""
        if gene.casefold() in named
        else why_no_gene(gene) or (EXCLUDED if fits(gene, exclude) else "")
        for gene in table.genes
    ]
    if not any(reasons):
        return table
    aside: Aside = {}
    for gene, reason, row in zip(table.genes, reasons, table.counts, strict=True):
        if reason:
            # rows that are left out may repeat
            aside[gene, reason] = aside.get((gene, reason), 0.0) + row.astype(float)
    keep = [place for place, reason in enumerate(reasons) if not reason]
    genes = tuple(table.genes[place] for place in keep)
    return replace(table, genes=genes, counts=table.counts[keep], aside=table.aside | aside)


#: What to do with a sample that was sequenced on several lanes, or in several runs.
LANES = (
    "For lanes or runs of one sample, use different names (S1_L1, S1_L2) and one row of the "
    "sheet each. Rows of the same donor, group and time are summed. If one is a copy, remove "
    "it."
)


def join_problems(tables: Sequence[Counted]) -> list[Problem]:
    """Return what forbids a join: a sample in two files, or files with different genes.

    A sample of which one file has too few cells stands in two files, too.
    """
    problems = []
    seen: dict[str, str] = {}
    for table in tables:
        own = [*table.samples, *table.dropped]
        twice = [sample for sample in own if sample in seen]
        for sample in twice[:SHOWN]:
            what = f"the sample '{sample}' is also in {seen[sample]}"
            problems.append(Problem(what, table.where, "each sample in one file", LANES))
        if len(twice) > SHOWN:
            rest = f"{number_of(len(twice) - SHOWN, 'more sample')} in two files"
            problems.append(Problem(rest, table.where))
        seen |= {sample: table.where for sample in own if sample not in seen}
    for table in tables[1:]:
        problems += _different_genes(tables[0], table)
    return problems


def _different_genes(first: Counted, other: Counted) -> list[Problem]:
    only_first = sorted(set(first.genes) - set(other.genes))
    only_other = sorted(set(other.genes) - set(first.genes))
    if not only_first and not only_other:
        return []
    shared = len(first.genes) - len(only_first)
    parts = [
        f"{len(only):,} only in {table.where} ({listed(only, 3)})"
        for only, table in ((only_first, first), (only_other, other))
        if only
    ]
    what = f"the gene ids differ: {shared:,} in both, {'; '.join(parts)}"
    hint = (
        "Count all samples with the same annotation, or add the missing rows yourself. We do "
        "not drop genes or fill them with zeros."
    )
    return [Problem(what, other.where, f"the same genes as in {first.where}", hint)]


def join(tables: Sequence[Counted]) -> CountTable:
    """Return one table, samples in the order of the files, genes in the order of the first."""
    first = tables[0]
    blocks = []
    for table in tables:
        block = table.counts
        if table.genes != first.genes:
            place = {gene: index for index, gene in enumerate(table.genes)}
            block = block[[place[gene] for gene in first.genes]]
        blocks.append(block)
    frame = pd.DataFrame(
        np.concatenate([block.T.astype(smallest_type(block), order="C") for block in blocks]),
        index=pd.Index([s for table in tables for s in table.samples], dtype=object, name="sample"),
        columns=pd.Index(first.genes, dtype=object, name="gene_id"),
    )
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    dropped = {name: reason for table in tables for name, reason in table.dropped.items()}
    used = frozenset(table.used for table in tables) - {""}
    rows = list(dict.fromkeys(row for table in tables for row in table.aside))
    left_out = pd.DataFrame(
        {
            name: np.concatenate(
                [t.aside.get((name, why), np.full(len(t.samples), np.nan)) for t in tables]
            )
            for name, why in rows
        },
        index=frame.index,
    )
    return CountTable(frame, notes, dropped, used, left_out, dict(rows))
