"""The sample sheet: read as text, one mistake a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fibroserum.errors import InputError
from fibroserum.files.table import read_sheet
from fibroserum.input.sheet import missing_names
from fibroserum.input.sheet_checks import check_sheet
from helpers.sample_sheet import DESIGN, changed, only, problems, sheet, written


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
        ("sample\tdonor\tdonor \nS1\tD1\t\n", "header: the column 'donor' appears more than once"),
        ("sample\tdonor\tdonor\nS1\tD1\tD1\n", "header: the column 'donor' appears more than once"),
        ("sample\t\nS1\tD1\n", "header: column 2 has no name"),
        ("\tdonor\nS1\tD1\n", "column 1 has no name; expected a name. Name it 'sample' if"),
        ("sample\tdonor\n", "has a header but no rows; expected one row per sample"),
        ("sample;donor\nS1;D1\n", "has semicolons between columns; expected tabs or commas"),
        ("sample\tdonor\nS1\tD1\textra\nS2\tD2\n", "row 2: has 3 cells; expected 2"),
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
    assert (
        "has no column 'sample'; expected the column of sample names. Did you mean 'Sample'?"
        in found
    )
    assert (
        "has no column 'donor'; expected the column that design.donor names. Did you mean" in found
    )
    assert "has no column 'ccl28'; expected the column that factors.CCL28.serum names" in found
    assert "has no column 'Age'; expected the column that design.covariates names" in found


def test_a_duplicate_sample() -> None:
    said = only(problems(changed(1, "sample", "D1_pre")))
    assert "column 'sample': the sample 'D1_pre' appears in rows 2, 3; expected one row" in said


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
    told = f"'{new}' in column '{column}' is used as the name of a {key}, not as a missing value"
    assert notes == ([] if new in design.values() else [told])


@pytest.mark.parametrize(
    ("key", "level", "nearest"), [("before", "Pre", "pre"), ("after", "pst", "post")]
)
def test_an_unknown_level(key: str, level: str, nearest: str) -> None:
    said = only(problems(sheet(), **{key: level}))
    assert f"column 'timepoint': no sample has the level '{level}' that design.{key} names" in said
    assert f"Did you mean '{nearest}'?" in said


def test_a_third_level() -> None:
    said = only(problems(changed(3, "timepoint", "week24")))
    assert (
        "'week24' (row 5) is in neither design.before nor design.after; expected 'pre' or 'post'"
    ) in said


@pytest.mark.parametrize(
    ("column", "value", "usual"),
    [("timepoint", "Post", "post"), ("donor", "d1", "D1"), ("donor", "D1 ", "D1"),
     ("group", "at", "AT"), ("timepoint", "post\u00a0", "post")],
)  # fmt: skip
def test_levels_that_differ_in_case_or_spaces(column: str, value: str, usual: str) -> None:
    said = only(problems(changed(1, column, value)))
    assert f"'{value}' (row 3) differs from '{usual}' only in case or spaces" in said


def test_a_missing_reference_group() -> None:
    said = only(problems(sheet(), reference_group=None))
    assert "design.reference_group is missing, but there are 2 groups" in said
    assert "Valid: 'AT', 'RT'." in said


def test_an_unknown_reference_group() -> None:
    said = only(problems(sheet(), reference_group="ATT"))
    assert "no sample has the group 'ATT' that design.reference_group names" in said
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
    assert "write 'crossover: true'" in said
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
    assert "the group 'RT' has only samples at 'post'" in said


def test_no_pair_in_a_single_group() -> None:
    table = sheet()
    table["donor"] = [f"D{n}" for n in range(8)]
    said = only(problems(table, group=None, reference_group=None))
    assert "no donor of the sheet has both 'pre' and 'post'" in said


def test_lines_that_differ_within_a_pair() -> None:
    said = only(problems(changed(1, "line", "L2"), line="line"))
    assert "the donor 'D1' has the cell lines 'L1' at 'pre' and 'L2' at 'post'" in said


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
    assert "none of the samples ('0-a', '1-a', '2-a' and 5 more) is in the counts" in said
    assert "R changed '0-a' to 'X0.a'. Read the counts with check.names=FALSE" in said


def test_many_missing_samples_are_counted() -> None:
    names = list(sheet()["sample"])
    found = problems(sheet(), [names[0], *(f"x{n}" for n in range(9))])
    assert any("2 more samples not in the counts" in said for said in found)
