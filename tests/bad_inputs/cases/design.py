"""Designs that cannot be fitted, or are not what the config says."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("design")
case = CASES.case


@case(
    "several groups and no reference",
    "cohort.yaml, design: design.reference_group is missing, but there are 2 groups; expected "
    "the group that the others are compared with. Valid: 'AT', 'RT'.",
)
def _(c: SmallCohort) -> None:
    del c.design["reference_group"]


@case(
    "an unknown reference group",
    "samples.tsv, column 'group': no sample has the group 'A' that design.reference_group "
    "names; expected a group of the sample sheet. Did you mean 'AT'?",
)
def _(c: SmallCohort) -> None:
    c.design["reference_group"] = "A"


@case(
    "a reference and no column of groups",
    "cohort.yaml, design: design.reference_group is 'AT', but design.group is null; expected a "
    "group column, or no reference group",
)
def _(c: SmallCohort) -> None:
    c.design["group"] = None


@case(
    "no complete pair in a group",
    "samples.tsv, column 'timepoint': no donor of the group 'AT' has both 'pre' and 'post'; "
    "expected at least one complete pair in each group. The two samples of a donor need the "
    "same name in column 'donor'.",
)
def _(c: SmallCohort) -> None:
    c.drop_samples("D1_pre", "D2_pre", "D3_post")


@case(
    "no complete pair at all",
    "samples.tsv, column 'timepoint': no donor of the group 'AT' has both 'pre' and 'post'; "
    "expected at least one complete pair in each group. The two samples of a donor need the "
    "same name in column 'donor'.",
    "samples.tsv, column 'timepoint': no donor of the group 'RT' has both 'pre' and 'post'; "
    "expected at least one complete pair in each group. The two samples of a donor need the "
    "same name in column 'donor'.",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("donor", lambda donor: donor)
    for row in c.sheet.rows[1:]:
        row[1] = row[0]


@case(
    "a donor in two groups, and no crossover declared",
    "samples.tsv, column 'donor': the donor 'D1' (rows 2, 3, 8, 9) is in the groups 'AT', 'RT'; "
    "expected each donor in one group. If the study is a crossover, write 'crossover: true'. If "
    "these are different donors, give them different names.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D4_pre", "donor", "D1")
    c.sheet.put("D4_post", "donor", "D1")


@case(
    "a crossover declared that is none",
    "samples.tsv, column 'donor': design.crossover is true, but no donor is in two groups; "
    "expected the same donors in several groups. Write 'crossover: false'.",
)
def _(c: SmallCohort) -> None:
    c.design["crossover"] = True


@case(
    "a crossover without groups",
    "cohort.yaml, design: design.crossover is true, but design.group is null; expected a column "
    "of groups, because a crossover compares groups",
)
def _(c: SmallCohort) -> None:
    c.design.update({"crossover": True, "group": None, "reference_group": None})


@case(
    "a covariate that is constant within donors",
    "the model of changes: the design is rank-deficient, because 'age' is a combination of "
    "other model terms; expected covariates that donor, group and time do not determine. 'age' "
    "does not vary within donors, so the donor effects already absorb it. Remove it from "
    "design.covariates.",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["age"]


@case(
    "a batch that is the time",
    "the model of changes: the design is rank-deficient, because 'plate[P2]' is a combination "
    "of other model terms; expected covariates that donor, group and time do not determine. "
    "'plate' is confounded with time: its effect cannot be separated from the change. Remove it "
    "from design.covariates.",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["plate"]
    for row in c.sheet.rows[1:]:
        c.sheet.put(row[0], "plate", {"pre": "P1", "post": "P2"}[row[3]])


@case(
    "a batch that is the group",
    "the model of changes: the design is rank-deficient, because 'plate[P2]' is a combination "
    "of other model terms; expected covariates that donor, group and time do not determine. "
    "'plate' does not vary within donors, so the donor effects already absorb it. Remove it "
    "from design.covariates.",
    "the baseline model: the design is rank-deficient, because 'plate[P2]' is a combination of "
    "other model terms; expected covariates that donor, group and time do not determine. "
    "'plate' is confounded with group: its effect cannot be separated from the group effect. "
    "Remove it from design.covariates.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["plate"]
    for row in c.sheet.rows[1:]:
        c.sheet.put(row[0], "plate", {"AT": "P1", "RT": "P2"}[row[2]])


@case(
    "the time as a covariate",
    "cohort.yaml, design.covariates: the covariate 'timepoint' is also the column of "
    "design.time; expected other columns of the sample sheet. The models already contain the "
    "time. Remove it from covariates.",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["timepoint"]


@case(
    "one pair a group",
    "the model of changes: 4 samples and 4 model coefficients leave no residual degree of "
    "freedom; expected more samples than coefficients. Add complete pairs, or remove covariates.",
    "the baseline model: 2 samples and 2 model coefficients leave no residual degree of "
    "freedom; expected more samples than coefficients. Add complete pairs, or remove covariates.",
)
def _(c: SmallCohort) -> None:
    c.drop_samples(*(f"D{n}_{time}" for n in (2, 3, 5, 6) for time in ("pre", "post")))


@case(
    "more covariates than samples",
    "the model of changes: 12 samples and 16 model coefficients leave no residual degree of "
    "freedom; expected more samples than coefficients. Add complete pairs, or remove covariates.",
    "the baseline model: 6 samples and 10 model coefficients leave no residual degree of "
    "freedom; expected more samples than coefficients. Add complete pairs, or remove covariates.",
)
def _(c: SmallCohort) -> None:
    names = [f"x{n}" for n in range(8)]
    for n, name in enumerate(names):
        c.sheet.add_column(name, [str((row * row * (n + 3) + row * n) % 17) for row in range(12)])
    c.design["covariates"] = names


@case(
    "lines that are not the same before and after",
    "samples.tsv, column 'line': the donor 'D2' has the cell lines 'L1' at 'pre' and 'L2' at "
    "'post'; expected the same cell lines at both times. Remove the rows of cell lines that "
    "lack one of the times from the sheet.",
)
def _(c: SmallCohort) -> None:
    c.design["line"] = "line"
    lines = ["L1"] * 12
    lines[3] = "L2"
    c.sheet.add_column("line", lines)


@case(
    "groups whose names meet in file names",
    "samples.tsv, column 'group': '10%' and '10?' both become '10_' in file names; expected group "
    "names that differ in letters, digits, '.', '_' or '-'",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("group", lambda group: {"AT": "10%", "RT": "10?"}[group])
    c.design["reference_group"] = "10%"


@case(
    "technical replicates that differ in a covariate",
    "sample sheet, donor 'D1', group 'AT', time 'post': the samples D1_post, D1_post_2 are to "
    "be summed, but they differ in 'plate': 'P2', 'P9'; expected one value of 'plate' per donor "
    "and time",
    "sample sheet, donor 'D1', group 'AT', time 'pre': the samples D1_pre, D1_pre_2 are to be "
    "summed, but they differ in 'plate': 'P1', 'P9'; expected one value of 'plate' per donor "
    "and time",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["plate"]
    for name in ("D1_pre", "D1_post"):
        c.sheet.rows.append([f"{name}_2", *c.sheet.row(name)[1:]])
        c.sheet.rows[-1][c.sheet.header.index("plate")] = "P9"
        c.counts.add_column(f"{name}_2", [row[1] for row in c.counts.rows[1:]])


@case(
    "a group's name as long as a sentence",
    *(
        "cohort.yaml, names of contrasts: the name 'resistance training resistance…' has "
        f"{length} characters; expected at most 120, because the name becomes part of file names"
        for length in (120 + 11, 120 + 12, 120 + 9)
    ),
)
def _(c: SmallCohort) -> None:
    name = "resistance training " * 5 + "resistance exercises"
    c.sheet.map("group", lambda group: {"AT": "AT", "RT": name[:119]}[group])


@case(
    "no column of pools",
    "samples.tsv: has no column 'pool'; expected the column that design.pool names. Columns "
    "found: 'sample', 'donor', 'group', 'timepoint', 'ccl28', 'age', 'plate', 'rin'.",
)
def _(c: SmallCohort) -> None:
    c.design["pool"] = "pool"


@case(
    "cells that do not say how many sera were pooled",
    "samples.tsv, row 3, column 'sera': '0' does not say how many sera were pooled; expected "
    "the number of sera (1 means no pool), or yes or no",
    "samples.tsv, row 4, column 'sera': the cell is empty; expected a value for every sample",
    "samples.tsv, row 6, column 'sera': 'pooled' does not say how many sera were pooled; "
    "expected the number of sera (1 means no pool), or yes or no",
)
def _(c: SmallCohort) -> None:
    c.design["pool"] = "sera"
    c.sheet.add_column("sera", ["1", "0", "", "1", "pooled", *["1"] * 7])


@case(
    "a donor who is a pool before and a person after",
    "samples.tsv, column 'sera': the donor 'D1' (rows 2, 3) is a pool in one sample but not in "
    "another; expected one kind of serum per donor",
)
def _(c: SmallCohort) -> None:
    c.design["pool"] = "sera"
    c.sheet.add_column("sera", ["8", "1", *["1"] * 10])


@case(
    "the donors' column for pools",
    "cohort.yaml, design: donor and pool both name the column 'donor'; expected a different "
    "column for each",
)
def _(c: SmallCohort) -> None:
    c.design["pool"] = "donor"
