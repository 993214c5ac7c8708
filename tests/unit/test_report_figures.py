"""Every picture of every kind of run can be drawn, and shows what the tables hold."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from fibroserum.report.figures.distances import MOST_CELLS
from fibroserum.report.figures.edges import running_sum
from fibroserum.report.figures.registry import catalogue_of, draw
from fibroserum.report.figures.render import png, svg
from fibroserum.report.figures.sets import others_of, relatives, strongest_sets
from fibroserum.report.figures.targets import published_effects
from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.page.tables import few_found
from fibroserum.report.theme import DOWN, GROUP_COLOURS, UP, Figure, data, in_order, spec, thin
from helpers.report_run import make_run
from helpers.report_shape import HOSTILE, SEVERAL, Shape

PUBLISHED = Path(__file__).parents[2] / "resources" / "published" / "nishikori_2023_table2.tsv"
SHAPES = {
    "normal": Shape(genes=220, published=PUBLISHED),
    "hostile": Shape(
        genes=200,
        groups=("AT", HOSTILE[9]),
        pairs=10,
        names=HOSTILE,
        factors=(HOSTILE[0],),
        targets=("BGN", HOSTILE[0], HOSTILE[8], HOSTILE[3]),
    ),
    "nothing": Shape(genes=200, changed=0, evidence=False),
    "two pairs": Shape(genes=200, groups=("all",), pairs=2, dropped=0, factors=()),
    "no target": Shape(genes=200, targets=(), factors=()),
    "many donors": Shape(genes=120, pairs=250, factors=("CCL28",)),
    "long names": Shape(
        genes=120, sample_prefix="a_sample_name_that_goes_on_and_on_until_it_has_sixty_", pairs=3
    ),
    "several times": SEVERAL,
    "outcomes": Shape(genes=120, outcomes=("skin", HOSTILE[0], "none"), factors=()),
    "three groups": Shape(genes=200, groups=("AT", "RT", "control"), pairs=4),
}


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> dict[str, tuple[RunTables, dict[str, Any], dict[str, Figure]]]:
    made = {}
    for name, shape in SHAPES.items():
        folder = tmp_path_factory.mktemp("run")
        config = make_run(folder, repository, shape)
        run = load_run(folder, config)
        made[name] = (run, config, draw(run, config))
    return made


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_catalogue_is_what_is_drawn(drawn: Any, name: str) -> None:
    run, config, figures = drawn[name]
    assert list(figures) == list(catalogue_of(run, config))


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_picture_is_an_image_and_small(drawn: Any, name: str) -> None:
    _, _, figures = drawn[name]
    for key, figure in figures.items():
        drawing = svg(spec(figure))
        root = ET.fromstring(drawing)
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert kinds <= {
            "svg",
            "g",
            "path",
            "rect",
            "text",
            "tspan",
            "line",
            "defs",
            "clipPath",
            "linearGradient",
            "stop",
            "title",
        }
        assert len(drawing) < 1_000_000, (key, len(drawing))
    assert png(drawing).startswith(b"\x89PNG")


def sorts_of(part: Any) -> Iterator[Any]:
    """Yield every `sort` within a specification, its data aside."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "sort":
                yield value
            elif key != "datasets":
                yield from sorts_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from sorts_of(value)


def test_no_list_to_sort_by_grows_with_the_cohort(drawn: Any) -> None:
    # Vega-Lite nests an expression once for each of its names, and fails at some 1,500
    for name, figure in drawn["many donors"][2].items():
        longest = max(
            (len(one) for one in sorts_of(spec(figure)) if isinstance(one, list)), default=0
        )
        assert longest <= MOST_CELLS, name


def test_thousands_of_names_are_drawn_in_their_order() -> None:
    names = [f"s{number:05d}" for number in range(5000)][::-1]
    frame = pd.DataFrame({"sample": names[::-1], "y": range(5000)})
    x = alt.X("sample:N", **in_order(names), title=None, axis=None)
    chart = alt.Chart(data("rows")).mark_point(size=1).encode(x=x, y="y:Q")
    drawing = svg(spec(Figure(chart.properties(width=500, height=80), {"rows": frame}, "")))
    places = re.findall(r'transform="translate\(([0-9.]+),[0-9.-]+\)" d=', drawing)
    # rows come in the names' reverse order: from right to left
    across = [float(place) for place in places[-5000:]]
    assert len(across) == 5000
    assert across == sorted(across, reverse=True)


def test_hostile_names_are_text_in_the_image(drawn: Any) -> None:
    _, _, figures = drawn["hostile"]
    root = ET.fromstring(svg(spec(figures["targets_pairs"])))
    words = {element.text for element in root.iter() if element.text}
    assert HOSTILE[0] in words
    assert HOSTILE[8] in words


