"""Single cells in parts: jobs that each sum a range of every file's cells, and their sum.

A part is a file of its own, so that it may be made on another machine. What is wrong with a file is
written there too: whoever puts the parts together says it beside all else that is wrong.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from fibroserum.counts.cells import Part
from fibroserum.counts.contents import HDF5_MAGIC, head
from fibroserum.counts.table import Matrix
from fibroserum.errors import InputError, Problem, refuse

#: What is known of each file of single cells by its name: sums, or what is wrong with it.
Sums = dict[str, Matrix | InputError]


def sum_part(paths: Sequence[Path], cells: Mapping[str, Any], part: Part) -> Sums:
    """Return the sums of a part of the cells of each .h5ad and 10x .h5.

    Inputs of other kinds are left to `read_counts`: an MTX folder is text, and is read as a whole.
    """
    from fibroserum.counts.hdf5 import read_hdf5  # brings scipy

    found: Sums = {}
    for path in paths:
        try:
            if path.is_file() and head(path, len(HDF5_MAGIC)) == HDF5_MAGIC:
                found[str(path)] = replace(read_hdf5(path, (), cells, part), used="cells")
        except InputError as error:
            found[str(path)] = error
    return found


def write_sums(sums: Sums, path: str | Path) -> None:
    """Write sums and problems as .npz, texts in JSON; the file appears whole or not at all."""
    from fibroserum.tables import write_bytes

    stored = {name: _stored(found) for name, found in sums.items()}
    arrays = {f"values_{n}": values for n, (_, values) in enumerate(stored.values())}
    arrays["texts"] = np.array(json.dumps({name: text for name, (text, _) in stored.items()}))
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_bytes(stream.getvalue(), path)


def _stored(found: Matrix | InputError) -> tuple[dict[str, Any], np.ndarray]:
    """Return what is text, and the values."""
    if isinstance(found, InputError):
        return {"problems": [asdict(problem) for problem in found.problems]}, np.zeros(0)
    return {key: getattr(found, key) for key in _TEXTS}, found.values


_TEXTS = ("where", "genes", "samples", "notes", "symbols", "dropped", "used")


def _read_sums(path: Path) -> Sums:
    with np.load(path, allow_pickle=False) as stored:
        texts = json.loads(str(stored["texts"]))
        values = [stored[f"values_{n}"] for n in range(len(texts))]
    return {
        name: _found(text, own) for (name, text), own in zip(texts.items(), values, strict=True)
    }


def _found(text: dict[str, Any], values: np.ndarray) -> Matrix | InputError:
    if "problems" in text:
        return InputError(Problem(**problem) for problem in text["problems"])
    tuples = {key: tuple(text[key]) for key in ("genes", "samples", "notes")}
    symbols = text["symbols"] and tuple(text["symbols"])
    return Matrix(**text | tuples | {"symbols": symbols, "values": values})


def gather(parts: Sequence[Path]) -> Sums:
    """Return the sums over all parts, given in their order.

    Of a file with problems those of the first part that has any, as reading the whole says them.
    """
    found: Sums = {}
    for part in parts:
        for name, new in _read_sums(part).items():
            known = found.setdefault(name, new)
            if known is new or isinstance(known, InputError):
                continue
            found[name] = new if isinstance(new, InputError) else _added(known, new)
    return found


def _added(known: Matrix, new: Matrix) -> Matrix:
    if (known.samples, known.genes, known.notes) != (new.samples, new.genes, new.notes):
        what = "changed while its cells were summed"
        raise refuse(what, known.where, "one file", "Run the same command again.")
    return replace(known, values=known.values + new.values)
