"""One look for every figure: colours, shapes, and what an empty figure says.

Fonts, sizes and column widths are in `sizes`. Groups keep their colours throughout, whichever is
the reference. Colours are those of Okabe and Ito (2008), which people with any colour vision tell
apart; direction has a shape as well as a colour. Data are named, and fields have fixed names: a
name from the data never becomes a field, an expression or a selector.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from fibroserum.report.sizes import FONT, LETTERS, TITLES

# of those that are too dark for a dark screen, workflow/report/style.css has lighter ones
GROUP_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
UP, DOWN, QUIET, ACCENT = "#D55E00", "#5D3A9B", "#9A9A9A", "#595959"
# what is neither a group nor a direction borrows the colour of neither
CONFIRMED, RESPONSIVE = "#882255", "#CC6677"
PREDICTED, UNDECIDED, OPPOSITE = "#404040", "#C9C9C9", "#882255"
PUBLISHED = IN_BOTH_GROUPS = "#000000"
MARK, RULE, INK = "#111111", "#767676", "#333333"
# purple through white to orange: the colours of down and up
DIVERGING = [DOWN, "#A991CF", "#F4F2F5", "#F0A56B", UP]
CALLS = ["up", "down", "none"]
WIDTH = 600
#: Names that an axis can print; cells along each side of a picture, of which `thin` keeps a point.
MOST_LABELS, CELLS = 44, 56

CONFIG: dict[str, Any] = {
    "background": "white",
    # a figure is described as a whole, and its numbers stand in tables: thousands of labelled marks
    # would drown a screen reader
    "mark": {"aria": False},
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": LETTERS,
        "titleFontSize": TITLES,
        "titleFontWeight": "normal",
        "labelLimit": 240,
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": "#767676",
        "tickColor": "#767676",
        "gridColor": "#767676",
        "gridOpacity": 0.18,
        "titlePadding": 8,
        "labelOverlap": "parity",
        # a label stands under its tick, at the ends too
        "labelFlush": False,
        "titleLimit": 560,
    },
    "legend": {
        "labelFontSize": LETTERS,
        "titleFontSize": LETTERS,
        "titleFontWeight": "normal",
        # a name is never cut: `legend` puts long ones below each other
        "labelLimit": 0,
        "titleLimit": 480,
        "labelColor": INK,
        "titleColor": INK,
        "orient": "top",
        "columnPadding": 14,
    },
    "header": {
        "labelFontSize": LETTERS,
        "labelFontWeight": "bold",
        "labelColor": INK,
        "titleColor": INK,
        "labelLimit": 0,
    },
    "text": {"color": INK, "fontSize": LETTERS},
    "rule": {"color": "#767676"},
    "point": {"opacity": 1},
}


@dataclass(frozen=True)
class Figure:
    """A figure: a chart over named data, the data, and words for those who cannot see it.

    labels: name of the text layer whose labels keep out of each other's way, or none. responsive:
    whether the page may stretch its width. panel: width of one facet of a wrapped chart, or 0.
    aspect: whether height follows width where the page is narrow (angles, squares).
    """

    chart: alt.TopLevelMixin
    data: Mapping[str, pd.DataFrame]
    description: str
    labels: str = ""
    responsive: bool = True
    panel: int = 0
    aspect: bool = False


def value(number: Any) -> Any:
    """Return a cell as JSON can hold it: no NaN, no infinity, eight significant digits."""
    if number is None or number is pd.NA or isinstance(number, str | bool):
        return None if number is pd.NA else number
    if isinstance(number, np.bool_):
        return bool(number)
    if isinstance(number, int | np.integer):
        return int(number)
    number = float(number)
    return float(f"{number:.8g}") if math.isfinite(number) else None


def _cells(column: pd.Series) -> list[Any]:
    """Return the cells of a column as `value` does, floats in a third of the time."""
    if column.dtype == float:
        return [float(f"{cell:.8g}") if math.isfinite(cell) else None for cell in column.tolist()]
    return [cell if isinstance(cell, str) else value(cell) for cell in column.tolist()]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON objects."""
    columns = [_cells(frame[name]) for name in frame]
    names = list(map(str, frame.columns))
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def spec(figure: Figure) -> dict[str, Any]:
    """Return the figure as a Vega-Lite specification that holds its data."""
    made = figure.chart.to_dict(validate=False)
    made["datasets"] = {name: records(frame) for name, frame in figure.data.items()}
    made["config"] = CONFIG
    made["description"] = figure.description
    made["usermeta"] = {
        "labels": figure.labels,
        "responsive": figure.responsive,
        "panel": figure.panel,
        "aspect": figure.aspect,
    }
    return made


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """Return the colour of each group, by its place in the alphabet.

    groups: all groups of the cohort, in any order: another reference changes no colour.
    """
    place = {group: number for number, group in enumerate(sorted(groups))}
    return {group: GROUP_COLOURS[place[group] % len(GROUP_COLOURS)] for group in groups}


