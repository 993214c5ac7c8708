"""The files that the library itself reads. What a config names lies in `resources/`."""

from importlib.resources import files
from pathlib import Path


def data_file(name: str) -> Path:
    """Return the path of a file of this package, which is always installed as files."""
    return Path(str(files(__name__) / name))


__all__ = []
