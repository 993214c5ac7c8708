"""Figures of what changed: volcano, mean and change, p values."""

from __future__ import annotations

import textwrap

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.figures.gene_lists import list_marks, listed_genes, lists_said
from fibroserum.report.loading import RunTables, effect_of, label_order, labelled
from fibroserum.report.theme import (
    ACCENT,
    WIDTH,
    Figure,
    as_shown,
    call_colour,
    call_shape,
    data,
    empty,
    layered,
    panels,
    thin,
    weight,
    weighted,
)

LOWEST_P = 1e-300
MOST_CALLED = 900
# letters of a title across a picture
LONGEST_TITLE = 88


def symbols_of(frame: pd.DataFrame) -> pd.Series:
    """Return the symbol of each gene, or its id where it has none."""
    return frame["symbol"].fillna("").where(frame["symbol"].fillna("") != "", frame["gene_id"])


def target_ids(run: RunTables) -> list[str]:
    """Return the gene ids of the targets, in the order of the config."""
    return list(dict.fromkeys(run.targets["gene_id"].dropna()))


def targets_among(run: RunTables, points: pd.DataFrame) -> pd.DataFrame:
    """Return the targets among the points, the first target first: it is labelled before others."""
    order = {gene: number for number, gene in enumerate(target_ids(run))}
    marked = points[points["gene_id"].isin(list(order))]
    return marked.iloc[np.argsort(marked["gene_id"].map(order), kind="stable")]


