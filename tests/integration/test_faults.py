"""What goes wrong on a machine: each ends in a message, and the same command goes on after it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fibroserum.runtime import reruns
from fibroserum.runtime.lock import OVER, VARIABLE, take
from helpers.pipeline import REPOSITORY, planned
from helpers.small_cohort import good
from helpers.small_runs import SAMPLES, SECONDS, command, environment, outputs, run

SOURCE = REPOSITORY / "workflow" / "src"
KILLED = ("the run alone", "the run and its jobs", "a job")
ROUNDS = 20


def _jobs(folder: Path) -> list[int]:
    """Return the processes of jobs that the run in `folder` has begun."""
    return [
        int(number)
        for path in folder.glob("results/*/.jobs")
        for number in re.findall(r"process (\d+)", path.read_text(encoding="utf-8"))
    ]


def _kill(process: subprocess.Popen[str], folder: Path, whom: str) -> None:
    if whom == "the run alone":
        process.kill()
    elif whom == "the run and its jobs":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        for number in _jobs(folder)[-1:]:
            # only a process of this run's own session; its number may be another's by now
            try:
                if os.getsid(number) == process.pid:
                    os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue


def begun(folder: Path, *arguments: str, config: bool = True) -> subprocess.Popen[str]:
    """Begin a run in a session of its own; it writes to a file, which its jobs may outlive."""
    with (folder / "said.txt").open("w", encoding="utf-8") as said:
        return subprocess.Popen(
            command(folder, *arguments, config=config),
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
            text=True,
        )


def killed_in_job(folder: Path, number: int, whom: str, *targets: str) -> tuple[int, str]:
    """Run the workflow and kill it once so many jobs have begun; return its status and output."""
    before = set(_jobs(folder))
    process = begun(folder, "--", *targets)
    while len(set(_jobs(folder)) - before) < number and process.poll() is None:
        time.sleep(0.02)
    _kill(process, folder, whom)
    status = process.wait(timeout=300)
    return status, (folder / "said.txt").read_text(encoding="utf-8")


def assert_whole(folder: Path, expected: dict[str, bytes]) -> None:
    """Hold every table that a killed run left against the undisturbed one."""
    found = outputs(folder)
    assert set(found) <= set(expected)
    assert [name for name in found if found[name] != expected[name]] == []


def assert_ended(folder: Path, expected: dict[str, bytes], *, config: bool = True) -> None:
    """Run the same command again: it ends in the same bytes, and leaves nothing else."""
    done = run(folder, config=config)
    assert done.returncode == 0, done.stdout
    found = outputs(folder)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    hidden = [path.name for path in (folder / "results").rglob(".*")]
    assert hidden == []


def test_a_run_that_is_killed_ends_in_the_same_bytes(small_run: Path, tmp_path: Path) -> None:
    good().write(tmp_path)
    expected = outputs(small_run)
    for whom, number, status in zip(KILLED, (3, 4, 2), (-9, -9, 1), strict=True):
        ended, said = killed_in_job(tmp_path, number, whom)
        assert ended == status, said
        assert_whole(tmp_path, expected)
    assert_ended(tmp_path, expected)


@pytest.mark.soak
def test_soak(tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    start = time.monotonic()
    assert run(undisturbed, config=False).returncode == 0
    seconds = time.monotonic() - start
    expected = outputs(undisturbed)
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        after, whom = random.Random(number).uniform(1, seconds), KILLED[number % len(KILLED)]
        print(f"{number + 1} of {ROUNDS}: {whom} is killed after {after:.1f} of {seconds:.0f} s")
        process = begun(folder, config=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=after)
        _kill(process, folder, whom)
        process.wait(timeout=300)
        assert_whole(folder, expected)
        assert_ended(folder, expected, config=False)
        shutil.rmtree(folder)


def test_a_second_run_on_a_cohort_is_refused_and_another_cohort_is_not(tmp_path: Path) -> None:
    cohort = good()
    cohort.write(tmp_path)
    lock = take(tmp_path / "results" / "small", pytest.fail)
    refused = run(tmp_path, "--", SAMPLES)
    assert refused.returncode == 1
    who = f"process {os.getpid()} on "
    assert f"Another run is working on results/small: {who}" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert outputs(tmp_path) == {}
    dry = run(tmp_path, "-n", "--", SAMPLES)
    assert dry.returncode == 0, dry.stdout
    other = run(tmp_path, "--config", "cohort=other", "--", "results/other/samples.tsv")
    assert other.returncode == 0, other.stdout
    assert list(outputs(tmp_path)) == ["other/samples.tsv"]
    lock.release()
    assert run(tmp_path, "--", SAMPLES).returncode == 0
    assert sorted(outputs(tmp_path)) == ["other/samples.tsv", "small/samples.tsv"]


def test_a_run_waits_for_a_job_that_outlived_the_last_run(tmp_path: Path) -> None:
    """Or that job would write after it, with the config of the last run."""
    good().write(tmp_path)
    words = command(tmp_path, "--", SAMPLES)
    first = subprocess.Popen(
        words,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    while not _jobs(tmp_path):
        assert first.poll() is None
        time.sleep(0.01)
    (job,) = _jobs(tmp_path)
    # it lives on for as long as the test wants
    os.kill(job, signal.SIGSTOP)
    first.kill()
    first.wait()
    log = tmp_path / "second.txt"
    with log.open("w", encoding="utf-8") as file:
        second = subprocess.Popen(
            words,
            env=environment(),
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )
    waiting = f"Waiting for jobs that outlived the run which started them (process {job} on "
    while waiting not in log.read_text(encoding="utf-8"):
        assert second.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.05)
    assert outputs(tmp_path) == {}
    os.kill(job, signal.SIGCONT)
    assert second.wait(timeout=300) == 0, log.read_text(encoding="utf-8")
    assert "is taken over from a run that has died: process " in log.read_text(encoding="utf-8")
    assert list(outputs(tmp_path)) == ["small/samples.tsv"]
    assert [path.name for path in (tmp_path / "results").rglob(".*")] == []


def test_a_job_whose_run_is_gone_leaves_the_files_of_a_later_run(tmp_path: Path) -> None:
    """As a cluster starts it, out of a queue in which it outlived its run."""
    good().write(tmp_path)
    done = run(tmp_path, "--", SAMPLES)
    assert done.returncode == 0, done.stdout
    # what a stage alone has made is told by no report
    assert "Report: " not in done.stdout
    made = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert made
    lock = take(tmp_path / "results/small", print)
    told = {VARIABLE: lock.variable}
    job = ["--mode", "remote", "--force", "--target-jobs", "counts:", "--allowed-rules", "counts"]
    lock.release()
    late = run(tmp_path, *job, **told)
    assert late.returncode == 1, late.stdout
    assert OVER in late.stdout
    assert "Traceback" not in late.stdout
    for path, content in made.items():
        assert path.read_bytes() == content
    # without a run to ask for, the same job does its work
    assert run(tmp_path, *job).returncode == 0


def test_a_group_of_jobs_whose_run_has_ended_starts_no_further_job(tmp_path: Path) -> None:
    """As a cluster runs a group, whose run ends during its first job."""
    good().write(tmp_path)
    fits = sorted(f"results/small/fit/{model}.h5ad" for model in ("baseline", "paired"))
    assert run(tmp_path, "--", *fits).returncode == 0
    made = {name: (tmp_path / name).read_bytes() for name in fits}
    lock = take(tmp_path / "results/small", print)
    rules = ("counts", "fit")
    job = ["--mode", "remote", "--no-hooks", "--nolock", "--force"]
    job += ["--target-jobs", *(f"{name}:" for name in rules)]
    log = tmp_path / "logs/small/counts.log"
    log.unlink()
    with subprocess.Popen(
        command(tmp_path, *job, "--allowed-rules", *rules, cores=1),
        env=environment(**{VARIABLE: lock.variable}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    ) as group:
        while not log.exists():
            assert group.poll() is None
            time.sleep(0.02)
        # another run takes the lock: the text is what jobs compare
        (tmp_path / "results/small/.lock").write_text("of a later run", encoding="utf-8")
        said, _ = group.communicate(timeout=SECONDS)
    lock.release()
    assert group.returncode == 1, said
    assert OVER in said
    for name, content in made.items():
        assert (tmp_path / name).read_bytes() == content


def test_a_job_killed_for_want_of_memory_is_explained(tmp_path: Path) -> None:
    good().write(tmp_path)
    status, said = killed_in_job(tmp_path, 1, "a job", SAMPLES)
    assert status == 1
    assert "A job was killed from outside, most likely because the machine ran out of" in said
    assert outputs(tmp_path) == {}
    assert run(tmp_path, "--", SAMPLES).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a cohort's folder whose `results` are a disk of 64 KiB."""
    good().write(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(results)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one (root on Linux)")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(results)], check=True)


def test_a_read_only_folder_of_snakemakes_own(tmp_path: Path) -> None:
    good().write(tmp_path)
    notes = tmp_path / ".snakemake"
    notes.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(notes)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one (root on Linux)")
    try:
        closed = run(tmp_path, "--", SAMPLES)
    finally:
        subprocess.run(["umount", "--lazy", str(notes)], check=True)
    assert closed.returncode == 1
    assert (
        ".snakemake, where Snakemake keeps its records, cannot be written: Read-only"
        in closed.stdout
    )
    assert "Traceback" not in closed.stdout
    assert outputs(tmp_path) == {}
    assert run(tmp_path, "--", SAMPLES).returncode == 0


def remount(results: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(results)], check=True)


