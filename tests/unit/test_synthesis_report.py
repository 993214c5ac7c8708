"""The report of a synthesis: every figure can be drawn, names are safe, nothing disappears."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from fibroserum.report.figures.render import svg
from fibroserum.report.figures.synthesis import FIXED, FURTHER, RANDOM
from fibroserum.report.figures.synthesis_catalogue import synthesis_figures, unique_files
from fibroserum.report.synthesis.loading import SynthesisRun, synthesis_summary
from fibroserum.report.synthesis.stage import build_synthesis, draw_synthesis
from fibroserum.report.theme import spec
from helpers.synthesis_cohorts import SHAPES, TEMPLATES, cohort, made_page, made_run


@pytest.fixture(params=SHAPES)
def run(request: pytest.FixtureRequest) -> SynthesisRun:
    return SHAPES[request.param]()


def test_every_figure_of_the_catalogue_is_drawn(run: SynthesisRun) -> None:
    figures = draw_synthesis(run)
    assert list(figures) == list(synthesis_figures(run.order, run.factors))
    for name, figure in figures.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        drawing = svg(spec(figure))
        assert ET.fromstring(drawing).tag.endswith("svg")


def _rows(run: SynthesisRun, figure: str) -> list[dict[str, Any]]:
    return spec(draw_synthesis(run)[figure])["datasets"]["rows"]


def test_a_forest_shows_the_cohorts_and_what_they_say_together() -> None:
    run = SHAPES["three cohorts"]()
    rows = [row for row in _rows(run, "forest_BGN") if row["panel"] == "RT_change"]
    assert [row["row"] for row in rows] == ["a", "b", "c", RANDOM, FIXED, FURTHER]
    pooled = run.targets.set_index(["target", "contrast"]).loc[("BGN", "RT_change")]
    by_row = {row["row"]: row for row in rows}
    assert by_row[RANDOM]["estimate"] == pytest.approx(pooled["random_estimate"], rel=1e-6)
    assert by_row[FURTHER]["estimate"] is None
    assert by_row[FURTHER]["low"] == pytest.approx(pooled["prediction_low"], rel=1e-6)
    assert by_row["a"]["says"].startswith("weight ")


def test_an_interval_that_leaves_the_picture_is_marked() -> None:
    rows = [row for row in _rows(SHAPES["two cohorts"](), "forest_BGN") if row["row"] == RANDOM]
    for row in rows:
        assert row["low"] < row["from"] == row["on_left"]
        assert row["high"] > row["to"] == row["on_right"]


def test_a_cohort_without_an_estimate_stands_in_the_forest_with_the_reason() -> None:
    rows = _rows(SHAPES["nothing shared"](), "forest_BGN")
    notes = {row["row"]: row["note"] for row in rows if row["panel"] == "AT_change"}
    assert notes == {"a": "", "b": "not in its count matrix"}


def test_two_names_never_share_a_file() -> None:
    assert unique_files(["A/B", "A_B", "a_b", "A_B_2"]) == {
        "A/B": "A_B",
        "A_B": "A_B_2",
        "a_b": "a_b_3",
        "A_B_2": "A_B_2_2",
    }


def test_the_page_is_whole_and_safe(run: SynthesisRun) -> None:
    text = made_page(run)
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert "49</script>" not in text
    links = re.findall(r'href="([^"#][^"]*)"', text)
    assert set(links) == {"data:,", *(f"../{f}/report.html" for f in run.folders.values())}
    assert not re.search(r'(src|href)="(https?:)?//', text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("nothing shared", "Two cohorts give almost no information"),
        ("one cohort", "No two cohorts have a contrast in common"),
        ("two cohorts", "Two cohorts give almost no information"),
        ("three cohorts", "With 3 cohorts the variance between cohorts is very uncertain"),
    ],
)
def test_the_page_says_what_so_few_cohorts_cannot(shape: str, words: str) -> None:
    assert words in made_page(SHAPES[shape]())


def test_the_page_names_what_two_cohorts_replicate() -> None:
    genes = {"BGN": (0.4, 0.1), "DCN": (-0.5, 0.1), "LUM": (0.1, 0.1)}
    sets = {"MATRISOME": (4.0, 1.0)}
    run = made_run([cohort(name, genes, targets=genes, sets=sets) for name in "ab"])
    text = made_page(run)
    assert "<p>RT_change: none. Replicated: up: BGN; down: DCN.</p>" in text
    assert "<p>RT_change: none. Replicated: up: MATRISOME.</p>" in text
    assert "<p>AT_change: none. Replicated: none.</p>" in made_page(SHAPES["one cohort"]())
    summary = synthesis_summary(run)
    assert summary["replicated_targets"]["RT_change"] == {"up": ["BGN"], "down": ["DCN"]}
    assert summary["target"]["contrasts"]["RT_change"]["replicated"] == "up"


def test_everything_is_written(tmp_path: Path) -> None:
    run = SHAPES["one cohort"]()
    build_synthesis(run, TEMPLATES, tmp_path, {"versions": {"fibroserum": "0"}})
    drawn = synthesis_figures(run.order, run.factors)
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {f"{name}.{kind}" for name in drawn for kind in ("svg", "png", "pdf")}
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["cohorts"] == {"a": {"folder": "a", "pairs": {"AT": 8, "RT": 1}, "warnings": 1}}
    assert summary["target"]["contrasts"]["RT_change"]["call"] == "one_cohort"
    assert json.loads((tmp_path / "provenance.json").read_text())["versions"]["fibroserum"] == "0"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
