"""Write a study's section of docs/calibration.md."""

from __future__ import annotations

import re
import time
from pathlib import Path


def took(start: float) -> str:
    """Return the time since a `time.monotonic()` as the sentence that a study prints."""
    return f"It took {(time.monotonic() - start) / 60:.1f} minutes."


def write_section(path: Path, section: str) -> None:
    """Replace a `## ` section of a Markdown file, or add it at the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Calibration\n"
    heading = re.escape(section.splitlines()[0])
    pattern = re.compile(rf"^{heading}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n\n", text)
    else:
        text = text.rstrip("\n") + "\n\n" + section + "\n"
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
