"""Which commit the code of a run is."""

from __future__ import annotations

import subprocess
from pathlib import Path


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        # a machine without git
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def commit_of(root: Path) -> str | None:
    """Return the SWHID of the commit in a clone, or None if no commit has exactly this code.

    There is none outside a clone of its own, and where tracked files were edited.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None
    if _git(root, "status", "--porcelain", "--untracked-files=no") != "":
        return None
    commit = _git(root, "rev-parse", "HEAD")
    return f"swh:1:rev:{commit}" if commit else None
