"""Several cohorts in one run: the files they are read from, and what is wrong with any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from fibroserum.cohort.plan import Plan, plan
from fibroserum.errors import InputError, Problem, nearest, refuse
from fibroserum.input.config import Config, read_config, repeated_keys, schema_problems
from fibroserum.input.names import file_name, long_names
from fibroserum.input.paths import can_be_path, locate
from fibroserum.input.schema import cohorts_schema, config_schema


@dataclass(frozen=True)
class Several:
    """What a run of several cohorts will make.

    name: of the synthesis; cohorts: their plans, in the order of their names.
    """

    name: str
    cohorts: tuple[Plan, ...]

    @property
    def folder(self) -> str:
        """The synthesis's name as used in file names."""
        return file_name(self.name)

    @property
    def folders(self) -> list[str]:
        """The folders under `results/`, the synthesis last."""
        return [*(cohort.folder for cohort in self.cohorts), self.folder]

    @property
    def prefixes(self) -> list[str]:
        """What the names of each cohort's rules begin with; no two are the same."""
        plain = [re.sub(r"\W", "_", cohort.folder) for cohort in self.cohorts]
        found: list[str] = []
        for name in plain:
            tried = (f"{name}_{number}" for number in count(1))
            # nor one that another cohort has by its own name
            free = (one for one in tried if one not in plain and f"{one}_" not in found)
            found.append(f"{name}_" if plain.count(name) == 1 else f"{next(free)}_")
        return found

    @property
    def targets(self) -> list[str]:
        """Every target that any cohort declares."""
        return list(dict.fromkeys(t for one in self.cohorts for t in one.config["targets"]))

    @property
    def factors(self) -> list[str]:
        """Every factor that any cohort names."""
        return list(dict.fromkeys(f for one in self.cohorts for f in one.config["factors"]))

    @property
    def alpha(self) -> float:
        """The strictest false discovery rate among the cohorts'."""
        return min(one.config["differential_expression"]["alpha"] for one in self.cohorts)


def plan_several(raw: Config, root: Path, where: str, files: Sequence[Path] = ()) -> Several:
    """Return the plan of a run of several cohorts.

    raw: the config as the user wrote it, with the key `cohorts`; root, where, files: as `plan.plan`
    has them. Raises InputError with every problem of this config and of each cohort's config and
    input.
    """
    own, schema = cohorts_schema(), config_schema()
    problems = [p for file in files for p in repeated_keys(file)]
    problems += _own_problems(raw, own, schema, where)
    listed = raw["cohorts"] if isinstance(raw["cohorts"], list) else []
    plans: dict[str, Plan] = {}
    names: dict[str, str] = {}
    for path in dict.fromkeys(one for one in listed if isinstance(one, str) and one):
        try:
            config, file = read_one(path, root, f"{where}, cohorts")
            if isinstance(config.get("cohort"), str):
                names[path] = config["cohort"]
            plans[path] = plan(config, schema, root, str(path), [file])
        except InputError as error:
            problems += error.problems
    name = raw.get("cohort", own["properties"]["cohort"]["default"])
    if isinstance(name, str):
        problems += _name_problems(names, name, where)
    if problems:
        raise InputError(problems)
    ordered = sorted(plans.values(), key=lambda one: str(one.config["cohort"]))
    return Several(name, tuple(ordered))


def _own_problems(
    raw: Config, own: dict[str, Any], schema: dict[str, Any], where: str
) -> Iterator[Problem]:
    """Yield what is wrong with the file of cohorts itself."""
    elsewhere = [key for key in raw if key in schema["properties"] and key not in own["properties"]]
    for key in elsewhere:
        yield Problem(
            f"the key '{key}' belongs in the config of a single cohort",
            where,
            "only the keys cohorts and cohort",
            "Move it to the config of each cohort.",
        )
    rest = {key: value for key, value in raw.items() if key not in elsewhere}
    yield from schema_problems(rest, own, where)


def read_one(path: str, root: Path, where: str) -> tuple[Config, Path]:
    """Return the content of a cohort's config, and where it was found.

    root: of the pipeline, for bundled configs; where: what names the config, for messages. Raises
    InputError where it cannot be read, or is not the config of one cohort.
    """
    place = Path(locate(path, root) or path)
    if not can_be_path(path) or not place.is_file():
        folder = place.parent
        known = sorted(map(str, folder.glob("*.yaml"))) if folder.is_dir() else []
        hint = (
            nearest(path, known, "Files found")
            or f"There is no config file in the folder '{folder}'."
        )
        expected = "a cohort's config file, relative to the working directory"
        raise refuse(f"there is no file '{path}'", where, expected, hint)
    try:
        content = read_config(place)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        said = " ".join(str(error).split())
        raise refuse(f"cannot be read: {said}", path, "a config in YAML") from error
    if not isinstance(content, dict):
        raise refuse("contains no keys", path, "a cohort's config: keys with their values")
    if "cohorts" in content:
        raise refuse(
            "lists other cohorts",
            path,
            "the config of one cohort",
            "Name each of its cohorts here instead.",
        )
    return content, place


def _name_problems(names: dict[str, str], synthesis: str, where: str) -> Iterator[Problem]:
    """Yield a problem for each two cohorts, or a cohort and the synthesis, of one folder.

    names: of the cohorts, by their files.
    """
    place = f"{where}, cohorts"
    if not re.sub(r"[._]", "", file_name(synthesis)):
        yield Problem(
            f"the name '{synthesis}' has no letter or digit, so no file can be named after it",
            f"{where}, cohort",
            "a name with a letter or a digit",
        )
    yield from long_names([synthesis], f"{where}, cohort")
    seen: dict[str, str] = {}
    for path, name in names.items():
        # case is folded: some file systems do not tell it apart
        folder = file_name(name).casefold()
        if folder in seen:
            other = seen[folder]
            same = names[other] == name
            what = (
                f"'{other}' and '{path}' both have the cohort name '{name}'"
                if same
                else f"the cohorts '{names[other]}' ({other}) and '{name}' ({path}) both become "
                f"'{file_name(name)}' in file names"
            )
            yield Problem(what, place, "a different name for each cohort")
        seen.setdefault(folder, path)
    if (own := seen.get(file_name(synthesis).casefold())) is not None:
        yield Problem(
            f"the synthesis has the same name as the cohort '{names[own]}' ({own})",
            place,
            "a different name for the synthesis (key 'cohort')",
        )
