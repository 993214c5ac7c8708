# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Weighted least squares with disjoint blocks eliminated.

For weights w and ridge l the matrix is M = X'WX + diag(l), X = [blocks | dense]. With
D_b = sum_b w + l_b and m_b = sum_b w Z / D_b for the dense rows Z of block b, the Schur complement
of the blocks is S = sum w (Z - m)(Z - m)' + sum_b l_b m_b m_b' + diag(l_dense), which involves no
cancellation. Columns are in the order blocks, dense; arrays of the samples are sorted into classes
of blocks (see `structure`). Samples in no block make a last block, whose m is 0. Nothing here
allocates, but for the functions that say so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from .compiling import INDEX, INDEX_MATRIX, INDICES, MATRIX, inlined
from .structure import Blocks

BLOCKS = types.NamedTuple([INDEX_MATRIX, INDEX, MATRIX, INDICES, INDICES], Blocks)


class Elimination(NamedTuple):
    """D (blocks,), m (k, blocks + 1) and the lower Cholesky factor of S (k, k)."""

    diagonal: np.ndarray
    means: np.ndarray
    schur: np.ndarray


@inlined
def fill(target: np.ndarray, value: float) -> None:
    """Set every entry of a vector. (Slice assignments take long to compile.)"""
    for i in range(target.shape[0]):
        target[i] = value


@inlined
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy a vector into another."""
    for i in range(target.shape[0]):
        target[i] = source[i]


@inlined
def new_elimination(blocks: Blocks) -> Elimination:
    """Allocate what `factor` fills."""
    k, n_blocks = blocks.dense.shape[0], blocks.n_blocks
    return Elimination(np.ones(n_blocks), np.zeros((k, n_blocks + 1)), np.zeros((k, k)))


@inlined
def unsigned(place: np.ndarray) -> Any:
    """Return a class's numbers as unsigned: an index that might count from the end is slow."""
    return (
        np.uintp(place[0]),
        np.uintp(place[1]),
        np.uintp(place[2]),
        np.uintp(place[3]),
        np.uintp(place[4]),
    )


@inlined
def own_blocks(place: np.ndarray, n_blocks: int) -> Any:
    """Return the first block of a class and where they end; none where its samples are in none."""
    return np.uintp(place[4]), np.uintp(min(place[4] + place[3], n_blocks))


# Loops over one block and over several stand one after the other, one of them empty: as branches
# of a condition they run at half the speed.


@inlined
def add_sums(x: np.ndarray, place: np.ndarray, out: np.ndarray) -> None:
    """Add the sum of x over each block of a class to out."""
    at, alone, several, count, block = unsigned(place)
    total = 0.0
    for i in range(at, at + alone):
        total += x[i]
    out[block] += total
    for row in range(at, at + several, count):
        for b in range(count):
            out[block + b] += x[row + b]


@inlined
def weighted_means(
    w: np.ndarray, z: np.ndarray, place: np.ndarray, totals: np.ndarray, mean: np.ndarray
) -> None:
    """Write the weighted mean of z in each block of a class into mean."""
    at, alone, several, count, block = unsigned(place)
    total = 0.0
    for i in range(at, at + alone):
        total += w[i] * z[i]
    for b in range(count):
        mean[block + b] = 0.0
    mean[block] = total
    for row in range(at, at + several, count):
        for b in range(count):
            mean[block + b] += w[row + b] * z[row + b]
    for b in range(count):
        mean[block + b] /= totals[block + b]


@inlined
def centred_sum(x: np.ndarray, z: np.ndarray, mean: np.ndarray, place: np.ndarray) -> float:
    """Return the sum of x (z - mean of the block) over a class."""
    at, alone, several, count, block = unsigned(place)
    total, centre = 0.0, mean[block]
    for i in range(at, at + alone):
        total += x[i] * (z[i] - centre)
    for row in range(at, at + several, count):
        for b in range(count):
            total += x[row + b] * (z[row + b] - mean[block + b])
    return total


@inlined
def centred_square(
    x: np.ndarray,
    z: np.ndarray,
    mean: np.ndarray,
    other: np.ndarray,
    mean_of_other: np.ndarray,
    place: np.ndarray,
) -> float:
    """Return the sum of x (z - mean) (other - its mean) over a class."""
    at, alone, several, count, block = unsigned(place)
    total, centre, centre_of_other = 0.0, mean[block], mean_of_other[block]
    for i in range(at, at + alone):
        total += x[i] * ((z[i] - centre) * (other[i] - centre_of_other))
    for row in range(at, at + several, count):
        for b in range(count):
            square = (z[row + b] - mean[block + b]) * (other[row + b] - mean_of_other[block + b])
            total += x[row + b] * square
    return total


@inlined
def cholesky(matrix: np.ndarray) -> bool:
    """Factorise a small symmetric matrix in place (lower triangle); False if not positive."""
    k = matrix.shape[0]
    for j in range(k):
        scale = matrix[j, j]
        pivot = scale
        for t in range(j):
            pivot -= matrix[j, t] * matrix[j, t]
        if not pivot > 1e-14 * scale:
            return False
        pivot = np.sqrt(pivot)
        matrix[j, j] = pivot
        for i in range(j + 1, k):
            value = matrix[i, j]
            for t in range(j):
                value -= matrix[i, t] * matrix[j, t]
            matrix[i, j] = value / pivot
    return True


