"""Bring resources/SOURCES.tsv up to date: one row a file, its checksum.

    python resources/build/update_sources.py

keeps what stands there on origin, version, licence and making, refreshes every sha256, removes
rows whose file is gone, and adds files of a folder whose origin is known (KNOWN). It fails,
naming them, where a file's origin is unknown: add its row by hand, then run it again.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESOURCES = REPOSITORY / "resources"
DATA = REPOSITORY / "workflow" / "src" / "fibroserum" / "data"
SOURCES = RESOURCES / "SOURCES.tsv"
COLUMNS = ("path", "origin", "version", "licence", "sha256", "how_built")

DESCRIBED = ("origin", "version", "licence", "how_built")

# Folders whose every file has one origin, in the order of DESCRIBED.
KNOWN = {
    "toy": (
        "simulated, no person's data",
        "seed 1",
        "CC0-1.0",
        "python -m fibroserum.simulate --out resources/toy --seed 1",
    ),
    "toy_b": (
        "simulated, no person's data",
        "seed 2",
        "CC0-1.0",
        "python -m fibroserum.simulate --out FOLDER --seed 2 --donors AT=6 RT=7",
    ),
    "toy_designs": (
        "simulated, no person's data",
        "seed 1",
        "CC0-1.0",
        "python -m fibroserum.simulate --designs --out resources/toy_designs --seed 1",
    ),
}


def bundled_files() -> list[Path]:
    """Return the bundled files, relative to the repository; code and SOURCES.tsv are not."""
    return sorted(
        path.relative_to(REPOSITORY)
        for folder in (RESOURCES, DATA)
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != SOURCES.name
        and path.suffix not in (".py", ".pyc", ".yaml")
        and not path.name.startswith(".")
        and path.parent.name != "build"
    )


def read_sources(path: Path = SOURCES) -> dict[str, dict[str, str]]:
    """Return the rows of SOURCES.tsv by path."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["path"]: row for row in rows}


def sha256(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Rewrite SOURCES.tsv; return 1 where a file's origin is unknown."""
    rows = read_sources()
    updated: list[dict[str, str]] = []
    unknown: list[str] = []
    for path in bundled_files():
        name = path.as_posix()
        row = rows.get(name)
        if row is None and path.parts[1] in KNOWN:
            row = dict(zip(DESCRIBED, KNOWN[path.parts[1]], strict=True))
        if row is None:
            unknown.append(name)
            continue
        updated.append({**row, "path": name, "sha256": sha256(REPOSITORY / path)})
    lines = ["\t".join(COLUMNS), *("\t".join(row[c] for c in COLUMNS) for row in updated)]
    SOURCES.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    for name in unknown:
        sys.stderr.write(f"{name}: the origin is unknown. Add a row to {SOURCES.name}.\n")
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())
