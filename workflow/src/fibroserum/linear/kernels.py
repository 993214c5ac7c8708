"""Compiled loops over genes: weighted least squares and effects with donor blocks eliminated.

Every gene is computed by itself and reduced in one order, so that the same bits come out of any
number of threads.
"""

from __future__ import annotations

import numpy as np

from fibroserum.inference.chunks import over_genes
from fibroserum.inference.compiling import (
    CUBE,
    INDEX,
    INDICES,
    MATRIX,
    VECTOR,
    compiled,
    strict,
)


@strict
def _invert(matrix: np.ndarray, low: np.ndarray, result: np.ndarray) -> None:
    """Write the inverse of a small positive definite matrix, through its Cholesky factor.

    low: (2, k, k) scratch.
    """
    k = matrix.shape[0]
    for i in range(k):
        for j in range(i + 1):
            total = matrix[i, j]
            for m in range(j):
                total -= low[0, i, m] * low[0, j, m]
            low[0, i, j] = np.sqrt(total) if i == j else total / low[0, j, j]
    for i in range(k):
        low[1, i, i] = 1.0 / low[0, i, i]
        for j in range(i):
            total = 0.0
            for m in range(j, i):
                total -= low[0, i, m] * low[1, m, j]
            low[1, i, j] = total / low[0, i, i]
    for i in range(k):
        for j in range(k):
            total = 0.0
            for m in range(max(i, j), k):
                total += low[1, m, i] * low[1, m, j]
            result[i, j] = total


@strict
def _centre(
    values: np.ndarray, weights: np.ndarray, of_sample: np.ndarray, means: np.ndarray
) -> None:
    """Subtract each block's weighted mean from values (n,), in place.

    means: (2, D), receives the means and the sums of weights.
    """
    for b in range(means.shape[1]):
        means[0, b] = 0.0
        means[1, b] = 0.0
    for i in range(values.shape[0]):
        if of_sample[i] >= 0:
            means[0, of_sample[i]] += weights[i] * values[i]
            means[1, of_sample[i]] += weights[i]
    for b in range(means.shape[1]):
        means[0, b] /= means[1, b]
    for i in range(values.shape[0]):
        if of_sample[i] >= 0:
            values[i] -= means[0, of_sample[i]]


@compiled(MATRIX, MATRIX, MATRIX, INDICES, MATRIX, MATRIX, CUBE, VECTOR, reordered=False)
def _weighted_fit(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    of_sample: np.ndarray,
    beta: np.ndarray,
    donor_beta: np.ndarray,
    covariance: np.ndarray,
    rss: np.ndarray,
) -> None:
    """Fill what `weighted_fit` returns."""
    genes, n = expression.shape
    k, donors = dense.shape[1], donor_beta.shape[1]
    # the response in the last row of each
    x, means = np.empty((k + 1, n)), np.empty((k + 1, 2, donors))
    normal, low, right = np.empty((k, k)), np.empty((2, k, k)), np.empty(k)
    for g in range(genes):
        w = weights[g]
        for i in range(n):
            for j in range(k):
                x[j, i] = dense[i, j]
            x[k, i] = expression[g, i]
        for j in range(k + 1):
            _centre(x[j], w, of_sample, means[j])
        for j in range(k):
            total = 0.0
            for i in range(n):
                total += w[i] * x[j, i] * x[k, i]
            right[j] = total
            for m in range(j + 1):
                total = 0.0
                for i in range(n):
                    total += w[i] * x[j, i] * x[m, i]
                normal[j, m] = total
                normal[m, j] = total
        inverse = covariance[g]
        _invert(normal, low, inverse)
        for j in range(k):
            total = 0.0
            for m in range(k):
                total += inverse[j, m] * right[m]
            beta[g, j] = total
        for b in range(donors):
            total = means[k, 0, b]
            for j in range(k):
                total -= means[j, 0, b] * beta[g, j]
            donor_beta[g, b] = total
        total = 0.0
        for i in range(n):
            residual = x[k, i]
            for j in range(k):
                residual -= x[j, i] * beta[g, j]
            total += w[i] * residual * residual
        rss[g] = total


