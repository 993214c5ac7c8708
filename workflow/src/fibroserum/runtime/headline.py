"""The summary that a run prints at its end. Tables are read as text: imports nothing heavy."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fibroserum.cohort.opening import MOST_CONTRASTS
from fibroserum.factors.calls import RESPONSIVE

#: Verdicts that are only counted where a run has many contrasts.
QUIET = ("inconclusive", "untestable", "absent")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def _word(row: dict[str, str]) -> str:
    """Return a target's verdict in a contrast, up and down only where they are headlines."""
    called = row["verdict"] in ("up", "down")
    return "not established" if called and row["headline"] == "none" else row["verdict"]


def _verdicts(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return a line for each contrast of a target; of many, those that say nothing are counted."""
    quiet = [row for row in rows if _word(row) in QUIET] if len(rows) > MOST_CONTRASTS else []
    lines = [
        f"{row['target']} in {row['contrast']}: {_word(row)} ({row['reason']})"
        for row in rows
        if row not in quiet
    ]
    if quiet:
        counts = Counter(_word(row) for row in quiet)
        said = ", ".join(f"{count} {word}" for word, count in counts.items())
        where = "the other" if lines else "all"
        lines.append(f"{rows[0]['target']} in {where} {len(quiet)} contrasts: {said}")
    return lines


def headline(folder: str | Path) -> list[str]:
    """Return the lines: the path of the report, the first target's headlines, responsive genes.

    folder: `results/{cohort}`, complete.
    """
    place = Path(folder)
    lines = [f"Report: {place / 'report.html'}"]
    targets = _rows(place / "flags" / "targets.tsv")
    first = targets[0]["target"] if targets else ""
    lines += _verdicts([row for row in targets if row["target"] == first])
    if (place / "flags" / "targets.tsv").exists() and not targets:
        lines.append("No target was declared")
    calls: dict[str, Counter[str]] = {}
    for row in _rows(place / "flags" / "factors.tsv"):
        calls.setdefault(row["factor"], Counter())[row["call"]] += 1
    for factor, count in calls.items():
        responsive = sum(count[word] for word in RESPONSIVE)
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


def one_line(folder: str | Path) -> str:
    """Return the summary of a finished cohort in one line, for runs of several cohorts."""
    place = Path(folder)
    parts = [str(place / "report.html")]
    targets = _rows(place / "flags" / "targets.tsv")
    first = targets[0]["target"] if targets else ""
    said = [
        f"{_word(row)} in {row['contrast']}"
        for row in targets
        if row["target"] == first and row["kind"] in ("change", "difference")
    ]
    parts += [f"{first} {', '.join(said)}"] if said else []
    calls: dict[str, int] = {}
    for row in _rows(place / "flags" / "factors.tsv"):
        calls.setdefault(row["factor"], 0)
        calls[row["factor"]] += row["call"] in RESPONSIVE
    parts += [f"{factor}-responsive genes: {count}" for factor, count in calls.items()]
    warnings = sum(row["level"] == "warning" for row in _rows(place / "qc" / "checks.tsv"))
    parts += [f"{warnings} QC warning{'' if warnings == 1 else 's'}"] if warnings else []
    return f"{place.name}: {'; '.join(parts)}"


def synthesis_line(folder: str | Path) -> str:
    """Return the summary of a finished synthesis, of its first target, in one line."""
    place = Path(folder)
    rows = _rows(place / "meta" / "targets.tsv")
    said = []
    for row in rows:
        if row["target"] == rows[0]["target"] and row["random_estimate"]:
            numbers = (row[f"random_{name}"] for name in ("estimate", "ci_low", "ci_high"))
            estimate, low, high = (f"{float(number):+.2f}" for number in numbers)
            noun = "cohort" if row["cohorts"] == "1" else "cohorts"
            found = f"{row['contrast']} {estimate} ({low} to {high}; {row['cohorts']} {noun})"
            way = row["replicated"]
            said.append(found if way == "none" else f"{found}, replicated: {way}")
    parts = [str(place / "report.html")]
    parts += [f"log2 fold change of {rows[0]['target']}: {', '.join(said)}"] if said else []
    return f"{place.name}: {'; '.join(parts)}"


def headlines(folders: Sequence[str | Path]) -> list[str]:
    """Return one line for each cohort, and one for the synthesis, whose folder is the last."""
    return [*map(one_line, folders[:-1]), synthesis_line(folders[-1])]


def _print(lines: Sequence[str]) -> None:
    """Print lines to the terminal, on standard error as Snakemake's own messages are."""
    print("\n" + "\n".join(lines) + "\n", file=sys.stderr)


def plan_lines(rows: Sequence[dict[str, str]], mean_count: str = "300") -> list[str]:
    """Return a plan without a cohort as lines, for genes of one mean count; rows: `plan.tsv`."""
    own = [row for row in rows if row["mean_count"] == mean_count]
    lines = []
    for cohort in dict.fromkeys(row["cohort"] for row in own):
        cells: dict[str, list[str]] = {}
        for row in own:
            if row["cohort"] == cohort:
                size, power = float(row["detectable_lfc"]), 100 * float(row["power"])
                cells.setdefault(row["pairs"], []).append(f"{size:.2f} {power:5.0f} %")
        kinds = [
            "slope per sd" if kind == "slope" else kind
            for kind in dict.fromkeys(row["kind"] for row in own)
        ]
        lines += [
            f"With the variances of {cohort} (genes of mean count {mean_count}): the |log2 fold "
            f"change| that 80 % of studies find, and the power for {own[0]['effect']}, by pairs in "
            "each group",
            f"{'pairs':>6}" + "".join(f"{kind:>16}" for kind in kinds),
            *(f"{pairs:>6}" + "".join(f"{cell:>16}" for cell in of) for pairs, of in cells.items()),
        ]
    return lines


def print_plan(path: str | Path) -> None:
    """Print the plan without a cohort."""
    _print([*plan_lines(_rows(Path(path))), f"All mean counts: {path}"])


def print_headline(folder: str | Path) -> None:
    """Print the headline of one cohort."""
    _print(headline(folder))


def print_headlines(folders: Sequence[str | Path]) -> None:
    """Print the headline of several cohorts and their synthesis."""
    _print(headlines(folders))
