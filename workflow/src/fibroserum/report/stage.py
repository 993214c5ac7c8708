"""A report from a run: the page, the summary, the provenance, the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fibroserum import tables
from fibroserum.report.drawing import Drawing
from fibroserum.report.figures.lookup import lookup_figures
from fibroserum.report.figures.registry import catalogue_of, draw
from fibroserum.report.figures.render import Images
from fibroserum.report.loading import RunTables
from fibroserum.report.page.cohort_page import page
from fibroserum.report.summary import summary
from fibroserum.report.theme import spec
from fibroserum.runtime.job import progress


@dataclass(frozen=True)
class ReportPaths:
    """Where a report goes: `figures` is a folder, the others are files."""

    html: Path
    summary: Path
    provenance: Path
    figures: Path

    @classmethod
    def under(cls, folder: str | Path) -> ReportPaths:
        """Return the paths of SPEC under `results/{cohort}/`."""
        place = Path(folder)
        return cls(
            place / "report.html",
            place / "summary.json",
            place / "provenance.json",
            place / "figures",
        )


def write_figures(images: Images, folder: Path) -> None:
    """Write every figure as SVG and PNG."""
    for name, (drawing, picture) in images.items():
        tables.write_text(drawing, folder / f"{name}.svg")
        tables.write_bytes(picture, folder / f"{name}.png")


def build_page(
    run: RunTables,
    config: Mapping[str, Any],
    templates: str | Path,
    specs: Mapping[str, dict[str, Any]],
    vega: str | None = None,
) -> str:
    """Return `report.html`.

    specs: every figure's specification, by the names of the catalogue; vega: the script of
    `assets.vega` where it is at hand.
    """
    lookup = {name: spec(figure) for name, figure in lookup_figures(run).items()}
    entries = catalogue_of(run, config)
    made = {**specs, **lookup}
    return page(run, config, Path(templates), summary(run, config), made, entries, vega)


def build_report(
    run: RunTables,
    config: Mapping[str, Any],
    templates: str | Path,
    paths: ReportPaths,
    drawing: Drawing | None = None,
) -> None:
    """Write the report of a run.

    config: the resolved config; templates: `workflow/report`; drawing: what draws in processes of
    its own, where it was begun before the tables were read.
    """
    if drawing is None:
        with Drawing() as begun:
            return build_report(run, config, templates, paths, begun)
    progress("drawing the figures")
    specs = {name: spec(figure) for name, figure in draw(run, config).items()}
    drawing.begin(specs)
    progress("writing the page")
    tables.write_json(summary(run, config), paths.summary)
    tables.write_json(run.provenance, paths.provenance)
    html = build_page(run, config, templates, specs, drawing.library())
    tables.write_text(html, paths.html)
    progress("writing the figures")
    write_figures(drawing.images(), paths.figures)
    return None
