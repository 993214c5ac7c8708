"""What a result was made from: versions, checksums of inputs, the resolved config."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from fibroserum import __version__
from fibroserum.files.checksum import sha256

NAMED = (
    "fibroserum",
    "anndata",
    "gseapy",
    "numba",
    "numpy",
    "pandas",
    "pydeseq2",
    "scanpy",
    "scipy",
    "snakemake",
    "statsmodels",
)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return __version__ if name == "fibroserum" else "not installed"


def versions() -> dict[str, str]:
    """Return the versions of what results depend on, by name."""
    return {"python": platform.python_version(), **{name: _version(name) for name in NAMED}}


def _portable(value: Any, root: str) -> Any:
    """Return a value with every path below `root` relative to it."""
    if isinstance(value, dict):
        return {_portable(key, root): _portable(item, root) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item, root) for item in value]
    return value.removeprefix(f"{root}/") if isinstance(value, str) else value


def record(
    config: dict[str, Any], inputs: Iterable[str], defaults: Iterable[str], root: str
) -> dict[str, Any]:
    """Return the content of `provenance.json`.

    defaults: keys that the user's config leaves out; root: the folder of the workflow. The record
    does not depend on it: bundled files are named as in a config, `resources/...`.
    """
    made_from = {
        "versions": versions(),
        "config": config,
        "defaults": list(defaults),
        "inputs": {path: sha256(path) for path in sorted(set(inputs))},
        "seed": config["seed"],
    }
    return {name: _portable(value, root) for name, value in made_from.items()}
