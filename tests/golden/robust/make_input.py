"""Write donors.tsv and values.tsv: pair differences of 14 donors, with weights, of 6 genes."""

from __future__ import annotations

import numpy as np
import pandas as pd

rng = np.random.default_rng(1985)
donors = [f"D{n:02d}" for n in range(14)]
group = np.repeat(["AT", "RT"], [6, 8])
level = rng.normal(0, 0.4, 14)
level[9] = 2.0  # a donor with leverage
pd.DataFrame({"donor": donors, "group": group, "level": level.round(6)}).to_csv(
    "donors.tsv", sep="\t", index=False
)
value = rng.normal(size=(14, 6)) * (0.3 + np.abs(level)[:, None]) + np.outer(
    level, rng.normal(size=6)
)
pd.DataFrame(
    {
        "donor": np.repeat(donors, 6),
        "gene": np.tile([f"g{n}" for n in range(6)], 14),
        "value": value.ravel().round(6),
        "weight": rng.uniform(0.5, 4, 84).round(6),
    }
).to_csv("values.tsv", sep="\t", index=False)