def target_layers(x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """Return rings about the targets (data `targets`), and their names where there is room."""
    rings = (
        alt.Chart(data("targets"))
        .mark_point(size=60, color=ACCENT, strokeWidth=1.4)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    names = (
        alt.Chart(data("targets"))
        .mark_text(fontWeight="bold", fontSize=11)
        .encode(x=x, y=y, text=alt.Text("gene:N"))
        .properties(name="names")
    )
    return [rings, names]


def _points(run: RunTables, frame: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return the genes to draw: all targets and the strongest calls, and a thinned cloud."""
    drawn = frame.dropna(subset=[x, y])
    if drawn.empty:
        return drawn
    strongest = drawn["pvalue"].fillna(1).rank(method="first") <= MOST_CALLED
    marked = [*target_ids(run), *listed_genes(run)["gene_id"]]
    keep = drawn["gene_id"].isin(marked) | ((drawn["call"] != "none") & strongest)
    return thin(drawn, x, y, keep)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("gene:N", title="Gene"),
        alt.Tooltip("gene_id:N", title="Gene id"),
        alt.Tooltip("log2FoldChange:Q", title="log2 fold change", format=".3f"),
        alt.Tooltip("pvalue:Q", title="p", format=".2e"),
        alt.Tooltip("weighted_padj:Q", title="adjusted p", format=".2e"),
        alt.Tooltip("call:N", title="Call"),
    ]


def _scatter(
    run: RunTables,
    points: pd.DataFrame,
    x: alt.X,
    y: alt.Y,
    fields: list[str],
    words: str,
) -> Figure:
    """Return a scatter of genes coloured by call, with the targets ringed and labelled.

    fields: columns that x and y need beside the estimate and its p value.
    """
    points = weighted(points.assign(gene=symbols_of(points)), "call", ["up", "down"])
    marked = targets_among(run, points)
    # quiet genes first, so that calls lie on top
    order = points["call"].map({"none": 0, "down": 1, "up": 1})
    points = points.iloc[np.argsort(order, kind="stable")]
    cloud = (
        alt.Chart(data("points"))
        .mark_point(filled=True)
        .encode(
            x=x,
            y=y,
            color=call_colour(),
            shape=call_shape(),
            **weight(),
            tooltip=_tooltip(),
        )
    )
    numbers = ["log2FoldChange", "pvalue", "weighted_padj"]
    columns = ["gene_id", "gene", *numbers, "call", "area", "alpha", *fields]
    layers = [cloud, *(target_layers(x, y, _tooltip()) if len(marked) else [])]
    of_lists = list_marks(run, x, y, _tooltip())
    chart = layered(*layers, *of_lists).properties(width=WIDTH, height=360)
    if of_lists:
        chart = chart.resolve_scale(color="independent", shape="independent")
    decimals = ["log2FoldChange", *(name for name in fields if name != "baseMean")]
    points, marked = (
        as_shown(part[columns], decimals, ["pvalue", "weighted_padj"]) for part in (points, marked)
    )
    held = {"points": points, "targets": marked}
    if len(listed := listed_genes(run)):
        held["lists"] = listed.merge(points, on="gene_id")
        words += lists_said(run)
    return Figure(chart, held, words, labels="names")


def _title(words: str, effect: str) -> str | list[str]:
    """Return the title of an axis, in several lines where it would be too long for one."""
    whole = f"{words} ({effect})"
    return whole if len(whole) <= LONGEST_TITLE else textwrap.wrap(whole, LONGEST_TITLE)


def volcano(run: RunTables, contrast: str) -> Figure:
    """Fold change against p value in one contrast."""
    frame = run.de[contrast].assign(
        weight=lambda f: -np.log10(f["pvalue"].clip(lower=LOWEST_P)),
    )
    points = _points(run, frame, "log2FoldChange", "weight")
    if points.empty:
        return empty(why_empty(run, contrast))
    x = alt.X("log2FoldChange:Q", title=_title("log2 fold change", effect_of(run, contrast)))
    y = alt.Y("weight:Q", title="−log10 p value")
    words = f"Volcano plot of {contrast}. {calls_said(run, contrast)}"
    return _scatter(run, points, x, y, ["weight"], words)


def why_empty(run: RunTables, contrast: str) -> str:
    """Return why there is no gene of a contrast to draw."""
    if reason := run.settings["not_estimable"].get(contrast):
        return f"{contrast} is not estimable: {reason}."
    return f"No gene was tested in {contrast}."


def calls_said(run: RunTables, contrast: str) -> str:
    """Return how many genes a contrast calls, as a sentence."""
    row = run.contrasts.set_index("contrast").loc[contrast]
    return f"{row['up']} genes up and {row['down']} down of {row['tested']} tested."


def ma(run: RunTables, contrast: str) -> Figure:
    """Mean expression against shrunken fold change in one contrast."""
    frame = run.de[contrast]
    frame = frame[frame["baseMean"] > 0].assign(weight=lambda f: np.log10(f["baseMean"]))
    points = _points(run, frame, "weight", "log2FoldChange_shrunken")
    if points.empty:
        return empty(why_empty(run, contrast))
    x = alt.X(
        "baseMean:Q",
        scale=alt.Scale(type="log"),
        title="Mean normalised count",
        axis=alt.Axis(
            values=[10.0**power for power in range(-2, 9)],
            labelExpr="datum.value < 1 ? format(datum.value, '~g') : format(datum.value, '~s')",
        ),
    )
    y = alt.Y(
        "log2FoldChange_shrunken:Q",
        title=["log2 fold change, shrunken", *textwrap.wrap(f"({effect_of(run, contrast)})", 60)],
    )
    words = f"Mean and change in {contrast}. {calls_said(run, contrast)}"
    return _scatter(run, points, x, y, ["baseMean", "log2FoldChange_shrunken"], words)


def pvalues(run: RunTables) -> Figure:
    """Histogram of the raw p values of every contrast."""
    edges = np.linspace(0, 1, 21)
    parts = []
    for contrast in run.contrast_names:
        counts, _ = np.histogram(run.de[contrast]["pvalue"].dropna(), edges)
        parts.append(
            pd.DataFrame(
                {"contrast": contrast, "low": edges[:-1], "high": edges[1:], "genes": counts}
            )
        )
    frame = labelled(run, pd.concat(parts, ignore_index=True))
    if not frame["genes"].sum():
        return empty("No gene was tested.")
    bars = (
        alt.Chart()
        .mark_bar(color=ACCENT, binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="p value (main model)",
                axis=alt.Axis(values=[0, 0.5, 1]),
            ),
            x2=alt.X2("high:Q"),
            y=alt.Y(
                "genes:Q",
                title="Genes",
                scale=alt.Scale(nice=False),
                axis=alt.Axis(tickCount=4, labelBound=True),
            ),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                alt.Tooltip("genes:Q", title="Genes", format=","),
            ],
        )
        .properties(width=180, height=110)
    )
    chart = panels(bars, "label", "bins", label_order(run), 3, 240).resolve_scale(y="independent")
    words = f"Histograms of the p values of {len(run.contrast_names)} contrasts."
    return Figure(chart, {"bins": frame}, words, responsive=False, panel=240)
