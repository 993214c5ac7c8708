"""Figures of the targets: estimates, donors, leave-one-out, detectable effects."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.figures.slopes import evenly, slopes
from fibroserum.report.loading import RunTables, label_order, labelled
from fibroserum.report.theme import (
    ACCENT,
    PUBLISHED,
    Figure,
    contrast_colour,
    contrast_scale,
    empty,
    hollow_or_filled,
    layered,
    panels,
)
from fibroserum.targets.power import published_effect

MOST_TARGETS = 24
PANEL = 190
#: An interval so many times as wide as the median one is cut.
TOO_WIDE = 4


def target_names(run: RunTables) -> list[str]:
    """Return the targets in the order of the config."""
    return list(dict.fromkeys(run.targets["target"]))


def published_effects(run: RunTables) -> pd.DataFrame:
    """Return the published log2 ratio of means for every target and contrast of a change."""
    rows = [
        (target, contrast.name, published_effect(run.published, target, contrast, run.groups))
        for target in target_names(run)
        for contrast in run.planned
        if contrast.kind != "baseline"
    ]
    return pd.DataFrame(rows, columns=["target", "contrast", "published"]).dropna()


def _facets(
    run: RunTables, layers: list[alt.Chart], frame: pd.DataFrame, held: str
) -> alt.FacetChart:
    """Return a panel a contrast of `frame` (data `held`), a row a target."""
    names = [name for name in target_names(run) if name in set(frame["target"])]
    seen = set(frame["label"])
    order = [label for label in label_order(run) if label in seen]
    chart = layered(*layers).properties(width=PANEL, height=max(60, 19 * len(names)))
    made = panels(chart, "label", held, order, 3, PANEL + 60)
    if any(contrast.dose for contrast in run.planned):
        # a slope is per unit of the dose: its panel has a scale of its own
        made = made.resolve_scale(x="independent")
    return made.properties(spacing={"row": 84, "column": 112})


def _target_axis(names: list[str]) -> alt.Y:
    return alt.Y("target:N", sort=names, title=None, axis=alt.Axis(labelLimit=102, grid=True))


def within_limits(
    run: RunTables, frame: pd.DataFrame, ends: list[str], dot: str, width: pd.Series
) -> pd.DataFrame:
    """Cut the columns `ends` at a limit that one wide interval does not set for all others.

    dot: the column of the estimates, missing where they lie beyond it. width: of each interval.
    Contrasts of a dose, which have scales of their own, have limits of their own. Adds where each
    row ends (`at_low`, `at_high`), and 1 where it continues beyond (`beyond_low`, `beyond_high`).
    """
    own = {one.name for one in run.planned if one.dose}
    parts = []
    scale = frame["contrast"].where(frame["contrast"].isin(own), "")
    for _, rows in frame.groupby(scale, sort=False):
        typical = width[rows.index] <= TOO_WIDE * width[rows.index].median()
        largest = rows.loc[typical, [*ends, dot]].abs().max().max()
        limit = 1.05 * largest if np.isfinite(largest) else np.inf
        cut = {name: rows[name].clip(-limit, limit) for name in ends}
        cut[dot] = rows[dot].where(rows[dot].abs() <= limit)
        low, high = rows[[*ends, dot]].min(axis=1), rows[[*ends, dot]].max(axis=1)
        parts.append(
            rows.assign(
                **cut,
                at_low=low.clip(-limit),
                at_high=high.clip(upper=limit),
                beyond_low=(low < -limit).astype(int),
                beyond_high=(high > limit).astype(int),
            )
        )
    return pd.concat(parts).loc[frame.index]


def _arrows(y: alt.Y) -> list[alt.Chart]:
    """Return arrow heads where an interval continues beyond the figure."""
    return [
        alt.Chart()
        .mark_point(shape=f"triangle-{way}", size=36, filled=True, color=ACCENT)
        .encode(
            x=alt.X(f"at_{end}:Q"), y=y, fillOpacity=alt.FillOpacity(f"beyond_{end}:Q", scale=None)
        )
        for way, end in (("left", "low"), ("right", "high"))
    ]


def forest_rows(run: RunTables) -> pd.DataFrame:
    """Return what `forest_layers` draws: a row a target and contrast."""
    frame = run.targets[
        ["target", "contrast", "verdict", "log2FoldChange", "ci_low", "ci_high", "panel_padj"]
    ].merge(published_effects(run), on=["target", "contrast"], how="left")
    frame = labelled(run, frame)
    frame["note"] = frame["verdict"].where(frame["verdict"].isin(["absent", "untestable"]), "")
    frame["published"] = frame["published"].where(frame["note"] == "")
    frame["filled"] = frame["verdict"].isin(["up", "down"]).astype(int)
    frame = frame.assign(
        zero=0.0,
        low=frame["ci_low"],
        high=frame["ci_high"],
        estimate=frame["log2FoldChange"],
    )
    if frame.empty:
        return frame
    width = frame["high"] - frame["low"]
    return within_limits(run, frame, ["low", "high"], "estimate", width)


def forest_layers(
    run: RunTables,
    frame: pd.DataFrame,
    title: str = "log2 fold change, 95 % interval",
    ticks: int = 4,
) -> list[alt.Chart]:
    """Return the layers of a forest over `forest_rows`."""
    names = [name for name in target_names(run) if name in set(frame["target"])]
    tooltip = [
        alt.Tooltip("target:N", title="Target"),
        alt.Tooltip("log2FoldChange:Q", title="log2 fold change", format=".3f"),
        alt.Tooltip("ci_low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("ci_high:Q", title="to", format=".3f"),
        alt.Tooltip("panel_padj:Q", title="panel FDR", format=".2e"),
        alt.Tooltip("verdict:N", title="Verdict"),
        alt.Tooltip("published:Q", title="Published", format=".3f"),
    ]
    y = _target_axis(names)
    colour = contrast_colour(run.contrasts, run.groups)
    scale = contrast_scale(run.contrasts, run.groups)
    zero = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.X("zero:Q"))
    bars = (
        alt.Chart()
        .mark_rule(strokeWidth=1.8)
        .encode(
            x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=ticks)),
            x2=alt.X2("high:Q"),
            y=y,
            color=colour,
        )
    )
    dots = (
        alt.Chart()
        .mark_point(size=52, strokeWidth=1.6)
        .encode(
            x=alt.X("estimate:Q"),
            y=y,
            color=colour,
            fill=alt.Fill("contrast:N", scale=scale, legend=None),
            fillOpacity=hollow_or_filled(),
            tooltip=tooltip,
        )
    )
    paper = (
        alt.Chart()
        .mark_point(shape="diamond", size=42, color=PUBLISHED, filled=True)
        .encode(x=alt.X("published:Q"), y=y, tooltip=tooltip)
    )
    notes = (
        alt.Chart()
        .mark_text(fontStyle="italic", dx=4, align="left")
        .encode(x=alt.X("zero:Q"), y=y, text=alt.Text("note:N"))
    )
    known = [paper] if frame["published"].notna().any() else []
    return [zero, bars, *known, dots, *_arrows(y), notes]


def forest(run: RunTables) -> Figure:
    """Every target in every contrast: estimate, interval, published effect."""
    if not target_names(run):
        return empty("No target was declared.")
    frame = forest_rows(run)
    chart = _facets(run, forest_layers(run, frame), frame, "estimates")
    counts = frame["target"].nunique(), frame["contrast"].nunique()
    words = f"Estimates with intervals of {counts[0]} targets in {counts[1]} contrasts."
    return Figure(chart, {"estimates": frame}, words, responsive=False, panel=PANEL + 110)


def pairs(run: RunTables) -> Figure:
    """Every donor's level of every target, before and at every time after."""
    names = [name for name in target_names(run) if name in set(run.donors["target"])]
    if not names:
        return empty("No target was measured in any pair.")
    drawn = names[:MOST_TARGETS]
    frame = run.donors[run.donors["target"].isin(drawn)].rename(columns={"target": "panel"})
    words = f"Paired levels of {len(drawn)} targets, a line per donor."
    return slopes(run, frame, drawn, "log2 normalised count", words)


