"""Figure 1 of a paper: design, principal components, first target, forest, gene sets."""

from __future__ import annotations

from dataclasses import replace

import altair as alt
import pandas as pd

from fibroserum.report.figures import first_target, sets, targets
from fibroserum.report.figures.cohort import pca
from fibroserum.report.loading import RunTables, label_order, only
from fibroserum.report.theme import (
    INK,
    Figure,
    data,
    empty,
    group_scale,
    hollow_or_filled,
    label_axis,
    layered,
    row_step,
    wrapped,
)

MOST_CONTRASTS, MOST_TARGETS, MOST_SETS = 4, 12, 10
#: Width of a contrast's panel in the forest, and letters to a line of its heading.
PANEL, LINE = 84, 12
PAPER = "#ffffff"


def main_contrasts(run: RunTables) -> list[str]:
    """Return the contrasts of figure 1: changes at the last time, then their differences.

    Of more than two changes, that of the reference is left out: it is part of the differences.
    """
    last = [
        one
        for one in run.planned
        if one.time == run.times[-1]
        and one.name in run.opening
        and one.name not in run.settings["not_estimable"]
    ]
    changes = [one for one in last if one.kind == "change"]
    if len(changes) > 2:
        changes = [one for one in changes if one.group != run.groups[0]]
    differences = [one for one in last if one.kind == "difference"]
    return [one.name for one in [*changes, *differences][:MOST_CONTRASTS]]


def design(run: RunTables) -> Figure:
    """How many samples each group has at each time, and how many donors are pairs."""
    times = [run.settings["before"], *run.times]
    used = run.samples[run.samples["used_for"] != "none"]
    counts = used.groupby(["group", "time"])["donor"].nunique()
    frame = counts.rename("donors").reset_index().astype({"donors": int})
    frame["filled"] = frame["time"].isin(run.times).astype(int)
    frame["ink"] = frame["filled"].map({0: INK, 1: PAPER})
    groups = [group for group in run.groups if group in set(frame["group"])]
    if frame.empty:
        return empty("No sample is used.")
    changes = run.contrasts[run.contrasts["kind"] == "change"]
    pairs = changes.groupby("group")["pairs"].agg(["min", "max"]).astype(int)
    words = {
        group: f"{low} pairs" if low == high else f"{low} to {high} pairs"
        for group, (low, high) in zip(pairs.index, pairs.to_numpy(), strict=True)
    }
    said = pd.DataFrame({"group": list(words), "pairs": list(words.values())})
    step, width = row_step(groups, LINE, 46), 74 * len(times)
    y = alt.Y("group:N", sort=groups, title=None, axis=label_axis(groups, LINE, domain=False))
    x = alt.X(
        "time:N",
        sort=times,
        title="Donors at each time",
        axis=alt.Axis(
            orient="top",
            labelAngle=0,
            labelExpr=wrapped(10),
            labelLimit=0,
            domain=False,
            ticks=False,
            grid=False,
        ),
    )
    colour = alt.Color("group:N", scale=group_scale(run.groups), legend=None)
    source = alt.Chart(data("places"))
    lines = source.mark_line(strokeWidth=1.6).encode(
        x=x, y=y, color=colour, detail=alt.Detail("group:N")
    )
    paper = source.mark_point(size=760, filled=True, color=PAPER).encode(x=x, y=y)
    dots = source.mark_point(size=760, strokeWidth=1.6).encode(
        x=x,
        y=y,
        color=colour,
        fill=alt.Fill("group:N", scale=group_scale(run.groups), legend=None),
        fillOpacity=hollow_or_filled(),
    )
    numbers = source.mark_text(fontWeight="bold").encode(
        x=x, y=y, text=alt.Text("donors:Q"), color=alt.Color("ink:N", scale=None)
    )
    beside = (
        alt.Chart(data("pairs"))
        .mark_text(align="left")
        .encode(x=alt.XValue(width + 4), y=y, text=alt.Text("pairs:N"))
    )
    chart = layered(lines, paper, dots, numbers, beside)
    chart = chart.resolve_scale(color="independent").properties(width=width, height=alt.Step(step))
    return Figure(chart, {"places": frame, "pairs": said}, "Donors of each group at each time.")


def forest(run: RunTables, contrasts: list[str]) -> Figure:
    """The targets in the main contrasts, on one scale."""
    frame = targets.forest_rows(only(run, contrasts))
    names = targets.target_names(run)[:MOST_TARGETS]
    frame = frame[frame["target"].isin(names)]
    if frame.empty:
        return empty("No target was declared, or no contrast can be estimated.")
    order = [label for label in label_order(run) if label in set(frame["label"])]
    # Vega-Lite orders headings by the data
    places = frame["label"].map({label: number for number, label in enumerate(order)})
    frame = frame.loc[places.sort_values(kind="stable").index]
    header = alt.Header(labelExpr=wrapped(LINE), labelLineHeight=12)
    height = max(60, 17 * frame["target"].nunique())
    chart = (
        layered(*targets.forest_layers(run, frame, "log2 fold change", 3))
        .properties(width=PANEL, height=height)
        .facet(
            column=alt.Column("label:N", sort=order, title=None, header=header),
            data=data("estimates"),
            spacing=16,
        )
    )
    return Figure(chart, {"estimates": frame}, "The targets in the main contrasts.")


def gene_sets(run: RunTables, contrasts: list[str], alpha: float) -> Figure:
    """The strongest gene sets in the main contrasts, without the names of near-duplicates."""
    made = sets.set_matrix(only(run, contrasts), alpha, MOST_SETS)
    if not isinstance(made.chart, alt.LayerChart):
        return made
    chart = made.chart.copy()
    chart.layer = [one for one in chart.layer if getattr(one.data, "name", "") != "families"]
    kept = {name: frame for name, frame in made.data.items() if name != "families"}
    return replace(made, chart=chart, data=kept)


def panels(run: RunTables, alpha: float) -> list[Figure]:
    """Return the panels of figure 1, in the order of their letters.

    alpha: false discovery rate of the calls.
    """
    contrasts = main_contrasts(run)
    return [
        design(run),
        pca(run, 300, 210),
        first_target.figure(only(run, contrasts)),
        forest(run, contrasts),
        gene_sets(run, contrasts, alpha),
    ]
