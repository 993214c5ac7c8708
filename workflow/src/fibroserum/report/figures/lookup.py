"""The two pictures of the gene lookup, whose data the page fills in."""

from __future__ import annotations

import altair as alt
import pandas as pd

from fibroserum.report.figures.slopes import slope_chart
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import ZERO, Figure, both_ends, contrast_colour, data, zero_line


def forest_of_one(run: RunTables) -> alt.LayerChart | alt.FacetChart:
    """Return a forest of one gene over the contrasts (data `estimates`), for the gene lookup."""
    limit = 170 if len(run.times) == 1 else 230
    y = alt.Y(
        "label:N",
        sort=None,
        title=None,
        axis=alt.Axis(labelLimit=limit, labelExpr=both_ends(limit)),
    )
    colour = contrast_colour(run.contrasts, run.groups)
    bars = (
        alt.Chart(data("estimates"))
        .mark_rule(strokeWidth=1.8)
        .encode(
            x=alt.X("low:Q", title="log2 fold change, 95 % interval", axis=alt.Axis(tickCount=5)),
            x2="high:Q",
            y=y,
            color=colour,
        )
    )
    dots = (
        alt.Chart(data("estimates"))
        .mark_point(size=52, filled=True)
        .encode(
            x="estimate:Q",
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("label:N", title="Contrast"),
                alt.Tooltip("estimate:Q", title="log2 fold change", format=".3f"),
            ],
        )
    )
    return alt.layer(zero_line("x"), bars, dots).properties(width=300, height={"step": 24})


def lookup_figures(run: RunTables) -> dict[str, Figure]:
    """Return the two pictures of the gene lookup, whose data the page fills in."""
    fields = ["panel", "donor", "group", "time", "slot", "level", "filled", "order", "start"]
    no_rows = pd.DataFrame(columns=fields)
    estimates = pd.DataFrame(columns=["contrast", "label", "estimate", "low", "high"])
    return {
        "lookup_donors": Figure(
            slope_chart(run, "log2 normalized count", panel=False).properties(
                width=340, height=220
            ),
            {"slopes": no_rows},
            "Level of the gene in every donor, before and after.",
            responsive=False,
        ),
        "lookup_estimates": Figure(
            forest_of_one(run),
            {"estimates": estimates, "zero": ZERO},
            "Estimate of the gene in every contrast.",
            responsive=False,
        ),
    }
