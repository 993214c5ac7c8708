# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Weighted least squares with disjoint blocks eliminated.

For weights w and ridge l the matrix is M = X'WX + diag(l), X = [blocks | dense]. With
D_b = sum_b w + l_b and m_b = sum_b w Z / D_b for the dense rows Z of block b, the Schur complement
of the blocks is S = sum w (Z - m)(Z - m)' + sum_b l_b m_b m_b' + diag(l_dense), which involves no
cancellation. Columns are in the order blocks, dense; arrays of the samples are sorted by block
(see `structure`). Samples in no block make a last segment, whose m is 0. Nothing here allocates,
but for the functions that say so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiling import compiled
from .special import log
from .structure import Blocks


class Elimination(NamedTuple):
    """D (blocks,), m (blocks + 1, k) and the lower Cholesky factor of S (k, k)."""

    diagonal: np.ndarray
    means: np.ndarray
    schur: np.ndarray


class Determinant(NamedTuple):
    """Scratch of `log_determinant`: D, m and its slope (blocks + 1, k), S and two derivatives."""

    totals: np.ndarray
    means: np.ndarray
    slopes: np.ndarray
    schur: np.ndarray
    schur1: np.ndarray
    schur2: np.ndarray


@compiled
def fill(target: np.ndarray, value: float) -> None:
    """Set every entry of a vector. (Slice assignments take long to compile.)"""
    for i in range(target.shape[0]):
        target[i] = value


@compiled
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy a vector into another."""
    for i in range(target.shape[0]):
        target[i] = source[i]


@compiled
def new_elimination(blocks: Blocks) -> Elimination:
    """Allocate what `factor` fills."""
    n_blocks, k = blocks.starts.shape[0] - 2, blocks.dense.shape[1]
    return Elimination(np.ones(n_blocks), np.zeros((n_blocks + 1, k)), np.zeros((k, k)))


@compiled
def new_determinant(blocks: Blocks) -> Determinant:
    """Allocate the scratch of `log_determinant`."""
    n_blocks, k = blocks.starts.shape[0] - 2, blocks.dense.shape[1]
    return Determinant(
        np.zeros(n_blocks + 1),
        np.zeros((n_blocks + 1, k)),
        np.zeros((n_blocks + 1, k)),
        np.zeros((k, k)),
        np.zeros((k, k)),
        np.zeros((k, k)),
    )


@compiled
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


@compiled
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


@compiled
def factor(w: np.ndarray, ridge: np.ndarray, blocks: Blocks, e: Elimination) -> bool:
    """Eliminate the blocks and factorise what is left, into e.

    w: (n,) weights. ridge: (p,). Returns whether the matrix is positive definite.
    """
    starts, dense, active, active_starts = blocks
    diagonal, means, schur = e
    n_blocks, k = starts.shape[0] - 2, dense.shape[1]
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
        schur[a, a] = ridge[n_blocks + a]
    for s in range(n_blocks + 1):
        lo, hi, first, last = starts[s], starts[s + 1], active_starts[s], active_starts[s + 1]
        penalty, total = 0.0, 1.0
        if s < n_blocks:
            penalty = ridge[s]
            total = penalty
            for i in range(lo, hi):
                total += w[i]
            diagonal[s] = total
            if not total > 0.0:
                return False
        for u in range(first, last):
            a = active[u]
            if s < n_blocks:
                weighted = 0.0
                for i in range(lo, hi):
                    weighted += w[i] * dense[i, a]
                means[s, a] = weighted / total
            mean = means[s, a]
            for v in range(first, u + 1):
                b = active[v]
                other = means[s, b]
                value = penalty * mean * other
                for i in range(lo, hi):
                    value += w[i] * ((dense[i, a] - mean) * (dense[i, b] - other))
                schur[a, b] += value
    return cholesky(schur)


@compiled
def solve(q: np.ndarray, blocks: Blocks, e: Elimination, x: np.ndarray) -> None:
    """Add X'q to x (p,) and solve M x = that, in place. q: (n,)."""
    starts, dense, active, active_starts = blocks
    diagonal, means, schur = e
    n_blocks, k = starts.shape[0] - 2, dense.shape[1]
    for s in range(n_blocks + 1):
        lo, hi, first, last = starts[s], starts[s + 1], active_starts[s], active_starts[s + 1]
        before = 0.0
        if s < n_blocks:
            before = x[s]
            total = before
            for i in range(lo, hi):
                total += q[i]
            x[s] = total
        for u in range(first, last):
            a = active[u]
            mean = means[s, a]
            value = -mean * before
            for i in range(lo, hi):
                value += q[i] * (dense[i, a] - mean)
            x[n_blocks + a] += value
    if k > 0:
        cholesky_solve(schur, x, n_blocks)
    for s in range(n_blocks):
        value = x[s] / diagonal[s]
        for u in range(active_starts[s], active_starts[s + 1]):
            a = active[u]
            value -= means[s, a] * x[n_blocks + a]
        x[s] = value


