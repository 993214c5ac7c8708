"""Figures for a paper: PDF at a column's width, figure 1, called genes, overlap, first target."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from fontTools.ttLib import TTFont

from fibroserum.de.overlap import shown_in
from fibroserum.report.figures import called, figure1, first_target, targets
from fibroserum.report.figures.registry import draw
from fibroserum.report.figures.render import compose, image, pdf, svg
from fibroserum.report.loading import RunTables, labels_of, load_run
from fibroserum.report.sizes import (
    COMPOSED,
    FONT,
    MOST_FOR_ONE_COLUMN,
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
)
from fibroserum.report.theme import GROUP_COLOURS, group_colours, lines_of, spec
from helpers.report_run import make_run
from helpers.report_shape import SEVERAL, Shape

LONG = ("aerobic_endurance_training_of_16_weeks", "resistance training, supervised")
SHAPES = {
    "normal": Shape(genes=150, groups=("RT", "AT")),
    "several": SEVERAL,
    "nothing": Shape(genes=120, changed=0, pairs=3, dropped=0, factors=()),
    "one group": Shape(genes=120, groups=("all",), pairs=3, factors=(), targets=()),
    "long": Shape(genes=120, groups=LONG, pairs=3, factors=()),
}
MM = 72 / 25.4


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> dict[str, tuple[RunTables, dict[str, Any]]]:
    made = {}
    for name, shape in SHAPES.items():
        folder = tmp_path_factory.mktemp("run")
        config = make_run(folder, repository, shape)
        made[name] = load_run(folder, config), config
    return made


def words_of(drawing: str) -> list[str]:
    return [element.text for element in ET.fromstring(drawing).iter() if element.text]


def page_of(document: bytes) -> tuple[float, float]:
    found = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)
    assert found is not None
    return float(found[1]), float(found[2])


def square(width: float, words: str = "gene") -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="100" '
        f'viewBox="0 0 {width} 100"><defs><clipPath id="clip1"><rect width="9" height="9"/>'
        f'</clipPath></defs><g clip-path="url(#clip1)"><text x="5" y="20" font-family="{FONT}" '
        f'font-size="11">{words}</text><text x="5" y="50" font-family="{FONT}" font-size="11" '
        f'font-weight="bold">{words}</text></g></svg>'
    )


def test_a_pdf_is_one_or_two_columns_wide() -> None:
    narrow, wide = MOST_FOR_ONE_COLUMN - 1, MOST_FOR_ONE_COLUMN + 1
    for width, column in ((narrow, ONE_COLUMN_MM), (wide, TWO_COLUMNS_MM)):
        across, down = page_of(pdf(square(width)))
        assert across == pytest.approx(column * MM, abs=0.01)
        assert down == pytest.approx(100 / width * across, abs=0.01)
    # letters of 11 pixels have 6 points in the narrowest column
    assert pytest.approx(6) == ONE_COLUMN_MM * MM / MOST_FOR_ONE_COLUMN * 11


def test_fonts_are_embedded_and_words_are_words() -> None:
    document = pdf(square(300, "BGN"))
    fonts = re.findall(rb"/Subtype /Type0\s+/BaseFont /([A-Z]{6}\+\S+)", document)
    assert sorted(name.split(b"+")[1] for name in fonts) == sorted(
        [b"LiberationSans", b"LiberationSans-Bold"]
    )
    assert document.count(b"/FontFile2 ") == 2
    assert document.count(b"/ToUnicode ") == 2
    # words, not their outlines
    streams = re.findall(rb"stream\n(x.*?)\nendstream", document, re.S)
    assert sum(zlib.decompress(one).count(b" Tf") for one in streams) >= 2


def test_a_pdf_has_the_same_bytes_in_another_process(repository: Path) -> None:
    drawing = square(500)
    code = "import sys; from fibroserum.report.figures.render import pdf; "
    code += "sys.stdout.buffer.write(pdf(sys.stdin.read()))"
    there = subprocess.run(
        [sys.executable, "-c", code], input=drawing.encode(), capture_output=True, check=True
    ).stdout
    assert there == pdf(drawing)
    # offsets of the table of objects are right
    table = int(there.rsplit(b"startxref", 1)[1].split()[0])
    offsets = [int(at) for at in re.findall(rb"(\d{10}) 00000 n", there[table:])]
    assert len(offsets) > 5
    for number, at in enumerate(offsets, 1):
        assert there[at:].startswith(b"%d 0 obj\n" % number)


def test_figures_do_not_depend_on_the_fonts_of_a_machine(tmp_path: Path) -> None:
    spec = {
        "data": {"values": [{"gene": "BGN", "change": 0.15}]},
        "mark": "bar",
        "encoding": {
            "x": {"field": "change", "type": "quantitative"},
            "y": {"field": "gene", "type": "nominal"},
        },
        "config": {"font": FONT},
        "usermeta": {"labels": None},
    }
    code = (
        "import hashlib, json, sys, vl_convert; from fibroserum.report.figures import render; "
        "spec = json.load(sys.stdin); drawing = render.svg(spec); "
        "parts = drawing, render.png(drawing), render.pdf(drawing), vl_convert.svg_to_png(drawing);"
        "print(*(hashlib.sha256(p if isinstance(p, bytes) else p.encode()).hexdigest() "
        "for p in parts))"
    )
    # two families of a system with the letters of another font
    folder = tmp_path / ".local" / "share" / "fonts"
    folder.mkdir(parents=True)
    for family in ("Arial", "Liberation Sans"):
        font = TTFont(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono-Bold.ttf"))
        font["name"].setName(family, 1, 3, 1, 0x409)
        font["name"].setName("Regular", 2, 3, 1, 0x409)
        font["OS/2"].usWeightClass = 400
        font["head"].macStyle = 0
        font.save(folder / f"{family}.ttf")
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(spec),
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / ".local" / "share")},
        ).stdout.split()
        for home in (tmp_path / "none", tmp_path)
    ]
    assert found[0][:3] == found[1][:3]
    # vl-convert by itself does
    assert found[0][3] != found[1][3]


def test_panels_have_letters_and_ids_of_their_own() -> None:
    made = compose([square(200), square(390), square(450), square(700)])
    root = ET.fromstring(made)
    assert float(root.get("width", 0)) == COMPOSED.width
    assert words_of(made)[:1] == ["A"]
    letters = [word for word in words_of(made) if len(word) == 1]
    assert letters == ["A", "B", "C", "D"]
    ids = re.findall(r'id="([^"]+)"', made)
    assert ids == ["A-clip1", "B-clip1", "C-clip1", "D-clip1"]
    assert set(re.findall(r"url\(#([^)]+)\)", made)) == set(ids)
    places = re.findall(r"translate\(([\d.]+),([\d.]+)\) scale\(([\d.]+)\)", made)
    across, _, scales = (list(map(float, one)) for one in zip(*places, strict=True))
    second = COMPOSED.column + COMPOSED.gap
    # A and B have equal heights: C is below A; D is wider than a column may be made to hold
    assert across == [0.0, second, 0.0, 0.0]
    assert scales == pytest.approx([1, 1, COMPOSED.column / 450, 1], abs=1e-3)


@pytest.mark.parametrize("name", list(SHAPES))
def test_figure_1_of_every_run(runs: Any, name: str) -> None:
    run, _ = runs[name]
    made = image(compose([svg(spec(panel)) for panel in figure1.panels(run, 0.05)]))
    words = words_of(made.svg)
    assert [word for word in words if word in set("ABCDE")] == list("ABCDE")
    assert page_of(made.pdf)[0] == pytest.approx(TWO_COLUMNS_MM * MM, abs=0.01)
    assert made.png.startswith(b"\x89PNG")
    if name == "normal":
        pairs = run.contrasts.set_index("contrast")["pairs"]["RT_post_vs_pre"]
        assert f"{pairs} pairs" in words
        assert {"BGN", "PC1 (50 % of variance)", "matrix set 1"} <= set(words)
    if name == "one group":
        assert "No target was declared." in words


def test_contrasts_of_figure_1(runs: Any) -> None:
    assert figure1.main_contrasts(runs["normal"][0]) == [
        "RT_post_vs_pre",
        "AT_post_vs_pre",
        "AT_vs_RT_change",
    ]
    # of three groups the control's change is part of the differences
    assert figure1.main_contrasts(runs["several"][0]) == [
        "AT_week8_vs_pre",
        "RT_week8_vs_pre",
        "AT_vs_control_change_week8",
        "RT_vs_control_change_week8",
    ]


def test_another_reference_changes_no_colour() -> None:
    groups = ["control", "AT", "RT"]
    colours = group_colours(groups)
    assert colours == group_colours(["RT", "control", "AT"])
    assert list(colours) == groups
    assert [colours[name] for name in sorted(groups)] == list(GROUP_COLOURS[:3])


@pytest.mark.parametrize("figure", ["glance_calls", "target_first", "pca", "called_genes"])
def test_no_name_of_a_group_is_cut(runs: Any, figure: str) -> None:
    run, config = runs["long"]
    words = words_of(svg(spec(draw(run, config)[figure])))
    # names of donors may be cut, since they begin alike
    assert not [word for word in words if "…" in word and not re.search(r"\d\d$", word)]
    # lines of a name follow each other
    whole = "".join(words).replace(" ", "")
    for group in run.groups:
        assert group.replace(" ", "") in whole
    assert lines_of(["resistance training, supervised"], 24) == 2


def test_headings_are_above_their_own_donors(runs: Any) -> None:
    run, config = runs["several"]
    assert run.groups[:3] == ["control", "AT", "RT"]
    figures = draw(run, config)
    for name in ("called_genes", "ecm_leading_edge"):
        words = words_of(svg(spec(figures[name])))
        heads = [word for word in words if word in run.groups]
        donors = [word for word in words if re.fullmatch(r"(control|AT|RT)0[1-5]", word)]
        seen = [donor[:-2] for donor in donors]
        assert heads == ["control", "AT", "RT"], name
        assert list(dict.fromkeys(seen)) == heads, name
        times = [word for word in words if word in run.times]
        assert times == run.times, name


def test_called_genes_are_those_of_the_tables(runs: Any) -> None:
    run, _ = runs["normal"]
    figure = called.heatmap(run)
    cells = figure.data["cells"]
    changes = [one.name for one in run.planned if one.kind != "baseline"]
    rows = [run.de[name].query("call != 'none'") for name in changes]
    expected = {gene for frame in rows for gene in frame["gene_id"]}
    assert 3 < len(expected) <= called.MOST_GENES
    assert set(cells["gene_id"]) == expected
    assert list(dict.fromkeys(cells["group"])) == run.groups
    empty = called.heatmap(runs["nothing"][0])
    assert empty.description == "No gene is called in any change or difference."
    assert empty.description.split()[0] in words_of(svg(spec(empty)))[0]


def test_overlap_counts_are_those_of_the_test(runs: Any) -> None:
    run, _ = runs["normal"]
    rows = called.overlap(run, 0.05).data["counts"].set_index("shown")
    found = shown_in(run.de["RT_post_vs_pre"], run.de["AT_post_vs_pre"], 0.05)["shown"]
    counts = found.value_counts()
    assert rows.loc["shown in both", "genes"] == counts.get("both", 0)
    first = rows.loc["shown in RT, not shown in AT"]
    assert first["genes"] == counts["first"] > 0
    difference = run.de["AT_vs_RT_change"].set_index("gene_id")["call"]
    own = found.index[found == "first"]
    assert first["differ"] == (difference[own] != "none").sum()
    # three groups at three times: groups at each time, then times in each group
    several = called.overlap(runs["several"][0], 0.05).data["counts"]["panel"].unique()
    assert several[0] == "control week16 and AT week16"
    assert several[9] == "control week16 and control week4"
    one, null = (called.overlap(runs[name][0], 0.05) for name in ("one group", "nothing"))
    assert one.description == "There is only one change, so there is nothing to compare."
    assert null.description == "No gene is shown to change in any group."
    assert not re.search("specific| only", called.overlap(run, 0.05).description)


def test_quadrants_use_the_same_test(runs: Any) -> None:
    run, _ = runs["normal"]
    points = called.quadrants(run, "AT_vs_RT_change", 0.05).data["points"]
    found = shown_in(run.de["RT_post_vs_pre"], run.de["AT_post_vs_pre"], 0.05)["shown"]
    drawn = points.set_index("gene_id")["shown"]
    for word, said in (("first", "RT, not shown in AT"), ("second", "AT, not shown in RT")):
        genes = set(found.index[found == word])
        assert genes
        assert set(drawn.index[drawn == f"shown in {said}"]) == genes


def test_the_first_target_has_its_estimates_and_intervals(runs: Any) -> None:
    run, _ = runs["normal"]
    figure = first_target.figure(run)
    rows = run.targets[run.targets["target"] == "BGN"].set_index("contrast")
    shown = figure.data["estimates"].set_index("contrast")
    assert list(shown.index) == ["RT_post_vs_pre", "AT_post_vs_pre", "AT_vs_RT_change"]
    words = words_of(svg(spec(figure)))
    for contrast, row in shown.iterrows():
        assert row["ci_low"] == rows.loc[contrast, "ci_low"]
        said = f"{rows.loc[contrast, 'log2FoldChange']:.2f}".replace("-", "−")
        assert row["words"].startswith(f"{said} (")
        assert row["words"] in words
        assert labels_of(run)[contrast] in words
    deltas = run.donors[run.donors["target"] == "BGN"]["delta"]
    assert sorted(figure.data["changes"]["delta"]) == sorted(deltas)
    assert first_target.figure(runs["one group"][0]).description == "No target was declared."


def test_one_wide_interval_does_not_set_the_scale(runs: Any) -> None:
    run, _ = runs["normal"]
    wide = run.targets.copy()
    at = wide.index[(wide["target"] == "DCN") & (wide["contrast"] == "AT_post_vs_pre")]
    wide.loc[at, ["ci_low", "ci_high"]] = [-30.0, 0.5]
    frame = targets.forest_rows(replace(run, targets=wide)).set_index(["target", "contrast"])
    others = frame.drop(("DCN", "AT_post_vs_pre"))
    limit = 1.05 * others[["low", "high", "estimate"]].abs().max().max()
    cut = frame.loc["DCN", "AT_post_vs_pre"]
    assert cut["low"] == cut["at_low"] == pytest.approx(-limit)
    assert (cut["ci_low"], cut["high"]) == (-30, 0.5)
    assert (cut["beyond_low"], cut["beyond_high"]) == (1, 0)
    assert not others[["beyond_low", "beyond_high"]].any(axis=None)
