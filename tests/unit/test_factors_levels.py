"""Levels of a factor in serum: what can be used, and what is below the limit of detection."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.factors.levels import (
    BELOW,
    level_pairs,
    log2_level,
)
from fibroserum.input.serum_levels import serum_notes


@pytest.mark.parametrize(
    ("cell", "scale", "reason"),
    [
        ("", "linear", "is missing"),
        ("NA", "log2", "is missing"),
        ("0", "linear", "is 0; a logarithm needs a positive value"),
        ("-3", "linear", "is -3; a logarithm needs a positive value"),
        ("inf", "linear", "is 'inf', which is not a number"),
        (">5", "log2", "is '>5', which is not a number"),
        ("<0", "linear", BELOW),
    ],
)
def test_a_level_that_cannot_be_used_says_why(cell: str, scale: str, reason: str) -> None:
    value, why = log2_level(cell, scale)
    assert np.isnan(value)
    assert why == reason


@pytest.mark.parametrize(
    ("cell", "scale", "level"),
    [("<15", "linear", 7.5), ("< 0.5", "linear", 0.25), ("≤15", "linear", 7.5), ("<5", "log2", 16),
     ("＜15", "linear", 7.5), ("⩽ 15", "linear", 7.5)],
)  # fmt: skip
def test_a_level_below_the_limit_is_half_the_limit(cell: str, scale: str, level: float) -> None:
    value, why = log2_level(cell, scale)
    assert value == pytest.approx(np.log2(level))
    assert why == BELOW


def test_pairs_below_the_limit() -> None:
    cells = {
        "D1": ("<15", "<15"), "D2": ("<15", "30"), "D3": ("60", "<15"), "D4": ("<15", ""),
        "D5": ("7.5", "15"), "D6": ("<15", "<20"),
    }  # fmt: skip
    rows = [
        {"donor": donor, "group": "A", "time": time, "level": cell}
        for donor, own in cells.items()
        for time, cell in zip(("pre", "post"), own, strict=True)
    ]
    settings = {"groups": ["A"], "before": "pre", "after": "post"}
    table = level_pairs(pd.DataFrame(rows), settings, "level", "linear").set_index("donor")
    assert table["used"].to_dict() == {
        "D1": False, "D2": True, "D3": True, "D4": False, "D5": True, "D6": False
    }  # fmt: skip
    np.testing.assert_allclose(
        table["change_log2"].astype(float), [np.nan, 2, -3, np.nan, 1, np.nan]
    )
    assert table.loc["D1", "reason"].startswith("both levels are below the limit of detection")
    assert table.loc["D2", "reason"] == f"the level before (pre) {BELOW}"
    assert table.loc["D4", "reason"] == "the level after (post) is missing"
    assert table.loc["D5", "reason"] is None
    sheet = pd.DataFrame(rows).replace({"7.5": "15"})
    design = {"donor": "donor", "group": None, "time": "time", "crossover": False}
    notes = list(serum_notes(sheet, design, {"CCL28": {"serum": "level"}}))
    assert [note.split(" are ")[0].split(" is ")[0] for note in notes] == [
        "CCL28: both levels of D1, D6", "CCL28: one level of D2, D3, D4",
        "CCL28: both levels of D5",
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "warned"), [("<1000", True), ("<531", True), ("<530", False)])
def test_a_limit_above_the_measured_level_is_noted(limit: str, warned: bool) -> None:
    sheet = pd.DataFrame({"donor": "D1", "time": ["pre", "post"], "level": ["530.8", limit]})
    design = {"donor": "donor", "group": None, "time": "time", "crossover": False}
    notes = list(serum_notes(sheet, design, {"CCL28": {"serum": "level"}}))
    assert [("Whether the level rose or fell" in note) for note in notes] == [False, True][
        : 1 + warned
    ]
    assert notes[0].startswith("CCL28: one level of D1 is below the limit")


def test_levels_that_can_be_used() -> None:
    assert log2_level(" 8 ", "linear") == (3.0, "")
    assert log2_level("0", "log2") == (0.0, "")
    assert log2_level("-1.5", "log2") == (-1.5, "")
