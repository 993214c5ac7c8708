"""Figures as SVG, PNG and PDF, from the specifications that the page shows; no heavy import."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from fibroserum.report.figures.converter import converter
from fibroserum.report.figures.pdf import SIZE, at_column_width, in_order
from fibroserum.report.sizes import COMPOSED, FONT, PNG_SCALE


class Image(NamedTuple):
    """One figure in the formats of its files."""

    svg: str
    png: bytes
    pdf: bytes


#: Figures by their names.
Images = dict[str, Image]

#: The font with which figures are drawn, whatever fonts a machine has. Files name `FONT`, Arial
#: first, because others open them; both have the same widths.
FACE = "Liberation Sans"
_DRAWN, _WRITTEN = f'font-family="{FACE}"', f'font-family="{FONT}"'

# labels look for room around their point, in the order of the rows, and are left out where there is
# none; to keep off other marks as well (avoidMarks) needs a canvas, which vl-convert has not
LABEL_LAYOUT = {
    "type": "label",
    "size": [{"signal": "width"}, {"signal": "height"}],
    "anchor": [
        "top-right",
        "bottom-right",
        "top-left",
        "bottom-left",
        "right",
        "left",
        "top",
        "bottom",
    ],
    "offset": [4, 4, 4, 4, 7, 7, 7, 7],
    "padding": 0,
}
#: Ids of an SVG and references to them.
IDS = re.compile(r'(\bid="|url\(#|href="#)')


#: A specification and an SVG of nothing: what draws them first has started.
NOTHING = {"mark": "point", "data": {"values": []}, "usermeta": {"labels": None}}
EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1" viewBox="0 0 1 1"></svg>'


def with_label_layout(vega: dict[str, Any], layer: str) -> dict[str, Any]:
    """Return a Vega specification whose text layer `layer` keeps its labels apart."""
    made = deepcopy(vega)
    for mark in made["marks"]:
        if mark.get("name") == f"{layer}_marks":
            mark["transform"] = [*mark.get("transform", []), LABEL_LAYOUT]
    return made


def svg(spec: dict[str, Any]) -> str:
    """Return a Vega-Lite specification as SVG."""
    labels = spec["usermeta"]["labels"]
    drawn = {**spec, "config": {**spec.get("config", {}), "font": FACE}}
    if labels:
        vega = converter().vegalite_to_vega(drawn)
        drawing = converter().vega_to_svg(with_label_layout(vega, labels))
    else:
        drawing = converter().vegalite_to_svg(drawn)
    return drawing.replace(_DRAWN, _WRITTEN)


def png(drawing: str) -> bytes:
    """Return an SVG as PNG, two pixels to a point."""
    return converter().svg_to_png(drawing.replace(_WRITTEN, _DRAWN), scale=PNG_SCALE)


def pdf(drawing: str) -> bytes:
    """Return an SVG as PDF at the width of a column."""
    return in_order(converter().svg_to_pdf(at_column_width(drawing.replace(_WRITTEN, _DRAWN))))


def image(drawing: str) -> Image:
    """Return an SVG in all formats."""
    return Image(drawing, png(drawing), pdf(drawing))


def images(specs: Mapping[str, dict[str, Any]]) -> Images:
    """Return every specification in all formats, by its name."""
    return {name: image(svg(spec)) for name, spec in specs.items()}


def bundle() -> str:
    """Return the code of Vega, Vega-Lite and Vega-Embed, which sets `window.vegaEmbed`."""
    return converter().javascript_bundle("window.vegaEmbed=vegaEmbed;")


def compose(drawings: Sequence[str]) -> str:
    """Return SVGs as one in two columns, its panels lettered A, B, C …

    A panel goes where there is room first. One that is wider than a column is made smaller, or has
    the whole width where its letters would become too small.
    """
    filled = [0.0, 0.0]
    parts = []
    for number, drawing in enumerate(drawings):
        width, height = map(float, SIZE.search(drawing).groups())  # type: ignore[union-attr]
        scale = min(1.0, COMPOSED.column / width)
        place = filled.index(min(filled))
        x, y = place * (COMPOSED.column + COMPOSED.gap), filled[place]
        whole = scale < COMPOSED.least
        if whole:
            scale, x, y = min(1.0, COMPOSED.width / width), 0.0, max(filled)
        bottom = y + COMPOSED.head + height * scale + COMPOSED.gap
        filled = [bottom, bottom] if whole else [*filled[:place], bottom, *filled[place + 1 :]]
        letter = chr(ord("A") + number)
        inside = drawing[drawing.index(">") + 1 : drawing.rindex("</svg>")]
        # ids are those of one drawing
        inside = IDS.sub(rf"\g<1>{letter}-", inside)
        parts.append(
            f'<text x="{x:g}" y="{y + COMPOSED.letter:g}" font-family="{FONT}" '
            f'font-size="{COMPOSED.letter}" font-weight="bold" fill="#111111">{letter}</text>'
            f'<g transform="translate({x:g},{y + COMPOSED.head:g}) scale({scale:.5g})">{inside}</g>'
        )
    height = max(filled) - COMPOSED.gap
    size = f'width="{COMPOSED.width:g}" height="{height:g}"'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'version="1.1" {size} viewBox="0 0 {COMPOSED.width:g} {height:g}">'
        f'<rect {size} fill="white"/>{"".join(parts)}</svg>'
    )
