"""Pictures of further studies: detectable effects and power, by their number of pairs."""

from __future__ import annotations

import altair as alt

from fibroserum.report.figures.targets import MOST_TARGETS, PANEL, target_names
from fibroserum.report.loading import RunTables, labels_of
from fibroserum.report.theme import ACCENT, QUIET, Figure, empty, layered, panels
from fibroserum.targets.planning_words import slope_label

HEIGHT = 150


def detectable(run: RunTables) -> Figure:
    """The effect that four of five studies call, against their pairs."""
    return _curves(run, "detectable_lfc", "Detectable |log2 fold change|")


def power(run: RunTables) -> Figure:
    """The chance that a study calls the effect in question, against its pairs."""
    return _curves(run, "power", "Power")


def _curves(run: RunTables, column: str, title: str) -> Figure:
    names = [name for name in target_names(run) if name in set(run.planning["target"])]
    if not names:
        return empty("No further study can be planned from this cohort.")
    drawn = names[:MOST_TARGETS]
    ends = [f"{column.removesuffix('_lfc')}_{end}" for end in ("low", "high")]
    frame = run.planning.loc[
        run.planning["target"].isin(drawn), ["target", "contrast", "pairs", "effect", column, *ends]
    ]
    labels = labels_of(run)
    frame = frame.assign(
        label=[labels.get(name) or slope_label(name) for name in frame["contrast"]],
        first=frame["target"] == names[0],
    )
    order = list(dict.fromkeys(frame["label"]))
    tooltip = [
        alt.Tooltip("target:N", title="Target"),
        alt.Tooltip("pairs:Q", title="Pairs in each group"),
        alt.Tooltip(f"{column}:Q", title=title, format=".2f"),
        alt.Tooltip(f"{ends[0]}:Q", title="95 % from", format=".2f"),
        alt.Tooltip(f"{ends[1]}:Q", title="to", format=".2f"),
        alt.Tooltip("effect:Q", title="Effect in question", format=".2f"),
    ]
    x = alt.X(
        "pairs:Q",
        title="Pairs in each group",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(values=[4, 8, 16, 30, 60, 120], format="d"),
    )
    # a target with few counts needs effects that would flatten the lines of all others
    scale = alt.Scale(zero=True) if column == "power" else alt.Scale(type="log", nice=False)
    y = alt.Y(f"{column}:Q", title=title, scale=scale)
    first = "datum.first"
    band = (
        alt.Chart()
        .mark_area(color=ACCENT, opacity=0.18)
        .encode(x=x, y=alt.Y(f"{ends[0]}:Q"), y2=alt.Y2(f"{ends[1]}:Q"))
        .transform_filter(first)
    )
    others = (
        alt.Chart()
        .mark_line(color=QUIET, strokeWidth=1)
        .encode(x=x, y=y, detail=alt.Detail("target:N"), tooltip=tooltip)
        .transform_filter("!datum.first")
    )
    own = (
        alt.Chart()
        .mark_line(color=ACCENT, strokeWidth=2.2, point={"color": ACCENT, "size": 22})
        .encode(x=x, y=y, tooltip=tooltip)
        .transform_filter(first)
    )
    chart = layered(others, band, own).properties(width=PANEL, height=HEIGHT)
    made = panels(chart, "label", "studies", order, 3, PANEL + 60)
    words = f"{title} of {len(drawn)} targets by pairs in each group, {names[0]} bold."
    return Figure(made, {"studies": frame}, words, responsive=False, panel=PANEL + 110)
