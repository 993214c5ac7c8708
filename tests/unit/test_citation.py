"""CITATION.cff: its version, its authors and its references."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

#: Keys of the Citation File Format 1.2.0 that are required.
REQUIRED = {"authors", "cff-version", "message", "title"}
#: Other keys that are allowed and used here, or that a release writes.
ALLOWED = {"abstract", "type", "version", "date-released", "license", "keywords", "references"}


@pytest.fixture(scope="module")
def citation(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))


def test_keys_are_those_of_the_format(citation: dict[str, Any]) -> None:
    assert REQUIRED <= set(citation) <= REQUIRED | ALLOWED
    assert citation["cff-version"] == "1.2.0"
    for reference in citation["references"]:
        assert {"type", "title", "authors", "doi"} <= set(reference)
        for text in ("start", "end", "issue"):
            assert isinstance(reference.get(text, ""), str)
        assert all(set(one) == {"family-names", "given-names"} for one in reference["authors"])


def test_version_and_licence_are_those_of_the_package(
    repository: Path, citation: dict[str, Any]
) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    library = repository / "workflow/src/fibroserum/__init__.py"
    assert f'__version__ = "{project["version"]}"' in library.read_text(encoding="utf-8")


def test_references_agree_with_those_of_the_report(
    repository: Path, citation: dict[str, Any]
) -> None:
    text = (repository / "workflow/report/references.bib").read_text(encoding="utf-8")
    entries = {
        re.search(r"doi = \{([^}]+)\}", entry)[1]: entry
        for entry in re.split(r"(?m)^@", text)
        if "doi =" in entry
    }
    common = [one for one in citation["references"] if one["doi"] in entries]
    assert len(common) >= 6
    for one in common:
        entry = entries[one["doi"]]
        assert f"year = {{{one['year']}}}" in entry
        assert f"volume = {{{one['volume']}}}" in entry


def test_the_study_has_all_its_authors(citation: dict[str, Any]) -> None:
    # as PubMed Central lists them, PMC10290068
    (study,) = (one for one in citation["references"] if one["journal"] == "Scientific Reports")
    assert [one["family-names"] for one in study["authors"]] == [
        "Nishikori", "Yasuda", "Murata", "Takegaki", "Harada", "Shirai", "Fujita",
    ]  # fmt: skip
