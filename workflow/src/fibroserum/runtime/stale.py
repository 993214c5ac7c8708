"""Tables and figures of earlier runs that the config no longer asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

#: Folders of a cohort's results whose files depend on what the config asks for.
FOLDERS = ("flags", "figures")


def remove_stale(
    results: Path, made: Collection[str], rule_of: Callable[[str], str | None]
) -> list[str]:
    """Remove a cohort's tables and figures that no rule of this run makes; return their paths.

    made: the outputs of all rules behind the report. rule_of: the rule that made a file, None for a
    file that Snakemake did not make: such a file is the user's own, and stays.
    """
    found = sorted(str(path) for name in FOLDERS for path in (results / name).glob("*"))
    stale = [path for path in found if path not in made and rule_of(path)]
    for path in stale:
        Path(path).unlink()
    return stale
