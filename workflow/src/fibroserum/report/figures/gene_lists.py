"""Own lists of genes: their marks in the plots of a contrast, the donors' lines of each gene."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import at_time
from fibroserum.report.figures.slopes import slopes
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import ACCENT, Figure, data, empty

#: Genes of a list that are marked in a plot, and whose donors are drawn.
MOST_MARKED, MOST_LINES = 200, 24
SHAPES = ["square", "diamond", "triangle-right", "triangle-left", "cross", "stroke"]


def _ranked(run: RunTables) -> pd.DataFrame:
    """Return the genes of the lists that are in the matrix, in the lists' order.

    Columns: list, gene, gene_id and rank, within the list by the smallest p value of any contrast.
    """
    if run.gene_lists.empty:
        return pd.DataFrame(columns=["list", "gene", "gene_id", "rank"])
    keys = ["list", "gene_id"]
    rows = run.gene_lists.dropna(subset=["gene_id"])
    genes = rows[["list", "gene", "gene_id"]].drop_duplicates(keys)
    best = rows.groupby(keys)["pvalue"].min().fillna(1.0)
    ranks = best.groupby("list").rank(method="first").rename("rank")
    return genes.merge(ranks.reset_index(), on=keys)


def listed_genes(run: RunTables) -> pd.DataFrame:
    """Return the genes that plots mark: list, gene_id."""
    ranked = _ranked(run)
    return ranked.loc[ranked["rank"] <= MOST_MARKED, ["list", "gene_id"]]


def lists_said(run: RunTables) -> str:
    """Return which lists are marked, as a sentence."""
    sizes = _ranked(run).groupby("list", sort=False).size()
    said = [
        f"{name} ({min(size, MOST_MARKED)} of {size} genes)" if size > MOST_MARKED else str(name)
        for name, size in sizes.items()
    ]
    return f" Marked lists: {', '.join(said)}."


def list_marks(run: RunTables, x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    """Return the layer of marks about the genes of the lists (data `lists`), a shape a list."""
    names = list(dict.fromkeys(listed_genes(run)["list"]))
    if not names:
        return []
    shapes = [SHAPES[number % len(SHAPES)] for number in range(len(names))]
    scale = alt.Scale(domain=names, range=shapes)
    marks = (
        alt.Chart(data("lists"))
        .mark_point(size=110, color=ACCENT, strokeWidth=1.4, filled=False)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("list:N", scale=scale, title="Gene list"),
            tooltip=[alt.Tooltip("list:N", title="Gene list"), *tooltip],
        )
    )
    return [marks]


def donors(run: RunTables, name: str) -> Figure:
    """Every donor's level of the genes of a list, before and at every time after."""
    ranked = _ranked(run)
    own = ranked[ranked["list"] == name]
    if own.empty:
        return empty(f"No gene of the list {name} is in the count matrix.")
    drawn = own[own["rank"] <= MOST_LINES]
    levels = np.log2(run.normalized[list(drawn["gene_id"])].astype(float) + 0.5)
    parts = []
    for time in run.times:
        obs, settings = at_time(run.obs, run.settings, time)
        key = [obs["donor"].astype(str), obs["group"].astype(str)]
        before = (obs["time"] == settings["before"]).to_numpy()
        sides = {
            side: levels.loc[obs.index[rows]].set_index([one[rows] for one in key])
            for side, rows in (("before", before), ("after", ~before))
        }
        for gene, gene_id in zip(drawn["gene"], drawn["gene_id"], strict=True):
            part = pd.DataFrame({side: frame[gene_id] for side, frame in sides.items()})
            parts.append(part.reset_index().assign(panel=gene, time=time))
    frame = pd.concat(parts, ignore_index=True)
    words = f"Levels of {len(drawn)} genes of the list {name}, a line per donor."
    if len(drawn) < len(own):
        words += f" Of {len(own)} genes those with the smallest p values in any contrast are drawn."
    panels = list(dict.fromkeys(frame["panel"]))
    return slopes(run, frame, panels, "log2 normalised count", words)
