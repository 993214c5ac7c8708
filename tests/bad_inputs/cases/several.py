"""Several mistakes at once: all of them must stand in one list."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("several")
case = CASES.case


@case(
    "in config, sheet, counts, gene sets and stimulation arm",
    "cohort.yaml, the top level: unknown key 'target'. Did you mean 'targets'?",
    "samples.tsv, row 7, column 'ccl28': the level 'high' of CCL28 is not a number; expected a "
    "number, '<' with the limit of detection, or an empty cell. If it means below the limit of "
    "detection, write only '<' and the limit, such as '<15'. If the level was not measured, "
    "leave the cell empty.",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the count is negative (-3); "
    "expected a whole number ≥ 0",
    "sets.gmt, line 2: gene set 'TGFB, signalling' has no genes",
    "arm.samples.tsv (factor CCL28): no sample has the treatment 'vehicel' that "
    "stimulation.control names",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.config["target"] = ["BGN"]
    c.sheet.put("D3_post", "ccl28", "high")
    c.counts.put("DCN", "D2_pre", "-3")
    c.tables["sets.gmt"].rows[1] = ["TGFB, signalling"]
    c.arm["control"] = "vehicel"


@case(
    "in the sheet alone",
    "samples.tsv, row 2, column 'sample': the sample 'D1-pre' is not in the counts; "
    "expected a column of the count matrix. Did you mean 'D1_pre'?",
    "samples.tsv, row 7, column 'donor': the cell is empty; expected a value for every sample",
    "samples.tsv, column 'timepoint': 'POST' (row 9) differs from 'post' only in case or "
    "spaces; expected one spelling per level",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D4_post", "timepoint", "POST")
    c.sheet.put("D3_post", "donor", "")
    c.sheet.put("D1_pre", "sample", "D1-pre")


@case(
    "a design that cannot be fitted, and counts that are none",
    "the model of changes: the design is rank-deficient, because 'age' is a combination of "
    "other model terms",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': 'many' is not a number; "
    "expected a whole number ≥ 0",
    "counts.tsv, row 13 ('COL14A1'), column 'D6_post': the count is negative (-1)",
    "signature.tsv, row 2, column 'direction': the direction 'dwon' is unknown; "
    "expected up or down. Did you mean 'down'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["age"]
    c.counts.put("DCN", "D2_pre", "many")
    c.counts.put("COL14A1", "D6_post", "-1")
    c.tables["signature.tsv"].put("BGN", "direction", "dwon")


@case(
    "files that are not there, and a gene that is none",
    "cohort.yaml, samples: there is no file 'sample.tsv'; expected a path, absolute or relative "
    "to the working directory. Did you mean 'samples.tsv'?",
    "cohort.yaml, gene_sets: there is no file 'set.gmt'; expected a path, absolute or relative "
    "to the working directory. Did you mean 'sets.gmt'?",
    "cohort.yaml, targets: 'COL1A' is not a recognised human gene; "
    "expected a symbol, Ensembl or Entrez id. Did you mean 'COL1A2'?",
)
def _(c: SmallCohort) -> None:
    c.config["samples"] = "sample.tsv"
    c.config["gene_sets"] = ["set.gmt"]
    c.config["targets"] = ["BGN", "COL1A"]
