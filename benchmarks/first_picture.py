"""Time until the first picture of a report is seen in a headless Chromium.

    python benchmarks/first_picture.py OLD/report.html NEW/report.html

Pages are opened in turn, five times each. Prints the milliseconds from the start of navigation to
the frame that shows the first picture, and to the first that answers the mouse.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

TIMES = 5
WATCH = """
window.seen = {};
const look = () => {
  const now = performance.now();
  if (document.querySelector("[data-figure] svg")) window.seen.first ??= now;
  if (document.querySelector("[data-drawn]")) window.seen.live ??= now;
  if (!window.seen.live) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def opened(page: Page, path: Path) -> tuple[float, float]:
    """Return after how many milliseconds the first picture is seen, and the first live one."""
    page.add_init_script(WATCH)
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("[data-drawn]")
    page.wait_for_timeout(100)
    seen = page.evaluate("window.seen")
    return seen["first"], seen["live"]


def main() -> None:
    """Time the pages that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    pages = parser.parse_args().pages
    times: dict[Path, list[tuple[float, float]]] = {path: [] for path in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(TIMES):
            for path in pages:
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                times[path].append(opened(page, path))
                page.close()
    for path, found in times.items():
        first, live = zip(*found, strict=True)
        size = path.stat().st_size / 1e6
        print(f"{path}: {size:.2f} MB, first {median(first):.0f} ms, live {median(live):.0f} ms")


if __name__ == "__main__":
    main()
