"""Cohorts with one mistake in them, through the library or the real command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.plan import plan
from fibroserum.cohort.several import plan_several
from fibroserum.cohort.stage import Cohort, build_cohort
from fibroserum.input.schema import config_schema
from helpers.pipeline import REPOSITORY
from helpers.small_cohort import SmallCohort, good
from helpers.small_runs import ended, environment


@dataclass(frozen=True)
class Outcome:
    """What a run ended in.

    status; output: all that it said; results: files that it left under results/, of which `texts`
    holds the tables; files: all others in its folder; logs: what they hold.
    """

    status: int
    output: str
    results: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    logs: str = ""


@dataclass(frozen=True)
class Case:
    """One change of a good cohort: how it comes about, and what is expected.

    expected: every problem that is said, in whole or its beginning; or, of input that is strange
    and right, what stands in `samples.tsv`. targets: files to make, all where empty.
    command_line: through the command line, not the library alone: one case for each way in which
    a message reaches the terminal, and those that the library never sees.
    """

    topic: str
    title: str
    spoil: Callable[[SmallCohort], None]
    expected: tuple[str, ...]
    targets: tuple[str, ...] = ()
    command_line: bool = False

    @property
    def name(self) -> str:
        return f"{self.topic}: {self.title}"


@dataclass
class Cases:
    """The cases of one topic, in the order in which they are written."""

    topic: str
    found: list[Case] = field(default_factory=list)

    def case(
        self, title: str, *expected: str, targets: tuple[str, ...] = (), command_line: bool = False
    ) -> Callable[[Callable[[SmallCohort], None]], Callable[[SmallCohort], None]]:
        """Register the decorated function, which spoils a good cohort, with what is to be said."""

        def register(spoil: Callable[[SmallCohort], None]) -> Callable[[SmallCohort], None]:
            self.found.append(Case(self.topic, title, spoil, expected, targets, command_line))
            return spoil

        return register


def run(cohort: SmallCohort, folder: Path, *targets: str, before: Sequence[str] = ()) -> Outcome:
    """Write a cohort and run the workflow on it; before: words that precede the command."""
    cohort.write(folder)
    command = [*before, sys.executable, "-m", "snakemake", "--cores", "1"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "cohort.yaml"), *cohort.arguments]
    command += ["--", *targets] if targets else []
    done = ended(command, folder, environment(PYTHONUNBUFFERED="1"))
    return Outcome(done.returncode, done.stdout, *_left_in(folder))


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


def build(cohort: SmallCohort, folder: Path) -> pd.DataFrame:
    """Return the table of samples of a cohort. Raises InputError."""
    return pd.concat([one.samples for one in built(cohort, folder)])


def built(cohort: SmallCohort, folder: Path) -> list[Cohort]:
    """Write a cohort, and read and check it as the workflow does, without processes of its own.

    Raises InputError.
    """
    file = Path("cohort.yaml")
    cohort.write(folder)
    with contextlib.chdir(folder):
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "cohorts" in raw:
            plans = plan_several(raw, REPOSITORY, file.name, [file]).cohorts
        else:
            schema = config_schema()
            plans = (plan(raw, schema, REPOSITORY, file.name, [file]),)
        return [build_cohort(read_all(one.config), one.config, 10) for one in plans]


def spoiled(case: Case) -> SmallCohort:
    """Return a good cohort with the case's mistake in it."""
    cohort = good()
    case.spoil(cohort)
    return cohort
