# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""The log-determinant of a weighted normal matrix with disjoint blocks eliminated, with slopes.

The elimination is that of `arrowhead`; here the weights move along a path, and the two derivatives
of log|X'WX| along it come from the same sums. Nothing here allocates, but for `new_determinant`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrowhead import add_sums, cholesky, fill, own_blocks, unsigned, weighted_means
from .compiling import inlined
from .special import log
from .structure import Blocks


class Determinant(NamedTuple):
    """Scratch of `log_determinant`.

    D and two derivatives (3, blocks + 1), m and its slope (k, blocks + 1), S and two derivatives.
    """

    totals: np.ndarray
    means: np.ndarray
    slopes: np.ndarray
    schur: np.ndarray
    schur1: np.ndarray
    schur2: np.ndarray


@inlined
def new_determinant(blocks: Blocks) -> Determinant:
    """Allocate the scratch of `log_determinant`."""
    k, n_blocks = blocks.dense.shape[0], blocks.n_blocks
    return Determinant(
        np.zeros((3, n_blocks + 1)),
        np.zeros((k, n_blocks + 1)),
        np.zeros((k, n_blocks + 1)),
        np.zeros((k, k)),
        np.zeros((k, k)),
        np.zeros((k, k)),
    )


# As in `arrowhead`, loops over one block and over several stand one after the other, one empty.


@inlined
def add_products(
    x: np.ndarray, z: np.ndarray, mean: np.ndarray, place: np.ndarray, out: np.ndarray
) -> None:
    """Add the sum of x (z - mean of the block) over each block of a class to out."""
    at, alone, several, count, block = unsigned(place)
    total, centre = 0.0, mean[block]
    for i in range(at, at + alone):
        total += x[i] * (z[i] - centre)
    out[block] += total
    for row in range(at, at + several, count):
        for b in range(count):
            out[block + b] += x[row + b] * (z[row + b] - mean[block + b])


@inlined
def centred_squares(
    w: np.ndarray,
    d1: np.ndarray,
    d2: np.ndarray,
    z: np.ndarray,
    mean: np.ndarray,
    other: np.ndarray,
    mean_of_other: np.ndarray,
    place: np.ndarray,
) -> tuple[float, float, float]:
    """Return `centred_square` for three vectors at once."""
    at, alone, several, count, block = unsigned(place)
    centre, centre_of_other = mean[block], mean_of_other[block]
    x0, x1, x2 = 0.0, 0.0, 0.0
    for i in range(at, at + alone):
        square = (z[i] - centre) * (other[i] - centre_of_other)
        x0 += w[i] * square
        x1 += d1[i] * square
        x2 += d2[i] * square
    for row in range(at, at + several, count):
        for b in range(count):
            square = (z[row + b] - mean[block + b]) * (other[row + b] - mean_of_other[block + b])
            x0 += w[row + b] * square
            x1 += d1[row + b] * square
            x2 += d2[row + b] * square
    return x0, x1, x2


@inlined
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


@inlined
def add_schur(
    w: np.ndarray, d1: np.ndarray, d2: np.ndarray, blocks: Blocks, d: Determinant
) -> None:
    """Add every class's part of S and of its two derivatives. Reads d.totals."""
    classes, n_blocks, dense, active, active_starts = blocks
    totals, means, slopes, schur, schur1, schur2 = d
    for c in range(classes.shape[0]):
        place = classes[c]
        block, stop = own_blocks(place, n_blocks)
        for u in range(active_starts[c], active_starts[c + 1]):
            a = active[u]
            mean, slope, z = means[a], slopes[a], dense[a]
            if block < stop:
                weighted_means(w, z, place, totals[0], mean)
                for s in range(block, stop):
                    slope[s] = 0.0
                add_products(d1, z, mean, place, slope)
                for s in range(block, stop):
                    slope[s] /= totals[0, s]
            for v in range(active_starts[c], u + 1):
                b = active[v]
                twice = 0.0
                for s in range(block, stop):
                    twice += totals[0, s] * slope[s] * slopes[b, s]
                x0, x1, x2 = centred_squares(w, d1, d2, z, mean, dense[b], means[b], place)
                schur[a, b] += x0
                schur1[a, b] += x1
                schur2[a, b] += x2 - 2.0 * twice


@inlined
def log_determinant(
    w: np.ndarray, d1: np.ndarray, d2: np.ndarray, blocks: Blocks, d: Determinant
) -> tuple[float, float, float]:
    """Return log|X'WX| and its first two derivatives along a path of weights.

    d1, d2: (n,) first and second derivatives of the weights. Within a block
    sum w'(Z - m) = D m', so the second derivative of its part of S is
    sum w''(Z - m)(Z - m)' - 2 D m' m''. A singular matrix gives minus infinity.
    """
    classes = blocks.classes
    totals, schur, schur1, schur2 = d.totals, d.schur, d.schur1, d.schur2
    n_blocks, k = blocks.n_blocks, schur.shape[0]
    value, slope, curvature = 0.0, 0.0, 0.0
    for a in range(k):
        for b in range(a + 1):
            schur[a, b] = 0.0
            schur1[a, b] = 0.0
            schur2[a, b] = 0.0
    for part in range(3):
        fill(totals[part], 0.0)
    for c in range(classes.shape[0]):
        add_sums(w, classes[c], totals[0])
        add_sums(d1, classes[c], totals[1])
        add_sums(d2, classes[c], totals[2])
    for s in range(n_blocks):
        if not totals[0, s] > 0.0:
            return -np.inf, 0.0, 0.0
    for s in range(n_blocks):
        relative = totals[1, s] / totals[0, s]
        value += log(totals[0, s])
        slope += relative
        curvature += totals[2, s] / totals[0, s] - relative * relative
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
