"""docs/sentences.md: every sentence that verdicts and checks can produce, in one place.

`make docs` writes it. Sentences on targets, outcomes, molecules, chains and several cohorts
are made by the functions that make them; those of quality control and factors, and reasons that
need a whole cohort to arise, are read from the source as templates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from helpers.sentence_examples import GROUPS
from helpers.sentence_templates import fragments, squeezed, templates

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "workflow/src/fibroserum"
PAGE = ROOT / "docs/sentences.md"
#: modules whose sentences are all among the examples
WHOLE = (
    "targets/all_groups.py",
    "targets/baseline.py",
    "targets/context.py",
    "targets/genome_wide.py",
    "targets/leave_one_out_words.py",
    "targets/patterns.py",
    "targets/phrases.py",
    "targets/planning_words.py",
    "targets/power.py",
    "targets/sentences.py",
    "targets/untestable.py",
    "outcomes/sentences.py",
    "serum_panel/candidates.py",
    "factors/sentences.py",
    "chain/rows.py",
    "chain/sentences.py",
)
#: packages whose other modules are shown as templates, and modules by themselves
TEMPLATES = {
    "Quality control": ("qc",),
    "Factors": ("factors",),
    "Slopes, outcomes, serum panel and chain: why something was not assessed": (
        "slopes",
        "outcomes",
        "serum_panel",
        "chain",
    ),
    "Targets: other reasons": ("targets",),
    "Several cohorts: why a cohort has no estimate": ("synthesis",),
    "The story of a run": ("report/story.py",),
    "Samples and contrasts: why they are not used or not estimable": (
        "cohort/samples.py",
        "cohort/rank.py",
        "cohort/dose.py",
    ),
}
HEAD = """# Every sentence of verdicts and checks

This page is generated (`make docs`), so that all sentences can be read in one place. First come
examples, made with invented numbers by the functions that make the sentences of a run. Then come
templates, read from the source: `{name}` is filled in, and of `[one|other]` one is used.
"""


def page() -> str:
    """Return docs/sentences.md."""
    parts = [HEAD]
    for title, examples in GROUPS.items():
        rows = [f"- {text}" for text in dict.fromkeys(examples())]
        parts.append("\n".join([f"## {title}", "", *rows, ""]))
    for title, packages in TEMPLATES.items():
        parts.append(f"## {title}\n")
        for package in packages:
            parts += [_templates(path) for path in _others(package)]
    return "\n".join(part for part in parts if part)


def _others(package: str) -> Iterator[Path]:
    """Yield the modules of a package, or the one module, that are shown as templates."""
    own = SOURCE / package
    for path in [own] if own.suffix else sorted(own.glob("*.py")):
        if path.relative_to(SOURCE).as_posix() not in WHOLE:
            yield path


def _templates(path: Path) -> str:
    rows = list(dict.fromkeys(f"- {_escaped(text.template)}" for text in templates(path)))
    name = path.relative_to(SOURCE).as_posix()
    return "\n".join([f"### {name}", "", *rows, ""]) if rows else ""


def _escaped(text: str) -> str:
    """Return a template as Markdown, in which `*` and `_` would be emphasis."""
    return text.replace("*", r"\*").replace("_", r"\_")


def unreached() -> list[str]:
    """Return the parts of sentences in WHOLE that no example has, with their places."""
    shown = squeezed("\n".join(text for examples in GROUPS.values() for text in examples()))
    return [
        f"{name}:{line}: {text!r}"
        for name in WHOLE
        for line, text in fragments(SOURCE / name)
        if squeezed(text) not in shown
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
