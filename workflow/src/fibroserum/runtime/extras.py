"""What a target needs that a run does not install."""

from __future__ import annotations

import sys
from typing import TypeVar

from fibroserum.errors import require

T = TypeVar("T")


def only_with(extra: str, module: str, files: T) -> T:
    """Return the files, or end the run with a line that says what to install.

    As the input of a rule: it is asked only if the rule is a target, and before any job starts.
    """
    try:
        require(module, extra=extra)
    except ImportError as error:
        sys.exit(str(error))
    return files
