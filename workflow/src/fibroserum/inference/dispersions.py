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
"""Negative binomial dispersions of one gene after another, means given.

The objective, in t = log(alpha), is the log-likelihood less half the Cox-Reid log-determinant,
less the prior's (t - centre)^2 / (2 variance) (Love, Huber & Anders 2014, equations 6 to 11).
Differences of gamma functions are written as log1p(y alpha) plus differences of Stirling series
(after a shift where 1/alpha is small), which keeps full accuracy down to alpha = 1e-10, where
the textbook formula loses ten digits, and gives value, slope and curvature from two logarithms.

`maximise` finds the highest maximum by Newton's method within a bracket. `ascend` climbs from its
start by steepest ascent with backtracking under the Armijo condition and stops as DESeq2's manual
says it does; on flat likelihoods it stays near its start, and DESeq2's results depend on that.
"""

from __future__ import annotations

import numba
import numpy as np

from fibroserum.inference.arrowhead import log_determinant
from fibroserum.inference.special import (
    OPTIONS,
    exp,
    log,
    log1p,
    stirling,
    stirling_1,
    stirling_2,
)

SHIFT = 8
ARMIJO = 1e-4
NEWTON_STEPS = 60
PROBES = 5


@numba.njit(**OPTIONS)
def likelihood_large_size(y, mu, alpha, order):
    """Return the log-likelihood and two derivatives in t where 1/alpha >= 8."""
    r = 1.0 / alpha
    c0, c1, c2 = stirling(r), stirling_1(r), stirling_2(r)
    f, g, h = 0.0, 0.0, 0.0
    if order == 0:
        for i in range(y.shape[0]):
            ly, lm = log1p(y[i] * alpha), log1p(mu[i] * alpha)
            size = y[i] + r
            f += (size - 0.5) * ly - y[i] + (stirling(size) - c0) - size * lm
    elif order == 1:
        for i in range(y.shape[0]):
            ly, lm = log1p(y[i] * alpha), log1p(mu[i] * alpha)
            size = y[i] + r
            f += (size - 0.5) * ly - y[i] + (stirling(size) - c0) - size * lm
            difference = lm - ly - (stirling_1(size) - c1)
            g += r * difference + (y[i] - mu[i]) / (1.0 + mu[i] * alpha)
    else:
        for i in range(y.shape[0]):
            ly, lm = log1p(y[i] * alpha), log1p(mu[i] * alpha)
            size = y[i] + r
            f += (size - 0.5) * ly - y[i] + (stirling(size) - c0) - size * lm
            share = 1.0 / (1.0 + mu[i] * alpha)
            residual = (y[i] - mu[i]) * share
            first = r * (lm - ly - (stirling_1(size) - c1))
            g += first + residual
            second = r * r * (stirling_2(size) - c2) - y[i] * r / size
            h += mu[i] * share * (1.0 - alpha * residual) + second - first
    return f, g, h


@numba.njit(**OPTIONS)
def likelihood_small_size(y, mu, alpha, order):
    """Return the log-likelihood and two derivatives in t where 1/alpha < 8."""
    r = 1.0 / alpha
    shifted = r + SHIFT
    log_scale = log1p(SHIFT * alpha)
    c0, c1, c2 = stirling(shifted), stirling_1(shifted), stirling_2(shifted)
    f, g, h = 0.0, 0.0, 0.0
    for i in range(y.shape[0]):
        ly, lm = log1p(y[i] / shifted), log1p(mu[i] * alpha)
        size = y[i] + shifted
        product, first_sum, second_sum = 1.0, 0.0, 0.0
        for j in range(SHIFT):
            low, high = 1.0 / (r + j), 1.0 / (y[i] + r + j)
            product *= high * (r + j)
            first_sum += y[i] * low * high
            second_sum += high * high - low * low
        f += (
            (size - 0.5) * ly
            - y[i]
            + (stirling(size) - c0)
            + y[i] * log_scale
            + log(product)
            - (y[i] + r) * lm
        )
        if order > 0:
            share = 1.0 / (1.0 + mu[i] * alpha)
            residual = (y[i] - mu[i]) * share
            digamma = ly + (stirling_1(size) - c1) + first_sum
            first = r * (lm - digamma)
            g += first + residual
            trigamma = (stirling_2(size) - c2) - y[i] / (size * shifted) + second_sum
            h += mu[i] * share * (1.0 - alpha * residual) + r * r * trigamma - first
    return f, g, h


