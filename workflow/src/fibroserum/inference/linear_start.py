# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Unweighted linear fits of many genes, which start the negative binomial ones."""

from __future__ import annotations

import numpy as np

from .arrowhead import BLOCKS, factor, fill, new_elimination, predict, solve
from .compiling import MATRIX, compiled
from .structure import Blocks


@compiled(MATRIX, BLOCKS, MATRIX, MATRIX)
def linear_fit(y_all: np.ndarray, blocks: Blocks, betas: np.ndarray, fitted: np.ndarray) -> bool:
    """Write the least-squares fit of each row of y_all (genes, n) into betas (genes, p) and fitted.

    Returns False, with both untouched, where the design is not of full rank.
    """
    n, p = blocks.dense.shape[1], blocks.n_blocks + blocks.dense.shape[0]
    e = new_elimination(blocks)
    if not factor(np.ones(n), np.zeros(p), blocks, e):
        return False
    for g in range(y_all.shape[0]):
        fill(betas[g], 0.0)
        solve(y_all[g], blocks, e, betas[g])
        predict(betas[g], blocks, fitted[g])
    return True


def log_linear_start(
    y_all: np.ndarray, offset: np.ndarray, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (genes, p) and predictors (genes, n) of log(y / size factor + 0.1).

    Zeros where the design is not of full rank. offset: (n,) log size factors.
    """
    betas = np.zeros((len(y_all), blocks.n_blocks + len(blocks.dense)))
    predictors = np.zeros(y_all.shape)
    linear_fit(np.log(y_all * np.exp(-offset) + 0.1), blocks, betas, predictors)
    return betas, predictors
