# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Negative binomial dispersions of one gene after another, means given.

The objective, in t = log(alpha), is the log-likelihood less half the Cox-Reid log-determinant,
less the prior's (t - centre)^2 / (2 variance) (Love, Huber & Anders 2014, equations 6 to 11).
Differences of gamma functions are written as log1p(y alpha) plus differences of Stirling series
(after a shift where 1/alpha is small), which keeps full accuracy down to alpha = 1e-10, where
the textbook formula loses ten digits, and gives value, slope and curvature from two logarithms.

`maximise` finds the maximum that its start leads to, and stays where it is on flat ground: the
searches of DESeq2 and of PyDESeq2 do, and their results depend on that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from .arrowhead import BLOCKS
from .compiling import FLAG, FLAGS, MATRIX, NUMBER, VECTOR, compiled, inlined, merged
from .determinant import Determinant, log_determinant, new_determinant
from .special import (
    exp,
    log,
    log1p,
    stirling,
    stirling_1,
    stirling_2,
)
from .structure import Blocks

SHIFT = 8
NEWTON_STEPS = 60


class Goal(NamedTuple):
    """What is maximised, and where: t in [lower, upper].

    precision: 1 / variance of the prior on t, 0 for none. flat: see `climb`; 0 climbs on.
    """

    cox_reid: bool
    centre: float
    precision: float
    lower: float
    upper: float
    flat: float


GOAL = types.NamedTuple([FLAG, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER], Goal)


class Workspace(NamedTuple):
    """One gene's weights and their derivatives in t (n,), and the determinant's scratch."""

    w: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    determinant: Determinant


@inlined
def new_workspace(blocks: Blocks) -> Workspace:
    """Allocate a workspace."""
    n = blocks.dense.shape[1]
    return Workspace(np.empty(n), np.empty(n), np.empty(n), new_determinant(blocks))


@inlined
def likelihood_large_size(
    y: np.ndarray, mu: np.ndarray, alpha: float
) -> tuple[float, float, float]:
    """Return the log-likelihood and two derivatives in t where 1/alpha >= 8."""
    r = 1.0 / alpha
    c0, c1, c2 = stirling(r), stirling_1(r), stirling_2(r)
    f, g, h = 0.0, 0.0, 0.0
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


@inlined
def likelihood_small_size(
    y: np.ndarray, mu: np.ndarray, alpha: float
) -> tuple[float, float, float]:
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
        share = 1.0 / (1.0 + mu[i] * alpha)
        residual = (y[i] - mu[i]) * share
        digamma = ly + (stirling_1(size) - c1) + first_sum
        first = r * (lm - digamma)
        g += first + residual
        trigamma = (stirling_2(size) - c2) - y[i] / (size * shifted) + second_sum
        h += mu[i] * share * (1.0 - alpha * residual) + r * r * trigamma - first
    return f, g, h


@merged
def objective(
    y: np.ndarray, mu: np.ndarray, t: float, goal: Goal, blocks: Blocks, k: Workspace
) -> tuple[float, float, float]:
    """Return the objective and its first two derivatives at t."""
    w, d1, d2, determinant = k.w, k.d1, k.d2, k.determinant
    alpha = exp(t)
    if alpha > 1.0 / SHIFT:
        f, g, h = likelihood_small_size(y, mu, alpha)
    else:
        f, g, h = likelihood_large_size(y, mu, alpha)
    if goal.cox_reid:
        for i in range(y.shape[0]):
            w[i] = mu[i] / (1.0 + mu[i] * alpha)
            d1[i] = -alpha * w[i] * w[i]
            d2[i] = d1[i] * (1.0 - 2.0 * alpha * w[i])
        value, slope, curvature = log_determinant(w, d1, d2, blocks, determinant)
        f -= 0.5 * value
        g -= 0.5 * slope
        h -= 0.5 * curvature
    if goal.precision > 0.0:
        f -= 0.5 * goal.precision * (t - goal.centre) ** 2
        g -= goal.precision * (t - goal.centre)
        h -= goal.precision
    return f, g, h


@merged
def climb(
    y: np.ndarray, mu: np.ndarray, start: float, goal: Goal, blocks: Blocks, k: Workspace
) -> tuple[float, float, float, bool]:
    """Climb from start to a local maximum within [goal.lower, goal.upper].

    Newton steps inside a bracket that each slope narrows; steps of bounded length uphill where
    the curvature is of the wrong sign. On ground so flat that a step as long as the slope would
    gain less than `goal.flat` the climb ends where it is, unless near a maximum.
    Returns (t, value at t, value at the start, whether it converged).
    """
    low, high = goal.lower, goal.upper
    t = min(max(start, low), high)
    first, moved = -np.inf, np.inf
    f = first
    for step_number in range(NEWTON_STEPS):
        f, g, h = objective(y, mu, t, goal, blocks, k)
        if step_number == 0:
            first = f
        at_bound = (t <= goal.lower and g <= 0.0) or (t >= goal.upper and g >= 0.0)
        if at_bound or moved < 1e-5 or (h >= 0.0 and g * g < goal.flat):
            # a Newton step after one this short is exact to rounding
            if not at_bound and h < 0.0 and low < t - g / h < high:
                t -= g / h
            return t, f, first, True
        if g > 0.0:
            low = t
        else:
            high = t
        step = -g / h if h < 0.0 else (2.0 if g > 0.0 else -2.0)
        trial = t + min(max(step, -4.0), 4.0)
        if trial <= low:
            trial = low if low == goal.lower else 0.5 * (low + t)
        elif trial >= high:
            trial = high if high == goal.upper else 0.5 * (high + t)
        moved = abs(trial - t)
        t = trial
    return t, f, first, False


@compiled(
    MATRIX, MATRIX, VECTOR, VECTOR, VECTOR, GOAL, BLOCKS, VECTOR, VECTOR, VECTOR, FLAGS
)  # fmt: skip
def maximise(
    y_all: np.ndarray,
    mu_all: np.ndarray,
    alpha_start: np.ndarray,
    centres: np.ndarray,
    flat: np.ndarray,
    goal: Goal,
    blocks: Blocks,
    out: np.ndarray,
    first_value: np.ndarray,
    last_value: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Write the local maximum that each gene's climb from alpha_start reaches into out.

    centres, flat: (genes,), instead of `goal.centre` and `goal.flat`; the prior is centred on the
    start where a centre is not a number. first_value, last_value: the objective before and after.
    A gene without a positive start gets none.
    """
    k = new_workspace(blocks)
    for g in range(y_all.shape[0]):
        if not alpha_start[g] > 0.0:
            out[g] = first_value[g] = last_value[g] = np.nan
            converged[g] = False
            continue
        start = log(alpha_start[g])
        centre = start if np.isnan(centres[g]) else centres[g]
        own = Goal(goal.cox_reid, centre, goal.precision, goal.lower, goal.upper, flat[g])
        t, last, first, state = climb(y_all[g], mu_all[g], start, own, blocks, k)
        out[g], first_value[g], last_value[g], converged[g] = exp(t), first, last, state
