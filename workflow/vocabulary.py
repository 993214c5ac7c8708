"""Words that may not come back: mannerisms, and second words for one thing.

`python workflow/vocabulary.py` prints each place in what users read (documents, configs, schemas,
captions, templates, messages in the code) that has one, with what to write, and fails if there is
any. It reads no comments or docstrings of the code.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mannerism(NamedTuple):
    """A pattern that may not occur, and what to write."""

    pattern: str
    instead: str


MANNERISMS = (
    Mannerism(r"(?:is|are|was|were|be|been|nothing) (?:not )?said\b", "say who does what"),
    Mannerism(r"(?:is|are|can be|cannot be) told\b", "assess, detect, distinguish; read"),
    Mannerism(r"foretell?s?\b|foretold\b", "predict"),
    Mannerism(r"stands?\b(?! for\b| out\b)|stood\b", "is, is written, appears, is listed"),
    Mannerism(r"speaks?\b|spoken\b", "support, contradict, describe"),
    Mannerism(r"that of\b", "name the thing again"),
    Mannerism(
        r"(?<!there )(?:is|are) no (?!longer|more|less|fewer|better|worse|larger|smaller|higher"
        r"|lower|greater|later|earlier|sign|proof|evidence)\w",
        "is not a, are not",
    ),
    Mannerism(r"(?:is|are) none of\b", "is not one of, is not caused by"),
    Mannerism(r"(?:carry|carries|carried)\b(?! out\b)", "depend on, is driven by; contain"),
    Mannerism(r"mend(?:s|ed)?\b", "fix"),
    Mannerism(r"became of\b|become of\b|becomes of\b", "say what happened to it"),
    Mannerism(r"(?:hold|holds|without|leaves? out) 0\b", "includes 0, excludes 0"),
    Mannerism(r"(?:goes|go|went|going) (?:with|against)\b", "is associated with, increases with"),
    Mannerism(r"genes? (?:that |which )?answers? to\b", "respond to"),
    Mannerism(r"for granted\b", "assume"),
    Mannerism(r"as it should be\b", "as expected"),
    Mannerism(r"such as (?:have|are|has|is)\b", "those that"),
    Mannerism(r"it is by\b|it is for this\b", "use the usual word order"),
    Mannerism(r"for want of\b", "without"),
    Mannerism(r"(?:whereof|thereof|wherein|therein|hitherto)\b", "use the usual word order"),
    Mannerism(r"without a word\b", "without a message"),
    Mannerism(r"bear in mind\b", "say what to do"),
    Mannerism(
        r"(?:pairs?|donors?|samples?|genes?|groups?|contrasts?|models?|cohorts?|columns?|files?"
        r"|times?|levels?|estimates?|start) alone\b(?! or)",
        "only",
    ),
    Mannerism(r"(?<!study )arms?\b", "stimulation experiment, group"),
    Mannerism(r"calls? too (?:much|many)\b", "yields too many false positives"),
    Mannerism(r"(?:decides?|decided) the fit\b", "drives the fit"),
    Mannerism(r"sees? opposite\b", "disagree on the direction of change"),
    Mannerism(r"blocks hold\b", "absorb"),
    Mannerism(r"puts? (?:it|them) on\b", "applies it to"),
    Mannerism(r"how far (?:it|this|they) goe?s?\b", "scaling"),
    Mannerism(r"(?:do|does|did|do) not settle\b|settled\b(?! by\b)", "converge"),
    Mannerism(r"second opinions?\b", "second model"),
    Mannerism(r"scatter\b(?! ?plot)(?<!set-scatter)", "variance, between-donor variability"),
    Mannerism(r"spreads?\b(?! over\b)", "variance, between-donor variability"),
    Mannerism(r"relabell?(?:ed|ing|ings)?\b", "permutation"),
    Mannerism(r"(?:held|hold) fits?\b", "fixed-prior refit"),
    Mannerism(r"lines? of evidence\b|(?:both|two|other) lines point", "evidence, source"),
)
FOUND = [(re.compile(rf"\b(?:{one.pattern})", re.IGNORECASE), one) for one in MANNERISMS]
#: places where such a word is right, by file and by a part of the text around it
ALLOWED: tuple[tuple[str, str], ...] = (
    # a journal
    ("docs/cohorts.md", "Natl Bur Stand"),
    # a column of calibration.tsv
    ("workflow/report/sections/methods.html", 'attribute="relabellings"'),
)
#: characters around a word in which a part of ALLOWED is looked for
AROUND = 60

#: pages that are made from strings in the code or from schemas, which are read themselves
GENERATED = ("docs/tables.md", "config/README.md")
TEXTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "config/**/*.md",
    "config/**/*.yaml",
    "results/README.md",
    "resources/**/*.md",
    "workflow/reading.md",
    "workflow/profiles/**/*.yaml",
    "workflow/src/fibroserum/data/*.yaml",
    "workflow/report/**/*.html",
    "workflow/report/**/*.rst",
)
CODE = ("workflow/src/**/*.py", "workflow/scripts/*.py", "workflow/*.py")
RULES = ("workflow/rules/*.smk", "workflow/Snakefile", "Snakefile", "workflow/report/*.js")
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`')
#: code in documents, comments of templates, addresses, names such as views.spread, keys of YAML
UNREAD = re.compile(
    r"```.*?```|`[^`\n]*`|\{#.*?#\}|https?://\S+|\b\w+(?:\.\w+)+|^[ #]*[\w-]+:(?= )",
    re.DOTALL | re.MULTILINE,
)


class Hit(NamedTuple):
    """A mannerism at a place."""

    path: str
    line: int
    text: str
    instead: str


def hits_in(text: str, path: str, line: int = 1) -> Iterator[Hit]:
    """Yield the mannerisms of a text; line: the number of its first line."""
    # one character a line end, so that words on two lines of a text or a comment are found
    text = re.sub(r"[ \t]*\n[ \t]*(?:#+[ \t]*)?", "\n", re.sub(r"[ \t]+", " ", text))
    flat = text.replace("\n", " ")
    for pattern, one in FOUND:
        for match in pattern.finditer(flat):
            around = flat[max(0, match.start() - AROUND) : match.end() + AROUND]
            if any(place == path and part in around for place, part in ALLOWED):
                continue
            at = line + text.count("\n", 0, match.start())
            shown = flat[max(0, match.start() - AROUND // 2) : match.end() + AROUND // 2]
            yield Hit(path, at, shown.strip(), one.instead)


def _blank(match: re.Match[str]) -> str:
    """Return what takes the place of code in a document: its lines, without its words."""
    return "\n" * match[0].count("\n") or "x"


def strings_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of the strings of Python code, docstrings left out.

    A string with parts that are filled in is one text, `x` in the place of each.
    """
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in skipped:
            continue
        if isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def _read(*patterns: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def hits() -> Iterator[Hit]:
    """Yield every mannerism in what users read."""
    for path, text in _read(*TEXTS):
        if path in GENERATED:
            continue
        yield from hits_in(UNREAD.sub(_blank, text), path)
    for path, text in _read(*CODE):
        if path == "workflow/vocabulary.py":
            continue
        for line, string in strings_of(text):
            yield from hits_in(string, path, line)
    for path, text in _read(*RULES):
        for match in STRING.finditer(text):
            yield from hits_in(match[0], path, text.count("\n", 0, match.start()) + 1)


def main() -> int:
    """Print the mannerisms with their places; return 1 if there are any."""
    found = list(hits())
    for hit in found:
        print(f"{hit.path}:{hit.line}: …{hit.text}… → {hit.instead}", file=sys.stderr)
    print(f"vocabulary: {len(found)} places to rewrite")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
