# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
# associated documentation files (the "Software"), to deal in the Software without restriction,
# including without limitation the rights to use, copy, modify, merge, publish, distribute,
# sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions: the above copyright notice and this
# permission notice shall be included in all copies or substantial portions of the Software.
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
"""Weighted least squares with disjoint blocks eliminated.

For weights w and ridge l the matrix is M = X'WX + diag(l), X = [blocks | dense]. With
D_b = sum_b w + l_b and m_b = sum_b w Z / D_b for the dense rows Z of block b, the Schur complement
of the blocks is S = sum w (Z - m)(Z - m)' + sum_b l_b m_b m_b' + diag(l_dense), which involves no
cancellation. Columns are in the order blocks, dense; arrays of the samples are sorted by block
(see `structure`). Nothing here allocates.
"""

from __future__ import annotations

import numba
import numpy as np

from fibroserum.inference.special import OPTIONS


@numba.njit(**OPTIONS)
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


@numba.njit(**OPTIONS)
def cholesky_solve(lower: np.ndarray, x: np.ndarray) -> None:
    """Solve L L' x = b in place."""
    k = lower.shape[0]
    for i in range(k):
        value = x[i]
        for t in range(i):
            value -= lower[i, t] * x[t]
        x[i] = value / lower[i, i]
    for i in range(k - 1, -1, -1):
        value = x[i]
        for t in range(i + 1, k):
            value -= lower[t, i] * x[t]
        x[i] = value / lower[i, i]


@numba.njit(**OPTIONS)
def factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur):
    """Eliminate the blocks and factorise what is left.

    w: (n,) weights. ridge: (p,). Fills diagonal (blocks,), means (blocks, k), schur (k, k: its
    lower Cholesky factor). Returns whether the matrix is positive definite.
    """
    blocks = starts.shape[0] - 1
    k = dense.shape[1]
    n = dense.shape[0]
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
        schur[a, a] = ridge[blocks + a]
    for block in range(blocks):
        lo, hi = starts[block], starts[block + 1]
        first, last = active_starts[block], active_starts[block + 1]
        total = ridge[block]
        for i in range(lo, hi):
            total += w[i]
        diagonal[block] = total
        if not total > 0.0:
            return False
        for u in range(first, last):
            a = active[u]
            sum_a = 0.0
            for i in range(lo, hi):
                sum_a += w[i] * dense[i, a]
            means[block, a] = sum_a / total
            for v in range(first, u + 1):
                b = active[v]
                value = ridge[block] * means[block, a] * means[block, b]
                for i in range(lo, hi):
                    value += (
                        w[i] * (dense[i, a] - means[block, a]) * (dense[i, b] - means[block, b])
                    )
                schur[a, b] += value
    first, last = active_starts[blocks], active_starts[blocks + 1]
    for u in range(first, last):
        a = active[u]
        for v in range(first, u + 1):
            b = active[v]
            value = 0.0
            for i in range(starts[blocks], n):
                value += w[i] * dense[i, a] * dense[i, b]
            schur[a, b] += value
    return cholesky(schur)


@numba.njit(**OPTIONS)
def solve(q, starts, dense, active, active_starts, diagonal, means, schur, x):
    """Add X'q to x and solve M x = that, in place. q: (n,). x: (p,), blocks then dense."""
    blocks = starts.shape[0] - 1
    k = dense.shape[1]
    n = dense.shape[0]
    for block in range(blocks):
        lo, hi = starts[block], starts[block + 1]
        before = x[block]
        total = before
        for i in range(lo, hi):
            total += q[i]
        for u in range(active_starts[block], active_starts[block + 1]):
            a = active[u]
            value = -means[block, a] * before
            for i in range(lo, hi):
                value += q[i] * (dense[i, a] - means[block, a])
            x[blocks + a] += value
        x[block] = total
    for u in range(active_starts[blocks], active_starts[blocks + 1]):
        a = active[u]
        value = 0.0
        for i in range(starts[blocks], n):
            value += q[i] * dense[i, a]
        x[blocks + a] += value
    if k > 0:
        cholesky_solve(schur, x[blocks:])
    for block in range(blocks):
        value = x[block] / diagonal[block]
        for u in range(active_starts[block], active_starts[block + 1]):
            value -= means[block, active[u]] * x[blocks + active[u]]
        x[block] = value


@numba.njit(**OPTIONS)
def predict(beta, starts, dense, active, active_starts, eta):
    """Write X beta into eta. beta: (p,), blocks then dense."""
    blocks = starts.shape[0] - 1
    for block in range(blocks):
        for i in range(starts[block], starts[block + 1]):
            eta[i] = beta[block]
        for u in range(active_starts[block], active_starts[block + 1]):
            a = active[u]
            for i in range(starts[block], starts[block + 1]):
                eta[i] += dense[i, a] * beta[blocks + a]
    for i in range(starts[blocks], dense.shape[0]):
        eta[i] = 0.0
    for u in range(active_starts[blocks], active_starts[blocks + 1]):
        a = active[u]
        for i in range(starts[blocks], dense.shape[0]):
            eta[i] += dense[i, a] * beta[blocks + a]


