"""What readers hand on: one matrix as it stood in a file, and the joined table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from fibroserum.errors import Problem

Fractional = Literal["refuse", "round"]

#: Cells of one kind of mistake that are listed one by one; the rest is counted.
SHOWN = 5
#: Problems of one file that are listed; the rest is counted.
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class CountTable:
    """Raw counts, samples × genes.

    counts: int32, or int64 where a count needs it; index sample names, columns gene ids, both text.
    notes: what was done to the input (rounded, rows left out, ids merged), a sentence each.
    annotation: symbols found in the files, index gene id, column `symbol`; None without any.
    dropped: samples of the input that are not in the counts, with the reason (too few cells).
    used: keys of the config that some of the files needed: `cells`, `tx2gene`.
    """

    counts: pd.DataFrame
    notes: tuple[str, ...]
    annotation: pd.DataFrame | None
    dropped: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Matrix:
    """One matrix as read: numbers not yet checked.

    values: genes × samples, int64 or float64. rows: line of each gene in the file, empty where a
    line means nothing. symbols: one text a gene (empty where unknown), or None. problems: cells
    that held no number (0 in values). dropped: samples left out, with the reason. used: the key of
    the config that it needed: `cells`, `tx2gene` or none.
    """

    where: str
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: np.ndarray
    rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    symbols: tuple[str, ...] | None = None
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


def listed(names: Collection[object], shown: int = SHOWN) -> str:
    """Return the first names in quotes and how many more there are."""
    text = ", ".join(f"'{name}'" for name in list(names)[:shown])
    more = len(names) - shown
    return f"{text} and {more:,} more" if more > 0 else text


def capped(problems: Sequence[Problem], where: str, limit: int = MAX_PROBLEMS) -> list[Problem]:
    """Return at most `limit` problems, and one more that counts the rest."""
    if len(problems) <= limit:
        return list(problems)
    return [*problems[:limit], Problem(f"and {len(problems) - limit:,} more problems", where)]
