"""The small figures at the top of the page, one a question."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from fibroserum.report.figures.factors import GENE_CALLS
from fibroserum.report.figures.sets import set_rows
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables, label_order, labelled
from fibroserum.report.theme import (
    CONFIRMED,
    DOWN,
    RESPONSIVE,
    UP,
    ZERO,
    Figure,
    contrast_colour,
    data,
    empty,
    group_scale,
    label_axis,
    layered,
    row_step,
    zero_line,
)

SMALL = 250
FEW = 4
#: Letters to a line of a name.
LINE = 30
UNSIGNED = "replace(datum.label, '−', '')"


def _rows(run: RunTables) -> tuple[alt.Y, alt.Step]:
    """Return the axis of the contrasts, and the height of their rows."""
    order = label_order(run)
    y = alt.Y("label:N", sort=order, title=None, axis=label_axis(order, LINE, grid=False))
    return y, alt.Step(row_step(order, LINE))


def _whole(least: int, most: int, **options: Any) -> alt.Axis:
    """Return an axis of whole numbers: a few are all printed, Vega would put halves between."""
    if most - least <= FEW:
        return alt.Axis(values=list(range(least, most + 1)), **options)
    return alt.Axis(tickCount=4, tickMinStep=1, **options)


def pairs(run: RunTables) -> Figure:
    """Complete pairs per group, and with several times after per time."""
    several = len(run.times) > 1
    place = {one.name: f"{one.group}, {one.time}" if several else one.group for one in run.planned}
    changes = run.contrasts[run.contrasts["kind"] == "change"]
    frame = changes[["group", "pairs"]].astype({"pairs": float})
    frame["slot"] = changes["contrast"].map(place)
    frame = frame.sort_values(
        "group", key=lambda groups: groups.map(run.groups.index), kind="stable"
    )
    most, slots = int(max(frame["pairs"], default=0)), list(frame["slot"])
    bars = (
        alt.Chart(data("pairs"))
        .mark_bar(height=16)
        .encode(
            x=alt.X("pairs:Q", title="Complete pairs", axis=_whole(0, most)),
            y=alt.Y("slot:N", sort=slots, title=None, axis=label_axis(slots, LINE, grid=False)),
            color=alt.Color("group:N", scale=group_scale(run.groups), legend=None),
        )
        .properties(width=SMALL, height=alt.Step(row_step(slots, LINE, 26)))
    )
    said = ", ".join(f"{row.slot} {row.pairs:.0f}" for row in frame.itertuples())
    return Figure(bars, {"pairs": frame}, f"Complete pairs: {said}.", responsive=False)


def calls(run: RunTables) -> Figure:
    """Genes called up and down in each contrast."""
    frame = run.contrasts[["contrast", "up", "down"]].astype({"up": float, "down": float})
    y, step = _rows(run)
    long = labelled(run, frame.melt("contrast", var_name="call", value_name="genes"))
    long["signed"] = long["genes"].where(long["call"] == "up", -long["genes"])
    largest = max(int(long["genes"].max()), 1)
    chart = (
        alt.Chart(data("calls"))
        .mark_bar(height=13)
        .encode(
            x=alt.X(
                "signed:Q",
                title="Genes down | up",
                scale=alt.Scale(domain=[-largest, largest]),
                axis=_whole(-largest, largest, format=",d", labelExpr=UNSIGNED),
            ),
            y=y,
            color=alt.Color(
                "call:N", scale=alt.Scale(domain=["up", "down"], range=[UP, DOWN]), legend=None
            ),
            tooltip=[
                alt.Tooltip("label:N", title="Contrast"),
                alt.Tooltip("call:N", title="Call"),
                alt.Tooltip("genes:Q", title="Genes", format=","),
            ],
        )
        .properties(width=SMALL, height=step)
    )
    return Figure(chart, {"calls": long}, "Genes called per contrast.", responsive=False)


def target(run: RunTables) -> Figure:
    """The first target's estimate in each contrast."""
    names = target_names(run)
    if not names:
        return empty("No target was declared.")
    own = run.targets[run.targets["target"] == names[0]]
    frame = labelled(run, own)[
        ["contrast", "label", "log2FoldChange", "ci_low", "ci_high", "verdict"]
    ]
    y, step = _rows(run)
    colour = contrast_colour(run.contrasts, run.groups)
    bars = (
        alt.Chart(data("estimates"))
        .mark_rule(strokeWidth=2)
        .encode(
            x=alt.X(
                "ci_low:Q",
                title=f"{names[0]}, log2 fold change, 95 % interval",
                axis=alt.Axis(tickCount=4),
            ),
            x2=alt.X2("ci_high:Q"),
            y=y,
            color=colour,
        )
    )
    dots = (
        alt.Chart(data("estimates"))
        .mark_point(size=60, filled=True)
        .encode(
            x=alt.X("log2FoldChange:Q"),
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("label:N", title="Contrast"),
                alt.Tooltip("log2FoldChange:Q", title="log2 fold change", format=".3f"),
                alt.Tooltip("verdict:N", title="Verdict"),
            ],
        )
    )
    chart = layered(zero_line("x"), bars, dots).properties(width=SMALL, height=step)
    held = {"estimates": frame, "zero": ZERO}
    return Figure(chart, held, f"{names[0]} in each contrast.", responsive=False)


