"""Slope charts: a line through the times of every donor."""

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
    layered,
    legend,
    lines_of,
    panels,
    upright_axis,
)

MOST_LINES = 40
# pixels to a place along the axis where there are several times after
STEP = 22
#: Letters to a line of a place's name.
SLOT_LINE = 18
DONOR = ["panel", "donor", "group"]


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
    """Draw a line through the times of every donor, a panel a subject.

    frame: panel, donor, group, before, after, and with several times after `time`, which one.
    Groups stand side by side within a panel.
    """
    long, left_out = drawn_rows(run, frame)
    words += left_out
    several = len(run.times) > 1
    least = max(least, STEP * len(slope_slots(run))) if several else least
    drawing = slope_chart(run, y_title, panel=True, least=least)
    chart = panels(drawing, "panel", "slopes", subjects, 4, least + 58, spaced=spaced)
    chart = chart.resolve_scale(y="independent").properties(
        spacing={"row": 120 if several else 90, "column": 62}
    )
    return Figure(chart, {"slopes": long}, words, responsive=False, panel=least + 70)


def drawn_rows(run: RunTables, frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows of the donors to draw (`slope_rows`), and a sentence where some are left out.

    frame: as in `slopes`.
    """
    rows = frame if "time" in frame else frame.assign(time=run.times[-1])
    keys = [rows[name] for name in DONOR]
    change = (rows["after"] - rows["before"]).groupby(keys, sort=False).transform("mean")
    donors = rows[~rows.duplicated(DONOR)]
    kept = donors.loc[evenly(change[donors.index], [donors["panel"], donors["group"]]), DONOR]
    long = slope_rows(run, rows.merge(kept, on=DONOR))
    if len(kept) == len(donors):
        return long, ""
    return long, f" At most {MOST_LINES} donors of a group are drawn, evenly by their change."


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
    """Return all levels below each other: panel, donor, group, time, level, slot, filled.

    frame: as in `slopes`, with `time`. With several times after also `order`, the place of the
    time, and `start`, the donor's level before.
    """
    first = frame.drop_duplicates(DONOR)
    parts = [first.assign(time=run.settings["before"], level=first["before"], filled=0)]
    for time in run.times:
        own = frame[frame["time"] == time]
        parts.append(own.assign(level=own["after"], filled=1))
    long = pd.concat(parts, ignore_index=True).dropna(subset=["level"])
    long["slot"] = [
        slot_of(run, group, time) for group, time in zip(long["group"], long["time"], strict=True)
    ]
    columns = ["panel", "donor", "group", "time", "level", "slot", "filled"]
    if len(run.times) == 1:
        return long[columns]
    place = {time: number for number, time in enumerate([run.settings["before"], *run.times])}
    return long.assign(order=long["time"].map(place), start=long["before"])[
        [*columns, "order", "start"]
    ]


def slot_of(run: RunTables, group: str, time: str) -> str:
    """Return the name of a place along the axis of a slope chart."""
    return time if len(run.groups) == 1 else f"{group} {time}"


def slope_slots(run: RunTables) -> list[str]:
    """Return the places along the axis of a slope chart: group by group, before and after."""
    times = [run.settings["before"], *run.times]
    lone = set(run.settings["only_before"])
    return [
        slot_of(run, group, time)
        for group in run.groups
        for time in (times[:1] if group in lone else times)
    ]


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
        axis=upright_axis(SLOT_LINE),
    )
    scale = alt.Scale(zero=False, nice=False, padding=8)
    ticks = alt.Axis(tickCount=4, labelBound=True)
    y = alt.Y("level:Q", title=y_title, scale=scale, axis=ticks)
    title = filled_words(run)
    several = len(run.times) > 1
    entries = legend(run.groups, 2 * least, symbolOpacity=1)
    colour = alt.Color("group:N", scale=group_scale(run.groups), title=title, legend=entries)
    # without an order of their own, points of a line are joined in the order of their names
    order = {"order": alt.Order("order:Q")} if several else {}
    lines = source.mark_line(strokeWidth=1.1, opacity=0.45 if several else alt.Undefined).encode(
        x=x, y=y, color=colour, detail=[alt.Detail("donor:N"), alt.Detail("group:N")], **order
    )
    dots = source.mark_point(size=24, strokeWidth=1.2).encode(
        x=x,
        y=y,
        color=colour,
        fill=alt.Fill("group:N", scale=group_scale(run.groups), title=title, legend=entries),
        fillOpacity=hollow_or_filled(),
        tooltip=[
            alt.Tooltip("donor:N", title="Donor"),
            alt.Tooltip("group:N", title="Group"),
            alt.Tooltip("time:N", title="Time"),
            alt.Tooltip("level:Q", title="log2 level", format=".2f"),
        ],
    )
    # lines of a name stand beside each other
    step = max(STEP if several else 34, 11 * lines_of(slots, SLOT_LINE) + 6)
    width = max(least, step * len(slots))
    layers = [lines, dots, _means(source, x, y_title, colour)] if several else [lines, dots]
    return layered(*layers).properties(width=width, height=130)


def _means(source: alt.Chart, x: alt.X, y_title: str, colour: alt.Color) -> alt.Chart:
    """Return a line a group: its mean level before, and to it the mean change of each time.

    So a donor that lacks a time does not shift the line, as it would a mean of levels.
    """
    return (
        source.transform_calculate(
            at_start="datum.order === 0 ? datum.level : null",
            change="isValid(datum.start) ? datum.level - datum.start : null",
        )
        .transform_joinaggregate(base="mean(at_start)", groupby=["group"])
        .transform_aggregate(mean="mean(change)", groupby=["group", "slot", "order", "base"])
        .transform_calculate(level="datum.base + datum.mean")
        .mark_line(strokeWidth=3.2)
        .encode(
            x=x,
            y=alt.Y("level:Q", title=y_title),
            color=colour,
            detail=alt.Detail("group:N"),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("group:N", title="Mean of"),
                alt.Tooltip("mean:Q", title="Mean change, log2", format=".2f"),
            ],
        )
    )
