"""The methods paragraph says what this run did, whatever its shape."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fibroserum.counts.table import Matrix
from fibroserum.counts.values import to_counts
from fibroserum.input.config import with_defaults
from fibroserum.input.schema import config_schema
from fibroserum.report.page.methods_words import (
    counts_in_words,
    default_choices,
    levels_in_words,
    samples_in_words,
    set_sources,
)
from fibroserum.report.page.tables import covariates_in_words, spread_of_groups, unused_levels
from fibroserum.report.page.templates import environment

RAW = {
    "cohort": "c",
    "counts": ["counts.tsv"],
    "samples": "samples.tsv",
    "design": {"group": "group", "before": "pre", "after": "post", "reference_group": "AT"},
}


@pytest.fixture
def said(repository: Path) -> Any:
    schema = config_schema()

    def paragraph(
        groups: tuple[str, ...] = ("AT", "RT"),
        de: dict[str, Any] | None = None,
        calibration: tuple[int | None, ...] = (),
        pairs: int = 8,
        ratios: tuple[float | None, ...] = (1.01, None, 1.3, 1.02),
        factors: dict[str, Any] | None = None,
        unused: dict[str, str] | None = None,
        poor: bool = False,
        weighted: bool = False,
        **settings: Any,
    ) -> str:
        targets = settings.pop("targets", ["BGN", "DCN"])
        defaults = settings.pop("defaults", ())
        views = settings.pop("views", {})
        versions = settings.pop("versions", {})
        design = RAW["design"] | {"block": settings.pop("block", None)}
        config = with_defaults(
            RAW
            | {"design": design}
            | {"differential_expression": de or {}, "targets": targets, "factors": factors or {}},
            schema,
        )
        kinds = ["change", "change", "difference", "baseline"] if len(groups) > 1 else ["change"]
        contrasts = pd.DataFrame({"kind": kinds, "spread_ratio": ratios[: len(kinds)]})
        facts = {
            "config": config,
            "run": SimpleNamespace(metrics=[0] * 16, times=["post"]),
            "pairs_of_groups": [
                {"group": group, "counts": [{"time": "post", "pairs": pairs}]} for group in groups
            ],
            "summary": {"version": "1.0", "pairs": dict.fromkeys(groups, pairs)},
            "settings": {
                "groups": list(groups),
                "pools": [],
                "crossover": False,
                "size_factor_method": "ratio",
            }
            | settings,
            "labels": {},
            "poor": poor,
            "weighted": weighted,
            "views": {
                "sheet": [],
                "lines": [],
                "factors": list(factors or {}),
                "unused": unused or {},
                "planning": [],
                "chain": {"factors": []},
                "spread": spread_of_groups(contrasts),
                "published": [],
                "calibration": [{"relabellings": count} for count in calibration],
                "covariates": [],
                "counting": "Gene counts were raw counts.",
                "lost_samples": [],
                "levels_used": {},
                "contrasts": [],
                "default_choices": [],
                "set_sources": ["sets.gmt"],
            }
            | views,
            "provenance": {
                "versions": versions,
                "inputs": {},
                "defaults": list(defaults),
            },
            "schemas": {},
            "bibtex": "",
            "config_json": "",
        }
        template = environment(repository / "workflow" / "report").get_template(
            "sections/methods.html"
        )
        page = template.render(**facts)
        text = page[page.index('id="methods-text"') : page.index("</blockquote>")]
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())

    return paragraph


def test_two_groups(said: Any) -> None:
    text = said()
    assert "AT: 8 complete pairs, RT: 8 complete pairs" in text
    assert "one indicator per donor and one change per group;" in text
    assert "groups before the intervention were compared in a model of the samples before." in text
    assert "moderated t tests of limma (Smyth 2004, with a trended prior; Law et al. 2014)" in text
    assert "on one value per donor and contrast, with a residual variance for each group" in text
    assert "(typical variances of the contrasts were 1.01 to 1.30 times those of a model" in text
    assert "in groups of two or three by refits without each in turn" in text
    assert "The reference group was AT." in text
    assert "2 target genes were declared" in text
    assert "specific to one group by the difference between groups" in text
    for word in ("pool", "crossover", "permutation of", "above 0", 'was "no change"', "/"):
        assert word not in text


def test_what_is_a_default_is_no_choice(said: Any) -> None:
    assert "2 target genes were declared in advance and judged" in said()
    text = said(defaults=["targets", "seed"], views={"default_choices": [("random seed", "1")]})
    assert "2 target genes, the default list of fibroserum, were judged" in text
    assert "declared in advance" not in text
    assert (
        "These settings are the defaults of fibroserum, not choices of this study: random seed 1."
        in text
    )
    run = SimpleNamespace(provenance={"defaults": ["targets", "gene_sets", "seed", "tx2gene"]})
    config = {
        "targets": ["BGN", "DCN"], "gene_sets": ["/a/b/ecm.gmt"], "seed": 1,
        "differential_expression": dict.fromkeys(
            ("alpha", "min_count", "lfc_threshold", "second_opinion"), 1
        ),
        "enrichment": dict.fromkeys(("min_size", "max_size", "permutations"), 1),
    }  # fmt: skip
    assert default_choices(run, config) == [
        ("targets", "BGN, DCN"), ("gene sets", "ecm"), ("random seed", "1")
    ]  # fmt: skip
    assert default_choices(SimpleNamespace(provenance={}), config) == []


def test_the_kind_of_each_covariate_is_said(said: Any) -> None:
    run = SimpleNamespace(
        settings={"covariates": ["sheet.line", "hours"], "categorical": ["sheet.line"]},
        obs=pd.DataFrame({"sheet.line": ["1", "2", "3"], "hours": ["1", "2", "4"]}),
    )
    words = covariates_in_words(run)
    assert words == ["line (categorical, 3 categories)", "hours (numeric, one slope)"]
    text = said(views={"covariates": words})
    assert f"The models adjusted for {words[0]}, {words[1]}." in text


@pytest.mark.parametrize(
    ("per_donor", "words"),
    [
        ("all", "all combined within each donor"),
        ("some", "combined within a donor where it was tested on several"),
        ("none", "each donor was tested on one of them"),
    ],
)
def test_lines_are_combined_only_where_they_were(said: Any, per_donor: str, words: str) -> None:
    text = said(views={"lines": ["L1", "L2"]}, lines_per_donor=per_donor)
    assert f"Fibroblast cell lines: L1, L2 ({words})." in text


def test_one_group_has_no_other(said: Any) -> None:
    text = said(groups=("all",), pairs=1)
    assert "(1 complete pair)" in text
    assert "one indicator per donor and one change. Models" in text
    assert "reference group" not in text
    for word in ("all:", "groups", "each group", "baseline", "before the intervention"):
        assert word not in text


def test_the_variance_is_that_of_this_run(said: Any) -> None:
    assert "were 0.90 to 1.30 times those" in said(ratios=(1.2, 0.9, 1.1, 1.3))
    for text in (said(groups=("all",), ratios=(1.2,) * 4), said(ratios=(None,) * 4)):
        assert "typical variances" not in text
    assert "for each group" not in said(groups=("all",))
    assert "for each group" not in said(crossover=True)


def test_blocks_are_named(said: Any) -> None:
    text = said(block="plate")
    assert "on one value per block of donors (plate) and contrast" in text


def test_a_level_that_could_not_be_used_is_no_evidence(said: Any) -> None:
    level = {"gene": None, "serum": "level"}
    arm = {"counts": "c.tsv", "samples": "s.tsv", "column": "t", "control": "a", "treated": "b"}
    unused = {"F": "the level changes by the same in every donor"}
    assert "identified from the serum level only:" in said(factors={"F": level})
    text = said(factors={"F": level}, unused=unused)
    assert (
        "could not be identified: the serum level, the only evidence, could not be used (the"
        in text
    )
    both = said(factors={"F": level | {"stimulation": arm}}, unused=unused)
    assert "from a stimulation experiment only; the serum level could not be used (the" in both
    for words in ("from the serum level", "Stouffer"):
        assert words not in text + both


def test_why_a_level_was_not_used() -> None:
    pairs = pd.DataFrame(
        [
            ("A", True, None),
            ("A", False, "no level before"),
            ("B", False, "no level before"),
            ("B", False, "serum evidence unavailable: it is constant"),
        ],
        columns=["factor", "used", "reason"],
    )
    assert unused_levels(pairs) == {"B": "it is constant"}


def test_a_crossover(said: Any) -> None:
    text = said(crossover=True)
    assert "several samples of the same group and time, they were summed" in text
    assert "one indicator per donor and group and one change per group;" in text
    assert "a model of the samples before, with donors as blocks" in text


@pytest.mark.parametrize(
    ("opinion", "words", "never"),
    [
        ("none", "in this model, without a second model", "both models"),
        ("voom", "with the precision weights of voom; Law et al. 2014", "without a second model"),
        ("limma_trend", "with a trended prior; Law et al. 2014", "precision weights"),
    ],
)
def test_the_second_opinion(said: Any, opinion: str, words: str, never: str) -> None:
    text = said(de={"second_opinion": opinion})
    assert words in text
    assert never not in text


def test_thresholds_and_bounds(said: Any) -> None:
    text = said(de={"lfc_threshold": 0.3, "equivalence_lfc": 0.2, "alpha": 0.1})
    assert "p values of Wald tests of |log2 fold change| above 0.3 were adjusted" in text
    assert 'The verdict was "no change" if the 90 % interval was within ± 0.2.' in text
    assert "Both adjusted p values had to be below 0.1" in text


def test_permutations_are_those_that_were_made(said: Any) -> None:
    asked = {"permutations": 1000}
    assert "Calls of 2 of 2 contrasts" in said(de=asked, calibration=(35, 1000))
    assert "(35 to 1,000 permutations)" in said(de=asked, calibration=(35, 1000))
    assert "Calls of 1 of 2 contrasts" in said(de=asked, calibration=(None, 127))
    assert "No contrast could be calibrated" in said(de=asked, calibration=(0, None))


def test_pools_and_single_targets(said: Any) -> None:
    text = said(pools=["P1", "P2"], targets=["BGN"])
    assert "2 of these donors are pools of sera, each counted as one donor" in text
    assert "A verdict driven by one donor or pool was withheld" in text
    assert "1 target gene was declared" in text
    assert "target" not in said(targets=[])


def test_weights_are_named_where_they_decide(said: Any) -> None:
    assert "weighted by" not in said()
    assert "had less weight" not in said()
    assert "Both adjusted p values, weighted by the evidence for each gene in the donors" in said(
        weighted=True
    )
    assert "had less weight in it (Ritchie et al. 2006, about zero)" in said(poor=True)


def rounded_note() -> str:
    """Return what the reader of counts notes when it rounds."""
    matrix = Matrix("x/counts.tsv", ("g",), ("s1", "s2"), np.array([[10.5, 7.0]]), (2,), ())
    _, notes, problems = to_counts(matrix, "round")
    assert not problems
    return notes[0]


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ([], "Gene counts were raw counts."),
        (["x.tsv: ids merged"], "Gene counts were raw counts."),
        ([rounded_note()], "Gene counts were fractional estimates, rounded to whole numbers."),
        (
            ["q: counts scaled by length from 4 transcript estimates", rounded_note()],
            "Gene counts were length-scaled estimates (Soneson et al. 2015), rounded to whole "
            "numbers.",
        ),
        (
            [rounded_note().replace("counts.tsv", "gene_counts_length_scaled.tsv")],
            "Gene counts were length-scaled estimates (Soneson et al. 2015), rounded to whole "
            "numbers.",
        ),
    ],
)
def test_the_kind_of_counts_is_stated(said: Any, notes: list[str], words: str) -> None:
    assert counts_in_words(notes) == words
    text = said(views={"counting": words})
    assert words in text
    assert "/" not in text


def test_lost_samples_and_donors_are_named() -> None:
    rows = [
        ("a", "D1", "change"),
        ("b", "D2", "baseline"),
        ("c", "D3", "none"),
        ("d", "D1", "none"),
    ]
    samples = pd.DataFrame(rows, columns=["sample", "donor", "used_for"])
    assert samples_in_words(samples) == [
        "Of 4 samples, 2 samples were excluded, or summed with another sample of the same donor "
        "and time (c, d).",
        "Donor D2 has no sample after the intervention; the sample is used only in comparisons "
        "before it.",
    ]
    assert samples_in_words(samples.head(1)) == []


def test_missing_and_censored_levels_are_counted(said: Any) -> None:
    rows = [
        ("F", True, None),
        ("F", True, "the level after is below the limit"),
        ("F", False, "the level after is missing"),
        ("G", True, None),
    ]
    words = levels_in_words(pd.DataFrame(rows, columns=["factor", "used", "reason"]))
    assert words == {
        "F": "The level of F was used in 2 of 3 donors; the others lack a level or a sample. In 1 "
        "of the 2 used, one level was below the limit of detection, and half the limit was used.",
        "G": "The level of G was used in 1 of 1 donors.",
    }
    level = {"F": {"gene": None, "serum": "level"}}
    assert words["F"] in said(factors=level, views={"levels_used": words})


def test_software_and_gene_sets_have_their_versions(said: Any) -> None:
    assert "ran under Snakemake (Mölder et al. 2021) and Python, with NumPy" in said()
    versions = {"snakemake": "9.27.1", "python": "3.12.4", "pydeseq2": "0.5.4", "numpy": "2.4.6"}
    text = said(versions=versions, views={"set_sources": ["own.gmt (SHA-256 0123456789ab…)"]})
    assert "fibroserum 1.0." in text
    assert "parts are from PyDESeq2 0.5.4 (Muzellec et al. 2023)" in text
    assert "ran under Snakemake 9.27.1 (Mölder et al. 2021) and Python 3.12.4, with NumPy" in text
    assert "Gene sets were from own.gmt (SHA-256 0123456789ab…). Sets of 5 to 500" in text


def test_bundled_gene_sets_are_named_with_the_release_of_their_source(repository: Path) -> None:
    with (repository / "resources/SOURCES.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    sources = {row["path"]: row for row in rows}
    go, dermal = (f"resources/gene_sets/{name}_ecm.gmt" for name in ("go", "dermal"))
    inputs = {path: sources[path]["sha256"] for path in (go, dermal)} | {"own.gmt": "ab" * 32}
    config = {"gene_sets": [go, dermal, "own.gmt"]}
    words = set_sources({"config": config, "inputs": inputs})
    assert words[0] == (
        "the Gene Ontology (Ashburner et al. 2000; ontology 2022-07-01, annotations 2022-09-12)"
    )
    assert sources[go]["version"].startswith("ontology 2022-07-01, annotations 2022-09-12;")
    assert words[1] == "the collection dermal_ecm of fibroserum, version 1"
    assert sources[dermal]["version"] == "1"
    assert words[2] == "own.gmt (SHA-256 abababababab…)"
    # an edited copy of a bundled file is a file of one's own
    edited = {"config": {"gene_sets": [go]}, "inputs": {go: "cd" * 32}}
    assert set_sources(edited) == ["go_ecm.gmt (SHA-256 cdcdcdcdcdcd…)"]
