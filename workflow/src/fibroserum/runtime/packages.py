"""Whether this Python is one that the workflow can use, and has the packages that it needs."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet


def missing_packages(pyproject: Path) -> list[str]:
    """Return the packages that are missing here or have another version, in words.

    pyproject: the file that lists the dependencies of the library and of its extra `workflow`.
    """
    project = _project(pyproject)
    listed = [*project["dependencies"], *project["optional-dependencies"]["workflow"]]
    return list(_packages(map(Requirement, listed)))


def wrong_python(pyproject: Path) -> str:
    """Return in words which Python is needed and which is running, or nothing if it is right."""
    wanted, found = _project(pyproject)["requires-python"], platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        return ""
    return f"{wanted}, and {found} is running"


def _project(pyproject: Path) -> dict[str, Any]:
    return tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]


def _packages(wanted: Iterator[Requirement]) -> Iterator[str]:
    for one in wanted:
        try:
            found = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            yield f"{one.name}{one.specifier}"
            continue
        if not one.specifier.contains(found, prereleases=True):
            yield f"{one.name}{one.specifier} ({found} is installed)"
