"""Mistakes about a factor: its stimulation arm, its signature."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("factors")
case = CASES.case


@case(
    "a stimulation without a key",
    "cohort.yaml, factors.CCL28.stimulation: missing key 'treated'; expected text: level with the "
    "factor",
)
def _(c: SmallCohort) -> None:
    del c.arm["treated"]


@case(
    "control and treated alike",
    "cohort.yaml, factors.CCL28.stimulation: control and treated are both 'vehicle'; expected two "
    "different levels",
)
def _(c: SmallCohort) -> None:
    c.arm["treated"] = "vehicle"


@case(
    "no column of treatments",
    "arm.samples.tsv (factor CCL28): has no column 'treatmnet'; expected the column that "
    "stimulation.column of the config names. Did you mean 'treatment'?",
)
def _(c: SmallCohort) -> None:
    c.arm["column"] = "treatmnet"


@case(
    "an unknown treatment",
    "arm.samples.tsv (factor CCL28): no sample has the treatment 'vehicel' that "
    "stimulation.control names; expected at least two samples of each level. Did you mean "
    "'vehicle'?",
)
def _(c: SmallCohort) -> None:
    c.arm["control"] = "vehicel"


@case(
    "a sample that was not counted",
    "arm.samples.tsv (factor CCL28): the sample 'C2_CCL28' is not in arm.counts.tsv; expected a "
    "column of the count matrix. Did you mean 'C2_ccl28'?",
)
def _(c: SmallCohort) -> None:
    c.tables["arm.samples.tsv"].put("C2_ccl28", "sample", "C2_CCL28")


@case(
    "a sample twice",
    "arm.samples.tsv (factor CCL28): the sample 'C1_ccl28' appears twice; expected one row per "
    "sample",
)
def _(c: SmallCohort) -> None:
    table = c.tables["arm.samples.tsv"]
    table.rows.append(list(table.row("C1_ccl28")))


@case(
    "a culture with one treatment alone",
    "arm.samples.tsv (factor CCL28): culture 'C3' has no 'vehicle' sample; expected control and "
    "treated samples in every block. Remove the rows of C3 from the sheet, or add its missing "
    "sample.",
)
def _(c: SmallCohort) -> None:
    c.tables["arm.samples.tsv"].drop("C3_vehicle")
    c.tables["arm.counts.tsv"].drop_column("C3_vehicle")


@case(
    "a single culture",
    "arm.samples.tsv (factor CCL28): all samples have the same culture; expected at least two "
    "blocks, each with control and treated samples. If the samples are independent, write "
    "'block: null'.",
)
def _(c: SmallCohort) -> None:
    for name in ("C2", "C3"):
        c.tables["arm.samples.tsv"].drop(f"{name}_vehicle", f"{name}_ccl28")
        c.tables["arm.counts.tsv"].drop_column(f"{name}_vehicle", f"{name}_ccl28")


@case(
    "one sample of a treatment",
    "arm.samples.tsv (factor CCL28): only one sample is 'vehicle'; expected at least two samples "
    "of each level",
)
def _(c: SmallCohort) -> None:
    c.arm["block"] = None
    for name in ("C2_vehicle", "C3_vehicle"):
        c.tables["arm.samples.tsv"].drop(name)
        c.tables["arm.counts.tsv"].drop_column(name)


@case(
    "a culture without a name",
    "arm.samples.tsv, row 3, column 'culture': the cell is empty; expected a value for every "
    "sample",
)
def _(c: SmallCohort) -> None:
    c.tables["arm.samples.tsv"].put("C1_ccl28", "culture", "")


@case(
    "counts that are not there",
    "cohort.yaml, factors.CCL28.stimulation.counts: there is no file 'arm.count.tsv'; expected "
    "a path, absolute or relative to the working directory. Did you mean 'arm.counts.tsv'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.arm["counts"] = "arm.count.tsv"


@case(
    "a negative count",
    "arm.counts.tsv, row 3 ('DCN'), column 'C1_ccl28': the count is negative (-2); expected a "
    "whole number ≥ 0",
)
def _(c: SmallCohort) -> None:
    c.tables["arm.counts.tsv"].put("DCN", "C1_ccl28", "-2")


@case(
    "genes named otherwise than in the cohort",
    "arm.counts.tsv: only 0 of 60 genes, such as 'ENSG00000001000', are in the count matrix of "
    "the cohort; expected gene names as in the cohort, such as 'BGN'. Count both with the same "
    "annotation.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    table = c.tables["arm.counts.tsv"]
    table.rows[1:] = [[f"ENSG{n:011d}", *row[1:]] for n, row in enumerate(table.rows[1:], 1000)]


@case(
    "a gene that is none",
    "config, factors.CCL28.gene: 'CCL82' is not a recognised human gene; expected a symbol, "
    "Ensembl or Entrez id. Did you mean 'CXCL8'?",
)
def _(c: SmallCohort) -> None:
    c.factor["gene"] = "CCL82"


@case(
    "genes of the context that are none",
    "config, context.pattern: 'BNG' is not a recognised human gene; expected a symbol, Ensembl or "
    "Entrez id. Did you mean 'BGN'?",
    "config, context.receptors: 'CCR33' is not a recognised human gene; expected a symbol, "
    "Ensembl or Entrez id",
)
def _(c: SmallCohort) -> None:
    c.config["context"] = {"pattern": {"BNG": "up"}, "receptors": {"CCR33": "CCL28"}}


@case(
    "a signature without a column",
    "signature.tsv: has no column 'direction'; expected the columns gene, direction. Did you "
    "mean 'direktion'?",
)
def _(c: SmallCohort) -> None:
    c.tables["signature.tsv"].rename("direction", "direktion")


@case(
    "an unknown direction",
    "signature.tsv, row 2, column 'direction': the direction 'dwon' is unknown; expected up or "
    "down. Did you mean 'down'?",
)
def _(c: SmallCohort) -> None:
    c.tables["signature.tsv"].put("BGN", "direction", "dwon")


@case(
    "a gene of a signature twice",
    "signature.tsv, row 4, column 'gene': gene 'BGN' appears more than once; expected each gene "
    "only once",
)
def _(c: SmallCohort) -> None:
    c.tables["signature.tsv"].rows.append(["BGN", "up"])


@case(
    "a signature with an empty gene",
    "signature.tsv, row 2, column 'gene': the cell is empty; expected a gene",
)
def _(c: SmallCohort) -> None:
    c.tables["signature.tsv"].put("BGN", "gene", "")
