"""Over-representation of called genes: Fisher's exact test, one-sided, with its own background."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.enrichment.membership import Membership


def overrepresentation(called: np.ndarray, testable: np.ndarray, sets: Membership) -> pd.Series:
    """Return hypergeometric p values, P(overlap at least as large), of each set.

    called: mask (G,) of genes called in either direction. testable: mask (G,) of the genes that
    could have been: the background, to which sets are restricted. A set without overlap has p = 1.
    """
    from scipy.stats import hypergeom

    hits = called & testable
    overlap = np.asarray(sets.members @ hits.astype(float)).round().astype(int)
    size = np.asarray(sets.members @ testable.astype(float)).round().astype(int)
    pvalue = hypergeom.sf(overlap - 1, int(testable.sum()), size, int(hits.sum()))
    return pd.Series(np.clip(pvalue, 0, 1), index=sets.table.index, name="ora_pvalue")
