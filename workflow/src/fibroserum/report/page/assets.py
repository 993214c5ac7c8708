"""JavaScript and CSS that the page carries, from the packages that ship them.

Vega, Vega-Lite and Vega-Embed come from vl-convert, the very code that draws the SVG files;
DataTables comes from itables. Both are MIT-licensed and bundled for use without a network.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Callable
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from fibroserum.report.figures import render
from fibroserum.tables import write_text


class AssetError(RuntimeError):
    """A bundled library is not as this version of the project expects it."""


def _wrapped(code: str) -> str:
    """Return code whose names stay its own, with line ends as a browser keeps them."""
    body = code.replace("\r\n", "\n").replace("\r", "\n")
    return f'(function(){{"use strict";\n{body}\n}})();'


def cache_folder() -> Path:
    """Return the user's folder for what can be made anew. Raises RuntimeError without a home."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the XDG base directory specification ignores relative paths
    return (named if named.is_absolute() else Path.home() / ".cache") / "fibroserum"


def vega(bundle: Callable[[], str] = render.bundle) -> str:
    """Return a script that sets `window.vegaEmbed`.

    bundle: makes it, in seconds. It is kept in `cache_folder` where that can be written and
    read, under the name of the versions of the library and of this file; else it is made anew.
    """
    version, own = metadata.version("vl-convert-python"), Path(__file__).read_bytes()
    name = f"vega-embed-{version}-{hashlib.sha256(own).hexdigest()[:16]}.js"
    with contextlib.suppress(OSError, RuntimeError):
        return (cache_folder() / name).read_text(encoding="utf-8")
    made = _wrapped(bundle())
    with contextlib.suppress(OSError, RuntimeError):
        write_text(made, cache_folder() / name)
    return made


@cache
def datatables() -> tuple[str, str]:
    """Return a script that sets `window.DataTable`, and its style sheet."""
    place = files("itables") / "html"
    code = (place / "dt_bundle.js").read_text(encoding="utf-8")
    exports = list(re.finditer(r"export\{([^}]*)\};?", code))
    listed = exports[-1].group(1).split(",") if exports else []
    default = [
        own
        for own, _, shown in (pair.strip().partition(" as ") for pair in listed)
        if shown == "default"
    ]
    if not default:
        raise AssetError(
            "itables' DataTables bundle exports no default: another version of itables"
        )
    start, end = exports[-1].span()
    body = f"{code[:start]}window.DataTable={default[0]};{code[end:]}"
    return _wrapped(body), (place / "dt_bundle.css").read_text(encoding="utf-8")


def source_hash(code: str) -> str:
    """Return the Content-Security-Policy source that allows this very script."""
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def policy(scripts: list[str]) -> str:
    """Return a Content-Security-Policy under which these scripts run, and nothing is fetched."""
    allowed = " ".join(source_hash(code) for code in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )
