"""The documents: links and anchors between them resolve, and README's config is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fibroserum.cohort.plan import plan
from fibroserum.input.schema import config_schema
from helpers.small_cohort import good

PAGES = ("*.md", "config/*.md", "docs/*.md", "resources/*/*.md", "results/*.md")


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in headings}


def broken(page: Path, links: list[str]) -> Iterator[str]:
    """Yield the links of a page without a file or an anchor at their end."""
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page.name}: {link}"


def test_links_between_documents_resolve(repository: Path) -> None:
    pages = [page for pattern in PAGES for page in sorted(repository.glob(pattern))]
    links = {page: re.findall(r"\]\((?!https?:)([^)]+)\)", prose(page)) for page in pages}
    assert sum(map(len, links.values())) > 40
    assert [link for page in pages for link in broken(page, links[page])] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title, here\n\n```text\n# no heading\n```\n", encoding="utf-8")
    found = broken(page, ["#a-title-here", "page.md", "#no-heading", "other.md"])
    assert list(found) == ["page.md: #no-heading", "page.md: other.md"]


def test_the_config_in_readme_is_complete(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    config = yaml.safe_load(shown)
    good().write(tmp_path)
    monkeypatch.chdir(tmp_path)
    config |= {"counts": ["counts.tsv"], "samples": "samples.tsv"}
    config["design"]["reference_group"] = "AT"
    planned = plan(config, config_schema(), repository, "mine.yaml")
    assert "RT_vs_AT_change" in [contrast.name for contrast in planned.contrasts]
