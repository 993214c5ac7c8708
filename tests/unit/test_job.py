"""What a job's log and the terminal hold, and the status."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fibroserum.errors import refuse
from fibroserum.runtime.job import clear_refused, job, prepare_environment


def test_prints_and_warnings_go_to_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "cohort" / "fit.log"
    with job(str(log)):
        print("fitting")
        logging.getLogger("fibroserum.permutations.stage").info("half of it")
        print("a warning", file=sys.stderr)
    print("after")
    assert log.read_text(encoding="utf-8").startswith("fitting\n[")
    assert "] half of it\na warning\n" in log.read_text(encoding="utf-8")
    last = log.read_text(encoding="utf-8").splitlines()[-1]
    assert re.fullmatch(
        r"\[.*\] took \d+\.\d s of processor time, \d+\.\d\d GB of memory at most", last
    )
    assert capsys.readouterr() == ("after\n", "")


def test_a_problem_with_the_input_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "counts.log"
    with job(str(log)):
        print("of the last run")
    with pytest.raises(SystemExit) as stop, job(str(log)):
        raise refuse("is empty", "counts.tsv", "a matrix ≥ 1 gene")
    said = "1 problem with the input:\n  1. counts.tsv: is empty; expected a matrix ≥ 1 gene\n"
    assert stop.value.code == 1
    assert log.read_text(encoding="utf-8") == said
    assert capsys.readouterr() == ("", said)


def test_a_fault_is_said_in_both_places_with_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "fit.log"
    with pytest.raises(SystemExit) as stop, job(str(log)):
        raise ZeroDivisionError("by nothing")
    terminal = capsys.readouterr().err
    assert stop.value.code == 1
    assert terminal == log.read_text(encoding="utf-8")
    assert terminal.startswith("Traceback (most recent call last)")
    assert terminal.endswith(f"ZeroDivisionError: by nothing\nThe log is {log}\n")


def test_the_streams_are_given_back(tmp_path: Path) -> None:
    before = sys.stdout, sys.stderr
    for fault in (None, KeyboardInterrupt(), refuse("x")):
        try:
            with job(str(tmp_path / "a.log")):
                if fault:
                    raise fault
        except (KeyboardInterrupt, SystemExit):
            pass
        assert (sys.stdout, sys.stderr) == before


def test_a_log_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("of the last run\n")
    with job(str(log)):
        print("of this run")
    assert log.read_text().startswith("of this run\n[")


def test_a_process_ends_with_status_1_and_python_warnings_stand_in_the_log(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import warnings\n"
        "from fibroserum.runtime.job import job\n"
        "with job('script.log'):\n"
        "    warnings.warn('low counts')\n"
        "    raise KeyError('donor')\n"
    )
    source = Path(__file__).resolve().parents[2] / "workflow" / "src"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    log = (tmp_path / "script.log").read_text()
    assert done.returncode == 1
    assert "UserWarning: low counts" in log
    assert "KeyError: 'donor'" in log
    assert "KeyError: 'donor'" in done.stderr
    assert "low counts" not in done.stderr


def test_jobs_find_the_library_and_leave_threads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", str(tmp_path)]))
    prepare_environment(tmp_path)
    assert os.environ["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "/elsewhere"])
    assert [os.environ[name] for name in names] == ["1"] * 3
    monkeypatch.delenv("PYTHONPATH")
    prepare_environment(tmp_path)
    assert os.environ["PYTHONPATH"] == str(tmp_path)


@pytest.mark.parametrize(
    ("said", "before", "kept"),
    [
        ("a note\n2 problems with the input:\n  1. x: y\n", 10, False),
        ("1 problem with the input:\n  1. x: y\n", 10, False),
        ("1 problem with the input:\n  1. x: y\n", -10, True),
        ("MemoryError\n", 10, True),
    ],
    ids=["refused", "one problem", "refused before the sums were made", "another fault"],
)
def test_sums_of_refused_input_do_not_stay(
    said: str, before: int, kept: bool, tmp_path: Path
) -> None:
    part = tmp_path / "results" / "pseudobulk" / "1-of-1.npz"
    log = tmp_path / "logs" / "counts.log"
    for path, text in ((part, ""), (log, said)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    made = log.stat().st_mtime - before
    os.utime(part, (made, made))
    clear_refused(tmp_path / "results", tmp_path / "logs")
    assert part.exists() == kept
    log.unlink()
    clear_refused(tmp_path / "results", tmp_path / "logs")
    assert part.exists() == kept
