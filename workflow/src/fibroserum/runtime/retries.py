"""Which jobs do not run: those whose input was refused before, and those of a run that has ended.

Snakemake's `retries` do not ask why a job failed. Imports nothing heavy.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fibroserum.runtime.job import was_refused, written
from fibroserum.runtime.lock import OVER


class RefusedInput(logging.Handler):
    """Ends the retries of the rules of a failed job, or group of jobs, whose input was refused.

    It does so when Snakemake reports the failure, which is before Snakemake decides about a retry.
    rule: returns Snakemake's rule of a name.
    """

    def __init__(self, rule: Callable[[str], Any]) -> None:
        super().__init__(logging.INFO)
        self.rule = rule
        self.before: dict[str, int | None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note the logs of a job that starts; judge a job or group that failed."""
        job, event = vars(record), str(getattr(record, "event", None) or "")
        if event == "job_info":
            self.before |= {log: written(log) for log in map(str, job.get("log") or [])}
        elif event == "job_error":
            self._judge([job])
        elif event == "group_error":
            self._judge(job["job_error_info"])

    def _judge(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        if any(self._refused(log) for job in jobs for log in map(str, job["log"])):
            for job in jobs:
                self.rule(str(job["rule_name"])).restart_times = 0

    def _refused(self, log: str) -> bool:
        # a job that failed before it wrote a log may have that of an earlier run
        return written(log) not in (None, self.before.get(log)) and was_refused(Path(log))


def never_retry_refused(logger: logging.Logger, rule: Callable[[str], Any]) -> None:
    """End the retries of refused input in this run, once for all uses of the workflow in it."""
    if not any(isinstance(handler, RefusedInput) for handler in logger.handlers):
        logger.addHandler(RefusedInput(rule))


class EndedRun(logging.Handler):
    """Ends this process before its next job, if the run that submitted it has ended.

    For a group of jobs on a cluster, which may outlive its run: Snakemake removes the outputs of a
    job when it starts it, and they may be those of a later run. is_over: whether the run has ended.
    """

    def __init__(self, is_over: Callable[[], bool]) -> None:
        super().__init__(logging.INFO)
        self.is_over = is_over

    def emit(self, record: logging.LogRecord) -> None:
        """Check when a job is about to start. Jobs that still run hold `.jobs` themselves."""
        if getattr(record, "event", None) == "job_info" and self.is_over():
            print(OVER, file=sys.stderr, flush=True)
            os._exit(1)