def test_a_full_disk_and_a_read_only_one(small_disk: Path) -> None:
    full = run(small_disk, "--", SAMPLES)
    assert full.returncode == 1
    assert "Stopped: the disk is full" in full.stdout
    assert "Traceback" not in full.stdout
    results = small_disk / "results"
    assert [path for path in results.rglob("*") if path.is_file()] == []
    remount(results, "ro")
    closed = run(small_disk, "--", SAMPLES)
    assert closed.returncode == 1
    assert "results/small cannot be written: Read-only file system" in closed.stdout
    assert "Traceback" not in closed.stdout
    remount(results, "rw,size=8m")
    mended = run(small_disk, "--", SAMPLES)
    assert mended.returncode == 0, mended.stdout
    assert list(outputs(small_disk)) == ["small/samples.tsv"]


HUNGRY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from fibroserum.runtime.job import job
from fibroserum.tables import write_bytes
with job("logs/fit.log"):
    write_bytes(bytearray(1 << 40), "fit.tsv")
"""


def test_a_job_out_of_memory_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNGRY],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Out of memory. Free some, or run with fewer --cores")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "logs" / "fit.log").read_text() == done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def rules_of(folder: Path, *arguments: str) -> set[str]:
    """Return the rules that the next run in `folder` would run."""
    done = run(folder, "-n", *arguments)
    assert done.returncode == 0, done.stdout
    return planned(done.stdout)


def test_an_input_put_back_from_an_older_copy_runs_what_used_it(
    small_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_run, folder)
    assert rules_of(folder) == set()
    table = folder / "results/small/flags/targets.tsv"
    table.rename(folder / "targets.tsv")
    assert rules_of(folder) == {"targets", "report", "workbook"}
    (folder / "targets.tsv").rename(table)
    assert rules_of(folder) == set()
    sets = folder / "sets.gmt"
    sets.write_text(sets.read_text().replace("\tLUM", ""))
    os.utime(sets, (1e9, 1e9))
    assert rules_of(folder) == {"enrichment", "report", "workbook"}
    counts = folder / "counts.tsv"
    counts.write_text(counts.read_text().replace("\nLUM\t", "\nLUM\t1"))
    os.utime(counts, (1e9, 1e9))
    assert {"counts", "fit", "qc", "factors", "report"} <= rules_of(folder)
    assert {"counts"} == rules_of(folder, "--until", "counts")


def test_a_file_within_a_folder_counts_and_so_does_the_time_of_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "star"
    (folder / "S1").mkdir(parents=True)
    file = folder / "S1" / "counts"
    file.write_text("1")
    os.utime(file, (1e9, 1e9))
    seen = [reruns.stamp([str(folder)])]
    file.write_text("2")
    os.utime(file, (1e9, 1e9))
    seen.append(reruns.stamp([str(folder)]))
    monkeypatch.setattr(reruns, "STAMPED", 0)
    seen.append(reruns.stamp([str(folder)]))
    os.utime(file, (1e9, 1e9 + 1))
    seen.append(reruns.stamp([str(folder)]))
    assert len({stamp[str(folder)] for stamp in seen}) == 4
    assert seen[3] == reruns.stamp([str(folder)])
    absent = reruns.stamp([str(tmp_path / "absent")])
    assert "No such file" in absent[str(tmp_path / "absent")]
