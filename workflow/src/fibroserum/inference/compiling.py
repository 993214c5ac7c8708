# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Compiling kernels, and keeping their machine code between runs.

Numba looks at a kernel's own file to tell whether its stored code is stale, not at the files of the
kernels it calls. The directory of the cache is therefore named after the contents of them all. It
stands beside the sources or, where those cannot be written, in the user's cache directory; numba
writes whole files there and then renames them, so that processes may compile at the same time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba


def _digest() -> str:
    sha = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(source.read_bytes())
    return sha.hexdigest()[:16]


def _places() -> Iterator[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        yield Path(named)
    yield Path(__file__).parent / "__pycache__"
    home = os.environ.get("XDG_CACHE_HOME")
    yield (Path(home) if home else Path("~/.cache").expanduser()) / "blocked_inference"
    yield Path(tempfile.gettempdir()) / f"blocked_inference_{os.getuid()}"


def cache_directory() -> Path | None:
    """Return the first directory that can be written, made if need be; None if there is none."""
    digest = _digest()
    for place in _places():
        directory = place / f"kernels-{digest}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return directory
        except OSError:
            continue
    return None


_DIRECTORY = cache_directory()
REORDERED = {"reassoc", "contract", "nsz"}


def _compile(function: Callable[..., Any], fastmath: set[str], *, whole: bool = False) -> Any:
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        # the place is settled when the kernel is declared
        numba.config.CACHE_DIR = str(_DIRECTORY or "")  # type: ignore[attr-defined]
        compile_: Any = numba.njit  # its annotations lack documented options
        return compile_(
            function,
            cache=whole and _DIRECTORY is not None,
            nogil=True,
            error_model="numpy",
            fastmath=fastmath,
            forceinline=not whole,
            no_cfunc_wrapper=True,
        )
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel that releases the GIL, and keep its machine code.

    A division by zero gives an infinity, without a branch to an exception. Sums may be reordered
    (in one fixed order for each compiled loop); nothing else is relaxed.
    """
    return _compile(function, REORDERED, whole=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels likewise, into each kernel that calls it.

    Passing arrays costs as much as a short loop. And a kernel must hold all of its parts: one that
    calls a part elsewhere gets the copy that was compiled first, in which sums may be in another
    order, so that a first run and later ones would differ in the last bits.
    """
    return _compile(function, REORDERED)


def strict(function: Callable[..., Any]) -> Any:
    """Compile a part with no freedom in floating-point arithmetic at all."""
    return _compile(function, set())
