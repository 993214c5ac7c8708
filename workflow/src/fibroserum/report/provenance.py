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
    "edgepython",
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


def record(
    config: dict[str, Any], inputs: Iterable[str], defaults: Iterable[str]
) -> dict[str, Any]:
    """Return the content of `provenance.json`; defaults: keys that the user's config leaves out."""
    return {
        "versions": versions(),
        "config": config,
        "defaults": list(defaults),
        "inputs": {path: sha256(path) for path in sorted(set(inputs))},
        "seed": config["seed"],
    }
