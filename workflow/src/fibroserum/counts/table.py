"""What readers hand on: one matrix as it stood in a file, and the joined table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from fibroserum.errors import Problem

Fractional = Literal["refuse", "round"]


@dataclass(frozen=True)
class CountTable:
    """Raw counts, samples × genes.

    counts: int32, or int64 where a count needs it; index sample names, columns gene ids, both text.
    notes: what was done to the input (rounded, rows left out, ids merged), a sentence each.
    dropped: samples of the input that are not in the counts, with the reason (too few cells).
    used: keys of the config that some of the files needed: `cells`, `tx2gene`.
    """

    counts: pd.DataFrame
    notes: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Matrix:
    """One matrix as read: numbers not yet checked.

    values: genes × samples, int64 or float64. rows: line of each gene in the file, empty where a
    line means nothing. problems: cells that held no number (0 in values). dropped: samples left
    out, with the reason. used: the key of the config that it needed: `cells`, `tx2gene` or none.
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

    def cell(self, gene: int, sample: int) -> str:
        """Return where a cell stands, for a message."""
        return f"{self.gene_place(gene)}, column '{self.samples[sample]}'"

    def gene_place(self, gene: int) -> str:
        """Return where a gene's row stands, for a message."""
        if self.rows:
            return f"{self.where}, row {self.rows[gene]} ('{self.genes[gene]}')"
        return f"{self.where}, gene '{self.genes[gene]}'"
