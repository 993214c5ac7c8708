# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Finding the arrowhead: which columns of a design matrix are disjoint indicators.

A design X = [blocks | dense] whose block columns are disjoint indicators has a weighted normal
matrix X'WX that is diagonal in the blocks. With the blocks eliminated (a Schur complement) a
solve costs O(samples x dense**2), however many blocks there are.

Blocks are short (a donor has two samples), and loops over two samples are slow. Blocks alike in
size and in the dense columns that concern them therefore make a class, whose samples are laid out
as a matrix (members x blocks): a loop then runs along all donors of an arm at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

# of singular values of columns scaled to length 1
RANK_TOLERANCE = 1e-10


class Blocks(NamedTuple):
    """What the compiled kernels read of a `BlockStructure`.

    classes: (classes, 5) first place, samples if the class is one block, samples if it is several
    (one of these is 0), blocks, first block. Samples in no block are a class of one block, whose
    number is the number of blocks.
    n_blocks: the number of blocks. dense: (k, n). active, active_starts: for each class the dense
    columns that are not zero throughout it, concatenated, and where each list starts.
    """

    classes: np.ndarray
    n_blocks: int
    dense: np.ndarray
    active: np.ndarray
    active_starts: np.ndarray


@dataclass(frozen=True, eq=False)
class BlockStructure:
    """A design matrix, its samples sorted into classes of blocks.

    order: (n,) sample at each place. block_of: (n,) the block at each place, the number of blocks
    for a sample in none. blocks: what the kernels read.
    block_columns, dense_columns: their places in the design matrix.
    """

    order: np.ndarray
    block_of: np.ndarray
    blocks: Blocks
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
    def design(self) -> np.ndarray:
        """Return the design matrix, samples and columns in the kernels' order."""
        member = self.block_of[:, None] == np.arange(len(self.block_columns))
        return np.hstack([member.astype(float), self.blocks.dense.T])

    def concerned(self, columns: np.ndarray) -> np.ndarray:
        """Return which (n,) samples have an entry in any of some design columns, a mask."""
        blocks = np.append(columns[self.block_columns], False)[self.block_of]
        dense = (self.blocks.dense[columns[self.dense_columns]] != 0).any(axis=0)
        found = np.empty(self.n_samples, dtype=bool)
        found[self.order] = blocks | dense
        return found

    @cached_property
    def rank(self) -> int:
        """The rank of the design: the blocks', plus the dense columns' within blocks."""
        dense = self.blocks.dense.T.copy()
        if not dense.shape[1]:
            return len(self.block_columns)
        size = np.sqrt((dense**2).sum(axis=0))
        counts = np.bincount(self.block_of, minlength=len(self.block_columns) + 1)
        for column in dense.T:
            sums = np.bincount(self.block_of, column, minlength=len(counts))
            sums[len(self.block_columns) :] = 0  # samples in no block are not centred
            column -= (sums / np.maximum(counts, 1))[self.block_of]
        # what centring leaves of a column that is constant within blocks is rounding, however it
        # compares with the other columns
        within = np.linalg.matrix_rank(dense / size, tol=RANK_TOLERANCE)
        return len(self.block_columns) + int(within)


