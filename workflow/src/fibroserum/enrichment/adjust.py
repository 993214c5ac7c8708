"""False discovery rates, one family a collection."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats


def adjust(pvalue: pd.Series, collection: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg adjusted p values within each collection; NaN stays out of it."""
    result = pd.Series(np.nan, index=pvalue.index)
    for _, rows in pvalue.dropna().groupby(collection):
        result[rows.index] = stats.false_discovery_control(rows.to_numpy(), method="bh")
    return result
