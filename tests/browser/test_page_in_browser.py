"""The report as a reader meets it, in a real browser."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fibroserum import tables
from fibroserum.input.names import file_name
from helpers.report_shape import HOSTILE

SECTIONS = ("glance", "cohort", "change", "targets", "ecm", "lookup", "methods")


def number(text: str) -> float:
    """Read a number as the page prints it, with a minus for a minus."""
    assert "-" not in text.partition("e")[0]
    return float(text.replace("−", "-"))


def until(page: Any, expression: str, argument: object = None, seconds: float = 300) -> None:
    """Wait for an expression to hold; the page's policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"{expression} did not come true"
        page.wait_for_timeout(50)


def fill_tables(page: Any) -> None:
    """Scroll to every table that is filled when it comes into view."""
    for table in page.query_selector_all("[data-lazy]"):
        table.scroll_into_view_if_needed()
        until(page, "table => table.classList.contains('dataTable')", table)


def shown_figures(page: Any) -> int:
    """Return how many figures have a width."""
    return page.evaluate(
        "[...document.querySelectorAll('[data-figure]')].filter((one) => one.clientWidth).length"
    )


@pytest.mark.parametrize(
    "name", ["normal", "hostile", "several-times", "nothing-found", "two-pairs", "long-names"]
)
@pytest.mark.parametrize("width", [1400, 400])
def test_every_section_renders_without_error_or_request(
    report: Callable[..., Any],
    open_page: Callable[..., Any],
    repository: Path,
    name: str,
    width: int,
) -> None:
    run = report(name)
    seen = open_page(run.address, width)
    fill_tables(seen.page)
    seen.page.evaluate("location.hash = 'gene=BGN'")
    seen.page.wait_for_selector("#lookup-estimates svg")
    assert seen.errors == []
    assert seen.dialogs == []
    assert [url for url in seen.requests if not url.startswith(("blob:", "data:"))] == [run.address]
    for section in SECTIONS:
        assert seen.page.locator(f"#{section} h2").count() == 1
    # those of contrasts that are not chosen are drawn when they are
    assert seen.page.locator("[data-figure] svg.marks").count() == shown_figures(seen.page) > 10
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    shots = repository / "build" / "screenshots"
    shots.mkdir(parents=True, exist_ok=True)
    seen.page.evaluate("window.scrollTo(0, 0)")
    seen.page.screenshot(path=shots / f"{name}-{width}.png", full_page=True)


NOTE_WHAT_IS_DRAWN = """
window.drawn = [];
new MutationObserver((changes) => {
  for (const change of changes) window.drawn.push(change.target.closest("section").id);
}).observe(document, { subtree: true, attributeFilter: ["data-drawn"] });
"""


