"""Figures of leading edges: running sums that mark them, and what their genes do in each donor."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.enrichment.prerank import ranking
from fibroserum.report.figures.sets import (
    MOST_PANELS,
    Key,
    all_rows,
    by_time,
    keys_of,
    strongest_sets,
    titles,
)
from fibroserum.report.figures.slopes import evenly
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import (
    ACCENT,
    Figure,
    data,
    empty,
    fold_change_scale,
    group_scale,
    layered,
    names_axis,
    panels,
    wrapped,
)

MOST_GENES = 40
MOST_DONORS = 24


def running_sum(stat: pd.Series, members: set[str]) -> pd.DataFrame:
    """Return the weighted running sum of Subramanian et al. (2005), at the set's genes alone.

    stat: ranking statistic of the tested genes, by gene id. Columns rank, sum, gene and edge; two
    rows a member, before and after its step (there its gene id stands, and 1 in `edge` where it is
    of the leading edge), so that straight lines between them are the whole curve.
    """
    ranked = stat.iloc[ranking(stat)]
    hits = np.flatnonzero(ranked.index.isin(members))
    total, misses = len(ranked), len(ranked) - len(hits)
    if not len(hits) or not misses:
        return pd.DataFrame({"rank": [0, total], "sum": [0.0, 0.0], "gene": "", "edge": 0})
    weights = np.abs(ranked.to_numpy(float)[hits])
    share = (
        np.cumsum(weights) / weights.sum()
        if weights.sum()
        else np.arange(1, len(hits) + 1) / len(hits)
    )
    missed = (hits - np.arange(len(hits))) / misses
    low, high = np.concatenate([[0.0], share[:-1]]) - missed, share - missed
    upwards = high.max() >= -low.min()
    before = np.arange(len(hits)) <= int(high.argmax())
    after = np.arange(len(hits)) >= int(low.argmin())
    steps = pd.DataFrame({"rank": hits, "sum": low, "gene": "", "edge": 0})
    reached = pd.DataFrame(
        {
            "rank": hits + 1,
            "sum": high,
            "gene": ranked.index[hits].astype(str),
            "edge": (before if upwards else after).astype(int),
        }
    )
    first = pd.DataFrame({"rank": [0], "sum": 0.0, "gene": "", "edge": 0})
    last = pd.DataFrame({"rank": [total], "sum": 0.0, "gene": "", "edge": 0})
    steps = pd.concat([steps, reached]).sort_index(kind="stable")
    return pd.concat([first, steps, last], ignore_index=True)


def set_curve(run: RunTables, key: Key, contrast: str) -> pd.DataFrame:
    """Return a set's running sum in a contrast, over the genes that its test ranked."""
    members = {(one.collection, one.name): one.genes for one in run.gene_sets}
    stat = run.de[contrast].set_index("gene_id")["stat"].reindex(run.ranked[contrast])
    return running_sum(stat, set(members[key]))


def running_sums(run: RunTables) -> Figure:
    """Running sums of the strongest sets over the genes ranked by their change in each group."""
    rows = all_rows(run)
    changes = run.of_kind("change")
    shown = strongest_sets(rows, changes, MOST_PANELS) if len(rows) else []
    if not shown:
        return empty("No gene set was tested.")
    called = titles(run, shown)
    about = {one.name: {"group": one.group, "time": one.time} for one in run.planned}
    tested = {contrast: set(keys_of(run.enrichment[contrast])) for contrast in changes}
    symbols = run.genes["symbol"]
    parts = [
        set_curve(run, key, contrast).assign(
            panel=called[key], order=lambda f: range(len(f)), **about[contrast]
        )
        for key in shown
        for contrast in changes
        if key in tested[contrast]
    ]
    frame = pd.concat(parts, ignore_index=True)
    named = frame["gene"].map(symbols).fillna("")
    frame["gene"] = named.where(named != "", frame["gene"])
    colour = alt.Color("group:N", scale=group_scale(run.groups), title="Change in")
    x = alt.X("rank:Q", title="Rank, from up to down", axis=alt.Axis(tickCount=3, format=",d"))
    y = alt.Y(
        "sum:Q",
        title="Running sum",
        scale=alt.Scale(nice=False, padding=8),
        axis=alt.Axis(tickCount=4, labelBound=True),
    )
    dash = alt.StrokeDash("time:N", sort=run.times, title="At")
    of_time = {"strokeDash": dash} if len(run.times) > 1 else {}
    lines = alt.Chart().mark_line(strokeWidth=1.3)
    lines = lines.encode(x=x, y=y, color=colour, order=alt.Order("order:Q"), **of_time)
    dots = (
        alt.Chart()
        .mark_point(filled=True, size=22, opacity=1)
        .transform_filter("datum.edge === 1")
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("gene:N", title="Leading edge"),
                alt.Tooltip("group:N", title="Change in"),
                alt.Tooltip("time:N", title="At"),
                alt.Tooltip("rank:Q", title="Rank", format=",d"),
            ],
        )
    )
    zero = alt.Chart().mark_rule(color=ACCENT).encode(y=alt.datum(0))
    layers = layered(zero, lines, dots).properties(width=180, height=130)
    subjects = [called[key] for key in shown]
    chart = panels(layers, "panel", "sums", subjects, 3, 240, spaced=True)
    words = f"Running sums of {len(subjects)} gene sets, dots at their leading edges."
    return Figure(chart, {"sums": frame}, words, responsive=False, panel=240)


