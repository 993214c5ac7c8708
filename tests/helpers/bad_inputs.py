"""The real command line: one subprocess a cohort, several side by side."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from helpers.pipeline import REPOSITORY
from helpers.small_cohort import SmallCohort, good
from helpers.small_runs import environment

SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What a run ended in.

    status; output: all that it said; results: files that it left under results/, of which `texts`
    holds the tables; files: all others in its folder; logs: what they hold.
    """

    status: int
    output: str
    seconds: float
    results: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    logs: str = ""


@dataclass(frozen=True)
class Case:
    """One change of a good cohort: how it comes about, and what is expected.

    expected: every problem that is said, in whole or its beginning; or, of input that is strange
    and right, what stands in `samples.tsv`. targets: files to make, all where empty.
    quick: through the library alone, where the command line's way to it is another case's.
    """

    topic: str
    title: str
    spoil: Callable[[SmallCohort], None]
    expected: tuple[str, ...]
    targets: tuple[str, ...] = ()
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.topic}: {self.title}"


@dataclass
class Cases:
    """The cases of one topic, in the order in which they are written."""

    topic: str
    found: list[Case] = field(default_factory=list)

    def case(
        self, title: str, *expected: str, targets: tuple[str, ...] = (), quick: bool = False
    ) -> Callable[[Callable[[SmallCohort], None]], Callable[[SmallCohort], None]]:
        """Register the decorated function, which spoils a good cohort, with what is to be said."""

        def register(spoil: Callable[[SmallCohort], None]) -> Callable[[SmallCohort], None]:
            self.found.append(Case(self.topic, title, spoil, expected, targets, quick))
            return spoil

        return register


def run(cohort: SmallCohort, folder: Path, *targets: str, before: Sequence[str] = ()) -> Outcome:
    """Write a cohort and run the workflow on it; before: words that precede the command."""
    cohort.write(folder)
    command = [*before, sys.executable, "-m", "snakemake", "--cores", "1"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "cohort.yaml"), *cohort.arguments]
    command += ["--", *targets] if targets else []
    start = time.monotonic()
    done = subprocess.run(
        command,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        timeout=SECONDS,
        check=False,
        encoding="utf-8",
    )
    seconds = time.monotonic() - start
    return Outcome(done.returncode, done.stdout, seconds, *_left_in(folder))


def _left_in(folder: Path) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...], str]:
    """Return the results, the tables among them, the other files, and the text of all logs."""
    paths = sorted(p for p in folder.rglob("*") if not p.is_dir())
    paths = [p for p in paths if ".snakemake" not in p.parts]
    names = {p.relative_to(folder).as_posix(): p for p in paths}
    results = {name: p for name, p in names.items() if name.startswith("results/")}
    tables = {n: p.read_text(encoding="utf-8") for n, p in results.items() if p.suffix == ".tsv"}
    logs = [p.read_text(encoding="utf-8") for p in paths if p.suffix == ".log"]
    others = tuple(name for name in names if name not in results)
    return tuple(results), tables, others, "\n".join(logs)


def through_library(cohort: SmallCohort, folder: Path) -> Outcome:
    """Return what the workflow would say, without a process of its own."""
    from fibroserum.cohort.build import build_cohort
    from fibroserum.cohort.inputs import plan, read_all
    from fibroserum.errors import InputError
    from fibroserum.input.config import load_schema

    cohort.write(folder)
    start = time.monotonic()
    schema = load_schema(REPOSITORY / "workflow" / "schemas" / "config.schema.yaml")
    with contextlib.chdir(folder):
        try:
            raw = yaml.safe_load(Path("cohort.yaml").read_text(encoding="utf-8"))
            config = plan(raw, schema, REPOSITORY, "cohort.yaml", [Path("cohort.yaml")]).config
            build_cohort(read_all(config), config, 10)
        except InputError as error:
            return Outcome(1, str(error), time.monotonic() - start)
    return Outcome(0, "", time.monotonic() - start)


def spoiled(case: Case) -> SmallCohort:
    """Return a good cohort with the case's mistake in it."""
    cohort = good()
    case.spoil(cohort)
    return cohort
