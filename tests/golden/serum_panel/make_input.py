"""Write values.tsv: changes of the log2 levels of 40 molecules in 13 donors of two groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

rng = np.random.default_rng(2004)
donors = [f"D{n:02d}" for n in range(13)]
group = np.repeat(["AT", "RT"], [6, 7])
sd = np.sqrt(0.1 * 8 / rng.chisquare(8, 40))
changes = rng.normal(size=(13, 40)) * sd + np.outer(group == "RT", rng.normal(0, 0.2, 40))
# the second half of the molecules has missing levels, each its own
missing = rng.random((13, 40)) < 0.15
missing[:, :20] = False
frame = pd.DataFrame(changes.round(6), columns=[f"m{n:02d}" for n in range(40)]).mask(missing)
frame.insert(0, "donor", donors)
frame.insert(1, "group", group)
frame.to_csv("values.tsv", sep="\t", index=False, na_rep="NA")
