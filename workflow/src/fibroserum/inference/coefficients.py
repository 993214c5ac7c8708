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
"""Negative binomial regression coefficients of one gene after another, dispersions given.

Iteratively reweighted least squares as in Love, Huber & Anders 2014 (equations 1 and 2, means
bounded below while fitting, a weak ridge), with a damped Newton search on the concave penalised
likelihood for genes on which that does not settle. The kernels take genes in rows and samples
sorted by block, and write coefficients in the order blocks, dense.
"""

from __future__ import annotations

import numba
import numpy as np

from fibroserum.inference.arrowhead import factor, leverages, predict, solve
from fibroserum.inference.special import OPTIONS, exp, log, log1p

NEWTON_STEPS = 200


@numba.njit(**OPTIONS)
def means_of(eta, offset, floor, mu):
    """Write max(exp(eta + offset), floor) into mu."""
    for i in range(eta.shape[0]):
        mu[i] = max(exp(eta[i] + offset[i]), floor)


@numba.njit(**OPTIONS)
def log_likelihood(y, mu, alpha):
    """Return the log-likelihood, without terms that depend on neither mu nor its scale."""
    r = 1.0 / alpha
    total = 0.0
    for i in range(y.shape[0]):
        total += y[i] * log(mu[i]) - (y[i] + r) * log1p(mu[i] * alpha)
    return total


@numba.njit(**OPTIONS)
def irls_step(
    y,
    offset,
    mu,
    alpha,
    floor,
    ridge,
    starts,
    dense,
    active,
    active_starts,
    eta,
    w,
    q,
    diagonal,
    means,
    schur,
    beta,
):
    """Take one step of weighted least squares from (eta, mu); update both and beta.

    Returns (solved, change): change is the squared length of the step in the metric of the
    weights, about twice the log-likelihood it gains.
    """
    for i in range(y.shape[0]):
        w[i] = mu[i] / (1.0 + mu[i] * alpha)
        predictor = log(mu[i]) - offset[i] if mu[i] <= floor else eta[i]
        q[i] = w[i] * (predictor + (y[i] - mu[i]) / mu[i])
    if not factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur):
        return False, np.inf
    beta[:] = 0.0
    solve(q, starts, dense, active, active_starts, diagonal, means, schur, beta)
    for i in range(y.shape[0]):
        q[i] = eta[i]
    predict(beta, starts, dense, active, active_starts, eta)
    change = 0.0
    for i in range(y.shape[0]):
        change += w[i] * (eta[i] - q[i]) ** 2
    means_of(eta, offset, floor, mu)
    return True, change


@numba.njit(**OPTIONS)
def newton(
    y,
    offset,
    alpha,
    ridge,
    start_beta,
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
    beta,
):
    """Maximise the penalised likelihood, means not bounded, by damped Newton steps.

    It is concave in beta, so the search cannot go astray. Returns whether it converged.
    """
    p = ridge.shape[0]
    beta[:] = start_beta
    predict(beta, starts, dense, active, active_starts, eta)
    means_of(eta, offset, 0.0, mu)
    value = log_likelihood(y, mu, alpha)
    for c in range(p):
        value -= 0.5 * ridge[c] * beta[c] * beta[c]
    step = np.empty(p)
    trial = np.empty(p)
    for _ in range(NEWTON_STEPS):
        for i in range(y.shape[0]):
            share = 1.0 / (1.0 + mu[i] * alpha)
            q[i] = (y[i] - mu[i]) * share
            w[i] = mu[i] * (1.0 + y[i] * alpha) * share * share
        if not factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur):
            return False
        for c in range(p):
            step[c] = -ridge[c] * beta[c]
            trial[c] = step[c]
        solve(q, starts, dense, active, active_starts, diagonal, means, schur, step)
        # the gain a full step promises: gradient' step
        predict(step, starts, dense, active, active_starts, eta)
        gain = 0.0
        largest = 0.0
        for i in range(y.shape[0]):
            gain += q[i] * eta[i]
            largest = max(largest, abs(eta[i]))
        for c in range(p):
            gain += trial[c] * step[c]
        if not gain > 1e-10:
            predict(beta, starts, dense, active, active_starts, eta)
            return gain == gain
        length = min(1.0, 5.0 / largest)
        accepted = False
        for _ in range(40):
            for c in range(p):
                trial[c] = beta[c] + length * step[c]
            predict(trial, starts, dense, active, active_starts, eta)
            means_of(eta, offset, 0.0, mu)
            proposed = log_likelihood(y, mu, alpha)
            for c in range(p):
                proposed -= 0.5 * ridge[c] * trial[c] * trial[c]
            if proposed >= value + 1e-4 * length * gain or (
                gain < 1e-6 and proposed >= value - 1e-9 * abs(value)
            ):
                accepted = True
                break
            length *= 0.5
        if not accepted:
            predict(beta, starts, dense, active, active_starts, eta)
            means_of(eta, offset, 0.0, mu)
            return gain < 1e-6
        beta[:] = trial
        value = proposed
    return False


