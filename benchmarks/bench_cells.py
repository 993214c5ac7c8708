"""Sum single cells per sample from an .h5ad on disk: processor seconds and peak memory by size.

Writes a cohort of N cells × 20,000 genes as anndata writes it (CSR, float32 counts, uncompressed
by default), about 2,000 genes detected per cell, 112 samples in random order; reads it through the
library in a separate process; compares every sum with what was written; deletes it. Needs 16 KB of
disk per cell: 8 GB for 500,000 (5 KB with --compression gzip).

    python benchmarks/bench_cells.py                      # 31,250 to 500,000 cells
    python benchmarks/bench_cells.py --cells 500000 --parts 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

SIZES = (31_250, 62_500, 125_000, 250_000, 500_000)
GENES, SAMPLES, DETECTED = 20_000, 112, 2_000
BLOCK = 2_000

#: What the process that is measured does: one part, or all.
READER = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from fibroserum.counts.stage import sum_part
from fibroserum.runtime.scatter import part_of
path, truth, part = sys.argv[1:]
start = time.monotonic()
found = sum_part([Path(path)], {"sample": "sample", "min_cells": 10}, part_of(part))[path]
seconds = time.monotonic() - start
own, child = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
unit = 1 if sys.platform == "darwin" else 1024
if part == "1-of-1":
    assert np.array_equal(found.values.T, np.load(truth)), "the sums are wrong"
print(json.dumps({
    "processor_s": own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime,
    "seconds": seconds,
    "memory_gb": max(own.ru_maxrss, child.ru_maxrss) * unit / 1e9,
}))
"""


def cells(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the genes' indices, ascending in each cell, the counts, and the values of each cell.

    Gaps between detected genes are uniform; counts are geometric, as those of shallow cells are.
    """
    mean_gap = GENES // DETECTED
    gaps = rng.integers(1, 2 * mean_gap, (number, DETECTED + DETECTED // 4), dtype=np.int32)
    index = np.cumsum(gaps, axis=1, dtype=np.int32) - 1
    inside = index < GENES
    detected = inside.sum(axis=1)
    quantiles = (np.arange(256) + 0.5) / 256
    table = (1 + np.floor(np.log(1 - quantiles) / np.log(0.4))).astype(np.float32)
    counts = table[rng.integers(0, 256, int(detected.sum()), dtype=np.uint8)]
    return index[inside], counts, detected


def write_frames(handle: h5py.File, rng: np.random.Generator, owner: np.ndarray) -> None:
    """Write obs, with columns that scanpy's quality control adds, and var."""
    from anndata.io import write_elem

    names = [f"D{n // 2 + 1}_{('pre', 'post')[n % 2]}" for n in range(SAMPLES)]
    obs = {"sample": pd.Categorical.from_codes(owner, names)}
    obs |= {f"measure_{n}": rng.random(len(owner)) for n in range(12)}
    barcodes = [f"{n:016X}-1" for n in range(len(owner))]
    handle.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(handle, "obs", pd.DataFrame(obs, index=barcodes))
    genes = [f"ENSG{n:011d}" for n in range(GENES)]
    write_elem(handle, "var", pd.DataFrame(index=genes))


def write_cells(path: Path, number: int, compression: str | None) -> np.ndarray:
    """Write an .h5ad a block of cells at a time; return its sums, samples (by name) × genes."""
    rng = np.random.default_rng([1, number])
    owner = rng.integers(0, SAMPLES, number)
    sums = np.zeros(SAMPLES * GENES)
    pointers = [np.zeros(1, np.int64)]
    with h5py.File(path, "w") as handle:
        write_frames(handle, rng, owner)
        x = handle.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        x.attrs["shape"] = np.array([number, GENES])
        kept = {"maxshape": (None,), "chunks": (1 << 20,), "compression": compression}
        stored = {
            "indices": x.create_dataset("indices", (0,), np.int32, **kept),
            "data": x.create_dataset("data", (0,), np.float32, **kept),
        }
        for start in range(0, number, BLOCK):
            mine = owner[start : start + BLOCK]
            index, counts, detected = cells(rng, len(mine))
            flat = np.repeat(mine * GENES, detected) + index
            sums += np.bincount(flat, counts, minlength=SAMPLES * GENES)
            before = pointers[-1][-1]
            pointers.append(before + detected.cumsum())
            for name, values in (("indices", index), ("data", counts)):
                stored[name].resize((before + len(values),))
                stored[name][before:] = values
        x["indptr"] = np.concatenate(pointers)
    names = [f"D{n // 2 + 1}_{('pre', 'post')[n % 2]}" for n in range(SAMPLES)]
    return sums.reshape(SAMPLES, GENES)[np.argsort(names)].astype(np.int64)


def measured(path: Path, truth: Path, part: str) -> dict[str, float]:
    """Return what reading a part in a process of its own takes; the sums are compared there."""
    command = [sys.executable, "-c", READER, str(path), str(truth), part]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return json.loads(done.stdout)


def bench(number: int, parts: int, compression: str | None) -> list[dict[str, Any]]:
    """Write, read and delete a cohort of cells; return a row for each part."""
    with tempfile.TemporaryDirectory() as folder:
        path, truth = Path(folder) / "cells.h5ad", Path(folder) / "truth.npy"
        np.save(truth, write_cells(path, number, compression))
        size = {"cells": number, "file_gb": path.stat().st_size / 1e9}
        names = [f"{n}-of-{parts}" for n in range(1, parts + 1)]
        return [size | {"part": name} | measured(path, truth, name) for name in names]


def main() -> None:
    """Print a table, and its rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--parts", type=int, default=1, help="number of jobs that share the cells")
    parser.add_argument("--compression", choices=["gzip", "lzf"], default=None)
    options = parser.parse_args()
    print("| cells | file | part | processor seconds | seconds | peak memory |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    rows = []
    for number in options.cells:
        for row in bench(number, options.parts, options.compression):
            rows.append(row)
            print(
                f"| {row['cells']:,} | {row['file_gb']:.2f} GB | {row['part']} "
                f"| {row['processor_s']:.1f} | {row['seconds']:.1f} "
                f"| {row['memory_gb']:.2f} GB |",
                flush=True,
            )
    print()
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
