"""What a run prints while it runs: one line for each job, and lines on jobs that take long.

Snakemake prints some fifteen lines for each job. With the profile of this workflow, they go to
Snakemake's log file only, and the terminal gets the lines of this module. Imports nothing heavy.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

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

    def __init__(self, is_local: Callable[[], bool]) -> None:
        super().__init__()
        self.is_local = is_local

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.levelno <= logging.INFO:
            return text.startswith(_KEPT)
        if not self.is_local():
            # a job on another host has not printed its message here
            return True
        if _event(record) == "job_error" or text.startswith(_AFTER_FAILURE):
            return False
        return not (text.startswith("RuleException") and text.rstrip().endswith(_EXIT_1))


@dataclass
class _Running:
    name: str
    log: str
    since: float
    mentioned: float = 0.0


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

    stream: the terminal; total: returns the number of jobs that this run makes.
    """

    def __init__(
        self, stream: TextIO, total: Callable[[], int], patience: float = PATIENCE
    ) -> None:
        super().__init__(logging.INFO)
        self.stream, self.total, self.patience = stream, total, patience
        self.made = self.done = 0
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
        self.running[job["jobid"]] = _Running(name, logs[0] if logs else "", time.monotonic())

    def _ends(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is not None:
            self.done += 1
            width = len(str(self.made))
            took = duration(time.monotonic() - job.since)
            self._print(f"{self.done:>{width}} of {self.made}  {job.name:<24} {took}")

    def _fails(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is not None:
            took = duration(time.monotonic() - job.since)
            self._print(f"{job.name} stopped after {took}; log: {job.log}")

    def _mention(self) -> None:
        while not self._over.wait(min(self.patience, 1.0)):
            now = time.monotonic()
            # a copy: jobs start and end in another thread
            for job in list(self.running.values()):
                if now - max(job.since, job.mentioned) >= self.patience:
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
            handler.addFilter(_Terminal(is_local))
            logger.addHandler(JobLines(handler.stream, total))
