"""The lock of a cohort's results: who is refused, who takes over, what is left."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fibroserum.runtime import lock as locking
from fibroserum.runtime.lock import VARIABLE, Refused, RunLock, job_of_run, take

SOURCE = Path(__file__).resolve().parents[2] / "workflow" / "src"
HOLD = """
import sys, time
from fibroserum.runtime.lock import take
lock = take(sys.argv[1], print)
print("taken", flush=True)
time.sleep(600)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a living process that holds the lock of `tmp_path / "toy"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "toy")],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def note(folder: Path, host: str, pid: int) -> None:
    folder.mkdir(exist_ok=True)
    noted = {"host": host, "pid": pid, "since": "2026-01-02 03:04:05+01:00"}
    (folder / ".lock").write_text(json.dumps(noted))


def silent(text: str) -> None:
    raise AssertionError(f"nothing was to be said: {text}")


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_is_taken_and_given_back_without_a_trace(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "toy"
    lock = take(folder, silent)
    noted = json.loads((folder / ".lock").read_text())
    assert (noted["pid"], noted["host"]) == (os.getpid(), platform.node())
    lock.release()
    lock.release()
    assert list(folder.iterdir()) == []
    take(folder, silent).release()


def test_a_living_holder_is_named_and_refuses(tmp_path: Path, held: subprocess.Popen[str]) -> None:
    with pytest.raises(Refused) as refusal:
        take(tmp_path / "toy", silent)
    said = str(refusal.value)
    assert f"Another run is working on {tmp_path / 'toy'}: process {held.pid} on " in said
    assert ", since 20" in said
    take(tmp_path / "another", silent).release()


def test_a_dead_holder_is_taken_over_and_its_drafts_go(
    tmp_path: Path, held: subprocess.Popen[str]
) -> None:
    folder = tmp_path / "toy"
    (folder / "de").mkdir()
    (folder / "de" / ".a.tsv.77.part").write_text("half")
    (folder / "de" / "a.tsv").write_text("whole")
    held.kill()
    held.wait()
    said: list[str] = []
    lock = take(folder, said.append)
    assert len(said) == 1
    assert f"taken over from a run that has died: process {held.pid} on " in said[0]
    assert [path.name for path in (folder / "de").iterdir()] == ["a.tsv"]
    lock.release()


def test_a_holder_on_another_machine_refuses_with_advice(tmp_path: Path) -> None:
    note(tmp_path, "node17", 5)
    with pytest.raises(Refused, match=r"another machine .* process 5 on node17, since 2026") as no:
        take(tmp_path, silent)
    assert f"remove {tmp_path / '.lock'}" in str(no.value)
    assert json.loads((tmp_path / ".lock").read_text())["host"] == "node17"
    (tmp_path / ".lock").unlink()
    take(tmp_path, silent).release()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"host": 1}', "\x00\xff"])
def test_half_a_text_holds_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text(text, encoding="latin-1")
    take(tmp_path, silent).release()


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)


@pytest.mark.usefixtures("without_flock")
def test_without_flock_there_is_a_warning_and_no_lock(tmp_path: Path) -> None:
    note(tmp_path, platform.node(), dead_process())
    said: list[str] = []
    lock = take(tmp_path, said.append)
    warning = f"The file system of {tmp_path} has no locks: start one run at a time on it."
    assert said == [warning]
    # a job still knows its run
    with job_of_run(environment(lock)):
        pass
    lock.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(locking, "_open", refuse)
    with pytest.raises(Refused, match=f"cannot be written: {os.strerror(code)}"):
        take(tmp_path, silent)


def environment(lock: RunLock) -> dict[str, str]:
    return {VARIABLE: lock.variable}


def test_a_job_without_a_run_is_left_alone(tmp_path: Path) -> None:
    with job_of_run({}):
        assert list(tmp_path.iterdir()) == []


def test_jobs_work_side_by_side_and_outlive_the_release(tmp_path: Path) -> None:
    lock = take(tmp_path, silent)
    with job_of_run(environment(lock)), job_of_run(environment(lock)):
        lock.release()
        # the next run is told of these jobs by what stays here
        assert (tmp_path / ".lock").exists()


def test_the_next_run_waits_for_jobs_that_outlived_their_run(tmp_path: Path) -> None:
    first = take(tmp_path, silent)
    said: queue.Queue[str] = queue.Queue()
    with job_of_run(environment(first)):
        first.release()
        waiting = threading.Thread(target=lambda: take(tmp_path, said.put).release(), daemon=True)
        waiting.start()
        texts = [said.get(timeout=600) for _ in range(2)]
        assert waiting.is_alive()
        assert (
            f"Waiting for jobs that outlived the run which started them (process {os.getpid()}"
            in texts[1]
        )
    waiting.join(timeout=600)
    assert not waiting.is_alive()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["released", "taken over"])
def test_a_job_whose_run_is_over_writes_nothing(end: str, tmp_path: Path) -> None:
    first = take(tmp_path, silent)
    told = environment(first)
    first.release()
    if end == "taken over":
        note(tmp_path, platform.node(), dead_process())
    with pytest.raises(Refused, match="has ended: nothing is written"), job_of_run(told):
        pytest.fail("the job began")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which this process takes itself for one on another host."""
    return lambda: monkeypatch.setattr(platform, "node", lambda: "node17")


def test_a_job_on_another_host_works_while_its_run_holds_the_lock(
    tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    told = environment(take(tmp_path, silent))
    elsewhere()
    with job_of_run(told):
        assert (tmp_path / ".jobs").read_text() == f"process {os.getpid()} on node17\n"


@pytest.mark.parametrize("end", ["released", "taken over"])
def test_a_job_that_starts_on_another_host_after_its_run_writes_nothing(
    end: str, tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    # it waited in the cluster's queue while its run was killed
    first = take(tmp_path, silent)
    told = environment(first)
    first.release()
    if end == "taken over":
        note(tmp_path, platform.node(), os.getpid())
    elsewhere()
    with pytest.raises(Refused, match="has ended: nothing is written"), job_of_run(told):
        pytest.fail("the job began")


def test_a_holder_on_another_host_is_not_dead_because_its_number_is_unknown_here(
    tmp_path: Path,
) -> None:
    # flock is free: the folder's file system may not carry it from host to host
    note(tmp_path, "login2", dead_process())
    with pytest.raises(Refused, match=r"another machine .* on login2, since 2026"):
        take(tmp_path, silent)


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    note(tmp_path, platform.node(), dead_process())
    won: list[RunLock] = []
    lost: list[str] = []
    start = threading.Barrier(12)

    def contend(say: Callable[[str], None]) -> None:
        start.wait()
        try:
            won.append(take(tmp_path, say))
        except Refused as refusal:
            lost.append(str(refusal))

    threads = [threading.Thread(target=contend, args=(lambda text: None,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 11
    won[0].release()
