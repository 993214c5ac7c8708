"""What befalls the files and configs of a user: edits of bytes, of trees and of HDF5."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

#: One thing that befalls a file: which, where (0 to 1), how much or what.
Edit = tuple[int, float, int]
ENCODINGS = ("csr_matrix", "csc_matrix", "array", "dataframe", "categorical", "dict", "", "none")
#: What spreadsheets, other tools and broken disks put into a file.
TOKENS = (
    b"", b"\t", b",", b";", b"\n", b"\r", b"\n\n", b'"', b'""', b" ", b"#", b"|", b"\x00", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", "é".encode(), "\u2028".encode(), "İ".encode(), b"\x1a", b"NA",
    b"nan", b"inf", b"-1", b"1e999", b"1e-999", b"1e308", b"9" * 25, b"0x1F", b"1_0", b"1,5",
    b"2-Sep", b"9/2", b"2-mrt", b"BGN.1", b"1,376", b"1 376", b"=1+1",
    b"<c r=\"XFD9\"/>", b"&a;", b"</row>", b"__", b"__no_feature", b"N_unmapped", b"gene_name",
    b"Geneid", b"target_id",
    b"True", b"null", b"~", b"[", b"]", b"{", b"}", b": ", b"- ", b"&a", b"*a", b"!!python/none",
    b"../..", b"%%MatrixMarket ", b"PK\x03\x04", b"\x1f\x8b\x08", b"x" * 5000, b"1" * 5000,
)  # fmt: skip
#: What stands in a config in place of something else.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, 0.5, float("inf"), float("nan"), "", " ", "null", "..",
    "../../x", "\0", "a/b", "é" * 200, "x" * 300, "1", "counts.tsv", "samples.tsv", "sets.gmt",
    ".", "pre", "post", "AT", "ccl28", "age", "donor", "sample", "plate", [], [None], ["BGN"] * 2,
    ["counts.tsv", "counts.tsv"], [["age"]], ["age"], ["rin", "plate"], {}, {"": 1}, {"a": {}},
    {"sample": "donor_time", "min_cells": 1}, {"CCL28": None}, {1: 2},
)  # fmt: skip
HDF5_VALUES: tuple[Any, ...] = (
    0, -1, 1.5, "text", np.array([]), np.arange(3), np.full(8, -1), np.full(8, np.nan),
    np.full((4, 8), 1 << 40), np.zeros((48, 8)), np.array(["a"] * 8, dtype="S"),
    np.array([b"\xff"] * 8, dtype="S"), np.zeros((2, 2, 2)), np.full(9, 1 << 62), np.ones(8, bool),
)  # fmt: skip


def spoiled(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a file's bytes after a few accidents."""
    for kind, place, value in edits:
        at = int(place * len(data))
        if kind == 0:
            data = data[:at] + TOKENS[value % len(TOKENS)] + data[at:]
        elif kind == 1:
            data = data[:at] + bytes([value % 256]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + data[at + 1 + value % 40 :]
        elif kind == 3:
            lines = data.split(b"\n")
            row = int(place * len(lines))
            data = b"\n".join([*lines[: row + value % 3], *lines[row:]])
        elif kind == 4:
            data = _other_cell(data, place, value)
        elif kind == 5:
            data = data[:at]
        else:
            old, new = ((b"\t", b","), (b"\n", b"\r\n"), (b"\t", b";"), (b".", b","))[value % 4]
            data = data.replace(old, new)
    return data


def _other_cell(data: bytes, place: float, value: int) -> bytes:
    """Put a token in place of one cell of a line."""
    lines = data.split(b"\n")
    row = int(place * len(lines))
    separator = b"\t" if b"\t" in lines[row] else b","
    cells = lines[row].split(separator)
    cells[value % len(cells)] = TOKENS[value % len(TOKENS)]
    lines[row] = separator.join(cells)
    return b"\n".join(lines)


def spoiled_tree(tree: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Return a config with a few of its values replaced, taken out, or put under another key."""
    tree = copy.deepcopy(tree)
    for kind, place, value in edits:
        branches = list(_branches(tree))
        branch = branches[int(place * len(branches))]
        keys = list(branch) if isinstance(branch, dict) else list(range(len(branch)))
        if not keys:
            continue
        key, new = keys[value % len(keys)], copy.deepcopy(VALUES[value % len(VALUES)])
        if kind % 4 == 0:
            del branch[key]
        elif kind % 4 == 1 and isinstance(branch, dict):
            branch[f"{key}s"] = new
        else:
            branch[key] = new
    return tree


def _branches(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _branches(item)


def other_hdf5(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a sound HDF5 file in which something is not what anndata writes."""
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as handle:
        for kind, place, value in edits:
            names: list[str] = []
            handle.visit(names.append)
            if not names:
                break
            name = names[int(place * len(names))]
            new = HDF5_VALUES[value % len(HDF5_VALUES)]
            if kind in (0, 1):
                del handle[name]
            elif kind in (2, 3):
                del handle[name]
                handle[name] = new
            elif kind == 4:
                handle[name].attrs["encoding-type"] = str(ENCODINGS[value % len(ENCODINGS)])
            elif isinstance(handle[name], h5py.Dataset) and handle[name].shape:
                size = int(place * 7) if kind == 5 else len(handle[name]) + value % 3
                kept = np.resize(handle[name][:], (size, *handle[name].shape[1:]))
                old = dict(handle[name].attrs)
                del handle[name]
                handle[name] = kept
                handle[name].attrs.update(old)
    return stream.getvalue()