@numba.njit(**OPTIONS)
def objective(
    y,
    mu,
    t,
    order,
    cox_reid,
    centre,
    precision,
    starts,
    dense,
    active,
    active_starts,
    w,
    d1,
    d2,
    means,
    schur,
    s1,
    s2,
    slope,
):
    """Return the objective and its first two derivatives at t (those that `order` asks for)."""
    alpha = exp(t)
    if alpha > 1.0 / SHIFT:
        f, g, h = likelihood_small_size(y, mu, alpha, order)
    else:
        f, g, h = likelihood_large_size(y, mu, alpha, order)
    if cox_reid:
        for i in range(y.shape[0]):
            w[i] = mu[i] / (1.0 + mu[i] * alpha)
        if order > 0:
            for i in range(y.shape[0]):
                d1[i] = -alpha * w[i] * w[i]
        if order > 1:
            for i in range(y.shape[0]):
                d2[i] = d1[i] * (1.0 - 2.0 * alpha * w[i])
        value, first, second = log_determinant(
            w, d1, d2, order, starts, dense, active, active_starts, means, schur, s1, s2, slope
        )
        f -= 0.5 * value
        g -= 0.5 * first
        h -= 0.5 * second
    if precision > 0.0:
        f -= 0.5 * precision * (t - centre) ** 2
        g -= precision * (t - centre)
        h -= precision
    return f, g, h


@numba.njit(**OPTIONS)
def climb(
    y,
    mu,
    start,
    lower,
    upper,
    cox_reid,
    centre,
    precision,
    starts,
    dense,
    active,
    active_starts,
    w,
    d1,
    d2,
    means,
    schur,
    s1,
    s2,
    slope,
):
    """Climb from start to a local maximum within [lower, upper].

    Newton steps inside a bracket that each slope narrows; halving where the curvature is of the
    wrong sign and no bracket is known yet gives way to steps of bounded length.
    Returns (t, value, whether it converged).
    """
    low, high = lower, upper
    t = min(max(start, lower), upper)
    best, best_t = -np.inf, t
    for _ in range(NEWTON_STEPS):
        f, g, h = objective(
            y,
            mu,
            t,
            2,
            cox_reid,
            centre,
            precision,
            starts,
            dense,
            active,
            active_starts,
            w,
            d1,
            d2,
            means,
            schur,
            s1,
            s2,
            slope,
        )
        if f > best:
            best, best_t = f, t
        if g > 0.0:
            if t >= upper:
                return t, f, True
            low = t
        else:
            if t <= lower:
                return t, f, True
            high = t
        step = -g / h if h < 0.0 else (2.0 if g > 0.0 else -2.0)
        step = min(max(step, -4.0), 4.0)
        if abs(step) < 1e-7 or (h < 0.0 and abs(g * step) < 1e-13):
            return t + step if low < t + step < high else t, f, True
        trial = t + step
        if trial <= low:
            trial = lower if low == lower else 0.5 * (low + t)
        elif trial >= high:
            trial = upper if high == upper else 0.5 * (high + t)
        if trial == t or high - low < 1e-9:
            return t, f, True
        t = trial
    return best_t, best, False


@numba.njit(**OPTIONS)
def maximise(
    y_all,
    mu_all,
    alpha_start,
    lower,
    upper,
    cox_reid,
    precision,
    starts,
    dense,
    active,
    active_starts,
    out,
    converged,
):
    """Write each gene's maximiser alpha in [exp(lower), exp(upper)] into out.

    The prior, where precision (1 / variance) is above 0, is centred on log(alpha_start). The
    climb from the start is repeated from any of a few probes of the range that lies higher.
    """
    n, k = dense.shape
    blocks = starts.shape[0] - 1
    w, d1, d2 = np.empty(n), np.empty(n), np.empty(n)
    means, slope = np.zeros((blocks, k)), np.zeros((blocks, k))
    schur, s1, s2 = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    for g in range(y_all.shape[0]):
        y, mu = y_all[g], mu_all[g]
        if not alpha_start[g] > 0.0:
            out[g] = np.nan
            converged[g] = False
            continue
        start = log(alpha_start[g])
        t, value, state = climb(
            y,
            mu,
            start,
            lower,
            upper,
            cox_reid,
            start,
            precision,
            starts,
            dense,
            active,
            active_starts,
            w,
            d1,
            d2,
            means,
            schur,
            s1,
            s2,
            slope,
        )
        for probe in range(PROBES):
            place = lower if probe == 0 else max(lower, upper - 2.5 * (PROBES - probe) + 2.0)
            if place >= upper:
                place = 0.5 * (lower + upper)
            f, _, _ = objective(
                y,
                mu,
                place,
                0,
                cox_reid,
                start,
                precision,
                starts,
                dense,
                active,
                active_starts,
                w,
                d1,
                d2,
                means,
                schur,
                s1,
                s2,
                slope,
            )
            if f > value + 1e-9:
                t, value, state = climb(
                    y,
                    mu,
                    place,
                    lower,
                    upper,
                    cox_reid,
                    start,
                    precision,
                    starts,
                    dense,
                    active,
                    active_starts,
                    w,
                    d1,
                    d2,
                    means,
                    schur,
                    s1,
                    s2,
                    slope,
                )
        out[g] = exp(t)
        converged[g] = state


