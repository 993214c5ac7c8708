"""Designs with blocks from a matrix whose block columns are named `donor[…]`, as R's are here."""

from __future__ import annotations

import pandas as pd

from fibroserum.cohort.designs import Design


def blocked(matrix: pd.DataFrame) -> Design:
    """Return the design of a matrix (samples × columns): `donor[…]` are indicators of blocks."""
    named = [name for name in matrix.columns if str(name).startswith("donor[")]
    if not named:
        return Design(matrix.astype(float))
    assert (matrix[named].sum(axis=1) == 1).all(), "each sample is in one block"
    blocks = matrix[named].idxmax(axis=1).str.slice(len("donor["), -1)
    return Design(matrix.drop(columns=named).astype(float), blocks)
