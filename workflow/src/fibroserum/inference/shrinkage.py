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
"""Maximum a posteriori coefficients under a Cauchy prior on one of them (apeGLM).

Zhu, Ibrahim & Love 2019: the coefficient of interest has a Cauchy prior, all others a wide normal
one. The posterior can have two modes, one near zero and one near the maximum of the likelihood;
both are climbed to and the higher one is taken, so that a sign differs from the likelihood's only
where the data hardly tell it.
"""

from __future__ import annotations

import numpy as np

from fibroserum.inference.arrowhead import factor, predict, solve
from fibroserum.inference.coefficients import (
    LAST_GAIN,
    ROUNDING,
    Workspace,
    log_likelihood,
    means_of,
    new_workspace,
    score_and_weights,
)
from fibroserum.inference.compiling import compiled
from fibroserum.inference.special import exp, log
from fibroserum.inference.structure import Blocks

STEPS = 200
# a Cauchy scale so small that the coefficient stays at zero
PINNED = 1e-8


@compiled
def log_posterior(
    y: np.ndarray, alpha: float, beta: np.ndarray, column: int, scale: float, k: Workspace
) -> float:
    """Return the log posterior at beta, whose means are in k.mu."""
    mu, ridge = k.mu, k.ridge
    value = log_likelihood(y, mu, alpha) - np.log1p((beta[column] / scale) ** 2)
    for c in range(beta.shape[0]):
        if c != column:
            value -= 0.5 * ridge[c] * beta[c] * beta[c]
    return value


@compiled
def prior_curvature(value: float, scale: float) -> float:
    """Return the second derivative of log(1 + (value / scale)^2)."""
    return 2.0 * (scale * scale - value * value) / (scale * scale + value * value) ** 2


@compiled
def climb_posterior(
    y: np.ndarray,
    offset: np.ndarray,
    alpha: float,
    column: int,
    scale: float,
    blocks: Blocks,
    k: Workspace,
) -> tuple[float, bool]:
    """Climb to a mode from k.beta, in place. k.ridge: normal priors. Returns (value, converged).

    Uses k.centre as scratch.
    """
    eta, mu, w, q, beta, step, trial, ridge, centre, e = k
    p = beta.shape[0]
    predict(beta, blocks, eta)
    means_of(eta, offset, 0.0, mu)
    value = log_posterior(y, alpha, beta, column, scale, k)
    for _ in range(STEPS):
        score_and_weights(y, alpha, k)
        size = beta[column]
        centre[:] = ridge
        centre[column] = prior_curvature(size, scale)
        if not factor(w, centre, blocks, e):
            # a parabola that bounds the prior's logarithm from above is always convex
            centre[column] = 2.0 / (scale * scale + size * size)
            if not factor(w, centre, blocks, e):
                return value, False
        for c in range(p):
            trial[c] = -ridge[c] * beta[c]
        trial[column] = -2.0 * size / (scale * scale + size * size)
        step[:] = trial
        solve(q, blocks, e, step)
        predict(step, blocks, eta)
        gain, largest = 0.0, 0.0
        for i in range(y.shape[0]):
            gain += q[i] * eta[i]
            largest = max(largest, abs(eta[i]))
        for c in range(p):
            gain += trial[c] * step[c]
        if not gain > LAST_GAIN:
            # from here a full step is exact to rounding, and its gain drowns in rounding
            for c in range(p):
                beta[c] += step[c]
            return value, not np.isnan(gain)
        length = min(1.0, 5.0 / largest)
        accepted = False
        for _ in range(40):
            for c in range(p):
                trial[c] = beta[c] + length * step[c]
            predict(trial, blocks, eta)
            means_of(eta, offset, 0.0, mu)
            proposed = log_posterior(y, alpha, trial, column, scale, k)
            if proposed >= value + 1e-4 * length * gain - ROUNDING * abs(value):
                accepted = True
                break
            length *= 0.5
        if not accepted:
            return value, False
        beta[:] = trial
        value = proposed
    return value, False


@compiled
def highest_mode(
    y: np.ndarray,
    offset: np.ndarray,
    alpha: float,
    column: int,
    scale: float,
    blocks: Blocks,
    k: Workspace,
    mode: np.ndarray,
) -> bool:
    """Replace `mode`, a start near the likelihood's maximum, by the highest posterior mode."""
    k.beta[:] = mode
    value, state = climb_posterior(y, offset, alpha, column, scale, blocks, k)
    k.step[:] = mode
    mode[:] = k.beta
    k.beta[:] = k.step
    k.beta[column] = 0.0
    climb_posterior(y, offset, alpha, column, PINNED, blocks, k)
    other, other_state = climb_posterior(y, offset, alpha, column, scale, blocks, k)
    if other > value + 1e-9 or (other_state and not state):
        mode[:] = k.beta
        state = other_state
    return state


@compiled
def shrink(
    y_all: np.ndarray,
    offset: np.ndarray,
    alphas: np.ndarray,
    ridge: np.ndarray,
    column: int,
    scale: float,
    from_betas: bool,
    blocks: Blocks,
    betas: np.ndarray,
    inverse_columns: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Write each gene's highest posterior mode and its inverse Hessian's `column`.

    ridge: (p,) 1 / variance of the normal priors. betas: (genes, p), where `from_betas` holding
    maxima of the likelihood to start from; otherwise a linear fit is the start.
    """
    dense = blocks.dense
    n = dense.shape[0]
    k = new_workspace(blocks)
    q = k.q
    nothing, ones = np.zeros(n), np.ones(n)
    for g in range(y_all.shape[0]):
        alpha, y = alphas[g], y_all[g]
        if not alpha > 0.0:
            betas[g, :] = np.nan
            inverse_columns[g, :] = np.nan
            converged[g] = False
            continue
        k.ridge[:] = ridge
        if not from_betas:
            for i in range(n):
                q[i] = log(y[i] * exp(-offset[i]) + 0.1)
            factor(ones, ridge, blocks, k.e)
            betas[g, :] = 0.0
            solve(q, blocks, k.e, betas[g])
        converged[g] = highest_mode(y, offset, alpha, column, scale, blocks, k, betas[g])
        predict(betas[g], blocks, k.eta)
        means_of(k.eta, offset, 0.0, k.mu)
        score_and_weights(y, alpha, k)
        k.centre[:] = ridge
        k.centre[column] = prior_curvature(betas[g, column], scale)
        inverse_columns[g, :] = 0.0
        inverse_columns[g, column] = 1.0
        if factor(k.w, k.centre, blocks, k.e):
            solve(nothing, blocks, k.e, inverse_columns[g])
        else:
            inverse_columns[g, :] = np.nan
