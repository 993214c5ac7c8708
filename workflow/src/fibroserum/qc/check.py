"""A check of the cohort: one row of `qc/checks.tsv`, its level and its place among the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import pandas as pd

#: Chance of a false alarm in a cohort, by each test's own reckoning.
LEVEL = 0.01

Level = Literal["error", "warning", "not_assessed", "ok", "note"]
#: The order of the rows. A note says what was done with the input; nothing was checked.
LEVELS: tuple[Level, ...] = ("error", "warning", "not_assessed", "ok", "note")
#: What the message of a check begins with that could not be made or could not tell.
NOT_ASSESSED = "not assessed: "
#: The checks, most important first: what makes every result doubtful, what is lost or limits a
#: comparison, what concerns a single sample, what reading the input decided.
CheckName = Literal[
    "swapped donors",
    "pairs",
    "swapped times",
    "duplicated sample",
    "mixed sample",
    "batch and time",
    "batch and group",
    "shared batches",
    "cell identity",
    "sex of the cell line",
    "normalisation",
    "spike-ins",
    "second model",
    "samples used",
    "contrasts",
    "group size",
    "groups measured before only",
    "pools of sera",
    "cell lines of groups",
    "depth of cell lines",
    "library size",
    "genes detected",
    "quality of pairs",
    "outlying sample",
    "mitochondrial share",
    "haemoglobin share",
    "left-out genes",
    "input",
]
IMPORTANCE: tuple[str, ...] = get_args(CheckName)


class Check(NamedTuple):
    """A row of `qc/checks.tsv`."""

    check: CheckName
    level: Level
    subject: str
    message: str
    advice: str = ""


def warning(check: CheckName, subject: str, message: str, advice: str) -> Check:
    """Return a finding; advice: what to look at and what to do."""
    return Check(check, "warning", subject, message, advice)


def not_assessed(check: CheckName, reason: str, advice: str = "", *, subject: str = "") -> Check:
    """Return a check that could not be made or could not tell.

    reason: why, with details after its first sentence; `soundness` repeats that sentence.
    """
    return Check(check, "not_assessed", subject, NOT_ASSESSED + reason, advice)


def ok(check: CheckName, message: str, *, subject: str = "") -> Check:
    """Return a check that was made and found no problem."""
    return Check(check, "ok", subject, message)


def note(check: CheckName, message: str, *, subject: str = "") -> Check:
    """Return a remark on what was done with the input."""
    return Check(check, "note", subject, message)


def over_times(checks: Mapping[str, Sequence[Check]]) -> Iterator[Check]:
    """Yield the checks of each time after, each once; checks: by time.

    Where a check is not the same at every time, its message begins with its times.
    """
    for own in dict.fromkeys(check for found in checks.values() for check in found):
        times = [time for time, found in checks.items() if own in found]
        at = "" if len(times) == len(checks) else f"at {', '.join(times)}: "
        yield own._replace(message=at + own.message)


def check_table(checks: Iterable[Check]) -> pd.DataFrame:
    """Return `qc/checks.tsv`: by level, then by importance, then as given."""
    ordered = sorted(checks, key=lambda one: (LEVELS.index(one.level), IMPORTANCE.index(one.check)))
    return pd.DataFrame(ordered, columns=Check._fields)
