"""What the page shows where there is little room, and how its buttons are called."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fibroserum.report.figures.distances import sample_distances
from fibroserum.report.figures.lookup import lookup_figures
from fibroserum.report.figures.render import svg
from fibroserum.report.figures.sets import set_matrix
from fibroserum.report.loading import RunTables
from fibroserum.report.page.gene_data import target_verdicts
from fibroserum.report.page.templates import still
from fibroserum.report.theme import empty, spec
from helpers.report_run import page_of
from helpers.report_shape import Shape


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> tuple[RunTables, str]:
    run, _, page = page_of(tmp_path_factory.mktemp("run"), repository, Shape(genes=120))
    return run, page


def test_a_button_is_called_by_its_words(made: tuple[RunTables, str]) -> None:
    """Who says what is on a button finds it (WCAG 2.5.3, label in name)."""
    named = re.findall(r'<button[^>]*aria-label="([^"]*)"[^>]*>([^<]*)</button>', made[1])
    words = [(html.unescape(label), html.unescape(text)) for label, text in named]
    saving = [one for one in words if one[1] != "?"]
    assert len(saving) > 10
    assert [one for one in saving if not one[0].startswith(one[1])] == []


def test_names_beside_the_sets_follow_the_width(made: tuple[RunTables, str]) -> None:
    layers = spec(set_matrix(made[0], 0.05))["layer"]
    places = [
        layer["encoding"]["x"] for layer in layers if layer["data"]["name"].endswith("families")
    ]
    assert places == [{"value": "width"}]


def test_the_lookup_says_what_is_not_a_headline(made: tuple[RunTables, str]) -> None:
    run, _ = made
    targets = run.targets.copy()
    targets["verdict"] = targets["verdict"].astype(object)
    targets["headline"] = targets["headline"].astype(object)
    own = (targets["target"] == "BGN") & (targets["contrast"] == "AT_post_vs_pre")
    for verdict, headline, shown in (
        ("up", "up", "up"),
        ("down", "none", "down, not established"),
        ("inconclusive", "none", "inconclusive"),
    ):
        targets.loc[own, ["verdict", "headline"]] = [verdict, headline]
        found = target_verdicts(replace(run, targets=targets))
        gene = targets.loc[own, "gene_id"].iloc[0]
        assert found[gene]["AT_post_vs_pre"][0] == shown


@pytest.mark.parametrize(("pairs", "wide"), [(8, False), (23, True)])
def test_heat_maps_of_many_donors_have_the_whole_width(
    tmp_path: Path, repository: Path, pairs: int, wide: bool
) -> None:
    _, _, page = page_of(tmp_path, repository, Shape(genes=120, pairs=pairs, factors=()))
    for name in ("called_genes", "ecm_sets"):
        before = page[: page.index(f'id="fig-{name}"')]
        row = re.findall(r'<div class="(pictures[^"]*)">', before)[-1]
        assert (row == "pictures wide") == wide


def test_cells_that_are_not_in_the_table_are_explained(made: tuple[RunTables, str]) -> None:
    """Of very many samples only the ten nearest of each are kept."""
    words = "white: not among the ten nearest"
    assert words not in str(spec(sample_distances(made[0])))
    fewer = replace(made[0], distances=made[0].distances.iloc[::3])
    assert words in str(spec(sample_distances(fewer)))


def test_lookup_pictures_start_empty(made: tuple[RunTables, str]) -> None:
    specs = {name: spec(figure) for name, figure in lookup_figures(made[0]).items()}
    assert specs["lookup_donors"]["datasets"]["slopes"] == []
    assert specs["lookup_estimates"]["datasets"]["estimates"] == []


def test_a_still_picture_has_the_page_s_colours_and_ids_of_its_own() -> None:
    figure = still(svg(spec(empty("Nothing was found."))))
    assert "<text" in figure
    assert 'fill="currentColor"' in figure
    assert not re.findall(r'fill="(white|#333333)"', figure)
    ids = 'id="a" fill="url(#a)" xlink:href="#a"'
    assert still(f"<svg>{ids}</svg>").count("still-a") == 3
