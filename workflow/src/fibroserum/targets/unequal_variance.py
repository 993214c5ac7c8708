"""How far off the main model's intervals are where donors of one group vary more than the others'.

The main model has one dispersion a gene for all groups; the second model then has a variance for
each. Their typical ratio for a contrast says by how much.
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
