"""Where the machine code of kernels is kept, and what happens where it cannot be."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "workflow" / "src"
#: Compiles a small kernel for two layouts of its matrix; says what it was and how often it loaded.
SCRIPT = """
import numpy as np
from fibroserum.inference.coefficients import means_from
from fibroserum.inference.structure import find_blocks
blocks = find_blocks(np.eye(2)).blocks
for layout in "CF":
    means = np.empty((2, 2))
    means_from(np.log(np.array([[4.0, 2.0], [1.0, 8.0]], order=layout)), np.zeros(2), blocks, means)
    print(means.round(9).tolist())
print(sum(means_from.stats.cache_hits.values()))
"""
ANSWER = "[[4.0, 2.0], [1.0, 8.0]]\n" * 2
#: The calls of a run; says which kernels it used, and which with other types than they declare.
RUN = """
import fibroserum as fs
from fibroserum.inference.compiling import KERNELS
cohort = fs.read_cohort(fs.load_config("config/config.yaml"))
fits = fs.fit(cohort)
tables = fs.results(cohort, fits)
fs.target_tables(cohort, fits, tables)
fs.set_tests(cohort, fits, tables)
print(sorted(kernel.py_func.__name__ for kernel, _ in KERNELS if kernel.signatures))
print([kernel for kernel, types in KERNELS if set(kernel.signatures) - {types}])
"""
USED = [
    *("_contrast_effects", "_grouped_squares", "_line_at", "_weighted_fit", "area"),
    *("chances_of_larger", "fit_coefficients", "leverages_of", "linear_fit", "maximise"),
    *("means_from", "shrink", "thinned_ranks", "wald_errors"),
]
AHEAD = SOURCE.parent / "kernels.py"
WARNING = "RuntimeWarning: Compiled code cannot be cached ("


def begin(source: Path = SOURCE, script: str = SCRIPT, **changes: str) -> subprocess.Popen[str]:
    """Start the script; `changes` to the environment, in which an empty text is no variable."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("HOME", "NUMBA_CACHE_DIR")}
    environment = inherited | {"PYTHONPATH": str(source), "XDG_CACHE_HOME": ""} | changes
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=SOURCE.parents[1],
        env={name: value for name, value in environment.items() if value},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    said, warned = process.communicate(timeout=300)
    assert process.returncode == 0, warned
    return said, warned


def kernels(cache: Path) -> list[Path]:
    return sorted(cache.glob("fibroserum/kernels-*/*"))


def test_the_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    assert ended(begin(XDG_CACHE_HOME=cache)) == (f"{ANSWER}0\n", "")
    made = {path: path.stat().st_mtime_ns for path in kernels(tmp_path / "cache")}
    assert len(made) == 2
    assert {path.suffix for path in made} == {".nbc"}
    assert ended(begin(XDG_CACHE_HOME=cache)) == (f"{ANSWER}2\n", "")
    assert {path: path.stat().st_mtime_ns for path in kernels(tmp_path / "cache")} == made
    # without XDG_CACHE_HOME: below the home directory
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "cache").rename(home / ".cache")
    assert ended(begin(HOME=str(home))) == (f"{ANSWER}2\n", "")


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    cache = str(tmp_path)
    running = [begin(XDG_CACHE_HOME=cache) for _ in range(4)]
    for process in running:
        said, warned = ended(process)
        assert (said[:-2], warned) == (ANSWER, "")
    assert len(kernels(tmp_path)) == 2
    assert ended(begin(XDG_CACHE_HOME=cache)) == (f"{ANSWER}2\n", "")