def test_no_name_is_a_field_or_an_expression(drawn: Any) -> None:
    _, _, figures = drawn["hostile"]
    for name, figure in figures.items():
        made = spec(figure)
        fields = {key for rows in made["datasets"].values() for row in rows for key in row}
        assert not fields & set(HOSTILE), name
        held = json.dumps([made.get("transform"), made.get("params")])
        assert not [one for one in HOSTILE if json.dumps(one) in held], name


def test_long_names_keep_what_tells_them_apart(drawn: Any) -> None:
    _, _, figures = drawn["long names"]
    for name in ("library_sizes", "pair_similarity", "cohort_grid", "sample_distances"):
        drawing = ET.fromstring(svg(spec(figures[name])))
        shown = [one.text for one in drawing.iter() if one.text and one.text.startswith("a_s")]
        assert len(shown) >= 5, name
        times = 2 if name == "sample_distances" else 1
        assert all(shown.count(text) == times for text in shown), name


def test_empty_pictures_say_so(drawn: Any) -> None:
    _, _, figures = drawn["nothing"]
    for name in ("factor_CCL28_level", "factor_CCL28_evidence", "factor_CCL28_concordance"):
        words = figures[name].data["words"]["text"].iloc[0]
        drawing = svg(spec(figures[name]))
        assert all(line in drawing for line in words.split("\n"))
        assert words.endswith(".")
    run, config, _ = drawn["two pairs"]
    one = draw(replace(run, loo=run.loo.iloc[:0]), config)
    assert "two pairs" in one["targets_leave_one_out"].description


def test_axes_carry_units(drawn: Any) -> None:
    _, _, figures = drawn["normal"]
    said = {name: svg(spec(figure)) for name, figure in figures.items()}
    for contrast in ("AT_post_vs_pre", "RT_vs_AT_change"):
        assert "log2 fold change" in said[f"volcano_{contrast}"]
        assert "−log10 p value" in said[f"volcano_{contrast}"]
        assert "Mean normalised count" in said[f"ma_{contrast}"]
    assert "million counts" in said["library_sizes"]
    assert "% of variance" in said["pca"]


def test_groups_keep_their_colours(drawn: Any) -> None:
    _, _, figures = drawn["normal"]
    for name in ("library_sizes", "pca", "targets_pairs", "ecm_scores", "factor_CCL28_level"):
        drawing = svg(spec(figures[name])).upper()
        assert "#0072B2" in drawing
        assert "#009E73" in drawing


def test_no_other_thing_has_a_groups_colour(drawn: Any) -> None:
    _, _, figures = drawn["normal"]
    for name in ("volcano_RT_vs_AT_change", "ma_AT_post_vs_pre", "pvalues", "glance_calls"):
        drawing = svg(spec(figures[name])).upper()
        assert not [colour for colour in GROUP_COLOURS if colour in drawing], name
    for kind in ("factor_CCL28_evidence", "factor_CCL28_concordance", "glance_factors"):
        drawing = svg(spec(figures[kind])).upper()
        known = [*GROUP_COLOURS, UP, DOWN]
        assert not [colour for colour in known if colour in drawing], kind
    # the published effects stand beside the groups' own
    assert not [c for c in GROUP_COLOURS[2:] if c in svg(spec(figures["targets_forest"])).upper()]


def test_published_effects_are_log2_ratios_of_means(drawn: Any) -> None:
    run, _, _ = drawn["normal"]
    known = published_effects(run).set_index(["target", "contrast"])["published"]
    assert known["BGN", "RT_post_vs_pre"] == pytest.approx(np.log2(0.723 / 0.653))
    assert known["BGN", "AT_post_vs_pre"] == pytest.approx(np.log2(0.750 / 0.722))
    assert known["BGN", "average_post_vs_pre"] == pytest.approx(np.log2(0.736 / 0.685))
    assert known["BGN", "RT_vs_AT_change"] == pytest.approx(
        np.log2(0.723 / 0.653) - np.log2(0.750 / 0.722)
    )
    # VCAN in RT was not to be had, and nothing was published before against before
    assert ("VCAN", "RT_post_vs_pre") not in known
    assert ("BGN", "RT_vs_AT_pre") not in known
    # the average of a control group too is not that of two trainings
    three = replace(run, settings=run.settings | {"groups": ["AT", "RT", "control"]})
    other = published_effects(three).set_index(["target", "contrast"])["published"]
    assert ("BGN", "average_post_vs_pre") not in other
    assert ("BGN", "RT_post_vs_pre") in other


