"""What a run prints while it runs: Snakemake's own log records, and what the terminal gets."""

from __future__ import annotations

import io
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from fibroserum.runtime.terminal import JobLines, duration, last_message, print_job_lines


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.Logger("a run")
    made.addHandler(logging.StreamHandler(io.StringIO()))
    return made


def terminal(logger: logging.Logger) -> str:
    """Return what the terminal got."""
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    return str(handler.stream.getvalue())


def starts(logger: logging.Logger, number: int, rule: str, **fields: Any) -> None:
    """Log that a job starts, as Snakemake does."""
    fields = {"output": ["a.tsv"], "log": [f"logs/{rule}.log"], "wildcards": {}} | fields
    extra = {"event": LogEvent.JOB_INFO, "jobid": number, "rule_name": rule} | fields
    logger.info(f" Rule: {rule}, Jobid: {number}", extra=extra)


def ends(logger: logging.Logger, number: int) -> None:
    """Log that a job ended, as Snakemake does."""
    logger.info("Finished", extra={"event": LogEvent.JOB_FINISHED, "job_id": number})


def refused(logger: logging.Logger, rule: str, number: int, code: str) -> None:
    """Log that a job failed, as Snakemake does for a job on this host."""
    error = {"event": LogEvent.ERROR, "exception": "RuleException"}
    logger.error(f"RuleException:\nCalledProcessError in file x\nCommand {code}", extra=error)
    job = {"event": LogEvent.JOB_ERROR, "jobid": number, "rule_name": rule}
    logger.error(f"Error in rule {rule}", extra=job)
    logger.error("Exiting because a job execution failed. Look above for error messages")


def test_a_job_has_one_line_and_a_target_rule_none(logger: logging.Logger) -> None:
    print_job_lines(logger, total=lambda: 10, is_local=lambda: True)
    logger.info("Building DAG of jobs...")
    starts(logger, 4, "counts")
    starts(logger, 5, "stimulation", wildcards={"factor": "CCL28"})
    ends(logger, 5)
    ends(logger, 4)
    starts(logger, 0, "default", output=[])
    ends(logger, 0)
    logger.info("Nothing to be done (all requested files are present and up to date).")
    logger.warning("a warning")
    lines = terminal(logger).splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == [" 1 of 10", " 2 of 10"]
    assert [line.split()[3] for line in lines[:2]] == ["stimulation", "counts"]
    assert " CCL28 " in lines[0]
    assert lines[2:] == [
        "Nothing to be done (all requested files are present and up to date).",
        "a warning",
    ]


def test_it_is_asked_for_once_however_many_modules_there_are(logger: logging.Logger) -> None:
    for _ in range(2):
        print_job_lines(logger, total=lambda: 1, is_local=lambda: True)
    starts(logger, 1, "counts")
    ends(logger, 1)
    assert len(terminal(logger).splitlines()) == 1


def test_the_log_file_keeps_all_lines(logger: logging.Logger, tmp_path: Path) -> None:
    kept = logging.FileHandler(tmp_path / "run.log")
    logger.addHandler(kept)
    print_job_lines(logger, total=lambda: 1, is_local=lambda: True)
    logger.info("Building DAG of jobs...")
    refused(logger, "counts", 1, "returned non-zero exit status 1.")
    kept.close()
    assert len((tmp_path / "run.log").read_text().splitlines()) == 6


def test_a_failed_job_here_has_one_line_as_it_printed_its_message(logger: logging.Logger) -> None:
    print_job_lines(logger, total=lambda: 2, is_local=lambda: True)
    starts(logger, 1, "counts")
    refused(logger, "counts", 1, "'python x' returned non-zero exit status 1.")
    (line,) = terminal(logger).splitlines()
    assert line.startswith("counts stopped after ")
    assert line.endswith("; log: logs/counts.log")


def test_a_job_that_could_print_nothing_keeps_snakemakes_words(logger: logging.Logger) -> None:
    """Killed by a signal, or on another host."""
    print_job_lines(logger, total=lambda: 2, is_local=lambda: True)
    refused(logger, "counts", 1, "'python x' died with <Signals.SIGSEGV: 11>.")
    assert "SIGSEGV" in terminal(logger)
    away = logging.Logger("another run")
    away.addHandler(logging.StreamHandler(io.StringIO()))
    print_job_lines(away, total=lambda: 2, is_local=lambda: False)
    refused(away, "counts", 1, "returned non-zero exit status 1.")
    assert "Error in rule counts" in terminal(away)


@pytest.fixture
def away() -> logging.Logger:
    """Snakemake's logger in a run whose jobs are on other hosts."""
    made = logging.Logger("a run on a cluster")
    made.addHandler(logging.StreamHandler(io.StringIO()))
    print_job_lines(made, total=lambda: 3, is_local=lambda: False)
    return made


def group(logger: logging.Logger, folder: Path, **jobs: int) -> None:
    """Log that a group of jobs starts."""
    for rule, number in jobs.items():
        fields = {"log": [str(folder / f"{rule}.log")], "indent": True}
        starts(logger, number, rule, benchmark=str(folder / f"{rule}.tsv"), **fields)


