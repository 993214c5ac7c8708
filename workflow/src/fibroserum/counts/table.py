"""What readers hand on: one matrix as it stood in a file, and the joined table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from fibroserum.errors import Problem

Fractional = Literal["refuse", "round"]
#: Rows that are left out: name and reason, to a value a sample.
Aside = dict[tuple[str, str], np.ndarray]


def smallest_type(counts: np.ndarray) -> type[np.int32] | type[np.int64]:
    """Return int32, or int64 where a count needs it."""
    fits = int(counts.max(initial=0)) <= np.iinfo(np.int32).max
    return np.int32 if fits else np.int64


@dataclass(frozen=True)
class CountTable:
    """Raw counts, samples × genes.

    counts: int32, or int64 where a count needs it; index sample names, columns gene ids, both text.
    notes: what was done to the input (rounded, rows left out, ids merged), a sentence each.
    dropped: samples of the input that are not in the counts, with the reason (too few cells).
    used: keys of the config that some of the files needed: `cells`, `tx2gene`.
    left_out: samples × rows that are no genes (spike-ins, counters), NaN where a file lacks the
    row; reasons: what each is. unlisted: samples of the input that the sheet does not name.
    """

    counts: pd.DataFrame
    notes: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    reasons: dict[str, str] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """One matrix as read: numbers not yet checked.

    values: genes × samples, int64 or float64. rows: line of each gene in the file, empty where a
    line means nothing. problems: cells that held no number (0 in values). dropped: samples left
    out, with the reason. used: the key of the config that it needed: `cells`, `tx2gene` or none.
    aside: rows that are no genes, by name and reason, a value a sample (NaN: no number there).
    unlisted: columns that hold samples of no row of the sheet, and were not read.
    """

    where: str
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: np.ndarray
    rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    dropped: dict[str, str] = field(default_factory=dict)
    used: Literal["", "cells", "tx2gene"] = ""
    aside: Aside = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()

    def of(self, columns: Sequence[int]) -> Matrix:
        """Return the matrix of some of its samples."""
        places = list(columns)
        if places == list(range(len(self.samples))):
            return self
        return replace(
            self,
            samples=tuple(self.samples[place] for place in places),
            values=self.values[:, places],
            aside={row: values[places] for row, values in self.aside.items()},
        )

    def cell(self, gene: int, sample: int) -> str:
        """Return where a cell stands, for a message."""
        return f"{self.gene_place(gene)}, column '{self.samples[sample]}'"

    def gene_place(self, gene: int) -> str:
        """Return where a gene's row stands, for a message."""
        if self.rows:
            return f"{self.where}, row {self.rows[gene]} ('{self.genes[gene]}')"
        return f"{self.where}, gene '{self.genes[gene]}'"
