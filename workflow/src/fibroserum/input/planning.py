"""The settings of a plan without a cohort: a config that names no counts yet is enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fibroserum.errors import Collector
from fibroserum.input.config import Config, schema_problems, with_defaults

#: keys that a plan reads
KEYS = ("cohort", "targets", "planning", "differential_expression")


def names_no_counts(raw: Config) -> bool:
    """Return whether a config says nothing but what a plan reads."""
    return bool(raw) and set(raw) <= set(KEYS)


def plan_settings(
    raw: Config, schema: dict[str, Any], root: Path, where: str, files: Sequence[Path] = ()
) -> Config:
    """Return the settings of a plan with their defaults; other keys of the config are left out.

    Arguments as those of `fibroserum.cohort.plan.plan`. Raises InputError with every problem.
    """
    keys = {key: schema["properties"][key] for key in KEYS}
    own = {**schema, "required": [], "properties": keys}
    named = {key: raw[key] for key in KEYS if key in raw}
    found = Collector()
    found.problems += schema_problems(named, own, where)
    found.finish()
    settings: Config = with_defaults(named, own)
    return settings