def group_fails(logger: logging.Logger, **jobs: int) -> None:
    """Log that a group of jobs failed, as Snakemake does: it repeats each job."""
    info = [{"jobid": number, "rule_name": rule} for rule, number in jobs.items()]
    extra = {"event": LogEvent.GROUP_ERROR, "job_error_info": info}
    logger.error("Error in group small, with all logs", extra=extra)
    for one in info:
        extra = {"event": LogEvent.JOB_ERROR, "indent": True, **one}
        logger.error(f"Error in rule {one['rule_name']}", extra=extra)
    logger.error("Exiting because a job execution failed. Look above for error messages")
    logger.error("WorkflowError:\nAt least one job did not complete successfully.")


REFUSED = "2 problems with the input:\n  1. counts.tsv: x\n  2. counts.tsv: y"


def test_a_refused_input_on_another_host_is_listed_once(
    away: logging.Logger, tmp_path: Path
) -> None:
    log = tmp_path / "counts.log"
    starts(away, 1, "counts", log=[str(log)])
    log.write_text(f"a note\n{REFUSED}\n")
    refused(away, "counts", 1, "returned non-zero exit status 1.")
    *problems, last = terminal(away).splitlines()
    assert problems[:2] == ["RuleException:", "CalledProcessError in file x"]
    assert problems[3:] == REFUSED.splitlines()
    assert last.startswith("counts stopped after ")


def test_a_group_with_a_refused_input_lists_it_once(away: logging.Logger, tmp_path: Path) -> None:
    group(away, tmp_path, counts=1, fit=2)
    (tmp_path / "counts.log").write_text(f"{REFUSED}\n")
    (tmp_path / "fit.log").touch()
    group_fails(away, counts=1, fit=2)
    *problems, last = terminal(away).splitlines()
    assert problems == REFUSED.splitlines()
    assert last.startswith("counts stopped after ")


def test_a_group_that_failed_otherwise_is_reported_once(
    away: logging.Logger, tmp_path: Path
) -> None:
    group(away, tmp_path, counts=1, fit=2, qc=3)
    (tmp_path / "counts.log").write_text("[12:00:00] took 1.0 s of processor time\n")
    (tmp_path / "fit.log").write_text("[12:00:00] fitting\n")
    group_fails(away, counts=1, fit=2, qc=3)
    first, stopped, *rest = terminal(away).splitlines()
    assert first == "Error in group small, with all logs"
    assert stopped.startswith("fit stopped after ")
    assert rest[0].startswith("Exiting because")


def test_jobs_of_a_group_have_their_own_times(away: logging.Logger, tmp_path: Path) -> None:
    group(away, tmp_path, counts=1, fit=2)
    for rule, seconds in (("counts", 2.34), ("fit", 75.0)):
        (tmp_path / f"{rule}.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:0:0\t1\n")
    ends(away, 1)
    ends(away, 2)
    assert [line.split(maxsplit=4)[3:] for line in terminal(away).splitlines()] == [
        ["counts", "2.3 s"],
        ["fit", "1 min 15 s"],
    ]


def test_a_job_of_a_group_is_mentioned_only_while_it_runs(tmp_path: Path) -> None:
    stream = io.StringIO()
    lines = JobLines(stream, lambda: 3, patience=0.05)
    logger = logging.Logger("a run")
    logger.addHandler(lines)
    group(logger, tmp_path, counts=1, fit=2, qc=3)
    (tmp_path / "counts.log").write_text("[12:00:00] took 1.0 s of processor time\n")
    (tmp_path / "fit.log").write_text("[12:00:00] fitting\n")
    until = time.monotonic() + 20
    while "so far" not in stream.getvalue() and time.monotonic() < until:
        time.sleep(0.02)
    lines.close()
    found = {line.split(":")[0].strip() for line in stream.getvalue().splitlines()}
    assert found == {"fit"}


def test_a_long_job_is_mentioned_with_its_last_message(tmp_path: Path) -> None:
    log = tmp_path / "fit.log"
    log.write_text("[12:00:00] first\nnoise\n[12:00:09] 40 of 200 permutations\n")
    stream = io.StringIO()
    lines = JobLines(stream, lambda: 1, patience=0.05)
    logger = logging.Logger("a run")
    logger.addHandler(lines)
    starts(logger, 1, "fit", log=[str(log)])
    until = time.monotonic() + 20
    while "so far" not in stream.getvalue() and time.monotonic() < until:
        time.sleep(0.02)
    ends(logger, 1)
    lines.close()
    (first, *_) = stream.getvalue().splitlines()
    assert re.fullmatch(r"   fit: \d+\.\d s so far \(40 of 200 permutations\)", first)


def test_a_log_without_messages_has_no_last_one(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_text("no time of day\n")
    assert last_message(str(tmp_path / "empty.log")) == ""
    assert last_message(str(tmp_path / "none.log")) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (12.3, "12 s"), (65, "1 min 05 s"), (3599, "59 min 59 s"),
     (7800, "2 h 10 min")],
)  # fmt: skip
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