def group_scale(groups: Sequence[str]) -> alt.Scale:
    """Return the colour scale of the groups."""
    colours = group_colours(groups)
    return alt.Scale(domain=list(colours), range=list(colours.values()))


def contrast_scale(contrasts: pd.DataFrame, groups: Sequence[str]) -> alt.Scale:
    """Return the colours of the contrasts: its group's for a change, grey for the others."""
    colours = group_colours(groups)
    shades = [
        colours.get(row.group, ACCENT) if row.kind == "change" else ACCENT
        for row in contrasts.itertuples()
    ]
    return alt.Scale(domain=list(contrasts["contrast"]), range=shades)


def contrast_colour(contrasts: pd.DataFrame, groups: Sequence[str]) -> alt.Color:
    """Return the colour of a contrast (field `contrast`)."""
    return alt.Color("contrast:N", scale=contrast_scale(contrasts, groups), legend=None)


def call_colour() -> alt.Color:
    """Return the colour of a call (field `call`): up, down or none."""
    scale = alt.Scale(domain=CALLS, range=[UP, DOWN, QUIET])
    return alt.Color("call:N", scale=scale, title="Call")


def call_shape() -> alt.Shape:
    """Return the shape of a call (field `call`), so that it can be told without colour."""
    shapes = ["triangle-up", "triangle-down", "circle"]
    return alt.Shape("call:N", scale=alt.Scale(domain=CALLS, range=shapes), title="Call")


def fold_change_scale(most: float) -> alt.Scale:
    """Return the colours of a fold change, white at zero and symmetric about it."""
    return alt.Scale(
        domain=[-most, -most / 2, 0, most / 2, most],
        range=DIVERGING,
        interpolate="rgb",
        clamp=True,
    )


def mark_size(count: int, full: float) -> float:
    """Return the area of a mark, smaller where there are many."""
    return full if count <= 60 else max(9.0, full * 60 / count)


def wrapped(letters: int) -> str:
    """Return an expression that breaks a label into lines of at most so many letters.

    It breaks after a space or an underscore where there is one, and leaves no letter out.
    """
    most = letters - 1
    lines = f"/(.{{1,{most}}}(?:[ _]|$)|.{{1,{letters}}})/g"
    return f"split(trim(replace(datum.label, {lines}, '$1\\n')), /\\s*\\n/)"


def lines_of(names: Sequence[str], letters: int) -> int:
    """Return into how many lines `wrapped` breaks the longest of the names."""
    pattern = re.compile(rf".{{1,{letters - 1}}}(?:[ _]|$)|.{{1,{letters}}}")
    return max((len(pattern.findall(str(name))) for name in names), default=1)


def label_axis(names: Sequence[str], letters: int = 24, **options: Any) -> alt.Axis:
    """Return an axis of names, groups or contrasts, in lines of at most so many letters."""
    return alt.Axis(
        labelExpr=wrapped(letters),
        labelLimit=0,
        labelLineHeight=LETTERS,
        labelOverlap=False,
        ticks=False,
        **options,
    )


def upright_axis(letters: int) -> alt.Axis:
    """Return an axis of upright names, groups or contrasts, in lines of so many letters."""
    return alt.Axis(
        labelAngle=-90,
        labelExpr=wrapped(letters),
        labelLimit=0,
        labelLineHeight=LETTERS,
        labelOverlap=False,
        ticks=False,
    )


def row_step(names: Sequence[str], letters: int = 24, least: int = 22) -> int:
    """Return the height of a row whose label `label_axis` breaks into lines."""
    return max(least, (LETTERS + 1) * lines_of(names, letters) + 4)


