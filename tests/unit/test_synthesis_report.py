"""The report of a synthesis: every figure can be drawn, names are safe, nothing disappears."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_fixture import HOSTILE
from synthesis_cohorts import AT, KEYS, cohort

from fibroserum.config import file_name
from fibroserum.report.figures_synthesis import FIXED, FURTHER, RANDOM
from fibroserum.report.render import svg
from fibroserum.report.synthesis_build import build_synthesis, draw_synthesis, synthesis_page
from fibroserum.report.synthesis_catalogue import synthesis_figures, unique_files
from fibroserum.report.synthesis_run import SynthesisRun, synthesis_summary
from fibroserum.report.theme import spec
from fibroserum.synthesis.evidence import Evidence
from fibroserum.synthesis.run import synthesise

TEMPLATES = Path(__file__).parents[2] / "workflow" / "report"


def _run(cohorts: list[Evidence], factors: tuple[str, ...] = ("CCL28",)) -> SynthesisRun:
    found = synthesise(cohorts, 0.05)
    targets = dict.fromkeys(target for one in cohorts for target in one.targets)
    return SynthesisRun(
        "together",
        **{
            name: getattr(found, name)
            for name in ("cohorts", "targets", "gene_sets", "factor_genes", "estimates")
        },
        folders={one.name: file_name(one.name) for one in cohorts},
        summaries={one.name: {"pairs": {"AT": 8, "RT": 1}, "warnings": 1} for one in cohorts},
        order=tuple(targets),
        factors=factors,
        alpha=0.05,
    )


def _cohorts(names: tuple[str, ...], genes: tuple[str, ...], **more: Any) -> list[Evidence]:
    rng = np.random.default_rng(2)
    return [
        cohort(
            name,
            {gene: (float(rng.normal(0.3, 0.2)), 0.1) for gene in genes},
            targets=genes,
            sets={gene: (float(rng.normal()), 1.0) for gene in genes},
            called={genes[-1]: "suppressed"},
            **more,
        )
        for name in names
    ]


SHAPES = {
    "three cohorts": lambda: _run(_cohorts(("a", "b", "c"), ("BGN", "DCN", "COL1A1"))),
    "two cohorts": lambda: _run(_cohorts(("a", "b"), ("BGN", "bgn"))),
    "one cohort": lambda: _run(_cohorts(("a",), ("BGN",))),
    "hostile": lambda: _run(
        _cohorts(HOSTILE[:2], HOSTILE[:3] + HOSTILE[8:]), (HOSTILE[0], "CCL28", HOSTILE[9])
    ),
    "nothing": lambda: _run([cohort("a", {}, targets=()), cohort("b", {}, targets=())], ()),
    "nothing shared": lambda: _run(
        [*_cohorts(("a",), ("BGN",), keys=KEYS), *_cohorts(("b",), ("DCN",), keys=(AT,))]
    ),
}


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
    assert notes == {"a": "", "b": "not in its matrix"}


def test_two_names_never_share_a_file() -> None:
    assert unique_files(["A/B", "A_B", "a_b", "A_B_2"]) == {
        "A/B": "A_B",
        "A_B": "A_B_2",
        "a_b": "a_b_3",
        "A_B_2": "A_B_2_2",
    }


def _page(run: SynthesisRun) -> str:
    specs = {name: spec(figure) for name, figure in draw_synthesis(run).items()}
    return synthesis_page(run, TEMPLATES, synthesis_summary(run), specs)


def test_the_page_is_whole_and_safe(run: SynthesisRun) -> None:
    text = _page(run)
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
        ("nothing shared", "Two cohorts can hardly say"),
        ("one cohort", "No two cohorts have a contrast in common"),
        ("two cohorts", "Two cohorts can hardly say"),
        ("three cohorts", "With 3 cohorts the variance between cohorts is hardly known"),
    ],
)
def test_the_page_says_what_so_few_cohorts_cannot(shape: str, words: str) -> None:
    assert words in _page(SHAPES[shape]())


def test_everything_is_written(tmp_path: Path) -> None:
    run = SHAPES["one cohort"]()
    build_synthesis(run, TEMPLATES, tmp_path, {"versions": {"fibroserum": "0"}})
    drawn = synthesis_figures(run.order, run.factors)
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {f"{name}.{kind}" for name in drawn for kind in ("svg", "png")}
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["cohorts"] == {"a": {"folder": "a", "pairs": {"AT": 8, "RT": 1}, "warnings": 1}}
    assert summary["target"]["contrasts"]["RT_change"]["call"] == "one_cohort"
    assert json.loads((tmp_path / "provenance.json").read_text())["versions"]["fibroserum"] == "0"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
