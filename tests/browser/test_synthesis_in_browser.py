"""The page of a synthesis in a browser: wide and narrow, light and dark, under hostile names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.synthesis_cohorts import SHAPES, made_page


@pytest.mark.parametrize(
    ("shape", "width", "scheme"),
    [("three cohorts", 1400, "light"), ("hostile", 400, "dark"), ("nothing", 400, "light")],
)
def test_every_picture_is_drawn_and_nothing_is_asked_for(
    shape: str, width: int, scheme: str, open_page: Callable[..., Any], tmp_path: Path, axe: str
) -> None:
    run = SHAPES[shape]()
    file = tmp_path / "report.html"
    file.write_text(made_page(run), encoding="utf-8")
    seen = open_page(file.as_uri(), width=width, scheme=scheme)
    assert seen.errors == []
    assert seen.dialogs == []
    assert seen.requests == [file.as_uri()]
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = page.evaluate("document.querySelectorAll('[data-figure] svg').length")
    assert drawn == page.evaluate("document.querySelectorAll('[data-figure]').length") > 2
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_picture_can_be_saved(open_page: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(made_page(SHAPES["two cohorts"]()), encoding="utf-8")
    page = open_page(file.as_uri()).page
    with page.expect_download() as waiting:
        page.click("[data-save='forest_BGN']")
    assert waiting.value.suggested_filename == "forest_BGN.svg"
    assert "<svg" in Path(waiting.value.path()).read_text(encoding="utf-8")
