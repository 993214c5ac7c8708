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
    times = pd.Series(np.where(design.dense_values.any(axis=1), "post", "pre"), design.samples)
    return Model(
        "paired",
        design,
        dict.fromkeys(names, vector),
        groups,
        design.blocks,
        times,
        profiles={name: {"all": {"post": 1.0, "pre": -1.0}} for name in names},
        scales={name: {"all": 1.0} for name in names},
    )
