"""Times, doses, a control and contrasts of one's own that cannot be, or are not what was meant."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("contrasts")
case = CASES.case


def three_times(c: SmallCohort) -> None:
    c.add_time("week16")
    c.design["after"] = ["post", "week16"]


@case(
    "times after that include the time before",
    "cohort.yaml, design: before and after are both 'pre'; expected two different levels of the "
    "time column",
)
def _(c: SmallCohort) -> None:
    c.design["after"] = ["post", "pre"]


@case(
    "one time after of several that no sample has",
    "samples.tsv, column 'timepoint': no sample has the level 'week61' that design.after names; "
    "expected a level of this column. Did you mean 'week16'?",
)
def _(c: SmallCohort) -> None:
    three_times(c)
    c.design["after"] = ["post", "week61"]


@case(
    "a time that is neither compared nor ignored",
    "samples.tsv, column 'timepoint': the level 'week16' (rows 14, 15, 16, 17, 18, …) is in "
    "neither design.before nor design.after; expected 'pre' or 'post'. To exclude these "
    "samples, add the level to design.ignore_times. To compare it with 'pre', add it to "
    "design.after.",
)
def _(c: SmallCohort) -> None:
    three_times(c)
    c.design["after"] = "post"


@case(
    "a time that is compared and ignored",
    "cohort.yaml, design.ignore_times: 'post' is both compared and ignored; expected only times "
    "that before and after do not list. Remove 'post' from ignore_times, or from before and "
    "after.",
)
def _(c: SmallCohort) -> None:
    three_times(c)
    c.design["ignore_times"] = ["post"]


@case(
    "an ignored time that no sample has",
    "samples.tsv, column 'timepoint': no sample has the level 'folow_up' that "
    "design.ignore_times names",
)
def _(c: SmallCohort) -> None:
    c.design["ignore_times"] = ["folow_up"]


def with_doses(c: SmallCohort, *cells: str) -> None:
    """Give the cohort a column of doses, these cells first."""
    c.design["dose"] = "sessions"
    c.sheet.add_column("sessions", [*cells, *map(str, range(12 - len(cells)))])


@case(
    "doses that are no numbers",
    "samples.tsv, row 2, column 'sessions': the dose 'many' is not a number; expected a number, "
    "or an empty cell",
    "samples.tsv, row 3, column 'sessions': the dose '1,5' is not a number; expected a number, or "
    "an empty cell. Write decimals with a point.",
)
def _(c: SmallCohort) -> None:
    with_doses(c, "many", "1,5", "")


@case(
    "a dose column misspelt",
    "samples.tsv: has no column 'session'; expected the column that design.dose names. Did you "
    "mean 'sessions'?",
)
def _(c: SmallCohort) -> None:
    with_doses(c)
    c.design["dose"] = "session"


@case(
    "a dose that is a covariate too, with blocks",
    "cohort.yaml, design.covariates: the covariate 'sessions' is also the column of "
    "design.dose; expected other columns of the sample sheet. The models already contain the "
    "dose. Remove it from covariates.",
    "cohort.yaml, design.dose: a slope on the dose compares independent donors, and donors who "
    "share blocks are not independent; expected 'dose: null', or no design.block",
)
def _(c: SmallCohort) -> None:
    with_doses(c)
    c.design.update({"covariates": ["sessions"], "block": "plate"})


@case(
    "a dose in a crossover",
    "cohort.yaml, design.dose: a slope on the dose compares independent donors, and in a "
    "crossover a donor's pairs are not independent; expected 'dose: null', or no "
    "design.crossover",
)
def _(c: SmallCohort) -> None:
    with_doses(c)
    c.design["crossover"] = True
    c.sheet.map("donor", lambda v: {"D4": "D1", "D5": "D2", "D6": "D3"}.get(v, v))


@case(
    "a control that is no group",
    "cohort.yaml, design.control: no sample has the group 'contrl'; expected a group of the "
    "sample sheet. Valid: 'AT', 'RT'.",
)
def _(c: SmallCohort) -> None:
    c.design["control"] = "contrl"


@case(
    "own contrasts: all mistakes at once",
    "cohort.yaml, contrasts.unknown: 'TR' is not a group; expected one of 'AT', 'RT'",
    "cohort.yaml, contrasts.sum: the weights sum to 0.9; expected a sum of 0 (a difference) or of "
    "1 (an average)",
    "cohort.yaml, contrasts.nothing: every weight is 0; expected weights that sum to 0 or to 1",
)
def _(c: SmallCohort) -> None:
    c.config["contrasts"] = {
        "unknown": {"TR": 1, "AT": -1},
        "sum": {"AT": 0.4, "RT": 0.5},
        "nothing": {"AT": 0, "RT": 0},
    }


@case(
    "own contrast: a group without its time",
    "cohort.yaml, contrasts.mine: 'RT' names no time; expected a group and a time: 'RT@post', "
    "'RT@week16'",
)
def _(c: SmallCohort) -> None:
    three_times(c)
    c.config["contrasts"] = {"mine": {"RT": 1, "AT@post": -1}}


@case(
    "own contrast: a name that is taken",
    "cohort.yaml, names of contrasts: 'RT_vs_AT_change' is already the name of a contrast that "
    "every run has; expected another name for the own contrast. Rename 'RT_vs_AT_change'.",
)
def _(c: SmallCohort) -> None:
    c.config["contrasts"] = {"RT_vs_AT_change": {"RT": 1, "AT": -1}}


@case(
    "own contrast: weights that are text",
    "cohort.yaml, contrasts.mine.RT: '1/2' is not valid; expected a number: weight of the change",
)
def _(c: SmallCohort) -> None:
    c.config["contrasts"] = {"mine": {"AT": 0.5, "RT": "1/2"}}


@case(
    "the time before is ignored",
    "cohort.yaml, design.ignore_times: 'pre' is both compared and ignored; expected only times "
    "that before and after do not list. Remove 'pre' from ignore_times, or from before and "
    "after.",
)
def _(c: SmallCohort) -> None:
    c.design["ignore_times"] = ["pre"]


@case(
    "several times after in one text",
    "samples.tsv, column 'timepoint': no sample has the level 'post, late' that design.after "
    "names; expected a level of this column. Write it as a list, without quotes: [post, late].",
)
def _(c: SmallCohort) -> None:
    c.add_time("late")
    c.design["after"] = "post, late"


@case(
    "a key of the top level under design",
    "cohort.yaml, design: unknown key 'contrasts'. It belongs at the top level.",
    "cohort.yaml, design: unknown key 'differences'. It belongs at the top level.",
)
def _(c: SmallCohort) -> None:
    c.design.update({"contrasts": {"mine": {"RT": 1, "AT": -1}}, "differences": "pairwise"})


@case(
    "a weight that is no number",
    "cohort.yaml, contrasts.mine.RT: nan is not valid; expected a number",
)
def _(c: SmallCohort) -> None:
    c.config["contrasts"] = {"mine": {"RT": float("nan"), "AT": -1}}


@case(
    "a dose column without a dose",
    "samples.tsv, column 'hours': has no dose; expected numbers. Write the doses, or 'dose: "
    "null' in the config.",
)
def _(c: SmallCohort) -> None:
    c.sheet.add_column("hours", [""] * (len(c.sheet.rows) - 1))
    c.design["dose"] = "hours"
