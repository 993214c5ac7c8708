"""Mistakes about an outcome: its keys, its column, the values in it."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("outcomes")
case = CASES.case
VALUES = ["1.1", "1.2", "1.3", "1.5", "1.0", "1.4", "1.6", "1.9", "1.2", "1.1", "1.7", "1.5"]


def _with(c: SmallCohort, **entry: str) -> None:
    """Give the cohort an outcome, and its column."""
    c.config["outcomes"] = {"skin": entry or {"column": "thickness"}}
    c.sheet.add_column("thickness", VALUES)


@case(
    "neither column nor change_column",
    "cohort.yaml, outcomes.skin: outcomes.skin has no column; expected either column (one value "
    "per sample) or change_column (one change per donor)",
)
def _(c: SmallCohort) -> None:
    _with(c, scale="linear")


@case(
    "both column and change_column",
    "cohort.yaml, outcomes.skin: outcomes.skin has both column and change_column; expected "
    "either column (one value per sample) or change_column (one change per donor)",
)
def _(c: SmallCohort) -> None:
    _with(c, column="thickness", change_column="thickness")


@case(
    "a column misspelt",
    "samples.tsv: has no column 'thicknes'; expected the column that outcomes.skin names. Did "
    "you mean 'thickness'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    _with(c)
    c.config["outcomes"]["skin"]["column"] = "thicknes"


@case("a key misspelt", "cohort.yaml, outcomes.skin: unknown key 'colum'")
def _(c: SmallCohort) -> None:
    _with(c, colum="thickness")


@case(
    "the column of the donors",
    "cohort.yaml, outcomes.skin.change_column: 'donor' is also the column of design.donor; "
    "expected a column that only the outcome uses",
)
def _(c: SmallCohort) -> None:
    c.config["outcomes"] = {"skin": {"change_column": "donor"}}


@case(
    "the column of a covariate",
    "cohort.yaml, outcomes.skin.column: 'thickness' is also the column of design.covariates; "
    "expected a column that only the outcome uses",
)
def _(c: SmallCohort) -> None:
    _with(c)
    c.design["covariates"] = ["thickness"]


@case(
    "text, and a decimal comma",
    "samples.tsv, row 2, column 'thickness': the value 'thick' of 'skin' is not a number; expected "
    "a number, or an empty cell",
    "samples.tsv, row 4, column 'thickness': the value '1,3' of 'skin' is not a number; expected "
    "a number, or an empty cell. Write decimals with a point.",
)
def _(c: SmallCohort) -> None:
    _with(c)
    c.sheet.rows[1][-1], c.sheet.rows[3][-1] = "thick", "1,3"


@case(
    "0 on a log2 scale",
    "samples.tsv, row 3, column 'thickness': the value 0 of 'skin' has no logarithm (1 such "
    "cell); expected values above 0 with scale log2. Write 'scale: linear' for skin, or leave "
    "the cell empty.",
)
def _(c: SmallCohort) -> None:
    _with(c, column="thickness", scale="log2")
    c.sheet.rows[2][-1] = "0"


@case(
    "a log2 scale for changes",
    "cohort.yaml, outcomes.skin.scale: scale is log2, but a change may be negative and has no "
    "logarithm; expected 'scale: linear' with change_column. Use column with the values before "
    "and after, or write the changes of the log2 values into the sheet.",
)
def _(c: SmallCohort) -> None:
    _with(c, change_column="thickness", scale="log2")
    c.sheet.map("thickness", lambda _: "1.5")


@case(
    "a donor with two changes",
    "samples.tsv, column 'thickness': the donor 'D1' (rows 2, 3) has several changes: 1.1, 1.2; "
    "expected one change per donor, in one of its rows or in all of them",
)
def _(c: SmallCohort) -> None:
    _with(c, change_column="thickness")
    for number, row in enumerate(c.sheet.rows[3:]):
        row[-1] = "" if number % 2 else "1.5"


@case(
    "no value at all",
    "samples.tsv, column 'thickness': has no value of the outcome 'skin'; expected numbers. "
    "Remove 'skin' from outcomes, or fill in the column",
)
def _(c: SmallCohort) -> None:
    _with(c)
    c.sheet.map("thickness", lambda _: "NA")


@case(
    "names that meet in file names",
    "cohort.yaml, outcomes: 'skin a' and 'skin_a' both become 'skin_a' in file names; expected "
    "outcomes that differ in letters, digits",
)
def _(c: SmallCohort) -> None:
    _with(c)
    entry = c.config["outcomes"]["skin"]
    c.config["outcomes"] = {"skin a": entry, "skin_a": entry}


@case(
    "an outcome that is a column's name alone",
    "cohort.yaml, outcomes.thick: 'age' is not valid; expected keys with their values: one "
    "outcome, with column or with change_column. Write {column: age}.",
)
def _(c: SmallCohort) -> None:
    c.config["outcomes"] = {"thick": "age"}
