"""Figures as SVG and PNG, from the specifications that the page shows; no heavy import."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

#: Figures as SVG and PNG, by their names.
Images = dict[str, tuple[str, bytes]]

SCALE = 2.0
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


def with_label_layout(vega: dict[str, Any], layer: str) -> dict[str, Any]:
    """Return a Vega specification whose text layer `layer` keeps its labels apart."""
    made = deepcopy(vega)
    for mark in made["marks"]:
        if mark.get("name") == f"{layer}_marks":
            mark["transform"] = [*mark.get("transform", []), LABEL_LAYOUT]
    return made


def svg(spec: dict[str, Any]) -> str:
    """Return a Vega-Lite specification as SVG."""
    import vl_convert

    labels = spec["usermeta"]["labels"]
    if not labels:
        return vl_convert.vegalite_to_svg(spec)
    vega = vl_convert.vegalite_to_vega(spec)
    return vl_convert.vega_to_svg(with_label_layout(vega, labels))


def png(drawing: str) -> bytes:
    """Return an SVG as PNG, two pixels to a point."""
    import vl_convert

    return vl_convert.svg_to_png(drawing, scale=SCALE)


def images(specs: Mapping[str, dict[str, Any]]) -> Images:
    """Return every specification as SVG and PNG, by its name."""
    drawn = {name: svg(spec) for name, spec in specs.items()}
    return {name: (drawing, png(drawing)) for name, drawing in drawn.items()}
