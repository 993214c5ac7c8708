"""The report of a synthesis: the page, the summary, the provenance, the figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum import tables
from fibroserum.files.checksum import sha256
from fibroserum.report.figures import synthesis
from fibroserum.report.figures.render import images
from fibroserum.report.figures.synthesis import most_telling
from fibroserum.report.figures.synthesis_catalogue import synthesis_figures, unique_files
from fibroserum.report.page import assets
from fibroserum.report.page.pack import squeeze_json
from fibroserum.report.page.templates import (
    environment,
    figure_block,
    figure_entries,
    fill,
    library_blocks,
)
from fibroserum.report.stage import write_figures
from fibroserum.report.synthesis.loading import SynthesisRun, synthesis_summary
from fibroserum.report.theme import CONFIG, Figure, records, spec

logger = logging.getLogger(__name__)
SCRIPTS = ("unpack.js", "charts.js", "controls.js", "print.js", "synthesis.js")
MOST_SETS, MOST_GENES = 100, 100


def draw_synthesis(run: SynthesisRun) -> dict[str, Figure]:
    """Return every figure that the catalogue names, in its order."""
    made = {
        "targets": synthesis.targets(run.targets, run.order),
        "heterogeneity": synthesis.heterogeneity(run.targets),
        "gene_sets": synthesis.gene_sets(run.gene_sets),
    }
    for target, file in unique_files(run.order).items():
        pooled = run.targets[run.targets["target"] == target]
        own = run.estimates_of("target", target)
        made[f"forest_{file}"] = synthesis.forest(own, pooled, target)
    for factor, file in unique_files(run.factors).items():
        made[f"factor_{file}"] = synthesis.factor_genes(run.factor_genes, factor)
    return {name: made[name] for name in synthesis_figures(run.order, run.factors)}


def _ranked(frame: pd.DataFrame, name: str, most: int) -> pd.DataFrame:
    """Return the rows of the most telling subjects, subject by subject."""
    if frame.empty:
        return frame
    order = {row: number for number, row in enumerate(most_telling(frame.assign(row=frame[name])))}
    kept = list(order)[:most]
    rows = frame[frame[name].isin(kept)]
    return rows.assign(_order=rows[name].map(order)).sort_values("_order", kind="stable")


def _views(run: SynthesisRun) -> dict[str, Any]:
    """Return the rows of the tables that the page writes out."""
    place = {target: number for number, target in enumerate(run.order)}
    targets = run.targets.assign(_order=run.targets["target"].map(place))
    factors = {
        factor: records(
            _ranked(run.factor_genes[run.factor_genes["factor"] == factor], "gene", MOST_GENES)
        )
        for factor in run.factors
    }
    used = run.cohorts[run.cohorts["used"]].groupby("contrast").size()
    return {
        "cohorts": records(run.cohorts),
        "targets": records(targets.sort_values("_order", kind="stable")),
        "gene_sets": records(_ranked(run.gene_sets, "gene_set", MOST_SETS)),
        "all_sets": run.gene_sets[["collection", "gene_set"]].drop_duplicates().shape[0],
        "factors": factors,
        "most": int(used.max()) if len(used) else 0,
    }


def synthesis_page(
    run: SynthesisRun, templates: Path, summary: Mapping[str, Any], specs: Mapping[str, Any]
) -> str:
    """Return `report.html`; specs: every figure's specification, by the catalogue's names."""
    libraries = {"vega": assets.vega()}
    blocks = {
        **library_blocks(libraries),
        "settings": squeeze_json({"config": CONFIG}),
        "figures": figure_block(specs),
    }
    env = environment(templates)
    figures = figure_entries(
        env,
        synthesis_figures(run.order, run.factors),
        specs,
        lambda entry: entry["label"].get("target") or entry["label"].get("factor", ""),
    )
    return fill(
        env,
        "synthesis.html",
        SCRIPTS,
        libraries,
        blocks=blocks,
        figures=figures,
        run=run,
        summary=summary,
        views=_views(run),
        forests={target: f"forest_{file}" for target, file in unique_files(run.order).items()},
        factors={factor: f"factor_{file}" for factor, file in unique_files(run.factors).items()},
    )


def build_synthesis(
    run: SynthesisRun, templates: Path, folder: Path, provenance: Mapping[str, Any]
) -> None:
    """Write the report of a synthesis into its folder; templates: `workflow/report`."""
    logger.info("drawing the figures")
    specs = {name: spec(figure) for name, figure in draw_synthesis(run).items()}
    write_figures(images(specs), folder / "figures")
    logger.info("writing the page")
    summary = synthesis_summary(run)
    tables.write_json(summary, folder / "summary.json")
    tables.write_json(provenance, folder / "provenance.json")
    tables.write_text(synthesis_page(run, templates, summary, specs), folder / "report.html")


def synthesis_provenance(
    config: Mapping[str, Any], inputs: Sequence[str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of `provenance.json`: versions, the config, sha256 of each table read."""
    hashes = {path: sha256(path) for path in sorted(inputs)}
    return {"versions": dict(versions), "config": dict(config), "inputs": hashes}
