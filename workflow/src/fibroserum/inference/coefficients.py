# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Negative binomial regression coefficients of one gene after another, dispersions given.

Least squares first, and a Newton search for genes on which that does not settle: the steps are in
`regression_steps`. The kernels take genes in rows and samples sorted by block, and write
coefficients in the order blocks, dense.
"""

from __future__ import annotations

import numpy as np

from .arrowhead import BLOCKS, copy, factor, fill, leverages, new_elimination, predict, solve
from .compiling import INDEX, INDICES, MATRIX, NUMBER, VECTOR, compiled
from .regression_steps import least_squares, means_of, new_workspace, newton_in_box
from .structure import Blocks


@compiled(
    MATRIX, VECTOR, VECTOR, NUMBER, NUMBER, NUMBER, INDEX, VECTOR, BLOCKS, MATRIX, MATRIX, INDICES
)
def fit_coefficients(
    y_all: np.ndarray,
    offset: np.ndarray,
    alphas: np.ndarray,
    floor: float,
    tolerance: float,
    largest: float,
    max_steps: int,
    ridge: np.ndarray,
    blocks: Blocks,
    betas: np.ndarray,
    mu_all: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Fit each gene by least squares. y_all: (genes, n).

    mu_all: (genes, n), on entry the predictors to start from, without offset (`linear_start`).
    Fills betas (genes, p), mu_all (not bounded), and converged: 1, or 0 where a coefficient
    passes `largest` or `max_steps` do not suffice (they hold what was reached), or -1 for genes
    that have no dispersion (their rows are NaN).
    """
    k = new_workspace(blocks)
    copy(ridge, k.ridge)
    for g in range(y_all.shape[0]):
        if not alphas[g] > 0.0:
            fill(betas[g], np.nan)
            fill(mu_all[g], np.nan)
            converged[g] = -1
            continue
        copy(mu_all[g], k.eta)
        means_of(k.eta, offset, floor, k.mu)
        settled = least_squares(
            y_all[g], offset, alphas[g], floor, tolerance, largest, max_steps, blocks, k
        )
        converged[g] = 1 if settled else 0
        copy(k.beta, betas[g])
        means_of(k.eta, offset, 0.0, mu_all[g])


@compiled(MATRIX, VECTOR, VECTOR, NUMBER, VECTOR, BLOCKS, MATRIX, MATRIX, INDICES)
def search_coefficients(
    y_all: np.ndarray,
    offset: np.ndarray,
    alphas: np.ndarray,
    bound: float,
    ridge: np.ndarray,
    blocks: Blocks,
    betas: np.ndarray,
    mu_all: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Fit each gene by a Newton search within [-bound, bound] from betas (genes, p), in place.

    Fills mu_all (genes, n, not bounded) and converged: 2, or 0 where the search did not settle.
    """
    k = new_workspace(blocks)
    for g in range(y_all.shape[0]):
        copy(ridge, k.ridge)
        fill(k.centre, 0.0)
        copy(betas[g], k.beta)
        converged[g] = 2 if newton_in_box(y_all[g], offset, alphas[g], bound, blocks, k) else 0
        copy(k.beta, betas[g])
        means_of(k.eta, offset, 0.0, mu_all[g])


@compiled(MATRIX, VECTOR, NUMBER, VECTOR, BLOCKS, MATRIX)
def leverages_of(
    mu_all: np.ndarray,
    alphas: np.ndarray,
    floor: float,
    ridge: np.ndarray,
    blocks: Blocks,
    hat_all: np.ndarray,
) -> None:
    """Write the leverages (genes, n) of a regression's last step into hat_all."""
    e = new_elimination(blocks)
    w = np.empty(mu_all.shape[1])
    for g in range(mu_all.shape[0]):
        alpha = alphas[g]
        fitted = alpha > 0.0
        if fitted:
            for i in range(w.shape[0]):
                mu = max(mu_all[g, i], floor)
                w[i] = mu / (1.0 + mu * alpha)
            fitted = factor(w, ridge, blocks, e)
        if fitted:
            leverages(w, blocks, e, hat_all[g])
        else:
            fill(hat_all[g], np.nan)


@compiled(MATRIX, VECTOR, NUMBER, VECTOR, MATRIX, BLOCKS, MATRIX)
def wald_errors(
    mu_all: np.ndarray,
    alphas: np.ndarray,
    floor: float,
    ridge: np.ndarray,
    contrasts: np.ndarray,
    blocks: Blocks,
    errors: np.ndarray,
) -> None:
    """Write the standard error of each contrast (rows of `contrasts`, blocks then dense).

    The variance is c' (M + l)^-1 M (M + l)^-1 c with M = X'WX and ridge l.
    """
    n, p = blocks.dense.shape[1], ridge.shape[0]
    e = new_elimination(blocks)
    w, nothing, h = np.empty(n), np.zeros(n), np.empty(p)
    for g in range(mu_all.shape[0]):
        alpha = alphas[g]
        fitted = alpha > 0.0
        if fitted:
            for i in range(n):
                mu = max(mu_all[g, i], floor)
                w[i] = mu / (1.0 + mu * alpha)
            fitted = factor(w, ridge, blocks, e)
        for c in range(contrasts.shape[0]):
            if not fitted:
                errors[g, c] = np.nan
                continue
            copy(contrasts[c], h)
            solve(nothing, blocks, e, h)
            variance = 0.0
            for j in range(p):
                variance += h[j] * (contrasts[c, j] - ridge[j] * h[j])
            errors[g, c] = np.sqrt(variance)


@compiled(MATRIX, VECTOR, BLOCKS, MATRIX)
def means_from(betas: np.ndarray, offset: np.ndarray, blocks: Blocks, mu_all: np.ndarray) -> None:
    """Write the means (genes, n, not bounded) that coefficients (genes, p) give into mu_all."""
    for g in range(betas.shape[0]):
        predict(betas[g], blocks, mu_all[g])
        means_of(mu_all[g], offset, 0.0, mu_all[g])
