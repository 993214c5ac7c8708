"""Figures of the serum panel: which molecules change, and which targets go with them."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.distributions import normal_isf
from fibroserum.report.figures.change import LOWEST_P
from fibroserum.report.loading import RunTables, effect_of
from fibroserum.report.theme import (
    ACCENT,
    MARK,
    WIDTH,
    ZERO,
    Figure,
    as_shown,
    call_colour,
    call_shape,
    data,
    empty,
    fold_change_scale,
    layered,
    names_axis,
    weight,
    weighted,
    zero_line,
)

MOST_LABELS = 15
MOST_MOLECULES = 40
#: Beyond this |z| colours are the same: p = 1e-5.
MOST_Z = 4.4


def volcano(run: RunTables, contrast: str) -> Figure:
    """Change of each molecule's level against its p value; declared factors are ringed."""
    rows = run.panel[run.panel["contrast"] == contrast].dropna(subset=["pvalue"])
    if rows.empty:
        return empty(f"No molecule was tested in {contrast}.")
    rows = rows.assign(weight=-np.log10(rows["pvalue"].clip(lower=LOWEST_P)))
    points = weighted(rows, "call", ["up", "down"]).sort_values("pvalue", ascending=False)
    ringed = points[points["factor"].notna()]
    called = points[points["call"].isin(["up", "down"])].sort_values("pvalue")
    named = pd.concat([ringed, called.head(MOST_LABELS)]).drop_duplicates("molecule")
    x = alt.X("change_log2:Q", title=f"Change of the log2 level ({effect_of(run, contrast)})")
    y = alt.Y("weight:Q", title="−log10 p value")
    tooltip = [
        alt.Tooltip("molecule:N", title="Molecule"),
        alt.Tooltip("change_log2:Q", title="Change, log2", format=".3f"),
        alt.Tooltip("pvalue:Q", title="p", format=".2e"),
        alt.Tooltip("padj:Q", title="adjusted p", format=".2e"),
        alt.Tooltip("donors:Q", title="Donors"),
        alt.Tooltip("below_limit:Q", title="Levels below the limit"),
        alt.Tooltip("factor:N", title="Factor"),
    ]
    cloud = (
        alt.Chart(data("molecules"))
        .mark_point(filled=True)
        .encode(x=x, y=y, color=call_colour(), shape=call_shape(), **weight(), tooltip=tooltip)
    )
    rings = (
        alt.Chart(data("factors"))
        .mark_point(size=90, color=ACCENT, strokeWidth=1.4)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    names = (
        alt.Chart(data("named"))
        .mark_text(fontSize=10, fontWeight="bold")
        .encode(x=x, y=y, text=alt.Text("molecule:N"))
        .properties(name="names")
    )
    layers = [
        zero_line("x"),
        cloud,
        *([rings] if len(ringed) else []),
        *([names] if len(named) else []),
    ]
    chart = layered(*layers).properties(width=WIDTH, height=320)
    columns = ["molecule", "change_log2", "pvalue", "padj", "call", "donors", "below_limit"]
    columns += ["factor", "weight", "area", "alpha"]
    held = {
        name: as_shown(part[columns], ["change_log2", "weight"], ["pvalue", "padj"])
        for name, part in (("molecules", points), ("factors", ringed), ("named", named))
    }
    count = points["call"].value_counts()
    words = (
        f"Molecules in {contrast}: {count.get('up', 0)} up and {count.get('down', 0)} down of "
        f"{len(points)} tested."
    )
    return Figure(chart, held | {"zero": ZERO}, words, labels="names" if len(named) else "")


def matrix_rows(run: RunTables, alpha: float) -> pd.DataFrame:
    """Return the rows of the matrix: declared factors, and molecules with the smallest p values.

    Besides columns of `serum_panel_targets`: z (signed), column (target, with several times also
    the time), name (molecule, with the factor that it is), seen (with, against, none) and candidate
    (the contrasts in which it is one).
    """
    rows = run.panel_targets.dropna(subset=["pvalue"])
    smallest = rows.groupby("molecule")["pvalue"].min()
    first = pd.unique(rows.loc[rows["factor"].notna(), "molecule"])
    rest = smallest.drop(first).sort_values(kind="stable").index
    shown = [*first, *rest][:MOST_MOLECULES]
    rows = rows[rows["molecule"].isin(shown)]
    several = rows["time"].nunique() > 1
    hits = run.candidates[run.candidates["call"] == "candidate"]
    found = hits.groupby(["molecule", "target"])["contrast"].agg(", ".join)
    keys = list(zip(rows["molecule"], rows["target"], strict=True))
    names = rows["molecule"].where(rows["factor"].isna(), rows["molecule"] + " (factor)")
    sign = np.where(rows["slope"] > 0, "with", "against")
    return rows.assign(
        z=np.sign(rows["slope"]) * normal_isf(rows["pvalue"].clip(lower=LOWEST_P) / 2),
        column=rows["target"] + (", " + rows["time"] if several else ""),
        name=names,
        seen=np.where(rows["padj"] < alpha, sign, "none"),
        candidate=[found.get(key, "") for key in keys],
        rank=rows["molecule"].map({molecule: place for place, molecule in enumerate(shown)}),
    ).sort_values("rank", kind="stable")


def matrix(run: RunTables, alpha: float) -> Figure:
    """Molecules × targets: signed z of the slope, marks where it is found and for candidates."""
    frame = matrix_rows(run, alpha)
    if frame.empty:
        return empty("No target was tested against a molecule.")
    columns, names = (list(dict.fromkeys(frame[key])) for key in ("column", "name"))
    x = alt.X("column:N", sort=columns, title=None, axis=names_axis(len(columns), 130))
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=180, ticks=False))
    tooltip = [
        alt.Tooltip("molecule:N", title="Molecule"),
        alt.Tooltip("column:N", title="Target"),
        alt.Tooltip("slope:Q", title="Slope, log2 per doubling", format=".3f"),
        alt.Tooltip("pvalue:Q", title="p", format=".2e"),
        alt.Tooltip("padj:Q", title="adjusted p", format=".2e"),
        alt.Tooltip("donors:Q", title="Donors"),
        alt.Tooltip("candidate:N", title="Candidate in"),
    ]
    cells = (
        alt.Chart(data("cells"))
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "z:Q",
                scale=fold_change_scale(MOST_Z),
                title="z of the slope",
                legend=alt.Legend(gradientLength=130, tickCount=3, direction="horizontal"),
            ),
            tooltip=tooltip,
        )
    )
    marks = (
        alt.Chart(data("found"))
        .mark_point(filled=True, size=50, color=MARK, opacity=1)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "seen:N",
                scale=alt.Scale(domain=["with", "against"], range=["triangle-up", "triangle-down"]),
                title="Expression goes",
            ),
            tooltip=tooltip,
        )
    )
    rings = (
        alt.Chart(data("candidates"))
        .mark_point(size=190, color=MARK, strokeWidth=1.3, shape="circle")
        .encode(x=x, y=y, tooltip=tooltip)
    )
    chart = layered(cells, rings, marks).properties(
        width=max(160, 30 * len(columns)), height={"step": 20}
    )
    kept = ["molecule", "name", "column", "slope", "pvalue", "padj", "donors", "z", "seen"]
    frame = as_shown(frame[[*kept, "candidate"]], ["slope", "z"], ["pvalue", "padj"])
    held = {
        "cells": frame,
        "found": frame[frame["seen"] != "none"],
        "candidates": frame[frame["candidate"] != ""],
    }
    words = (
        f"{len(names)} molecules and {len(columns)} targets: {len(held['found'])} slopes found, "
        f"{len(held['candidates'])} of candidates."
    )
    return Figure(chart, held, words, responsive=False)
