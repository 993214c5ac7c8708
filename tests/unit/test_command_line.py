"""What the workflow reads from Snakemake's command line and from its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fibroserum.counts.cells import Part
from fibroserum.input.schema import config_schema
from fibroserum.runtime.command_line import config_source, with_types
from fibroserum.runtime.scatter import part_of


@pytest.fixture(scope="module")
def schema(repository: Path) -> dict[str, Any]:
    return config_schema()


def test_the_source_of_a_config_is_named_as_the_user_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "config" / "a.yaml", Path("/elsewhere/b.yaml")]
    assert config_source(files, {}) == "config/a.yaml, /elsewhere/b.yaml"
    assert config_source(files[:1], {"seed": 2}) == "config/a.yaml, --config"
    assert config_source([], {}) == "config"


def test_numbers_inside_braces_on_the_command_line_are_numbers(schema: dict[str, Any]) -> None:
    given = {"alpha": "0.1", "second_opinion": "none", "equivalence_lfc": "null"}
    config = {"cohort": "5", "differential_expression": given, "seed": 2}
    typed = with_types(config, {"differential_expression": given, "seed": 2}, schema)
    assert typed["differential_expression"] == {
        "alpha": 0.1, "second_opinion": "none", "equivalence_lfc": None,
    }  # fmt: skip
    assert typed["cohort"] == "5"


def test_a_scatter_item_names_a_part_of_the_cells() -> None:
    assert part_of("2-of-5") == Part(2, 5)
