"""Generated pages are those the schemas give."""

from __future__ import annotations

from fibroserum.documentation import pages


def test_pages_are_in_sync() -> None:
    found = pages()
    assert len(found) == 2
    for page, text in found.items():
        assert page.read_text(encoding="utf-8") == text, (
            f"{page.name} is not what the schemas give: python -m fibroserum.documentation"
        )
