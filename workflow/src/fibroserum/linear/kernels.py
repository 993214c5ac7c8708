"""Compiled loops over genes: weighted least squares and effects with donor blocks eliminated.

Every gene is computed by itself and reduced in one order, so that the same bits come out of any
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np

from fibroserum.inference.compiling import keeping


def _compiled(*, parallel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a kernel, and keeps its machine code."""
    return lambda function: keeping(numba.njit(function, parallel=parallel))


@contextmanager
def threads(n_cpus: int) -> Iterator[None]:
    """Run compiled loops on at most `n_cpus` threads, and restore the setting afterwards."""
    before = numba.get_num_threads()
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(max(1, min(n_cpus, most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)


@_compiled()
def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a small positive definite matrix through its Cholesky factor."""
    k = matrix.shape[0]
    low = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            total = matrix[i, j]
            for m in range(j):
                total -= low[i, m] * low[j, m]
            low[i, j] = np.sqrt(total) if i == j else total / low[j, j]
    inverse_low = np.zeros((k, k))
    for i in range(k):
        inverse_low[i, i] = 1.0 / low[i, i]
        for j in range(i):
            total = 0.0
            for m in range(j, i):
                total -= low[i, m] * inverse_low[m, j]
            inverse_low[i, j] = total / low[i, i]
    result = np.zeros((k, k))
    for i in range(k):
        for j in range(k):
            for m in range(max(i, j), k):
                result[i, j] += inverse_low[m, i] * inverse_low[m, j]
    return result


@_compiled()
def _centre(
    values: np.ndarray, weights: np.ndarray, of_sample: np.ndarray, means: np.ndarray
) -> None:
    """Subtract each block's weighted mean from values (n,), in place; means (D,) receives it."""
    sums = np.zeros(means.shape[0])
    means[:] = 0.0
    for i in range(values.shape[0]):
        if of_sample[i] >= 0:
            means[of_sample[i]] += weights[i] * values[i]
            sums[of_sample[i]] += weights[i]
    means /= sums
    for i in range(values.shape[0]):
        if of_sample[i] >= 0:
            values[i] -= means[of_sample[i]]


@_compiled(parallel=True)
def weighted_fit(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    of_sample: np.ndarray,
    donors: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares of each gene with donor blocks eliminated.

    expression, weights: genes x samples. dense: samples x k. of_sample: (n,) block or -1.
    Returns dense coefficients (G, k), donor coefficients (G, D), the unscaled covariance of the
    dense coefficients (G, k, k) and the weighted residual sum of squares (G,).
    """
    genes, n = expression.shape
    k = dense.shape[1]
    beta = np.empty((genes, k))
    donor_beta = np.empty((genes, donors))
    covariance = np.empty((genes, k, k))
    rss = np.empty(genes)
    for g in numba.prange(genes):
        w = weights[g]
        y = expression[g].copy()
        x = dense.T.copy()
        y_means = np.zeros(donors)
        x_means = np.zeros((k, donors))
        _centre(y, w, of_sample, y_means)
        for j in range(k):
            _centre(x[j], w, of_sample, x_means[j])
        normal = np.zeros((k, k))
        right = np.zeros(k)
        for j in range(k):
            for i in range(n):
                right[j] += w[i] * x[j, i] * y[i]
            for m in range(j + 1):
                total = 0.0
                for i in range(n):
                    total += w[i] * x[j, i] * x[m, i]
                normal[j, m] = total
                normal[m, j] = total
        inverse = _inverse(normal)
        for j in range(k):
            total = 0.0
            for m in range(k):
                total += inverse[j, m] * right[m]
            beta[g, j] = total
        for b in range(donors):
            total = y_means[b]
            for j in range(k):
                total -= x_means[j, b] * beta[g, j]
            donor_beta[g, b] = total
        total = 0.0
        for i in range(n):
            residual = y[i]
            for j in range(k):
                residual -= x[j, i] * beta[g, j]
            total += w[i] * residual * residual
        rss[g] = total
        covariance[g] = inverse
    return beta, donor_beta, covariance, rss


@_compiled(parallel=True)
def grouped_squares(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    beta: np.ndarray,
    cell_of: np.ndarray,
    cells: int,
    group_of: np.ndarray,
    groups: int,
) -> np.ndarray:
    """Weighted residual sums of squares of each gene by group of samples (G, groups).

    expression, weights: genes x samples. dense: samples x k; beta: (G, k). Residuals are taken
    about the weighted means of the cells; cell_of: (n,) cell or -1, which has no mean.
    """
    genes, n = expression.shape
    result = np.zeros((genes, groups))
    for g in numba.prange(genes):
        residual = expression[g].copy()
        for i in range(n):
            for j in range(dense.shape[1]):
                residual[i] -= dense[i, j] * beta[g, j]
        _centre(residual, weights[g], cell_of, np.zeros(cells))
        for i in range(n):
            result[g, group_of[i]] += weights[g, i] * residual[i] * residual[i]
    return result


@_compiled(parallel=True)
def grouped_variance(
    weights: np.ndarray,
    dense: np.ndarray,
    of_sample: np.ndarray,
    donors: int,
    direction: np.ndarray,
    group_of: np.ndarray,
    groups: int,
) -> np.ndarray:
    """What a unit residual variance of each group adds to the variance of a contrast (G, groups).

    weights: genes x samples. dense: samples x k. direction: (G, k), the unscaled covariance of the
    dense coefficients times the contrast.
    """
    genes, n = weights.shape
    result = np.zeros((genes, groups))
    for g in numba.prange(genes):
        line = np.zeros(n)
        for i in range(n):
            for j in range(dense.shape[1]):
                line[i] += dense[i, j] * direction[g, j]
        _centre(line, weights[g], of_sample, np.zeros(donors))
        for i in range(n):
            result[g, group_of[i]] += weights[g, i] * line[i] * line[i]
    return result


@_compiled()
def _reflect(column: np.ndarray, rows: np.ndarray, others: np.ndarray) -> float:
    """Householder reflection that leaves `column` on rows[0] alone, applied to others (m, n).

    Returns the new value of column at rows[0]; the sign convention is that of LAPACK and R.
    """
    pivot = rows[0]
    alpha = column[pivot]
    below = 0.0
    for r in rows[1:]:
        below += column[r] * column[r]
    if below == 0.0:
        return alpha
    beta = -np.copysign(np.sqrt(alpha * alpha + below), alpha)
    tau = (beta - alpha) / beta
    scale = 1.0 / (alpha - beta)
    for m in range(others.shape[0]):
        total = others[m, pivot]
        for r in rows[1:]:
            total += column[r] * scale * others[m, r]
        total *= tau
        others[m, pivot] -= total
        for r in rows[1:]:
            others[m, r] -= total * column[r] * scale
    return beta


@_compiled(parallel=True)
def contrast_effects(
    expression: np.ndarray,
    weights: np.ndarray,
    dense: np.ndarray,
    block_rows: np.ndarray,
    block_start: np.ndarray,
    rest: np.ndarray,
) -> np.ndarray:
    """Effects of the last dense column and of the residual space, for each gene.

    expression, weights: genes x samples. dense: samples x k, the contrast's column last.
    block_rows: samples by donor, the first of each donor its pivot; block_start: (D + 1,).
    rest: all samples but those pivots, in the order in which the dense columns take pivots.
    Returns (G, 1 + residual df): those elements of Q'y of the Householder decomposition of the
    weighted design, in the sample order (donor pivots, rest), the first one signed as the contrast.
    """
    genes, n = expression.shape
    k = dense.shape[1]
    result = np.empty((genes, rest.shape[0] - k + 1))
    for g in numba.prange(genes):
        root = np.sqrt(weights[g])
        work = np.empty((k + 1, n))
        work[k] = expression[g] * root
        for j in range(k):
            work[j] = dense[:, j] * root
        for b in range(block_start.shape[0] - 1):
            _reflect(root, block_rows[block_start[b] : block_start[b + 1]], work)
        last = 0.0
        for j in range(k):
            last = _reflect(work[j].copy(), rest[j:], work[j + 1 :])
        result[g, 0] = work[k, rest[k - 1]] * np.sign(last)
        for i in range(k, rest.shape[0]):
            result[g, i - k + 1] = work[k, rest[i]]
    return result
