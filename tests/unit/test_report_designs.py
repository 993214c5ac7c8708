"""A page of several times and many contrasts: what it opens with, what it says, what it draws."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from fibroserum.cohort.contrasts import contrasts_of, effects_of
from fibroserum.cohort.opening import opening, reading_order
from fibroserum.report.figures.catalogue import OF_ALL_CONTRASTS, figure_names
from fibroserum.report.figures.cohort import pca
from fibroserum.report.figures.glance import pairs
from fibroserum.report.figures.outcomes import scatter
from fibroserum.report.figures.render import svg
from fibroserum.report.figures.slopes import slopes
from fibroserum.report.figures.targets import pairs as trajectories
from fibroserum.report.loading import RunTables, labels_of, load_run
from fibroserum.report.page.design_words import calls_compared, words_of_design
from fibroserum.report.page.tables import contrast_choices, over_all_groups
from fibroserum.report.page.verdicts import first_verdicts, target_first
from fibroserum.report.theme import Figure, spec
from fibroserum.report.workbook import workbook
from helpers.page_blocks import block
from helpers.report_run import make_run, page_of
from helpers.report_shape import SEVERAL, Shape

Made = tuple[RunTables, dict[str, Any], str]
AFTER = list(SEVERAL.times)
NOT = "This is not evidence of a difference: the difference contrast"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Made:
    return page_of(tmp_path_factory.mktemp("run"), repository, SEVERAL)


@pytest.mark.parametrize(
    ("groups", "times", "options", "shown", "of"),
    [
        (["AT", "RT"], ["post"], {}, "all", 5),
        (["control", "AT", "RT"], ["post"], {}, "all", 8),
        (["control", "AT", "RT"], ["post"], {"pairwise": True}, 5, 10),
        (["control", "AT", "RT"], ["w4", "w8", "w16"], {"pairwise": True}, 15, 24),
        # a reference that was measured before only: the first group with a change takes its place
        (["well", "AT", "RT"], ["w4", "w8"], {"only_before": ["well"], "pairwise": True}, 6, 11),
        (["c", "AT", "RT"], ["post"], {"dose": "sessions", "pairwise": True}, 10, 16),
        (["AT", "RT"], ["w4", "w8"], {"own": {"x": {"RT@w4": 1, "AT@w8": -1}}}, 7, 10),
    ],
)
def test_of_many_contrasts_the_page_opens_with_changes_differences_and_own_ones(
    groups: list[str], times: list[str], options: Any, shown: int | str, of: int
) -> None:
    contrasts = contrasts_of(groups, "pre", times, **options)
    assert len(contrasts) == of
    first = opening(contrasts)
    assert len(first) == (of if shown == "all" else shown)
    kept = [one for one in contrasts if one.name in first]
    folded = [one for one in contrasts if one.name not in first]
    assert [one.name for one in kept] == first
    changing = [one.group for one in contrasts if one.kind == "change"]
    assert all(one.kind not in ("change", "own", "dose") for one in folded)
    assert all(one.reference != changing[0] for one in folded if "difference" in one.kind)
    names = figure_names(contrasts, [])
    assert {f"{kind}_others" in names for kind in OF_ALL_CONTRASTS} == {bool(folded)}


@pytest.mark.parametrize(
    ("groups", "control", "expected"),
    [
        # the reference counts as the control group where none is declared
        (["AT", "RT"], None, ["RT_post_vs_pre", "RT_vs_AT_change", "AT_post_vs_pre"]),
        (["AT", "RT"], "RT", ["AT_post_vs_pre", "RT_vs_AT_change", "RT_post_vs_pre"]),
        (["all"], None, ["all_post_vs_pre"]),
    ],
)
def test_a_report_opens_with_an_intervention(
    groups: list[str], control: str | None, expected: list[str]
) -> None:
    contrasts = contrasts_of(groups, "pre", "post", control=control)
    order = reading_order(contrasts, groups, control)
    assert order[: len(expected)] == expected
    assert sorted(order) == sorted(one.name for one in contrasts)


def test_what_holds_over_all_groups_is_said_once_a_target_and_time() -> None:
    rows = [
        ("BGN", "w4", "No group."),
        ("BGN", "w4", "No group."),
        ("BGN", "w8", "RT."),
        ("DCN", "w4", None),
    ]
    patterns = pd.DataFrame(rows, columns=["target", "time", "all_groups"])
    found = [tuple(row.values()) for row in over_all_groups(patterns)]
    assert found == [("BGN", "w4", "No group."), ("BGN", "w8", "RT.")]
    assert over_all_groups(patterns[["target"]]) == []


def test_the_verdicts_shown_at_once_are_the_first_target_and_calls(several: Made) -> None:
    run = several[0]
    quiet = replace(run, targets=run.targets.assign(verdict="inconclusive"))
    shown = len(run.opening)
    assert first_verdicts(quiet) == shown
    called = quiet.targets["verdict"].where(quiet.targets["target"] != "DCN", "down")
    assert shown < 24 < 2 * shown
    assert first_verdicts(replace(run, targets=run.targets.assign(verdict=called))) == 24


def test_every_contrast_is_on_the_page_once_and_can_be_chosen(several: Made) -> None:
    run, _, page = several
    assert len(run.opening) + len(run.folded) == len(run.contrast_names) == 29
    change = page[page.index('id="change-title"') : page.index("Can the p values be trusted?")]
    parts = re.split(r'data-part="contrast" data-value="', change)[1:]
    assert [part[: part.index('"')] for part in parts] == [str(number) for number in range(29)]
    drawn = [re.search(r'data-figure="volcano_([^"]+)"', part).group(1) for part in parts]
    assert drawn == run.contrast_names
    labels = labels_of(run)
    menu = change[change.index('id="genes-contrast"') :]
    offered = re.findall(r'<option value="(\d+)">([^<]+)<', menu[: menu.index("</select>")])
    assert dict(offered) == {str(n): labels[one] for n, one in enumerate(run.contrast_names)}
    kinds = [kind for kind, _ in contrast_choices(run, run.contrast_names)]
    assert kinds[:2] == ["Change in a group", "Difference between groups"]
    drawn = re.findall(r'data-figure="([^"$]+)"', page)
    assert sorted(drawn) == sorted(figure_names(run.planned, several[1]["factors"]))
    # the verdicts: those of the first target in the changes come first
    rows = re.findall(
        r'<tr><th scope="rowgroup"><button[^>]*>([^<]+)</button></th><td>([^<]+)</td>', page
    )
    first = len(run.opening)
    assert rows[:first] == [("BGN", labels[name]) for name in run.opening]
    assert len(rows) == len(run.targets)


def test_figures_over_all_contrasts_share_them_out(several: Made) -> None:
    figures = json.loads(block(several[2], "figures"))
    run = several[0]
    for kind in ("targets_forest", "targets_leave_one_out", "targets_detectable"):
        for name, wanted in ((kind, run.opening), (f"{kind}_others", run.folded)):
            (rows,) = figures[name]["datasets"].values()
            assert set(rows["contrast"]) == set(wanted)
            assert len(figures[name]["facet"]["sort"]) == len(wanted)


def test_trajectories_go_through_every_time_in_its_order(several: Made) -> None:
    run, _, page = several
    drawn = spec(trajectories(run))
    rows = pd.DataFrame(drawn["datasets"]["slopes"])
    bgn = rows[rows["panel"] == "BGN"]
    wanted = run.donors[run.donors["target"] == "BGN"]
    for time in AFTER:
        own = bgn[bgn["time"] == time].set_index("donor")["level"]
        table = wanted[wanted["time"] == time].dropna(subset=["after"]).set_index("donor")["after"]
        pd.testing.assert_series_equal(own, table, check_names=False, rtol=1e-6)
    start = bgn[bgn["time"] == "pre"]
    assert not start.duplicated(["donor", "group"]).any()
    # in the config's order, which is not that of the names
    assert bgn.groupby("time")["order"].first().to_dict() == {
        "pre": 0,
        **{time: 1 + AFTER.index(time) for time in AFTER},
    }
    slots = drawn["spec"]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert slots[:4] == ["control pre", *(f"control {time}" for time in AFTER)]
    assert [slot for slot in slots if slot.startswith("healthy")] == ["healthy pre"]
    looked_up = json.loads(block(page, "figures"))["lookup_donors"]
    assert looked_up["spec"]["layer"][0]["encoding"]["order"]["field"] == "order"
    assert json.loads(block(page, "settings"))["times"] == AFTER


def test_a_donor_that_drops_out_does_not_shift_the_mean_line(several: Made) -> None:
    run = several[0]
    # B is high throughout and lacks the last time: every change is 1
    rows = [("A", "week16", 0.0, 1.0), ("A", "week4", 0.0, 1.0), ("A", "week8", 0.0, 1.0)]
    rows += [("B", "week16", 10.0, 11.0), ("B", "week4", 10.0, 11.0), ("B", "week8", 10.0, np.nan)]
    frame = pd.DataFrame(rows, columns=["donor", "time", "before", "after"])
    figure = slopes(run, frame.assign(panel="X", group="AT"), ["X"], "level", "words")
    drawn = svg(spec(figure))
    # the mean line: one path of 4 points, level after its first step
    (path,) = re.findall(r'd="(M[^"]+)"[^>]*stroke-width="3.2"', drawn)
    points = [tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]
    heights = [y for _, y in points]
    assert len(points) == 4
    assert heights[0] > heights[1]
    assert heights[1] == pytest.approx(heights[2]) == pytest.approx(heights[3])


def test_arrows_lead_through_the_times_a_donor_has(several: Made) -> None:
    run = several[0]
    lost = (run.metrics["donor"] == "AT01") & (run.metrics["time"] == "week4")
    arrows = pca(replace(run, metrics=run.metrics[~lost])).data["arrows"]
    counted = arrows.groupby("donor").size()
    assert counted["AT01"] == 2
    assert counted["AT02"] == 3
    assert not any(donor.startswith("healthy") for donor in counted.index)
    own = arrows[arrows["donor"] == "AT01"].sort_values("x")
    of = run.metrics[run.metrics["donor"] == "AT01"].set_index("time")
    ends = {(round(row.x, 6), round(row.x2, 6)) for row in own.itertuples()}
    wanted = [("pre", "week16"), ("week16", "week8")]
    assert ends == {tuple(round(of.loc[time, "PC1"], 6) for time in pair) for pair in wanted}


def test_pairs_are_counted_per_group_and_time(several: Made) -> None:
    run, _, page = several
    table = run.contrasts.assign(pairs=range(1, len(run.contrasts) + 1))
    frame = pairs(replace(run, contrasts=table)).data["pairs"]
    assert list(frame["slot"])[:4] == [*(f"control, {time}" for time in AFTER), "AT, week16"]
    by_name = table.set_index("contrast")["pairs"]
    assert list(frame["pairs"])[:3] == [by_name[f"control_{time}_vs_pre"] for time in AFTER]
    assert "complete pairs in RT at week16, <strong>5</strong> at week4" in page


def said(run: RunTables, config: Any) -> str:
    return "\n".join(words_of_design(run, config))


def test_the_glance_says_what_the_design_is(several: Made) -> None:
    run, config, page = several
    words = said(run, config)
    assert "control is the control group: averages are over AT and RT." in words
    assert "trained is 0.5 AT + 0.5 RT - control, change at week8" in words
    assert "late is RT at week8 - RT at week4, changes from pre." in words
    assert (
        "healthy was measured only at pre. It is used only in the comparisons before the "
        "intervention."
    ) in words
    assert "pairwise" not in words
    assert all(html.escape(line, quote=False) in page for line in words.splitlines())
    # what is left out by `ignore_times`
    config = {**config, "design": {**config["design"], "ignore_times": ["follow_up"]}}
    left = run.samples.assign(time=["follow_up"] * 2 + list(run.samples["time"])[2:])
    assert "2 samples at follow_up are left out" in said(replace(run, samples=left), config)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (Shape(groups=("AT", "RT"), genes=150), []),
        (
            Shape(groups=("control", "AT", "RT"), control="control", genes=150),
            ["AT and RT are each compared with control. RT against AT is not in this run. To"],
        ),
        (
            Shape(groups=("AT", "RT", "X"), genes=150, own={"mine": {"X": 1, "RT": -1}}),
            [],
        ),
        (
            Shape(groups=("A", "B", "C", "D"), genes=150),
            ["B, C and D are each compared with A. C against B, D against B, D against C are not"],
        ),
        (
            Shape(groups=("healthy", "AT", "RT"), only_before=("healthy",), genes=150),
            [
                "The reference group healthy has no sample after, so it has no change. RT "
                "against AT is not in this run. To"
            ],
        ),
    ],
)
def test_comparisons_that_are_not_in_the_run_are_named(
    tmp_path: Path, repository: Path, shape: Shape, wanted: list[str]
) -> None:
    config = make_run(tmp_path, repository, shape)
    words = [
        line
        for line in words_of_design(load_run(tmp_path, config), config)
        if "in this run" in line
    ]
    assert len(words) == len(wanted)
    for line, begin in zip(words, wanted, strict=True):
        assert line.startswith(begin)
        assert "differences: pairwise" in line


@pytest.mark.parametrize(
    ("first", "second", "difference", "sentence"),
    [
        (461, 7077, 0, f"(7,077 and 461). {NOT} calls none."),
        (461, 7077, 300, f"(7,077 and 461). {NOT} calls 300."),
        (461, 7077, 900, ""),
        (461, 700, 0, ""),
        (0, 12, 0, ""),
        (0, 40, 0, f"(40 and 0). {NOT} calls none."),
    ],
)
def test_more_calls_in_one_group_are_no_difference(
    several: Made, first: int, second: int, difference: int, sentence: str
) -> None:
    run = several[0]
    table = run.contrasts.assign(up=0, down=0).set_index("contrast")
    table.loc["control_week8_vs_pre", "down"] = first
    table.loc["RT_week8_vs_pre", "up"] = second
    table.loc["RT_vs_control_change_week8", "up"] = difference
    # no other difference of these two has a say
    table.loc[["AT_week8_vs_pre"], "up"] = [max(first, second)]
    lost = ["AT_vs_control_change_week8", "RT_vs_AT_change_week8"]
    table.loc[lost, "status"] = "not_estimable"
    found = calls_compared(replace(run, contrasts=table.reset_index()))
    assert len(found) == bool(sentence)
    for line in found:
        assert line.startswith("More genes are called in RT than in control at week8 ")
        assert sentence in line


def test_of_many_verdicts_on_the_first_target_the_calls_are_told(several: Made) -> None:
    run = several[0]
    own = (run.targets["target"] == "BGN") & run.targets["contrast"].isin(run.opening)
    words = pd.Series("inconclusive", run.targets.index)
    held = pd.Series("none", run.targets.index)
    rows = list(run.targets.index[own])
    words[rows[1]], words[rows[3]], words[rows[4]], held[rows[3]] = (
        "up",
        "down",
        "untestable",
        "down",
    )
    made = target_first(replace(run, targets=run.targets.assign(verdict=words, headline=held)))
    names = list(run.targets.loc[own, "contrast"])
    assert made["in_full"] == [names[3], names[1]]
    short = dict(made["in_short"])
    assert short["untestable"] == [names[4]]
    assert len(short["inconclusive"]) == len(names) - 3


@pytest.mark.parametrize(
    ("times", "own", "words"),
    [
        (["post"], {"AT": 0.5, "RT": 0.5, "c": -1}, "0.5 AT + 0.5 RT - c, change"),
        (["w4", "w8"], {"AT@w8": 1, "RT@w8": -1}, "AT - RT, change at w8"),
        (["w4", "w8"], {"RT@w8": 1, "RT@w4": -1}, "RT at w8 - RT at w4, changes from pre"),
    ],
)
def test_own_contrasts_have_words(times: list[str], own: dict[str, float], words: str) -> None:
    contrasts = contrasts_of(["AT", "RT", "c"], "pre", times, own={"mine": own})
    assert effects_of(contrasts)["mine"] == words


@pytest.mark.parametrize(("shape", "there"), [(SEVERAL, True), (Shape(genes=120), False)])
def test_optional_columns_are_explained_where_a_table_has_them(
    tmp_path: Path, repository: Path, shape: Shape, there: bool
) -> None:
    run, _, page = page_of(tmp_path, repository, shape)
    assert ("time" in run.donors) == there
    book = openpyxl.load_workbook(io.BytesIO(workbook(tmp_path, "made up", {})), read_only=True)
    rows = [row[:2] for row in book["Read me"].iter_rows(values_only=True)]
    assert (("target_donors", "time") in rows) == there
    part = page[page.index("flags/target_donors.tsv: ") :]
    assert ('<th scope="row">time</th>' in part[: part.index("</table>")]) == there


def test_the_legend_of_an_outcome_names_the_groups_that_have_it(
    tmp_path: Path, repository: Path
) -> None:
    config = make_run(tmp_path, repository, Shape(genes=120, outcomes=("skin",), factors=()))
    run = load_run(tmp_path, config)
    time = str(run.outcome_targets["time"].iloc[0])
    whole = run.groups
    assert legend_of(scatter(run, "skin", time)) == whole
    lost = run.outcome_pairs["group"] == whole[-1]
    part = replace(run, outcome_pairs=run.outcome_pairs[~lost])
    assert legend_of(scatter(part, "skin", time)) == whole[:-1]


def legend_of(figure: Figure) -> list[str]:
    """Return the entries of a figure's first legend of groups."""
    return next(
        layer["encoding"]["color"]["legend"]["values"] for layer in spec(figure)["spec"]["layer"]
    )
