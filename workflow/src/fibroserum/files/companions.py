"""Files that are read along with a count file, for they stand beside it."""

from __future__ import annotations

from pathlib import Path

from fibroserum.errors import InputError
from fibroserum.files.contents import first_line

#: A longer first line is no header of a table of cells.
LONGEST_HEADER = 10_000
_NAMES = ("barcode", "feature", "gene")


def header_of(path: Path) -> list[str]:
    """Return the column names of a table of cells, comments before them; none for what is no table.

    Raises InputError for a file that cannot be read or unpacked.
    """
    line = first_line(path, "#") if path.is_file() else ""
    names = [name.strip().strip('"') for name in line.split("\t" if "\t" in line else ",")]
    return names if len(names) > 1 and len(line) <= LONGEST_HEADER else []


def read_along(path: Path, column: str | None) -> list[str]:
    """Return the files beside a file of single cells (10x .h5, MTX) that are read with it, sorted.

    They are the tables with the column of samples, if there is one, and beside an MTX file the
    names of its cells and genes. A folder brings its own files. What cannot be read is left to the
    reader to say.
    """
    try:
        if path.is_dir():
            return []
        others = sorted(other for other in path.parent.iterdir() if other != path)
    except (OSError, ValueError):
        return []
    return [str(other) for other in others if _belongs(other, path, column)]


def _belongs(other: Path, path: Path, column: str | None) -> bool:
    if ".mtx" in path.name and any(part in other.name.lower() for part in _NAMES):
        return True
    try:
        return column is not None and column in header_of(other)
    except (InputError, OSError):
        return False
