# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Unweighted linear fits of many genes, which start the negative binomial ones."""

from __future__ import annotations

import numpy as np

from .arrowhead import factor, fill, new_elimination, predict, solve
from .compiling import compiled
from .structure import Blocks


@compiled
def linear_fit(y_all: np.ndarray, blocks: Blocks, fitted: np.ndarray) -> bool:
    """Write the least-squares fit of each row of y_all (genes, n) into fitted.

    Returns False, with fitted untouched, where the design is not of full rank.
    """
    n, p = blocks.dense.shape[0], blocks.starts.shape[0] - 2 + blocks.dense.shape[1]
    e = new_elimination(blocks)
    if not factor(np.ones(n), np.zeros(p), blocks, e):
        return False
    beta = np.empty(p)
    for g in range(y_all.shape[0]):
        fill(beta, 0.0)
        solve(y_all[g], blocks, e, beta)
        predict(beta, blocks, fitted[g])
    return True
