"""One statement on the soundness of the experiment, from the table of checks."""

from __future__ import annotations

import pandas as pd

from fibroserum.cohort.contrasts import SINGLE_GROUP
from fibroserum.errors import listed
from fibroserum.qc.check import IMPORTANCE, NOT_ASSESSED
from fibroserum.qc.identity import BETWEEN

#: What stays possible where one of these checks is not assessed.
NOT_EXCLUDED = {
    "swapped donors": "swaps between donors",
    "pairs": "swaps between donors",
    "swapped times": "swaps of before and after",
    "duplicated sample": "copies of a sample",
    "mixed sample": "mixtures of samples",
    "shared batches": "effects of shared batches",
}
MOST_NAMED = 3


def soundness(checks: pd.DataFrame) -> str:
    """Return whether a check found a problem, and what could not be excluded and why.

    checks: `qc/checks.tsv`.
    """
    return " ".join([_found(checks), *_not_excluded(checks)])


def _found(checks: pd.DataFrame) -> str:
    bad = checks[checks["level"].isin(["error", "warning"])]
    if bad.empty:
        return "No check found a problem."
    names = list(dict.fromkeys(bad["check"]))
    checks_found = f"{len(names)} {'check' if len(names) == 1 else 'checks'} found"
    if len(bad) == 1:
        subject = bad["subject"].fillna("").iloc[0]
        return f"{checks_found} a problem: {names[0]}{f' ({subject})' if subject else ''}."
    return f"{checks_found} {len(bad)} problems: {listed(names, MOST_NAMED, quote='')}."


def _not_excluded(checks: pd.DataFrame) -> list[str]:
    """Return a sentence for each reason for which something could not be excluded."""
    rows = checks[(checks["level"] == "not_assessed") & checks["check"].isin(list(NOT_EXCLUDED))]
    by_reason: dict[str, list[str]] = {}
    for check in [name for name in IMPORTANCE if name in NOT_EXCLUDED]:
        for row in rows[rows["check"] == check].itertuples():
            when, _, reason = str(row.message).partition(NOT_ASSESSED)
            subject = row.subject if isinstance(row.subject, str) else ""
            parts = [NOT_EXCLUDED[check], _place(subject), when.rstrip(": ")]
            hidden = " ".join(filter(None, parts))
            own = by_reason.setdefault(reason.split(". ")[0], [])
            own += [] if hidden in own else [hidden]
    return [
        f"{_joined(hidden)} cannot be excluded "
        f"({'the check ' if reason.startswith('needs') else ''}{reason})."
        for reason, hidden in by_reason.items()
    ]


def _place(subject: str) -> str:
    """Return where something is hidden, in words."""
    if subject == BETWEEN:
        return "of different groups"
    if subject == SINGLE_GROUP:
        return ""
    return f"in {subject}" if subject else ""


def _joined(names: list[str]) -> str:
    *most, last = names
    text = f"{', '.join(most)} and {last}" if most else last
    return text[0].upper() + text[1:]
