"""Slope charts: a line from before to after for every donor."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.loading import RunTables, filled_words
from fibroserum.report.theme import (
    Figure,
    data,
    group_scale,
    hollow_or_filled,
    names_axis,
    panels,
)

MOST_LINES = 40


def slopes(
    run: RunTables,
    frame: pd.DataFrame,
    subjects: list[str],
    y_title: str,
    words: str,
    least: int = 130,
    *,
    spaced: bool = False,
) -> Figure:
    """Draw a line from before to after for every donor, a panel a subject.

    frame: panel, donor, group, before, after. Groups stand side by side within a panel.
    """
    change = frame["after"] - frame["before"]
    drawn = frame.loc[evenly(change, [frame["panel"], frame["group"]])]
    if len(drawn) < len(frame):
        words += f" At most {MOST_LINES} donors of a group are drawn, evenly by their change."
    long = slope_rows(run, drawn)
    drawing = slope_chart(run, y_title, panel=True, least=least)
    chart = panels(drawing, "panel", "slopes", subjects, 4, least + 58, spaced=spaced)
    chart = chart.resolve_scale(y="independent").properties(spacing={"row": 90, "column": 62})
    return Figure(chart, {"slopes": long}, words, responsive=False, panel=least + 70)


def evenly(values: pd.Series, keys: list[pd.Series], most: int = MOST_LINES) -> list[int]:
    """Return the rows of up to `most` values of each group, evenly along their order.

    The least and the greatest stay, and the same rows are kept every time.
    """
    kept: list[int] = []
    for _, part in values.groupby(keys, sort=False):
        ranked = part.sort_values(kind="stable").index
        picks = np.unique(np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round())
        kept += list(ranked[picks.astype(int)])
    return sorted(kept)


def slope_rows(run: RunTables, frame: pd.DataFrame) -> pd.DataFrame:
    """Return before and after below each other: panel, donor, group, time, slot, level, filled."""
    times = {"before": run.settings["before"], "after": run.times[-1]}
    long = frame.melt(
        ["panel", "donor", "group"], list(times), var_name="time", value_name="level"
    ).dropna(subset=["level"])
    long["slot"] = [
        slot_of(run, group, times[time])
        for group, time in zip(long["group"], long["time"], strict=True)
    ]
    long["filled"] = (long["time"] == "after").astype(int)
    long["time"] = long["time"].map(times)
    return long


def slot_of(run: RunTables, group: str, time: str) -> str:
    """Return the name of a place along the axis of a slope chart."""
    return time if len(run.groups) == 1 else f"{group} {time}"


def slope_slots(run: RunTables) -> list[str]:
    """Return the places along the axis of a slope chart: group by group, before and after."""
    times = [run.settings["before"], run.times[-1]]
    return [slot_of(run, group, time) for group in run.groups for time in times]


def slope_chart(
    run: RunTables, y_title: str, *, panel: bool, least: int = 130
) -> alt.LayerChart | alt.FacetChart:
    """Return the layers of a slope chart over rows of `slope_rows` (data `slopes`)."""
    source = alt.Chart() if panel else alt.Chart(data("slopes"))
    slots = slope_slots(run)
    x = alt.X(
        "slot:N",
        sort=slots,
        scale=alt.Scale(domain=slots),
        title=None,
        axis=names_axis(len(slots), 90),
    )
    scale = alt.Scale(zero=False, nice=False, padding=8)
    ticks = alt.Axis(tickCount=4, labelBound=True)
    y = alt.Y("level:Q", title=y_title, scale=scale, axis=ticks)
    title = filled_words(run)
    colour = alt.Color("group:N", scale=group_scale(run.groups), title=title)
    lines = source.mark_line(strokeWidth=1.1).encode(
        x=x, y=y, color=colour, detail=["donor:N", "group:N"]
    )
    dots = source.mark_point(size=24, strokeWidth=1.2).encode(
        x=x,
        y=y,
        color=colour,
        fill=alt.Fill("group:N", scale=group_scale(run.groups), title=title),
        fillOpacity=hollow_or_filled(),
        tooltip=[
            alt.Tooltip("donor:N", title="Donor"),
            alt.Tooltip("group:N", title="Group"),
            alt.Tooltip("time:N", title="Time"),
            alt.Tooltip("level:Q", title="log2 level", format=".2f"),
        ],
    )
    width = max(least, 34 * len(slots))
    return alt.layer(lines, dots).properties(width=width, height=130)
