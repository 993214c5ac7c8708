"""What a run prints at its end. Tables are read as text: imports nothing heavy."""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from fibroserum.factors.calls import RESPONSIVE

#: The longest line of the story, in characters: the width of a usual terminal.
WIDTH = 80
#: Warnings that the end of a run prints; of more, only their number.
MOST_WARNINGS = 5


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def _word(row: dict[str, str]) -> str:
    """Return a target's verdict in a contrast, up and down only where they are headlines."""
    called = row["verdict"] in ("up", "down")
    return "not established" if called and row["headline"] == "none" else row["verdict"]


def _story(place: Path) -> list[str]:
    """Return the story of a run, in lines that fit a terminal."""
    path = place / "summary.json"
    if not path.exists():
        return []
    return textwrap.wrap(json.loads(path.read_text(encoding="utf-8"))["story"], WIDTH)


def _warnings(place: Path) -> list[str]:
    """Return the warnings of quality control, what each is about and what to do."""
    rows = [row for row in _rows(place / "qc" / "checks.tsv") if row["level"] == "warning"]
    if not rows:
        return []
    told = [
        ": ".join(filter(None, (row["check"], row["subject"], row["message"])))
        + (f". {row['advice']}" if row.get("advice") else "")
        for row in rows[:MOST_WARNINGS]
    ]
    more = len(rows) - len(told)
    noun = "warning" if len(rows) == 1 else "warnings"
    return [
        f"{len(rows)} {noun} of quality control ({place / 'qc' / 'checks.tsv'}):",
        *(f"  {line}" for line in told),
        *([f"  and {more} more"] if more else []),
    ]


def headline(folder: str | Path) -> list[str]:
    """Return the lines: the story of the run, the path of the report, the warnings.

    folder: `results/{cohort}`, complete.
    """
    place = Path(folder)
    return [*_story(place), f"Report: {place / 'report.html'}", *_warnings(place)]


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
