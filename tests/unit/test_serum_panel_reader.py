"""Serum panels as people have them, and factors that take their level from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from bad_inputs.cases.serum_panel import by_donor, panel
from fibroserum.cohort.accessors import panel_of
from fibroserum.factors.levels import level_pairs
from fibroserum.input.serum_panel import SerumPanel
from helpers.bad_inputs import built
from helpers.small_cohort import SmallCohort, Table, good


def read(cohort: SmallCohort, folder: Path) -> SerumPanel:
    """Return a cohort's panel as later stages have it."""
    found = panel_of(built(cohort, folder)[0].adata)
    assert found is not None
    return found


def _csv(c: SmallCohort) -> None:
    c.instead["serum.tsv"] = panel(c).text(",")


def _workbook(c: SmallCohort) -> None:
    rows = panel(c).rows
    del c.tables["serum.tsv"]
    c.config["serum_panel"]["table"] = "serum.xlsx#Levels"

    def write(folder: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.create_sheet("Levels")
        for row in rows:
            sheet.append(row)
        book.save(folder / "serum.xlsx")

    c.late.append(write)


def _shuffled(c: SmallCohort) -> None:
    table = panel(c)
    table.rows = [table.rows[0], *table.rows[:0:-1]]


def _other_names(c: SmallCohort) -> None:
    """The sample sheet has another name for the samples, and a column `sample` of donors."""
    table = panel(c)
    c.sheet.rename("sample", "library")
    c.sheet.rename("donor", "sample")
    table.rename("sample", "library")
    c.design.update({"sample": "library", "donor": "sample"})


def _donor_called_sample(c: SmallCohort) -> None:
    table = by_donor(c)
    c.sheet.rename("sample", "library")
    c.sheet.rename("donor", "sample")
    table.rename("donor", "sample")
    c.design.update({"sample": "library", "donor": "sample"})


@pytest.mark.parametrize(
    "change", [by_donor, _csv, _workbook, _shuffled, _other_names, _donor_called_sample]
)
def test_every_form_gives_the_same_levels(
    change: Callable[[SmallCohort], object], tmp_path: Path
) -> None:
    plain, other = good(), good()
    panel(plain)
    change(other)
    one, two = read(plain, tmp_path / "one"), read(other, tmp_path / "two")
    assert one.rows.equals(two.rows)
    assert one.levels.equals(two.levels)
    assert one.below.equals(two.below)
    # D1_pre is the first row of the sheet
    first = one.rows.eq({"donor": "D1", "group": "AT", "time": "pre"}).all(axis=1)
    assert one.log2[first].to_numpy().tolist() == [np.log2([10, 20, 30]).tolist()]


def _number(c: SmallCohort) -> Table:
    return panel(c, detection_limit=12)


def _row(c: SmallCohort) -> Table:
    table = panel(c, detection_limit="LOD")
    table.rows.insert(3, ["LOD", "12", "", "1"])
    return table


def _column(c: SmallCohort) -> Table:
    table = panel(c, detection_limit="limit")
    table.add_column("limit", ["12", "12", "", *["9"] * 9])
    return table


def _cells(c: SmallCohort) -> Table:
    table = panel(c)
    table.rows[1][1], table.rows[2][1] = "<12", "≤ 12"
    return table


@pytest.mark.parametrize("limit", [_number, _row, _column, _cells])
@pytest.mark.parametrize("scale", ["linear", "log2"])
def test_levels_below_a_limit_become_half_of_it(
    limit: Callable[[SmallCohort], Table], scale: str, tmp_path: Path
) -> None:
    """The two lowest levels, 10 and 11, are below 12; one level is missing."""
    cohort = good()
    limit(cohort).row("D6_post")[3] = "NA"
    cohort.config["serum_panel"]["scale"] = scale
    found = read(cohort, tmp_path)
    assert found.below.sum().to_dict() == {"IL6": 2, "CXCL4": 0, "DMG": 0}
    assert found.levels.isna().sum().to_dict() == {"IL6": 0, "CXCL4": 0, "DMG": 1}
    half = np.log2(6) if scale == "linear" else 11.0
    own = found.log2["IL6"][found.below["IL6"]]
    np.testing.assert_allclose(own, half)


def test_a_factor_from_the_panel_has_the_level_of_a_sheets_column(tmp_path: Path) -> None:
    """Also where the level is below the limit, missing, or on the log2 scale of the panel."""
    cohort = good()
    table = panel(cohort, detection_limit=12, scale="log2")
    table.row("D4_post")[1] = ""
    cohort.factor["serum"] = "panel:IL6"
    cells = ["<12" if n < 2 else f"{10 + n}" for n in range(12)]
    cells[[row[0] for row in table.rows[1:]].index("D4_post")] = ""
    cohort.sheet.add_column("il6", cells)
    obs = built(cohort, tmp_path)[0].adata.obs
    settings = {"groups": ["AT", "RT"], "before": "pre", "after": "post"}
    one, two = (level_pairs(obs, settings, name, "log2") for name in ("panel:IL6", "il6"))
    assert one.equals(two)
    assert one["used"].tolist() == [False, True, True, False, True, True]


def test_donors_without_a_sample_at_a_time_may_have_a_level(tmp_path: Path) -> None:
    """Serum was taken, and the library failed: the change of the level is known all the same."""
    cohort = good()
    by_donor(cohort)
    cohort.drop_samples("D1_post")
    found = read(cohort, tmp_path)
    assert (found.rows["donor"] == "D1").sum() == 2
