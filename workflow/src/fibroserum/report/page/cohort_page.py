"""The page of a cohort's report: facts for its template, blocks of data for its script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fibroserum import tables
from fibroserum.input.names import file_name
from fibroserum.report.figures.lookup import lookup_figures
from fibroserum.report.figures.registry import catalogue_of
from fibroserum.report.figures.render import LABEL_LAYOUT
from fibroserum.report.loading import RunTables, effect_of, labels_of
from fibroserum.report.page import assets, design_words, gene_data, gene_names
from fibroserum.report.page import tables as page_tables
from fibroserum.report.page.pack import squeeze, squeeze_json
from fibroserum.report.page.templates import (
    environment,
    figure_block,
    figure_entries,
    fill,
    library_blocks,
    still,
)
from fibroserum.report.page.verdicts import target_first
from fibroserum.report.run_tables import explained
from fibroserum.report.summary import summary
from fibroserum.report.theme import CONFIG, group_colours, spec, value

SCRIPTS = (
    *("unpack.js", "charts.js", "tables.js", "controls.js"),
    *("genes.js", "reasons.js", "lookup.js", "lookup_save.js"),
    *("print.js", "page.js"),
)


def gene_blocks(run: RunTables, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the blocks of the gene tables."""
    index = gene_data.gene_index(run)
    ids = index["id"]
    levels = gene_data.pack_levels(run, ids)
    genes = {
        "index": index,
        "samples": levels["samples"],
        "sets": gene_data.set_membership(run, ids),
        "flags": gene_data.factor_flags(run, ids),
        "verdicts": gene_data.target_verdicts(run),
        "matches": gene_names.unusual_matches(run, ids),
        "left_out": gene_names.left_out_names(run),
    }
    return {
        **gene_data.pack_contrasts(run, config, ids),
        "levels-middle": levels["middle"],
        "levels-rest": levels["rest"],
        "genes": squeeze_json(genes),
    }


def _settings(run: RunTables, config: Mapping[str, Any], donors: str) -> dict[str, Any]:
    """Return what the script must know beside the data. donors: whose levels the page holds."""
    rows, labels = run.contrasts.itertuples(), labels_of(run)
    times = {one.name: one.time for one in run.planned}
    return {
        "cohort": file_name(str(config["cohort"])),
        "before": run.settings["before"],
        "times": run.times,
        "groups": group_colours(run.groups),
        "targets": page_tables.targets_of_genes(run),
        "contrasts": [
            {
                "name": row.contrast,
                "file": file_name(row.contrast),
                "label": labels[row.contrast],
                "kind": row.kind,
                "group": value(row.group),
                "time": times[row.contrast],
            }
            for row in rows
        ],
        "labels": LABEL_LAYOUT,
        "config": CONFIG,
        "lookup_donors": donors,
        "reasons": gene_data.reason_words(config),
    }


def _facts(run: RunTables, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names that the templates may use."""
    return {
        "run": run,
        "config": config,
        "summary": summary(run, config),
        "settings": run.settings,
        "effect": lambda name: effect_of(run, name),
        "labels": labels_of(run),
        "poor": bool((run.metrics["quality_weight"] < 1).any()),
        "weighted": any((frame["weight"] != 1).any() for frame in run.de.values()),
        "views": page_tables.views(run, config),
        "target_first": target_first(run),
        "design_words": design_words.words_of_design(run, config),
        "calls_compared": design_words.calls_compared(run),
        "pairs_of_groups": design_words.pairs_of_groups(run),
        "provenance": run.provenance,
        "schemas": tables.schemas(),
        "explained": explained(run),
        "config_json": json.dumps(run.provenance["config"], indent=2, ensure_ascii=False),
    }


def _subject(label: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Return what a figure is of: a contrast in words (labels), an outcome and its time."""
    of_outcome = [label[key] for key in ("outcome", "time") if key in label]
    return labels.get(label.get("contrast", ""), ", ".join(of_outcome))


def build_page(
    run: RunTables,
    config: Mapping[str, Any],
    templates: str | Path,
    specs: Mapping[str, dict[str, Any]],
    vega: str | None = None,
    first: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return `report.html`.

    specs: every figure's Vega-Lite specification, by the names of the catalogue; vega: the script
    of `assets.vega` where it is at hand; first: SVGs of figures that are seen before the script
    runs.
    """
    env = environment(Path(templates))
    table_code, table_css = assets.datatables()
    libraries = {"vega": vega or assets.vega(), "datatables": table_code}
    donors = gene_data.donors_in_words(run)
    lookup = {name: spec(figure) for name, figure in lookup_figures(run).items()}
    blocks = {
        **library_blocks(libraries),
        "style-datatables": squeeze(table_css.encode("utf-8")),
        "settings": squeeze_json(_settings(run, config, donors)),
        "figures": figure_block({**specs, **lookup}),
        "tables": squeeze_json(page_tables.long_tables(run)),
        **gene_blocks(run, config),
    }
    labels = labels_of(run)
    figures = figure_entries(
        env,
        catalogue_of(run, config),
        specs,
        lambda entry: _subject(entry["label"], labels),
        {name: still(drawing) for name, drawing in first.items()},
    )
    return fill(
        env,
        "report.html",
        SCRIPTS,
        libraries,
        blocks=blocks,
        figures=figures,
        lookup_donors=donors,
        gene_mapping=gene_names.mapping_words(run, config),
        bibtex=(Path(templates) / "references.bib").read_text(encoding="utf-8"),
        **_facts(run, config),
    )
