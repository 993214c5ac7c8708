# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Steps of the negative binomial regression of one gene, dispersion given.

Iteratively reweighted least squares as in Love, Huber & Anders 2014 (equations 1 and 2, means
bounded below while fitting, a weak ridge), and a damped Newton search on the concave penalised
likelihood. Samples are sorted by block; coefficients are in the order blocks, dense.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrowhead import (
    Elimination,
    copy,
    factor,
    fill,
    new_elimination,
    predict,
    solve,
)
from .compiling import inlined, merged
from .special import exp, log, log1p, stirling
from .structure import Blocks

NEWTON_STEPS = 200
SHIFT = 8
HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
LAST_GAIN = 1e-8
ROUNDING = 1e-14
HALVINGS = 40
# the longest step, in the log of a mean
LONGEST = 5.0
# a ridge that pins a coefficient to a bound
PIN = 1e10


class Workspace(NamedTuple):
    """One gene's arrays of samples (eta, mu, w, q), of columns, and the elimination."""

    eta: np.ndarray
    mu: np.ndarray
    w: np.ndarray
    q: np.ndarray
    beta: np.ndarray
    step: np.ndarray
    trial: np.ndarray
    first: np.ndarray
    ridge: np.ndarray
    centre: np.ndarray
    e: Elimination


@inlined
def new_workspace(blocks: Blocks) -> Workspace:
    """Allocate a workspace; centre is zero."""
    n, p = blocks.dense.shape[1], blocks.n_blocks + blocks.dense.shape[0]
    return Workspace(
        np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(p), np.empty(p), np.empty(p),
        np.empty(p), np.empty(p), np.zeros(p), new_elimination(blocks),
    )  # fmt: skip


@inlined
def means_of(eta: np.ndarray, offset: np.ndarray, floor: float, mu: np.ndarray) -> None:
    """Write max(exp(eta + offset), floor) into mu."""
    for i in range(eta.shape[0]):
        mu[i] = max(exp(eta[i] + offset[i]), floor)


@inlined
def log_likelihood(y: np.ndarray, mu: np.ndarray, alpha: float) -> float:
    """Return the log-likelihood, without terms that do not depend on mu."""
    r = 1.0 / alpha
    total = 0.0
    for i in range(y.shape[0]):
        total += y[i] * log(mu[i]) - (y[i] + r) * log1p(mu[i] * alpha)
    return total


@inlined
def constant_terms(y: np.ndarray, alpha: float) -> float:
    """Return the log-likelihood's terms that `log_likelihood` leaves out.

    lgamma(y + r) - lgamma(r) - lgamma(y + 1) + y log(alpha), r = 1 / alpha, by Stirling's series at
    arguments shifted by 8.
    """
    r = 1.0 / alpha
    shift = float(SHIFT)
    base = r + shift
    low = stirling(base)
    total = 0.0
    for i in range(y.shape[0]):
        size, factorial = y[i] + base, y[i] + 1.0 + shift
        ratio, product = 1.0, 1.0
        for j in range(SHIFT):
            ratio *= (r + j) / (y[i] + r + j)
            product *= y[i] + 1.0 + j
        total += (size - 0.5) * log1p(y[i] / base) - y[i] + stirling(size) - low + log(ratio)
        total += y[i] * log1p(shift * alpha)
        total -= (factorial - 0.5) * log(factorial) - factorial + HALF_LOG_2PI
        total -= stirling(factorial) - log(product)
    return total


@inlined
def score_and_weights(y: np.ndarray, alpha: float, k: Workspace) -> None:
    """Write the log-likelihood's slope (q) and negative curvature (w) in each sample's eta."""
    mu, w, q = k.mu, k.w, k.q
    for i in range(y.shape[0]):
        share = 1.0 / (1.0 + mu[i] * alpha)
        q[i] = (y[i] - mu[i]) * share
        w[i] = mu[i] * (1.0 + y[i] * alpha) * share * share


@merged
def irls_step(
    y: np.ndarray, offset: np.ndarray, alpha: float, floor: float, blocks: Blocks, k: Workspace
) -> float:
    """Take one step of weighted least squares from (k.eta, k.mu); update both and k.beta.

    Returns the log-likelihood at the new means (see `log_likelihood`), not a number where the
    weights are singular.
    """
    eta, mu, w, q, beta, ridge, e = k.eta, k.mu, k.w, k.q, k.beta, k.ridge, k.e
    for i in range(y.shape[0]):
        w[i] = mu[i] / (1.0 + mu[i] * alpha)
        predictor = log(mu[i]) - offset[i] if mu[i] <= floor else eta[i]
        q[i] = w[i] * (predictor + (y[i] - mu[i]) / mu[i])
    if not factor(w, ridge, blocks, e):
        return np.nan
    fill(beta, 0.0)
    solve(q, blocks, e, beta)
    predict(beta, blocks, eta)
    means_of(eta, offset, floor, mu)
    return log_likelihood(y, mu, alpha)


