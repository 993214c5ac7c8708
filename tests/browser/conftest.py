"""A Chromium and pages to open in it. Skips where there is none, unless it is required."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from helpers.report_run import make_run
from helpers.report_shape import HOSTILE, SEVERAL, Shape

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHAPES = {
    "normal": Shape(genes=500),
    "hostile": Shape(
        genes=300,
        groups=("AT", HOSTILE[0]),
        pairs=10,
        names=HOSTILE,
        factors=(HOSTILE[0], HOSTILE[9]),
        cohort=HOSTILE[0],
        targets=("BGN", HOSTILE[0], HOSTILE[3]),
    ),
    "several-times": SEVERAL,
    "nothing-found": Shape(genes=300, changed=0, evidence=False),
    "two-pairs": Shape(
        genes=300, groups=("all",), pairs=2, dropped=0, factors=(), targets=("BGN",)
    ),
    "long-names": Shape(
        genes=300, sample_prefix="a_sample_name_that_goes_on_and_on_until_it_has_sixty_", pairs=5
    ),
}


def _missing(what: str) -> None:
    said = f"{what}: the report is not opened in a browser (see CONTRIBUTING)"
    if os.environ.get("FIBROSERUM_REQUIRE_BROWSER"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Python's playwright is not installed")
    named = os.environ.get("FIBROSERUM_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        _missing("there is no chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the code of axe-core."""
    try:
        import axe_playwright_python
    except ImportError:
        _missing("axe-core (Python's axe-playwright-python) is not installed")
    return (files(axe_playwright_python) / "axe.min.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """A run's folder, its config, and its page."""

    folder: Path
    config: dict[str, Any]

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return (self.folder / "report.html").as_uri()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Callable[[str], Run]:
    """Return a function from the name of a shape to its run with a page, made once."""
    from fibroserum.report.figures.registry import draw
    from fibroserum.report.loading import load_run
    from fibroserum.report.page.cohort_page import build_page
    from fibroserum.report.theme import spec

    made: dict[str, Run] = {}

    def build(name: str) -> Run:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            config = make_run(folder, repository, SHAPES[name])
            run = load_run(folder, config)
            specs = {key: spec(figure) for key, figure in draw(run, config).items()}
            html = build_page(run, config, repository / "workflow" / "report", specs)
            (folder / "report.html").write_text(html, encoding="utf-8")
            made[name] = Run(folder, config)
        return made[name]

    return build


@dataclass
class Seen:
    """A page, and what it said and asked for."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Seen]]:
    """Return a function that opens a page and waits until every picture is drawn."""
    contexts = []

    def open_at(address: str, width: int = 1400, scheme: str = "light") -> Seen:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        seen = Seen(context.new_page())

        def dismiss(dialog: Any) -> None:
            seen.dialogs.append(dialog.message)
            dialog.dismiss()

        seen.page.on("dialog", dismiss)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on(
            "console", lambda line: seen.errors.append(line.text) if line.type == "error" else None
        )
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(address)
        seen.page.wait_for_selector("html[data-ready]", state="attached", timeout=300_000)
        return seen

    yield open_at
    for context in contexts:
        context.close()
