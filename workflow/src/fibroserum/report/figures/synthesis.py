"""Pictures of a synthesis: forests, estimates over all cohorts, heterogeneity."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.theme import (
    ACCENT,
    GROUP_COLOURS,
    Figure,
    empty,
    hollow_or_filled,
    layered,
    panels,
)

PANEL = 200
MOST_ROWS = 40
RANDOM, FIXED, FURTHER = "All: random effects", "All: common effect", "A further cohort"
UNIT = "log2 fold change, 95 % interval"
SET_UNIT = "change of score, share of the ranking"
BLUE, GREEN = GROUP_COLOURS[0], GROUP_COLOURS[1]


def _span(frame: pd.DataFrame, low: str, high: str) -> tuple[float, float]:
    """Return a range that holds every interval of these columns, and 0, with some room."""
    ends = frame[[low, high]].astype(float).to_numpy()
    bottom, top = np.nanmin(ends, initial=0.0), np.nanmax(ends, initial=0.0)
    room = 0.08 * max(top - bottom, 1e-9)
    return float(bottom - room), float(top + room)


def _cut(frame: pd.DataFrame, low: str, high: str, span: tuple[float, float]) -> pd.DataFrame:
    """Add the ends of an interval as they are drawn within `span`, and marks where it goes on."""
    ends = frame[[low, high]].astype(float)
    made = frame.copy()
    made["from"], made["to"] = ends[low].clip(*span), ends[high].clip(*span)
    made["on_left"] = made["from"].where(ends[low] < span[0])
    made["on_right"] = made["to"].where(ends[high] > span[1])
    return made


def _interval_layers(
    x: alt.X, y: alt.Y, colour: alt.Color, width: float, tooltip: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return a bar for each interval (fields `from`, `to`), with arrows where it is cut."""
    own = {"color": colour, "y": y}
    bars = (
        alt.Chart()
        .mark_rule(strokeWidth=width)
        .encode(x=x, x2=alt.X2("to:Q"), tooltip=tooltip, **own)
    )
    arrows = [
        alt.Chart()
        .mark_point(shape=shape, filled=True, size=34)
        .encode(x=alt.X(f"{field}:Q"), **own)
        for field, shape in (("on_left", "triangle-left"), ("on_right", "triangle-right"))
    ]
    return [bars, *arrows]


def _tooltips(subject: str, unit: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("row:N", title=subject),
        alt.Tooltip("estimate:Q", title=unit.split(",")[0], format=".3f"),
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("says:N", title="Says"),
    ]


def _axis(rows: Sequence[str], limit: int) -> alt.Y:
    return alt.Y("row:N", sort=list(rows), title=None, axis=alt.Axis(labelLimit=limit, grid=True))


def _faceted(
    layers: list[alt.Chart], frame: pd.DataFrame, contrasts: Sequence[str], rows: int, words: str
) -> Figure:
    drawing = layered(*layers).properties(width=PANEL, height=max(70, 19 * rows))
    chart = panels(drawing, "panel", "rows", contrasts, 3)
    chart = chart.properties(spacing={"row": 84, "column": 130})
    return Figure(chart, {"rows": frame}, words, responsive=False, panel=PANEL + 160)


def _zero() -> alt.Chart:
    return alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.X("zero:Q"))


def _notes(y: alt.Y) -> alt.Chart:
    """Return words in the place of an estimate that there is none of (field `note`)."""
    mark = alt.Chart().mark_text(fontStyle="italic", dx=4, align="left")
    return mark.encode(x=alt.X("zero:Q"), y=y, text=alt.Text("note:N"))


