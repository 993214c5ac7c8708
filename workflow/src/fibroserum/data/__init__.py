"""The files that the library itself reads. What a config names lies in `resources/`."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml


def data_file(name: str) -> Path:
    """Return the path of a file of this package, which is always installed as files."""
    return Path(str(files(__name__) / name))


def data_yaml(name: str) -> Any:
    """Return what a YAML file of this package holds; read in C where PyYAML has that."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader(data_file(name).read_text(encoding="utf-8")).get_single_data()


__all__ = []
