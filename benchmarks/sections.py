"""Write a study's section of docs/calibration.md, and report the time that the study took."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def run_study(
    about: str,
    rows: Callable[[int, int], pd.DataFrame],
    section: Callable[[pd.DataFrame, int], str],
    finding: Callable[[pd.DataFrame], str],
) -> None:
    """Run a study as its command line asks, and print its section or write it into a page.

    about: the module's docstring. rows: of the number of cohorts and of processes.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--cohorts", type=int, default=60)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--write", type=Path, help="file with the marked section")
    asked = parser.parse_args()
    start = time.monotonic()
    table = rows(asked.cohorts, asked.workers)
    text = section(table, asked.cohorts)
    if asked.write:
        write_section(asked.write, text, finding(table))
    else:
        print(text)
    print(took(start))


def took(start: float) -> str:
    """Return the time since a `time.monotonic()` as the sentence that a study prints.

    Processor time includes finished child processes: on a busy machine it shows what the study
    itself takes.
    """
    used = os.times()
    processor = used.user + used.system + used.children_user + used.children_system
    minutes = (time.monotonic() - start) / 60
    return f"It took {minutes:.1f} minutes, {processor / 60:.1f} minutes of processor time."


def write_section(path: Path, section: str, finding: str = "", *, first: bool = False) -> None:
    """Replace a `## ` section of a Markdown file, or add it at the end; first: before the others.

    finding: what the study shows, in a sentence or two made from its figures. It is the section's
    line in the list at the top of the page.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else "# Calibration\n"
    title = section.splitlines()[0]
    pattern = re.compile(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n\n", text)
    elif first and "\n## " in text:
        top, rule, rest = text.partition("\n## ")
        text = top + "\n" + section + "\n" + rule + rest
    else:
        text = text.rstrip("\n") + "\n\n" + section + "\n"
    if finding:
        text = _with_finding(text, title.removeprefix("## "), finding)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _with_finding(text: str, name: str, finding: str) -> str:
    """Return the page with a study's line in the list before its first section."""
    top, rule, rest = text.partition("\n## ")
    line = f"* **{name}**: {finding}"
    pattern = re.compile(rf"^\* \*\*{re.escape(name)}\*\*: .*$", re.MULTILINE)
    if pattern.search(top):
        top = pattern.sub(lambda _: line, top)
    else:
        top = top.rstrip("\n") + ("\n" if "\n* **" in top else "\n\n") + line + "\n"
    return top.rstrip("\n") + "\n" + rule + rest