def _forest_rows(estimates: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """Return what a forest draws: the cohorts' rows, and those of all cohorts below them."""
    own = estimates.rename(
        columns={"contrast": "panel", "cohort": "row", "ci_low": "low", "ci_high": "high"}
    )
    own["says"] = [
        reason if isinstance(reason, str) else f"weight {weight:.0%}"
        for reason, weight in zip(own["reason"], own["weight"], strict=True)
    ]
    own["note"] = own["reason"].where(~own["used"].astype(bool), "").map(_short)
    parts = [own.assign(colour=BLUE, area=30 + 120 * own["weight"].astype(float).fillna(0))]
    some = pooled[pooled["cohorts"] > 1]
    for row, shade, columns in (
        (RANDOM, ACCENT, ("random_estimate", "random_ci_low", "random_ci_high")),
        (FIXED, GREEN, ("fixed_estimate", "fixed_ci_low", "fixed_ci_high")),
        (FURTHER, ACCENT, ("random_estimate", "prediction_low", "prediction_high")),
    ):
        told = some[some[columns[1]].notna()]
        part = pd.DataFrame({"panel": told["contrast"], "row": row, "says": told["reason"]})
        for field, column in zip(("estimate", "low", "high"), columns, strict=True):
            part[field] = told[column]
        # of a further cohort there is an interval alone
        part["estimate"] = part["estimate"] if row != FURTHER else np.nan
        parts.append(part.assign(colour=shade, area=70, note=""))
    fields = ["panel", "row", "estimate", "low", "high", "says", "note", "colour", "area"]
    numbers = dict.fromkeys(("estimate", "low", "high", "area"), float)
    frame = pd.concat([part[fields].astype(numbers) for part in parts], ignore_index=True)
    return frame.assign(zero=0.0)


def forest(estimates: pd.DataFrame, pooled: pd.DataFrame, target: str) -> Figure:
    """One target: each cohort's estimate, and below them what they say together.

    estimates, pooled: rows of `meta/estimates.tsv` and `meta/targets.tsv` of this target.
    """
    if pooled.empty:
        return empty(f"No cohort has a contrast in which {target} could change.")
    contrasts = list(dict.fromkeys(pooled["contrast"]))
    cohorts = list(dict.fromkeys(estimates["cohort"]))
    frame = _forest_rows(estimates, pooled)
    span = _span(frame[~frame["row"].isin([RANDOM, FURTHER])], "low", "high")
    frame = _cut(frame, "low", "high", span)
    below = [row for row in (RANDOM, FIXED, FURTHER) if row in set(frame["row"])]
    y, colour = _axis([*cohorts, *below], 150), alt.Color("colour:N", scale=None)
    x = alt.X("from:Q", title=UNIT, scale=alt.Scale(domain=span), axis=alt.Axis(tickCount=4))
    tooltip = _tooltips("Cohort", UNIT)
    mark = alt.Chart().mark_point(filled=True, shape="square")
    size = alt.Size("area:Q", scale=None)
    dots = mark.encode(x=alt.X("estimate:Q"), y=y, color=colour, size=size, tooltip=tooltip)
    layers = [_zero(), *_interval_layers(x, y, colour, 1.8, tooltip), dots, _notes(y)]
    words = f"Estimates of {target} in {len(cohorts)} cohorts, and over all of them."
    return _faceted(layers, frame, contrasts, len(cohorts) + len(below), words)


def _short(reason: object) -> str:
    """Return the beginning of a reason, as there is room for it in a picture."""
    text = reason if isinstance(reason, str) else ""
    return text if len(text) <= 26 else text[:25].rstrip() + "…"


def _both_ways(drawn: pd.DataFrame) -> pd.DataFrame:
    """Return each pooled row twice, common effect and random effects, cut to what is drawn."""
    span = _span(drawn, "fixed_ci_low", "fixed_ci_high")
    parts = []
    for kind, shade in (("random", ACCENT), ("fixed", GREEN)):
        part = drawn[["row", "contrast", "call", "reason"]].assign(fixed=kind == "fixed")
        for field, name in (("estimate", "estimate"), ("low", "ci_low"), ("high", "ci_high")):
            part[field] = drawn[f"{kind}_{name}"].astype(float)
        parts.append(_cut(part.assign(colour=shade), "low", "high", span))
    both = pd.concat(parts, ignore_index=True)
    both = both.rename(columns={"contrast": "panel", "reason": "says"}).assign(zero=0.0)
    both["filled"] = both["call"].isin(["up", "down"]).astype(int)
    nowhere = both["fixed"] & (both["call"] == "not_estimated")
    return both.assign(note=np.where(nowhere, "not estimated", ""))


def over_cohorts(
    frame: pd.DataFrame, rows: Sequence[str], unit: str, nothing: str, subject: str
) -> Figure:
    """Draw pooled estimates, a panel a contrast: common effect, random effects, their intervals.

    frame: row, contrast, cohorts, call, reason and the estimates of a pooled table; rows: those
    drawn, in order.
    """
    drawn = frame[frame["row"].isin(list(rows))]
    if not (drawn["cohorts"] > 0).any():
        return empty(nothing)
    contrasts = list(dict.fromkeys(drawn["contrast"]))
    span = _span(drawn, "fixed_ci_low", "fixed_ci_high")
    y, colour = _axis(rows, 170), alt.Color("colour:N", scale=None)
    x = alt.X("from:Q", title=unit, scale=alt.Scale(domain=span), axis=alt.Axis(tickCount=4))
    tooltip = _tooltips(subject, unit)
    random = alt.FieldEqualPredicate(field="fixed", equal=False)
    common = alt.FieldEqualPredicate(field="fixed", equal=True)
    thin = [one.transform_filter(random) for one in _interval_layers(x, y, colour, 1.2, tooltip)]
    thick = [one.transform_filter(common) for one in _interval_layers(x, y, colour, 4, tooltip)]
    mark = alt.Chart().transform_filter(random).mark_point(size=52, strokeWidth=1.6)
    dots = mark.encode(
        x=alt.X("estimate:Q"),
        y=y,
        color=colour,
        fill=alt.Fill("colour:N", scale=None),
        fillOpacity=hollow_or_filled(),
        tooltip=tooltip,
    )
    words = f"Estimates over all cohorts: {len(rows)} rows in {len(contrasts)} contrasts."
    layers = [_zero(), *thick, *thin, dots, _notes(y)]
    return _faceted(layers, _both_ways(drawn), contrasts, len(rows), words)


def heterogeneity(pooled: pd.DataFrame) -> Figure:
    """How much of each target's variance lies between cohorts, with its interval."""
    drawn = pooled[pooled["cohorts"] > 1]
    if drawn.empty:
        return empty("Heterogeneity needs a contrast that two cohorts have in common.")
    rows = list(dict.fromkeys(drawn["target"]))
    frame = drawn[["target", "contrast", "I2", "I2_ci_low", "I2_ci_high", "reason"]].rename(
        columns={
            "target": "row",
            "contrast": "panel",
            "I2": "estimate",
            "I2_ci_low": "low",
            "I2_ci_high": "high",
            "reason": "says",
        }
    )
    frame = frame.astype(dict.fromkeys(("estimate", "low", "high"), float))
    y, scale = _axis(rows, 110), alt.Scale(domain=[0, 1])
    x = alt.X("low:Q", title="I², 95 % interval", scale=scale, axis=alt.Axis(format="%"))
    tooltip = _tooltips("Target", "I²")
    bars = alt.Chart().mark_rule(strokeWidth=1.8, color=ACCENT)
    dots = alt.Chart().mark_point(size=52, filled=True, color=ACCENT)
    layers = [
        bars.encode(x=x, x2=alt.X2("high:Q"), y=y, tooltip=tooltip),
        dots.encode(x=alt.X("estimate:Q"), y=y, tooltip=tooltip),
    ]
    contrasts = list(dict.fromkeys(frame["panel"]))
    words = f"Share of the variance between cohorts of {len(rows)} targets."
    return _faceted(layers, frame, contrasts, len(rows), words)


def most_telling(frame: pd.DataFrame, most: int = MOST_ROWS) -> list[str]:
    """Return the rows with the smallest p value of the common effect in any contrast, in order."""
    best = frame.assign(p=frame["fixed_pvalue"].astype(float)).groupby("row", sort=True)["p"].min()
    return list(best.sort_values(kind="stable").index[:most])


def targets(pooled: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Every target over all cohorts."""
    frame = pooled.assign(row=pooled["target"])
    return over_cohorts(frame, names, UNIT, "No target was estimated in any cohort.", "Target")


def gene_sets(pooled: pd.DataFrame) -> Figure:
    """The most telling sets of the first collection, over all cohorts."""
    if pooled.empty:
        return empty("No gene set was scored in any cohort.")
    first = pooled[pooled["collection"] == pooled["collection"].iloc[0]]
    frame = first.assign(row=first["gene_set"])
    rows = sorted(most_telling(frame))
    return over_cohorts(frame, rows, SET_UNIT, "No gene set could be tested.", "Set")


def factor_genes(pooled: pd.DataFrame, factor: str) -> Figure:
    """The most telling responsive genes of a factor, turned along their direction."""
    nothing = f"No cohort calls a gene responsive to {factor} in one direction."
    own = pooled[(pooled["factor"] == factor) & pooled["direction"].notna()]
    if own.empty:
        return empty(nothing)
    sign = np.where(own["direction"] == "induced", 1.0, -1.0)
    frame = own.assign(row=own["gene"])
    for kind in ("random", "fixed"):
        ends = np.sort(
            own[[f"{kind}_ci_low", f"{kind}_ci_high"]].astype(float).to_numpy() * sign[:, None]
        )
        frame[f"{kind}_estimate"] = own[f"signed_{kind}_estimate"]
        frame[f"{kind}_ci_low"], frame[f"{kind}_ci_high"] = ends[:, 0], ends[:, 1]
    unit = "log2 fold change, turned along the factor"
    return over_cohorts(frame, most_telling(frame), unit, nothing, "Gene")
