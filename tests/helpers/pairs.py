"""A model of pairs from a design with a column of changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import Model


def model_of_pairs(design: Design, *names: str) -> Model:
    """Return the paired model of one group; design: blocks, and one column; names: contrasts."""
    vector = design.contrast(np.ones(1))
    groups = pd.Series("all", index=design.samples)
    weights = {name: {"all": 1.0} for name in names}
    contrasts = dict.fromkeys(names, vector)
    return Model("paired", design, contrasts, groups, design.blocks, weights)