def leading_genes(run: RunTables) -> list[str]:
    """Return the genes of the strongest sets' leading edges, by their largest statistic."""
    rows = all_rows(run)
    changes = run.of_kind("change")
    if rows.empty:
        return []
    best: dict[str, float] = {}
    for key in strongest_sets(rows, changes, MOST_PANELS):
        for contrast in changes:
            if key not in keys_of(run.enrichment[contrast]):
                continue
            curve = set_curve(run, key, contrast)
            stat = run.de[contrast].set_index("gene_id")["stat"].abs()
            for gene in curve.loc[curve["edge"] == 1, "gene"]:
                best[gene] = max(best.get(gene, 0.0), float(stat[gene]))
    return sorted(best, key=lambda gene: (-best[gene], gene))[:MOST_GENES]


def donor_changes(run: RunTables, genes: list[str]) -> pd.DataFrame:
    """Return each pair's change of genes: gene_id, group, donor, time, before, after, change.

    before, after: log2 of normalized count + 0.5; change: after less before; time: of after.
    """
    levels = np.log2(run.normalized[genes] + 0.5).rename_axis(index="sample").reset_index()
    frame = by_time(run, levels.melt("sample", var_name="gene_id", value_name="level"), "gene_id")
    columns = ["gene_id", "group", "donor", "time", "before", "after"]
    frame = frame.dropna()[columns].sort_values(columns[:3], kind="stable", ignore_index=True)
    return frame.assign(change=frame["after"] - frame["before"])


def donor_heatmap(
    run: RunTables, frame: pd.DataFrame, order: list[str], words: str, axis_title: str = "Gene"
) -> Figure:
    """Draw each donor's change of genes: a column of panels a group, a row of panels a time after.

    frame: rows of `donor_changes`; order: the genes (gene ids), from top to bottom. Of a group with
    many donors, some are drawn, evenly by their mean change.
    """
    means = frame.groupby(["group", "donor"], as_index=False)["change"].mean()
    kept = means.loc[evenly(means["change"], [means["group"]], MOST_DONORS), ["group", "donor"]]
    if len(kept) < len(means):
        words += f" At most {MOST_DONORS} donors of a group are drawn, evenly by their mean change."
    named = run.genes["symbol"].reindex(order).fillna("")
    # two genes may have one symbol: their ids tell them apart
    names = named.where((named != "") & ~named.duplicated(keep=False), named.index.to_series())
    frame = frame.assign(gene=frame["gene_id"].map(names)).merge(kept, on=["group", "donor"])
    most = float(frame["change"].abs().quantile(0.98)) or 1.0
    several = len(run.times) > 1
    after = "log2 after" if several else f"log2 {run.times[-1]}"
    tooltip = [
        alt.Tooltip("gene:N", title="Gene"),
        alt.Tooltip("donor:N", title="Donor"),
        *([alt.Tooltip("time:N", title="Time")] if several else []),
        alt.Tooltip("before:Q", title=f"log2 {run.settings['before']}", format=".2f"),
        alt.Tooltip("after:Q", title=after, format=".2f"),
        alt.Tooltip("change:Q", title="Change, log2", format=".3f"),
    ]
    # Vega-Lite orders headings by the data, and panels by `sort`: the two must agree
    places = {name: number for number, name in enumerate([*run.groups, *run.times])}
    frame = frame.sort_values(
        ["time", "group"], key=lambda names: names.map(places), kind="stable", ignore_index=True
    )
    donors = int(kept.groupby("group").size().max())
    cells = (
        alt.Chart()
        .mark_rect()
        .encode(
            x=alt.X("donor:N", sort="ascending", title=None, axis=names_axis(donors, 90)),
            y=alt.Y(
                "gene:N",
                sort=[str(names[gene]) for gene in order],
                title=axis_title,
                axis=alt.Axis(labelOverlap=False, labelFontSize=10, ticks=False),
            ),
            color=alt.Color(
                "change:Q",
                scale=fold_change_scale(most),
                title="Donor's change, log2",
                legend=alt.Legend(gradientLength=130, tickCount=3, direction="horizontal"),
            ),
            tooltip=tooltip,
        )
        .properties(width={"step": 15}, height={"step": 13})
    )
    seen = set(frame["group"])
    groups = [group for group in run.groups if group in seen]
    # a heading is as wide as its donors' columns
    letters = max(9, 15 * int(kept.groupby("group").size().min()) // 7)
    header = alt.Header(labelExpr=wrapped(letters), labelLineHeight=12)
    column = alt.Column("group:N", sort=groups, title=None, header=header)
    row = {"row": alt.Row("time:N", sort=run.times, title=None)} if several else {}
    chart = cells.facet(column=column, **row, data=data("cells"), spacing=14)
    chart = chart.resolve_scale(x="independent")
    if several:
        # no panel is stretched to the width of the group with the most donors
        chart = chart.properties(align={"row": "all", "column": "each"})
    columns = ["gene_id", "gene", "group", "donor", "time", "before", "after", "change"]
    return Figure(chart, {"cells": frame[columns]}, words, responsive=False)


def leading_edge(run: RunTables) -> Figure:
    """Each donor's change of the leading edges' genes."""
    genes = leading_genes(run)
    frame = donor_changes(run, genes) if genes else pd.DataFrame()
    if frame.empty:
        return empty("No set has a leading edge to show.")
    words = f"Change in each donor of {len(genes)} leading-edge genes."
    means = frame.groupby("gene_id")["change"].mean()
    order = means.sort_values(ascending=False, kind="stable").index
    return donor_heatmap(run, frame, list(order), words)
