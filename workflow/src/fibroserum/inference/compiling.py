# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Compiling kernels, and keeping their machine code between runs.

Machine code is looked for beside this module, in the folder that `shipped` names: an installation
may have put it there. Then in the user's cache, where new code is kept. Where that cannot be
written, kernels are compiled in memory, with a warning. Nothing is written before a kernel is used.
An installation may also compile every kernel for the types that it declares (`KERNELS`).

Both folders are named after the contents of this package, and after the versions of Python, numba
and numpy: a kernel holds its parts' code, and numba itself looks at the kernel's own file only.
Each kernel, signature and processor has a file of its own, which numba writes whole and then
renames. So processes may compile at the same time, also on hosts with different processors that
share a home. (Numba numbers its files, and keeps the numbers in an index: two processes that add to
it at once give their code the same number.)
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import caching
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys

REORDERED = {"reassoc", "contract", "nsz"}

# of the arguments of kernels; arrays are contiguous
FLAG, NUMBER, INDEX = types.boolean, types.float64, types.int64
VECTOR, MATRIX, CUBE = NUMBER[::1], NUMBER[:, ::1], NUMBER[:, :, ::1]
INDICES, INDEX_MATRIX, FLAGS = INDEX[::1], INDEX[:, ::1], FLAG[::1]
GENERATOR = types.npy_rng

#: Every kernel, and the types of its arguments.
KERNELS: list[tuple[Any, tuple[Any, ...]]] = []


@cache
def _folder() -> str:
    """Return the name of the folder for the machine code of these sources."""
    # numba compiles the binomial numbers of the installed numpy
    versions = f"{numba.__version__} {np.__version__} {sys.version_info[:2]}"
    sha = hashlib.sha256(versions.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(source.read_bytes())
    return f"kernels-{sha.hexdigest()[:16]}"


def shipped() -> Path:
    """Return the folder in which an installation may bring machine code; it is only read."""
    return Path(__file__).parent / _folder()


def kept() -> Path | None:
    """Return the user's folder for machine code, there or not; None where there is no home."""
    named = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    try:
        place = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:
        return None
    return place / "fibroserum" / _folder()


@cache
def _warn(reason: str) -> None:
    warnings.warn(
        f"Compiled code cannot be cached ({reason}), so every process compiles again (about 15 "
        "s). Set XDG_CACHE_HOME to a folder that you can write to.",
        RuntimeWarning,
        stacklevel=2,
    )


class _KernelCache(caching.FunctionCache):
    """The machine code of one kernel, for numba: a file for each signature and processor."""

    def __init__(self, function: Callable[..., Any]):
        # not numba's own, which looks for a place and makes it
        self._py_func = function
        source = Path(function.__code__.co_filename).read_bytes()
        self._stem = f"{function.__name__}-{hashlib.sha256(source).hexdigest()[:16]}"
        self._cache_path = str(kept())

    def _file_name(self, signature: Any, codegen: Any) -> str:
        key = str(self._index_key(signature, codegen))
        return f"{self._stem}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature, or None."""
        # what loading needs of `refresh`, which prepares for compiling and takes 0.2 s
        rtsys.initialize(target_context)
        name = self._file_name(sig, target_context.codegen())
        for folder in filter(None, (shipped(), kept())):
            try:
                stored = _files(folder)._load_data(name)
                return CompileResult._rebuild(target_context, *stored)
            except Exception:  # noqa: BLE001
                # not there, or damaged, which ends in any kind of error: compiled and written anew
                continue
        target_context.refresh()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature, if it can be."""
        folder = kept()
        if folder is None:
            return _warn("there is no home directory")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _files(folder)._save_data(self._file_name(sig, data.codegen), data._reduce())
        except OSError as error:
            return _warn(f"{folder}: {error.strerror}")


def _files(folder: Path) -> Any:
    """Return numba's reader and writer of the files in a folder; their names are ours."""
    return caching.IndexDataCacheFile(str(folder), "", "")


def _compile(function: Callable[..., Any], fastmath: set[str], **options: Any) -> Any:
    compile_: Any = numba.njit  # its annotations lack documented options
    return compile_(
        function,
        nogil=True,
        error_model="numpy",
        fastmath=fastmath,
        no_cfunc_wrapper=True,
        **options,
    )


def compiled(*arguments: Any, reordered: bool = True) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel that releases the GIL, and keep its machine code.

    A division by zero gives an infinity, without a branch to an exception. Sums may be reordered
    (in one fixed order for each compiled loop) if `reordered`; nothing else is relaxed.
    arguments: their types in a run. Others are compiled as well, when the kernel is called.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = _compile(function, REORDERED if reordered else set())
        kernel._cache = _KernelCache(kernel.py_func)
        KERNELS.append((kernel, arguments))
        return kernel

    return decorate


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels likewise, into each kernel that calls it.

    Passing arrays costs as much as a short loop. And a kernel must hold all of its parts: one that
    calls a part elsewhere gets the copy that was compiled first, in which sums may be in another
    order, so that a first run and later ones would differ in the last bits.
    """
    return _compile(function, REORDERED, forceinline=True)


def strict(function: Callable[..., Any]) -> Any:
    """Compile a part with no freedom in floating-point arithmetic at all."""
    return _compile(function, set(), forceinline=True)


def merged(function: Callable[..., Any]) -> Any:
    """Compile a part, called at one place, as if its lines stood in the kernel.

    An `inlined` part is optimised by itself first, and with each part that calls it again: a chain
    of large ones takes several times as long.
    """
    return _compile(function, REORDERED, inline="always")
