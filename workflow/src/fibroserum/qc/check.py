"""What a check says: one row of `qc/checks.tsv`."""

from __future__ import annotations

from typing import NamedTuple

#: Chance of a false alarm in a cohort, by each test's own reckoning.
LEVEL = 0.01


class Check(NamedTuple):
    """A row of `qc/checks.tsv`."""

    check: str
    level: str
    subject: str
    message: str
