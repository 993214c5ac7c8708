"""The first target in one figure, for a paper: every donor, and the model's estimates."""

from __future__ import annotations

import altair as alt
import pandas as pd

from fibroserum.report.figures.slopes import drawn_rows, slope_chart
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables, label_order, labelled
from fibroserum.report.theme import (
    ZERO,
    Figure,
    contrast_colour,
    data,
    empty,
    label_axis,
    layered,
    row_step,
    zero_line,
)

#: Letters to a line of a contrast's name; widths in pixels, so that one column holds the figure.
LINE, LINES, ESTIMATES = 22, 300, 170
KINDS = ("change", "difference", "own")


def _in_words(row: pd.Series) -> str:
    estimate, low, high = (
        f"{row[name]:.2f}".replace("-", "−") for name in ("log2FoldChange", "ci_low", "ci_high")
    )
    return f"{estimate} ({low} to {high})"


def _estimates(run: RunTables, target: str) -> pd.DataFrame:
    """Return a target's estimates of changes and differences, a row a contrast."""
    rows = run.targets[(run.targets["target"] == target) & run.targets["kind"].isin(KINDS)]
    rows = labelled(run, rows).dropna(subset=["log2FoldChange", "ci_low"])
    words = [_in_words(row) for _, row in rows.iterrows()]
    columns = ["contrast", "label", "log2FoldChange", "ci_low", "ci_high", "verdict"]
    return rows[columns].assign(words=words)


def _donors(run: RunTables, donors: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Return each donor's change in the rows of the changes of groups that are shown."""
    several = len(run.times) > 1
    names = {
        (one.group, one.time if several else None): one.name
        for one in run.planned
        if one.kind == "change"
    }
    times = donors["time"] if several else [None] * len(donors)
    contrasts = [names.get(key) for key in zip(donors["group"], times, strict=True)]
    columns = ["contrast", "label", "donor", "delta"]
    own = labelled(run, donors.assign(contrast=contrasts)).dropna(subset=["delta"])
    return own.loc[own["contrast"].isin(shown["contrast"]), columns]


def figure(run: RunTables) -> Figure:
    """Every donor's level of the first target, and its estimates with 95 % intervals."""
    names = target_names(run)
    if not names:
        return empty("No target was declared.")
    target = names[0]
    donors = run.donors[run.donors["target"] == target]
    if donors.empty:
        return empty(f"{target} was not measured in any pair.")
    long, left_out = drawn_rows(run, donors.assign(panel=target))
    title = f"{target}, log2 normalised count"
    lines = slope_chart(run, title, panel=False, least=LINES).properties(height=170)
    held = {"slopes": long}
    shown = _estimates(run, target)
    words = f"{target} in every donor.{left_out}"
    if shown.empty:
        return Figure(lines, held, words, responsive=False)
    own = _donors(run, donors, shown)
    seen = set(shown["label"])
    order = [label for label in label_order(run) if label in seen]
    y = alt.Y("label:N", sort=order, title=None, axis=label_axis(order, LINE, grid=False))
    x = alt.X("log2FoldChange:Q", title="Change, log2", axis=alt.Axis(tickCount=4))
    colour = contrast_colour(run.contrasts, run.groups)
    tooltip = [
        alt.Tooltip("label:N", title="Contrast"),
        alt.Tooltip("words:N", title="log2 fold change, 95 % interval"),
        alt.Tooltip("verdict:N", title="Verdict"),
    ]
    changes = (
        alt.Chart(data("changes"))
        .mark_point(shape="stroke", angle=90, size=70, strokeWidth=1.2, strokeOpacity=0.45)
        .encode(
            x=alt.X("delta:Q"),
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("donor:N", title="Donor"),
                alt.Tooltip("delta:Q", title="Donor's change, log2", format=".3f"),
            ],
        )
    )
    source = alt.Chart(data("estimates"))
    bars = source.mark_rule(strokeWidth=2.4).encode(
        x=alt.X("ci_low:Q"), x2=alt.X2("ci_high:Q"), y=y, color=colour
    )
    dots = source.mark_point(size=80, filled=True, shape="diamond")
    dots = dots.encode(x=x, y=y, color=colour, tooltip=tooltip)
    numbers = source.mark_text(align="left").encode(
        x=alt.XValue(ESTIMATES + 8), y=y, text=alt.Text("words:N")
    )
    layers = [zero_line("x"), *([changes] if len(own) else []), bars, dots, numbers]
    forest = layered(*layers).properties(
        width=ESTIMATES, height=alt.Step(row_step(order, LINE, 26))
    )
    chart = alt.vconcat(lines, forest, spacing=26)
    chart = chart.resolve_scale(color="independent", fill="independent")
    held |= {"estimates": shown, "changes": own, "zero": ZERO}
    told = "; ".join(f"{row.label}: {row.words}" for row in shown.itertuples())
    return Figure(chart, held, f"{words} Estimates with 95 % intervals: {told}.", responsive=False)
