# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Finding the arrowhead: which columns of a design matrix are disjoint indicators.

A design X = [blocks | dense] whose block columns are disjoint indicators has a weighted normal
matrix X'WX that is diagonal in the blocks. With the blocks eliminated (a Schur complement) a
solve costs O(samples x dense**2), however many blocks there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Blocks(NamedTuple):
    """The arrays of a `BlockStructure` that the compiled kernels read."""

    starts: np.ndarray
    dense: np.ndarray
    active: np.ndarray
    active_starts: np.ndarray


@dataclass(frozen=True, eq=False)
class BlockStructure:
    """A design matrix, its rows sorted by block.

    order: (n,) sample at each sorted place. starts: (blocks + 2,) first sorted place of each
    segment, and n: the blocks, then the samples in none. dense: (n, k) the other columns, sorted.
    active, active_starts: for each segment the dense columns that are not zero throughout it,
    concatenated, and where each list starts.
    block_columns, dense_columns: their places in the design matrix.
    """

    order: np.ndarray
    starts: np.ndarray
    dense: np.ndarray
    active: np.ndarray
    active_starts: np.ndarray
    block_columns: np.ndarray
    dense_columns: np.ndarray

    @property
    def n_samples(self) -> int:
        """Return the number of samples."""
        return len(self.order)

    @property
    def n_columns(self) -> int:
        """Return the number of design columns."""
        return len(self.block_columns) + len(self.dense_columns)

    @property
    def columns(self) -> np.ndarray:
        """Return the design columns in the kernels' order: blocks, then dense."""
        return np.concatenate([self.block_columns, self.dense_columns])

    @property
    def blocks(self) -> Blocks:
        """Return what the kernels take."""
        return Blocks(self.starts, self.dense, self.active, self.active_starts)

    def rank(self) -> int:
        """Return the rank of the design: the blocks', plus the dense columns' within blocks."""
        dense = self.dense.copy()
        for start, stop in pairwise(self.starts[:-1]):
            dense[start:stop] -= dense[start:stop].mean(axis=0)
        if not dense.shape[1]:
            return len(self.block_columns)
        scale = np.maximum(np.sqrt((self.dense**2).sum(axis=0)), np.finfo(float).tiny)
        return len(self.block_columns) + int(np.linalg.matrix_rank(dense / scale))


def find_blocks(design: np.ndarray) -> BlockStructure:
    """Return the structure of a design matrix (samples x columns).

    Indicator columns are taken greedily from the smallest, so that the many small ones (donors)
    come before the few large ones (a treatment) that overlap them. Raises ValueError for a
    design that is not a finite matrix, or has an empty column.
    """
    matrix = np.asarray(design, dtype=float)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError("The design must be a matrix of finite numbers.")
    if not (matrix != 0).any(axis=0).all():
        raise ValueError("The design has a column of zeros.")
    n_samples, n_columns = matrix.shape
    indicator = ((matrix == 0) | (matrix == 1)).all(axis=0)
    sizes = (matrix != 0).sum(axis=0)
    block_of = np.full(n_samples, -1)
    chosen: list[int] = []
    for column in sorted(np.flatnonzero(indicator), key=lambda c: (sizes[c], c)):
        members = matrix[:, column] == 1
        if (block_of[members] == -1).all():
            block_of[members] = column
            chosen.append(int(column))
    block_columns = np.array(sorted(chosen), dtype=np.int64)
    dense_columns = np.array([c for c in range(n_columns) if c not in set(chosen)], dtype=np.int64)
    rank_of = np.full(n_columns + 1, len(block_columns))
    rank_of[block_columns] = np.arange(len(block_columns))
    place = rank_of[block_of]
    order = np.argsort(place, kind="stable")
    firsts = np.searchsorted(place[order], np.arange(len(block_columns) + 1))
    starts = np.append(firsts, n_samples).astype(np.int64)
    dense = np.ascontiguousarray(matrix[order][:, dense_columns])
    lists = [np.flatnonzero((dense[a:b] != 0).any(axis=0)) for a, b in pairwise(starts)]
    active_starts = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    active = np.concatenate(lists).astype(np.int64)
    return BlockStructure(order, starts, dense, active, active_starts, block_columns, dense_columns)
