"""The sample sheet: read as text, one mistake a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fibroserum.errors import InputError
from fibroserum.files.table import read_sheet
from fibroserum.input.sheet import is_pool, missing_names, pools_of, read_sample_sheet
from fibroserum.input.sheet_checks import check_sheet

DESIGN: dict[str, Any] = {
    "donor": "donor", "group": "group", "time": "timepoint", "before": "pre", "after": "post",
    "reference_group": "AT", "line": None, "line_sex": None, "crossover": False,
    "randomised": True, "covariates": [],
}  # fmt: skip
FACTORS = {"CCL28": {"gene": "CCL28", "serum": "ccl28", "serum_scale": "linear"}}


def sheet() -> pd.DataFrame:
    """Return two donors in each of two groups, before and after."""
    rows = [
        {"sample": f"{donor}_{time}", "donor": donor, "group": group, "timepoint": time,
         "ccl28": f"{level}", "age": age, "plate": plate, "line": "L1"}
        for donor, group, age, plate in
        (("D1", "AT", "50", "p1"), ("D2", "AT", "61", "p2"), ("D3", "RT", "47", "p1"),
         ("D4", "RT", "55.5", "p2"))
        for time, level in (("pre", 12.5), ("post", 9))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def problems(table: pd.DataFrame, counted: Any = None, **design: Any) -> list[str]:
    return [str(p) for p in check_sheet(table, DESIGN | design, FACTORS, counted)]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def changed(row: int, column: str, value: str) -> pd.DataFrame:
    table = sheet()
    table.loc[row, column] = value
    return table


# -- reading ---------------------------------------------------------------------------------


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", ["\t", ","])
def test_every_cell_is_text(separator: str, tmp_path: Path) -> None:
    rows = ["sample,donor,age,note", "001,1e5,NA,True", '1.0,nan,,"  x "', "007,0x1,-1,null"]
    text = "\n".join(rows).replace(",", separator)
    table = read_sheet(written(tmp_path / "x.csv", "\ufeff" + text))
    assert list(table.columns) == ["sample", "donor", "age", "note"]
    assert table.to_numpy().tolist() == [
        ["001", "1e5", "NA", "True"], ["1.0", "nan", "", "x"], ["007", "0x1", "-1", "null"]
    ]  # fmt: skip


def test_commas_in_quotes_stay(tmp_path: Path) -> None:
    table = read_sheet(written(tmp_path / "x", 'sample,note\nS1,"a, b"\n'))
    assert table.loc[0, "note"] == "a, b"


def test_lines_of_the_file_are_kept_for_messages(tmp_path: Path) -> None:
    path = written(tmp_path / "x", "sample\tdonor\n\nS1\tD1\n\nS2\tD2\n")
    table = read_sheet(path)
    assert table.attrs == {"source": str(path), "lines": [3, 5], "notes": []}


def test_spaces_around_cells_and_names_are_removed_and_noted_once(tmp_path: Path) -> None:
    path = written(tmp_path / "x", "sample \tdonor\tdose\nS1 \t D1\t1\n S2\tD2\u00a0\t2\n")
    table = read_sheet(path)
    assert table.to_numpy().tolist() == [["S1", "D1", "1"], ["S2", "D2", "2"]]
    (note,) = table.attrs["notes"]
    assert note == f"{path}: spaces around cells were removed (columns 'sample', 'donor')"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sample\tdonor\tdonor \nS1\tD1\t\n", "header: the columns 'donor' stand more than once"),
        ("sample\tdonor\tdonor\nS1\tD1\tD1\n", "header: the columns 'donor' stand more than once"),
        ("sample\t\nS1\tD1\n", "header: column 2 has no name"),
        ("\tdonor\nS1\tD1\n", "column 1 has no name; expected a name. Name it 'sample' if"),
        ("sample\tdonor\n", "has a header and no rows; expected one row a sample"),
        ("sample;donor\nS1;D1\n", "has semicolons between columns; expected tabs or commas"),
        ("sample\tdonor\nS1\tD1\textra\nS2\tD2\n", "row 2: has 3 fields; expected 2"),
        ("sample\nS1\n", "has a single column"),
    ],
)
def test_what_is_no_sheet_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_sheet(written(tmp_path / "x", text))
    assert expected in str(caught.value)


def test_a_missing_sheet_names_the_nearest(tmp_path: Path) -> None:
    written(tmp_path / "samples.tsv", "x")
    with pytest.raises(InputError, match=r"Did you mean 'samples\.tsv'"):
        read_sheet(tmp_path / "sample.tsv")


# -- checking --------------------------------------------------------------------------------


def test_a_good_sheet_has_no_problems() -> None:
    table = sheet()
    names = list(table["sample"])
    assert problems(table, names, covariates=["plate"], line="line") == []
    assert problems(table.drop(index=7), names[:7]) == []  # one donor without an after sample


def test_real_sheets_have_no_problems(shared_data: Callable[[str], Path]) -> None:
    table = read_sheet(shared_data("lung_fibroblast_hypoxia/samples.csv"))
    design = DESIGN | {
        "donor": "replicate", "group": "treatment", "time": "oxygen", "before": "21%",
        "after": "0.5%", "reference_group": "DMSO", "crossover": True,
    }  # fmt: skip
    assert check_sheet(table, design, {}, list(table["sample"])) == ()
    said = "".join(str(p) for p in check_sheet(table, design | {"crossover": False}, {}, None))
    assert "the donor '1' (rows 2, 3, 4, 5) is in the groups 'DMSO', 'BAY'" in said


def test_missing_columns_name_the_nearest() -> None:
    renamed = sheet().rename(columns={"donor": "Donor_id", "sample": "Sample", "ccl28": "CCL-28"})
    found = "\n".join(problems(renamed, covariates=["Age"]))
    assert "has no column 'sample'; expected the sample names. Did you mean 'Sample'?" in found
    assert "has no column 'donor'; expected design.donor of the config. Did you mean" in found
    assert "has no column 'ccl28'; expected factors.CCL28.serum of the config" in found
    assert "has no column 'Age'; expected design.covariates of the config" in found


def test_a_duplicate_sample() -> None:
    said = only(problems(changed(1, "sample", "D1_pre")))
    assert "column 'sample': the sample 'D1_pre' stands in rows 2, 3; expected one row" in said


@pytest.mark.parametrize("column", ["sample", "donor", "group", "timepoint"])
def test_an_empty_cell(column: str) -> None:
    said = only(problems(changed(2, column, "")))
    assert f"row 4, column '{column}': the cell is empty; expected a value for every" in said


def test_missing_values_are_missing() -> None:
    said = only(problems(changed(2, "group", "NA")))
    assert "row 4, column 'group': the value is missing ('NA')" in said
    said = only(problems(changed(2, "donor", "")))
    assert "row 4, column 'donor': the cell is empty" in said


@pytest.mark.parametrize(
    ("column", "old", "new", "design"),
    [
        ("timepoint", "pre", "none", {"before": "none"}),
        ("timepoint", "post", "n/a", {"after": "n/a"}),
        ("group", "AT", "NA", {"reference_group": "NA"}),
        ("group", "RT", "None", {}),
        ("donor", "D1", "NA", {}),
        ("donor", "D4", "null", {}),
        ("line", "L1", "none", {"line": "line"}),
        ("sample", "D2_pre", "nan", {}),
    ],
)
def test_a_word_for_missing_is_a_name_where_the_config_or_an_id_says_so(
    column: str, old: str, new: str, design: dict[str, Any]
) -> None:
    table = sheet().replace({column: {old: new}})
    assert problems(table, **design) == []
    settings = DESIGN | design
    notes = list(missing_names(table, settings))
    key = {"timepoint": "time"}.get(column, column)
    told = f"'{new}' in column '{column}' is read as a name ({key}), not as a missing value"
    assert notes == ([] if new in design.values() else [told])


@pytest.mark.parametrize(
    ("key", "level", "nearest"), [("before", "Pre", "pre"), ("after", "pst", "post")]
)
def test_an_unknown_level(key: str, level: str, nearest: str) -> None:
    said = only(problems(sheet(), **{key: level}))
    assert f"column 'timepoint': no sample is '{level}', which design.{key} names" in said
    assert f"Did you mean '{nearest}'?" in said


def test_a_third_level() -> None:
    said = only(problems(changed(3, "timepoint", "week24")))
    assert "'week24' (row 5) is neither before nor after; expected 'pre' or 'post'" in said


@pytest.mark.parametrize(
    ("column", "value", "usual"),
    [("timepoint", "Post", "post"), ("donor", "d1", "D1"), ("donor", "D1 ", "D1"),
     ("group", "at", "AT"), ("timepoint", "post\u00a0", "post")],
)  # fmt: skip
def test_levels_that_differ_in_case_or_spaces(column: str, value: str, usual: str) -> None:
    said = only(problems(changed(1, column, value)))
    assert f"'{value}' (row 3) differs from '{usual}' in case or spaces alone" in said


def test_a_missing_reference_group() -> None:
    said = only(problems(sheet(), reference_group=None))
    assert "design.reference_group is missing, and there are 2 groups" in said
    assert "Valid: 'AT', 'RT'." in said


def test_an_unknown_reference_group() -> None:
    said = only(problems(sheet(), reference_group="ATT"))
    assert "no sample is of the group 'ATT', which design.reference_group names" in said
    assert "Did you mean 'AT'?" in said


def test_a_reference_without_groups() -> None:
    said = only(problems(sheet(), group=None))
    assert "design.reference_group is 'AT', but design.group is null" in said
    assert problems(sheet(), group=None, reference_group=None) == []


def test_groups_that_meet_in_file_names() -> None:
    table = sheet()
    table["group"] = table["group"].map({"AT": "A/T", "RT": "A T"})
    said = only(problems(table, reference_group="A/T"))
    assert "'A/T' and 'A T' both become 'A_T' in file names" in said


def test_a_donor_in_two_groups() -> None:
    table = sheet()
    table.loc[table["donor"] == "D3", "donor"] = "D1"
    said = only(problems(table))
    assert "the donor 'D1' (rows 2, 3, 6, 7) is in the groups 'AT', 'RT'" in said
    assert "say 'crossover: true'" in said
    assert problems(table, crossover=True) == []


def test_a_crossover_that_is_none() -> None:
    said = only(problems(sheet(), crossover=True))
    assert "design.crossover is true, but no donor is in two groups" in said
    said = only(problems(sheet(), crossover=True, group=None, reference_group=None))
    assert "design.crossover is true, but design.group is null" in said


def test_a_group_without_a_pair() -> None:
    table = sheet()
    table.loc[table["group"] == "RT", "donor"] = ["D3", "D4", "D5", "D6"]
    said = only(problems(table))
    assert "no donor of the group 'RT' has both 'pre' and 'post'" in said


def test_a_group_at_one_time_alone() -> None:
    table = sheet()
    said = only(problems(table[(table["group"] == "AT") | (table["timepoint"] == "post")]))
    assert "the group 'RT' has 'post' samples alone" in said


def test_no_pair_in_a_single_group() -> None:
    table = sheet()
    table["donor"] = [f"D{n}" for n in range(8)]
    said = only(problems(table, group=None, reference_group=None))
    assert "no donor of the sheet has both 'pre' and 'post'" in said


def test_lines_that_differ_within_a_pair() -> None:
    said = only(problems(changed(1, "line", "L2"), line="line"))
    assert "the donor 'D1' has the lines 'L1' at 'pre' and 'L2' at 'post'" in said


def test_samples_of_the_sheet_and_the_counts() -> None:
    names = list(sheet()["sample"])
    said = only(problems(sheet(), names[1:]))
    assert "row 2, column 'sample': the sample 'D1_pre' is not in the counts" in said
    assert problems(sheet(), [*names, "blank"]) == []
    found = problems(sheet(), ["D1-pre", *names[1:]])
    assert "Did you mean 'D1-pre'?" in found[0]


def test_names_that_r_has_changed() -> None:
    table = sheet()
    table["sample"] = [f"{n}-a" for n in range(8)]
    said = only(problems(table, [f"X{n}.a" for n in range(8)]))
    assert "none of its samples ('0-a', '1-a', '2-a' and 5 more) is in the counts" in said
    assert "R has written it as 'X0.a': use check.names=FALSE" in said


def test_many_missing_samples_are_counted() -> None:
    names = list(sheet()["sample"])
    found = problems(sheet(), [names[0], *(f"x{n}" for n in range(9))])
    assert any("and 2 more samples that are not in the counts" in said for said in found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("many", "row 3, column 'ccl28': the level 'many' of CCL28 is not a number"),
        ("9,5", "'9,5' of CCL28 is not a number; expected a number, '<' and the limit of"),
        ("6,070", "or an empty cell. It can be read as 6070 or as 6.070. Write numbers without"),
        ("5,161,586", "or an empty cell. Write 5161586, without thousands marks."),
        ("0,897", "or an empty cell. Write decimals with a point."),
        ("-2", "the level -2 of CCL28 is negative (1 such cells); expected levels ≥ 0. If"),
        ("inf", "the level 'inf' of CCL28 is not a number"),
    ],
)
def test_serum_levels(value: str, expected: str) -> None:
    assert expected in only(problems(changed(1, "ccl28", value)))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("<0", "A limit of detection is above 0"),
        ("< 0.0", "A limit of detection is above 0"),
        ("<1,5", "decimals with a point"),
        ("<LOD", "write '<' and the limit alone"),
        *((word, "If the level was not measured, leave the cell empty") for word in
          ("BLQ", "n.d.", "ND", "not detected", "OOR", "-")),
    ],
)  # fmt: skip
def test_what_to_write_for_a_level_below_the_limit(value: str, hint: str) -> None:
    assert hint in only(problems(changed(1, "ccl28", value)))


def test_serum_levels_may_be_missing_or_logarithms() -> None:
    assert problems(changed(1, "ccl28", "")) == []
    table = changed(1, "ccl28", "-2")
    factors = {"CCL28": FACTORS["CCL28"] | {"serum_scale": "log2"}}
    assert check_sheet(table, DESIGN, factors, None) == ()
    table["ccl28"] = "NA"
    assert "holds no level of CCL28 at all" in only(problems(table))


def test_covariates() -> None:
    table = sheet()
    table["batch"] = "one"
    said = only(problems(table, covariates=["batch"]))
    assert "the covariate is 'one' in every sample; expected values that differ" in said
    said = only(problems(changed(0, "age", "old"), covariates=["age"]))
    assert "row 2, column 'age': 'old' is no number, as the covariate is in most rows" in said
    said = only(problems(changed(0, "age", ""), covariates=["age"]))
    assert "row 2, column 'age': the cell is empty" in said
    said = only(problems(table, covariates=["sample"]))
    assert "the covariate is text and differs in every sample" in said
    said = only(problems(changed(0, "plate", "P1"), covariates=[{"plate": "categorical"}]))
    assert "'P1' (row 2) differs from 'p1' in case or spaces alone" in said
    said = only(problems(changed(0, "plate", "P1"), covariates=["plate"]))
    assert "'P1' (row 2) differs from 'p1' in case or spaces alone" in said


CODES = ["1", "2", "3", "1", "2", "2", "3", "1"]


@pytest.mark.parametrize("codes", [CODES, [f"{code}.0" for code in CODES], list("00110110")])
def test_few_whole_numbers_need_a_kind(codes: list[str]) -> None:
    table = sheet().assign(batch=codes)
    said = only(problems(table, covariates=["batch"]))
    assert "column 'batch': the covariate holds only the whole numbers " in said
    assert "Write {batch: categorical} where the numbers are names" in said
    assert "or {batch: numeric} where they measure something" in said
    for kind in ("categorical", "numeric"):
        assert problems(table, covariates=[{"batch": kind}]) == []


@pytest.mark.parametrize("word", ["none", "None", "NA", "n/a", ""])
def test_a_missing_number_of_a_covariate_is_one_problem(word: str) -> None:
    table = sheet().assign(dose=["1.5", word, *CODES[2:]])
    said = only(problems(table, covariates=[{"dose": "numeric"}]))
    assert "row 3, column 'dose': the " in said
    assert "a value for every sample" in said


@pytest.mark.parametrize("word", ["NA", "", "nan"])
def test_a_missing_code_does_not_hide_the_question_of_the_kind(word: str) -> None:
    said = problems(sheet().assign(batch=[*CODES[:7], word]), covariates=["batch"])
    assert len(said) == 2
    assert "expected a value for every sample" in said[0]
    assert "the covariate holds only the whole numbers 1, 2 and 3" in said[1]
    one_code = sheet().assign(batch=[*"1111111", word])
    only(problems(one_code, covariates=["batch"]))
    only(problems(sheet().assign(batch=word), covariates=["batch"]))


def test_other_numbers_and_text_need_none() -> None:
    assert problems(sheet().assign(x=list("12345671")), covariates=["x"]) == []
    assert problems(sheet().assign(x=["1.5", *CODES[1:]]), covariates=["x"]) == []
    assert problems(sheet().assign(x=[f"b{code}" for code in CODES]), covariates=["x"]) == []
    # what the models refuse anyway is not asked for first
    assert problems(sheet().assign(x=list("11223311")), covariates=["x"]) == []
    assert problems(sheet().assign(x=list("12121212")), covariates=["x"]) == []


def test_a_declared_kind_is_held_to() -> None:
    table = sheet().assign(batch=["b1", *CODES[1:]], dose=[f"0,{n}" for n in range(8)])
    said = only(problems(table, covariates=[{"batch": "numeric"}]))
    assert "'b1' (row 2) is not a number, and the covariate is numeric" in said
    assert said.endswith("If it is a category, write {batch: categorical}.")
    assert "decimals with a point" in only(problems(table, covariates=[{"dose": "numeric"}]))
    said = only(problems(table, covariates=[{"dose": "categorical"}]))
    assert "the covariate is categorical and differs in every sample" in said
    odd = sheet().assign(**{"a: b": CODES})
    assert "Write {'a: b': categorical}" in only(problems(odd, covariates=["a: b"]))


def test_the_column_of_samples_may_have_any_name(tmp_path: Path) -> None:
    text = sheet().rename(columns={"sample": "Run"}).assign(sample="tube").to_csv(index=False)
    path, design = written(tmp_path / "s.csv", text), DESIGN | {"sample": "Run"}
    table = read_sample_sheet(path, design)
    assert list(table["sample"]) == list(sheet()["sample"])
    assert check_sheet(table, design, FACTORS, None) == ()
    assert check_sheet(table.replace("D1_pre", ""), design, FACTORS, None)[0].where == (
        f"{path}, row 2, column 'Run'"
    )
    with pytest.raises(InputError, match=r"no column 'Runs'; expected the column that .*'Run'"):
        read_sample_sheet(path, design | {"sample": "Runs"})


def test_several_mistakes_are_said_together() -> None:
    table = changed(1, "timepoint", "later").drop(columns="ccl28")
    table.loc[4, "sample"] = "D4_pre"
    found = problems(table, reference_group="XX")
    assert len(found) == 4


# -- pools -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "pooled"),
    [
        ("1", False), ("8", True), (" 12 ", True), ("yes", True), ("TRUE", True), ("No", False),
        ("false", False), ("0", None), ("pooled", None), ("1.5", None), ("-3", None), ("", None),
    ],
)  # fmt: skip
def test_what_says_a_pool(cell: str, pooled: bool | None) -> None:
    assert is_pool(cell) is pooled


def test_pools_are_donors() -> None:
    table = sheet().assign(sera=["1"] * 4 + ["8", "7", "yes", "yes"])
    assert problems(table, pool="sera") == []
    assert pools_of(table, {"pool": "sera", "donor": "donor"}) == ["D3", "D4"]
    assert pools_of(table, {"pool": None, "donor": "donor"}) == []


def test_a_pool_column_that_says_nothing() -> None:
    assert "has no column 'sera'; expected design.pool of the config" in only(
        problems(sheet(), pool="sera")
    )
    found = only(problems(sheet().assign(sera=["0"] + ["1"] * 7), pool="sera"))
    assert found.startswith(
        "sample sheet, row 2, column 'sera': '0' does not say how many persons' sera were pooled"
    )
    assert "a whole number (1: no pool), or yes or no" in found
    empty = only(problems(sheet().assign(sera=[""] + ["1"] * 7), pool="sera"))
    assert "the cell is empty" in empty


def test_a_donor_is_a_pool_or_a_person() -> None:
    found = only(problems(sheet().assign(sera=["8"] + ["1"] * 7), pool="sera"))
    assert "the donor 'D1' (rows 2, 3) is a pool in one sample and not in another" in found