def test_volcano_holds_the_table_and_labels_targets(drawn: Any) -> None:
    run, _, figures = drawn["normal"]
    shown = figures["volcano_AT_post_vs_pre"].data["points"].set_index("gene_id")
    frame = run.de["AT_post_vs_pre"].set_index("gene_id")
    called = frame.index[frame["call"] != "none"]
    assert set(called) <= set(shown.index)
    # as the hover text prints them
    same = frame.loc[shown.index]
    assert (shown["log2FoldChange"] == same["log2FoldChange"].round(3)).all()
    assert (shown["pvalue"] == same["pvalue"].map(lambda p: float(f"{p:.2e}"))).all()
    targets = set(run.targets["gene_id"].dropna())
    assert set(figures["volcano_AT_post_vs_pre"].data["targets"]["gene_id"]) == targets


def test_labels_of_a_volcano_do_not_overlap(drawn: Any) -> None:
    run, _, figures = drawn["normal"]
    drawing = svg(spec(figures["volcano_AT_post_vs_pre"]))
    names = set(run.targets["target"])
    boxes, named = [], set()
    for element in ET.fromstring(drawing).iter():
        if element.text in names and float(element.get("opacity", "1")) > 0:
            place = element.get("transform", "").removeprefix("translate(").split(")")[0]
            x, y = map(float, place.split(","))
            width = 7.4 * len(element.text)
            named.add(element.text)
            left = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
            boxes.append((x - left * width, y, width))
    assert len(boxes) >= 4
    assert len(boxes) == len(named)
    assert run.targets["target"].iloc[0] in named
    for i, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[:i]:
            apart = x + 0.85 * width <= other_x or other_x + 0.85 * other_width <= x
            assert apart or abs(y - other_y) >= 9


def test_thinning_keeps_the_rim_and_what_it_is_told() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=5000), "y": rng.normal(size=5000)})
    keep = pd.Series(rng.random(5000) < 0.01)
    kept = thin(frame, "x", "y", keep)
    assert set(frame.index[keep]) <= set(kept.index)
    assert 300 < len(kept) < 3200
    for column in ("x", "y"):
        assert {frame[column].idxmin(), frame[column].idxmax()} <= set(kept.index)
    pd.testing.assert_frame_equal(kept, thin(frame, "x", "y", keep))


def test_of_many_donors_some_are_drawn_evenly(drawn: Any) -> None:
    run, _, figures = drawn["many donors"]
    figure = figures["targets_pairs"]
    assert "At most 40 donors of a group" in figure.description
    shown = figure.data["slopes"].pivot_table(
        index=["panel", "group", "donor"], columns="time", values="level"
    )
    change = shown["post"] - shown["pre"]
    assert (change.groupby(["panel", "group"]).size() == 40).all()
    whole = run.donors[(run.donors["target"] == "BGN") & (run.donors["group"] == "AT")]["delta"]
    assert change["BGN", "AT"].min() == pytest.approx(whole.min(), abs=1e-6)
    assert change["BGN", "AT"].max() == pytest.approx(whole.max(), abs=1e-6)
    assert change["BGN", "AT"].median() == pytest.approx(whole.median(), abs=0.03)


def test_running_sum_is_that_of_subramanian() -> None:
    rng = np.random.default_rng(1)
    stat = pd.Series(rng.normal(size=200), index=[f"g{i}" for i in range(200)])
    members = set(rng.choice(stat.index, 15, replace=False))
    shown = running_sum(stat, members)
    ranked = stat.sort_values(ascending=False)
    inside = ranked.index.isin(members)
    hits = np.cumsum(np.where(inside, ranked.abs(), 0)) / ranked.abs()[inside].sum()
    misses = np.cumsum(~inside) / (~inside).sum()
    whole = hits - misses
    # the rank after each step down the list: the curve of the picture is exact where it bends
    bends = shown[shown["rank"] > 0].groupby("rank")["sum"].last()
    for rank, height in bends.items():
        assert height == pytest.approx(whole[rank - 1], abs=1e-12)
    assert np.abs(shown["sum"]).max() == pytest.approx(
        max(np.abs(whole).max(), np.abs(shown["sum"]).max())
    )


def _enriched(rows: list[tuple[str, str, str, str, float]]) -> pd.DataFrame:
    columns = ["contrast", "collection", "gene_set", "family", "fry_pvalue"]
    return pd.DataFrame(rows, columns=columns)


