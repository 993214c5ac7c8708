"""Pictures of a circulating factor: its own change, the evidence per gene, the concordance."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.factors import calls
from fibroserum.report.figures.change import LOWEST_P
from fibroserum.report.loading import RunTables, label_order, labelled
from fibroserum.report.theme import (
    CONFIRMED,
    OPPOSITE,
    PREDICTED,
    QUIET,
    RESPONSIVE,
    RULE,
    UNDECIDED,
    WIDTH,
    ZERO,
    Figure,
    as_shown,
    data,
    empty,
    group_scale,
    layered,
    mark_size,
    thin,
    weight,
    weighted,
    zero_line,
)

GENE_CALLS = [*calls.RESPONSIVE, "not_responsive", "not_assessable"]
MOST_LABELS = 15
MOST_CALLED = 900


def level(run: RunTables, factor: str) -> Figure:
    """Each donor's change of the factor's serum level, with the mean of each group."""
    donors = run.pairs[(run.pairs["factor"] == factor)].dropna(subset=["change_log2"])
    if donors.empty:
        return empty(f"The serum level of {factor} was not measured.")
    # the donors' changes are those of the last time
    changes = {
        one.name: one.group
        for one in run.planned
        if (one.kind, one.time) == ("change", run.times[-1])
    }
    means = run.levels[run.levels["factor"] == factor].assign(
        group=lambda f: f["contrast"].map(changes)
    )
    means = means.dropna(subset=["group", "change_log2"])[
        ["group", "change_log2", "ci_low", "ci_high"]
    ]
    donors = donors.assign(used=donors["used"].map({True: "yes", False: "no"}))
    spread = donors.groupby("group").cumcount() % 7 - 3
    donors = donors.assign(offset=spread.to_numpy() / 3.0)
    y = alt.Y("group:N", sort=run.groups, title=None)
    dots = (
        alt.Chart(data("donors"))
        .mark_point(filled=True, size=mark_size(len(donors), 34), opacity=0.6)
        .encode(
            x=alt.X(
                "change_log2:Q",
                title=f"Change of the {factor} level (log2, after / before)",
                axis=alt.Axis(tickCount=7),
            ),
            y=y,
            yOffset=alt.YOffset("offset:Q", scale=alt.Scale(domain=[-1.6, 1.6])),
            color=alt.Color("group:N", scale=group_scale(run.groups), legend=None),
            tooltip=[
                alt.Tooltip("donor:N", title="Donor"),
                alt.Tooltip("group:N", title="Group"),
                alt.Tooltip("before_log2:Q", title="Before, log2", format=".2f"),
                alt.Tooltip("after_log2:Q", title="After, log2", format=".2f"),
                alt.Tooltip("change_log2:Q", title="Change, log2", format=".2f"),
                alt.Tooltip("used:N", title="In the serum model"),
            ],
        )
    )
    bars = (
        alt.Chart(data("means"))
        .mark_rule(strokeWidth=2.2)
        .encode(x=alt.X("ci_low:Q"), x2=alt.X2("ci_high:Q"), y=y)
    )
    middles = (
        alt.Chart(data("means"))
        .mark_point(shape="diamond", filled=True, size=90, color=RULE, opacity=1)
        .encode(
            x=alt.X("change_log2:Q"),
            y=y,
            tooltip=[
                alt.Tooltip("group:N", title="Group"),
                alt.Tooltip("change_log2:Q", title="Mean change, log2", format=".3f"),
                alt.Tooltip("ci_low:Q", title="95 % from", format=".3f"),
                alt.Tooltip("ci_high:Q", title="to", format=".3f"),
            ],
        )
    )
    chart = layered(zero_line("x"), dots, bars, middles).properties(
        width=WIDTH, height=58 * donors["group"].nunique()
    )
    held = {
        "donors": donors[
            ["donor", "group", "before_log2", "after_log2", "change_log2", "used", "offset"]
        ],
        "means": means,
        "zero": ZERO,
    }
    return Figure(chart, held, f"Change of {factor} in {len(donors)} donors.")


def _call_encodings(*, both: bool) -> dict[str, alt.Color | alt.Shape | alt.Size | alt.FillOpacity]:
    """Return the marks of calls; both: whether both kinds of evidence exist."""
    first = 0 if both else 1
    tested = GENE_CALLS[first:3]
    scale = alt.Scale(domain=tested, range=[CONFIRMED, RESPONSIVE, QUIET][first:])
    shapes = ["diamond", "square", "circle"][first:]
    words = alt.Legend(labelExpr="replace(datum.label, '_', ' ')")
    return {
        "color": alt.Color("call:N", scale=scale, title="Call", legend=words),
        "shape": alt.Shape(
            "call:N", scale=alt.Scale(domain=tested, range=shapes), title="Call", legend=words
        ),
        **weight(),
    }


def _evidence_tooltips(*, stimulated: bool, measured: bool) -> list[alt.Tooltip]:
    """Return the numbers of a gene: of the evidence that there is."""
    found = []
    if stimulated:
        name = "stimulation_log2FoldChange:Q"
        found.append(alt.Tooltip(name, title="Stimulation, log2", format=".3f"))
    if measured:
        found.append(alt.Tooltip("serum_slope:Q", title="Serum slope", format=".3f"))
    found.append(alt.Tooltip("responsive_padj:Q", title="responsive FDR", format=".2e"))
    if stimulated and measured:
        found.append(alt.Tooltip("confirmed_padj:Q", title="confirmed FDR", format=".2e"))
    return found


def evidence(run: RunTables, factor: str) -> Figure:
    """Each gene's evidence from the stimulation experiment against that from the serum level."""
    frame = run.factors[run.factors["factor"] == factor].copy()
    stimulated = frame["stimulation_log2FoldChange"].notna().any()
    measured = frame["serum_slope"].notna().any()
    if not stimulated and not measured:
        return empty(
            f"The cohort has no evidence on {factor}: no stimulation experiment, no measured level."
        )
    frame["weight"] = -np.log10(frame["responsive_pvalue"].clip(lower=LOWEST_P))
    titles = {
        "stimulation_log2FoldChange": f"Stimulation: log2 fold change with {factor}",
        "serum_slope": f"Serum: log2 change per doubling of {factor}",
        "weight": "−log10 combined p value",
    }
    if stimulated and measured:
        across, up = "stimulation_log2FoldChange", "serum_slope"
    else:
        across, up = ("stimulation_log2FoldChange" if stimulated else "serum_slope"), "weight"
    frame = frame.dropna(subset=[across, up])
    if frame.empty:
        return empty(f"No gene was tested in both kinds of evidence on {factor}.")
    symbols = frame["symbol"].fillna("")
    frame["gene"] = symbols.where(symbols != "", frame["gene_id"])
    hits = frame["call"].isin(calls.RESPONSIVE)
    strongest = frame["responsive_pvalue"].fillna(1).rank(method="first") <= MOST_CALLED
    frame = frame.assign(x=frame[across], y=frame[up])
    frame = weighted(thin(frame, "x", "y", hits & strongest), "call", GENE_CALLS[:2])
    rank = frame["call"].map({name: -i for i, name in enumerate(GENE_CALLS)})
    frame = frame.sort_values("responsive_pvalue", ascending=False)
    frame = frame.iloc[np.argsort(rank.loc[frame.index], kind="stable")]
    named = frame[frame["call"].isin(calls.RESPONSIVE)]
    named = named.sort_values(["call", "responsive_pvalue"]).head(MOST_LABELS)
    x, y = alt.X("x:Q", title=titles[across]), alt.Y("y:Q", title=titles[up])
    cloud = (
        alt.Chart(data("genes"))
        .mark_point(filled=True)
        .encode(
            x=x,
            y=y,
            **_call_encodings(both=bool(stimulated and measured)),
            tooltip=[
                alt.Tooltip("gene:N", title="Gene"),
                alt.Tooltip("call:N", title="Call"),
                alt.Tooltip("direction:N", title="Direction"),
                *_evidence_tooltips(stimulated=stimulated, measured=measured),
            ],
        )
    )
    labels = (
        alt.Chart(data("named"))
        .mark_text(fontSize=10, fontWeight="bold")
        .encode(x=x, y=y, text=alt.Text("gene:N"))
        .properties(name="names")
    )
    layers = [zero_line("x"), cloud, *([labels] if len(named) else [])]
    if up == "serum_slope":
        layers.insert(1, zero_line("y"))
    columns = [
        *("gene_id", "gene", "call", "direction", "stimulation_log2FoldChange", "serum_slope"),
        *("responsive_padj", "confirmed_padj", "x", "y", "area", "alpha"),
    ]
    chart = layered(*layers).properties(width=WIDTH, height=360)
    frame = as_shown(
        frame[columns],
        ["stimulation_log2FoldChange", "serum_slope", "x", "y"],
        ["responsive_padj", "confirmed_padj"],
    )
    held = {"genes": frame, "named": named[["gene", "x", "y"]], "zero": ZERO}
    count = frame["call"].value_counts()
    confirmed = f"{count.get('confirmed', 0)} confirmed, " if stimulated and measured else ""
    words = (
        f"Evidence that genes respond to {factor}: {confirmed}"
        f"{count.get('responsive', 0)} responsive genes drawn."
    )
    return Figure(chart, held, words, labels="names")


