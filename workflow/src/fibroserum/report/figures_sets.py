"""Pictures of gene sets: sets × contrasts, running sums, leading edges, scores."""

from __future__ import annotations

import textwrap

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.figures_targets import slopes
from fibroserum.report.run import RunTables, label_order, labelled
from fibroserum.report.theme import (
    ACCENT,
    Figure,
    data,
    empty,
    fold_change_scale,
    group_scale,
    names_axis,
    panels,
)

MOST_SETS = 30
MOST_PANELS = 6
MOST_GENES = 40


def first_collection(run: RunTables) -> str:
    """Return the collection the section is about: the first of the config's gene sets."""
    return run.gene_sets[0].collection if run.gene_sets else ""


def set_rows(run: RunTables) -> pd.DataFrame:
    """Return the section's sets in every contrast, below each other."""
    parts = [frame.assign(contrast=name) for name, frame in run.enrichment.items()]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return rows[rows["collection"] == first_collection(run)] if len(rows) else rows


def strongest_sets(rows: pd.DataFrame, contrasts: list[str], most: int) -> list[str]:
    """Return up to `most` sets, one per family, by their smallest directional p value."""
    own = rows[rows["contrast"].isin(contrasts)].sort_values(
        ["fry_pvalue", "gene_set"], kind="stable"
    )
    family = own["family"].fillna(own["gene_set"])
    chosen = own[~family.duplicated() | (own["gene_set"] == family)]
    return list(dict.fromkeys(chosen["gene_set"]))[:most]


def wrapped(name: str, width: int = 27) -> str:
    """Return a set's name for a picture: words instead of underscores, broken where it is long."""
    return "\n".join(textwrap.wrap(name.replace("_", " "), width, break_on_hyphens=False)) or name


BROKEN = "split(datum.label, '\\n')"


def set_matrix(run: RunTables) -> Figure:
    """Sets × contrasts: mean change, and a mark where a set is called."""
    rows = set_rows(run)
    if rows.empty:
        return empty("No gene set was tested.")
    names = list(dict.fromkeys(rows.sort_values(["fry_pvalue", "gene_set"])["gene_set"]))
    frame = rows[rows["gene_set"].isin(names[:MOST_SETS])][
        ["gene_set", "contrast", "mean_log2FoldChange", "call", "enriched", "fry_padj", "tested"]
    ].assign(competitive=lambda f: f["enriched"].map({"up": "yes", "down": "yes"}).fillna("no"))
    frame = labelled(run, frame)
    given = {one.name: number for number, one in enumerate(run.gene_sets)}
    order = sorted(names[:MOST_SETS], key=lambda name: given.get(name, len(given)))
    x = alt.X(
        "label:N",
        sort=label_order(run),
        title=None,
        axis=names_axis(len(run.contrast_names), 150),
    )
    frame["name"] = frame["gene_set"].map(wrapped)
    y = alt.Y(
        "name:N",
        sort=[wrapped(name) for name in order],
        title=None,
        axis=alt.Axis(labelLimit=230, ticks=False, labelExpr=BROKEN, labelLineHeight=11),
    )
    most = float(frame["mean_log2FoldChange"].abs().max()) or 1.0
    tooltip = [
        alt.Tooltip("gene_set:N", title="Set"),
        alt.Tooltip("label:N", title="Contrast"),
        alt.Tooltip("mean_log2FoldChange:Q", title="Mean log2 fold change", format=".3f"),
        alt.Tooltip("tested:Q", title="Genes tested"),
        alt.Tooltip("fry_padj:Q", title="fry FDR", format=".2e"),
        alt.Tooltip("call:N", title="Its genes change"),
        alt.Tooltip("enriched:N", title="More than others"),
    ]
    cells = (
        alt.Chart(data("cells"))
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "mean_log2FoldChange:Q",
                scale=fold_change_scale(most),
                title="Mean log2 fold change",
                legend=alt.Legend(gradientLength=130, tickCount=3, direction="horizontal"),
            ),
            tooltip=tooltip,
        )
    )
    calls = ["up", "down", "mixed"]
    marks = (
        alt.Chart(data("called"))
        .mark_point(filled=True, size=60, color="#111111", opacity=1)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "call:N",
                scale=alt.Scale(domain=calls, range=["triangle-up", "triangle-down", "diamond"]),
                title="Its genes change",
            ),
            tooltip=tooltip,
        )
    )
    rings = (
        alt.Chart(data("enriched"))
        .mark_point(size=210, color="#111111", strokeWidth=1.3, shape="circle")
        .encode(x=x, y=y, tooltip=tooltip)
    )
    chart = alt.layer(cells, rings, marks).properties(
        width=max(160, 62 * len(run.contrasts)), height={"step": 22}
    )
    held = {
        "cells": frame,
        "called": frame[frame["call"] != "none"],
        "enriched": frame[frame["competitive"] == "yes"],
    }
    words = f"{len(order)} gene sets in {len(run.contrasts)} contrasts."
    return Figure(chart, held, words, responsive=False)


