"""The JSON Schemas of the two kinds of config: of one cohort, and of several.

Apart from `config`: a rule runs again when a data file changes that a module of its names, and no
rule's script reads a schema.
"""

from __future__ import annotations

from typing import Any

from fibroserum.data import data_yaml


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one cohort's config, defaults included."""
    return dict(data_yaml("config.schema.yaml"))


def cohorts_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file that lists the configs of cohorts."""
    return dict(data_yaml("cohorts.schema.yaml"))
