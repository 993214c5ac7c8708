"""python make_input.py   (in this folder; writes counts.tsv and sheet.tsv)"""

import numpy as np
import pandas as pd

rng = np.random.default_rng(1706)
rows = [
    (f"{group}{number}", group, time)
    for group, donors in (("AT", 6), ("RT", 7), ("control", 5))
    for number in range(donors)
    for time in ("pre", "week8", "week16")
]
sheet = pd.DataFrame(rows, columns=["donor", "group", "time"])
sheet.insert(0, "sample", sheet["donor"] + "_" + sheet["time"])
donors = sheet["donor"].unique()
dose = dict(zip(donors, rng.integers(6, 25, len(donors)), strict=True))
sheet["sessions"] = sheet["donor"].map(dose)
genes = 300
level = rng.normal(6, 1.5, genes)
codes = pd.Categorical(sheet["donor"], donors).codes
log2 = level + rng.normal(0, 0.4, (len(donors), genes))[codes]
response = rng.normal(0, 0.25, (len(donors), genes))[codes]
later = (sheet["time"] != "pre").to_numpy()[:, None]
log2 += np.where(later, response + rng.normal(0, 0.15, log2.shape), 0)
trained = (sheet["group"] == "RT").to_numpy()[:, None] & later
effect = np.where(rng.random(genes) < 0.2, rng.choice([-1.0, 1.0], genes), 0)
late = np.where((sheet["time"] == "week16").to_numpy()[:, None], 1.5, 0.7)
slope = np.where(rng.random(genes) < 0.2, rng.choice([-0.08, 0.08], genes), 0)
log2 += trained * (effect * late + slope * (sheet["sessions"].to_numpy()[:, None] - 15))
mean = 2.0**log2 * np.exp(rng.normal(0, 0.2, len(sheet)))[:, None]
spread = 0.02 + 1 / 2.0**level
counts = pd.DataFrame(rng.poisson(rng.gamma(1 / spread, mean * spread)), sheet["sample"]).T
counts.index = [f"g{number:03d}" for number in range(genes)]
counts.rename_axis("gene").to_csv("counts.tsv", sep="\t")
sheet.to_csv("sheet.tsv", sep="\t", index=False)
