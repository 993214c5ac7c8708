"""The processes that draw end with the one that began them; what slows charts down."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fibroserum import report
from fibroserum.report.figures import render
from fibroserum.report.figures.converter import converter, folders

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


def test_channels_have_classes() -> None:
    """Of a text altair looks for the class among all that it has: 15 ms each."""
    folder = Path(report.__file__).parent
    found = [
        f"{path.name}:{keyword.value.lineno}"
        for path in folder.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "encode"
        for keyword in call.keywords
        for part in getattr(keyword.value, "elts", [keyword.value])
        if isinstance(part, ast.Constant | ast.JoinedStr)
    ]
    assert found == []


def test_fonts_leave_the_environment_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    converter.cache_clear()
    drawing = converter().vegalite_to_svg(render.NOTHING)
    assert drawing.startswith("<svg")
    assert "FONTCONFIG_FILE" not in os.environ


def test_folders_of_fonts_are_those_of_fontconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own", "data/fonts", "home/.fonts"):
        (tmp_path / name).mkdir(parents=True)
    settings = tmp_path / "fonts.conf"
    settings.write_text(
        f"<fontconfig><dir>{tmp_path}/own</dir><dir>{tmp_path}/none</dir>"
        '<dir prefix="xdg">fonts</dir><dir>~/.fonts</dir></fontconfig>',
        encoding="utf-8",
    )
    monkeypatch.setenv("FONTCONFIG_FILE", str(settings))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert folders() == [str(tmp_path / name) for name in ("own", "data/fonts", "home/.fonts")]
    # without settings, those where Linux keeps them
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "missing"))
    assert str(tmp_path / "home/.fonts") in folders()
