"""What Snakemake's command line says of the config: where it comes from, values of `--config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fibroserum.input.config import Config, schema_at, source


def config_source(files: Sequence[Path], overrides: Mapping[str, Any]) -> str:
    """Return where the config comes from, for messages: its files, and the command line.

    files: of `--configfile`; overrides: the values of `--config`.
    """
    return ", ".join([*map(source, files), *(["--config"] if overrides else [])]) or "config"


def with_types(config: Config, overrides: Mapping[str, Any], schema: dict[str, Any]) -> Config:
    """Return the config with numbers for the text that `--config key={inner: 0.1}` gives.

    Snakemake reads what is inside braces as text. Only values that were given on the command line
    and that the schema does not want as text are read again, as YAML.
    """

    def retyped(value: Any, path: list[Any]) -> Any:
        if isinstance(value, Mapping):
            return {key: retyped(item, [*path, key]) for key, item in value.items()}
        kinds = schema_at(schema, path).get("type", "string")
        wants_text = "string" in ([kinds] if isinstance(kinds, str) else kinds)
        if isinstance(value, str) and not wants_text:
            try:
                return yaml.safe_load(value)
            except yaml.YAMLError:
                return value
        return value

    changed = {key: retyped(config[key], [key]) for key in overrides if key in config}
    return {**config, **changed}
