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
"""Unweighted linear fits of many genes, which start the negative binomial ones."""

from __future__ import annotations

import numpy as np

from fibroserum.inference.arrowhead import factor, fill, new_elimination, predict, solve
from fibroserum.inference.compiling import compiled
from fibroserum.inference.structure import Blocks


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
