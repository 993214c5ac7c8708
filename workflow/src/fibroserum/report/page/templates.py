"""What both pages are made with: the templates' environment, numbers in print, the page's frame.

Prose is in `workflow/report/`. Everything from the data goes through Jinja's escaping, or is
packed as text that the script reads as data; the Content-Security-Policy runs the page's own
scripts, by their hashes, and no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
import pandas as pd

from fibroserum.input.names import file_name
from fibroserum.report.figures.catalogue import Entry
from fibroserum.report.figures.render import IDS
from fibroserum.report.page import assets
from fibroserum.report.page.pack import squeeze, squeeze_json
from fibroserum.report.theme import INK


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


def source(env: jinja2.Environment, file: str) -> str:
    """Return a file beside the templates as it is."""
    assert env.loader is not None, "see `environment`"
    return env.loader.get_source(env, file)[0]


def library_blocks(libraries: Mapping[str, str]) -> dict[str, str]:
    """Return the blocks of scripts that the page's own script runs."""
    return {f"library-{name}": squeeze(code.encode("utf-8")) for name, code in libraries.items()}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def figure_block(specs: Mapping[str, dict[str, Any]]) -> str:
    """Return every figure's specification as a block, its data by columns, which are smaller.

    What figures share is in the page's settings.
    """
    return squeeze_json(
        {
            name: {key: part for key, part in one.items() if key not in ("config", "$schema")}
            | {"datasets": {held: _columns(rows) for held, rows in one["datasets"].items()}}
            for name, one in specs.items()
        }
    )


def still(drawing: str) -> str:
    """Return an SVG as a part of the page: in the page's colours, its ids apart from others."""
    no_paper = re.sub(r'<rect [^>]*fill="white"[^>]*/>', "", drawing, count=1)
    ink = no_paper.replace(f'"{INK}"', '"currentColor"')
    return IDS.sub(r"\g<1>still-", ink)


def figure_entries(
    env: jinja2.Environment,
    catalogue: Mapping[str, Entry],
    specs: Mapping[str, dict[str, Any]],
    subject: Callable[[Entry], str],
    stills: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, dict[str, Any]]:
    """Return what a template says of each figure.

    subject: what a figure is about; stills: pictures (`still`) that are seen until the page's
    script draws them.
    """
    return {
        name: {
            **entry,
            "subject": subject(entry),
            "caption": source(env, entry["caption"]),
            "description": specs[name]["description"],
            "still": stills.get(name, ""),
        }
        for name, entry in catalogue.items()
    }


def fill(
    env: jinja2.Environment,
    name: str,
    scripts: Sequence[str],
    libraries: Mapping[str, str],
    **facts: Any,
) -> str:
    """Return a page.

    name: of its template; scripts: files of its own script; libraries: scripts that it may run
    besides; facts: what else the template names.
    """

    code = "\n".join(source(env, file) for file in scripts)
    script = f'"use strict";\n{code}'.replace("\r\n", "\n")
    return env.get_template(name).render(
        **facts,
        policy=assets.policy([script, *libraries.values()]),
        script=script,
        style=source(env, "style.css"),
    )
