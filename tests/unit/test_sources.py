"""Every bundled file has its origin, licence and checksum in resources/SOURCES.tsv."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def script(repository: Path) -> dict[str, Any]:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return runpy.run_path(str(repository / "resources/build/update_sources.py"))
    finally:
        sys.dont_write_bytecode = before


def test_every_file_is_listed_with_its_checksum(repository: Path, script: dict[str, Any]) -> None:
    rows = script["read_sources"]()
    listed = {name: row["sha256"] for name, row in rows.items()}
    present = {
        path.as_posix(): script["sha256"](repository / path) for path in script["bundled_files"]()
    }
    assert present == listed, "run: python resources/build/update_sources.py"
    assert list(listed) == sorted(listed)


def test_every_row_is_complete(script: dict[str, Any]) -> None:
    rows = script["read_sources"]().values()
    assert len(rows) >= 5
    for row in rows:
        assert list(row) == list(script["COLUMNS"])
        assert all(row.values())
        assert re.fullmatch(r"[0-9a-f]{64}", row["sha256"])


def test_the_gene_table_stays_small(repository: Path) -> None:
    assert (repository / "workflow/src/fibroserum/data/human.tsv.gz").stat().st_size < 2.5 * 2**20
