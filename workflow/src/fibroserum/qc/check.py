"""What a check says: one row of `qc/checks.tsv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: Chance of a false alarm in a cohort, by each test's own reckoning.
LEVEL = 0.01


class Check(NamedTuple):
    """A row of `qc/checks.tsv`."""

    check: str
    level: str
    subject: str
    message: str


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as text; beyond `most` they are counted."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
