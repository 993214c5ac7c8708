# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Maximum a posteriori coefficients under a Cauchy prior on one of them (apeGLM).

Zhu, Ibrahim & Love 2019: the coefficient of interest has a Cauchy prior, all others a wide normal
one. The posterior can have two modes, one near zero and one near the maximum of the likelihood;
both are climbed to and the higher one is taken, so that a sign differs from the likelihood's only
where the data hardly tell it.
"""

from __future__ import annotations

import numpy as np

from .arrowhead import BLOCKS, copy, factor, fill, predict, solve
from .compiling import FLAGS, INDEX, MATRIX, NUMBER, VECTOR, compiled, inlined, merged
from .regression_steps import (
    HALVINGS,
    LAST_GAIN,
    LONGEST,
    ROUNDING,
    Workspace,
    log_likelihood,
    means_of,
    new_workspace,
    promised,
    score_and_weights,
)
from .structure import Blocks

STEPS = 200
# a Cauchy scale so small that the coefficient stays at zero
PINNED = 1e-8
# a mode is higher than another if by more than this
SETTLED = 1e-9
# of rounding in a sum, relative to it
NOISE = 1e-15


@inlined
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


@inlined
def prior_curvature(value: float, scale: float) -> float:
    """Return the second derivative of log(1 + (value / scale)^2)."""
    return 2.0 * (scale * scale - value * value) / (scale * scale + value * value) ** 2


@merged
def climb_posterior(
    y: np.ndarray,
    offset: np.ndarray,
    alpha: float,
    column: int,
    scale: float,
    blocks: Blocks,
    k: Workspace,
) -> tuple[float, float, bool]:
    """Climb to a mode from k.beta, in place. k.ridge: normal priors.

    Returns the value before the last step, what this step promised to gain, and whether it
    converged. Uses k.centre as scratch.
    """
    eta, mu, w, q, beta, step, trial, _, ridge, centre, e = k
    p = beta.shape[0]
    fill(step, 0.0)
    value, gain, length, halvings = -np.inf, 0.0, 0.0, 0
    for _ in range(STEPS):
        for c in range(p):
            trial[c] = beta[c] + length * step[c]
        predict(trial, blocks, eta)
        means_of(eta, offset, 0.0, mu)
        proposed = log_posterior(y, alpha, trial, column, scale, k)
        if proposed < value + 1e-4 * length * gain - ROUNDING * abs(value):
            halvings += 1
            if halvings > HALVINGS:
                return value, gain, False
            length *= 0.5
            continue
        copy(trial, beta)
        value, halvings = proposed, 0
        score_and_weights(y, alpha, k)
        size = beta[column]
        copy(ridge, centre)
        centre[column] = prior_curvature(size, scale)
        solvable = False
        for attempt in range(2):
            if attempt == 1:
                # a parabola that bounds the prior's logarithm from above is always convex
                centre[column] = 2.0 / (scale * scale + size * size)
            solvable = factor(w, centre, blocks, e)
            if solvable:
                break
        if not solvable:
            return value, gain, False
        # trial now holds the prior's part of the gradient
        for c in range(p):
            trial[c] = -ridge[c] * beta[c]
        trial[column] = -2.0 * size / (scale * scale + size * size)
        copy(trial, step)
        solve(q, blocks, e, step)
        gain, largest = promised(step, trial, blocks, k)
        if not gain > LAST_GAIN:
            for c in range(p):
                beta[c] += step[c]
            return value, gain, not np.isnan(gain)
        length = min(1.0, LONGEST / largest)
    return value, gain, False


@merged
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
    value, gain, state = -np.inf, np.inf, False
    beta, first = k.beta, k.first
    copy(mode, first)
    for attempt in range(3):
        doubt = gain + NOISE * abs(value)
        if attempt == 1 and state and doubt < SETTLED and abs(mode[column]) <= scale:
            # no other mode is higher: within its scale the prior pulls more farther out, and the
            # concave likelihood pulls less; one beyond the scale, where the prior pulls less again,
            # would have been met on the way from the likelihood's maximum
            break
        # from the likelihood's maximum; then from the best fit without the coefficient, which
        # a prior too narrow to leave zero finds
        if attempt < 2:
            copy(first, beta)
        if attempt == 1:
            beta[column] = 0.0
        width = PINNED if attempt == 1 else scale
        found, gain, settled = climb_posterior(y, offset, alpha, column, width, blocks, k)
        if attempt != 1 and (found > value + SETTLED or (settled and not state)):
            copy(beta, mode)
            value, state = found, settled
    return state


@compiled(MATRIX, VECTOR, VECTOR, VECTOR, INDEX, NUMBER, BLOCKS, MATRIX, FLAGS)
def shrink(
    y_all: np.ndarray,
    offset: np.ndarray,
    alphas: np.ndarray,
    ridge: np.ndarray,
    column: int,
    scale: float,
    blocks: Blocks,
    betas: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Replace each gene's betas, maxima of the likelihood or near them, by the posterior mode.

    ridge: (p,) 1 / variance of the normal priors. betas: (genes, p).
    """
    k = new_workspace(blocks)
    for g in range(y_all.shape[0]):
        if not alphas[g] > 0.0:
            fill(betas[g], np.nan)
            converged[g] = False
            continue
        copy(ridge, k.ridge)
        converged[g] = highest_mode(y_all[g], offset, alphas[g], column, scale, blocks, k, betas[g])


@compiled(MATRIX, VECTOR, VECTOR, VECTOR, INDEX, NUMBER, BLOCKS, MATRIX, MATRIX)
def inverse_columns(
    y_all: np.ndarray,
    offset: np.ndarray,
    alphas: np.ndarray,
    ridge: np.ndarray,
    column: int,
    scale: float,
    blocks: Blocks,
    betas: np.ndarray,
    columns: np.ndarray,
) -> None:
    """Write `column` of the inverse Hessian at each gene's betas into columns (genes, p)."""
    k = new_workspace(blocks)
    nothing = np.zeros(y_all.shape[1])
    for g in range(y_all.shape[0]):
        solvable = alphas[g] > 0.0
        if solvable:
            predict(betas[g], blocks, k.eta)
            means_of(k.eta, offset, 0.0, k.mu)
            score_and_weights(y_all[g], alphas[g], k)
            copy(ridge, k.centre)
            k.centre[column] = prior_curvature(betas[g, column], scale)
            solvable = factor(k.w, k.centre, blocks, k.e)
        if solvable:
            fill(columns[g], 0.0)
            columns[g, column] = 1.0
            solve(nothing, blocks, k.e, columns[g])
        else:
            fill(columns[g], np.nan)
