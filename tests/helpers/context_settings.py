"""The schema's defaults of what is shown beside the verdicts."""

from __future__ import annotations

from pathlib import Path

from fibroserum.input.config import load_schema, with_defaults
from fibroserum.targets.context import ContextSettings

SCHEMA = Path(__file__).resolve().parents[2] / "workflow" / "schemas" / "config.schema.yaml"
DEFAULT = ContextSettings(**with_defaults({}, load_schema(SCHEMA)["properties"]["context"]))
