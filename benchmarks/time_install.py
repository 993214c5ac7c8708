"""Time the installation and the first run of two checkouts, in turn, on the same machine.

    python benchmarks/time_install.py ../before .
    python benchmarks/time_install.py ../before . --write docs/performance.md

Clones the last commit of each into a folder of its own, with an empty cache for compiled kernels;
packages that pip or uv has downloaded before are taken from their caches. `make` installs what a
run needs, then makes the first run of the toy cohort.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from sections import write_section

SECTION = "## Install and first run, before and after"
FIGURES = {
    "install_s": "install, seconds",
    "first_run_s": "first run, seconds",
    "both_s": "both, seconds",
    "packages_mb": "packages, MB",
}


def make(target: str, folder: Path) -> float:
    """Return the seconds that a target of make takes in a clone."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder.parent / "cache"),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(caches / "pip")),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(caches / "uv")),
    }
    environment.pop("NUMBA_CACHE_DIR", None)
    start = time.monotonic()
    done = subprocess.run(
        ["make", target], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-6000:])
    return time.monotonic() - start


def measured(checkout: Path) -> dict[str, float]:
    """Install a clone of a checkout and run the toy cohort; return seconds and megabytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "clone")
        subprocess.run(["git", "clone", "--quiet", checkout, folder], check=True)
        install = make(".venv/installed", folder)
        files = (path for path in (folder / ".venv").rglob("*") if not path.is_symlink())
        size = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        first = make("run", folder)
    return dict(zip(FIGURES, (install, first, install + first, size), strict=True))


def main() -> None:
    """Measure and print as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--write", type=Path, help="Markdown file whose table is replaced")
    asked = parser.parse_args()
    rows = []
    for _ in range(asked.runs):
        for name in ("before", "after"):
            rows.append({"checkout": name, **measured(getattr(asked, name).resolve())})
            print(rows[-1], flush=True)
    medians = pd.DataFrame(rows).groupby("checkout").median()
    row = {
        words: f"{before:,.0f} → {after:,.0f} ({after / before:.2f} ×)"
        for key, words in FIGURES.items()
        for before, after in [(medians.loc["before", key], medians.loc["after", key])]
    }
    text = pd.DataFrame([row]).to_markdown(index=False, disable_numparse=True)
    print(text)
    if asked.write:
        write_section(asked.write, f"{SECTION}\n\n{text}")


if __name__ == "__main__":
    main()
