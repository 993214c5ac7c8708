"""Write crossover_sheet.tsv: the samples of ../deseq2/crossover, of one donor one group alone."""

import pandas as pd

design = pd.read_csv("../deseq2/crossover.design.tsv.gz", sep="\t", index_col=0)
donors = design.filter(like="donor[").idxmax(axis=1).str.slice(6, -1)
sheet = pd.DataFrame({"donor": donors, "group": "AT", "time": "pre"})
sheet.loc[design["group[RT]"] == 1, "group"] = "RT"
sheet.loc[(design["after[AT]"] + design["after[RT]"]) == 1, "time"] = "post"
sheet = sheet[~((sheet["donor"] == "D05") & (sheet["group"] == "RT"))]
sheet.rename_axis("sample").to_csv("crossover_sheet.tsv", sep="\t")
