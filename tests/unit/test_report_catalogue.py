"""The list of figures is known before a run, and is what a run draws."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.report import figure_names
from fibroserum.report.figures.catalogue import FIGURE1, figure1_entry
from fibroserum.report.figures.synthesis_catalogue import synthesis_figures

TWO = contrasts_of(["AT", "RT"], "pre", "post")
ONE = contrasts_of(["all"], "pre", "post")


def test_the_list_costs_no_heavy_import(repository: Path) -> None:
    code = (
        "import sys; from fibroserum.report import figure_names; "
        "heavy = {'altair', 'anndata', 'pandas', 'numpy', 'vl_convert'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(repository / "workflow" / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_two_groups_have_a_picture_of_change_against_change() -> None:
    names = figure_names(TWO, ["CCL28"])
    assert [name for name in names if name.startswith("quadrants")] == ["quadrants_RT_vs_AT_change"]
    assert sum(name.startswith("volcano_") for name in names) == 5
    assert "factor_CCL28_evidence" in names
    assert names["factor_CCL28_evidence"]["category"] == "CCL28-responsive genes"


def test_one_group_without_factors_has_neither() -> None:
    names = figure_names(ONE, [])
    assert not [name for name in names if name.startswith(("quadrants", "factor_"))]
    assert [name for name in names if name.startswith("volcano")] == ["volcano_all_post_vs_pre"]


def test_an_outcome_has_a_figure_for_each_time() -> None:
    one, several = (
        figure_names(ONE, [], outcomes=["skin"], times=times) for times in (["post"], ["w8", "w16"])
    )
    assert [name for name in one if name.startswith("outcome")] == ["outcome_skin"]
    named = [name for name in several if name.startswith("outcome")]
    assert named == ["outcome_skin_w8", "outcome_skin_w16"]
    assert several[named[0]]["label"]["time"] == "w8"


def test_the_first_factors_of_chains_have_a_figure() -> None:
    names = figure_names(ONE, [], chained=["a", "b/c", "d", "e", "f"])
    drawn = {name: entry["label"]["factor"] for name, entry in names.items() if "chain" in name}
    assert drawn == {"chain_a": "a", "chain_b_c": "b/c", "chain_d": "d", "chain_e": "e"}


def test_names_are_safe_in_a_path() -> None:
    hostile = contrasts_of(["a/b", "../../<x>"], "pre", "post")
    outcomes = ["skin / mm", "<b>"]
    for name in figure_names(
        hostile, ["N,N-dimethylglycine", "=x'"], outcomes=outcomes, times=["w/8", "16 w"]
    ):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        assert not name.startswith(".")


def test_every_figure_has_a_caption_and_every_caption_a_figure(repository: Path) -> None:
    place = repository / "workflow" / "report"
    entries = figure_names(
        TWO,
        ["CCL28"],
        lists=["mine"],
        outcomes=["skin"],
        panel=True,
        chained=["CCL28"],
        times=["post"],
    )
    assert FIGURE1 not in entries
    entries |= synthesis_figures(["BGN"], ["CCL28"]) | {FIGURE1: figure1_entry()}
    used = {entry["caption"] for entry in entries.values()}
    assert used == {f"captions/{path.name}" for path in (place / "captions").glob("*.rst")}


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "workflow/report").rglob("*.rst"))
)
def test_captions_are_plain_paragraphs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # shown by docutils in `snakemake --report` and as text on the page: no markup of either
    assert not re.search(r"[`*_|<>{}]", text.replace("_", ""))
    assert text.strip().endswith(".")
    assert len(text) <= 330, "one or two lines"
