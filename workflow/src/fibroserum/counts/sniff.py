"""What an input is, by its content, and the reader for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibroserum.counts.cells import read_mtx
from fibroserum.counts.delimited import matrix_from
from fibroserum.counts.folders import FolderKind, find_files, line_kind, read_htseq, read_star
from fibroserum.counts.quants import read_quants
from fibroserum.counts.table import Matrix
from fibroserum.errors import refuse
from fibroserum.files.contents import HDF5_MAGIC, first_line, head, require
from fibroserum.files.grid import read_grid
from fibroserum.files.workbook import split_sheet


def read_matrices(
    path: Path,
    known_samples: Collection[str],
    tx2gene: Path | None,
    cells: dict[str, Any] | None,
    named: Collection[str] = (),
    layer: str | None = None,
) -> list[Matrix]:
    """Return the matrices of one input, a file or a folder; raises InputError with its problems."""
    where = str(path)
    file, sheet = split_sheet(where)
    require(Path(file))
    kind: FolderKind | None
    if sheet is not None:
        kind, files = None, [path]
    elif path.is_dir():
        kind, files = find_files(path)
    elif head(path, len(HDF5_MAGIC)) == HDF5_MAGIC:
        from fibroserum.counts.hdf5 import read_hdf5

        matrix = read_hdf5(path, known_samples, cells, layer=layer)
        return [replace(matrix, used="cells") if cells else matrix]
    else:
        kind, files = line_kind(first_line(path, "#")), [path]
    if kind == "mtx":
        if len(files) > 1:
            raise refuse(
                f"contains {len(files)} 10x matrices", where, "a folder with one 10x matrix"
            )
        matrix = read_mtx(path if path.is_dir() else path.parent, files[0], cells)
        return [replace(matrix, used="cells")]
    if kind in ("salmon", "kallisto"):
        return [read_quants(files, tx2gene, known_samples, where, named)]
    if kind == "star":
        return read_star(files, known_samples, where)
    if kind == "htseq" and path.is_dir():
        return read_htseq(files, known_samples, where)
    return [matrix_from(read_grid(path), path, known_samples)]
