"""Compile the kernels of the library for this processor, on all cores, into the user's cache.

workflow/install.sh runs this while it installs the other packages: it needs numba alone.
`fibroserum.inference.compiling` describes the cache.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from types import ModuleType

LIBRARY = Path(__file__).resolve().parent / "src" / "fibroserum"
#: Modules with kernels, the slowest first.
MODULES = (
    "inference.coefficients",
    "inference.shrinkage",
    "inference.dispersions",
    "linear.kernels",
    "enrichment.kernels",
    "qc.kernels",
    "inference.linear_start",
)


def _without_init(name: str, folder: Path) -> None:
    """Make a package importable without its __init__, which imports other packages."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def compile_module(name: str) -> list[str]:
    """Compile the kernels of a module of the library; return their names."""
    for package in ("", ".enrichment", ".inference", ".linear", ".qc"):
        _without_init(f"fibroserum{package}", LIBRARY / package.lstrip("."))
    # numba looks for it, and it may be half installed
    sys.modules["scipy"] = None  # type: ignore[assignment]
    module = f"fibroserum.{name}"
    import_module(module)
    kernels = import_module("fibroserum.inference.compiling").KERNELS
    own = [kernel for kernel in kernels if kernel[0].py_func.__module__ == module]
    for kernel, arguments in own:
        kernel.compile(arguments)
    return [kernel.py_func.__name__ for kernel, _ in own]


if __name__ == "__main__":
    import numba  # noqa: F401  (once, for all processes)

    with ProcessPoolExecutor() as pool:
        list(pool.map(compile_module, MODULES))