def test_of_a_family_one_set_is_shown_and_the_others_are_named() -> None:
    rows = _enriched(
        [
            ("AT", "a", "large", "large", 0.5),
            ("AT", "a", "near", "large", 0.001),
            ("AT", "a", "other", "other", 0.01),
            ("AT", "b", "large", "large", 0.02),
            ("AT", "b", "last", "last", 0.9),
            # in a model of other genes the families differ: those of the first contrast are shown
            ("pre", "a", "near", "near", 0.1),
            ("pre", "a", "large", "near", 0.1),
            ("pre", "a", "late", "near", 0.1),
        ]
    )
    assert strongest_sets(rows, ["AT"], 3) == [("a", "large"), ("a", "other"), ("b", "large")]
    assert strongest_sets(rows, ["pre"], 3) == [("a", "large")]
    found = relatives(rows)
    assert found["a", "large"] == ["late", "near"]
    assert found["a", "near"] == ["large", "late"]
    assert found["a", "other"] == found["b", "large"] == []
    assert others_of([]) == ""
    assert others_of(["A_B", "C"]) == "≈ A B, C"
    assert others_of(["1", "2", "3", "4", "5"]) == "≈ 1, 2, 3 and 2 more"


def test_every_collection_is_drawn_and_one_set_of_a_family(drawn: Any) -> None:
    run, config, _ = drawn["normal"]
    names = [one.name for one in run.gene_sets][:6]
    own = [replace(one, collection="own") for one in run.gene_sets if one.name in names]
    shown = {}
    for contrast, frame in run.enrichment.items():
        # a collection of the user's own, stronger than the first, two of its sets near-duplicates
        mine = frame[frame["gene_set"].isin(names)].assign(collection="own", fry_pvalue=1e-6)
        mine["family"] = mine["gene_set"].replace(names[1], names[0])
        shown[contrast] = pd.concat([frame, mine], ignore_index=True)
    both = replace(run, enrichment=shown, gene_sets=(*run.gene_sets, *own))
    figures = draw(both, config)
    panels = set(figures["ecm_running_sums"].data["sums"]["panel"])
    assert {f"{name} (own)" for name in (names[0], *names[2:])} <= panels
    assert f"{names[1]} (own)" not in panels
    assert len(panels) == 6
    cells = figures["ecm_sets"].data["cells"]
    assert set(cells["collection"]) == {"matrix", "own"}
    assert names[1] not in set(cells.loc[cells["collection"] == "own", "gene_set"])
    beside = figures["ecm_sets"].data["families"]
    assert set(beside["others"]) == {"matrix", "own", f"own; ≈ {names[1]}"}
    assert not cells.duplicated(["name", "contrast"]).any()


def test_a_collection_that_hardly_maps_is_said(drawn: Any) -> None:
    run, _, _ = drawn["normal"]
    assert few_found(run) == []
    here = len({gene for one in run.gene_sets for gene in one.genes})
    lost = pd.DataFrame({"gene": [f"Gene{i}" for i in range(here + 1)]})
    lost = pd.concat([lost, lost]).assign(collection="matrix", gene_set="x", reason="not there")
    said = {"collection": "matrix", "found": here, "named": 2 * here + 1}
    assert few_found(replace(run, left_out=lost)) == [said]
    assert few_found(replace(run, left_out=lost[lost["gene"] != "Gene0"])) == []


def test_leading_edges_show_each_donors_change(drawn: Any) -> None:
    run, _, figures = drawn["normal"]
    cells = figures["ecm_leading_edge"].data["cells"]
    edges = figures["ecm_running_sums"].data["sums"].query("edge == 1")
    assert set(cells["gene"]) <= set(edges["gene"])
    assert list(dict.fromkeys(cells["group"])) == run.groups
    row = cells.iloc[7]
    samples = run.obs[(run.obs["donor"] == row["donor"]) & (run.obs["group"] == row["group"])]
    levels = np.log2(run.normalized.loc[samples.index, row["gene_id"]] + 0.5)
    levels.index = samples["time"].astype(str)
    assert row["change"] == pytest.approx(levels["post"] - levels["pre"], abs=1e-6)
    pairs = run.contrasts.set_index("group").loc[run.groups, "pairs"]
    donors = cells.groupby("group")["donor"].nunique()
    assert (donors <= pairs[~pairs.index.duplicated()]).all()
    _, _, many = drawn["many donors"]
    figure = many["ecm_leading_edge"]
    assert "At most 24 donors of a group" in figure.description
    assert (figure.data["cells"].groupby("group")["donor"].nunique() == 24).all()


def test_running_sum_without_members_is_flat() -> None:
    stat = pd.Series([1.0, -1.0], index=["a", "b"])
    assert (running_sum(stat, set())["sum"] == 0).all()
    assert (running_sum(stat, {"a", "b"})["sum"] == 0).all()