def factors(run: RunTables) -> Figure:
    """Genes called responsive to each factor."""
    hits = run.factors[run.factors["call"].isin(GENE_CALLS[:2])]
    names = list(dict.fromkeys(run.factors["factor"]))
    if not names:
        return empty("No factor was declared.")
    if hits.empty:
        return empty("No gene is called responsive.")
    counted = hits.groupby(["factor", "call"], as_index=False).size()
    frame = pd.DataFrame(counted).rename(columns={"size": "genes"})
    most = int(frame.groupby("factor")["genes"].sum().max())
    frame["rank"] = frame["call"].map({name: i for i, name in enumerate(GENE_CALLS)})
    chart = (
        alt.Chart(data("genes"))
        .mark_bar(height=16)
        .encode(
            x=alt.X("genes:Q", title="Genes", axis=_whole(0, most)),
            y=alt.Y(
                "factor:N",
                sort=names,
                scale=alt.Scale(domain=names),
                title=None,
                axis=label_axis(names, LINE, grid=False),
            ),
            color=alt.Color(
                "call:N",
                scale=alt.Scale(domain=GENE_CALLS[:2], range=[CONFIRMED, RESPONSIVE]),
                title=None,
            ),
            order=alt.Order("rank:Q"),
        )
        .properties(width=SMALL, height=alt.Step(row_step(names, LINE, 26)))
    )
    return Figure(chart, {"genes": frame}, "Responsive genes per factor.", responsive=False)


def ecm(run: RunTables) -> Figure:
    """Sets of the first collection called up and down in each contrast."""
    rows = set_rows(run)
    y, step = _rows(run)
    if rows.empty:
        return empty("No gene set was tested.")
    long = rows[rows["call"].isin(["up", "down"])]
    counted = (
        long.groupby(["contrast", "call"])
        .size()
        .reindex(
            pd.MultiIndex.from_product(
                [run.contrast_names, ["up", "down"]], names=["contrast", "call"]
            ),
            fill_value=0,
        )
    )
    frame = labelled(run, counted.rename("sets").reset_index())
    frame["signed"] = frame["sets"].where(frame["call"] == "up", -frame["sets"])
    largest = max(int(frame["sets"].max()), 1)
    chart = (
        alt.Chart(data("sets"))
        .mark_bar(height=13)
        .encode(
            x=alt.X(
                "signed:Q",
                title="Matrix sets down | up",
                scale=alt.Scale(domain=[-largest, largest]),
                axis=_whole(-largest, largest, format=",d", labelExpr=UNSIGNED),
            ),
            y=y,
            color=alt.Color(
                "call:N", scale=alt.Scale(domain=["up", "down"], range=[UP, DOWN]), legend=None
            ),
        )
        .properties(width=SMALL, height=step)
    )
    return Figure(chart, {"sets": frame}, "Gene sets called per contrast.", responsive=False)
