"""The answer for three groups or more, in words: which changes and differences are established.

Two changes that are not established look alike in a table, and are not shown to be: the sentence
says so, with the effect that such a study would have detected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import joined
from fibroserum.targets.phrases import number, or_more
from fibroserum.targets.study import Study

#: from so many groups on there is a sentence on all of them
FEWEST_GROUPS = 3
WORDS = {
    "up": "established",
    "down": "established",
    "no_change": "negligible",
    "inconclusive": "not established",
    "untestable": "not tested",
    "absent": "not tested",
}
Row = Mapping[str, Any]


def with_all_groups(
    patterns: pd.DataFrame, study: Study, verdicts: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return `target_patterns` with `all_groups` where three groups or more are compared.

    verdicts: rows of `targets` by contrast, indexed by target.
    """
    if len(study.changing) < FEWEST_GROUPS:
        return patterns
    planned = [*study.contrasts, *study.not_estimable]

    def said(target: str, time: str | None) -> str:
        own = [c for c in planned if c.time == time or len(study.times) == 1]
        row = {c.name: verdicts[c.name].loc[target] for c in own}
        return all_groups_sentence(
            {str(c.group): row[c.name] for c in own if c.kind == "change"},
            {
                f"{c.group} against {c.reference}": row[c.name]
                for c in own
                if c.kind == "difference"
            },
        )

    times = patterns["time"] if "time" in patterns else [None] * len(patterns)
    return patterns.assign(
        all_groups=[
            said(target, time) for target, time in zip(patterns["target"], times, strict=True)
        ]
    )


def all_groups_sentence(changes: Mapping[str, Row], differences: Mapping[str, Row]) -> str:
    """Return which groups change, and which differ.

    changes: by group, its row of `targets` (verdict, log2FoldChange, detectable_lfc); differences:
    the same by what is compared, such as "RT against CON".
    """
    parts = [
        _by_verdict("Changes (log2 fold changes)", "in", changes),
        _by_verdict("Differences", "for", differences),
        _open(changes, differences),
    ]
    return " ".join(filter(None, parts))


def _by_verdict(what: str, where: str, rows: Mapping[str, Row]) -> str:
    """Return a sentence on the rows, with a part for each kind of verdict that they have."""
    named: dict[str, list[str]] = {word: [] for word in WORDS.values()}
    for name, row in rows.items():
        named[WORDS[row["verdict"]]].append(_with_estimate(name, row))
    parts = [f"{word} {where} {joined(own)}" for word, own in named.items() if own]
    return f"{what}: {'; '.join(parts)}." if parts else ""


def _with_estimate(name: str, row: Row) -> str:
    estimate = row["log2FoldChange"]
    return name if estimate is None or np.isnan(estimate) else f"{name} ({number(estimate)})"


def _open(*tables: Mapping[str, Row]) -> str:
    """Return that what is not established is not shown to be alike, and what could be detected."""
    names = ("change", "difference")
    parts = [
        f"a {name} of {or_more(max(sizes))}"
        for name, rows in zip(names, tables, strict=True)
        if (sizes := _detectable(rows.values()))
    ]
    if not parts:
        return ""
    return (
        "Not established does not mean absent or alike: 80 % of studies of this size would detect "
        f"{' and '.join(parts)}."
    )


def _detectable(rows: Sequence[Row] | Any) -> list[float]:
    """Return the detectable effects of inconclusive rows."""
    return [
        float(row["detectable_lfc"])
        for row in rows
        if row["verdict"] == "inconclusive" and np.isfinite(row["detectable_lfc"] or np.nan)
    ]
