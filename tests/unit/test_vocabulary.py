"""The check for mannerisms finds those of the style guide, and leaves plain sentences alone."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def vocabulary(repository: Path) -> dict[str, Any]:
    return runpy.run_path(str(repository / "workflow/vocabulary.py"))


@pytest.mark.parametrize(
    "text",
    [
        "what is wrong is said in one list",
        "it cannot be told here",
        "as its serum level foretells",
        "Everything stands under results/",
        "the samples stand more than once",
        "one person cannot speak for others",
        "its change goes with that of the level",
        "the value is no positive number",
        "changes that are none of the serum",
        "Donor RT03 alone carries the finding",
        "that is what is wrong. Mend it",
        "what became of each sample",
        "the interval holds 0",
        "Which genes answer to a factor",
        "which the main model takes for granted",
        "a flat one is as it should be",
        "RT has one pair alone",
        "kept for the baseline contrast\n  alone",
        "in the stimulation arm",
        "no second opinion was asked for",
        "to judge the scatter by",
        "donors do not spread equally",
        "100 relabellings of donors",
        "the two lines of evidence",
        "in one arm of the study",
        "it calls too much with few donors",
        "One sample decides the fit",
        "the models see opposite signs",
        "whose blocks hold it already",
        "puts it on human dermal fibroblasts",
        "How far it goes",
        "the size factors did not settle",
    ],
)
def test_what_the_style_guide_names_is_found(vocabulary: dict[str, Any], text: str) -> None:
    (hit, *_) = vocabulary["hits_in"](text, "README.md")
    assert hit.instead


@pytest.mark.parametrize(
    "text",
    [
        "There is no gene that is no longer tested.",
        "RT has only one pair (donor D1), which is not enough for a verdict.",
        "BGN stands for biglycan, an understanding of standards; pairs stand out.",
        "The analysis was carried out over 12 genes.",
        "A scatter plot of --set-scatter groups; work is spread over cores.",
        "verdict_stands and carried_by are columns, as is second_opinion.",
        "An answer to the question is below.",
        "The change is no larger than in the study arm AT, and is no smaller.",
        "Both choices are settled by simulation.",
        "The 95 % interval includes 0.",
    ],
)
def test_plain_sentences_pass(vocabulary: dict[str, Any], text: str) -> None:
    assert list(vocabulary["hits_in"](text, "README.md")) == []


def test_places_are_lines(vocabulary: dict[str, Any]) -> None:
    (hit,) = vocabulary["hits_in"]("One.\nTwo stands\nhere.", "a.md", line=10)
    assert (hit.path, hit.line) == ("a.md", 11)


def test_strings_of_code_are_read_whole_and_docstrings_left_out(
    vocabulary: dict[str, Any],
) -> None:
    source = '''"""It stands here."""
def f(x):
    """It stands here."""
    # it stands here
    return f"the gene {x} " f"is no {x}", "two words", "one"
'''
    assert sorted(vocabulary["strings_of"](source)) == [
        (5, "the gene x is no x"),
        (5, "two words"),
    ]


def test_code_in_documents_is_left_out(vocabulary: dict[str, Any]) -> None:
    text = "see `it stands`\n```\nstands\n```\n{{ views.spread.ratios }}\nspread: {a: 1}\nno"
    left = vocabulary["UNREAD"].sub(vocabulary["_blank"], text)
    assert list(vocabulary["hits_in"](left, "a.md")) == []
    assert left.count("\n") == text.count("\n")


def test_each_exception_is_needed(vocabulary: dict[str, Any], repository: Path) -> None:
    for path, part in vocabulary["ALLOWED"]:
        text = re.sub(r"\s+", " ", (repository / path).read_text(encoding="utf-8"))
        assert part in text, f"{part!r} is no longer in {path}: remove the exception"
        assert list(vocabulary["hits_in"](part, "elsewhere")), f"{part!r} needs no exception"


def test_each_place_that_users_read_exists(vocabulary: dict[str, Any], repository: Path) -> None:
    for pattern in (*vocabulary["TEXTS"], *vocabulary["CODE"], *vocabulary["RULES"]):
        assert any(repository.glob(pattern)), pattern