def _disjoint_indicators(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the block columns, and the column each sample belongs to (-1: none).

    entries: rows, columns and values of a matrix of this shape, wherever it is not zero.
    Indicator columns are taken greedily from the smallest, so that the many small ones (donors)
    come before the few large ones (a treatment) that overlap them.
    """
    rows, columns, values = entries
    sizes = np.bincount(columns, minlength=shape[1])
    indicator = np.bincount(columns, values != 1, minlength=shape[1]) == 0
    members = np.split(rows[np.argsort(columns, kind="stable")], np.cumsum(sizes)[:-1])
    column_of = np.full(shape[0], -1)
    chosen: list[int] = []
    for column in sorted(np.flatnonzero(indicator), key=lambda c: (sizes[c], c)):
        if (column_of[members[column]] == -1).all():
            column_of[members[column]] = column
            chosen.append(int(column))
    return np.array(sorted(chosen), dtype=np.int64), column_of


def _classes(sizes: np.ndarray, concerned: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of the blocks in each class, classes by their first block.

    sizes: of the blocks; concerned: (blocks, k), which dense columns are not zero in each.
    """
    alike = sizes
    for column in concerned.T:
        alike = np.unique(2 * alike + column, return_inverse=True)[1]
    by_class = np.argsort(alike, kind="stable")
    starts = np.flatnonzero(np.diff(alike[by_class], prepend=-1))
    classes = sorted(np.split(by_class, starts[1:]), key=lambda part: int(part[0]))
    # a class of few long blocks would have short loops: each of them is a class
    return [
        one
        for part in classes
        for one in ([part] if len(part) >= sizes[part[0]] else np.split(part, len(part)))
    ]


def _place(groups: list[np.ndarray], dense: np.ndarray) -> tuple[np.ndarray, np.ndarray, Blocks]:
    """Return the order of samples, their blocks, and the kernels' arrays.

    groups: for each class its samples, members × blocks. Blocks are numbered through them.
    """
    sizes = np.array([group.size for group in groups])
    counts = np.array([group.shape[1] for group in groups])
    first_place, first_block = np.cumsum(sizes) - sizes, np.cumsum(counts) - counts
    order = np.concatenate([group.ravel() for group in groups])
    block_of = [
        np.tile(first + np.arange(group.shape[1]), len(group))
        for first, group in zip(first_block, groups, strict=True)
    ]
    alone = np.where(counts == 1, sizes, 0)
    active = [np.flatnonzero((dense[group.ravel()] != 0).any(axis=0)) for group in groups]
    blocks = Blocks(
        np.column_stack([first_place, alone, sizes - alone, counts, first_block]).astype(np.int64),
        int(counts.sum()),
        np.ascontiguousarray(dense[order].T),
        np.concatenate(active).astype(np.int64),
        np.concatenate([[0], np.cumsum([len(part) for part in active])]).astype(np.int64),
    )
    return order, np.concatenate(block_of), blocks


def find_blocks(design: np.ndarray) -> BlockStructure:
    """Return the structure of a design matrix (samples x columns).

    Raises ValueError for a design that is not a finite matrix, or has an empty column.
    """
    matrix = np.asarray(design, dtype=float)
    if matrix.ndim != 2:
        raise ValueError("The design must be a matrix of finite numbers.")
    # a thousand donors are a thousand columns, of two entries each: the whole is read but once
    rows, columns = np.nonzero(matrix)
    values = matrix[rows, columns]
    if not np.isfinite(values).all():
        raise ValueError("The design must be a matrix of finite numbers.")
    if len(np.unique(columns)) < matrix.shape[1]:
        raise ValueError("The design has a column of zeros.")
    indicators, column_of = _disjoint_indicators((rows, columns, values), matrix.shape)
    dense_columns = np.setdiff1d(np.arange(matrix.shape[1]), indicators)
    return _arranged(column_of, indicators, matrix[:, dense_columns], dense_columns)


def _arranged(
    column_of: np.ndarray, indicators: np.ndarray, dense: np.ndarray, dense_columns: np.ndarray
) -> BlockStructure:
    """Return the structure of known blocks. column_of: (n,) column of each sample's, -1: none."""
    by_column = np.argsort(column_of, kind="stable")
    starts = np.searchsorted(column_of[by_column], indicators)
    sizes = np.diff(starts, append=len(column_of))
    concerned = np.empty((0, dense.shape[1]), dtype=bool)
    if len(starts):
        concerned = np.logical_or.reduceat(dense[by_column] != 0, starts, axis=0)
    classes = _classes(sizes, concerned) if len(starts) else []
    groups = [by_column[starts[part] + np.arange(sizes[part[0]])[:, None]] for part in classes]
    loose = np.flatnonzero(column_of == -1)
    order, block_of, blocks = _place(groups + ([loose[:, None]] if len(loose) else []), dense)
    return BlockStructure(
        order,
        block_of,
        blocks._replace(n_blocks=len(indicators)),
        np.concatenate([np.empty(0, dtype=np.int64), *(indicators[part] for part in classes)]),
        dense_columns.astype(np.int64),
    )


def without_blocks(
    structure: BlockStructure, columns: np.ndarray
) -> tuple[BlockStructure, np.ndarray]:
    """Return the structure without block columns and their samples, and which (n,) samples stay.

    The blocks that are left stay blocks; no matrix is read, so that leaving each of many blocks
    out in turn costs no more than their number squared. A dense column may be left without an
    entry. Raises ValueError where a column is not a block.
    """
    if not np.isin(columns, structure.block_columns).all():
        raise ValueError(f"columns {columns} of the design are not all blocks")
    column_of, dense = np.empty(structure.n_samples, dtype=np.int64), structure.blocks.dense
    column_of[structure.order] = np.append(structure.block_columns, -1)[structure.block_of]
    rows = np.empty(dense.shape[::-1])
    rows[structure.order] = dense.T
    kept = ~np.isin(column_of, columns)
    rest = np.sort(structure.block_columns[~np.isin(structure.block_columns, columns)])
    columns_of, blocks, others = (
        numbers - np.searchsorted(np.sort(columns), numbers)
        for numbers in (column_of[kept], rest, structure.dense_columns)
    )
    return _arranged(columns_of, blocks, rows[kept], others), kept
