"""What a run prints while it runs: one line for each job, and lines on jobs that take long.

Snakemake prints some fifteen lines for each job. With the profile of this workflow, they go to
Snakemake's log file only, and the terminal gets the lines of this module. Imports nothing heavy.

On a cluster, a job prints to a log of the cluster. Its message is then printed here, once. Jobs of
a group start and end together for Snakemake; their own logs show when each of them does.
"""

from __future__ import annotations

import csv
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from fibroserum.runtime.job import refusal, written

#: Seconds after which a job that is still running is mentioned, and again each time they pass.
PATIENCE = 30.0
#: Snakemake's records of level INFO that the terminal gets as well.
_KEPT = (
    "Nothing to be done",
    "Terminating processes on user request",
    "Trying to restart job",
    "Will exit after",
)
#: What Snakemake adds to a job that failed: its message is in the terminal already.
_AFTER_FAILURE = ("Exiting because a job execution failed", "WorkflowError:\nAt least one job")
#: A job that ended by itself, with a message; one that was killed ends in other words.
_EXIT_1 = "returned non-zero exit status 1."


def _event(record: logging.LogRecord) -> str:
    return str(getattr(record, "event", None) or "")


class _Terminal(logging.Filter):
    """Keeps Snakemake's lines on jobs, and its traceback of a refused input, from the terminal."""

    def __init__(self, is_local: Callable[[], bool], lines: JobLines) -> None:
        super().__init__()
        self.is_local, self.lines = is_local, lines

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.levelno <= logging.INFO:
            return text.startswith(_KEPT)
        if not self.is_local():
            # a job on another host has not printed its message here
            return not self._repeated(record)
        if _event(record) == "job_error" or text.startswith(_AFTER_FAILURE):
            return False
        return not (text.startswith("RuleException") and text.rstrip().endswith(_EXIT_1))

    def _repeated(self, record: logging.LogRecord) -> bool:
        """Return whether other lines say what a record on a failed job on another host says."""
        if _event(record) == "job_error":
            # Snakemake repeats the logs of a group for each of its jobs
            in_group = bool(getattr(record, "indent", False))
            return in_group or self.lines.refused(int(getattr(record, "jobid", -1)))
        if _event(record) == "group_error":
            return any(self.lines.refused(job["jobid"]) for job in vars(record)["job_error_info"])
        return self.lines.input_refused and record.getMessage().startswith(_AFTER_FAILURE)


@dataclass
class _Running:
    name: str
    log: str
    since: float
    in_group: bool = False
    benchmark: str = ""
    before: int | None = None
    mentioned: float = 0.0

    def begun(self) -> bool:
        """Return whether the job has written its log."""
        return written(self.log) not in (None, self.before)

    def works(self) -> bool:
        """Return whether the job runs: the jobs of a group do not run at the same time."""
        return not self.in_group or (self.begun() and not last_message(self.log).startswith("took"))

    def seconds(self) -> float:
        """Return how long the job took."""
        if self.in_group and self.benchmark:
            with open(self.benchmark, encoding="utf-8", newline="") as table:
                return float(next(csv.DictReader(table, delimiter="\t"))["s"])
        return time.monotonic() - self.since

    def refusal(self) -> str:
        """Return the problems with the input that the job listed in its log."""
        return refusal(Path(self.log)) if self.begun() else ""


def duration(seconds: float) -> str:
    """Return a time as it is printed: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def last_message(log: str) -> str:
    """Return the last message of a job's log, without the time of day; empty if there is none."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    timed = re.compile(r"^\[\d\d:\d\d:\d\d\] (.*)$")
    found = [match[1] for line in lines if (match := timed.match(line))]
    return found[-1] if found else ""


class JobLines(logging.Handler):
    """Prints a line when a job ends, and one every `patience` seconds while it runs.

    stream: the terminal; total: returns the number of jobs that this run makes; is_local: whether
    jobs print their messages in this terminal themselves.
    """

    def __init__(
        self,
        stream: TextIO,
        total: Callable[[], int],
        patience: float = PATIENCE,
        is_local: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(logging.INFO)
        self.stream, self.total, self.patience = stream, total, patience
        self.is_local = is_local
        self.made = self.done = 0
        self.input_refused = False
        self.running: dict[int, _Running] = {}
        self._over = threading.Event()
        threading.Thread(target=self._mention, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a job that starts; print a line for one that ends."""
        event = _event(record)
        if event == "job_info" and getattr(record, "output", None):
            self._starts(record)
        elif event == "job_finished":
            self._ends(int(getattr(record, "job_id", -1)))
        elif event == "job_error":
            self._fails(int(getattr(record, "jobid", -1)))

    def refused(self, number: int) -> bool:
        """Return whether a job on another host has refused its input."""
        job = self.running.get(number)
        return job is not None and bool(job.refusal())

    def close(self) -> None:
        """Stop the lines on running jobs."""
        self._over.set()
        super().close()

    def _starts(self, record: logging.LogRecord) -> None:
        # known once the first job starts
        self.made = self.made or self.total()
        job = vars(record)
        values = [str(value) for value in dict(job.get("wildcards") or {}).values()]
        logs = [str(log) for log in job.get("log") or []]
        name = " ".join([str(job["rule_name"]), *values])
        log = logs[0] if logs else ""
        self.running[job["jobid"]] = _Running(
            name,
            log,
            time.monotonic(),
            in_group=bool(job.get("indent")),
            benchmark=str(job.get("benchmark") or ""),
            before=written(log),
        )

    def _ends(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is not None:
            self.done += 1
            width = len(str(self.made))
            took = duration(job.seconds())
            self._print(f"{self.done:>{width}} of {self.made}  {job.name:<24} {took}")

    def _fails(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is None or not job.works():
            return
        if not self.is_local() and (problems := job.refusal()):
            self.input_refused = True
            self._print(problems)
        took = duration(time.monotonic() - job.since)
        self._print(f"{job.name} stopped after {took}; log: {job.log}")

    def _mention(self) -> None:
        while not self._over.wait(min(self.patience, 1.0)):
            now = time.monotonic()
            # a copy: jobs start and end in another thread
            for job in list(self.running.values()):
                if not job.works():
                    job.since = now
                elif now - max(job.since, job.mentioned) >= self.patience:
                    job.mentioned = now
                    message = last_message(job.log)
                    took = duration(now - job.since)
                    self._print(f"   {job.name}: {took} so far{message and f' ({message})'}")

    def _print(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


def print_job_lines(
    logger: logging.Logger, total: Callable[[], int], is_local: Callable[[], bool]
) -> None:
    """Print one line a job in the terminal instead of Snakemake's lines of level INFO.

    logger: of Snakemake; total: returns the number of jobs that this run makes; is_local: whether
    jobs run on this host. Nothing is done where something else than Snakemake's own handler writes
    to the terminal, or where this was called before (by another module of the same workflow).
    """
    if any(isinstance(handler, JobLines) for handler in logger.handlers):
        return
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler) and not isinstance(
            handler, logging.FileHandler
        ):
            lines = JobLines(handler.stream, total, is_local=is_local)
            handler.addFilter(_Terminal(is_local, lines))
            logger.addHandler(lines)
