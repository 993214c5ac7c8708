"""Names that file names are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fibroserum.errors import Problem
from fibroserum.files.contents import composed

#: Characters of a name that file names are made of: file systems take 255 with all that is added.
LONGEST_NAME = 120


def file_name(name: str) -> str:
    """Return `name` as used in file names: letters, digits, `.`, `_`, `-`, else `_`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def nameless(name: str) -> bool:
    """Return whether `name` leaves no letter or digit for a file name."""
    return re.fullmatch(r"[._-]*", file_name(name)) is not None


def name_clashes(names: list[str], where: str, kind: str) -> Iterator[Problem]:
    """Yield a problem for each pair of names that become the same file name."""
    seen: dict[str, str] = {}
    for name in names:
        # case is folded: some file systems do not tell it apart
        key = file_name(name).casefold()
        if key not in seen:
            seen[key] = name
        else:
            other = seen[key]
            yield Problem(
                f"'{other}' and '{name}' both become '{file_name(name)}' in file names",
                where,
                f"{kind} that differ in letters, digits, '.', '_' or '-'",
            )


def long_names(names: list[str], where: str) -> Iterator[Problem]:
    """Yield a problem for each name that file names cannot hold (255 characters with endings)."""
    for name in names:
        if len(file_name(name)) > LONGEST_NAME:
            yield Problem(
                f"the name '{name[:30]}…' has {len(name)} characters",
                where,
                f"at most {LONGEST_NAME}, because the name becomes part of file names",
            )


#: Keys whose values are paths: a file's name stays as it is on disk.
_PATHS = frozenset(
    {
        *("counts", "samples", "tx2gene", "gene_sets", "published", "annotation", "signature"),
        *("table", "gene_lists"),
    }
)


def composed_config(value: Any) -> Any:
    """Return a config with its texts in composed form, as those of all tables are; paths aside."""
    if isinstance(value, Mapping):
        return {
            composed(key) if isinstance(key, str) else key: (
                item if key in _PATHS else composed_config(item)
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [composed_config(item) for item in value]
    return composed(value) if isinstance(value, str) else value
