"""The lookup and the reasons of calls, as a reader meets them in a real browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fibroserum import tables
from fibroserum.de.reasons import WORDS, reasons
from fibroserum.report.loading import load_run
from helpers.call_reasons import in_words

CONTRASTS = "#lookup-contrasts tbody tr"


def chosen(page: Any) -> list[str]:
    """Return the symbols of the genes that the lookup lists."""
    return [one.inner_text().split(" ")[0] for one in page.query_selector_all("#lookup-chosen li")]


def add(page: Any, name: str, count: int) -> None:
    """Add a name by keyboard, and wait until so many genes are chosen."""
    page.focus("#lookup-input")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#lookup-chosen li:nth-child({count})")


def rows_of(page: Any, selector: str) -> list[list[str]]:
    """Return the texts of a table's rows."""
    return [
        [cell.inner_text() for cell in row.query_selector_all("th, td")]
        for row in page.query_selector_all(selector)
    ]


def saved(page: Any, name: str) -> tuple[str, bytes]:
    """Press a button of the lookup that saves; return the file's name and content."""
    with page.expect_download() as waiting:
        page.click(f"[data-picture='{name}']")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def de_row(run: Any, contrast: str, symbol: str) -> Any:
    frame = tables.read("de", run.folder / "de" / f"{contrast}.tsv")
    return frame[frame["symbol"] == symbol].iloc[0]


