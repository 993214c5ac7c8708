# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""The dispersion trend: a gamma regression with identity link."""

from __future__ import annotations

import numpy as np

STEPS = 100
TOLERANCE = 1e-10


def _deviance(targets: np.ndarray, fitted: np.ndarray) -> float:
    return float(2 * np.sum((targets - fitted) / fitted - np.log(targets / fitted)))


def fit_gamma_trend(
    covariates: np.ndarray, targets: np.ndarray, start: tuple[float, float] | None = None
) -> tuple[np.ndarray, bool]:
    """Fit targets ~ a0 + a1 covariates, gamma errors, by reweighted least squares.

    covariates, targets: (genes,), targets positive. Returns ((a0, a1), converged). A step that
    makes a fitted value negative or the deviance larger is halved. Not converged where the
    coefficients cannot be told apart or a fitted value would have to be 0.
    """
    design = np.column_stack([np.ones(len(covariates)), covariates])
    coefficients = np.array(start if start is not None else (float(np.mean(targets)), 0.0))
    fitted = design @ coefficients
    if len(targets) < 2 or not (fitted > 0).all():
        return np.full(2, np.nan), False
    deviance = _deviance(targets, fitted)
    for _ in range(STEPS):
        weighted = design / fitted[:, None] ** 2
        normal = design.T @ weighted
        if not np.isfinite(normal).all() or np.linalg.cond(normal) > 1e18:
            return np.full(2, np.nan), False
        step = np.linalg.solve(normal, weighted.T @ (targets - fitted))
        for _ in range(40):
            proposed = design @ (coefficients + step)
            if (proposed > 0).all() and _deviance(targets, proposed) <= deviance + 1e-12 * abs(
                deviance
            ):
                break
            step /= 2
        else:
            return coefficients, False
        coefficients = coefficients + step
        old, deviance, fitted = deviance, _deviance(targets, proposed), proposed
        if abs(deviance - old) <= TOLERANCE * (abs(deviance) + 0.1):
            return coefficients, True
    return coefficients, False
