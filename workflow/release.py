"""Make a release: `make release VERSION=x.y.z`. Nothing is pushed.

Checks the clone, sets the version and the date, gives the changelog's Unreleased section this
version, commits, builds the wheel of this commit into build/, and tags `vx.y.z`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

#: Files with the version, and the line that contains it.
PLACES = {
    "pyproject.toml": r'^version = "{}"$',
    "CITATION.cff": r"^version: {}$",
    "Dockerfile": r'image.version="{}"',
    "workflow/src/fibroserum/__init__.py": r'^__version__ = "{}"$',
}
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
UNRELEASED = "## Unreleased\n"
ADDED = "### Added\n"


class Refused(Exception):
    """Why there is no release."""


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _check(root: Path, version: str) -> None:
    """Raise Refused if a release of this version is not possible."""
    if not VERSION.fullmatch(version):
        raise Refused(f"'{version}' is not a version: write three numbers, such as 0.2.0")
    if _git(root, "status", "--porcelain"):
        raise Refused("the clone has changes that are not committed: commit or remove them")
    # git refuses a commit without a name
    _git(root, "var", "GIT_COMMITTER_IDENT")
    listed = [tag[1:] for tag in _git(root, "tag", "--list", "v*").split()]
    tags = [tag for tag in listed if VERSION.fullmatch(tag)]
    if version in tags:
        raise Refused(f"the tag v{version} exists already")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = max([project["version"], *tags], key=_numbers)
    # the first release may have the version that is written already
    first = not tags and version == newest
    if _numbers(version) <= _numbers(newest) and not first:
        raise Refused(f"{version} is not larger than {newest}")


def _changelog(text: str, version: str, day: str) -> str:
    """Return the changelog with its Unreleased section as this version, and a new empty one."""
    before, found, rest = text.partition(UNRELEASED)
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    if not found or not re.search(r"^- ", section, re.MULTILINE):
        raise Refused("CHANGELOG.md has no entry under '## Unreleased'")
    return f"{before}{UNRELEASED}\n{ADDED}\n## {version} ({day})\n{rest}"


def _replaced(pattern: str, line: str, text: str, file: str) -> str:
    changed, count = re.subn(pattern, line, text, flags=re.MULTILINE)
    if count != 1:
        raise Refused(f"{file} has {count} lines with its version or date; one is expected")
    return changed


def _new_texts(root: Path, version: str, day: str) -> dict[str, str]:
    """Return the files that a release changes, with their new text."""
    texts = {name: (root / name).read_text(encoding="utf-8") for name in (*PLACES, "CHANGELOG.md")}
    for name, pattern in PLACES.items():
        line = pattern.strip("^$").format(version)
        texts[name] = _replaced(pattern.format(VERSION.pattern), line, texts[name], name)
    dated = f'version: {version}\ndate-released: "{day}"'
    texts["CITATION.cff"] = _replaced(
        r"^version: .*(\ndate-released: .*)?$", dated, texts["CITATION.cff"], "CITATION.cff"
    )
    texts["CHANGELOG.md"] = _changelog(texts["CHANGELOG.md"], version, day)
    return texts


def wheel(source: Path, folder: Path) -> None:
    """Build the wheel of a source tree into a folder; raise Refused with pip's last error."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--wheel-dir", str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # notes of pip follow the line that says what is wrong
        lines = done.stderr.strip().splitlines() or [f"pip ended with {done.returncode}"]
        errors = [line for line in lines if line.lstrip().startswith("ERROR: ")]
        raise Refused(f"the wheel could not be built: {(errors or lines)[-1].strip()}")


def _build(root: Path, build: Callable[[Path, Path], None]) -> None:
    """Build from an archive of the commit, so that no other file of the clone is in the wheel."""
    with tempfile.TemporaryDirectory() as name:
        archive, source = Path(name) / "source.zip", Path(name) / "source"
        _git(root, "archive", "--format=zip", "--output", str(archive), "HEAD")
        shutil.unpack_archive(archive, source)
        build(source, root / "build")


def release(
    root: Path, version: str, day: str, build: Callable[[Path, Path], None] = wheel
) -> None:
    """Commit, build and tag a release in a clone; raise Refused, with all as before, if it cannot.

    build: writes the wheel of a source tree into a folder.
    """
    _check(root, version)
    texts = _new_texts(root, version, day)
    before = _git(root, "rev-parse", "HEAD")
    try:
        for name, text in texts.items():
            (root / name).write_text(text, encoding="utf-8")
        _git(root, "commit", "--quiet", "--all", "--message", f"Version {version}")
        _build(root, build)
        _git(root, "tag", "--annotate", "--message", f"Version {version}", f"v{version}")
    except BaseException:
        # the clone had no changes of its own
        _git(root, "reset", "--quiet", "--hard", before)
        raise


def main() -> int:
    """Make the release that the command line names; return 1 if it is refused."""
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    root = Path(__file__).resolve().parents[1]
    try:
        release(root, version, datetime.now(UTC).date().isoformat())
    except Refused as reason:
        print(f"No release: {str(reason).rstrip('.')}.", file=sys.stderr)
        return 1
    print(f"v{version} is committed and tagged, and its wheel is in build/. Nothing is pushed yet:")
    print(f"  git push origin HEAD v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
