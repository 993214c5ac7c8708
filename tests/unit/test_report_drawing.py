"""The processes that draw: none outlives the one that began them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

BEGUN = """
from fibroserum.report.drawing import Drawing
if __name__ == "__main__":
    drawing = Drawing()
    drawing.bundle()
    drawing.begin("one", {"mark": "point", "usermeta": {"labels": ""}})
    print(*(process for pool in drawing._pools for process in pool._processes), flush=True)
    input()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_kill_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "begun.py"
    script.write_text(BEGUN)
    begun = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with begun:
        assert begun.stdout is not None
        drawers = [Path("/proc") / number for number in begun.stdout.readline().split()]
        assert drawers
        assert all(drawer.exists() for drawer in drawers)
        begun.kill()
    for _ in range(200):
        if not any(map(alive, drawers)):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {drawers}")


def alive(process: Path) -> bool:
    """Whether a process runs; a zombie, which nobody has waited for, does not."""
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False
