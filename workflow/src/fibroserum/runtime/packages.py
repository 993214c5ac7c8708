"""Whether this Python has the packages that the workflow needs."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet


def missing_packages(pyproject: Path) -> list[str]:
    """Return the packages that are missing here or have another version, in words.

    pyproject: the file that lists the dependencies of the library and of its extra `workflow`. The
    version of Python itself is checked too.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["workflow"]]
    return [*_python(project["requires-python"]), *_packages(map(Requirement, listed))]


def _python(wanted: str) -> Iterator[str]:
    found = platform.python_version()
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        yield f"python{wanted} ({found} is running)"


def _packages(wanted: Iterator[Requirement]) -> Iterator[str]:
    for one in wanted:
        try:
            found = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            yield f"{one.name}{one.specifier}"
            continue
        if not one.specifier.contains(found, prereleases=True):
            yield f"{one.name}{one.specifier} ({found} is installed)"
