"""Pictures of what changed: volcano, mean and change, change against change, p values."""

from __future__ import annotations

import textwrap

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.figures.gene_lists import list_marks, listed_genes, lists_said
from fibroserum.report.loading import RunTables, effect_of, label_order, labelled
from fibroserum.report.theme import (
    ACCENT,
    IN_BOTH_GROUPS,
    QUIET,
    WIDTH,
    ZERO,
    Figure,
    as_shown,
    call_colour,
    call_shape,
    data,
    empty,
    group_colours,
    panels,
    thin,
    weight,
    weighted,
    zero_line,
)

LOWEST_P = 1e-300
MOST_CALLED = 900
# letters of a title across a picture
LONGEST_TITLE = 88


def _named(frame: pd.DataFrame) -> pd.Series:
    """Return the symbol of each gene, or its id where it has none."""
    return frame["symbol"].fillna("").where(frame["symbol"].fillna("") != "", frame["gene_id"])


def target_ids(run: RunTables) -> list[str]:
    """Return the gene ids of the targets, in the order of the config."""
    return list(dict.fromkeys(run.targets["gene_id"].dropna()))


def _marked(run: RunTables, points: pd.DataFrame) -> pd.DataFrame:
    """Return the targets among the points, the first target first: it is labelled before others."""
    order = {gene: number for number, gene in enumerate(target_ids(run))}
    marked = points[points["gene_id"].isin(list(order))]
    return marked.iloc[np.argsort(marked["gene_id"].map(order), kind="stable")]


def _target_layers(x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """Return rings about the targets (data `targets`), and their names where there is room."""
    rings = (
        alt.Chart(data("targets"))
        .mark_point(size=60, color=ACCENT, strokeWidth=1.4)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    names = (
        alt.Chart(data("targets"))
        .mark_text(fontWeight="bold", fontSize=11)
        .encode(x=x, y=y, text="gene:N")
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
    points = weighted(points.assign(gene=_named(points)), "call", ["up", "down"])
    marked = _marked(run, points)
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
    layers = [cloud, *(_target_layers(x, y, _tooltip()) if len(marked) else [])]
    of_lists = list_marks(run, x, y, _tooltip())
    chart = alt.layer(*layers, *of_lists).properties(width=WIDTH, height=360)
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
        title="Mean normalized count",
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


def quadrants(run: RunTables, contrast: str) -> Figure:
    """Change in one group against change in the reference, gene by gene."""
    row = run.contrasts.set_index("contrast").loc[contrast]
    own = next(one for one in run.planned if one.name == contrast)
    changes = {
        one.group: one.name for one in run.planned if (one.kind, one.time) == ("change", own.time)
    }
    names = [row["reference"], row["group"]]
    first, second = (run.de[changes[name]].set_index("gene_id") for name in names)
    frame = pd.DataFrame(
        {
            "gene": _named(first.reset_index()).to_numpy(),
            "gene_id": first.index,
            "x": first["log2FoldChange"].to_numpy(),
            "y": second["log2FoldChange"].reindex(first.index).to_numpy(),
            "called": (first["call"] != "none").to_numpy() * 1
            + (second["call"].reindex(first.index) != "none").to_numpy() * 2,
            "difference": run.de[contrast].set_index("gene_id")["call"].reindex(first.index),
        }
    ).dropna(subset=["x", "y"])
    if contrast in run.settings["not_estimable"]:
        return empty(why_empty(run, contrast))
    if frame.empty:
        return empty("No gene was tested in both groups.")
    words = {0: "neither", 1: f"{names[0]} only", 2: f"{names[1]} only", 3: "both"}
    order = ["both", words[1], words[2], "neither"]
    frame["called"] = frame["called"].map(words)
    frame["differs"] = frame["difference"].map({"up": "yes", "down": "yes"}).fillna("no")
    keep = frame["gene_id"].isin(target_ids(run)) | (frame["called"] != "neither")
    frame = thin(frame, "x", "y", keep if keep.sum() < MOST_CALLED * 2 else keep & False)
    colours = group_colours(run.groups)
    palette = [IN_BOTH_GROUPS, colours[names[0]], colours[names[1]], QUIET]
    frame = as_shown(weighted(frame, "called", order[:3]), ["x", "y"]).drop(columns="difference")
    marked = _marked(run, frame)
    rank = frame["called"].map({name: i for i, name in enumerate(reversed(order))})
    frame = frame.iloc[np.argsort(rank, kind="stable")]
    compared = f"{own.time} vs {own.before}"
    titles = [f"log2 fold change in {name} ({compared})" for name in names]
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    tooltip = [
        alt.Tooltip("gene:N", title="Gene"),
        alt.Tooltip("x:Q", title="log2 fold change across", format=".3f"),
        alt.Tooltip("y:Q", title="log2 fold change up", format=".3f"),
        alt.Tooltip("called:N", title="Called in"),
        alt.Tooltip("differs:N", title="Difference called"),
    ]
    shapes = ["diamond", "square", "triangle-up", "circle"]
    cloud = (
        alt.Chart(data("points"))
        .mark_point(filled=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "called:N", scale=alt.Scale(domain=order, range=palette), title="Called in"
            ),
            shape=alt.Shape(
                "called:N", scale=alt.Scale(domain=order, range=shapes), title="Called in"
            ),
            **weight(),
            tooltip=tooltip,
        )
    )
    low, high = frame[["x", "y"]].min().min(), frame[["x", "y"]].max().max()
    diagonal = pd.DataFrame({"x": [low], "y": [low], "x2": [high], "y2": [high]})
    equal = (
        alt.Chart(data("diagonal"))
        .mark_rule(strokeDash=[2, 3])
        .encode(x="x:Q", y="y:Q", x2="x2:Q", y2="y2:Q")
    )
    layers = [
        zero_line("x"),
        zero_line("y"),
        equal,
        cloud,
        *(_target_layers(x, y, tooltip) if len(marked) else []),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=420)
    held = {"points": frame, "targets": marked, "diagonal": diagonal, "zero": ZERO}
    counts = frame["called"].value_counts()
    drawn = "; ".join(f"{counts.get(name, 0)} called in {name}" for name in order[:3])
    said = f"Change in {names[1]} against change in {names[0]}. Drawn: {drawn}."
    return Figure(chart, held, said, labels="names")


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
            x2="high:Q",
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
