"""The stimulation arm's sheet, one mistake a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fibroserum.cohort.models import stimulation_design
from fibroserum.files.table import read_sheet
from fibroserum.input.stimulation_sheet import check_stimulation, left_out
from helpers.small_cohort import SmallCohort, Table, good

Spoil = Callable[[Table, dict[str, Any]], object]


def problems(folder: Path, spoil: Spoil, counted: list[str] | None = None) -> list[str]:
    cohort: SmallCohort = good()
    table, arm = cohort.tables["arm.samples.tsv"], cohort.arm
    spoil(table, arm)
    (folder / "arm.tsv").write_text(table.text())
    arm |= {"samples": str(folder / "arm.tsv")}
    found = check_stimulation("CCL28", arm, counted)
    return [str(problem).replace(str(folder) + "/", "") for problem in found]


def test_a_good_sheet(tmp_path: Path) -> None:
    names = [row[0] for row in good().tables["arm.samples.tsv"].rows[1:]]
    assert problems(tmp_path, lambda table, arm: None) == []
    assert problems(tmp_path, lambda table, arm: None, names) == []
    assert problems(tmp_path, lambda table, arm: arm.update(block=None), names) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t, a: t.rename("sample", "x"), "arm.tsv (factor CCL28): has no column 'sample'"),
        (lambda t, a: a.update(column="treatmnt"), "Did you mean 'treatment'?"),
        (
            lambda t, a: a.update(block="donor"),
            "that stimulation.block of the config names. Columns found:",
        ),
        (
            lambda t, a: a.update(treated="CCL-28"),
            "that stimulation.treated names; expected at least two",
        ),
        (lambda t, a: t.put("C1_ccl28", "treatment", "CCL28"), "only in case or spaces"),
        (lambda t, a: t.put("C1_ccl28", "culture", "NA"), "arm.tsv, row 3, column 'culture'"),
        (lambda t, a: t.rows.append(t.rows[1]), "the sample 'C1_vehicle' appears twice"),
        (lambda t, a: t.drop("C2_ccl28"), "culture 'C2' has no 'ccl28' sample"),
        (
            lambda t, a: t.drop("C2_ccl28", "C2_vehicle", "C3_ccl28", "C3_vehicle"),
            "all samples have the same culture; expected at least two",
        ),
    ],
)
def test_a_mistake_in_the_sheet(tmp_path: Path, spoil: Spoil, said: str) -> None:
    (problem,) = problems(tmp_path, spoil)
    assert said in problem


def test_the_sheet_is_held_against_the_counts(tmp_path: Path) -> None:
    names = [row[0] for row in good().tables["arm.samples.tsv"].rows[1:]]
    found = problems(tmp_path, lambda table, arm: None, [*names[1:], "C1_vehicel", "C9_ccl28"])
    assert [text.partition(": ")[2] for text in found] == [
        "the sample 'C1_vehicle' is not in arm.counts.tsv; expected a column of the count "
        "matrix. Did you mean 'C1_vehicel'?",
    ]


def test_other_counts_altogether_are_one_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, lambda table, arm: None, ["D1_pre", "D1_post"])
    assert "none of the samples ('C1_vehicle', 'C1_ccl28', 'C2_vehicle' and 3 more) is" in problem


def test_other_treatments_are_left_out_of_the_design_and_noted(tmp_path: Path) -> None:
    table = good().tables["arm.samples.tsv"]
    table.rows.append(["C4_tgfb", "C4", "TGFB1"])
    (tmp_path / "arm.tsv").write_text(table.text())
    arm = good().arm | {"samples": str(tmp_path / "arm.tsv")}
    sheet = read_sheet(tmp_path / "arm.tsv")
    design = stimulation_design(sheet, arm)
    assert design.matrix.shape == (6, 4)
    assert design.dense["treated"].sum() == 3
    assert left_out("CCL28", sheet, arm) == [
        "stimulation experiment with CCL28: excluded C4_tgfb, because treatment is 'TGFB1'"
    ]
    assert left_out("CCL28", sheet[sheet["sample"] != "C4_tgfb"], arm) == []