@numba.njit(**OPTIONS)
def ascend(
    y_all,
    mu_all,
    alpha_start,
    centre,
    precision,
    floor,
    tolerance,
    max_steps,
    starts,
    dense,
    active,
    active_starts,
    out,
    first_value,
    last_value,
    steps,
):
    """Climb from alpha_start by steepest ascent as DESeq2's manual describes; see the module.

    centre: (genes,) log of the prior's centre. floor: the log alpha below which to stop.
    tolerance: stop when a step gains less. Fills out with alpha, the objective's first and last
    values, and the number of steps tried.
    """
    n, k = dense.shape
    blocks = starts.shape[0] - 1
    w, d1, d2 = np.empty(n), np.empty(n), np.empty(n)
    means, slope = np.zeros((blocks, k)), np.zeros((blocks, k))
    schur, s1, s2 = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    for gene in range(y_all.shape[0]):
        y, mu = y_all[gene], mu_all[gene]
        if not alpha_start[gene] > 0.0:
            out[gene], first_value[gene], last_value[gene], steps[gene] = np.nan, 0.0, 0.0, 0
            continue
        t = log(alpha_start[gene])
        f, g, _ = objective(
            y,
            mu,
            t,
            1,
            True,
            centre[gene],
            precision,
            starts,
            dense,
            active,
            active_starts,
            w,
            d1,
            d2,
            means,
            schur,
            s1,
            s2,
            slope,
        )
        first_value[gene] = f
        length, accepted, tried = 1.0, 0, 0
        while tried < max_steps:
            tried += 1
            if t + length * g < -30.0:
                length = (-30.0 - t) / g
            if t + length * g > 10.0:
                length = (10.0 - t) / g
            proposed = t + length * g
            f_new, g_new, _ = objective(
                y,
                mu,
                proposed,
                1,
                True,
                centre[gene],
                precision,
                starts,
                dense,
                active,
                active_starts,
                w,
                d1,
                d2,
                means,
                schur,
                s1,
                s2,
                slope,
            )
            if f_new >= f + ARMIJO * length * g * g:
                accepted += 1
                gain = f_new - f
                t, f, g = proposed, f_new, g_new
                if gain < tolerance or t < floor:
                    break
                length = min(length * 1.1, 1.0)
                # an occasional shorter step breaks cycles across a narrow ridge
                if accepted % 5 == 0:
                    length *= 0.5
            else:
                length *= 0.5
        out[gene] = exp(t)
        last_value[gene] = f
        steps[gene] = tried


@numba.njit(**OPTIONS)
def grid_search(
    y_all,
    mu_all,
    centre,
    precision,
    lower,
    upper,
    points,
    starts,
    dense,
    active,
    active_starts,
    out,
):
    """Write the best alpha of a grid on [lower, upper] and of a second one around that best."""
    n, k = dense.shape
    blocks = starts.shape[0] - 1
    w, d1, d2 = np.empty(n), np.empty(n), np.empty(n)
    means, slope = np.zeros((blocks, k)), np.zeros((blocks, k))
    schur, s1, s2 = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    for gene in range(y_all.shape[0]):
        low, high = lower, upper
        t = low
        for _ in range(2):
            spacing = (high - low) / (points - 1)
            best = -np.inf
            for point in range(points):
                place = low + spacing * point
                f, _, _ = objective(
                    y_all[gene],
                    mu_all[gene],
                    place,
                    0,
                    True,
                    centre[gene],
                    precision,
                    starts,
                    dense,
                    active,
                    active_starts,
                    w,
                    d1,
                    d2,
                    means,
                    schur,
                    s1,
                    s2,
                    slope,
                )
                if f > best:
                    best, t = f, place
            low, high = t - spacing, t + spacing
        out[gene] = exp(t)
