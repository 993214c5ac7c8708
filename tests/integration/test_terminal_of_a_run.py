"""What the terminal gets from a run: one line a job, a refusal once; all of it on request."""

from __future__ import annotations

from pathlib import Path

from helpers.small_cohort import good
from helpers.small_runs import run


def lines_of(folder: Path, *arguments: str, status: int = 0) -> list[str]:
    """Return the lines of a run in the terminal, without Snakemake's on the profile."""
    done = run(folder, *arguments)
    assert done.returncode == status, done.stdout
    return [line for line in done.stdout.splitlines() if line and "specific profile" not in line]


def test_one_line_a_job_and_everything_on_request(tmp_path: Path) -> None:
    good().write(tmp_path)
    (line,) = lines_of(tmp_path, "--", "counts")
    assert line.startswith("1 of 1  counts ")
    (line,) = lines_of(tmp_path, "--", "counts")
    assert line.startswith("Nothing to be done")
    long = "\n".join(lines_of(tmp_path, "--forceall", "--quiet", "host", "--", "counts"))
    for words in (
        "Building DAG of jobs...",
        "Job stats:",
        "rule counts:",
        "reason:",
        "1 of 1 steps",
    ):
        assert words in long


def test_jobs_of_this_machine_start_without_a_limit_that_nobody_asked_for(tmp_path: Path) -> None:
    """With Snakemake's own, each run would end a second later."""
    good().write(tmp_path)
    said = "\n".join(lines_of(tmp_path, "--verbose", "--", "counts"))
    assert "Selected jobs: 1" in said
    assert "Submitting maximum" not in said
    for limit in (("--max-jobs-per-timespan", "5/1s"), ("--max-jobs-per-second", "5")):
        lines = lines_of(tmp_path, *limit, "--verbose", "--forceall", "--", "counts")
        assert "Submitting maximum 5 job(s)" in "\n".join(lines)


def test_a_dry_run_says_what_would_be_run(tmp_path: Path) -> None:
    good().write(tmp_path)
    assert "Job stats:" in lines_of(tmp_path, "--dry-run", "--", "counts")


def test_input_that_a_job_refuses_is_printed_once(tmp_path: Path) -> None:
    cohort = good()
    cohort.tables["counts.tsv"].rows[-1][3] = "-4"
    cohort.write(tmp_path)
    first, problem, last = lines_of(tmp_path, status=1)
    assert first == "1 problem with the input:"
    assert "the count is negative (-4)" in problem
    assert last.startswith("counts stopped after ")
    assert last.endswith("log: logs/small/counts.log")
    assert "the count is negative (-4)" in (tmp_path / "logs/small/counts.log").read_text()
