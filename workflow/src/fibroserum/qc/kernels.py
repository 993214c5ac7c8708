"""Compiled loops of quality control."""

from __future__ import annotations

import numpy as np

from fibroserum.inference.compiling import INDEX_MATRIX, INDICES, MATRIX, VECTOR, compiled


@compiled(MATRIX, INDEX_MATRIX, INDICES, INDICES, VECTOR)
def means_within(
    likeness: np.ndarray,
    orders: np.ndarray,
    members: np.ndarray,
    starts: np.ndarray,
    result: np.ndarray,
) -> None:
    """Write the mean likeness of two donors of one level, under each order of the donors.

    likeness: n × n; orders: m × n; members: donors by level, those of level l from starts[l] to
    starts[l + 1]; result: (m,).
    """
    own = np.empty_like(members)
    for o in range(len(orders)):
        for a in range(len(members)):
            own[a] = orders[o, members[a]]
        total, pairs = 0.0, 0
        for level in range(len(starts) - 1):
            first, last = starts[level], starts[level + 1]
            pairs += (last - first) * (last - first - 1) // 2
            for a in range(first, last):
                row = likeness[own[a]]
                for b in range(a + 1, last):
                    total += row[own[b]]
        result[o] = total / pairs
