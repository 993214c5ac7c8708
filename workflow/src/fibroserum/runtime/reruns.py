"""What makes Snakemake run a rule again: checksums of its input files and of the code it uses."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from fibroserum.files.checksum import sha256

PACKAGE = Path(__file__).resolve().parents[1]
#: Bytes of an input that are read at each start to see whether it changed.
STAMPED = 64_000_000


def stamp(paths: Iterable[str]) -> dict[str, str]:
    """Return a text for each file or folder that changes with its content.

    Given to a rule as a param, it makes Snakemake re-run what used another content. Snakemake's
    own look at the time of change misses a file that was put back from an older copy, and a file
    within a folder. Above `STAMPED` bytes size and time of change stand for the content.
    """
    return {path: _stamp(Path(path)) for path in paths}


def _stamp(place: Path) -> str:
    try:
        files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        stats = [file.stat() for file in files]
        if sum(stat.st_size for stat in stats) <= STAMPED:
            return sha256(place)
    except OSError as error:
        # what reads the file says so with more words
        return str(error)
    noted = [f"{f} {s.st_size} {s.st_mtime_ns}" for f, s in zip(files, stats, strict=True)]
    return hashlib.sha256("\n".join(noted).encode()).hexdigest()


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the dotted name that a `from` import names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parents = path.resolve().relative_to(PACKAGE.parent).parent.parts
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, without what `if TYPE_CHECKING:` keeps for type checkers."""
    yield node
    below = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        below = iter(node.orelse)
    for child in below:
        yield from _run(child)


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return the dotted names below `fibroserum` that a file imports when it runs."""
    found: set[str] = set()
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == "fibroserum")


def _file_of(name: str) -> Path | None:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (place.with_suffix(".py"), place / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _data(path: Path) -> frozenset[Path]:
    """Return the files of the package's data that a module names."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(file for file in (PACKAGE / "data").iterdir() if file.name in texts)


def modules_of(script: str | Path) -> list[Path]:
    """Return the library's files that a script needs, directly or through others; data too."""
    waiting = [Path(script)]
    seen: set[Path] = set()
    while waiting:
        for name in _imports(waiting.pop()):
            # importing a.b.c runs a/__init__ and a/b/__init__ too
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                file = _file_of(".".join(parts[:length]))
                if file and file not in seen:
                    seen.add(file)
                    waiting.append(file)
    return sorted(seen | {file for module in seen for file in _data(module)})


def code_of(script: str | Path) -> str:
    """Return a checksum of a script and of the library's files that it needs.

    Given to a rule as a param, it makes Snakemake re-run the rules that use an edited module, and
    no other: Snakemake itself does not look into imported modules.
    """
    files = [Path(script), *modules_of(script)]
    return hashlib.sha256("".join(sha256(file) for file in files).encode()).hexdigest()[:16]