@inlined
def largest_size(values: np.ndarray) -> float:
    """Return the largest absolute value."""
    largest = 0.0
    for c in range(values.shape[0]):
        largest = max(largest, abs(values[c]))
    return largest


@merged
def least_squares(
    y: np.ndarray,
    offset: np.ndarray,
    alpha: float,
    floor: float,
    tolerance: float,
    largest: float,
    max_steps: int,
    blocks: Blocks,
    k: Workspace,
) -> bool:
    """Iterate `irls_step` from k.mu until the deviance stands still; return whether it did.

    It stands still where |change| < tolerance (|deviance| + 0.1), the deviance being -2 times the
    whole log-likelihood: the terms without the means are in it. A coefficient past `largest` ends
    the iteration unsettled, and so does the last step. On sparse genes, whose means lie at the
    floor, the steps are many and small, and where they end is decided here: this is DESeq2's
    criterion, for its estimates.
    """
    constant = constant_terms(y, alpha)
    before = 0.0
    for step in range(max_steps):
        deviance = -2.0 * (irls_step(y, offset, alpha, floor, blocks, k) + constant)
        if np.isnan(deviance) or largest_size(k.beta) > largest:
            return False
        if step > 0 and abs(deviance - before) < tolerance * (abs(deviance) + 0.1):
            return step + 1 < max_steps
        before = deviance
    return False


@inlined
def penalised(y: np.ndarray, alpha: float, beta: np.ndarray, k: Workspace) -> float:
    """Return the penalised log-likelihood at beta, whose means are in k.mu."""
    mu, ridge, centre = k.mu, k.ridge, k.centre
    value = log_likelihood(y, mu, alpha)
    for c in range(beta.shape[0]):
        value -= 0.5 * ridge[c] * (beta[c] - centre[c]) ** 2
    return value


@inlined
def promised(
    step: np.ndarray, column_part: np.ndarray, blocks: Blocks, k: Workspace
) -> tuple[float, float]:
    """Return the gradient along a step, what a full one would gain, and its largest change of eta.

    column_part: the gradient's part that stems from a prior; the samples' is X'q. Uses k.eta.
    """
    eta, q = k.eta, k.q
    predict(step, blocks, eta)
    gain, largest = 0.0, 0.0
    for i in range(eta.shape[0]):
        gain += q[i] * eta[i]
        largest = max(largest, abs(eta[i]))
    for c in range(step.shape[0]):
        gain += column_part[c] * step[c]
    return gain, largest


@merged
def newton(y: np.ndarray, offset: np.ndarray, alpha: float, blocks: Blocks, k: Workspace) -> bool:
    """Maximise the penalised likelihood from k.beta, means not bounded, by damped Newton steps.

    It is concave in the coefficients, so the search cannot go astray. Returns whether it
    converged; k.beta and k.eta hold the result.
    """
    eta, mu, w, q, beta, step, trial, _, ridge, centre, e = k
    p = beta.shape[0]
    fill(step, 0.0)
    value, gain, length, halvings = -np.inf, 0.0, 0.0, 0
    for _ in range(NEWTON_STEPS):
        for c in range(p):
            trial[c] = beta[c] + length * step[c]
        predict(trial, blocks, eta)
        means_of(eta, offset, 0.0, mu)
        proposed = penalised(y, alpha, trial, k)
        if proposed < value + 1e-4 * length * gain - ROUNDING * abs(value):
            halvings += 1
            if halvings > HALVINGS:
                return False
            length *= 0.5
            continue
        copy(trial, beta)
        value, halvings = proposed, 0
        score_and_weights(y, alpha, k)
        if not factor(w, ridge, blocks, e):
            return False
        # trial now holds the ridge's part of the gradient
        for c in range(p):
            trial[c] = -ridge[c] * (beta[c] - centre[c])
        copy(trial, step)
        solve(q, blocks, e, step)
        gain, largest = promised(step, trial, blocks, k)
        if not gain > LAST_GAIN:
            # from here a full step is exact to rounding, and its gain drowns in rounding
            for c in range(p):
                beta[c] += step[c]
            predict(beta, blocks, eta)
            return not np.isnan(gain)
        length = min(1.0, LONGEST / largest)
    return False


@merged
def newton_in_box(
    y: np.ndarray, offset: np.ndarray, alpha: float, bound: float, blocks: Blocks, k: Workspace
) -> bool:
    """Run `newton`, pinning coefficients that leave [-bound, bound] to the bound they cross."""
    beta, ridge, centre = k.beta, k.ridge, k.centre
    for c in range(beta.shape[0]):
        beta[c] = min(max(beta[c], -bound), bound)
    settled = False
    for _ in range(beta.shape[0] + 1):
        settled = newton(y, offset, alpha, blocks, k)
        outside = 0
        for c in range(beta.shape[0]):
            if abs(beta[c]) > bound + 1e-6 and ridge[c] < PIN:
                ridge[c] = PIN
                centre[c] = bound if beta[c] > 0.0 else -bound
                beta[c] = centre[c]
                outside += 1
        if outside == 0:
            break
    return settled
