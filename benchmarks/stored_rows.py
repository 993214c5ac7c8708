"""Rows of a study that are stored as they end, so that an interrupted study resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Key = tuple[Any, ...]


def stored_rows(
    path: Path, keys: Iterable[Key], run: Callable[[Key], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return `run(key)` for every key, from the file where it holds the row already.

    path: JSON, one row a line, `key` first; it is appended to. A row is made once for a key:
    after a change of the code, remove the file.
    """
    known: dict[str, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known[row["key"]] = row
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for key in keys:
        if repr(key) not in known:
            row = {"key": repr(key)} | run(key)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            known[repr(key)] = row
            print(row["key"], flush=True)
        rows.append(known[repr(key)])
    return rows
