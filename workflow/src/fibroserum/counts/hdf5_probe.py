"""Read the parts of an HDF5 file that can end the process: run as a script, on its own.

libhdf5 trusts the names, attributes and texts of a file: damaged ones can crash it, or make it ask
for endless memory or time. `hdf5.read_hdf5` runs this first, in a process that may die.
"""

from __future__ import annotations

import resource
import sys

import h5py

#: Memory that a whole file's names, attributes and texts may take: 8 GiB.
MAX_MEMORY = 8 << 30
_TEXTS_AT_ONCE = 1 << 20


def limit(seconds: int) -> None:
    """End this process beyond so much processor time (SIGXCPU); refuse it more memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _read(_: str, item: h5py.Group | h5py.Dataset) -> None:
    for name in item.attrs:
        item.attrs[name]
    # numbers are read later, block by block and checked; texts are pointers into the file's heap
    if isinstance(item, h5py.Dataset) and item.dtype.kind in "OSV":
        if not item.shape:
            item[()]
            return
        for start in range(0, item.shape[0], _TEXTS_AT_ONCE):
            item[start : start + _TEXTS_AT_ONCE]


def probe(path: str) -> None:
    """Read every name, attribute and text of a file once; whatever is wrong raises or kills."""
    with h5py.File(path, "r") as handle:
        _read("/", handle)
        handle.visititems(_read)


if __name__ == "__main__":
    limit(int(sys.argv[2]))
    probe(sys.argv[1])
