"""docs/sentences.md has every sentence, as the code makes it today."""

from __future__ import annotations

from pathlib import Path

from helpers import sentences
from helpers.sentence_templates import fragments, templates

MODULE = '''
"""Words in a docstring."""
NAMED = {"all_zero": "it has no counts"}
def made(size):
    """More words in one."""
    who = "one donor" if size == 1 else f"{size} donors"
    if size < 0:
        raise ValueError("no words for users")
    said = f"this rests on {who}, which"
    said += " is too few" + (" to tell" if size else "")
    return said, {"gene_id": size}
'''


def test_the_page_is_what_the_code_says() -> None:
    assert sentences.PAGE.read_text(encoding="utf-8") == sentences.page(), (
        "docs/sentences.md is not what the code says: make docs"
    )


def test_the_examples_reach_every_branch() -> None:
    assert sentences.unreached() == []


def test_modules_of_verdicts_and_checks_are_all_on_the_page() -> None:
    text = sentences.PAGE.read_text(encoding="utf-8")
    shown = [
        path.relative_to(sentences.SOURCE).as_posix()
        for package in ("qc", "factors", "targets", "outcomes", "serum_panel", "chain", "synthesis")
        for path in (sentences.SOURCE / package).glob("*.py")
        if any(True for _ in templates(path))
    ]
    assert len(shown) > 30
    shown += ["report/story.py", "cohort/samples.py"]
    missing = [
        name for name in shown if name not in sentences.WHOLE and f"### {name}\n" not in text
    ]
    assert missing == []


def test_sentences_are_whole() -> None:
    texts = [text for examples in sentences.GROUPS.values() for text in examples()]
    assert len(texts) > 150
    wrong = [text for text in texts if "nan" in text.split() or "None" in text or "  " in text]
    assert wrong == []


def test_strings_are_read_from_the_source(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")
    assert [text.template for text in templates(path)] == [
        "this rests on [one donor|{size} donors], which",
        "is too few[ to tell|]",
    ]
    assert [text for _, text in fragments(path)] == [
        "it has no counts",
        "one donor",
        "this rests on ",
        " is too few",
        " to tell",
    ]
