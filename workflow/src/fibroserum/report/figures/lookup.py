"""The two pictures of the gene lookup, a panel a gene, whose data the page fills in."""

from __future__ import annotations

import altair as alt
import pandas as pd

from fibroserum.report.figures.slopes import slope_chart, slope_slots
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import (
    ZERO,
    Figure,
    both_ends,
    contrast_colour,
    group_scale,
    layered,
    panels,
    zero_line,
)

LEVEL = ["panel", "donor", "group", "time", "slot", "level", "filled", "order", "start"]
ESTIMATE = ["contrast", "label", "estimate", "low", "high", "words"]
# pixels: of a panel's plot, of an interval beside its place along the axis, of printed numbers
PLOT, ASIDE, PRINTED = 190, 9, 200
# letters of a heading's line in pixels
HEADING = 260


def _headed(chart: alt.FacetChart) -> alt.FacetChart:
    """Return a facet chart whose headings have a line for each line of the panel's name."""
    header = alt.Header(
        labelLimit=HEADING,
        labelExpr="split(datum.label, '\\n')",
        labelFontWeight="normal",
        labelAnchor="start",
        labelLineHeight=14,
    )
    chart.facet.header = header
    return chart


def donors_of_genes(run: RunTables) -> alt.FacetChart:
    """Return a slope chart a gene (data `slopes`), with the interval of each group's change.

    Rows of levels are those of `slope_rows`; rows of changes have `mean`, `low` and `high`: the
    mean level before, plus the estimate and the ends of its interval.
    """
    x = alt.X("slot:N", sort=slope_slots(run), title=None)
    colour = alt.Color("group:N", scale=group_scale(run.groups))
    title = "log2 normalised count"
    bars = (
        alt.Chart()
        .mark_rule(strokeWidth=2.6, xOffset=ASIDE, x2Offset=ASIDE)
        .encode(x=x, y=alt.Y("low:Q", title=title), y2=alt.Y2("high:Q"), color=colour)
    )
    dots = (
        alt.Chart()
        .mark_point(size=46, filled=True, xOffset=ASIDE)
        .encode(
            x=x,
            y=alt.Y("mean:Q", title=title),
            color=colour,
            tooltip=[
                alt.Tooltip("group:N", title="Change in"),
                alt.Tooltip("time:N", title="Time"),
                alt.Tooltip("words:N", title="log2 fold change, 95 % interval"),
            ],
        )
    )
    slopes = slope_chart(run, title, panel=True, least=PLOT)
    layers = layered(*slopes.layer, bars, dots).properties(width=slopes.width, height=slopes.height)
    made = _headed(panels(layers, "panel", "slopes", [], 4)).resolve_scale(y="independent")
    return made.properties(spacing={"row": 130 if len(run.times) == 1 else 210, "column": 62})


def names_width(run: RunTables) -> int:
    """Return how many pixels the names of contrasts may take."""
    return 170 if len(run.times) == 1 else 230


def forests_of_genes(run: RunTables) -> alt.FacetChart:
    """Return a forest of the contrasts a gene (data `estimates`), with the numbers in print."""
    limit = names_width(run)
    y = alt.Y(
        "label:N",
        sort=None,
        title=None,
        axis=alt.Axis(labelLimit=limit, labelExpr=both_ends(limit)),
    )
    colour = contrast_colour(run.contrasts, run.groups)
    bars = (
        alt.Chart()
        .mark_rule(strokeWidth=1.8)
        .encode(
            x=alt.X("low:Q", title="log2 fold change, 95 % interval", axis=alt.Axis(tickCount=5)),
            x2=alt.X2("high:Q"),
            y=y,
            color=colour,
        )
    )
    dots = (
        alt.Chart()
        .mark_point(size=52, filled=True)
        .encode(
            x=alt.X("estimate:Q"),
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("label:N", title="Contrast"),
                alt.Tooltip("words:N", title="log2 fold change, 95 % interval"),
            ],
        )
    )
    numbers = (
        alt.Chart()
        .mark_text(align="left", dx=8)
        .encode(x=alt.XValue("width"), y=y, text=alt.Text("words:N"))
    )
    layers = layered(zero_line("x"), bars, dots, numbers)
    layers = layers.properties(width=PLOT, height={"step": 24})
    made = panels(layers, "panel", "estimates", [], 3)
    return _headed(made).properties(spacing={"row": 90, "column": limit + PRINTED})


def lookup_figures(run: RunTables) -> dict[str, Figure]:
    """Return the two pictures of the gene lookup, whose data the page fills in."""
    levels = pd.DataFrame(columns=[*LEVEL, "mean", "low", "high", "words"])
    estimates = pd.DataFrame(columns=["panel", *ESTIMATE])
    donors = donors_of_genes(run)
    return {
        "lookup_donors": Figure(
            donors,
            {"slopes": levels},
            "Levels of the chosen genes in every donor, before and after, and the interval of each "
            "group's change.",
            responsive=False,
            panel=int(donors.spec.width) + 70,
        ),
        "lookup_estimates": Figure(
            forests_of_genes(run),
            {"estimates": estimates, "zero": ZERO},
            "Estimates of the chosen genes in every contrast.",
            responsive=False,
            panel=names_width(run) + PLOT + PRINTED,
        ),
    }
