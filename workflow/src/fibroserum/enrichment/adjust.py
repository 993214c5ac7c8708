"""False discovery rates, one family a collection."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.multiple_testing import benjamini_hochberg


def adjust(pvalue: pd.Series, collection: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg adjusted p values within each collection; NaN stays out of it."""
    result = pd.Series(np.nan, index=pvalue.index)
    for _, rows in pvalue.dropna().groupby(collection):
        result[rows.index] = benjamini_hochberg(rows.to_numpy())
    return result
