"""A report from a run: the page, the summary, the provenance, the figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from altair.utils.schemapi import debug_mode

from fibroserum import tables
from fibroserum.report.drawing import Drawing
from fibroserum.report.figures import figure1
from fibroserum.report.figures.catalogue import FIGURE1
from fibroserum.report.figures.registry import figures_of
from fibroserum.report.figures.render import Images
from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.page import assets
from fibroserum.report.page.cohort_page import build_page
from fibroserum.report.summary import summary
from fibroserum.report.theme import spec

logger = logging.getLogger(__name__)


def write_figures(images: Images, folder: Path) -> None:
    """Write every figure as SVG, PNG and PDF, several at once: the disk confirms each."""
    files = {
        folder / f"{name}.{kind}": data
        for name, image in images.items()
        for kind, data in (("svg", image.svg.encode()), ("png", image.png), ("pdf", image.pdf))
    }
    with ThreadPoolExecutor() as pool:
        list(pool.map(tables.write_bytes, files.values(), files))


def build_report(
    run: RunTables,
    config: Mapping[str, Any],
    templates: str | Path,
    folder: Path,
    drawing: Drawing,
) -> None:
    """Write the report of a run into its folder.

    config: the resolved config; templates: `workflow/report`; drawing: what draws the figures.
    """
    logger.info("drawing the figures")
    specs = {}
    # altair would check every part against its schema; the tests let it
    with debug_mode(False):
        for name, make in figures_of(run, config).items():
            specs[name] = spec(make())
            drawing.begin(name, specs[name])
        panels = figure1.panels(run, config["differential_expression"]["alpha"])
        drawing.begin(FIGURE1, *map(spec, panels))
        logger.info("writing the page")
        first = {name: drawing.svg(name) for name in specs if name.startswith("glance_")}
        vega = assets.vega(drawing.bundle)
        html = build_page(run, config, templates, specs, vega, first)
    tables.write_json(summary(run, config), folder / "summary.json")
    tables.write_json(run.provenance, folder / "provenance.json")
    tables.write_text(html, folder / "report.html")
    logger.info("writing the figures")
    write_figures(drawing.images(), folder / "figures")


def write_report(
    folder: Path,
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
    templates: Path,
    drawing: Drawing,
) -> None:
    """Read the tables of a finished run under `results/{cohort}/`, and write its report there."""
    run = load_run(folder, config, provenance)
    build_report(run, config, templates, folder, drawing)
