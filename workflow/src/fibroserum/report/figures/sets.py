"""Pictures of gene sets: which are shown, sets × contrasts, scores."""

from __future__ import annotations

import textwrap

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.figures.set_power import detectable_means
from fibroserum.report.figures.slopes import slopes
from fibroserum.report.loading import RunTables, label_order, labelled
from fibroserum.report.theme import (
    MARK,
    Figure,
    data,
    empty,
    fold_change_scale,
    layered,
    upright_axis,
)

MOST_SETS = 30
MOST_PANELS = 6
NAMED = 3

Key = tuple[str, str]  # collection and name of a gene set


def first_collection(run: RunTables) -> str:
    """Return the collection the headline is about: the first of the config's gene sets."""
    return run.gene_sets[0].collection if run.gene_sets else ""


def all_rows(run: RunTables) -> pd.DataFrame:
    """Return all sets in every contrast, below each other."""
    parts = [frame.assign(contrast=name) for name, frame in run.enrichment.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def set_rows(run: RunTables) -> pd.DataFrame:
    """Return the first collection's sets in every contrast, below each other."""
    rows = all_rows(run)
    return rows[rows["collection"] == first_collection(run)] if len(rows) else rows


def keys_of(frame: pd.DataFrame) -> list[Key]:
    """Return collection and name of the set in each row."""
    return list(zip(frame["collection"], frame["gene_set"], strict=True))


def representatives(rows: pd.DataFrame) -> dict[Key, str]:
    """Return the representative of each set's family, by collection and name.

    Models fit different genes, so that families can differ between contrasts: a set has that of the
    first contrast in which it was tested.
    """
    first = rows[~rows.duplicated(["collection", "gene_set"])]
    own = dict(zip(keys_of(first), first["family"].fillna(first["gene_set"]), strict=True))
    # what represents a set in a later contrast may be represented itself in the first
    return {key: own.get((key[0], family), family) for key, family in own.items()}


def relatives(rows: pd.DataFrame) -> dict[Key, list[str]]:
    """Return the other sets of each set's family, by collection and name."""
    named = representatives(rows)
    families: dict[Key, list[str]] = {}
    for (collection, name), family in named.items():
        families.setdefault((collection, family), []).append(name)
    return {
        (collection, name): sorted(set(families[collection, family]) - {name})
        for (collection, name), family in named.items()
    }


def strongest_sets(rows: pd.DataFrame, contrasts: list[str], most: int) -> list[Key]:
    """Return up to `most` sets, the representatives of as many families.

    Families come in the order of their smallest directional p value, over all collections.
    """
    named = representatives(rows)
    own = rows[rows["contrast"].isin(contrasts)].sort_values(
        ["fry_pvalue", "collection", "gene_set"], kind="stable"
    )
    chosen = dict.fromkeys((key[0], named[key]) for key in keys_of(own))
    return list(chosen)[:most]


def titles(run: RunTables, keys: list[Key]) -> dict[Key, str]:
    """Return what each set is called in pictures: its name, and its collection beside others."""
    several = len({one.collection for one in run.gene_sets}) > 1
    return {key: f"{key[1]} ({key[0]})" if several else key[1] for key in keys}


def others_of(names: list[str], collection: str = "") -> str:
    """Return a set's collection and the others of its family in words, a few of them by name."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    others = "≈ " + ", ".join(names[:NAMED]) + more if names else ""
    return "; ".join(filter(None, [collection, others])).replace("_", " ")


def wrapped(name: str) -> str:
    """Return a set's name for a picture: words instead of underscores, broken where it is long."""
    return "\n".join(textwrap.wrap(name.replace("_", " "), 27, break_on_hyphens=False)) or name


#: Pixels that an upright number above a column needs.
ABOVE = 40
BROKEN = "split(datum.label, '\\n')"


def matrix_rows(run: RunTables, alpha: float, most: int = MOST_SETS) -> pd.DataFrame:
    """Return the rows of the matrix: one representative a family, the strongest of all collections.

    Besides columns of the set tables: contrast, label, name (as printed), family_members, others
    (collection and others of its family, in words), competitive (yes, no), found (yes where the
    set has a mark), detectable (the mean change that 80 % of such studies would find).
    """
    rows = all_rows(run)
    shown = strongest_sets(rows, run.contrast_names, most)
    beside, full = relatives(rows), titles(run, shown)
    # rows say the collection at their end; a name says it where two collections share the name
    names = [name for _, name in shown]
    called = {key: key[1] if names.count(key[1]) == 1 else full[key] for key in shown}
    several = len({collection for collection, _ in shown}) > 1
    frame = rows[[key in called for key in keys_of(rows)]]
    keys = keys_of(frame)
    words = ["collection", "gene_set", "contrast", "mean_log2FoldChange", "call", "enriched"]
    competitive = frame["enriched"].isin(["up", "down"])
    marked = competitive | (frame["call"] != "none")
    return labelled(run, frame[[*words, "carried_by", "fry_padj", "tested"]]).assign(
        name=[wrapped(called[key]) for key in keys],
        family_members=[", ".join(beside[key]) for key in keys],
        others=[others_of(beside[key], key[0] if several else "") for key in keys],
        competitive=np.where(competitive, "yes", "no"),
        found=np.where(marked, "yes", "no"),
        detectable=detectable_means(run, frame, alpha),
    )


def _detected(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the typical detectable mean change of the sets in each contrast, with its words."""
    typical = frame.groupby("label", sort=False)["detectable"].median().dropna()
    return pd.DataFrame({"label": typical.index, "words": [f"±{number:.2f}" for number in typical]})


def set_matrix(run: RunTables, alpha: float, most_sets: int = MOST_SETS) -> Figure:
    """Sets × contrasts: mean change, and a mark where a set is called.

    Sets without a mark are pale, and the colours reach at least as far as a change that the cohort
    could detect: noise does not take the colours of a response.
    """
    if all_rows(run).empty:
        return empty("No gene set was tested.")
    frame = matrix_rows(run, alpha, most_sets)
    given = {(one.collection, one.name): number for number, one in enumerate(run.gene_sets)}
    place = pd.Series([given.get(key, len(given)) for key in keys_of(frame)], index=frame.index)
    order = list(dict.fromkeys(frame.loc[place.sort_values(kind="stable").index, "name"]))
    x = alt.X(
        "label:N",
        sort=label_order(run),
        title=None,
        axis=upright_axis(24),
    )
    y = alt.Y(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelLimit=230, ticks=False, labelExpr=BROKEN, labelLineHeight=11),
    )
    detected = _detected(frame)
    most = float(np.nanmax([*frame["mean_log2FoldChange"].abs(), *frame["detectable"]])) or 1.0
    # the numbers above the columns are between these and the legends
    above = ABOVE if len(detected) else alt.Undefined
    tooltip = [
        alt.Tooltip("gene_set:N", title="Set"),
        alt.Tooltip("collection:N", title="Collection"),
        alt.Tooltip("family_members:N", title="Near-duplicates"),
        alt.Tooltip("label:N", title="Contrast"),
        alt.Tooltip("mean_log2FoldChange:Q", title="Mean log2 fold change", format=".3f"),
        alt.Tooltip("detectable:Q", title="Detectable (80 % power)", format=".2f"),
        alt.Tooltip("tested:Q", title="Genes tested"),
        alt.Tooltip("fry_padj:Q", title="fry FDR", format=".2e"),
        alt.Tooltip("call:N", title="Its genes change"),
        alt.Tooltip("carried_by:N", title="Not called: depends on one gene"),
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
                legend=alt.Legend(
                    gradientLength=130, tickCount=3, direction="horizontal", offset=above
                ),
            ),
            opacity=alt.Opacity(
                "found:N",
                scale=alt.Scale(domain=["yes", "no"], range=[1, 0.45]),
                legend=None,
            ),
            tooltip=tooltip,
        )
    )
    # the last is in no row: it puts into the legend what a cell without a mark means
    calls = ["up", "down", "mixed", "no mark: not found"]
    shapes = ["triangle-up", "triangle-down", "diamond", "M0,0"]
    marks = (
        alt.Chart(data("called"))
        .mark_point(filled=True, size=60, color=MARK, opacity=1)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "call:N",
                scale=alt.Scale(domain=calls, range=shapes),
                title="Its genes change",
                legend=alt.Legend(offset=above),
            ),
            tooltip=tooltip,
        )
    )
    rings = (
        alt.Chart(data("enriched"))
        .mark_point(size=210, color=MARK, strokeWidth=1.3, shape="circle")
        .encode(x=x, y=y, tooltip=tooltip)
    )
    width = max(160, 62 * len(run.contrasts))
    beside = (
        alt.Chart(data("families"))
        .mark_text(align="left", dx=8, fontSize=9, fontStyle="italic", limit=260)
        # at the right edge also where the page draws the figure narrower
        .encode(x=alt.XValue("width"), y=y, text=alt.Text("others:N"))
    )
    # two lines of a long name must keep off the next row's
    step = 27 if frame["name"].str.contains("\n").any() else 22
    # upright: in a narrow column numbers side by side would run into each other
    sizes = (
        alt.Chart(data("detectable"))
        .mark_text(fontSize=10, angle=270, align="left")
        .encode(x=x, y=alt.YValue(-4), text=alt.Text("words:N"))
    )
    title = (
        alt.Chart(data("titles"))
        .mark_text(align="right", fontSize=10)
        .encode(x=alt.XValue(-8), y=alt.YValue(-8), text=alt.Text("words:N"))
    )
    layers = [cells, rings, marks, beside, *([sizes, title] if len(detected) else [])]
    chart = layered(*layers).properties(width=width, height={"step": step})
    held = {
        "cells": frame,
        "called": frame[frame["call"] != "none"],
        "enriched": frame[frame["competitive"] == "yes"],
        "families": frame.loc[frame["others"] != "", ["name", "others"]].drop_duplicates(),
        "detectable": detected,
        "titles": pd.DataFrame({"words": ["Detectable mean change"]}),
    }
    found = int((frame["found"] == "yes").sum())
    words = (
        f"{len(order)} gene sets in {len(run.contrasts)} contrasts, one of each family; {found} "
        f"{'mark' if found == 1 else 'marks'}."
    )
    return Figure(chart, held, words, responsive=False)


def scores(run: RunTables) -> Figure:
    """Scores of the strongest sets in every donor, before and at every time after."""
    rows = all_rows(run)
    shown = strongest_sets(rows, run.of_kind("change"), MOST_PANELS) if len(rows) else []
    called = titles(run, shown)
    own = run.scores.assign(panel=[called.get(key) for key in keys_of(run.scores)])
    own = own.dropna(subset=["panel"])
    if own.empty:
        return empty("No set was scored.")
    subjects = [called[key] for key in shown if called[key] in set(own["panel"])]
    frame = by_time(run, own.rename(columns={"score": "level"}), "panel")
    words = f"Scores of {len(subjects)} gene sets per donor."
    return slopes(run, frame, subjects, "ssGSEA score", words, least=180, spaced=True)


def by_time(run: RunTables, levels: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Return the levels of samples as before and after: *keys, donor, group, before, after, time.

    levels: *keys, sample, level. A donor has a row for each time after; where it lacks the one or
    the other sample, the level is empty, and where it lacks all samples after, so is `after`.
    """
    about = run.obs[["donor", "group", "time"]].astype(str)
    names = [*keys, "donor", "group"]
    wide = (
        levels.join(about, on="sample", how="inner")
        .pivot_table(index=names, columns="time", values="level")
        .reset_index()
    )
    return pd.concat(
        [
            wide.rename(columns={run.settings["before"]: "before", time: "after"})
            .reindex(columns=[*names, "before", "after"])
            .assign(time=time)
            for time in run.times
        ],
        ignore_index=True,
    )