@inlined
def cholesky_solve(lower: np.ndarray, x: np.ndarray, first: int) -> None:
    """Solve L L' x = b in place, for the entries of x from `first` on."""
    k = lower.shape[0]
    for i in range(k):
        value = x[first + i]
        for t in range(i):
            value -= lower[i, t] * x[first + t]
        x[first + i] = value / lower[i, i]
    for i in range(k - 1, -1, -1):
        value = x[first + i]
        for t in range(i + 1, k):
            value -= lower[t, i] * x[first + t]
        x[first + i] = value / lower[i, i]


@inlined
def factor(w: np.ndarray, ridge: np.ndarray, blocks: Blocks, e: Elimination) -> bool:
    """Eliminate the blocks and factorise what is left, into e.

    w: (n,) weights. ridge: (p,). Returns whether the matrix is positive definite.
    """
    classes, n_blocks, dense, active, active_starts = blocks
    diagonal, means, schur = e
    k = dense.shape[0]
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
        schur[a, a] = ridge[n_blocks + a]
    for s in range(n_blocks):
        diagonal[s] = ridge[s]
    for c in range(classes.shape[0]):
        place = classes[c]
        block, stop = own_blocks(place, n_blocks)
        if block < stop:
            add_sums(w, place, diagonal)
        for s in range(block, stop):
            if not diagonal[s] > 0.0:
                return False
        for u in range(active_starts[c], active_starts[c + 1]):
            a = active[u]
            mean = means[a]
            if block < stop:
                weighted_means(w, dense[a], place, diagonal, mean)
            for v in range(active_starts[c], u + 1):
                b = active[v]
                value = centred_square(w, dense[a], mean, dense[b], means[b], place)
                for s in range(block, stop):
                    value += ridge[s] * mean[s] * means[b, s]
                schur[a, b] += value
    return cholesky(schur)


@inlined
def solve(q: np.ndarray, blocks: Blocks, e: Elimination, x: np.ndarray) -> None:
    """Add X'q to x (p,) and solve M x = that, in place. q: (n,)."""
    classes, n_blocks, dense, active, active_starts = blocks
    diagonal, means, schur = e
    k = dense.shape[0]
    for c in range(classes.shape[0]):
        place = classes[c]
        block, stop = own_blocks(place, n_blocks)
        for u in range(active_starts[c], active_starts[c + 1]):
            a = active[u]
            value = centred_sum(q, dense[a], means[a], place)
            for s in range(block, stop):
                value -= means[a, s] * x[s]
            x[n_blocks + a] += value
        if block < stop:
            add_sums(q, place, x)
    if k > 0:
        cholesky_solve(schur, x, n_blocks)
    for s in range(n_blocks):
        x[s] /= diagonal[s]
    for c in range(classes.shape[0]):
        block, stop = own_blocks(classes[c], n_blocks)
        for u in range(active_starts[c], active_starts[c + 1]):
            a = active[u]
            slope = x[n_blocks + a]
            for s in range(block, stop):
                x[s] -= means[a, s] * slope


@inlined
def predict(beta: np.ndarray, blocks: Blocks, eta: np.ndarray) -> None:
    """Write X beta into eta (n,). beta: (p,)."""
    classes, n_blocks, dense, active, active_starts = blocks
    for c in range(classes.shape[0]):
        at, alone, several, count, block = unsigned(classes[c])
        level = beta[block] if block < n_blocks else 0.0
        for i in range(at, at + alone):
            eta[i] = level
        for row in range(at, at + several, count):
            for b in range(count):
                eta[row + b] = beta[block + b]
        for u in range(active_starts[c], active_starts[c + 1]):
            a = active[u]
            slope = beta[n_blocks + a]
            for i in range(at, at + alone + several):
                eta[i] += dense[a, i] * slope


@inlined
def leverages(w: np.ndarray, blocks: Blocks, e: Elimination, hat: np.ndarray) -> None:
    """Write the diagonal of W^1/2 X M^-1 X' W^1/2 into hat (n,). Allocates k numbers."""
    classes, n_blocks, dense, active, active_starts = blocks
    diagonal, means, schur = e
    k = dense.shape[0]
    row = np.empty(k)
    for c in range(classes.shape[0]):
        at, alone, several, count, block = unsigned(classes[c])
        for i in range(at, at + alone + several):
            s = block + (i - at) % count
            for a in range(k):
                row[a] = 0.0
            for u in range(active_starts[c], active_starts[c + 1]):
                a = active[u]
                row[a] = dense[a, i] - means[a, s]
            value = 1.0 / diagonal[s] if s < n_blocks else 0.0
            for a in range(k):
                part = row[a]
                for t in range(a):
                    part -= schur[a, t] * row[t]
                row[a] = part / schur[a, a]
                value += row[a] * row[a]
            hat[i] = w[i] * value
