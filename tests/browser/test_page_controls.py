"""What a reader can do with the page: choose, unfold, copy, print, and do without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_page_in_browser import until

COUNT_WHEN_PRINTED = """
window.addEventListener("afterprint", () => {
  const figures = [...document.querySelectorAll("[data-figure]")];
  window.printed = {
    figures: figures.length,
    drawn: figures.filter((one) => one.querySelector("svg.marks")).length,
    tables: document.querySelectorAll("[data-lazy]").length,
    filled: document.querySelectorAll("[data-lazy].dataTable tbody tr").length,
  };
});
"""


@pytest.mark.parametrize("name", ["normal", "several-times"])
def test_a_page_that_was_never_scrolled_prints_every_figure(
    report: Callable[..., Any], browser: Any, name: str
) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.add_init_script(COUNT_WHEN_PRINTED)
    # as `--print-to-pdf` does: once the page counts as loaded, without a further wait
    page.goto(report(name).address, wait_until="load", timeout=300_000)
    printed = page.pdf()
    found = page.evaluate("window.printed")
    folded = page.evaluate("document.querySelectorAll('details[open]').length")
    page.close()
    assert printed.startswith(b"%PDF")
    assert found["drawn"] == found["figures"] > 20
    assert found["filled"] >= found["tables"] > 0
    # what was opened for the print is folded away again
    assert folded == 0


def test_printing_shows_every_contrast_and_row(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("several-times").address).page
    parts, more = page.locator("[data-part=contrast]"), page.locator(".more")
    hidden = (
        "[...document.querySelectorAll('[data-part], .more')].filter((one) => !one.clientWidth)"
    )
    assert page.evaluate(f"{hidden}.length") >= parts.count() - 1 > 8
    assert more.count() > 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(
        "[...document.querySelectorAll('details:not(.reference)')].every((one) => one.open)"
    )
    assert page.evaluate(
        "![...document.querySelectorAll('details.reference')].some((one) => one.open)"
    )
    assert page.evaluate(f"{hidden}.length") == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(f"{hidden}.length") >= parts.count() - 1


def test_contrasts_are_chosen_by_keyboard(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("several-times").address).page
    seen = "[...document.querySelectorAll('[data-part=contrast]')].filter((one) => one.clientWidth)"
    first = page.evaluate(f"{seen}.map((one) => one.querySelector('h4').textContent)")
    # the control group does not come first
    assert first == ["AT: week16 vs pre"]
    page.focus("#genes-contrast")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.getElementById('genes-contrast').selectedOptions[0].label")
    assert chosen != first[0]
    assert page.evaluate(f"{seen}.map((one) => one.querySelector('h4').textContent)") == [chosen]
    drawn = f"{seen}.every((one) => one.querySelector('[data-figure] svg.marks'))"
    page.locator("[data-part=contrast]:not(.closed)").scroll_into_view_if_needed()
    until(page, drawn)
    # the table below is of the same contrast
    page.locator("#genes-table").scroll_into_view_if_needed()
    page.wait_for_selector("#genes-table tbody tr")
    assert page.locator("select").filter(has_text="week16 vs pre").count() >= 1


def test_figures_of_a_contrast_are_side_by_side(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    page.select_option("#genes-contrast", label="RT vs AT: change")
    boxes = [
        one.bounding_box()
        for one in page.query_selector_all("[data-part=contrast]:not(.closed) .figure")
    ]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[-1]["x"] + boxes[-1]["width"] > 1300


def test_how_to_read_opens_by_keyboard(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    for what, words in [
        ("volcano", "Coloured genes are called"),
        ("forest", "not the same as no change"),
        ("running-sum", "it decides no call"),
    ]:
        button = page.locator(f"button[popovertarget=how-{what}]:visible").first
        button.focus()
        page.keyboard.press("Enter")
        text = page.locator(f"#how-{what}")
        assert text.is_visible()
        assert words in text.inner_text()
        page.keyboard.press("Escape")
        assert not text.is_visible()


def test_the_story_can_be_copied(report: Callable[..., Any], browser: Any) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(report("normal").address)
    story = page.inner_text("#story")
    assert 10 < len(story.split()) <= 120
    # above the cards
    assert (
        page.locator("#story").bounding_box()["y"] < page.locator(".card").first.bounding_box()["y"]
    )
    page.click("[data-copy=story]")
    until(page, "document.querySelector('[data-copy=story] + span').textContent === 'Copied.'")
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert " ".join(copied.split()) == " ".join(story.split())


def test_long_tables_show_all_rows_on_request(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    entries = page.locator("#verdicts tbody")
    button = page.locator(".scroll:has(#verdicts) + button")
    shown = (
        "[...document.querySelectorAll('#verdicts tbody')].filter((one) => one.clientHeight).length"
    )
    assert entries.count() == 8 * 5
    assert 8 <= page.evaluate(shown) < 8 * 5
    # the first target first, in every contrast
    assert [one.inner_text() for one in entries.locator("th").all()[:5]] == ["BGN"] * 5
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate(shown) == 8 * 5
    page.keyboard.press("Enter")
    assert page.evaluate(shown) < 8 * 5


def test_without_scripts_the_files_of_the_figures_are_shown(
    report: Callable[..., Any], browser: Any
) -> None:
    run = report("normal")
    file = run.folder / "figures" / "targets_forest.svg"
    file.parent.mkdir(exist_ok=True)
    file.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="321" height="20"/>')
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(run.address)
    images = page.locator("img")
    count = images.count()
    # the page's policy lets the file be loaded
    width = page.locator("img[src='figures/targets_forest.svg']").bounding_box()["width"]
    charts = page.locator(".chart:visible").count()
    context.close()
    assert count > 20
    assert width == pytest.approx(321, abs=1)
    assert charts == 0
