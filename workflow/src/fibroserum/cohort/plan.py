"""What a run will make, known before it starts; every problem of config and sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fibroserum.cohort.accessors import all_contrasts
from fibroserum.cohort.contrasts import Contrast, name_problems
from fibroserum.cohort.inputs import check_tables, checked_sheet, lists_in_doubt, read_all
from fibroserum.cohort.samples import canonical_sheet, comparisons
from fibroserum.errors import Collector, Problem
from fibroserum.input.config import (
    Config,
    defaults_of,
    placeholders,
    repeated_keys,
    resolve,
    usable,
)
from fibroserum.input.names import file_name
from fibroserum.input.paths import can_be_path, missing_files, toy_files, with_located_paths


@dataclass(frozen=True)
class Plan:
    """What a run will make: the complete config, and names that file names are made of.

    raw: the config as the user wrote it; samples: the number of rows of the sample sheet.
    """

    raw: Config
    config: Config
    folder: str
    samples: int
    groups: tuple[str, ...]
    contrasts: tuple[Contrast, ...]

    @property
    def defaults(self) -> list[str]:
        """Keys whose values are the schema's, with dots between sections."""
        return list(defaults_of(self.raw, self.config))

    @property
    def factors(self) -> dict[str, Any]:
        """The config's factors, by their names in file names."""
        return {file_name(name): entry for name, entry in self.config["factors"].items()}


def plan(
    raw: Config, schema: dict[str, Any], root: Path, where: str, files: Sequence[Path] = ()
) -> Plan:
    """Return the plan of a run.

    raw: the config as the user wrote it; schema: its JSON Schema; root: of the pipeline, for
    bundled resources; where: the config's name, for messages; files: those that it was read from.
    Raises InputError with every problem of the config, the sheets and tables and, when there is
    any, of the counts too. A gene of an own list that no table knows makes it read the counts.
    """
    config, problems = resolve(raw, schema, where)
    found = Collector()
    found.problems += placeholders(raw, where)
    if found.problems:
        # nothing else can be checked before they are filled in
        found.problems += problems
        found.finish()
    for file in files:
        found.problems += repeated_keys(file)
    found.problems += problems
    if problems:
        # go on with what can be used, to say everything at once
        mended = usable(raw, schema)
        if mended is None:
            found.finish()
        config = mended or config
    config = with_located_paths(config, root)
    missing = dict(missing_files(config, where))
    found.problems += missing.values()
    found.problems += toy_files(config, where)
    if not all(map(can_be_path, missing)):
        found.finish()
    said = [problem.where.removeprefix(f"{where}, ") for problem in problems]
    sheet = None
    with found.collecting():
        sheet = checked_sheet(config)
    doubt = False
    with found.collecting():
        check_tables(config)
        doubt = lists_in_doubt(config)
    if found.problems or doubt:
        with found.collecting():
            read_all(config)
        found.problems = _without_echoes(found.problems, set(missing), said)
        found.problems = [_named(problem, where) for problem in found.problems]
        found.finish()
    assert sheet is not None, "a sheet that could not be read is a problem"
    compared = comparisons(canonical_sheet(sheet, config["design"]), config)
    contrasts = all_contrasts(compared)
    found.problems += name_problems(contrasts, f"{where}, names of contrasts")
    found.finish()
    groups = tuple(compared["groups"])
    return Plan(raw, config, file_name(config["cohort"]), len(sheet), groups, tuple(contrasts))


def _without_echoes(
    problems: Sequence[Problem], missing: set[str], said: Sequence[str]
) -> list[Problem]:
    """Return the problems without those that follow from others.

    missing: files that the config names in vain, which their readers miss again; said: the keys
    whose values the schema refuses, which other checks then find empty.
    """
    keys = [key for key in said if "." in key]
    return [
        problem
        for problem in problems
        if problem.where not in missing
        and not any(
            key in problem.what or key.startswith(f"{problem.where.removeprefix('config, ')}.")
            for key in keys
        )
    ]


def _named(problem: Problem, where: str) -> Problem:
    """Return the problem with the config's own name in place of the word `config`."""
    if problem.where.startswith("config, "):
        return replace(problem, where=f"{where}, {problem.where.removeprefix('config, ')}")
    return problem
