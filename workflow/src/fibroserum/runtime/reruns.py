"""What makes Snakemake run a rule again: checksums of its input files and of the code it uses."""

from __future__ import annotations

import ast
import hashlib
import re
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
    parts = path.parent.relative_to(PACKAGE.parent).parts
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


#: An import statement, with the lines of its parenthesis. To parse whole modules takes thirty times
#: as long, at each start of Snakemake.
_IMPORT = re.compile(r"^[ \t]*((?:from|import)[ \t][^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
#: What only checkers of types import.
_FOR_TYPES = re.compile(r"^( *)if TYPE_CHECKING:\n(?:\1 +.*\n|\n)*", re.MULTILINE)


def imports(text: str) -> Iterator[ast.stmt]:
    """Yield the import statements of a module, without what `if TYPE_CHECKING:` keeps."""
    for found in _IMPORT.finditer(_FOR_TYPES.sub("", text)):
        try:
            yield from ast.parse(found[1]).body
        except SyntaxError:
            # a line of a text that begins with such a word
            continue


@cache
def _needed(path: Path) -> frozenset[Path]:
    """Return the library's files that a file imports when it runs, and the data that it names."""
    text = path.read_text(encoding="utf-8")
    names: set[str] = set()
    for node in imports(text):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    own = (name for name in names if name.split(".")[0] == PACKAGE.name)
    data = {file for file in _data_files() if f'"{file.name}"' in text}
    return frozenset(data.union(*map(_files_of, own)))


@cache
def _files_of(name: str) -> frozenset[Path]:
    """Return the files that run when a dotted name is imported: for a.b, a/__init__ and a/b."""
    *parents, _ = name.split(".")
    above = _files_of(".".join(parents)) if parents else frozenset[Path]()
    place = PACKAGE.parent.joinpath(*name.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return above | {file for file in files if file.is_file()}


@cache
def _data_files() -> tuple[Path, ...]:
    return tuple((PACKAGE / "data").iterdir())


def modules_of(script: str | Path) -> list[Path]:
    """Return the library's files that a script needs, directly or through others; data too."""
    waiting = [Path(script).resolve()]
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        new = _needed(file) - seen if file.suffix == ".py" else set()
        seen |= new
        waiting.extend(new)
    return sorted(seen)


_sha256 = cache(sha256)


def code_of(script: str | Path) -> str:
    """Return a checksum of a script and of the library's files that it needs.

    Given to a rule as a param, it makes Snakemake re-run the rules that use an edited module, and
    no other: Snakemake itself does not look into imported modules.
    """
    files = [Path(script), *modules_of(script)]
    return hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()[:16]