def weighted_fit(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    of_sample: np.ndarray,
    donors: int,
    n_cpus: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares of each gene with donor blocks eliminated.

    expression, weights: genes x samples. dense: samples x k. of_sample: (n,) block or -1.
    Returns coefficients (G, D + k), donors first, the unscaled covariance of the dense ones
    (G, k, k) and the weighted residual sum of squares (G,).
    """
    genes, k = len(expression), dense.shape[1]
    coefficients = np.empty((genes, donors + k))
    covariance, rss = np.empty((genes, k, k)), np.empty(genes)

    def work(part: slice) -> None:
        own = coefficients[part]
        beta, donor_beta = np.empty((len(own), k)), np.empty((len(own), donors))
        _weighted_fit(
            expression[part], np.ascontiguousarray(weights[part]), dense, of_sample,
            beta, donor_beta, covariance[part], rss[part],
        )  # fmt: skip
        own[:, :donors], own[:, donors:] = donor_beta, beta

    over_genes(work, genes, n_cpus)
    return coefficients, covariance, rss


@compiled(MATRIX, MATRIX, MATRIX, MATRIX, INDICES, INDEX, INDICES, MATRIX, reordered=False)
def _grouped_squares(
    values: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    beta: np.ndarray,
    block_of: np.ndarray,
    blocks: int,
    group_of: np.ndarray,
    result: np.ndarray,
) -> None:
    """Add what `grouped_squares` returns to result."""
    genes, n = weights.shape
    line, means = np.empty(n), np.empty((2, blocks))
    for g in range(genes):
        for i in range(n):
            value = values[g, i]
            for j in range(dense.shape[1]):
                value -= dense[i, j] * beta[g, j]
            line[i] = value
        _centre(line, weights[g], block_of, means)
        for i in range(n):
            result[g, group_of[i]] += weights[g, i] * line[i] * line[i]


def grouped_squares(
    values: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    beta: np.ndarray,
    block_of: np.ndarray,
    blocks: int,
    group_of: np.ndarray,
    groups: int,
    n_cpus: int,
) -> np.ndarray:
    """Return the weighted sums of squares of values - dense @ beta by group of samples (G, groups).

    values, weights: genes x samples. dense: samples x k; beta: (G, k). The squares are taken about
    the weighted means of the blocks; block_of: (n,) block or -1, which has no mean.
    """
    result = np.zeros((len(weights), groups))

    def work(part: slice) -> None:
        rows, own = (np.ascontiguousarray(whole[part]) for whole in (values, weights))
        _grouped_squares(rows, own, dense, beta[part], block_of, blocks, group_of, result[part])

    over_genes(work, len(weights), n_cpus)
    return result


@compiled(MATRIX, VECTOR, VECTOR, VECTOR, INDICES, MATRIX, reordered=False)
def _line_at(
    places: np.ndarray,
    knots: np.ndarray,
    heights: np.ndarray,
    slopes: np.ndarray,
    first: np.ndarray,
    result: np.ndarray,
) -> None:
    """Write what `line_at` returns. first: the knot before each of cells of equal width."""
    last = len(knots) - 1
    scale = len(first) / (knots[last] - knots[0])
    for row in range(len(places)):
        for column in range(places.shape[1]):
            x = places[row, column]
            if x >= knots[last]:
                result[row, column] = heights[last]
            elif x < knots[0]:
                result[row, column] = heights[0]
            elif not (x >= knots[0] and np.isfinite(scale)):
                # no cell to look in
                result[row, column] = np.nan
            else:
                at = first[min(int((x - knots[0]) * scale), len(first) - 1)]
                while knots[at] > x:
                    at -= 1
                while knots[at + 1] <= x:
                    at += 1
                result[row, column] = slopes[at] * (x - knots[at]) + heights[at]


def line_at(places: np.ndarray, knots: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return the heights of a broken line at places (n, G), flat beyond its ends; NaN at NaN.

    knots, heights: (k,), in ascending order, at least two. The bits are those of numpy.interp,
    which searches for the knots of each place: a line of many knots takes it three times as long.
    """
    width = np.diff(knots)
    slopes = np.divide(np.diff(heights), width, out=np.zeros_like(width), where=width > 0)
    edges = np.linspace(knots[0], knots[-1], len(knots), endpoint=False)
    first = np.searchsorted(knots, edges, side="right") - 1
    result = np.empty(places.shape)
    _line_at(places, knots, heights, slopes, np.minimum(first, len(knots) - 2), result)
    return result


@strict
def _reflect(
    column: np.ndarray,
    rows: np.ndarray,
    first: int,
    stop: int,
    others: np.ndarray,
    start: int,
) -> float:
    """Householder reflection that leaves `column` on one row alone, applied to others[start:].

    The rows are rows[first:stop]; the one that is left is the first. others: (m, n).
    Returns the new value of column there; the sign convention is that of LAPACK and R.
    """
    pivot = rows[first]
    alpha = column[pivot]
    below = 0.0
    for r in range(first + 1, stop):
        below += column[rows[r]] * column[rows[r]]
    if below == 0.0:
        return alpha
    beta = -np.copysign(np.sqrt(alpha * alpha + below), alpha)
    tau = (beta - alpha) / beta
    scale = 1.0 / (alpha - beta)
    for m in range(start, others.shape[0]):
        total = others[m, pivot]
        for r in range(first + 1, stop):
            total += column[rows[r]] * scale * others[m, rows[r]]
        total *= tau
        others[m, pivot] -= total
        for r in range(first + 1, stop):
            others[m, rows[r]] -= total * column[rows[r]] * scale
    return beta


@compiled(MATRIX, MATRIX, MATRIX, INDICES, INDICES, INDICES, MATRIX, reordered=False)
def _contrast_effects(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    block_rows: np.ndarray,
    block_start: np.ndarray,
    rest: np.ndarray,
    result: np.ndarray,
) -> None:
    """Fill what `contrast_effects` returns."""
    genes, n = expression.shape
    k = dense.shape[1]
    root, work = np.empty(n), np.empty((k + 1, n))
    for g in range(genes):
        for i in range(n):
            root[i] = np.sqrt(weights[g, i])
            for j in range(k):
                work[j, i] = dense[i, j] * root[i]
            work[k, i] = expression[g, i] * root[i]
        for b in range(block_start.shape[0] - 1):
            _reflect(root, block_rows, block_start[b], block_start[b + 1], work, 0)
        last = 0.0
        for j in range(k):
            last = _reflect(work[j], rest, j, rest.shape[0], work, j + 1)
        result[g, 0] = work[k, rest[k - 1]] * np.sign(last)
        for i in range(k, rest.shape[0]):
            result[g, i - k + 1] = work[k, rest[i]]


def contrast_effects(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    block_rows: np.ndarray,
    block_start: np.ndarray,
    rest: np.ndarray,
    n_cpus: int,
) -> np.ndarray:
    """Effects of the last dense column and of the residual space, for each gene.

    expression, weights: genes x samples. dense: samples x k, the contrast's column last.
    block_rows: samples by donor, the first of each donor its pivot; block_start: (D + 1,).
    rest: all samples but those pivots, in the order in which the dense columns take pivots.
    Returns (G, 1 + residual df): those elements of Q'y of the Householder decomposition of the
    weighted design, in the sample order (donor pivots, rest), the first one signed as the contrast.
    """
    result = np.empty((len(expression), len(rest) - dense.shape[1] + 1))

    def work(genes: slice) -> None:
        own = np.ascontiguousarray(weights[genes])
        _contrast_effects(
            expression[genes], own, dense, block_rows, block_start, rest, result[genes]
        )

    over_genes(work, len(expression), n_cpus)
    return result
