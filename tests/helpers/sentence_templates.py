"""The prose in a module's string constants, read from its syntax tree.

`fragments` are the constant parts, for a check that each of them is on the page of sentences;
`templates` are whole strings, with `{name}` for what is filled in and `[a|b]` for alternatives.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: how much of an expression is shown for what is filled in
SHOWN = 24
#: a text of as many words, with nothing filled in, is a name or a part of a phrase
FEWEST_WORDS = 4
Scope = dict[str, list[ast.expr]]


@dataclass(frozen=True)
class Text:
    """A string of a module: the line it is on, the function it is in, and its template."""

    line: int
    function: str
    template: str


def is_prose(text: str) -> bool:
    """Return whether a text reads as words: two of them at least, one in lower case."""
    words = re.findall(r"[^\W\d_]{2,}", text)
    return len(words) > 1 and " " in text.strip() and any(word.islower() for word in words)


def is_sentence(text: str) -> bool:
    """Return whether a template says something, rather than being a name or a part of a phrase."""
    own = re.sub(r"\{[^{}]*\}", "", text)
    return is_prose(own) and (own != text or len(text.split()) > FEWEST_WORDS)


def squeezed(text: str) -> str:
    """Return a text in lower case with single spaces."""
    return " ".join(text.lower().split())


def _ignored(tree: ast.Module) -> set[int]:
    """Return the ids of nodes that no table or page shows: docstrings, errors of the programmer."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.Assert):
            found |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
    return found


def fragments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each constant part of a string that reads as words."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = _ignored(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in ignored:
            continue
        if isinstance(node.value, str) and is_prose(node.value):
            yield node.lineno, node.value


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr)


def _filled(node: ast.expr, scope: Scope, depth: int) -> str:
    """Return how an expression inside a string is shown."""
    if isinstance(node, ast.Name) and depth and (own := scope.get(node.id)):
        return _alternatives([_rendered(one, scope, depth - 1) for one in own])
    if isinstance(node, ast.IfExp) or _is_text(node):
        return _rendered(node, scope, depth)
    if isinstance(node, ast.Constant):
        return "" if node.value is None else str(node.value)
    source = ast.unparse(node)
    if len(source) > SHOWN:
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        source = names[-1] if names else "…"
    return f"{{{source}}}"


def _alternatives(texts: list[str]) -> str:
    own = list(dict.fromkeys(texts))
    return own[0] if len(own) == 1 else f"[{'|'.join(own)}]"


def _rendered(node: ast.expr, scope: Scope, depth: int) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _filled(part.value, scope, depth)
            if isinstance(part, ast.FormattedValue)
            else str(ast.literal_eval(part))
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _rendered(node.left, scope, depth) + _rendered(node.right, scope, depth)
    if isinstance(node, ast.IfExp):
        return _alternatives([_rendered(one, scope, depth) for one in (node.body, node.orelse)])
    return _filled(node, scope, depth)


def _assigned(function: ast.AST) -> Scope:
    """Return the texts that a function gives to each name."""
    found: Scope = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _is_text(node.value):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def _used_inside(function: ast.AST) -> set[str]:
    """Return the names that are filled into strings with words of their own."""
    return {
        part.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.JoinedStr) and _has_words(node)
        for part in node.values
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name)
    }


def _has_words(node: ast.expr) -> bool:
    """Return whether a string reads as words before anything is filled in."""
    own = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return is_prose(" ".join(text for text in own if isinstance(text, str)))


def templates(path: Path) -> Iterator[Text]:
    """Yield the strings of a module that read as words, whole, in the order of the module.

    A name that is filled in is replaced by the texts that its function gives to it.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = _ignored(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(part) for one in functions for part in ast.walk(one) if part is not one}
    found: list[Text] = []
    for scope in [tree, *functions]:
        texts = _assigned(scope) if scope is not tree else {}
        inlined = _used_inside(scope)
        for node in _outermost(scope, ignored):
            if scope is tree and id(node) in inside:
                continue
            if any(node is one for name in inlined for one in texts.get(name, [])):
                continue
            template = _rendered(node, texts, depth=2)
            if _has_words(node) and is_sentence(template):
                name = getattr(scope, "name", "")
                found.append(Text(node.lineno, name, " ".join(template.split())))
    yield from sorted(dict.fromkeys(found), key=lambda text: text.line)


def _outermost(scope: ast.AST, ignored: set[int]) -> Iterator[ast.expr]:
    """Yield the strings of a scope that are in no other string, nested functions left out."""
    for child in ast.iter_child_nodes(scope):
        if id(child) in ignored or isinstance(child, ast.FunctionDef):
            continue
        if isinstance(child, ast.expr) and _is_text(child):
            yield child
        else:
            yield from _outermost(child, ignored)
