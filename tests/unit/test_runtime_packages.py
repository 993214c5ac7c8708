"""Which packages a workflow says are missing."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytest

from fibroserum.runtime.packages import missing_packages, wrong_python

PROJECT = """[project]
requires-python = "{python}"
dependencies = [{core}]
[project.optional-dependencies]
workflow = [{workflow}]
dev = ["no-such-tool"]
"""


@pytest.mark.parametrize(
    ("python", "core", "workflow", "said"),
    [
        (">=3.11", '"numpy>=2"', '"snakemake>=9.27"', []),
        (">=3.11", '"numpy>=2"', '"no-such-package>=2"', ["no-such-package>=2"]),
        (">=3.11", '"numpy==1.0"', "", [f"numpy==1.0 ({metadata.version('numpy')} is installed)"]),
    ],
)
def test_what_is_missing(
    python: str, core: str, workflow: str, said: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PROJECT.format(python=python, core=core, workflow=workflow))
    assert missing_packages(file) == said


def test_nothing_is_missing_here(repository: Path) -> None:
    assert missing_packages(repository / "pyproject.toml") == []
    assert wrong_python(repository / "pyproject.toml") == ""


def test_another_python_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PROJECT.format(python="<3", core="", workflow=""))
    assert wrong_python(file) == f"<3, and {platform.python_version()} is running"