@compiled
def predict(beta: np.ndarray, blocks: Blocks, eta: np.ndarray) -> None:
    """Write X beta into eta (n,). beta: (p,)."""
    starts, dense, active, active_starts = blocks
    n_blocks = starts.shape[0] - 2
    for s in range(n_blocks + 1):
        lo, hi, first, last = starts[s], starts[s + 1], active_starts[s], active_starts[s + 1]
        level = beta[s] if s < n_blocks else 0.0
        for i in range(lo, hi):
            eta[i] = level
        for u in range(first, last):
            a = active[u]
            slope = beta[n_blocks + a]
            for i in range(lo, hi):
                eta[i] += dense[i, a] * slope


@compiled
def leverages(w: np.ndarray, blocks: Blocks, e: Elimination, hat: np.ndarray) -> None:
    """Write the diagonal of W^1/2 X M^-1 X' W^1/2 into hat (n,). Allocates k numbers."""
    starts, dense, active, active_starts = blocks
    diagonal, means, schur = e
    n_blocks, k = starts.shape[0] - 2, dense.shape[1]
    row = np.empty(k)
    for s in range(n_blocks + 1):
        lo, hi, first, last = starts[s], starts[s + 1], active_starts[s], active_starts[s + 1]
        for i in range(lo, hi):
            for a in range(k):
                row[a] = 0.0
            for u in range(first, last):
                a = active[u]
                row[a] = dense[i, a] - means[s, a]
            value = 1.0 / diagonal[s] if s < n_blocks else 0.0
            for a in range(k):
                part = row[a]
                for t in range(a):
                    part -= schur[a, t] * row[t]
                row[a] = part / schur[a, a]
                value += row[a] * row[a]
            hat[i] = w[i] * value


@compiled
def whiten(lower: np.ndarray, matrix: np.ndarray) -> None:
    """Replace a symmetric matrix (lower triangle read) by L^-1 matrix L^-T, in place."""
    k = lower.shape[0]
    for a in range(k):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
    for column in range(k):
        for i in range(k):
            value = matrix[i, column]
            for t in range(i):
                value -= lower[i, t] * matrix[t, column]
            matrix[i, column] = value / lower[i, i]
    for row in range(k):
        for i in range(k):
            value = matrix[row, i]
            for t in range(i):
                value -= lower[i, t] * matrix[row, t]
            matrix[row, i] = value / lower[i, i]


@compiled
def add_schur(
    w: np.ndarray, d1: np.ndarray, d2: np.ndarray, blocks: Blocks, d: Determinant
) -> None:
    """Add every segment's part of S and of its two derivatives. Reads d.totals."""
    starts, dense, active, active_starts = blocks
    totals, means, slopes, schur, schur1, schur2 = d
    n_blocks = starts.shape[0] - 2
    for s in range(n_blocks + 1):
        lo, hi, first, last = starts[s], starts[s + 1], active_starts[s], active_starts[s + 1]
        total = totals[s]
        for u in range(first, last):
            a = active[u]
            mean, slope = 0.0, 0.0
            if s < n_blocks:
                for i in range(lo, hi):
                    mean += w[i] * dense[i, a]
                mean /= total
                for i in range(lo, hi):
                    slope += d1[i] * (dense[i, a] - mean)
                slope /= total
                means[s, a] = mean
                slopes[s, a] = slope
            for v in range(first, u + 1):
                b = active[v]
                other = means[s, b]
                x0, x1, x2 = 0.0, 0.0, -2.0 * total * slope * slopes[s, b]
                for i in range(lo, hi):
                    square = (dense[i, a] - mean) * (dense[i, b] - other)
                    x0 += w[i] * square
                    x1 += d1[i] * square
                    x2 += d2[i] * square
                schur[a, b] += x0
                schur1[a, b] += x1
                schur2[a, b] += x2


@compiled
def log_determinant(
    w: np.ndarray, d1: np.ndarray, d2: np.ndarray, blocks: Blocks, d: Determinant
) -> tuple[float, float, float]:
    """Return log|X'WX| and its first two derivatives along a path of weights.

    d1, d2: (n,) first and second derivatives of the weights. Within a block
    sum w'(Z - m) = D m', so the second derivative of its part of S is
    sum w''(Z - m)(Z - m)' - 2 D m' m''. A singular matrix gives minus infinity.
    """
    starts = blocks.starts
    totals, schur, schur1, schur2 = d.totals, d.schur, d.schur1, d.schur2
    n_blocks, k = starts.shape[0] - 2, schur.shape[0]
    value, slope, curvature = 0.0, 0.0, 0.0
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
            schur1[a, b] = 0.0
            schur2[a, b] = 0.0
    for s in range(n_blocks):
        total, total1, total2 = 0.0, 0.0, 0.0
        for i in range(starts[s], starts[s + 1]):
            total += w[i]
            total1 += d1[i]
            total2 += d2[i]
        if not total > 0.0:
            return -np.inf, 0.0, 0.0
        totals[s] = total
        relative = total1 / total
        value += log(total)
        slope += relative
        curvature += total2 / total - relative * relative
    add_schur(w, d1, d2, blocks, d)
    if not cholesky(schur):
        return -np.inf, 0.0, 0.0
    for a in range(k):
        value += 2.0 * np.log(schur[a, a])
    whiten(schur, schur1)
    whiten(schur, schur2)
    for a in range(k):
        slope += schur1[a, a]
        curvature += schur2[a, a]
        for b in range(k):
            curvature -= schur1[a, b] * schur1[a, b]
    return value, slope, curvature
