"""Mistakes in the serum panel: its keys, its table, factors that take their level from it."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort, Table

CASES = Cases("serum panel")
case = CASES.case


def panel(c: SmallCohort, **settings: object) -> Table:
    """Give a cohort a serum panel of three molecules, and return its table."""
    names = [row[0] for row in c.sheet.rows[1:]]
    rows = [[name, *(str(10 * k + n) for k in range(1, 4))] for n, name in enumerate(names)]
    c.tables["serum.tsv"] = Table([["sample", "IL6", "CXCL4", "DMG"], *rows])
    c.config["serum_panel"] = {"table": "serum.tsv"} | settings
    return c.tables["serum.tsv"]


def by_donor(c: SmallCohort) -> Table:
    """Give a cohort a serum panel that is keyed by donor and time."""
    table = panel(c, key="donor_time")
    keys = [[row[1], row[3]] for row in c.sheet.rows]
    table.rows = [[*key, *row[1:]] for key, row in zip(keys, table.rows, strict=True)]
    return table


@case(
    "all kinds of mistakes at once",
    "serum.tsv, header: the column 'DMG' appears more than once",
    "serum.tsv, header: the column 'group' has the same name as the sample sheet's column of "
    "design.group; expected only key columns and molecules. Remove it from the table, or rename "
    "the molecule.",
    "serum.tsv, row 3, column 'sample': the sample 'D1_pst' is not in the sample sheet; expected a "
    "sample of the sample sheet. Did you mean 'D1_post'?",
    "serum.tsv: the sample 'D2_post' appears in rows 4, 5; expected one row per sample",
    "serum.tsv, column 'vial': the column contains only text ('blue'); expected numbers. If it "
    "is not a molecule, remove it from the table.",
    "serum.tsv, row 6, column 'IL6': the level 'low' is not a finite number; expected a number, "
    "'<' with the limit of detection, or an empty cell. If it means below the limit of "
    "detection, write only '<' and the limit, such as '<15'. If the level was not measured, "
    "leave the cell empty.",
    "serum.tsv, row 7, column 'IL6': the level 'inf' is not a finite number",
    "serum.tsv, row 8, column 'IL6': the level '1,5' is not a finite number; expected a number, "
    "'<' with the limit of detection, or an empty cell. Write decimals with a point.",
    "serum.tsv, row 9, column 'IL6': the level '0' has no logarithm; expected levels above 0",
)
def _(c: SmallCohort) -> None:
    table = panel(c)
    table.rows[2][0], table.rows[3][0] = "D1_pst", "D2_post"
    for row, cell in zip(table.rows[5:9], ("low", "inf", "1,5", "0"), strict=True):
        row[1] = cell
    table.add_column("vial", ["blue"] * 12)
    table.add_column("group", ["AT"] * 12)
    table.add_column("DMG", ["3"] * 12)


@case(
    "many cells of text",
    *(
        f"serum.tsv, row {n}, column 'IL6': the level 'x' is not a finite number"
        for n in range(2, 7)
    ),
    "serum.tsv: 4 more cells with the same problem (columns 'IL6'): the level is not a finite "
    "number",
)
def _(c: SmallCohort) -> None:
    for row in panel(c).rows[1:10]:
        row[1] = "x"


@case(
    "no key column",
    "serum.tsv: has no column 'sample'; expected the column of 'key: sample', with the same "
    "name as in the sample sheet. Did you mean 'Sampl'?",
)
def _(c: SmallCohort) -> None:
    panel(c).rows[0][0] = "Sampl"


@case(
    "samples as columns",
    "serum.tsv: has no column 'sample'; expected the column of 'key: sample', with the same "
    "name as in the sample sheet. The table has samples in columns. Transpose it: samples in "
    "rows, molecules in columns.",
)
def _(c: SmallCohort) -> None:
    table = panel(c)
    table.rows = [list(row) for row in zip(*table.rows, strict=True)]
    table.rows[0][0] = "molecule"


@case("no molecule", "serum.tsv: has no column of a molecule; expected one column per molecule")
def _(c: SmallCohort) -> None:
    table = by_donor(c)
    table.rows = [row[:2] for row in table.rows]


@case("no row", "serum.tsv: has a header but no rows")
def _(c: SmallCohort) -> None:
    table = panel(c)
    table.rows = table.rows[:1]


@case(
    "an unknown donor and time",
    "serum.tsv, row 2, column 'donor': the donor 'D7' is not in the sample sheet; expected a donor",
    "serum.tsv, row 3, column 'timepoint': the time 'pots' is not in the sample sheet; expected a "
    "time of the sample sheet. Did you mean 'post'?",
    "serum.tsv: the donor and time 'D3 post' appears in rows 6, 7; expected one row per donor "
    "and time",
)
def _(c: SmallCohort) -> None:
    table = by_donor(c)
    table.rows[1][0], table.rows[2][1], table.rows[5][1] = "D7", "pots", "post"


@case(
    "a limit that is nowhere",
    "serum.tsv: no row and no column of the table has the name 'LOD', which "
    "serum_panel.detection_limit gives; expected one row with this name in column 'sample', or "
    "one column. Valid: 'sample', 'IL6', 'CXCL4', 'DMG', 'D5_post', 'D6_pre', 'D6_post'.",
)
def _(c: SmallCohort) -> None:
    panel(c, detection_limit="LOD")


@case(
    "limits that are none",
    "serum.tsv, row 14, column 'IL6': the limit of detection 'x' is not a number above 0",
    "serum.tsv, row 14, column 'DMG': the limit of detection '0' is not a number above 0",
)
def _(c: SmallCohort) -> None:
    panel(c, detection_limit="LOD").rows.append(["LOD", "x", "", "0"])


@case(
    "a limit of 0",
    "cohort.yaml, serum_panel.detection_limit: the limit 0 is not above 0, but the scale is linear",
)
def _(c: SmallCohort) -> None:
    panel(c, detection_limit=0)


@case(
    "replicates that differ",
    "serum.tsv: rows 2, 14 describe the same serum (donor 'D1', group 'AT', time 'pre') but "
    "differ; expected one level of each molecule per donor and time. Keep one of the rows, or "
    "write the same levels in all of them.",
)
def _(c: SmallCohort) -> None:
    table = panel(c)
    again = c.sheet.row("D1_pre").copy()
    c.sheet.rows.append(["D1_again", *again[1:]])
    for row, copied in zip(c.counts.rows, [row[1] for row in c.counts.rows], strict=True):
        row.append(copied)
    c.counts.rows[0][-1] = "D1_again"
    table.rows.append(["D1_again", "1", "2", "3"])


@case(
    "a factor of no panel",
    "cohort.yaml, factors.CCL28.serum: 'panel:CCL28' refers to serum_panel, but the config has "
    "no serum_panel; expected a column of the sample sheet, or the key serum_panel with a table",
)
def _(c: SmallCohort) -> None:
    c.factor["serum"] = "panel:CCL28"


@case(
    "an unknown molecule",
    "cohort.yaml, factors.CCL28.serum: 'CXCL5' is not a molecule of serum.tsv; expected a "
    "molecule of the panel table. Did you mean 'CXCL4'?",
)
def _(c: SmallCohort) -> None:
    panel(c)
    c.factor["serum"] = "panel:CXCL5"


@case(
    "two sources for one molecule",
    "cohort.yaml, factors.CCL28.serum: CCL28 has levels in two places: the sample sheet's "
    "column 'ccl28' and 'CCL28' of serum.tsv; expected one source per molecule. Write "
    "'panel:CCL28', or remove the molecule from the table.",
)
def _(c: SmallCohort) -> None:
    panel(c).rows[0][1] = "CCL28"


@case(
    "two scales for one molecule",
    "cohort.yaml, factors.CCL28.serum_scale: serum_scale is log2, but the level comes from "
    "serum_panel, whose scale is linear; expected the scale of serum_panel. Remove serum_scale "
    "from CCL28, or write 'scale: log2' in serum_panel.",
)
def _(c: SmallCohort) -> None:
    panel(c)
    c.factor.update({"serum": "panel:IL6", "serum_scale": "log2"})


@case("no such file", "cohort.yaml, serum_panel: there is no file 'serum.tsv'")
def _(c: SmallCohort) -> None:
    panel(c)
    c.instead["serum.tsv"] = None


@case(
    "molecules that differ in case alone",
    "serum.tsv, header: the molecules 'IL6' and 'il6' differ only in upper and lower case; "
    "expected each molecule only once",
)
def _(c: SmallCohort) -> None:
    panel(c).rename("DMG", "il6")


@case(
    "concentrations on a log2 scale",
    "serum.tsv, row 2, column 'CXCL4': the level 700 is too high for a log2 level (12 such "
    "cells); expected at most 64, because serum_panel.scale is log2. If the levels are "
    "concentrations, write 'scale: linear'.",
)
def _(c: SmallCohort) -> None:
    panel(c, scale="log2").map("CXCL4", lambda _: "700")
