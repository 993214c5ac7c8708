"""What the end of a run says in the terminal. Reads tables as text: nothing heavy is imported."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def headline(folder: str | Path) -> list[str]:
    """Return the lines: where the report is, the first target's verdicts, responsive genes.

    folder: `results/{cohort}`, complete.
    """
    place = Path(folder)
    lines = [f"Report: {place / 'report.html'}"]
    targets = _rows(place / "flags" / "targets.tsv")
    first = targets[0]["target"] if targets else ""
    lines += [
        f"{row['target']} in {row['contrast']}: {row['verdict']} ({row['reason']})"
        for row in targets
        if row["target"] == first
    ]
    calls: dict[str, Counter[str]] = {}
    for row in _rows(place / "flags" / "factors.tsv"):
        calls.setdefault(row["factor"], Counter())[row["call"]] += 1
    for factor, count in calls.items():
        responsive = count["responsive"] + count["confirmed"]
        if responsive == 0 and count["not_assessable"] == count.total():
            lines.append(f"{factor}-responsive genes: not assessable, no evidence on {factor}")
        else:
            lines.append(
                f"{factor}-responsive genes: {responsive} ({count['confirmed']} confirmed)"
            )
    warnings = sum(row["level"] == "warning" for row in _rows(place / "qc" / "checks.tsv"))
    if warnings:
        noun = "warning" if warnings == 1 else "warnings"
        lines.append(f"Quality control: {warnings} {noun}, see the report")
    return lines


def print_headline(folder: str | Path) -> None:
    """Print the headline to the terminal, on standard error as Snakemake's own messages are."""
    print("\n" + "\n".join(headline(folder)) + "\n", file=sys.stderr)
