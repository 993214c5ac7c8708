"""The page as text: what it may run, what it escapes, what it says, how large it is."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fibroserum.chain.links import LINKS, VERDICTS
from fibroserum.chain.sentences import CAVEAT
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.report import figure_names
from fibroserum.report.drawing import Drawing
from fibroserum.report.figures import chain
from fibroserum.report.figures.catalogue import MOST_CHAINS
from fibroserum.report.figures.registry import draw
from fibroserum.report.loading import RunTables, labels_of, load_run
from fibroserum.report.page.cohort_page import build_page
from fibroserum.report.page.templates import environment, minus, number_columns
from fibroserum.report.stage import write_report
from fibroserum.report.summary import summary
from fibroserum.report.theme import spec
from helpers.page_blocks import block
from helpers.report_run import make_run, page_of
from helpers.report_shape import HOSTILE, Shape

ENTRY = {
    "label": {"figure": "Figure 1"},
    "description": "",
    "subject": "",
    "caption": "",
    "still": "",
}


@pytest.fixture(scope="module")
def normal(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[RunTables, dict[str, Any], str]:
    return page_of(tmp_path_factory.mktemp("run"), repository, Shape(genes=200))


@pytest.fixture(scope="module")
def hostile(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[RunTables, dict[str, Any], str]:
    shape = Shape(
        genes=200,
        names=HOSTILE,
        pairs=10,
        groups=("AT", HOSTILE[9]),
        factors=(HOSTILE[0],),
        cohort=HOSTILE[9],
        outcomes=("skin", HOSTILE[9], "none"),
    )
    return page_of(tmp_path_factory.mktemp("run"), repository, shape)


def test_the_policy_allows_this_pages_scripts_alone(normal: Any) -> None:
    _, _, page = normal
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))
    directives = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "unsafe" not in directives["script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    run = [scripts[0].encode(), block(page, "library-vega"), block(page, "library-datatables")]
    for code in run:
        digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
        assert f"'sha256-{digest}'" in directives["script-src"]


def test_nothing_is_fetched(normal: Any) -> None:
    _, _, page = normal
    of_tags = r"<(?:script|link|img|iframe|object|embed)\b[^>]*(?:src|href)=\"([^\"]*)"
    without = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.DOTALL)
    assert re.findall(of_tags, without) == ["data:,"]
    # without a script each figure is the file beside the page
    drawn = re.findall(r'data-figure="([\w.-]+)"', page)
    assert len(drawn) > 10
    assert set(re.findall(of_tags, page)) == {"data:,", *(f"figures/{one}.svg" for one in drawn)}
    assert not re.search(r"url\(\s*['\"]?(?!data:)[a-z]", page)
    assert "@import" not in page


def test_names_are_escaped(hostile: Any) -> None:
    _, _, page = hostile
    # three scripts at most could run: the page's own; everything else is a block of data
    assert len(re.findall(r"<script\b", page)) == len(re.findall(r"</script>", page))
    bare = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL)
    assert "<script" not in bare
    assert not re.search(r"<img(?! src=\"figures/[\w.-]+\.svg\" alt=\"[^\"]*\">)", bare)
    assert html.escape(HOSTILE[0]) in bare
    assert "{{ 7*7 }}" in bare
    assert ">49<" not in bare


def test_sections_are_in_the_order_of_the_questions(normal: Any) -> None:
    _, _, page = normal
    found = re.findall(r'<section id="([^"]*)"', page)
    assert found == [
        "glance",
        "cohort",
        "change",
        "targets",
        "factor-0",
        "factor-1",
        "ecm",
        "planning",
        "lookup",
        "methods",
    ]


def test_each_outcome_has_its_tables_or_says_why_not(hostile: Any, normal: Any) -> None:
    run, _, page = hostile
    assert "outcomes" in re.findall(r'<section id="([^"]*)"', page)
    own = html.unescape(
        page[page.index('<section id="outcomes"') : page.index('<section id="ecm"')]
    )
    assert "Genes associated with skin" in own
    assert "Not assessed: no pair has a usable change of none." in own
    for target in run.outcome_targets["target"]:
        assert target in own
    assert own.count('data-rows="outcome-') == 3
    assert "Targets and outcome, skin, post." in own
    assert not re.search(r"\bcauses\b", own.replace(CAVEAT, ""))
    assert "outcome" not in re.findall(r'<a href="#([^"]*)"', normal[2])


def test_the_chain_shows_each_verdict_and_claims_no_cause(hostile: Any, normal: Any) -> None:
    run, config, page = hostile
    drawn, changes = list(config["factors"])[:MOST_CHAINS], run.of_kind("change")
    own = html.unescape(page[page.index('<section id="chain"') : page.index('<section id="ecm"')])
    assert own.count("<li>") == len(drawn) * len(changes)
    # which direct changes contradict follows from the signs: tests of the chain have them
    for said in ("Supported: ", "Not established: ", "Not measured: "):
        assert said in own
    assert CAVEAT in own
    assert not re.search(r"\bcauses\b", own.replace(CAVEAT, ""))
    for factor in drawn:
        rows = chain.path(run, factor).data["chain"]
        assert set(rows.loc[rows["part"] == "name", "text"]) == {factor, "BGN", "skin", *run.groups}
        lines = rows[rows["part"] == "line"].drop_duplicates(["panel", "link"])
        assert len(lines) == len(LINKS) * len(changes)
        assert set(lines["verdict"]) == set(VERDICTS)
    assert 'id="chain"' not in normal[2]


def glance_of(page: str) -> str:
    text = page[page.index('id="glance"') : page.index('id="cohort"')]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_warnings_are_at_the_top(normal: Any) -> None:
    _, _, page = normal
    assert "AT01: its samples are far apart." in glance_of(page)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("",), "does not name the cell line. Conclusions apply to the cells that were used."),
        (("F1",), "on one cell line (F1). Conclusions apply to this cell line."),
        (("F1", "F2"), "on 2 cell lines (F1, F2), combined within each donor"),
    ],
)
def test_the_line_is_said_as_far_as_it_is_known(
    tmp_path: Path, repository: Path, lines: tuple[str, ...], said: str
) -> None:
    shape = Shape(genes=120, groups=("all",), factors=(), targets=("BGN",), lines=lines)
    _, _, page = page_of(tmp_path, repository, shape)
    assert said in glance_of(page)


def test_what_a_biologist_asks_is_answered_at_the_top(normal: Any) -> None:
    """Every count is of this fixture: seed 1 for `de/`, every 25th gene responds to CCL28."""
    _, _, page = normal
    said = glance_of(page)
    # the reference group last
    shown = (
        "RT: post vs pre: 3 genes up, 4 down.",
        "RT vs AT: change: the change differs between the groups in 11 genes.",
        "AT: post vs pre: 5 genes up, 4 down.",
    )
    assert " ".join(shown) in said
    assert "RT vs AT: pre: the groups differed before in 3 genes." in said
    # both changes and their difference
    assert said.count("BGN is up here because it was made up.") == 3
    assert "CCL28: 8 responsive genes, 4 of them confirmed" in said
    assert "Strongest: BGN , GENE00050 , GENE00100 , GENE00150 , GENE00025 ." in said
    assert 'data-gene="ENSG00000000050">GENE00050<' in page
    # the file names of contrasts are for the tables
    assert "AT_post_vs_pre" not in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-0.09 to -0.40", "−0.09 to −0.40"),
        ("others -0.23 (p 1e-05)", "others −0.23 (p 1e-5)"),
        ("8.59e-105", "8.59e-105"),
        ("AT-1 and COL-4", "AT-1 and COL-4"),
        ("1.5e+07", "1.5e+07"),
        ("pre-post, 3-4 donors", "pre-post, 3-4 donors"),
    ],
)
def test_a_minus_is_a_minus_and_a_hyphen_a_hyphen(text: str, shown: str) -> None:
    assert minus(text) == shown


def test_columns_of_numbers_are_found() -> None:
    rows = [
        ("1", "−0.1 to 0.2", "6 of 8", "1,234", "up", "–", "3.4e-5", "3.11.7"),
        ("2", "–", "7 of 9", "12", "–", "–", "0.5", "0.10.2"),
    ]
    assert number_columns(rows) == [1, 2, 3, 6]
    assert number_columns([]) == []


def test_labels_of_contrasts_are_words(normal: Any) -> None:
    run, _, _ = normal
    labels = labels_of(run)
    assert labels["AT_post_vs_pre"] == "AT: post vs pre"
    assert labels["RT_vs_AT_change"] == "RT vs AT: change"


def test_methods_hold_this_runs_settings(normal: Any) -> None:
    run, config, page = normal
    methods = page[page.index('id="methods-text"') :]
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", methods)).split())
    assert f"{len(run.metrics)} samples" in text
    assert "moderated t tests of limma" in text
    assert f"fewer than {config['differential_expression']['min_count']} counts" in text
    assert f"{config['enrichment']['permutations']} gene permutations" in text
    assert "seed 1" in text
    assert "ab" * 32 in text
    assert "love2014deseq2" in text


def test_every_citation_of_the_methods_is_in_the_bibliography(repository: Path) -> None:
    place = repository / "workflow" / "report"
    methods = (place / "sections" / "methods.html").read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{(\w+?)(\d{4})\w*,", (place / "references.bib").read_text("utf-8"))
    known = {(author, year) for author, year in entries}
    ascii_names = methods.replace("ö", "o").replace("é", "e")
    cited = re.findall(r"(\w+)(?: et al\.| and \w+)? \(?(\d{4})", ascii_names)
    assert len(cited) >= 10
    for author, year in cited:
        assert (author.lower(), year) in known


def test_second_opinion_and_calibration_are_said_as_they_are(
    tmp_path: Path, repository: Path
) -> None:
    config = make_run(tmp_path, repository, Shape(genes=150, factors=()))
    config["differential_expression"]["second_opinion"] = "none"
    config["differential_expression"]["equivalence_lfc"] = 0.1
    config["design"]["randomised"] = False
    run = load_run(tmp_path, config)
    specs = {name: spec(figure) for name, figure in draw(run, config).items()}
    page = build_page(run, config, repository / "workflow" / "report", specs)
    assert "the config asks for no second model" in page
    assert "without a second model" in page
    assert "±0.1" in page
    assert "were not randomised" in page
    config["design"]["randomised"] = None
    page = build_page(run, config, repository / "workflow" / "report", specs)
    assert "The config does not say whether donors were randomised to groups" in page
    assert "The config asks for no permutations" in page


def test_summary_is_the_tables(normal: Any) -> None:
    run, config, _ = normal
    made = summary(run, config)
    row = run.contrasts.set_index("contrast").loc["RT_vs_AT_change"]
    assert made["contrasts"]["RT_vs_AT_change"]["up"] == row["up"]
    assert made["contrasts"]["RT_vs_AT_change"]["down_main"] == row["down_main"]
    assert made["pairs"] == {"AT": 8, "RT": 8}
    target = run.targets[run.targets["target"] == "BGN"].set_index("contrast")
    assert made["target"]["name"] == "BGN"
    for contrast, said in made["target"]["contrasts"].items():
        assert said["verdict"] == target.loc[contrast, "verdict"]
        assert said["headline"] == target.loc[contrast, "headline"]
    calls = run.factors[run.factors["factor"] == "CCL28"]["call"]
    assert made["factors"]["CCL28"]["confirmed"] == (calls == "confirmed").sum()
    assert made["factors"]["CCL28"]["responsive"] == calls.isin(["confirmed", "responsive"]).sum()
    assert made["factors"]["CXCL4"]["responsive"] == 0
    assert json.loads(json.dumps(made)) == made


def first_target(run: Any, made: dict[str, Any], repository: Path, contrast: str) -> str:
    """Return what the page's top says of the first target in a contrast."""
    template = environment(repository / "workflow" / "report").get_template("sections/glance.html")
    made["target"]["contrasts"] = {contrast: made["target"]["contrasts"][contrast]}
    views = {
        "warnings": [],
        "lines": [],
        "levels": [],
    }
    text = template.render(
        summary=made, views=views, settings={"notes": [], "pools": []}, labels=labels_of(run),
        figures=defaultdict(lambda: ENTRY), run=run, design_words=[], calls_compared=[],
        pairs_of_groups=[], target_first={
            "in_full": [contrast], "in_short": [],
        },
    )  # fmt: skip
    return text[text.index("Did BGN change?") :]


