"""Pictures of the targets: estimates, donors, leave-one-out, what could have been seen."""

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
    panels,
)
from fibroserum.targets.power import published_effect

MOST_TARGETS = 24
PANEL = 190


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


def _facets(run: RunTables, layers: list[alt.Chart], height: int, held: str) -> alt.FacetChart:
    chart = alt.layer(*layers).properties(width=PANEL, height=height)
    made = panels(chart, "label", held, label_order(run), 3, PANEL + 60)
    if any(contrast.dose for contrast in run.planned):
        # a slope is per unit of the dose: its panel has a scale of its own
        made = made.resolve_scale(x="independent")
    return made.properties(spacing={"row": 84, "column": 112})


def _target_axis(names: list[str]) -> alt.Y:
    return alt.Y("target:N", sort=names, title=None, axis=alt.Axis(labelLimit=102, grid=True))


def _height(names: list[str]) -> int:
    return max(60, 19 * len(names))


def forest(run: RunTables) -> Figure:
    """Every target in every contrast: estimate, interval, published effect."""
    names = target_names(run)
    if not names:
        return empty("No target was declared.")
    frame = run.targets[
        ["target", "contrast", "verdict", "log2FoldChange", "ci_low", "ci_high", "panel_padj"]
    ].merge(published_effects(run), on=["target", "contrast"], how="left")
    frame["note"] = frame["verdict"].where(frame["verdict"].isin(["absent", "untestable"]), "")
    frame["published"] = frame["published"].where(frame["note"] == "")
    frame["filled"] = frame["verdict"].isin(["up", "down"]).astype(int)
    frame["zero"] = 0.0
    frame = labelled(run, frame)
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
    zero = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x="zero:Q")
    bars = (
        alt.Chart()
        .mark_rule(strokeWidth=1.8)
        .encode(
            x=alt.X(
                "ci_low:Q", title="log2 fold change, 95 % interval", axis=alt.Axis(tickCount=4)
            ),
            x2="ci_high:Q",
            y=y,
            color=colour,
        )
    )
    dots = (
        alt.Chart()
        .mark_point(size=52, strokeWidth=1.6)
        .encode(
            x="log2FoldChange:Q",
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
        .encode(x="published:Q", y=y, tooltip=tooltip)
    )
    notes = (
        alt.Chart()
        .mark_text(fontStyle="italic", dx=4, align="left")
        .encode(x="zero:Q", y=y, text="note:N")
    )
    known = [paper] if frame["published"].notna().any() else []
    chart = _facets(run, [zero, bars, *known, dots, notes], _height(names), "estimates")
    words = f"Estimates with intervals of {len(names)} targets in {len(run.contrasts)} contrasts."
    return Figure(chart, {"estimates": frame}, words, responsive=False, panel=PANEL + 110)


def pairs(run: RunTables) -> Figure:
    """Every donor's level of every target, before and at every time after."""
    names = [name for name in target_names(run) if name in set(run.donors["target"])]
    if not names:
        return empty("No target was measured in any pair.")
    drawn = names[:MOST_TARGETS]
    frame = run.donors[run.donors["target"].isin(drawn)].rename(columns={"target": "panel"})
    words = f"Paired levels of {len(drawn)} targets, a line per donor."
    return slopes(run, frame, drawn, "log2 normalized count", words)


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
    zero = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x="zero:Q")
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
            opacity=alt.Opacity("alpha:Q", scale=None),
            tooltip=tooltip,
        )
    )
    whole = (
        alt.Chart()
        .mark_point(size=34, color=ACCENT, strokeWidth=1.4)
        .encode(x="full:Q", y=y, tooltip=tooltip)
    )
    chart = _facets(run, [zero, ticks, whole], _height(names), "refits")
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
    frame = labelled(run, frame)
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
            x=alt.X("detectable_lfc:Q", title="|log2 fold change|", axis=alt.Axis(tickCount=4)),
            y=y,
            color=contrast_colour(run.contrasts, run.groups),
            tooltip=tooltip,
        )
    )
    dots = (
        alt.Chart()
        .mark_point(size=40, filled=True)
        .encode(x="size:Q", y=y, color=contrast_colour(run.contrasts, run.groups), tooltip=tooltip)
    )
    chart = _facets(run, [bars, dots], _height(names), "effects")
    words = f"Detectable and estimated effects of {len(names)} targets."
    return Figure(chart, {"effects": frame}, words, responsive=False, panel=PANEL + 110)
