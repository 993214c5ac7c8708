"""Which failed jobs run again: none whose input was refused, because it would be refused again.

Snakemake's `retries` do not ask why a job failed. Imports nothing heavy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fibroserum.runtime.job import was_refused, written


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
