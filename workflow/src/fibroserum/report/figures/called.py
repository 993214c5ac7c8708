"""Called genes: what each donor's pair did, and what two contrasts share."""

from __future__ import annotations

from itertools import combinations

import altair as alt
import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage

from fibroserum.cohort.contrasts import Contrast
from fibroserum.de.overlap import shown_in
from fibroserum.report.figures.change import (
    MOST_CALLED,
    symbols_of,
    target_ids,
    target_layers,
    targets_among,
    why_empty,
)
from fibroserum.report.figures.edges import donor_changes, donor_heatmap
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import (
    ACCENT,
    IN_BOTH_GROUPS,
    OPPOSITE,
    QUIET,
    WIDTH,
    ZERO,
    Figure,
    as_shown,
    data,
    empty,
    group_colours,
    label_axis,
    layered,
    legend,
    lines_of,
    panels,
    thin,
    weight,
    weighted,
    zero_line,
)

MOST_GENES, FEWEST_GENES, MOST_COMPARED = 50, 20, 12
#: Letters to a line of a row's name.
LINE = 30


def _clustered(frame: pd.DataFrame) -> list[str]:
    """Return the genes of `donor_changes`, those next to each other that change alike."""
    wide = frame.pivot_table(index="gene_id", columns=["group", "donor", "time"], values="change")
    wide = wide.apply(lambda row: row.fillna(row.mean()), axis=1)
    if len(wide) > 2:
        tree = linkage(wide.to_numpy(), "average", optimal_ordering=True)
        wide = wide.iloc[leaves_list(tree)]
    # genes that rise come first
    half = len(wide) // 2
    falling = wide.iloc[:half].mean(axis=None) < wide.iloc[half:].mean(axis=None)
    return list(wide.index[::-1] if half and falling else wide.index)