def running_sum(stat: pd.Series, members: set[str]) -> pd.DataFrame:
    """Return the weighted running sum of Subramanian et al. (2005), at the set's genes alone.

    stat: ranking statistic by gene id. Columns rank and sum; two rows a member, before and after
    its step, so that straight lines between them are the whole curve.
    """
    ranked = stat.dropna().sort_values(ascending=False, kind="stable")
    inside = ranked.index.isin(members)
    hits = np.flatnonzero(inside)
    total, misses = len(ranked), len(ranked) - len(hits)
    if not len(hits) or not misses:
        return pd.DataFrame({"rank": [0, total], "sum": [0.0, 0.0]})
    weights = np.abs(ranked.to_numpy(float)[hits])
    share = (
        np.cumsum(weights) / weights.sum()
        if weights.sum()
        else np.arange(1, len(hits) + 1) / len(hits)
    )
    missed = (hits - np.arange(len(hits))) / misses
    low = np.concatenate([[0.0], share[:-1]]) - missed
    rows = np.column_stack(
        [
            np.repeat(hits, 2) + np.tile([0, 1], len(hits)),
            np.column_stack([low, share - missed]).ravel(),
        ]
    )
    ends = np.vstack([[0, 0.0], rows, [total, 0.0]])
    return pd.DataFrame(ends, columns=["rank", "sum"]).astype({"rank": int})


def running_sums(run: RunTables) -> Figure:
    """Running sums of the strongest sets over the genes ranked by their change in each group."""
    rows = set_rows(run)
    changes = run.of_kind("change")
    subjects = strongest_sets(rows, changes, MOST_PANELS) if len(rows) else []
    if not subjects:
        return empty("No gene set was tested.")
    members = {
        one.name: set(one.genes) for one in run.gene_sets if one.collection == first_collection(run)
    }
    groups = run.contrasts.set_index("contrast")["group"]
    parts = [
        running_sum(run.de[contrast].set_index("gene_id")["stat"], members[panel]).assign(
            panel=panel, group=groups[contrast], order=lambda f: range(len(f))
        )
        for panel in subjects
        for contrast in changes
    ]
    frame = pd.concat(parts, ignore_index=True)
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X(
                "rank:Q", title="Rank, from up to down", axis=alt.Axis(tickCount=3, format=",d")
            ),
            y=alt.Y(
                "sum:Q",
                title="Running sum",
                scale=alt.Scale(nice=False, padding=8),
                axis=alt.Axis(tickCount=4, labelBound=True),
            ),
            color=alt.Color("group:N", scale=group_scale(run.groups), title="Change in"),
            order="order:Q",
        )
    )
    zero = alt.Chart().mark_rule(color=ACCENT).encode(y=alt.datum(0))
    layers = alt.layer(zero, lines).properties(width=180, height=130)
    chart = panels(layers, "panel", "sums", subjects, 3, 240, spaced=True)
    words = f"Running sums of {len(subjects)} gene sets."
    return Figure(chart, {"sums": frame}, words, responsive=False, panel=240)


