"""Write levels.tsv and signs.tsv: numpy, seeded. Run in this folder."""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
rng = np.random.default_rng(28)
sheet = pd.read_csv(HERE.parent / "limma" / "sheet.tsv", sep="\t", dtype=str)
sheet["log2"] = rng.normal(9, 0.5, size=len(sheet)).round(4)
sheet[["sample", "log2"]].to_csv(HERE / "levels.tsv", sep="\t", index=False)
kept = pd.read_csv(HERE.parent / "limma" / "filter.tsv", sep="\t")
genes = rng.choice(kept.loc[kept["kept"] == 1, "id"], size=12, replace=False)
signs = pd.DataFrame({"gene": genes, "sign": rng.choice([-1, 1], size=12)})
signs.to_csv(HERE / "signs.tsv", sep="\t", index=False)
