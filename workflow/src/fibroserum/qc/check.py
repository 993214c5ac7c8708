"""What a check says: one row of `qc/checks.tsv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Chance of a false alarm in a cohort, by each test's own reckoning.
LEVEL = 0.01


class Check(NamedTuple):
    """A row of `qc/checks.tsv`."""

    check: str
    level: str
    subject: str
    message: str


def over_times(said: Mapping[str, Sequence[Check]]) -> Iterator[Check]:
    """Yield the checks of each time after, each once; said: by time.

    Where a check is not the same at every time, its message begins with its times.
    """
    for own in dict.fromkeys(check for checks in said.values() for check in checks):
        times = [time for time, checks in said.items() if own in checks]
        at = "" if len(times) == len(said) else f"at {', '.join(times)}: "
        yield own._replace(message=at + own.message)
