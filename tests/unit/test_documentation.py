"""Generated pages are those the schemas give."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_pages_are_in_sync(repository: Path) -> None:
    found = runpy.run_path(str(repository / "workflow/documentation.py"))["pages"]()
    assert len(found) == 4
    for page, text in found.items():
        assert page.read_text(encoding="utf-8") == text, (
            f"{page.name} is not what the schemas or the lock give: make docs"
        )