def leading_genes(run: RunTables) -> list[str]:
    """Return the genes of the strongest sets' leading edges, by their largest statistic."""
    rows = set_rows(run)
    changes = run.of_kind("change")
    if rows.empty:
        return []
    rows = rows[rows["contrast"].isin(changes)]
    rows = rows[rows["gene_set"].isin(strongest_sets(rows, changes, MOST_PANELS))]
    named = {gene for text in rows["leading_edge"].dropna() for gene in text.split(";") if gene}
    best: dict[str, float] = {}
    for contrast in changes:
        frame = run.de[contrast]
        inside = frame[frame["gene_id"].isin(named) | frame["symbol"].isin(named)]
        for gene, stat in zip(inside["gene_id"], inside["stat"].abs(), strict=True):
            best[gene] = max(best.get(gene, 0.0), float(stat) if stat == stat else 0.0)
    return sorted(best, key=lambda gene: (-best[gene], gene))[:MOST_GENES]


def leading_edge(run: RunTables) -> Figure:
    """Fold changes of the leading edges' genes in every contrast."""
    genes = leading_genes(run)
    if not genes:
        return empty("No set has a leading edge to show.")
    parts = []
    for contrast in run.contrast_names:
        frame = run.de[contrast].set_index("gene_id").loc[genes].reset_index()
        parts.append(
            frame[["gene_id", "symbol", "log2FoldChange", "padj", "call"]].assign(contrast=contrast)
        )
    frame = labelled(run, pd.concat(parts, ignore_index=True))
    symbols = frame["symbol"].fillna("")
    frame["gene"] = symbols.where(symbols != "", frame["gene_id"])
    reading = frame[frame["contrast"] == run.of_kind("change")[0]]
    order = list(dict.fromkeys(reading.sort_values("log2FoldChange", ascending=False)["gene"]))
    most = float(frame["log2FoldChange"].abs().quantile(0.98)) or 1.0
    tooltip = [
        alt.Tooltip("gene:N", title="Gene"),
        alt.Tooltip("label:N", title="Contrast"),
        alt.Tooltip("log2FoldChange:Q", title="log2 fold change", format=".3f"),
        alt.Tooltip("padj:Q", title="adjusted p", format=".2e"),
    ]
    x = alt.X(
        "gene:N",
        sort=order,
        title="Gene",
        axis=alt.Axis(labelAngle=-90, labelOverlap=False, labelFontSize=10),
    )
    y = alt.Y("label:N", sort=label_order(run), title=None)
    cells = (
        alt.Chart(data("cells"))
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "log2FoldChange:Q",
                scale=fold_change_scale(most),
                title="log2 fold change",
                legend=alt.Legend(gradientLength=130, tickCount=3, direction="horizontal"),
            ),
            tooltip=tooltip,
        )
    )
    dots = (
        alt.Chart(data("called"))
        .mark_point(filled=True, size=26, color="#111111", opacity=1)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    chart = alt.layer(cells, dots).properties(width={"step": 14}, height={"step": 26})
    held = {"cells": frame, "called": frame[frame["call"] != "none"]}
    words = f"Fold changes of {len(order)} leading-edge genes."
    return Figure(chart, held, words, responsive=False)


def scores(run: RunTables) -> Figure:
    """Scores of the strongest sets in every donor, before and after."""
    rows = set_rows(run)
    own = run.scores[run.scores["collection"] == first_collection(run)]
    subjects = strongest_sets(rows, run.of_kind("change"), MOST_PANELS) if len(rows) else []
    if not subjects or own.empty:
        return empty("No set was scored.")
    about = run.obs[["donor", "group", "time"]].astype(str)
    wide = (
        own[own["gene_set"].isin(subjects)]
        .join(about, on="sample", how="inner")
        .pivot_table(index=["gene_set", "donor", "group"], columns="time", values="score")
        .reset_index()
    )
    times = {run.settings["before"]: "before", run.settings["after"]: "after"}
    frame = wide.rename(columns={"gene_set": "panel", **times})
    frame = frame.reindex(columns=["panel", "donor", "group", "before", "after"])
    words = f"Scores of {len(subjects)} gene sets per donor."
    return slopes(run, frame, subjects, "ssGSEA score", words, least=180, spaced=True)