def leave_one_out(run: RunTables) -> Figure:
    """Each target's estimate without each donor in turn."""
    if run.loo.empty:
        return empty("No donor could be left out: that needs at least two pairs in a group.")
    names = [name for name in target_names(run) if name in set(run.loo["target"])]
    full = run.targets[["target", "contrast", "log2FoldChange"]].rename(
        columns={"log2FoldChange": "full"}
    )
    frame = run.loo[["target", "contrast", "left_out", "log2FoldChange", "worst"]].merge(
        full, on=["target", "contrast"], how="left"
    )
    drawn = evenly(frame["log2FoldChange"], [frame["target"], frame["contrast"]])
    frame = frame[frame.index.isin(drawn) | frame["worst"].fillna(False).astype(bool)].copy()
    frame["alpha"] = np.where(frame["worst"].fillna(False).astype(bool), 1.0, 0.45)
    frame["zero"] = 0.0
    frame = labelled(run, frame)
    y = _target_axis(names)
    tooltip = [
        alt.Tooltip("target:N", title="Target"),
        alt.Tooltip("left_out:N", title="Left out"),
        alt.Tooltip("log2FoldChange:Q", title="Without that donor", format=".3f"),
        alt.Tooltip("full:Q", title="With all", format=".3f"),
    ]
    zero = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.X("zero:Q"))
    ticks = (
        alt.Chart()
        .mark_tick(thickness=1.6, size=13)
        .encode(
            x=alt.X(
                "log2FoldChange:Q",
                title="log2 fold change without one donor",
                axis=alt.Axis(tickCount=4),
            ),
            y=y,
            color=contrast_colour(run.contrasts, run.groups),
            fillOpacity=alt.FillOpacity("alpha:Q", scale=None),
            tooltip=tooltip,
        )
    )
    whole = (
        alt.Chart()
        .mark_point(size=34, color=ACCENT, strokeWidth=1.4)
        .encode(x=alt.X("full:Q"), y=y, tooltip=tooltip)
    )
    chart = _facets(run, [zero, ticks, whole], frame, "refits")
    words = f"Estimates of {len(names)} targets, refitted without each donor in turn."
    return Figure(chart, {"refits": frame}, words, responsive=False, panel=PANEL + 110)


