"""The page: templates filled with facts, and blocks of data that its script unpacks.

Prose stands in `workflow/report/`. Everything from the data goes through Jinja's escaping, or
travels as base64 that the script reads as data; the Content-Security-Policy runs the page's own
scripts, by their hashes, and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from fibroserum import tables
from fibroserum.input.names import file_name
from fibroserum.report.figures.catalogue import Entry
from fibroserum.report.figures.render import LABEL_LAYOUT
from fibroserum.report.loading import RunTables, effect_of, labels_of
from fibroserum.report.page import assets, gene_data
from fibroserum.report.page import tables as page_tables
from fibroserum.report.page.pack import squeeze, squeeze_json
from fibroserum.report.theme import CONFIG, group_colours

SCRIPTS = ("unpack.js", "charts.js", "tables.js", "lookup.js", "page.js")


def missing(number: Any) -> bool:
    """Whether a cell is empty."""
    return number is None or number is pd.NA or (isinstance(number, float) and number != number)


def minus(text: str) -> str:
    """Return text whose negative numbers have a minus, which is read out as one, not a hyphen.

    And whose powers of ten are written as the page's script writes them: 1e-5.
    """
    text = re.sub(r"(?<=\de-)0+(?=\d)", "", text)
    return re.sub(r"(?<![\w.-])-(?=\.?\d)", "−", text)


def fixed(number: Any, digits: int = 3) -> str:
    """Print a number with so many decimals; a missing one is a dash."""
    return "–" if missing(number) else minus(f"{float(number):.{digits}f}")


def significant(number: Any, digits: int = 3) -> str:
    """Print a number with so many significant digits; a missing one is a dash."""
    if missing(number):
        return "–"
    return minus(re.sub(r"\.(?=e|$)", "", f"{float(number):#.{digits}g}"))


def whole(number: Any) -> str:
    """Print a whole number with thousands apart."""
    return "–" if missing(number) else f"{int(number):,}"


def interval(low: Any, high: Any, digits: int = 3) -> str:
    """Print an interval."""
    return (
        "–" if missing(low) or missing(high) else f"{fixed(low, digits)} to {fixed(high, digits)}"
    )


def number_columns(rows: Sequence[Sequence[Any]]) -> list[int]:
    """Return the places of the columns that hold numbers or intervals alone, the first left out."""
    # no version such as 3.11.7
    number = r"−?\d[\d,]*(?:\.\d+)?(?:e[−-]?\d+)?"
    found = re.compile(rf"–|{number}( (to|of) {number})?")
    several = zip(*rows, strict=True) if rows else ()
    return [
        place
        for place, cells in enumerate(several)
        if place
        and all(found.fullmatch(str(cell)) for cell in cells)
        and any(cell != "–" for cell in cells)
    ]


def environment(templates: Path) -> jinja2.Environment:
    """Return the templates' environment: everything is escaped, and a missing name is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "fixed": fixed,
        "significant": significant,
        "whole": whole,
        "file_name": file_name,
        "minus": minus,
        "text": lambda value: "–" if missing(value) or value == "" else str(value),
    }
    made.globals |= {"interval": interval, "number_columns": number_columns}
    return made


def caption_of(env: jinja2.Environment, entry: Entry) -> str:
    """Return a figure's caption, as `snakemake --report` shows it too."""
    return env.get_template(str(entry["caption"])).render()


def _is_of(entry: Entry, contrast: str) -> bool:
    """Whether a figure is of this one contrast."""
    label = entry["label"]
    return isinstance(label, dict) and label.get("contrast") == contrast


def gene_blocks(run: RunTables) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the blocks of the gene tables, and the index of the genes."""
    index = gene_data.gene_index(run)
    blocks = {
        f"contrast-{number}": gene_data.pack_contrast(run.de[name])
        for number, name in enumerate(run.contrast_names)
    }
    levels = gene_data.pack_levels(run, index["id"])
    blocks["levels-middle"], blocks["levels-rest"] = levels["middle"], levels["rest"]
    sets = gene_data.set_membership(run, index["id"])
    flags = gene_data.factor_flags(run, index["id"])
    blocks["genes"] = squeeze_json(
        {"index": index, "samples": levels["samples"], "sets": sets, "flags": flags}
    )
    return blocks, index


def _settings(run: RunTables, config: Mapping[str, Any], donors: str) -> dict[str, Any]:
    """Return what the script must know beside the data. donors: whose levels the page holds."""
    rows, labels = run.contrasts.itertuples(), labels_of(run)
    return {
        "cohort": file_name(str(config["cohort"])),
        "before": run.settings["before"],
        "after": run.settings["after"],
        "groups": group_colours(run.groups),
        "targets": page_tables.targets_of_genes(run),
        "contrasts": [
            {
                "name": row.contrast,
                "file": file_name(row.contrast),
                "label": labels[row.contrast],
            }
            for row in rows
        ],
        "labels": LABEL_LAYOUT,
        "config": CONFIG,
        "lookup_donors": donors,
    }


def _facts(run: RunTables, config: Mapping[str, Any], headline: dict[str, Any]) -> dict[str, Any]:
    """Return the names that the templates may use."""
    return {
        "run": run,
        "config": config,
        "summary": headline,
        "settings": run.settings,
        "effect": lambda name: effect_of(run, name),
        "labels": labels_of(run),
        "views": page_tables.views(run, config),
        "provenance": run.provenance,
        "schemas": tables.schemas(),
        "config_json": json.dumps(config, indent=2, ensure_ascii=False),
    }


def page(
    run: RunTables,
    config: Mapping[str, Any],
    templates: Path,
    headline: dict[str, Any],
    specs: Mapping[str, dict[str, Any]],
    catalogue: Mapping[str, Entry],
    vega: str | None = None,
) -> str:
    """Return `report.html`.

    headline: of `summary.summary`; specs: every figure's Vega-Lite specification, those of the gene
    lookup included; catalogue: what `figure_names` says of them; vega: the
    script of `assets.vega` where it is at hand.
    """
    env = environment(templates)
    code = "\n".join((templates / name).read_text(encoding="utf-8") for name in SCRIPTS)
    table_code, table_css = assets.datatables()
    libraries = {"vega": vega or assets.vega(), "datatables": table_code}
    libraries_css = squeeze(table_css.encode("utf-8"))
    script = f'"use strict";\n{code}'.replace("\r\n", "\n")
    bare = {
        name: {key: part for key, part in one.items() if key not in ("config", "$schema")}
        for name, one in specs.items()
    }
    genes, _ = gene_blocks(run)
    donors = gene_data.donors_in_words(run)
    blocks = {
        **{f"library-{name}": squeeze(text.encode("utf-8")) for name, text in libraries.items()},
        "style-datatables": libraries_css,
        "settings": squeeze_json(_settings(run, config, donors)),
        "figures": squeeze_json(bare),
        "tables": squeeze_json(page_tables.long_tables(run)),
        **genes,
    }
    labels = labels_of(run)
    figures = {
        name: {
            **entry,
            "subject": next((labels[name] for name in labels if _is_of(entry, name)), ""),
            "caption": caption_of(env, entry),
            "description": specs[name]["description"],
        }
        for name, entry in catalogue.items()
    }
    return env.get_template("report.html").render(
        **_facts(run, config, headline),
        figures=figures,
        lookup_donors=donors,
        blocks=blocks,
        policy=assets.policy([script, *libraries.values()]),
        script=script,
        style=(templates / "style.css").read_text(encoding="utf-8"),
        bibtex=(templates / "references.bib").read_text(encoding="utf-8"),
    )
