"""Write outcome.tsv, a made-up thickness of each sample of ../limma; one is missing.

python make_input.py   (in this folder)
"""

import numpy as np
import pandas as pd

sheet = pd.read_csv("../limma/sheet.tsv", sep="\t", dtype=str)
rng = np.random.default_rng(17)
start = {donor: rng.normal(1.5, 0.2) for donor in sheet["donor"].unique()}
values = sheet["donor"].map(start) + rng.normal(0, 0.1, len(sheet))
text = values.map("{:.3f}".format)
text[len(text) - 1] = ""
pd.DataFrame({"sample": sheet["sample"], "thickness": text}).to_csv(
    "outcome.tsv", sep="\t", index=False
)