def detectable(run: RunTables) -> Figure:
    """The effect a study of this size would find, beside the one that was estimated."""
    frame = run.power[["target", "contrast", "detectable_lfc", "power", "effect"]].dropna(
        subset=["detectable_lfc"]
    )
    if frame.empty:
        return empty("No detectable effect could be computed.")
    frame = frame.drop_duplicates(["target", "contrast"]).merge(
        run.targets[["target", "contrast", "log2FoldChange"]], on=["target", "contrast"], how="left"
    )
    frame["size"] = frame["log2FoldChange"].abs()
    frame = labelled(run, frame).assign(bar=frame["detectable_lfc"], dot=frame["size"])
    frame = within_limits(run, frame, ["bar"], "dot", frame["detectable_lfc"])
    names = [name for name in target_names(run) if name in set(frame["target"])]
    y = _target_axis(names)
    tooltip = [
        alt.Tooltip("target:N", title="Target"),
        alt.Tooltip("detectable_lfc:Q", title="Detectable |log2 fold change|", format=".3f"),
        alt.Tooltip("size:Q", title="Estimated |log2 fold change|", format=".3f"),
    ]
    bars = (
        alt.Chart()
        .mark_bar(opacity=0.35, height=9)
        .encode(
            x=alt.X("bar:Q", title="|log2 fold change|", axis=alt.Axis(tickCount=4)),
            y=y,
            color=contrast_colour(run.contrasts, run.groups),
            tooltip=tooltip,
        )
    )
    dots = (
        alt.Chart()
        .mark_point(size=40, filled=True)
        .encode(
            x=alt.X("dot:Q"), y=y, color=contrast_colour(run.contrasts, run.groups), tooltip=tooltip
        )
    )
    chart = _facets(run, [bars, dots, *_arrows(y)], frame, "effects")
    words = f"Detectable and estimated effects of {len(names)} targets."
    return Figure(chart, {"effects": frame}, words, responsive=False, panel=PANEL + 110)