@pytest.mark.parametrize(
    ("verdict", "headline", "shown", "robust"),
    [
        ("up", "up", "up", True),
        ("down", "none", "not established", False),
        ("no_change", "none", "no change", False),
        ("inconclusive", "none", "inconclusive", False),
    ],
)
def test_the_page_s_top_shows_headlines(
    normal: Any, repository: Path, verdict: str, headline: str, shown: str, robust: bool
) -> None:
    run, config, _ = normal
    name = "AT_post_vs_pre"
    targets = run.targets.copy()
    bgn = (targets["target"] == "BGN") & (targets["contrast"] == name)
    columns = ["verdict", "headline", "robust", "reason"]
    targets["robust"] = targets["robust"].astype(object)
    targets.loc[bgn, columns] = [verdict, headline, True, "Here it is."]
    made = summary(replace(run, targets=targets), config)
    text = first_target(run, made, repository, name)
    words = " ".join(re.sub(r"<[^>]*>", " ", text[: text.index("Here it is.")]).split())
    assert words.endswith(f": {shown}")
    # what holds without any single donor is said only of what is established
    assert ("All of it holds without any donor." in text) == robust


def test_a_verdict_says_once_what_holds_without_one_donor(normal: Any, repository: Path) -> None:
    run, config, _ = normal
    name = "AT_post_vs_pre"
    loo, targets = run.loo.copy(), run.targets.copy()
    bgn = (targets["target"] == "BGN") & (targets["contrast"] == name)
    own = (loo["target"] == "BGN") & (loo["contrast"] == name)
    loo["verdict_stands"] = ~(own & (loo["left_out"] == "AT03"))
    kept = "Sign and size hold without any single donor; significance does not without AT03."
    other = "Genome-wide call: none (it was made up)."
    columns = ["reason", "leave_one_out", "genome_wide"]
    targets[columns] = targets[columns].astype(object)
    targets.loc[bgn, columns] = ["Here it is.", kept, other]
    made = summary(replace(run, loo=loo, targets=targets), config)
    assert made["target"]["contrasts"][name]["needs"] == ["AT03"]
    text = first_target(run, made, repository, name)
    said = text[text.index("Here it is.") : text.index("</li>")].strip()
    assert said == f"Here it is. {kept} {other}"