def concordance(run: RunTables, factor: str) -> Figure:
    """How many responsive genes change as the factor's measured change predicts."""
    frame = run.concordance[run.concordance["factor"] == factor]
    if frame.empty:
        return empty(f"No gene is called responsive to {factor}: nothing to compare.")
    words = {"as_predicted": "as predicted", "opposite": "opposite"}
    counted = (
        frame.assign(seen=frame["concordance"].map(words).fillna("undecided"))
        .groupby(["contrast", "seen"], as_index=False)
        .size()
        .rename(columns={"size": "genes"})
    )
    counted = labelled(run, pd.DataFrame(counted))
    order = ["as predicted", "undecided", "opposite"]
    counted["rank"] = counted["seen"].map({name: i for i, name in enumerate(order)})
    chart = (
        alt.Chart(data("counts"))
        .mark_bar(height=18)
        .encode(
            x=alt.X("genes:Q", title="Responsive genes", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("label:N", sort=label_order(run), title=None),
            color=alt.Color(
                "seen:N",
                scale=alt.Scale(domain=order, range=[PREDICTED, UNDECIDED, OPPOSITE]),
                title="Change seen",
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("label:N", title="Contrast"),
                alt.Tooltip("seen:N", title="Change seen"),
                alt.Tooltip("genes:Q", title="Genes"),
            ],
        )
        .properties(width=WIDTH, height=30 * counted["contrast"].nunique())
    )
    genes = frame["gene_id"].nunique()
    times = counted.groupby("seen")["genes"].sum()
    described = (
        f"Concordance of {genes} genes with {factor}, over all contrasts: "
        f"{times.get('as predicted', 0)} times as predicted, {times.get('opposite', 0)} opposite."
    )
    return Figure(chart, {"counts": counted}, described)
