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

import numba
import numpy as np

from fibroserum.inference.arrowhead import factor, predict, solve
from fibroserum.inference.coefficients import log_likelihood, means_of
from fibroserum.inference.special import OPTIONS

STEPS = 200


@numba.njit(**OPTIONS)
def penalty(beta, ridge, column, scale):
    """Return the negative log prior; ridge[column] is ignored."""
    total = np.log1p((beta[column] / scale) ** 2)
    for c in range(beta.shape[0]):
        if c != column:
            total += 0.5 * ridge[c] * beta[c] * beta[c]
    return total


@numba.njit(**OPTIONS)
def climb_posterior(
    y,
    offset,
    alpha,
    ridge,
    column,
    scale,
    starts,
    dense,
    active,
    active_starts,
    eta,
    mu,
    w,
    q,
    diagonal,
    means,
    schur,
    working,
    step,
    trial,
    beta,
):
    """Climb to a mode from beta, in place. Returns (log posterior, whether it converged)."""
    p = beta.shape[0]
    predict(beta, starts, dense, active, active_starts, eta)
    means_of(eta, offset, 0.0, mu)
    value = log_likelihood(y, mu, alpha) - penalty(beta, ridge, column, scale)
    for _ in range(STEPS):
        for i in range(y.shape[0]):
            share = 1.0 / (1.0 + mu[i] * alpha)
            q[i] = (y[i] - mu[i]) * share
            w[i] = mu[i] * (1.0 + y[i] * alpha) * share * share
        b2, s2 = beta[column] ** 2, scale * scale
        working[:] = ridge
        working[column] = 2.0 * (s2 - b2) / (s2 + b2) ** 2
        solvable = factor(w, working, starts, dense, active, active_starts, diagonal, means, schur)
        if not solvable:
            # a quadratic that bounds the prior's logarithm from above is always convex
            working[column] = 2.0 / (s2 + b2)
            if not factor(w, working, starts, dense, active, active_starts, diagonal, means, schur):
                return value, False
        for c in range(p):
            step[c] = -ridge[c] * beta[c]
        step[column] = -2.0 * beta[column] / (s2 + b2)
        trial[:] = step
        solve(q, starts, dense, active, active_starts, diagonal, means, schur, step)
        predict(step, starts, dense, active, active_starts, eta)
        gain, largest = 0.0, 0.0
        for i in range(y.shape[0]):
            gain += q[i] * eta[i]
            largest = max(largest, abs(eta[i]))
        for c in range(p):
            gain += trial[c] * step[c]
        if not gain > 1e-12:
            return value, gain == gain
        length = min(1.0, 5.0 / largest)
        accepted = False
        for _ in range(40):
            for c in range(p):
                trial[c] = beta[c] + length * step[c]
            predict(trial, starts, dense, active, active_starts, eta)
            means_of(eta, offset, 0.0, mu)
            proposed = log_likelihood(y, mu, alpha) - penalty(trial, ridge, column, scale)
            if proposed >= value + 1e-4 * length * gain:
                accepted = True
                break
            length *= 0.5
        if not accepted:
            return value, gain < 1e-6
        beta[:] = trial
        value = proposed
    return value, False


@numba.njit(**OPTIONS)
def shrink(
    y_all,
    offset,
    alphas,
    ridge,
    column,
    scale,
    first_betas,
    use_first,
    starts,
    dense,
    active,
    active_starts,
    betas,
    inverse_columns,
    converged,
):
    """Write each gene's highest posterior mode and its inverse Hessian's `column`.

    ridge: (p,) 1 / variance of the normal priors. first_betas: (genes, p) maxima of the
    likelihood, used where `use_first`; otherwise the first climb starts from a linear fit.
    """
    n, k = dense.shape
    p = ridge.shape[0]
    blocks = starts.shape[0] - 1
    eta, mu, w, q = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    diagonal, means, schur = np.empty(blocks), np.zeros((blocks, k)), np.zeros((k, k))
    working, step, trial = np.empty(p), np.empty(p), np.empty(p)
    near, far = np.empty(p), np.empty(p)
    nothing = np.zeros(n)
    for g in range(y_all.shape[0]):
        alpha = alphas[g]
        y = y_all[g]
        if not alpha > 0.0:
            betas[g, :] = np.nan
            inverse_columns[g, :] = np.nan
            converged[g] = False
            continue
        if use_first:
            far[:] = first_betas[g]
        else:
            for i in range(n):
                w[i] = 1.0
                q[i] = np.log(y[i] * np.exp(-offset[i]) + 0.1)
            factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur)
            far[:] = 0.0
            solve(q, starts, dense, active, active_starts, diagonal, means, schur, far)
        near[:] = far
        value, state = climb_posterior(
            y,
            offset,
            alpha,
            ridge,
            column,
            scale,
            starts,
            dense,
            active,
            active_starts,
            eta,
            mu,
            w,
            q,
            diagonal,
            means,
            schur,
            working,
            step,
            trial,
            far,
        )
        # from the best fit without the coefficient: a prior too narrow to leave zero
        near[column] = 0.0
        climb_posterior(
            y,
            offset,
            alpha,
            ridge,
            column,
            1e-8,
            starts,
            dense,
            active,
            active_starts,
            eta,
            mu,
            w,
            q,
            diagonal,
            means,
            schur,
            working,
            step,
            trial,
            near,
        )
        other, other_state = climb_posterior(
            y,
            offset,
            alpha,
            ridge,
            column,
            scale,
            starts,
            dense,
            active,
            active_starts,
            eta,
            mu,
            w,
            q,
            diagonal,
            means,
            schur,
            working,
            step,
            trial,
            near,
        )
        if other > value + 1e-9 or (other_state and not state):
            far[:] = near
            state = other_state
        betas[g, :] = far
        converged[g] = state
        predict(far, starts, dense, active, active_starts, eta)
        means_of(eta, offset, 0.0, mu)
        for i in range(n):
            share = 1.0 / (1.0 + mu[i] * alpha)
            w[i] = mu[i] * (1.0 + y[i] * alpha) * share * share
        b2, s2 = far[column] ** 2, scale * scale
        working[:] = ridge
        working[column] = 2.0 * (s2 - b2) / (s2 + b2) ** 2
        step[:] = 0.0
        step[column] = 1.0
        if factor(w, working, starts, dense, active, active_starts, diagonal, means, schur):
            solve(nothing, starts, dense, active, active_starts, diagonal, means, schur, step)
            inverse_columns[g, :] = step
        else:
            inverse_columns[g, :] = np.nan
