"""Runs on a SLURM cluster: how many jobs are submitted, which again; every table is the same."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from helpers import small_runs
from helpers.cells_cohort import cells_cohort
from helpers.pipeline import REPOSITORY, Run
from helpers.slurm_cluster import Cluster, cluster, missing
from helpers.small_cohort import good
from helpers.small_runs import environment, outputs

pytestmark = pytest.mark.cluster

PLUGIN = "snakemake_executor_plugin_slurm"
PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm"
#: The job that is cancelled: the first, which is the whole cohort.
VICTIM = "1"
SECONDS = 1800
PARTITION = ("--default-resources", "slurm_partition=batch")
POLL = "--slurm-init-seconds-before-status-checks"


def _missing(what: str) -> None:
    said = f"{what}: nothing is run on a cluster (see CONTRIBUTING)"
    if os.environ.get("FIBROSERUM_REQUIRE_SLURM"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which Snakemake finds its SLURM executor.

    Where it must be had and is not installed, it is installed into a folder for this test alone:
    in the environment of all tests it would ask SLURM whenever one of them starts Snakemake.
    """
    if importlib.util.find_spec(PLUGIN):
        return {}
    if not os.environ.get("FIBROSERUM_REQUIRE_SLURM"):
        _missing("Snakemake's SLURM executor is not installed (make slurm)")
    folder = tmp_path_factory.mktemp("plugins")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--target", str(folder)]
    locked = ["-r", str(REPOSITORY / "requirements-slurm.lock")]
    done = subprocess.run([*command, *locked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": str(folder)}


@dataclass(frozen=True)
class ClusterRun:
    """A finished run on a cluster: its folder, what it said, what the cluster knows of its jobs."""

    directory: Path
    said: str
    jobs: list[dict[str, str]]
    holders: str


def _command(snakefile: Path, directory: Path, *arguments: str) -> list[str]:
    words = [sys.executable, "-m", "snakemake", "-s", str(snakefile)]
    words += ["--directory", str(directory), "--profile", str(PROFILE)]
    return [*words, *arguments]


def _cancel_one(one: Cluster, run: subprocess.Popen[str], made: Path) -> None:
    """Cancel the victim once it has made a file."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and run.poll() is None:
        if made.exists():
            one.ask("scancel", VICTIM)
            return
        time.sleep(0.3)
    raise RuntimeError(f"job {VICTIM} was not seen running; status {run.poll()}\n{one.logs()}")


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Give a cluster of its own to the tests of this module."""
    if reason := missing():
        _missing(reason)
    with cluster() as one:
        yield one


def _environment(one: Cluster, plugins: dict[str, str]) -> dict[str, str]:
    return environment(**plugins, **{k: one.environment[k] for k in ("SLURM_CONF", "PATH")})


@pytest.fixture(scope="module")
def cluster_run(
    plugins: dict[str, str],
    toy_run: Run,
    running: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> ClusterRun:
    """Run the toy cohort through the cluster, and cancel one of its jobs."""
    one, directory = running, tmp_path_factory.mktemp("cluster")
    with (directory / "said.txt").open("w+", encoding="utf-8") as said:
        run = subprocess.Popen(
            # the end of a short job is seen soon
            _command(toy_run.snakefile, directory, "--jobs=2", f"{POLL}=4", *PARTITION),
            env=_environment(one, plugins),
            cwd=directory,
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        try:
            _cancel_one(one, run, directory / "results" / "toy" / "cohort.h5ad")
            holders = (directory / "results" / "toy" / ".jobs").read_text(encoding="utf-8")
            status = run.wait(timeout=SECONDS)
        finally:
            run.kill()
            run.wait()
        jobs = one.jobs()
        text = (directory / "said.txt").read_text(encoding="utf-8")
        assert status == 0, f"{text}\n{one.logs()}"
    return ClusterRun(directory, text, jobs, holders)


def test_a_small_cohort_is_one_submission(cluster_run: ClusterRun) -> None:
    assert [job["state"] for job in cluster_run.jobs] == ["CANCELLED", "COMPLETED"]
    assert {job["comment"].partition("_")[0] for job in cluster_run.jobs} == {"rule"}
    names = cluster_run.jobs[0]["comment"]
    assert names.startswith("rule_toy_counts_differential_expression_enrichment_"), names
    # four jobs at the same time request more than any one of them
    assert 4000 < _megabytes(cluster_run.jobs[0]["memory"]) < 8000
    assert all(int(job["cores"]) <= 8 for job in cluster_run.jobs)


def test_every_rule_ran_in_it(cluster_run: ClusterRun, toy_run: Run) -> None:
    local, there = (
        sorted(path.name for path in (one / "logs" / "toy").glob("*.benchmark.tsv"))
        for one in (toy_run.directory, cluster_run.directory)
    )
    assert len(local) >= 5
    assert there == local
    # one line each, with the time of each job
    lines = re.findall(r"^ *(\d+) of (\d+)  (\w+)", cluster_run.said, re.M)
    assert [int(line[0]) for line in lines] == list(range(1, len(local) + 1))


def test_single_cells_are_shared_among_jobs_of_the_cluster(
    cluster_run: ClusterRun, running: Cluster, plugins: dict[str, str], tmp_path: Path
) -> None:
    before = len(running.jobs())
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        cells_cohort().write(folder)
    # as large as half a million cells (no byte of it is read): the sums alone come to `counts`
    os.truncate(there / "cells.h5ad", 8_000_000_000)
    local = small_runs.run(here, "--", small_runs.SAMPLES)
    assert local.returncode == 0, local.stdout
    words = ["--configfile", str(there / "cohort.yaml"), "--set-scatter", "pseudobulk=3"]
    words += ["--jobs=3", f"{POLL}=4", *PARTITION, "--verbose", "--", small_runs.SAMPLES]
    done = subprocess.run(
        _command(REPOSITORY / "Snakefile", there, *words),
        env=_environment(running, plugins),
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{running.logs()}"
    # a cluster keeps Snakemake's limit of starts, which a run on one machine is without
    assert "Submitting maximum 100 job(s)" in done.stdout + done.stderr
    jobs = running.jobs()[before:]
    assert all(3000 <= _megabytes(job["memory"]) <= 6000 for job in jobs)
    rules = [job["comment"].partition("_wildcards")[0] for job in jobs]
    assert sorted(rules) == [*["rule_pseudobulk"] * 3, "rule_small_counts"]
    assert (here / small_runs.SAMPLES).read_bytes() == (there / small_runs.SAMPLES).read_bytes()
    cohorts = [ad.read_h5ad(folder / "results/small/cohort.h5ad") for folder in (here, there)]
    np.testing.assert_array_equal(np.asarray(cohorts[0].X), np.asarray(cohorts[1].X))


def test_the_cancelled_group_was_retried_as_a_whole_with_more_memory(
    cluster_run: ClusterRun,
) -> None:
    first, second = cluster_run.jobs
    assert (first["id"], second["comment"]) == (VICTIM, first["comment"])
    assert _megabytes(second["memory"]) == 2 * _megabytes(first["memory"])
    assert len(re.findall(r"^Trying to restart job", cluster_run.said, re.M)) == 1


def _samples_command(folder: Path, *arguments: str) -> list[str]:
    words = ["--configfile", str(folder / "cohort.yaml"), f"{POLL}=4", *PARTITION, *arguments]
    return _command(REPOSITORY / "Snakefile", folder, *words)


def test_a_refused_input_is_submitted_once_and_listed_once(
    running: Cluster, plugins: dict[str, str], tmp_path: Path
) -> None:
    before = len(running.jobs())
    cohort = good()
    table = cohort.tables["counts.tsv"]
    table.put("BGN", table.header[1], "-4")
    cohort.write(tmp_path)
    done = subprocess.run(
        _samples_command(tmp_path),
        env=_environment(running, plugins),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 1, done.stdout
    assert [job["state"] for job in running.jobs()[before:]] == ["FAILED"]
    assert done.stdout.count("1 problem with the input:") == 1
    assert done.stdout.count("the count is negative (-4)") == 1
    assert "restart" not in done.stdout
    assert "Error" not in done.stdout


def test_a_job_that_is_killed_for_memory_is_submitted_three_times(
    running: Cluster, plugins: dict[str, str], tmp_path: Path
) -> None:
    before = len(running.jobs())
    good().write(tmp_path)
    holders, killed = tmp_path / "results" / "small" / ".jobs", set()
    with (tmp_path / "said.txt").open("w", encoding="utf-8") as said:
        run = subprocess.Popen(
            _samples_command(tmp_path, "--", small_runs.SAMPLES),
            env=_environment(running, plugins),
            cwd=tmp_path,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + SECONDS
        while run.poll() is None and time.monotonic() < deadline:
            noted = holders.read_text(encoding="utf-8") if holders.exists() else ""
            for pid in map(int, re.findall(r"process (\d+)", noted)):
                # as the kernel does; only a process of this cluster
                if pid not in killed and pid in running.own_processes():
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.05)
        run.kill()
    text = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert run.wait() == 1, text
    jobs = running.jobs()[before:]
    assert [job["state"] for job in jobs] == ["FAILED"] * 3, text
    memory = [_megabytes(job["memory"]) for job in jobs]
    assert memory == [memory[0], 2 * memory[0], 3 * memory[0]]


def _megabytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([MG])", text).groups()  # type: ignore[union-attr]
    return int(number) * {"M": 1, "G": 1024}[unit]


def test_every_table_has_the_bytes_of_a_local_run(cluster_run: ClusterRun, toy_run: Run) -> None:
    here, there = outputs(toy_run.directory), outputs(cluster_run.directory)
    assert len(here) > 30
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []


def test_the_end_says_what_a_local_run_says(cluster_run: ClusterRun, toy_run: Run) -> None:
    def headline(said: str) -> list[str]:
        lines = said.splitlines()
        first = next(at for at, line in enumerate(lines) if line.startswith("18 donors"))
        return lines[first : lines.index("", first)]

    assert "Report: results/toy/report.html" in headline(toy_run.said)
    assert headline(cluster_run.said) == headline(toy_run.said)


def test_jobs_hold_the_cohort_and_it_is_free_afterwards(cluster_run: ClusterRun) -> None:
    # the job before the one that was cancelled knew of its run, through the cluster
    assert re.match(r"process \d+ on \S+\n", cluster_run.holders)
    results = cluster_run.directory / "results" / "toy"
    assert [path.name for path in results.iterdir() if path.name in (".lock", ".jobs")] == []


@pytest.mark.parametrize("config", ["config.yaml", "cohorts.yaml"])
def test_every_job_says_its_memory_and_run_time(
    config: str, plugins: dict[str, str], tmp_path: Path
) -> None:
    snakefile = REPOSITORY / "Snakefile"
    command = _command(
        snakefile, tmp_path, "--dry-run", "--configfile", str(REPOSITORY / "config" / config)
    )
    done = subprocess.run(
        command,
        env=environment(**plugins),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "workflow/profiles/slurm" in said
    # rules that only gather others' files are run by nobody
    blocks = re.split(r"\n(?= *(?:local)?rule )", said)
    jobs = [block for block in blocks if "    output: " in block]
    assert len(jobs) >= 5
    for job in jobs:
        name = job.split(":")[0]
        resources = re.search(r"    resources: (.*)", job)
        assert resources, name
        # also where it depends on the size of files that are not there yet
        assert re.search(r"\bmem_mb=\d{4,}\b", resources[1]), name
        assert re.search(r"\bruntime=\d+\b", resources[1]), name
