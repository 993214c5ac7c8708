"""Whatever the bytes: a table or an InputError, never another exception, never a number changed."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fibroserum.counts import CountTable, read_counts
from fibroserum.errors import InputError
from fibroserum.files.table import read_sheet
from fibroserum.input.sheet_checks import check_sheet
from helpers import count_files as files

#: The plain suite runs the same few examples each time; FIBROSERUM_FUZZ=10000 runs new ones.
ASKED = os.environ.get("FIBROSERUM_FUZZ")
EXAMPLES = int(ASKED or 25)
fuzz = settings(
    max_examples=EXAMPLES,
    derandomize=not ASKED,
)
CELLS = {"sample": "donor_time", "min_cells": 2}
DESIGN: dict[str, Any] = {
    "donor": "donor", "group": "group", "time": "time", "before": "pre", "after": "post",
    "reference_group": "A", "line": "line", "line_sex": None, "crossover": False,
    "randomised": True, "covariates": ["age"],
}  # fmt: skip

cell = st.one_of(
    st.integers(-5, 10**20).map(str),
    st.floats().map(str),
    st.sampled_from(["", "NA", "1,5", "1;2", '"', '""', " 7", "0x1", "1_0", "True", "é", "\ufeff"]),
    st.text(st.characters(codec="utf-8"), max_size=4),
)
grid = st.tuples(
    st.sampled_from(["\t", ",", ";", " ", "|"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.lists(st.lists(cell, min_size=1, max_size=4), max_size=5),
).map(lambda parts: parts[1].join(parts[0].join(row) for row in parts[2]))
start = st.sampled_from(
    ["gene\tS1\tS2\nA\t1\t2\n", "N_unmapped\t1\t2\t3\n", "A\t5\n__no_feature\t3\n",
     "Name\tLength\tEffectiveLength\tTPM\tNumReads\nT1\t1\t1\t1\t1\n", "# x\nGeneid\tChr\tS1\n",
     "%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n", ""]
)  # fmt: skip
magic = st.sampled_from(
    [b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04",
     b"\x89HDF\r\n\x1a\n", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"%%MatrixMarket "]
)  # fmt: skip


def answer(path: Path, **options: Any) -> CountTable | None:
    """Return the table, or None for an InputError; any other exception fails the test."""
    try:
        table = read_counts([path], **options)
    except InputError:
        return None
    values = table.counts.to_numpy()
    assert values.dtype.kind == "i"
    assert (values >= 0).all()
    assert values.any(axis=1).all()
    assert table.counts.index.is_unique
    assert table.counts.columns.is_unique
    return table


@contextlib.contextmanager
def scratch(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_bytes(data)
        yield path


def sheet_answer(path: Path) -> None:
    with contextlib.suppress(InputError):
        factors = {"F": {"serum": "age", "serum_scale": "linear"}}
        found = check_sheet(read_sheet(path), DESIGN, factors, ["S1"])
        assert all(str(problem) for problem in found)


@fuzz
@given(magic, st.binary(max_size=200))
def test_any_bytes(first: bytes, rest: bytes) -> None:
    with scratch(first + rest) as path:
        answer(path, fractional="round", tx2gene=path, cells=CELLS)
        sheet_answer(path)


@fuzz
@given(start, grid)
def test_any_text(first: str, rest: str) -> None:
    with scratch((first + rest).encode("utf-8", "surrogatepass")) as path:
        answer(path, fractional="round", tx2gene=path)
        answer(path, known_samples=["S1", "A"])
        sheet_answer(path)


@fuzz
@given(st.lists(st.lists(cell, min_size=7, max_size=7), max_size=4))
def test_any_sheet(rows: list[list[str]]) -> None:
    header = "sample\tdonor\tgroup\ttime\tline\tage\tnote"
    lines = [header, "S1\tD1\tA\tpre\tL\t4\t", "S2\tD1\tA\tpost\tL\t5\t"]
    lines += ["\t".join(row) for row in rows]
    with scratch("\n".join(lines).encode("utf-8", "surrogatepass")) as path:
        sheet_answer(path)


@fuzz
@given(st.data())
def test_counts_come_back_as_written(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    numbers = st.integers(0, 10**15)
    values = [[data.draw(numbers) for _ in range(shape[1])] for _ in range(shape[0])]
    text = st.text(st.characters(categories=["L", "N"], codec="utf-8"), min_size=1, max_size=5)
    names = data.draw(st.lists(text, min_size=shape[1], max_size=shape[1], unique=True))
    rows = ["\t".join(["gene", *names])]
    rows += [f"g{n}\t" + "\t".join(map(str, row)) for n, row in enumerate(values)]
    with scratch("\n".join(rows).encode()) as path:
        table = answer(path, known_samples=names)
    silent = not np.asarray(values, dtype=float).any(axis=0).all()
    assert (table is None) == silent
    if table is not None:
        assert table.counts.T.to_numpy().tolist() == values
        assert list(table.counts.index) == names


@functools.cache
def sources() -> dict[str, bytes]:
    """Return whole files of several formats (no fixture: a failure would print their bytes)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {kind: files.cells_h5ad(folder, kind) for kind in ("csr", "csc", "dense")}
        paths |= {"bulk": files.bulk_h5ad(folder), "tsv": files.tsv(folder)}
        found = {name: path.read_bytes() for name, path in paths.items()}
    return found | {how: files.packed(found["tsv"], how) for how in ("gz", "bz2", "xz", "zst")}


part = st.floats(0, 1, exclude_max=True)
edits = st.lists(st.tuples(part, st.integers(0, 255)), min_size=1, max_size=4)


@fuzz
@given(st.integers(0, 8), edits, st.none() | part)
@example(2, [(0.640625, 1)], None)
def test_damaged_files(which: int, changes: list[tuple[float, int]], cut: float | None) -> None:
    damaged = bytearray(sources()[sorted(sources())[which]])
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    if cut is not None:
        damaged = damaged[: int(cut * len(damaged))]
    with scratch(bytes(damaged)) as path:
        answer(path, cells=CELLS)
        answer(path, fractional="round")