def heatmap(run: RunTables) -> Figure:
    """Each donor's change of the genes that are called in any contrast of changes."""
    changes = [one.name for one in run.planned if one.kind != "baseline"]
    called = [run.de[name][run.de[name]["call"] != "none"] for name in changes if name in run.de]
    rows = pd.concat(called) if called else pd.DataFrame(columns=["gene_id", "pvalue"])
    best = rows.groupby("gene_id")["pvalue"].min().sort_values(kind="stable")
    if best.empty:
        return empty("No gene is called in any change or difference.")
    # with several times the genes are drawn once a time
    genes = list(best.index[: max(MOST_GENES // len(run.times), FEWEST_GENES)])
    frame = donor_changes(run, genes)
    if frame.empty:
        return empty("No donor has a complete pair.")
    words = f"Change in each donor of {len(genes)} called genes."
    if len(best) > len(genes):
        words += f" {len(best)} are called: those with the smallest p values are drawn."
    return donor_heatmap(run, frame, _clustered(frame), words)


def _name(run: RunTables, one: Contrast) -> str:
    """Return what tells a change from the other changes: its group, its time, or both."""
    parts = [
        *([one.group] if len(run.of_kind("change")) > len(run.times) else []),
        *([one.time] if len(run.times) > 1 else []),
    ]
    return " ".join(str(part) for part in parts)


def _compared(run: RunTables) -> list[tuple[Contrast, Contrast]]:
    """Return pairs of changes: of two groups at one time, of two times in one group."""
    lost = run.settings["not_estimable"]
    changes = [one for one in run.planned if one.kind == "change" and one.name not in lost]
    pairs = [
        (one, other)
        for one, other in combinations(changes, 2)
        if (one.time == other.time) != (one.group == other.group)
    ]
    return sorted(pairs, key=lambda pair: pair[0].time != pair[1].time)[:MOST_COMPARED]


def _words(first: str, second: str) -> dict[str, str]:
    """Return what a plot calls each word of `overlap.SHOWN`."""
    return {
        "both": "shown in both",
        "opposite": "shown in both, in opposite directions",
        "first": f"shown in {first}, not shown in {second}",
        "second": f"shown in {second}, not shown in {first}",
        "each": "called in each, not shown in both",
        "neither": "shown in neither",
    }


def overlap(run: RunTables, alpha: float, *, alone: bool = False) -> Figure:
    """How many genes two changes share, from intersection-union p values."""
    parts = []
    for one, other in _compared(run):
        names = [_name(run, contrast) for contrast in (one, other)]
        found = shown_in(run.de[one.name], run.de[other.name], alpha, alone=alone)["shown"]
        counts = found.value_counts()
        differ = _called_difference(run, one, other)
        for rank, (word, said) in enumerate(_words(*names).items()):
            if word == "neither" or (word in ("opposite", "each") and word not in counts):
                continue
            genes = found.index[found == word]
            both = None if differ is None else int(genes.isin(differ).sum())
            extra = f", of which {both} differ" if both and word in ("first", "second") else ""
            parts.append(
                {
                    "panel": f"{names[0]} and {names[1]}",
                    "shown": said,
                    "rank": rank,
                    "genes": len(genes),
                    "differ": both or 0,
                    "text": f"{len(genes)}{extra}",
                }
            )
    if not parts:
        return empty("There is only one change, so there is nothing to compare.")
    frame = pd.DataFrame(parts)
    if not frame["genes"].any():
        return empty("No gene is shown to change in any group.")
    order = list(dict.fromkeys(frame.sort_values("rank", kind="stable")["shown"]))
    most = int(frame["genes"].max())
    base = alt.Chart().encode(
        y=alt.Y("shown:N", sort=order, title=None, axis=label_axis(order, LINE, grid=False)),
    )
    tooltip = [
        alt.Tooltip("shown:N", title="Genes"),
        alt.Tooltip("genes:Q", title="How many"),
        alt.Tooltip("differ:Q", title="Called in the difference"),
    ]
    # room for the numbers beside the longest bar
    x = alt.X(
        "genes:Q",
        title="Genes",
        scale=alt.Scale(domain=[0, 1.6 * most], nice=False),
        axis=alt.Axis(tickCount=4, tickMinStep=1),
    )
    bars = base.mark_bar(height=13, color=QUIET).encode(x=x, tooltip=tooltip)
    inner = base.mark_bar(height=13, color=ACCENT).encode(x=alt.X("differ:Q"), tooltip=tooltip)
    numbers = base.mark_text(align="left", dx=4).encode(x=alt.X("genes:Q"), text=alt.Text("text:N"))
    rows = int(frame.groupby("panel").size().max())
    step = 12 * lines_of(order, LINE) + 6
    chart = layered(bars, inner, numbers).properties(width=190, height=step * rows)
    names = list(dict.fromkeys(frame["panel"]))
    drawn = panels(chart, "panel", "counts", names, 2, 240).properties(
        spacing={"row": 76, "column": 190}
    )
    drawn = drawn.resolve_scale(y="independent")
    told = "; ".join(f"{row.panel}: {row.genes} {row.shown}" for row in frame.itertuples())
    return Figure(drawn, {"counts": frame}, f"{told}.", responsive=False, panel=420)


def _called_difference(run: RunTables, one: Contrast, other: Contrast) -> set[str] | None:
    """Return the genes called in the difference of two groups' changes, None if not estimated."""
    for planned in run.planned:
        if (
            (planned.kind, planned.time, one.time) == ("difference", one.time, other.time)
            and {planned.group, planned.reference} == {one.group, other.group}
            and planned.name in run.de
        ):
            frame = run.de[planned.name]
            return set(frame.loc[frame["call"] != "none", "gene_id"])
    return None


def quadrants(run: RunTables, contrast: str, alpha: float, *, alone: bool = False) -> Figure:
    """Change in one group against change in the reference, gene by gene."""
    row = run.contrasts.set_index("contrast").loc[contrast]
    own = next(one for one in run.planned if one.name == contrast)
    changes = {
        one.group: one.name for one in run.planned if (one.kind, one.time) == ("change", own.time)
    }
    names = [row["reference"], row["group"]]
    if contrast in run.settings["not_estimable"]:
        return empty(why_empty(run, contrast))
    frame, words = _quadrant_rows(run, contrast, [changes[name] for name in names], alpha, alone)
    said = _words(*names)
    if frame.empty:
        return empty("No gene was tested in both groups.")
    order = [said[word] for word in words]
    loud = [name for name in order if name != said["neither"]]
    frame["shown"] = frame["shown"].map(said)
    keep = frame["gene_id"].isin(target_ids(run)) | frame["shown"].isin(loud)
    frame = thin(frame, "x", "y", keep if keep.sum() < MOST_CALLED * 2 else keep & False)
    colours = group_colours(run.groups)
    look = {
        "both": (IN_BOTH_GROUPS, "diamond"),
        "opposite": (OPPOSITE, "triangle-down"),
        "first": (colours[names[0]], "square"),
        "second": (colours[names[1]], "triangle-up"),
        "each": (ACCENT, "cross"),
        "neither": (QUIET, "circle"),
    }
    palette, shapes = ([look[word][place] for word in words] for place in (0, 1))
    frame = as_shown(weighted(frame, "shown", loud), ["x", "y"])
    marked = targets_among(run, frame)
    rank = frame["shown"].map({name: i for i, name in enumerate(reversed(order))})
    frame = frame.iloc[np.argsort(rank, kind="stable")]
    compared = f"{own.time} vs {own.before}"
    titles = [f"log2 fold change in {name} ({compared})" for name in names]
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    tooltip = [
        alt.Tooltip("gene:N", title="Gene"),
        alt.Tooltip("x:Q", title=f"log2 fold change in {names[0]}", format=".3f"),
        alt.Tooltip("y:Q", title=f"log2 fold change in {names[1]}", format=".3f"),
        alt.Tooltip("shown:N", title="Change"),
        alt.Tooltip("differs:N", title="Difference called"),
    ]
    entries = legend(order, title=None)
    cloud = (
        alt.Chart(data("points"))
        .mark_point(filled=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "shown:N", scale=alt.Scale(domain=order, range=palette), legend=entries
            ),
            shape=alt.Shape("shown:N", scale=alt.Scale(domain=order, range=shapes), legend=entries),
            **weight(),
            tooltip=tooltip,
        )
    )
    low, high = frame[["x", "y"]].min().min(), frame[["x", "y"]].max().max()
    diagonal = pd.DataFrame({"x": [low], "y": [low], "x2": [high], "y2": [high]})
    equal = (
        alt.Chart(data("diagonal"))
        .mark_rule(strokeDash=[2, 3])
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"))
    )
    layers = [
        zero_line("x"),
        zero_line("y"),
        equal,
        cloud,
        *(target_layers(x, y, tooltip) if len(marked) else []),
    ]
    chart = layered(*layers).properties(width=WIDTH, height=420)
    held = {"points": frame, "targets": marked, "diagonal": diagonal, "zero": ZERO}
    counts = frame["shown"].value_counts()
    drawn = "; ".join(f"{counts.get(name, 0)} {name}" for name in loud)
    told = f"Change in {names[1]} against change in {names[0]}. Drawn: {drawn}."
    return Figure(chart, held, told, labels="names")


def _quadrant_rows(
    run: RunTables, contrast: str, changes: list[str], alpha: float, alone: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return the genes of a quadrant plot, and the words of `overlap.SHOWN` that its legend needs.

    changes: the contrasts of the reference and of the group.
    """
    reference, own = (run.de[name] for name in changes)
    first, second = (table.set_index("gene_id") for table in (reference, own))
    shown = shown_in(reference, own, alpha, alone=alone)["shown"]
    difference = run.de[contrast].set_index("gene_id")["call"].reindex(first.index)
    frame = pd.DataFrame(
        {
            "gene": symbols_of(first.reset_index()).to_numpy(),
            "gene_id": first.index,
            "x": first["log2FoldChange"].to_numpy(),
            "y": second["log2FoldChange"].reindex(first.index).to_numpy(),
            "shown": shown.reindex(first.index).fillna("neither").to_numpy(),
            "differs": difference.isin(["up", "down"]).map({True: "yes", False: "no"}).to_numpy(),
        }
    ).dropna(subset=["x", "y"])
    always = ("both", "first", "second", "neither")
    words = ("both", "opposite", "first", "second", "each", "neither")
    return frame, [word for word in words if word in always or (frame["shown"] == word).any()]
