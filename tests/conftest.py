"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _data_roots() -> list[Path]:
    named = os.environ.get("FIBROSERUM_DATA")
    places = [Path(named)] if named else []
    return [*places, REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"]


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function from a name (`airway/counts.tsv.gz`) to its path, skipping where absent."""

    def find(name: str) -> Path:
        for root in _data_roots():
            if (root / name).exists():
                return root / name
        pytest.skip(f"{name} is in none of FIBROSERUM_DATA, data/ and ../shared/data: see README")

    return find


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY
