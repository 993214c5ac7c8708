"""Figures of the cohort: donors and times, library sizes, similarity of samples."""

from __future__ import annotations

from itertools import combinations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.loading import RunTables, filled_words
from fibroserum.report.theme import (
    WIDTH,
    Figure,
    data,
    empty,
    group_scale,
    hollow_or_filled,
    in_order,
    label_axis,
    layered,
    legend,
    mark_size,
    names_axis,
    shown_labels,
)

USES = {
    "change": "in every model",
    "baseline": "baseline contrast only",
    "none": "not used",
    "absent": "no sample",
}
ARROW = ["donor", "group", "x", "y", "x2", "y2", "x_head", "y_head", "angle"]


def samples_in_order(run: RunTables, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by group (reference first), donor, and before in front of after."""
    times = [run.settings["before"], *run.times]
    key = frame.assign(
        _group=frame["group"].map({name: i for i, name in enumerate(run.groups)}).fillna(99),
        _time=frame["time"].map({name: i for i, name in enumerate(times)}).fillna(99),
    )
    return key.sort_values(["_group", "donor", "_time"], kind="stable")[list(frame.columns)]


def _slots(run: RunTables) -> pd.DataFrame:
    """Return one row per donor, group and time: what its libraries are used for, and why."""
    times = [run.settings["before"], *run.times]
    lone = set(run.settings["only_before"])
    rank = {"change": 0, "baseline": 1, "none": 2}
    rows = []
    for (group, donor), part in run.samples.groupby(["group", "donor"], sort=False):
        for time in times[:1] if group in lone else times:
            own = part[part["time"] == time]
            best = min(own["used_for"], key=rank.__getitem__, default="absent")
            why = "; ".join(dict.fromkeys(own["reason"].dropna())) or "–"
            rows.append((group, donor, time, USES[best], len(own), why))
    names = ["group", "donor", "time", "use", "libraries", "why"]
    frame = samples_in_order(run, pd.DataFrame(rows, columns=names))
    several = run.settings["crossover"]
    frame["slot"] = frame["donor"] + (" · " + frame["group"] if several else "")
    frame["filled"] = (frame["use"] == USES["change"]).astype(int)
    return frame


def cohort_grid(run: RunTables) -> Figure:
    """Donors × time points: which libraries are in the models."""
    frame = _slots(run)
    slots = list(dict.fromkeys(frame["slot"]))
    axis = names_axis(len(slots))
    shown = shown_labels(len(slots))
    several = ", each of their groups apart" if run.settings["crossover"] else ""
    donors = f"{frame['donor'].nunique()} donors{several}"
    title = "Donor" if shown else donors
    # among hundreds the few that are not in every model are drawn large, and last
    frame["area"] = 110 if shown else np.where(frame["filled"] == 1, 4, 60)
    frame = frame.sort_values("filled", ascending=False, kind="stable")
    entries = legend(run.groups, WIDTH // 2)
    uses = [use for use in USES.values() if use in set(frame["use"])]
    chart = (
        alt.Chart(data("slots"))
        .mark_point(strokeWidth=1.6 if shown else 1.2)
        .encode(
            size=alt.Size("area:Q", scale=None),
            x=alt.X("slot:N", **in_order(slots), title=title, axis=axis),
            y=alt.Y(
                "time:N",
                sort=[run.settings["before"], *run.times],
                title=None,
                axis=label_axis(run.times, grid=False),
            ),
            color=alt.Color(
                "group:N", scale=group_scale(run.groups), title="Group", legend=entries
            ),
            fill=alt.Fill("group:N", scale=group_scale(run.groups), title="Group", legend=entries),
            fillOpacity=hollow_or_filled(),
            shape=alt.Shape(
                "use:N",
                scale=alt.Scale(
                    domain=list(USES.values()), range=["square", "diamond", "cross", "triangle-up"]
                ),
                title="Sample",
                legend=legend(uses, WIDTH // 2, values=uses),
            ),
            tooltip=[
                alt.Tooltip("donor:N", title="Donor"),
                alt.Tooltip("group:N", title="Group"),
                alt.Tooltip("time:N", title="Time"),
                alt.Tooltip("use:N", title="Use"),
                alt.Tooltip("libraries:Q", title="Samples"),
                alt.Tooltip("why:N", title="Why"),
            ],
        )
        .properties(width=WIDTH, height=35 * (1 + len(run.times)))
    )
    lost = int((frame["use"] != USES["change"]).sum())
    counted = {1: "two", 2: "three", 3: "four"}.get(len(run.times), str(1 + len(run.times)))
    words = f"{donors} at {counted} time points; {lost} of {len(frame)} places not in a pair."
    return Figure(chart, {"slots": frame}, words)


def _sample_tooltip(*more: alt.Tooltip) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("sample:N", title="Sample"),
        alt.Tooltip("donor:N", title="Donor"),
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("time:N", title="Time"),
        *more,
    ]


def _group_colour(run: RunTables, width: int = WIDTH) -> tuple[alt.Color, alt.Fill]:
    scale = group_scale(run.groups)
    title = filled_words(run)
    entries = legend(run.groups, width)
    colour = alt.Color("group:N", scale=scale, title=title, legend=entries)
    return colour, alt.Fill("group:N", scale=scale, title=title, legend=entries)


def library_sizes(run: RunTables) -> Figure:
    """Library size per sample."""
    frame = samples_in_order(run, run.metrics)[
        ["sample", "donor", "group", "time", "total_counts", "n_genes", "pct_counts_mt"]
    ].assign(
        millions=lambda f: f["total_counts"].astype(float) / 1e6,
        filled=lambda f: f["time"].isin(run.times).astype(int),
    )
    if frame.empty:
        return empty("No sample to show.")
    names = list(frame["sample"])
    shown = shown_labels(len(names))
    colour, fill = _group_colour(run)
    chart = (
        alt.Chart(data("samples"))
        .mark_point(size=mark_size(len(frame), 50), strokeWidth=1.6 if shown else 1)
        .encode(
            x=alt.X(
                "sample:N",
                **in_order(names),
                title="Sample" if shown else f"{len(names)} samples, by group and donor",
                axis=names_axis(len(names)),
            ),
            y=alt.Y(
                "millions:Q", title="Library size (million counts)", scale=alt.Scale(zero=True)
            ),
            color=colour,
            fill=fill,
            fillOpacity=hollow_or_filled(),
            tooltip=_sample_tooltip(
                alt.Tooltip("total_counts:Q", title="Counts", format=","),
                alt.Tooltip("n_genes:Q", title="Genes detected", format=","),
                alt.Tooltip("pct_counts_mt:Q", title="Mitochondrial %", format=".1f"),
            ),
        )
        .properties(width=WIDTH, height=200)
    )
    low, high = frame["millions"].min(), frame["millions"].max()
    words = f"Library sizes of {len(names)} samples, {low:.2f} to {high:.2f} million counts."
    return Figure(chart, {"samples": frame}, words)


def _steps(run: RunTables, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the ends of each donor's arrows, from each of its times to the next that it has."""
    times = [run.settings["before"], *run.times]
    ends = frame.pivot_table(index=["donor", "group"], columns="time", values=["x", "y"])
    x, y = (ends[name].reindex(columns=times) for name in ("x", "y"))
    steps = []
    for (place, start), (later, end) in combinations(enumerate(times), 2):
        whole = x[start].notna() & x[end].notna() & x[times[place + 1 : later]].isna().all(axis=1)
        own = {"x": x[start], "y": y[start], "x2": x[end], "y2": y[end]}
        steps.append(pd.DataFrame(own)[whole].reset_index())
    return pd.concat(steps, ignore_index=True)


def _arrows(run: RunTables, frame: pd.DataFrame, width: int, height: int) -> pd.DataFrame:
    """Return the arrows of all donors: both ends, and the angle of its head on the page."""
    arrows = _steps(run, frame)
    if arrows.empty:
        return pd.DataFrame(columns=ARROW)
    arrows["x_head"] = 0.4 * arrows["x"] + 0.6 * arrows["x2"]
    arrows["y_head"] = 0.4 * arrows["y"] + 0.6 * arrows["y2"]
    span_x = max(frame["x"].max() - frame["x"].min(), 1e-9)
    span_y = max(frame["y"].max() - frame["y"].min(), 1e-9)
    right = (arrows["x2"] - arrows["x"]) / span_x * width
    upward = (arrows["y2"] - arrows["y"]) / span_y * height
    arrows["angle"] = np.degrees(np.arctan2(right, upward)) % 360
    return arrows


def _components(
    run: RunTables, suffix: str, space: str, width: int = 372, height: int = 280
) -> Figure:
    named = {f"PC1{suffix}": "x", f"PC2{suffix}": "y"}
    columns = ["sample", "donor", "group", "time", *named]
    frame = run.metrics[columns].rename(columns=named).dropna(subset=["x", "y"])
    frame["filled"] = frame["time"].isin(run.times).astype(int)
    if len(frame) < 2:
        return empty("Too few samples for principal components.")
    known = run.variance[run.variance["space"] == space]["variance_ratio"].tolist()
    share = [*known, None, None]
    titles = [
        f"PC{i + 1}" + ("" if share[i] is None else f" ({100 * share[i]:.0f} % of variance)")
        for i in range(2)
    ]
    scales = []
    for name in ("x", "y"):
        low, high = frame[name].min(), frame[name].max()
        pad = 0.06 * max(high - low, 1e-9)
        scales.append(alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False))
    arrows = _arrows(run, frame, width, height)
    colour, fill = _group_colour(run, width)
    x = alt.X("x:Q", title=titles[0], scale=scales[0])
    y = alt.Y("y:Q", title=titles[1], scale=scales[1])
    points = (
        alt.Chart(data("samples"))
        .mark_point(size=mark_size(len(frame), 46), strokeWidth=1.6 if len(frame) < 100 else 1)
        .encode(
            x=x,
            y=y,
            color=colour,
            fill=fill,
            fillOpacity=hollow_or_filled(),
            tooltip=_sample_tooltip(),
        )
    )
    shafts = (
        alt.Chart(data("arrows"))
        .mark_rule(strokeWidth=1.1 if len(arrows) < 60 else 0.4)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"), color=colour)
    )
    heads = (
        alt.Chart(data("arrows"))
        .mark_point(shape="triangle", size=mark_size(len(arrows), 46), filled=True)
        .encode(
            x=alt.X("x_head:Q"),
            y=alt.Y("y_head:Q"),
            color=colour,
            angle=alt.Angle("angle:Q", scale=alt.Scale(domain=[0, 360], range=[0, 360])),
        )
    )
    chart = layered(shafts, points, heads).properties(width=width, height=height)
    words = f"{titles[0]} and {titles[1]} of {len(frame)} samples, arrows from before to after."
    return Figure(chart, {"samples": frame, "arrows": arrows}, words, responsive=False, aspect=True)


def pca(run: RunTables, width: int = 372, height: int = 280) -> Figure:
    """Principal components of the samples, with an arrow per pair."""
    return _components(run, "", "samples", width, height)


def pca_within(run: RunTables) -> Figure:
    """Principal components once each donor's mean is taken out."""
    return _components(run, "_within", "within_donor")