def test_code_that_comes_with_an_installation_is_read_and_not_written(tmp_path: Path) -> None:
    ended(begin(XDG_CACHE_HOME=str(tmp_path / "cache")))
    folder = kernels(tmp_path / "cache")[0].parent
    # the same sources at another place, by someone who cannot write
    library = tmp_path / "site"
    shutil.copytree(SOURCE, library, ignore=shutil.ignore_patterns("__pycache__"))
    shipped = library / "fibroserum" / "inference" / folder.name
    folder.rename(shipped)
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    done = ended(begin(library, XDG_CACHE_HOME=str(nowhere), PYTHONDONTWRITEBYTECODE="1"))
    assert done == (f"{ANSWER}2\n", "")
    # of other sources, it is not used
    engine = library / "fibroserum" / "inference" / "special.py"
    engine.write_text(engine.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    said, _ = ended(begin(library, XDG_CACHE_HOME=str(tmp_path / "other")))
    assert said == f"{ANSWER}0\n"
    assert len(kernels(tmp_path / "other")) == 2


@pytest.mark.parametrize("text", [b"", b"\x00" * 500, b"half", b"cno_such_module\nname\n."])
def test_a_damaged_file_is_written_anew(text: bytes, tmp_path: Path) -> None:
    cache = str(tmp_path)
    ended(begin(XDG_CACHE_HOME=cache))
    broken = kernels(tmp_path)[0]
    whole = broken.stat().st_size
    broken.write_bytes(text or broken.read_bytes()[:1000])
    assert ended(begin(XDG_CACHE_HOME=cache)) == (f"{ANSWER}1\n", "")
    assert broken.stat().st_size == pytest.approx(whole, rel=0.1)
    assert ended(begin(XDG_CACHE_HOME=cache)) == (f"{ANSWER}2\n", "")


def assert_only_warned(process: subprocess.Popen[str], reason: str) -> None:
    said, warned = ended(process)
    assert said == f"{ANSWER}0\n"
    assert warned.count(WARNING) == 1
    assert f"{reason}), so every process compiles again" in warned


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_only_warned(begin(XDG_CACHE_HOME=str(tmp_path / "file")), "Not a directory")


def test_no_home(tmp_path: Path) -> None:
    lost = "import pathlib\ndef home(): raise RuntimeError('no home')\npathlib.Path.home = home\n"
    assert_only_warned(begin(script=lost + SCRIPT), "there is no home directory")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is a disk of 64 KiB."""
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one (root on Linux)")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_and_a_read_only_one(disk: Path) -> None:
    (disk / "filling").write_bytes(bytes(60 << 10))
    assert_only_warned(begin(XDG_CACHE_HOME=str(disk)), "No space left on device")
    assert kernels(disk) == []
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert_only_warned(begin(XDG_CACHE_HOME=str(disk)), "Read-only file system")


def test_a_run_calls_kernels_with_the_types_that_they_declare() -> None:
    home = {name: os.environ.get(name, "") for name in ("HOME", "XDG_CACHE_HOME")}
    said, _ = ended(begin(script=RUN, **home))
    assert said.splitlines() == [str(USED), "[]"]


def test_kernels_are_compiled_ahead_without_other_packages(tmp_path: Path) -> None:
    modules = runpy.run_path(str(AHEAD))["MODULES"]
    library = SOURCE / "fibroserum"
    assert sorted(modules) == sorted(
        ".".join(path.relative_to(library).with_suffix("").parts)
        for path in library.rglob("*.py")
        if "\n@compiled(" in path.read_text(encoding="utf-8")
    )
    script = f"""
import runpy, sys
compile_module = runpy.run_path({str(AHEAD)!r})["compile_module"]
print(compile_module("linear.kernels"))
print({{"pandas", "scipy.linalg", "pydeseq2"}} & set(sys.modules))
"""
    said, warned = ended(begin(script=script, XDG_CACHE_HOME=str(tmp_path)))
    names = ["_weighted_fit", "_grouped_squares", "_line_at", "_contrast_effects"]
    assert (said, warned) == (f"{names}\nset()\n", "")
    # where a run looks for them
    assert sorted(path.name.split("-")[0] for path in kernels(tmp_path)) == sorted(names)
    load = "from fibroserum.linear.kernels import _weighted_fit as fit\n"
    load += "from fibroserum.inference.compiling import KERNELS\n"
    load += "fit.compile(dict(KERNELS)[fit]); print(sum(fit.stats.cache_hits.values()))"
    assert ended(begin(script=load, XDG_CACHE_HOME=str(tmp_path))) == ("1\n", "")


def test_numba_is_installed_first_with_what_it_requires() -> None:
    script = AHEAD.with_name("install.sh").read_text(encoding="utf-8")
    (names,) = re.findall(r"kept = /\^\(([\w|]+)\)==/", script)
    required = [re.split(r"[^\w-]", entry)[0] for entry in requires("numba") or []]
    assert names.split("|") == sorted([*required, "numba"])


def test_another_numpy_has_machine_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles the constants of the installed numpy's binomial numbers."""
    from fibroserum.inference import compiling

    own = compiling._folder.__wrapped__()
    assert own == compiling._folder.__wrapped__()
    monkeypatch.setattr(compiling.np, "__version__", "0.0")
    assert compiling._folder.__wrapped__() != own
