"""Single cells in parts: jobs that each sum a range of every file's cells, and their sum.

A part is a file of its own, so that it may be made on another machine. It holds nothing of a file
that is refused: whoever puts the parts together reads that one itself, and says what is wrong with
it now, beside all else that is wrong.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fibroserum.counts.cells import Part
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError
from fibroserum.files.contents import HDF5_MAGIC, head
from fibroserum.tables import write_bytes

#: The sums of each file of single cells, by its name.
Sums = dict[str, Matrix]

_TEXTS = ("where", "genes", "samples", "notes", "dropped", "used")


def sum_part(
    paths: Sequence[Path], cells: Mapping[str, Any], part: Part, layer: str | None = None
) -> Sums:
    """Return the sums of a part of the cells of each .h5ad and 10x .h5.

    Inputs of other kinds are left to `read_counts` (an MTX folder is text, and is read as a whole),
    and so are those with problems.
    """
    from fibroserum.counts.hdf5 import read_hdf5

    found: Sums = {}
    for path in paths:
        try:
            if path.is_file() and head(path, len(HDF5_MAGIC)) == HDF5_MAGIC:
                found[str(path)] = replace(read_hdf5(path, (), cells, part, layer), used="cells")
        except InputError:
            continue  # `read_counts` meets it again, and says it
    return found


def write_sums(sums: Sums, path: str | Path) -> None:
    """Write sums as .npz, texts in JSON; the file appears whole or not at all."""
    texts = {name: {key: getattr(found, key) for key in _TEXTS} for name, found in sums.items()}
    arrays = {f"values_{n}": found.values for n, found in enumerate(sums.values())}
    arrays["texts"] = np.array(json.dumps(texts))
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_bytes(stream.getvalue(), path)


def _read_sums(path: Path) -> Sums:
    with np.load(path, allow_pickle=False) as stored:
        texts = json.loads(str(stored["texts"]))
        values = [stored[f"values_{n}"] for n in range(len(texts))]
    return {
        name: _matrix(text, own) for (name, text), own in zip(texts.items(), values, strict=True)
    }


def _matrix(text: dict[str, Any], values: np.ndarray) -> Matrix:
    tuples = {key: tuple(text[key]) for key in ("genes", "samples", "notes")}
    return Matrix(**text | tuples | {"values": values})


def gather(parts: Sequence[Path]) -> Sums:
    """Return the sums over all parts, of the files of which every part holds its share.

    A file that changed between two parts, so that they differ in samples, genes or numbers of
    cells, is left out as one with problems is.
    """
    first, *others = map(_read_sums, parts)
    for other in others:
        first = {
            name: replace(known, values=known.values + other[name].values)
            for name, known in first.items()
            if name in other and _alike(known, other[name])
        }
    return first


def _alike(one: Matrix, other: Matrix) -> bool:
    return all(getattr(one, key) == getattr(other, key) for key in _TEXTS)