def test_genes_are_added_pasted_removed_and_kept_in_the_address(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    seen = open_page(run.address)
    page = seen.page
    add(page, "bgn", 1)
    # the id, and an earlier symbol of VCAN
    add(page, str(de_row(run, "AT_post_vs_pre", "DCN")["gene_id"]), 2)
    add(page, "CSPG2", 3)
    assert chosen(page) == ["BGN", "DCN", "VCAN"]
    assert "“CSPG2” is a previous or alias symbol of VCAN (ENSG" in page.inner_text(
        "#lookup-status"
    )
    assert page.evaluate("document.activeElement.id") == "lookup-input"
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text", "HAS1\\nHAS2, COL1A1 BGN\\nCOL99A1;ERCC-00002");
          const event = new ClipboardEvent("paste", { clipboardData: data, cancelable: true });
          document.getElementById("lookup-input").dispatchEvent(event);
        }"""
    )
    page.wait_for_selector("#lookup-chosen li:nth-child(6)")
    assert chosen(page) == ["BGN", "DCN", "VCAN", "HAS1", "HAS2", "COL1A1"]
    said = page.inner_text("#lookup-status")
    assert "No gene is called “COL99A1” here: the counts have no row with this name." in said
    assert "“ERCC-00002” was left out of the analysis (ERCC spike-in)." in said
    near = page.query_selector_all("#lookup-status button")
    assert [one.inner_text() for one in near][:1] == ["COL1A1"]
    assert near[0].get_attribute("aria-label") == "Add COL1A1"
    page.click("button[aria-label^='Remove VCAN (']")
    page.wait_for_selector("#lookup-chosen li:nth-child(6)", state="detached")
    assert chosen(page) == ["BGN", "DCN", "HAS1", "HAS2", "COL1A1"]
    # a gene of another section is shown alone, and Back returns to the list
    page.evaluate("document.querySelector('#targets [data-gene]').click()")
    page.wait_for_selector("#lookup-chosen li:nth-child(2)", state="detached")
    assert page.evaluate("document.activeElement.id") == "lookup-name"
    page.go_back()
    page.wait_for_selector("#lookup-chosen li:nth-child(5)")
    assert chosen(page) == ["BGN", "DCN", "HAS1", "HAS2", "COL1A1"]
    page.click("#lookup-clear")
    page.wait_for_selector("#lookup-result", state="hidden")
    assert chosen(page) == []
    assert seen.errors == []


def test_pictures_and_numbers_of_several_genes_can_be_saved(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(f"{run.address}#genes=BGN,COL3A1,DCN", 400, "dark").page
    # COL3A1 is the target that the made-up matrix lacks, though it has the row
    page.wait_for_selector("#lookup-estimates svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    name, text = saved(page, "contrasts.csv")
    assert name == "BGN_COL3A1_DCN_contrasts.csv"
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8"))))
    names = load_run(run.folder, run.config).contrast_names
    assert [(row["gene"], row["contrast"]) for row in rows] == [
        (gene, contrast) for gene in ("BGN", "COL3A1", "DCN") for contrast in names
    ]
    for row in rows:
        wanted = de_row(run, row["contrast"], row["gene"])
        assert row["gene_id"] == wanted["gene_id"]
        for column in ("log2FoldChange", "ci_low", "ci_high"):
            assert float(row[column]) == float(f"{wanted[column]:.3f}")
        for column in ("pvalue", "weighted_padj", "second_weighted_padj"):
            assert float(row[column]) == float(f"{wanted[column]:.2e}")
        assert (row["call"], row["status"]) == (wanted["call"], wanted["status"])
    name, text = saved(page, "donors.csv")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8"))))
    donors = tables.read("target_donors", run.folder / "flags" / "target_donors.tsv")
    levels = {(row["gene"], row["donor"], row["time"]): row for row in rows}
    for row in donors[donors["target"].isin(["BGN", "DCN"])].itertuples():
        for time, level in (("pre", row.before), ("post", row.after)):
            found = levels[row.target, row.donor, time]["log2_normalized_count"]
            assert float(found) == pytest.approx(level, abs=0.00501)
    name, drawing = saved(page, "donors.svg")
    assert name == "BGN_COL3A1_DCN_donors.svg"
    words = re.sub(r"<[^>]*>", "\n", drawing.decode("utf-8"))
    change = de_row(run, "AT_post_vs_pre", "BGN")
    ends = [
        f"{change[end]:.2f}".replace("-", "−") for end in ("log2FoldChange", "ci_low", "ci_high")
    ]
    assert f"AT: {ends[0]} ({ends[1]} to {ends[2]})" in words
    assert f"BGN, {change['gene_id']}" in words
    # the colours of print, though the page is dark
    assert b"currentColor" not in drawing
    assert b'fill="white"' in drawing
    for kind in ("donors", "estimates"):
        name, picture = saved(page, f"{kind}.png")
        assert name == f"BGN_COL3A1_DCN_{kind}.png"
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20], "big") >= 1000


UNCOVERED = """marks => [...document.querySelectorAll(marks)].find(mark => {
    const {x, y, width, height} = mark.getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2) === mark;
})"""


def test_the_reason_of_a_call_is_where_the_gene_is(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(run.address).page
    frame = tables.read("de", run.folder / "de" / "AT_post_vs_pre.tsv")
    codes = reasons(frame, 0.05, main_only=False)
    assert set("".join(codes)) >= {"m", "s", "i", "z"}
    table = page.locator("#genes-table")
    table.scroll_into_view_if_needed()
    page.wait_for_selector("#genes-table tbody tr")
    page.select_option("#genes-contrast", label="AT: post vs pre")
    for number in (frame.index[-1], frame.index[(codes == "msi").to_numpy()][-1]):
        row = frame.loc[number]
        page.fill("#genes-table_wrapper .dt-search input", row["gene_id"])
        button = page.locator("#genes-table tbody button.gene")
        button.focus()
        page.wait_for_selector("#gene-tip:not([hidden])")
        tip = page.inner_text("#gene-tip").replace("−", "-")
        assert button.get_attribute("aria-describedby") == "gene-tip"
        assert tip.startswith(f"{row['symbol']} ({row['gene_id']}), AT: post vs pre, call: none.")
        said = WORDS["z"]
        if codes[number] == "msi":
            printed = {
                "alpha": "0.05",
                "weighted_padj": f"{row['weighted_padj']:#.3g}".removesuffix("."),
                "second_weighted_padj": f"{row['second_weighted_padj']:#.3g}".removesuffix("."),
                "ci_low": f"{row['ci_low']:.3f}",
                "ci_high": f"{row['ci_high']:.3f}",
            }
            said = in_words(codes[number], printed)
        assert tip.endswith(said)
        page.keyboard.press("Escape")
        assert page.locator("#gene-tip").is_hidden()
    page.select_option("#genes-contrast", label="AT: post vs pre")
    page.locator("#fig-volcano_AT_post_vs_pre").scroll_into_view_if_needed()
    # labels may cover marks, depending on the fonts of the machine
    mark = page.wait_for_function(UNCOVERED, arg="#fig-volcano_AT_post_vs_pre .mark-symbol path")
    mark.as_element().hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible >> text=Why")
    hover = page.inner_text("#vg-tooltip-element")
    gene = re.search(r"Gene id\s+(\S+)", hover).group(1)
    shown = codes[(frame["gene_id"] == gene).to_numpy()].iloc[0]
    for code in shown:
        assert WORDS[code].partition("{")[0] in hover


def test_the_answer_for_a_target_is_its_verdict(
    report: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    run = report("normal")
    page = open_page(f"{run.address}#gene=BGN").page
    page.wait_for_selector(CONTRASTS)
    targets = tables.read("targets", run.folder / "flags" / "targets.tsv")
    verdicts = targets[targets["target"] == "BGN"].set_index("contrast")
    for contrast, *cells in rows_of(page, CONTRASTS):
        verdict = verdicts.loc[contrast]
        alone = verdict["verdict"] in ("up", "down") and verdict["headline"] == "none"
        words = verdict["verdict"].replace("_", " ") + (", not established" if alone else "")
        assert cells[6] == f"{words} (target)"
        said = " ".join(filter(None, (verdict["reason"], verdict["genome_wide"])))
        assert cells[7].replace("−", "-") == said
    assert rows_of(page, "#lookup-about tbody tr")[0][:2] == ["BGN", verdicts["gene_id"].iloc[0]]
