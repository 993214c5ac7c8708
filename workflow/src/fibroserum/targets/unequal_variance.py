"""What is said where donors of one group spread more than those of the others.

The main model has one dispersion a gene for all groups; the second opinion then has a variance
for each. Their typical ratio for a contrast says by how much the main model's intervals are off.
"""

from __future__ import annotations

import anndata as ad
import numpy as np

from fibroserum.cohort.contrasts import Contrast
from fibroserum.linear import UNEQUAL


def ratio_of(fit: ad.AnnData, contrast: Contrast) -> float:
    """Return `linear.spread_ratio` of a contrast from its fit, NaN where voom was not asked."""
    return float(fit.uns["model"]["spread_ratio"][contrast.file])


def widening(ratio: float) -> float:
    """Return what a standard error of the main model is multiplied by before a bound is shown."""
    return float(np.sqrt(ratio)) if ratio > UNEQUAL else 1.0


def spread_sentence(ratio: float) -> str:
    """Return the caveat on a contrast's intervals, with a space before it; empty without one."""
    if not ratio > UNEQUAL:
        return ""
    off = 100 * (1 - 1 / np.sqrt(ratio))
    return (
        " Donors do not spread equally in all groups, which the main model takes for granted: "
        f"typical variances here are {ratio:.2g} times what it says, and its 95 % interval is some "
        f"{off:.0f} % too narrow."
    )
