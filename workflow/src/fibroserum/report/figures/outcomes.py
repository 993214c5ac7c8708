"""Pictures of an outcome: each target's change against the outcome's, donor by donor."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import at_time
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import Figure, empty, group_scale, layered, mark_size, panels

PANEL = 150


def scatter(run: RunTables, outcome: str, time: str) -> Figure:
    """Each donor's change of every target against the change of an outcome, with the slope."""
    rows = run.outcome_targets
    rows = rows[(rows["outcome"] == outcome) & (rows["time"] == time) & rows["slope"].notna()]
    rows = rows[rows["question"] == "change"].set_index("target")
    names = [name for name in target_names(run) if name in rows.index]
    if not names:
        return empty(f"No target could be tested with {outcome}.")
    pairs = run.outcome_pairs
    own = pairs[(pairs["outcome"] == outcome) & (pairs["time"] == time) & pairs["used"].eq(True)]
    frames = [_panel(run, time, own, name, rows.loc[name]) for name in names]
    frame = pd.concat(frames, ignore_index=True)
    x = alt.X(
        "x:Q", title=f"Change of {outcome}", scale=alt.Scale(zero=False, nice=False, padding=8)
    )
    # colours are those of all groups; a group without this outcome has no entry
    seen = [name for name in run.groups if name in set(frame["group"])]
    legend = alt.Legend(values=seen, symbolOpacity=1)
    colour = alt.Color("group:N", scale=group_scale(run.groups), title="Group", legend=legend)
    source = alt.Chart()
    band = source.mark_area(opacity=0.13).encode(
        x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=colour
    )
    line = source.mark_line(strokeWidth=1.4).encode(x=x, y=alt.Y("fit:Q"), color=colour)
    dots = source.mark_point(filled=True, size=mark_size(len(own), 34), opacity=0.75).encode(
        x=x,
        y=alt.Y("y:Q", title="Change, log2", axis=alt.Axis(tickCount=4)),
        color=colour,
        tooltip=[
            alt.Tooltip("donor:N", title="Donor"),
            alt.Tooltip("group:N", title="Group"),
            alt.Tooltip("x:Q", title=f"Change of {outcome}", format=".3g"),
            alt.Tooltip("y:Q", title="Change of expression, log2", format=".3f"),
        ],
    )
    drawing = layered(band, line, dots).properties(width=PANEL, height=130)
    chart = panels(drawing, "panel", "points", names, 4)
    said = f"Change of {len(names)} targets against the change of {outcome} in {len(own)} pairs."
    return Figure(chart, {"points": frame}, said, responsive=False, panel=PANEL + 70)


def _panel(
    run: RunTables, time: str, pairs: pd.DataFrame, target: str, row: pd.Series
) -> pd.DataFrame:
    """Return a target's donors, and its slope through the mean of each group with its interval.

    pairs: of `outcome_pairs`, used. The interval is that of the slope alone: at a group's mean it
    has no width.
    """
    obs, _ = at_time(run.obs.astype({"donor": str, "group": str, "time": str}), run.settings, time)
    level = np.log2(run.normalized.loc[obs.index, row["gene_id"]].astype(float) + 0.5)
    keys = [obs["donor"], obs["group"]]
    signs = np.where(obs["time"] == time, 1.0, -1.0)
    change = (level * signs).groupby(keys).sum().rename("y")
    frame = pairs[["donor", "group", "change"]].rename(columns={"change": "x"})
    frame = frame.join(change, on=["donor", "group"])
    middle = frame.groupby("group", sort=False)[["x", "y"]].mean()
    at = pd.concat([frame, middle.reset_index()[["group", "x"]]], ignore_index=True)
    away = at["x"] - at["group"].map(middle["x"])
    start = at["group"].map(middle["y"])
    ends = {"fit": row["slope"], "low": row["ci_low"], "high": row["ci_high"]}
    lines = {name: start + slope * away for name, slope in ends.items()}
    return at.assign(panel=target, **lines).sort_values(["group", "x"], kind="stable")
