"""What an input is, by its content, and the reader for it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from fibroserum.counts.contents import require
from fibroserum.counts.delimited import matrix_from
from fibroserum.counts.grid import read_grid
from fibroserum.counts.table import Fractional, Matrix


def read_matrices(
    path: Path,
    known_samples: Collection[str],
    fractional: Fractional,
    tx2gene: Path | None,
    cells: dict[str, Any] | None,
) -> list[Matrix]:
    """Return the matrices of one input, a file or a folder; raises InputError with its problems."""
    require(path)
    return [matrix_from(read_grid(path), path, known_samples)]