def test_the_verdict_has_the_estimate_with_donors_without_a_pair_beside_it(normal: Any) -> None:
    _, _, page = normal
    cells = re.findall(r'<td class="words"[^>]*>(.*?)</td>', page, re.DOTALL)
    found = [cell for cell in cells if "with all samples" in cell]
    assert len(found) == 1
    estimate = "0.250 (−0.125 to 0.625)."
    assert f"Sensitivity analysis with all samples (9 donors): {estimate}" in found[0]
    assert f"(9 donors; assumes that the groups start at the same level): {estimate}" in found[0]


def test_no_evidence_is_not_assessable(tmp_path: Path, repository: Path) -> None:
    run, config, page = page_of(tmp_path, repository, Shape(genes=150, evidence=False, changed=0))
    assert summary(run, config)["factors"]["CCL28"]["assessable"] is False
    assert "not assessable, because the cohort has no evidence" in page


def test_a_report_writes_what_it_declares(tmp_path: Path, repository: Path) -> None:
    config = make_run(tmp_path, repository, Shape(genes=150, factors=("CCL28",), pairs=3))
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    with Drawing() as drawing:
        write_report(tmp_path, config, provenance, repository / "workflow" / "report", drawing)
    for name in ("report.html", "summary.json", "provenance.json"):
        assert (tmp_path / name).stat().st_size > 0
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    declared = figure_names(contrasts_of(["AT", "RT"], "pre", "post"), ["CCL28"])
    kinds = ("svg", "png", "pdf")
    assert drawn == {f"{name}.{kind}" for name in [*declared, "figure1"] for kind in kinds}


def test_a_large_cohort_fits_six_megabytes(tmp_path: Path, repository: Path) -> None:
    _, _, page = page_of(tmp_path, repository, Shape(genes=20_000, pairs=28, sets=60))
    assert len(page.encode()) < 6_000_000