@numba.njit(**OPTIONS)
def leverages(w, starts, dense, active, active_starts, diagonal, means, schur, row, hat):
    """Write the diagonal of W^1/2 X M^-1 X' W^1/2 into hat. row: (k,) scratch."""
    blocks = starts.shape[0] - 1
    k = dense.shape[1]
    for segment in range(blocks + 1):
        lo = starts[segment]
        hi = starts[segment + 1] if segment < blocks else dense.shape[0]
        for i in range(lo, hi):
            for a in range(k):
                row[a] = 0.0
            for u in range(active_starts[segment], active_starts[segment + 1]):
                a = active[u]
                row[a] = dense[i, a]
                if segment < blocks:
                    row[a] -= means[segment, a]
            value = 1.0 / diagonal[segment] if segment < blocks else 0.0
            # |L^-1 row|^2
            for a in range(k):
                part = row[a]
                for t in range(a):
                    part -= schur[a, t] * row[t]
                row[a] = part / schur[a, a]
                value += row[a] * row[a]
            hat[i] = w[i] * value


@numba.njit(**OPTIONS)
def log_determinant(
    w, d1, d2, order, starts, dense, active, active_starts, means, schur, s1, s2, slope
):
    """Return log|X'WX| and its first two derivatives along a path of weights.

    d1, d2: (n,) first and second derivatives of the weights; read as far as `order` (0, 1, 2)
    asks. Within a block sum w'(Z - m) = D m', so the second derivative of its Schur term is
    sum w''(Z - m)(Z - m)' - 2 D m' m''. means, slope: (blocks, k), schur, s1, s2: (k, k) scratch.
    A singular matrix gives minus infinity.
    """
    blocks = starts.shape[0] - 1
    k = dense.shape[1]
    value, first_derivative, second_derivative = 0.0, 0.0, 0.0
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
            s1[a, b] = 0.0
            s2[a, b] = 0.0
    for block in range(blocks + 1):
        blocked = block < blocks
        lo = starts[block]
        hi = starts[block + 1] if blocked else dense.shape[0]
        total, total1, total2 = 0.0, 0.0, 0.0
        if blocked:
            for i in range(lo, hi):
                total += w[i]
            if not total > 0.0:
                return -np.inf, 0.0, 0.0
            value += np.log(total)
            if order > 0:
                for i in range(lo, hi):
                    total1 += d1[i]
                first_derivative += total1 / total
            if order > 1:
                for i in range(lo, hi):
                    total2 += d2[i]
                second_derivative += total2 / total - (total1 / total) ** 2
        for u in range(active_starts[block], active_starts[block + 1]):
            a = active[u]
            mean, mean1 = 0.0, 0.0
            if blocked:
                for i in range(lo, hi):
                    mean += w[i] * dense[i, a]
                mean /= total
                if order > 1:
                    for i in range(lo, hi):
                        mean1 += d1[i] * (dense[i, a] - mean)
                    mean1 /= total
                means[block, a] = mean
                slope[block, a] = mean1
            for v in range(active_starts[block], u + 1):
                b = active[v]
                mean_b, mean1_b = 0.0, 0.0
                if blocked:
                    mean_b, mean1_b = means[block, b], slope[block, b]
                x0, x1, x2 = 0.0, 0.0, -2.0 * total * mean1 * mean1_b
                if order == 0:
                    for i in range(lo, hi):
                        x0 += w[i] * ((dense[i, a] - mean) * (dense[i, b] - mean_b))
                elif order == 1:
                    for i in range(lo, hi):
                        square = (dense[i, a] - mean) * (dense[i, b] - mean_b)
                        x0 += w[i] * square
                        x1 += d1[i] * square
                else:
                    for i in range(lo, hi):
                        square = (dense[i, a] - mean) * (dense[i, b] - mean_b)
                        x0 += w[i] * square
                        x1 += d1[i] * square
                        x2 += d2[i] * square
                schur[a, b] += x0
                s1[a, b] += x1
                s2[a, b] += x2
    if not cholesky(schur):
        return -np.inf, 0.0, 0.0
    for a in range(k):
        value += 2.0 * np.log(schur[a, a])
    if order > 0 and k > 0:
        whiten(schur, s1)
        for a in range(k):
            first_derivative += s1[a, a]
    if order > 1 and k > 0:
        whiten(schur, s2)
        for a in range(k):
            second_derivative += s2[a, a] - s1[a, a] * s1[a, a]
            for b in range(a):
                second_derivative -= 2.0 * s1[a, b] * s1[a, b]
    return value, first_derivative, second_derivative


@numba.njit(**OPTIONS)
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
