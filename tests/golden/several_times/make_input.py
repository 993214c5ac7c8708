"""Write counts.tsv.gz and sheet.tsv: three groups, three times, some samples missing."""

import numpy as np
import pandas as pd

rng = np.random.default_rng(17)
genes, donors = 300, 6
rows, columns = [], {}
mean = rng.gamma(2.0, 150.0, genes) + 20
for group in ("control", "AT", "RT"):
    change = {"pre": 0.0, "week8": rng.normal(0, 0.3, genes), "week16": rng.normal(0, 0.4, genes)}
    for number in range(donors):
        donor, own = f"{group}{number}", rng.normal(0, 0.3, genes)
        response = rng.normal(0, 0.2, genes)
        for time, shift in change.items():
            if (group, number, time) in {
                ("RT", 0, "week8"),
                ("AT", 1, "week16"),
                ("AT", 2, "week8"),
            }:
                continue
            log2 = own + shift + (response if time != "pre" else 0.0)
            lam = mean * 2**log2 * rng.gamma(1 / 0.05, 0.05, genes) * rng.uniform(0.6, 1.6)
            sample = f"{donor}.{time}"
            columns[sample] = rng.poisson(lam)
            rows.append({"sample": sample, "donor": donor, "group": group, "time": time})
ids = [f"gene{number}" for number in range(genes)]
compression = {"method": "gzip", "mtime": 0}
pd.DataFrame(columns, ids).rename_axis("id").to_csv(
    "counts.tsv.gz", sep="\t", compression=compression
)
pd.DataFrame(rows).to_csv("sheet.tsv", sep="\t", index=False)
