"""Values of the sample sheet: serum levels, covariates, names of samples, pools of sera."""

from __future__ import annotations

from pathlib import Path

import pytest

from fibroserum.errors import InputError
from fibroserum.input.sheet import is_pool, pools_of, read_sample_sheet
from fibroserum.input.sheet_checks import check_sheet
from helpers.sample_sheet import DESIGN, FACTORS, changed, only, problems, sheet, written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("many", "row 3, column 'ccl28': the level 'many' of CCL28 is not a number"),
        ("9,5", "'9,5' of CCL28 is not a number; expected a number, '<' with the limit of"),
        ("6,070", "or an empty cell. It can be read as 6070 or as 6.070. Write numbers without"),
        ("5,161,586", "or an empty cell. Write 5161586, without a thousands separator."),
        ("0,897", "or an empty cell. Write decimals with a point."),
        (
            "-2",
            ("the level -2 of CCL28 is negative (1 such cell); expected a level of 0 or more. If"),
        ),
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
        ("<LOD", "write only '<' and the limit"),
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
    assert "has no level of CCL28" in only(problems(table))


def test_covariates() -> None:
    table = sheet()
    table["batch"] = "one"
    said = only(problems(table, covariates=["batch"]))
    assert (
        "the covariate is 'one' in every sample; expected values that differ between samples"
        in said
    )
    said = only(problems(changed(0, "age", "old"), covariates=["age"]))
    assert (
        "row 2, column 'age': 'old' is not a number, but the covariate is a number in most rows"
        in said
    )
    said = only(problems(changed(0, "age", ""), covariates=["age"]))
    assert "row 2, column 'age': the cell is empty" in said
    said = only(problems(table, covariates=["sample"]))
    assert "the covariate is text, and every sample has a different text" in said
    said = only(problems(changed(0, "plate", "P1"), covariates=[{"plate": "categorical"}]))
    assert "'P1' (row 2) differs from 'p1' only in case or spaces" in said
    said = only(problems(changed(0, "plate", "P1"), covariates=["plate"]))
    assert "'P1' (row 2) differs from 'p1' only in case or spaces" in said


CODES = ["1", "2", "3", "1", "2", "2", "3", "1"]


@pytest.mark.parametrize("codes", [CODES, [f"{code}.0" for code in CODES], list("00110110")])
def test_few_whole_numbers_need_a_kind(codes: list[str]) -> None:
    table = sheet().assign(batch=codes)
    said = only(problems(table, covariates=["batch"]))
    assert "column 'batch': the covariate contains only the whole numbers " in said
    assert "Write {batch: categorical} if the numbers are names" in said
    assert "or {batch: numeric} if they are measurements" in said
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
    assert "the covariate contains only the whole numbers 1, 2 and 3" in said[1]
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
    assert "'b1' (row 2) is not a number, but the covariate is numeric" in said
    assert said.endswith("If it is a category, write {batch: categorical}.")
    assert "decimals with a point" in only(problems(table, covariates=[{"dose": "numeric"}]))
    said = only(problems(table, covariates=[{"dose": "categorical"}]))
    assert "the covariate is categorical, but every sample has a different category" in said
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
    assert "has no column 'sera'; expected the column that design.pool names" in only(
        problems(sheet(), pool="sera")
    )
    found = only(problems(sheet().assign(sera=["0"] + ["1"] * 7), pool="sera"))
    assert found.startswith(
        "sample sheet, row 2, column 'sera': '0' does not say how many sera were pooled"
    )
    assert "the number of sera (1 means no pool), or yes or no" in found
    empty = only(problems(sheet().assign(sera=[""] + ["1"] * 7), pool="sera"))
    assert "the cell is empty" in empty


def test_a_donor_is_a_pool_or_a_person() -> None:
    found = only(problems(sheet().assign(sera=["8"] + ["1"] * 7), pool="sera"))
    assert "the donor 'D1' (rows 2, 3) is a pool in one sample but not in another" in found