@numba.njit(**OPTIONS)
def fit_coefficients(
    y_all,
    offset,
    alphas,
    floor,
    tolerance,
    max_beta,
    max_steps,
    ridge,
    warm,
    starts,
    dense,
    active,
    active_starts,
    betas,
    mu_all,
    hat_all,
    converged,
    want_hat,
):
    """Fit each gene. y_all: (genes, n). warm: start from `betas` instead of the log counts.

    Fills betas (genes, p), mu_all (genes, n, not bounded), hat_all (where `want_hat`), and
    converged: 1 by least squares, 2 by the Newton search, 0 by neither, -1 for genes that have
    no dispersion (their rows are NaN).
    """
    n, k = dense.shape
    p = ridge.shape[0]
    blocks = starts.shape[0] - 1
    eta, mu, w, q = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    diagonal, means, schur = np.empty(blocks), np.zeros((blocks, k)), np.zeros((k, k))
    diagonal0, means0, schur0 = np.empty(blocks), np.zeros((blocks, k)), np.zeros((k, k))
    beta, start_beta, row = np.empty(p), np.empty(p), np.empty(k)
    ones = np.ones(n)
    solvable = factor(
        ones, np.zeros(p), starts, dense, active, active_starts, diagonal0, means0, schur0
    )
    for g in range(y_all.shape[0]):
        y = y_all[g]
        alpha = alphas[g]
        if not alpha > 0.0:
            betas[g, :] = np.nan
            mu_all[g, :] = np.nan
            if want_hat:
                hat_all[g, :] = np.nan
            converged[g] = -1
            continue
        if warm:
            start_beta[:] = betas[g]
        else:
            start_beta[:] = 0.0
            if solvable:
                for i in range(n):
                    q[i] = log(y[i] * exp(-offset[i]) + 0.1)
                solve(
                    q, starts, dense, active, active_starts, diagonal0, means0, schur0, start_beta
                )
        beta[:] = start_beta
        predict(beta, starts, dense, active, active_starts, eta)
        means_of(eta, offset, floor, mu)
        state = 0
        for _ in range(max_steps):
            solved, change = irls_step(
                y,
                offset,
                mu,
                alpha,
                floor,
                ridge,
                starts,
                dense,
                active,
                active_starts,
                eta,
                w,
                q,
                diagonal,
                means,
                schur,
                beta,
            )
            if not solved or np.max(np.abs(beta)) > max_beta or np.isnan(change):
                break
            if change < tolerance:
                state = 1
                break
        if state == 0:
            for c in range(p):
                start_beta[c] = min(max(start_beta[c], -max_beta), max_beta)
            if newton(
                y,
                offset,
                alpha,
                ridge,
                start_beta,
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
                beta,
            ):
                state = 2
        converged[g] = state
        betas[g, :] = beta
        for i in range(n):
            mu_all[g, i] = exp(eta[i] + offset[i])
        if want_hat:
            for i in range(n):
                bounded = max(mu_all[g, i], floor)
                w[i] = bounded / (1.0 + bounded * alpha)
            factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur)
            leverages(
                w, starts, dense, active, active_starts, diagonal, means, schur, row, hat_all[g]
            )


@numba.njit(**OPTIONS)
def wald_errors(
    mu_all, alphas, floor, ridge, contrasts, starts, dense, active, active_starts, errors
):
    """Write the standard error of each contrast (rows of `contrasts`, blocks then dense).

    The variance is c' (M + l)^-1 M (M + l)^-1 c with M = X'WX and ridge l.
    """
    n, k = dense.shape
    p = ridge.shape[0]
    blocks = starts.shape[0] - 1
    w = np.empty(n)
    nothing = np.zeros(n)
    diagonal, means, schur = np.empty(blocks), np.zeros((blocks, k)), np.zeros((k, k))
    h = np.empty(p)
    for g in range(mu_all.shape[0]):
        alpha = alphas[g]
        fitted = alpha > 0.0
        if fitted:
            for i in range(n):
                mu = max(mu_all[g, i], floor)
                w[i] = mu / (1.0 + mu * alpha)
            fitted = factor(w, ridge, starts, dense, active, active_starts, diagonal, means, schur)
        for c in range(contrasts.shape[0]):
            if not fitted:
                errors[g, c] = np.nan
                continue
            h[:] = contrasts[c]
            solve(nothing, starts, dense, active, active_starts, diagonal, means, schur, h)
            variance = 0.0
            for j in range(p):
                variance += h[j] * (contrasts[c, j] - ridge[j] * h[j])
            errors[g, c] = np.sqrt(variance)
