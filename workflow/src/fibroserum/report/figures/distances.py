"""Figures of how similar samples are: correlations, and distances within pairs."""

from __future__ import annotations

import altair as alt
import pandas as pd

from fibroserum.report.figures.cohort import samples_in_order
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import (
    ACCENT,
    WIDTH,
    Figure,
    both_ends,
    data,
    empty,
    group_scale,
    in_order,
    layered,
    legend,
    mark_size,
    names_axis,
    shown_labels,
)

#: Rows of the heatmap; of more samples, blocks are drawn.
MOST_CELLS = 100


def sample_distances(run: RunTables) -> Figure:
    """Correlation between samples as a heatmap; blocks of samples where there are many."""
    names = list(samples_in_order(run, run.metrics)["sample"])
    if len(names) < 2 or run.distances.empty:
        return empty("Too few samples to compare.")
    place = {name: number for number, name in enumerate(names)}
    block = -(-len(names) // MOST_CELLS)
    cells = run.distances[["sample", "other", "correlation"]].dropna()
    both = pd.concat(
        [cells, cells.rename(columns={"sample": "other", "other": "sample"})[list(cells)]]
    )
    both = both.assign(
        x=both["sample"].map(place) // block, y=both["other"].map(place) // block
    ).dropna()
    # one-sample blocks: the diagonal is 1 by definition and would stretch the colours
    both = both[both["sample"] != both["other"]]
    frame = both.groupby(["x", "y"], as_index=False)["correlation"].mean()
    first = {number: names[int(number) * block] for number in set(frame["x"]) | set(frame["y"])}
    frame["sample"], frame["other"] = frame["x"].map(first), frame["y"].map(first)
    order = [names[i] for i in range(0, len(names), block)]
    shown = shown_labels(len(order))
    title = "Sample" if block == 1 else f"Means of blocks of {block} samples, by group and donor"
    # of very many samples only the ten nearest of each are in the table (qc.metrics)
    if len(cells) < len(names) * (len(names) - 1) // 2:
        title += "; white: not among the ten nearest"
    axis = names_axis(len(order))
    # whole pixels to a cell: with parts of pixels, seams show between cells
    side = len(order) * max(380 // len(order), 1)
    chart = (
        alt.Chart(data("cells"))
        .mark_rect()
        .encode(
            x=alt.X("sample:N", sort=order, title=title, axis=axis),
            y=alt.Y(
                "other:N",
                sort=order,
                title=title,
                axis=alt.Axis(labels=shown, labelLimit=110, labelExpr=both_ends(110), ticks=False),
            ),
            color=alt.Color(
                "correlation:Q",
                scale=alt.Scale(scheme="cividis", zero=False),
                title="Spearman correlation",
                legend=alt.Legend(direction="horizontal"),
            ),
            tooltip=[
                alt.Tooltip("sample:N", title="Sample" if block == 1 else f"{block} samples from"),
                alt.Tooltip("other:N", title="Other" if block == 1 else f"Other {block} from"),
                alt.Tooltip(
                    "correlation:Q",
                    title="Correlation" if block == 1 else "Mean correlation",
                    format=".4f",
                ),
            ],
        )
        .properties(width=side, height=side)
    )
    low, high = frame["correlation"].min(), frame["correlation"].max()
    means = f", means of blocks of {block}" if block > 1 else ""
    words = f"Correlation between {len(names)} samples{means}, from {low:.3f} to {high:.3f}."
    return Figure(chart, {"cells": frame}, words, responsive=False, aspect=True)


def _pair_distances(run: RunTables) -> pd.DataFrame:
    """Return for each pair the distance between its samples, and to the nearest other donor's."""
    cells = run.distances[["sample", "other", "distance"]].dropna()
    both = pd.concat(
        [cells, cells.rename(columns={"sample": "other", "other": "sample"})[list(cells)]]
    )
    about = run.metrics.set_index("sample")[["donor", "group", "time"]]
    both = both.join(about, on="sample").join(about.add_suffix("_other"), on="other")
    own_donor = both["donor"] == both["donor_other"]
    own = both[own_donor & (both["group"] == both["group_other"])]
    before = run.settings["before"]
    own = own[(own["time"] == before) ^ (own["time_other"] == before)]
    nearest = both[~own_donor].groupby(["group", "donor"])["distance"].min().rename("nearest")
    pair = own.groupby(["group", "donor"])["distance"].mean().rename("own")
    return pd.concat([pair, nearest], axis=1).dropna(subset=["own"]).reset_index()


def pair_similarity(run: RunTables) -> Figure:
    """How far apart the samples of a pair are, beside the nearest sample of another donor."""
    frame = _pair_distances(run)
    if frame.empty:
        return empty("There is no complete pair to compare.")
    frame["slot"] = frame["donor"] + (" · " + frame["group"] if run.settings["crossover"] else "")
    order = list(samples_in_order(run, frame.assign(time=""))["slot"])
    shown = shown_labels(len(order))
    x = alt.X(
        "slot:N",
        **in_order(order),
        title="Donor" if shown else f"{len(order)} donors",
        axis=names_axis(len(order)),
    )
    y_title = "Distance (log2 units over variable genes)"
    tooltip = [
        alt.Tooltip("donor:N", title="Donor"),
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("own:Q", title="Within the pair", format=".1f"),
        alt.Tooltip("nearest:Q", title="Nearest other donor", format=".1f"),
    ]
    own = (
        alt.Chart(data("pairs"))
        .mark_point(filled=True, size=mark_size(len(frame), 60))
        .encode(
            x=x,
            y=alt.Y("own:Q", title=y_title, scale=alt.Scale(zero=True)),
            color=alt.Color(
                "group:N",
                scale=group_scale(run.groups),
                title="Within the pair, by group",
                legend=legend(run.groups),
            ),
            tooltip=tooltip,
        )
    )
    other = (
        alt.Chart(data("pairs"))
        .mark_tick(color=ACCENT, thickness=2, size=14 if shown else 3)
        .encode(x=x, y=alt.Y("nearest:Q"), tooltip=tooltip)
    )
    chart = layered(other, own).properties(width=WIDTH, height=200)
    far = int((frame["own"] > frame["nearest"]).sum())
    words = f"{far} of {len(frame)} pairs are farther apart than the nearest other donor."
    return Figure(chart, {"pairs": frame}, words)