def test_pictures_in_view_are_drawn_first(report: Callable[..., Any], browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.add_init_script(NOTE_WHAT_IS_DRAWN)
    page.goto(report("normal").address)
    page.wait_for_selector("html[data-ready]", state="attached", timeout=300_000)
    drawn, figures = page.evaluate("window.drawn"), shown_figures(page)
    page.close()
    assert len(drawn) == figures > 10
    first = drawn.count("glance")
    assert drawn[:first] == ["glance"] * first
    assert first >= 1


def test_search_finds_bgn_and_shows_its_donors(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(run.address).page
    page.fill("#lookup-input", "bgn")
    page.click("#lookup-form button")
    page.wait_for_selector("#lookup-estimates svg")
    assert page.inner_text("#lookup-name") == "BGN"
    shown = [
        [cell.inner_text() for cell in row.query_selector_all("th, td")]
        for row in page.query_selector_all("#lookup-levels tbody tr")
    ]
    donors = tables.read("target_donors", run.folder / "flags" / "target_donors.tsv")
    expected = donors[donors["target"] == "BGN"]
    found = {row[0]: row[1:] for row in shown}
    assert len(expected) == 15
    for row in expected.itertuples():
        group, before, after, change = found[row.donor]
        assert group == row.group
        assert number(before) == pytest.approx(row.before, abs=0.00501)
        assert number(after) == pytest.approx(row.after, abs=0.00501)
        assert number(change) == pytest.approx(row.delta, abs=0.01001)
    assert page.locator("#lookup-donors svg").count() == 1


def test_lookup_shows_the_numbers_of_every_contrast(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(run.address).page
    page.evaluate("location.hash = 'gene=DCN'")
    page.wait_for_selector("#lookup-contrasts tbody tr")
    shown = [
        [cell.inner_text() for cell in row.query_selector_all("th, td")]
        for row in page.query_selector_all("#lookup-contrasts tbody tr")
    ]
    contrasts = tables.read("contrasts", run.folder / "contrasts.tsv")["contrast"]
    assert sorted(row[0] for row in shown) == sorted(contrasts)
    for name, estimate, interval, pvalue, *_ in shown:
        frame = tables.read("de", run.folder / "de" / f"{file_name(name)}.tsv")
        row = frame[frame["symbol"] == "DCN"].iloc[0]
        assert number(estimate) == float(f"{row['log2FoldChange']:.3f}")
        assert [number(end) for end in interval.split(" to ")] == [
            float(f"{row[end]:.3f}") for end in ("ci_low", "ci_high")
        ]
        assert float(pvalue) == float(f"{row['pvalue']:.2e}")


def test_a_gene_that_is_not_there_is_said(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    page.fill("#lookup-input", "COL9A9")
    page.click("#lookup-form button")
    until(page, "document.getElementById('lookup-status').textContent !== ''")
    said = page.inner_text("#lookup-status")
    assert "No gene is called “COL9A9”" in said
    assert "COL1A1" in said
    assert page.locator("#lookup-result").is_hidden()


def test_download_gives_the_numbers_of_the_table(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(run.address).page
    page.locator("#genes-table").scroll_into_view_if_needed()
    page.wait_for_selector("#genes-table tbody tr")
    page.select_option("#genes-contrast", label="RT: post vs pre")
    page.wait_for_timeout(300)
    with page.expect_download() as waiting:
        page.click("#genes-table_wrapper .dt-buttons button")
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    assert waiting.value.suggested_filename == "RT_post_vs_pre.genes.tsv"
    header, *rows = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    assert header[:4] == ["Gene", "Gene id", "Call", "log2 fold change"]
    frame = tables.read("de", run.folder / "de" / "RT_post_vs_pre.tsv").set_index("gene_id")
    assert {row[1] for row in rows} == set(frame.index)
    formats = {"baseMean": ".3e", "pvalue": ".2e", "weighted_padj": ".2e"}
    formats["second_weighted_padj"] = ".2e"
    columns = ["log2FoldChange", "ci_low", "ci_high", *list(formats)[2:], "pvalue"]
    columns += ["confident_lfc", "baseMean"]
    for row in rows:
        wanted = frame.loc[row[1]]
        assert row[0] == wanted["symbol"]
        assert [row[2], row[11]] == [wanted["call"], wanted["status"]]
        for name, shown in zip(columns, row[3:11], strict=True):
            value = wanted[name]
            if value != value:
                assert shown == ""
            else:
                assert float(shown) == float(f"{value:{formats.get(name, '.3f')}}")


def test_filters_leave_the_called_genes(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(run.address).page
    page.locator("#genes-table").scroll_into_view_if_needed()
    page.wait_for_selector("#genes-table tbody tr")
    page.select_option("#genes-contrast", label="AT: post vs pre")
    page.select_option("#genes-call", "up")
    frame = tables.read("de", run.folder / "de" / "AT_post_vs_pre.tsv")
    up = int((frame["call"] == "up").sum())
    assert up > 0
    info = "document.querySelector('#genes-table_wrapper .dt-info').textContent"
    until(page, f"words => {info}.includes(words)", f" of {up} (of ")
    page.click("#genes-table tbody tr button.gene")
    page.wait_for_selector("#lookup-estimates svg")
    row = page.locator("#lookup-contrasts tbody tr", has_text="AT_post_vs_pre")
    assert row.inner_text().split("\t")[7] == "up"


def test_figures_and_citations_can_be_saved(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    with page.expect_download() as waiting:
        page.click("[data-save='targets_forest']")
    assert waiting.value.suggested_filename == "targets_forest.svg"
    assert Path(waiting.value.path()).read_text(encoding="utf-8").startswith("<svg")
    with page.expect_download() as waiting:
        page.click("#save-bibtex")
    assert "@article{love2014deseq2" in Path(waiting.value.path()).read_text(encoding="utf-8")


def test_names_are_data(report: Callable[..., Any], open_page: Callable[..., Any]) -> None:
    seen = open_page(report("hostile").address)
    page = seen.page
    fill_tables(page)
    for name in HOSTILE:
        page.evaluate("name => { location.hash = 'gene=' + encodeURIComponent(name) }", name)
        until(page, "name => document.getElementById('lookup-name').textContent === name", name)
    page.wait_for_timeout(200)
    assert seen.dialogs == []
    assert seen.errors == []
    assert page.title() == f"{HOSTILE[0]}: fibroserum report"
    # a noscript's pictures are text where scripts run
    assert page.locator("img").count() == 0
    assert page.inner_text("h1") == HOSTILE[0]
    assert HOSTILE[9] in page.inner_text("nav")


@pytest.mark.parametrize(
    ("name", "scheme"), [("normal", "light"), ("normal", "dark"), ("several-times", "light")]
)
def test_no_serious_accessibility_finding(
    report: Callable[..., Any], open_page: Callable[..., Any], axe: str, name: str, scheme: str
) -> None:
    seen = open_page(report(name).address, scheme=scheme)
    fill_tables(seen.page)
    seen.page.evaluate("location.hash = 'gene=BGN'")
    seen.page.wait_for_selector("#lookup-estimates svg")
    seen.page.evaluate(axe)
    found = seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], one["help"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_keyboard_reaches_every_part(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    page = open_page(report("normal").address).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.focus("#lookup-input")
    page.keyboard.type("BGN")
    page.keyboard.press("Enter")
    page.wait_for_selector("#lookup-estimates svg")
    # the next name can be typed at once
    assert page.evaluate("document.activeElement.id") == "lookup-input"


def test_the_lookup_has_every_time(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("several-times")
    page = open_page(run.address).page
    page.evaluate("location.hash = 'gene=BGN'")
    page.wait_for_selector("#lookup-estimates svg")
    heads = [cell.inner_text() for cell in page.query_selector_all("#lookup-levels thead th")]
    times = ["week16", "week4", "week8"]
    assert heads == ["Donor", "Group", "pre", *times, *(f"Change at {time}" for time in times)]
    rows = {
        cells[0]: cells[2:]
        for row in page.query_selector_all("#lookup-levels tbody tr")
        if (cells := [cell.inner_text() for cell in row.query_selector_all("th, td")])
    }
    donors = tables.read("target_donors", run.folder / "flags" / "target_donors.tsv")
    donors = donors[donors["target"] == "BGN"].dropna(subset=["after"])
    assert len(donors) > 3 * 14
    for row in donors.itertuples():
        at = times.index(row.time)
        assert number(rows[row.donor][1 + at]) == pytest.approx(row.after, abs=0.00501)
        assert number(rows[row.donor][4 + at]) == pytest.approx(row.delta, abs=0.01001)
    # a group that was measured before only has no other level, and no change
    lone = [cells for donor, cells in rows.items() if donor.startswith("healthy")]
    assert lone
    assert all(cells[1:] == ["–"] * 6 for cells in lone)
