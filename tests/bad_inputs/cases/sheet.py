"""Mistakes in the sample sheet."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort
from helpers.spoiling import XLS

CASES = Cases("sheet")
case = CASES.case


@case(
    "no column of samples",
    "samples.tsv: has no column 'sample'; expected the column of sample names. Did you mean "
    "'Sample ID'? If the column has another name, write it in design.sample.",
)
def _(c: SmallCohort) -> None:
    c.sheet.rename("sample", "Sample ID")


@case(
    "no column of donors",
    "samples.tsv: has no column 'donor'; expected the column that design.donor names. Did you "
    "mean 'Donor'?",
)
def _(c: SmallCohort) -> None:
    c.sheet.rename("donor", "Donor")


@case(
    "no column of groups",
    "samples.tsv: has no column 'arm'; expected the column that design.group names. Columns "
    "found: 'sample', 'donor', 'group', 'timepoint', 'ccl28', 'age', 'plate', 'rin'.",
)
def _(c: SmallCohort) -> None:
    c.design["group"] = "arm"


@case(
    "no column of a covariate",
    "samples.tsv: has no column 'plat'; expected the column that design.covariates names. Did "
    "you mean 'plate'?",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["plat"]


@case(
    "no column of serum levels",
    "samples.tsv: has no column 'CCL28_pg_ml'; expected the column that factors.CCL28.serum "
    "names. Did you mean 'ccl28'?",
)
def _(c: SmallCohort) -> None:
    c.factor["serum"] = "CCL28_pg_ml"


@case(
    "a sample twice",
    "samples.tsv, column 'sample': the sample 'D2_pre' appears in rows 4, 14; expected one row "
    "per sample",
)
def _(c: SmallCohort) -> None:
    c.sheet.rows.append(list(c.sheet.row("D2_pre")))


@case(
    "a sample that was not counted",
    "samples.tsv, row 4, column 'sample': the sample 'D2_pre' is not in the counts; expected a "
    "column of the count matrix",
)
def _(c: SmallCohort) -> None:
    c.counts.drop_column("D2_pre")


@case(
    "a sample misspelt",
    "samples.tsv, row 4, column 'sample': the sample 'D2pre' is not in the counts; expected a "
    "column of the count matrix. Did you mean 'D2_pre'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D2_pre", "sample", "D2pre")


@case(
    "names that R has changed",
    "samples.tsv, column 'sample': none of the samples ('D1-pre', 'D1-post', 'D2-pre' and 9 "
    "more) is in the counts. The counts contain 'D1.pre', 'D1.post', 'D2.pre' and 9 more; "
    "expected the names of the count matrix's columns. R changed 'D1-pre' to 'D1.pre'. Read the "
    "counts with check.names=FALSE in R, or write 'D1.pre' in the sheet.",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("sample", lambda name: name.replace("_", "-"))
    c.counts.rows[0] = [name.replace("_", ".") for name in c.counts.header]


@case(
    "other names throughout",
    "samples.tsv, column 'sample': none of the samples ('GSMerp_1D', 'GSMtsop_1D', 'GSMerp_2D' "
    "and 9 more) is in the counts. The counts contain 'D1_pre', 'D1_post', 'D2_pre' and 9 more; "
    "expected the names of the count matrix's columns",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("sample", lambda name: f"GSM{name[::-1]}")


@case(
    "an empty cell",
    "samples.tsv, row 7, column 'donor': the cell is empty; expected a value for every sample",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "donor", "")


@case(
    "a missing value in words",
    "samples.tsv, row 7, column 'group': the value is missing ('NA'); expected a value for every "
    "sample",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "group", "NA")


@case(
    "a level in two spellings",
    "samples.tsv, column 'timepoint': 'Post' (row 7) differs from 'post' only in case or "
    "spaces; expected one spelling per level",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "timepoint", "Post")


@case(
    "an unknown time",
    "samples.tsv, column 'timepoint': the level 'week 12' (row 7) is in neither design.before "
    "nor design.after; expected 'pre' or 'post'. To exclude these samples, add the level to "
    "design.ignore_times. To compare it with 'pre', add it to design.after.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "timepoint", "week 12")


@case(
    "a level of the config that no sample has",
    "samples.tsv, column 'timepoint': no sample has the level 'posst' that design.after names; "
    "expected a level of this column. Did you mean 'post'?",
)
def _(c: SmallCohort) -> None:
    c.design["after"] = "posst"


@case(
    "a cell too few",
    "samples.tsv, row 7: has 7 cells; expected 8, as in the first row",
)
def _(c: SmallCohort) -> None:
    c.sheet.row("D3_post").pop()


@case(
    "a column's name twice",
    "samples.tsv, header: the column 'age' appears more than once; expected each column name "
    "only once",
)
def _(c: SmallCohort) -> None:
    c.sheet.rename("rin", "age")


@case(
    "a column without a name",
    "samples.tsv, header: column 1 has no name; expected a name. Name it 'sample' if it "
    "contains the sample names.",
)
def _(c: SmallCohort) -> None:
    c.sheet.rename("sample", "")


@case(
    "a header and no rows",
    "samples.tsv: has a header but no rows; expected one row per sample",
)
def _(c: SmallCohort) -> None:
    c.sheet.rows = c.sheet.rows[:1]


@case(
    "an empty file",
    "samples.tsv: is empty; expected a table with a header and rows",
)
def _(c: SmallCohort) -> None:
    c.instead["samples.tsv"] = ""


@case(
    "semicolons between columns",
    "samples.tsv: has semicolons between columns; expected tabs or commas. Save it with commas "
    "between columns and decimal points in numbers, or as tab-separated text.",
)
def _(c: SmallCohort) -> None:
    c.instead["samples.tsv"] = c.sheet.text(";")


@case(
    "an Excel workbook of the old kind",
    "samples.tsv: is an old Excel workbook (.xls), or one with a password; expected a text "
    "table or .xlsx. In Excel, save it as .xlsx, without a password.",
)
def _(c: SmallCohort) -> None:
    c.instead["samples.tsv"] = XLS


@case(
    "another encoding",
    "samples.tsv, row 7: byte 0xE4 is not UTF-8 text (the file is binary, Latin-1 or "
    "Windows-1252); expected UTF-8. Save it as UTF-8.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "plate", "Plättchen")
    c.instead["samples.tsv"] = c.sheet.text().encode("latin-1")


@case(
    "a quotation mark that is not closed",
    "samples.tsv, row 7: a quotation mark is opened but not closed; expected quotation marks in "
    "pairs",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "plate", '"P1')


@case(
    "a folder",
    "samples.tsv: is a folder; expected a file",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.instead["samples.tsv"] = None
    c.late.append(lambda folder: (folder / "samples.tsv").mkdir())


@case(
    "a serum level with a decimal comma",
    "samples.tsv, row 7, column 'ccl28': the level '512,5' of CCL28 is not a number; expected a "
    "number, '<' with the limit of detection, or an empty cell. Write decimals with a point.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "ccl28", "512,5")


@case(
    "a serum level in words",
    "samples.tsv, row 7, column 'ccl28': the level 'below detection' of CCL28 is not a number; "
    "expected a number, '<' with the limit of detection, or an empty cell. If it means below "
    "the limit of detection, write only '<' and the limit, such as '<15'. If the level was not "
    "measured, leave the cell empty.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "ccl28", "below detection")


@case(
    "a negative serum level",
    "samples.tsv, row 7, column 'ccl28': the level -3 of CCL28 is negative (1 such cell); "
    "expected a level of 0 or more. If the levels are logarithms, write 'serum_scale: log2' for "
    "CCL28.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D3_post", "ccl28", "-3")


@case(
    "no serum level at all",
    "samples.tsv, column 'ccl28': has no level of CCL28; expected numbers. Write the levels, or "
    "'serum: null' for CCL28.",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("ccl28", lambda level: "")


@case(
    "words in a numeric covariate",
    "samples.tsv, row 7, column 'rin': 'good' is not a number, but the covariate is a number in "
    "most rows; expected only numbers, or only categories",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["rin"]
    c.sheet.put("D3_post", "rin", "good")


@case(
    "a covariate that is the same everywhere",
    "samples.tsv, column 'plate': the covariate is 'P1' in every sample; expected values that "
    "differ between samples. Remove it from covariates.",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["plate"]
    c.sheet.map("plate", lambda plate: "P1")


@case(
    "columns whose names meet",
    "samples.tsv, header: the columns 'serum/lot' and 'serum_lot' both become 'serum_lot'; "
    "expected names that still differ when '/' is replaced by '_'. Rename one of them.",
)
def _(c: SmallCohort) -> None:
    c.sheet.add_column("serum/lot", [str(n % 3) for n in range(12)])
    c.sheet.add_column("serum_lot", [str(n % 2) for n in range(12)])


@case(
    "leading zeros that a spreadsheet took from one cell",
    "samples.tsv, column 'donor': '1' (row 3) differs from '001' only in leading zeros; "
    "expected one spelling per level",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("donor", lambda donor: donor.replace("D", "00"))
    c.sheet.put("D1_post", "donor", "1")


@case(
    "samples in capitals",
    "samples.tsv, column 'sample': none of the samples ('D1_PRE', 'D1_POST', 'D2_PRE' and 9 "
    "more) is in the counts. The counts contain 'D1_pre', 'D1_post', 'D2_pre' and 9 more; "
    "expected the names of the count matrix's columns. 'D1_PRE' is written 'D1_pre' there. Use "
    "the same spelling.",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("sample", str.upper)


@case(
    "a level above the assay's range, one without its limit, and one with its unit",
    "samples.tsv, row 2, column 'ccl28': the level '>800' of CCL28 is not a number; expected a "
    "number, '<' with the limit of detection, or an empty cell. It is above the assay's range. "
    "Measure a dilution, or leave the cell empty.",
    "samples.tsv, row 3, column 'ccl28': the level '<LOD' of CCL28 is not a number; expected a "
    "number, '<' with the limit of detection, or an empty cell. If it is below the limit of "
    "detection, write only '<' and the limit, such as '<15'.",
    "samples.tsv, row 4, column 'ccl28': the level '412 pg/ml' of CCL28 is not a number; "
    "expected a number, '<' with the limit of detection, or an empty cell. Write only the "
    "number, in the same unit for all samples.",
)
def _(c: SmallCohort) -> None:
    c.sheet.put("D1_pre", "ccl28", ">800")
    c.sheet.put("D1_post", "ccl28", "<LOD")
    c.sheet.put("D2_pre", "ccl28", "412 pg/ml")


@case(
    "numbers that may be names of batches",
    "samples.tsv, column 'batch': the covariate contains only the whole numbers 1, 2 and 3, "
    "which may be measurements or names of categories; expected the kind of the covariate in "
    "design.covariates. Write {batch: categorical} if the numbers are names (one effect each), "
    "or {batch: numeric} if they are measurements (one slope).",
)
def _(c: SmallCohort) -> None:
    c.sheet.add_column("batch", list("123213121321"))
    c.design["covariates"] = ["batch"]


@case(
    "another name of the column of samples",
    "samples.tsv: has no column 'sample'; expected the column of sample names. Columns found: "
    "'Run', 'donor', 'group', 'timepoint', 'ccl28', 'age', 'plate', 'rin'. If the column has "
    "another name, write it in design.sample.",
)
def _(c: SmallCohort) -> None:
    c.sheet.rename("sample", "Run")


@case(
    "another name of that column in the sheet of a stimulation experiment",
    "arm.samples.tsv: has no column 'Runs'; expected the column that the key 'sample' of the "
    "config names. Did you mean 'Run'?",
)
def _(c: SmallCohort) -> None:
    c.tables["arm.samples.tsv"].rename("sample", "Run")
    c.arm["sample"] = "Runs"
