"""The schema's defaults of what is shown beside the verdicts."""

from __future__ import annotations

from fibroserum.input.config import with_defaults
from fibroserum.input.schema import config_schema
from fibroserum.targets.context import ContextSettings

DEFAULT = ContextSettings(**with_defaults({}, config_schema()["properties"]["context"]))