def legend(names: Sequence[str], width: int = WIDTH, **options: Any) -> alt.Legend:
    """Return a legend with as many entries to a row as the width has room for."""
    longest = max((len(str(name)) for name in names), default=0)
    columns = max(1, width // (7 * longest + 36))
    return alt.Legend(columns=columns if columns < len(names) else alt.Undefined, **options)


def names_axis(count: int, limit: int = 110) -> alt.Axis:
    """Return an axis of upright names of samples or donors, or none where they are too many."""
    return alt.Axis(
        labels=shown_labels(count),
        labelAngle=-90,
        labelLimit=limit,
        labelExpr=both_ends(limit),
        ticks=False,
    )


def in_order(names: Sequence[str]) -> dict[str, Any]:
    """Return the options that put names along an axis in this order.

    Vega-Lite makes of a list to sort by an expression as deep as the list is long, which beyond
    some thousand names ends the drawing; a domain is taken as it is.
    """
    return {"sort": None, "scale": alt.Scale(domain=list(names))}


def both_ends(limit: int) -> str:
    """Return an expression that keeps both ends of a label too long for so many pixels.

    Long names of samples begin alike, so that their ends tell them apart.
    """
    most = limit // 7
    tail = 2 * most // 3
    cut = f"slice(datum.label, 0, {most - tail - 1}) + '…' + slice(datum.label, -{tail})"
    return f"length(datum.label) > {most} ? {cut} : datum.label"


def layered(*charts: alt.Chart) -> alt.LayerChart | alt.FacetChart:
    """Return charts on top of each other, as dictionaries: copies of these are cheap."""
    for chart in charts:
        if isinstance(chart.mark, alt.SchemaBase):
            chart.mark = chart.mark.to_dict(validate=False)
        chart.encoding = alt.FacetedEncoding(**chart.encoding.to_dict(validate=False))
    return alt.layer(*charts)


def panels(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart,
    name: str,
    source: str,
    order: Sequence[str],
    columns: int,
    limit: int = 190,
    *,
    spaced: bool = False,
) -> alt.FacetChart:
    """Return one panel of `chart` for each value of the field `name`, each with its own axes.

    limit: how long the heading of a panel may be, in pixels; spaced: an underscore in it is printed
    as a space, and the letters are smaller.
    """
    # bold letters are about 7 pixels wide
    header = alt.Header(labelExpr=wrapped(limit // 7), labelLineHeight=TITLES)
    if spaced:
        header = alt.Header(
            labelLimit=limit, labelFontSize=10, labelExpr="replace(datum.label, /_/g, ' ')"
        )
    facet = alt.Facet(f"{name}:N", sort=list(order), title=None, header=header)
    made = chart.facet(
        facet=facet, columns=columns, data=data(source), spacing={"row": 84, "column": 62}
    )
    return made.properties(bounds="flush").resolve_axis(x="independent", y="independent")


def as_shown(
    frame: pd.DataFrame, decimals: Sequence[str], digits: Sequence[str] = ()
) -> pd.DataFrame:
    """Round columns as the hover text prints them: to three decimals, or to three digits."""
    rounded = {name: frame[name].astype(float).round(3) for name in decimals}
    rounded |= {name: frame[name].map(lambda p: float(f"{p:.2e}")) for name in digits}
    return frame.assign(**rounded)


def weighted(frame: pd.DataFrame, column: str, loud: Sequence[str]) -> pd.DataFrame:
    """Add how large and how opaque a mark is: those with a word in `loud` stand out."""
    out = frame[column].isin(loud)
    return frame.assign(area=np.where(out, 40, 15), alpha=np.where(out, 0.95, 0.4))


def weight() -> dict[str, alt.Size | alt.FillOpacity]:
    """Return the encodings of `weighted`, for filled marks.

    The opacity is that of the fill: in a PDF, one of whole marks takes twice the space.
    """
    return {
        "size": alt.Size("area:Q", scale=None),
        "fillOpacity": alt.FillOpacity("alpha:Q", scale=None),
    }


def hollow_or_filled() -> alt.FillOpacity:
    """Return the encoding of the field `filled`: 0 hollow, 1 filled."""
    return alt.FillOpacity("filled:Q", scale=None)


def data(name: str) -> alt.NamedData:
    """Return a reference to a figure's data."""
    return alt.NamedData(name)


def empty(text: str, height: int = 60) -> Figure:
    """Return a picture that says in words that there is nothing to draw."""
    lines = "\n".join(textwrap.wrap(text, 50))
    chart = (
        alt.Chart(data("words"))
        .mark_text(fontSize=13, lineBreak="\n")
        .encode(text=alt.Text("text:N"))
        .properties(width=WIDTH, height=height)
    )
    return Figure(chart, {"words": pd.DataFrame({"text": [lines]})}, text)


def zero_line(axis: str) -> alt.Chart:
    """Return a dashed line at zero of the x or the y axis (data `zero`)."""
    mark = alt.Chart(data("zero")).mark_rule(strokeDash=[4, 3])
    return mark.encode(x=alt.X("at:Q")) if axis == "x" else mark.encode(y=alt.Y("at:Q"))


ZERO = pd.DataFrame({"at": [0.0]})


def thin(frame: pd.DataFrame, x: str, y: str, keep: pd.Series) -> pd.DataFrame:
    """Drop points that lie upon others, the same ones every time.

    The picture is divided into CELLS × CELLS; of each cell's points the first row stays, and all
    that `keep` marks. Points at the rim of the cloud are alone in their cells, and stay.
    """
    spot = {}
    for name in (x, y):
        numbers = frame[name].to_numpy(float)
        low, high = np.nanmin(numbers, initial=np.inf), np.nanmax(numbers, initial=-np.inf)
        spot[name] = np.floor((numbers - low) / max(high - low, 1e-12) * (CELLS - 1e-9))
    order = frame.groupby([spot[x], spot[y]]).cumcount()
    return frame[keep | (order == 0).to_numpy()]


def shown_labels(count: int) -> bool:
    """Whether an axis with `count` names can print them all."""
    return count <= MOST_LABELS
