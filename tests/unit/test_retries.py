"""Which failed jobs run again, by Snakemake's own log records."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from fibroserum.runtime.retries import RefusedInput

REFUSED = "1 problem with the input:\n  1. counts.tsv: x\n"
MEMORY = "Out of memory. Free some\nThe log is counts.log\n"


@dataclass
class Rule:
    """What Snakemake's rules have: how often a failed job is tried again."""

    restart_times: int = 2


class Run:
    """Logs what Snakemake logs of a run's jobs, and has its rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = {name: Rule() for name in ("counts", "fit", "other")}
        self.logger = logging.Logger("a run")
        self.logger.addHandler(RefusedInput(self.rules.__getitem__))

    def log(self, rule: str) -> Path:
        return self.folder / f"{rule}.log"

    def _fields(self, rule: str) -> dict[str, object]:
        return {"rule_name": rule, "log": [str(self.log(rule))], "jobid": 1}

    def starts(self, *rules: str) -> None:
        for rule in rules:
            self.logger.info(rule, extra={"event": LogEvent.JOB_INFO, **self._fields(rule)})

    def fails(self, rule: str) -> None:
        self.logger.error(rule, extra={"event": LogEvent.JOB_ERROR, **self._fields(rule)})

    def group_fails(self, *rules: str) -> None:
        jobs = [self._fields(rule) for rule in rules]
        fields = {"event": LogEvent.GROUP_ERROR, "groupid": "g", "job_error_info": jobs}
        self.logger.error("group", extra=fields)

    @property
    def retries(self) -> list[int]:
        return [rule.restart_times for rule in self.rules.values()]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.mark.parametrize(("said", "retries"), [(REFUSED, 0), (MEMORY, 2)])
def test_only_a_refused_input_ends_the_retries(said: str, retries: int, run: Run) -> None:
    run.starts("counts")
    run.log("counts").write_text(said)
    run.fails("counts")
    assert run.retries == [retries, 2, 2]


@pytest.mark.parametrize(("said", "retries"), [(REFUSED, 0), (MEMORY, 2)])
def test_a_group_is_tried_again_as_a_whole_or_not_at_all(said: str, retries: int, run: Run) -> None:
    run.starts("counts", "fit")
    run.log("counts").write_text(said)
    run.group_fails("counts", "fit")
    assert run.retries == [retries, retries, 2]


def test_a_job_without_a_log_is_tried_again(run: Run) -> None:
    """Cancelled before it began; also if its log is of an earlier run, which was refused."""
    run.starts("fit")
    run.fails("fit")
    run.log("counts").write_text(REFUSED)
    run.starts("counts")
    run.fails("counts")
    assert run.retries == [2, 2, 2]
    run.log("counts").unlink()
    run.fails("counts")
    assert run.retries == [2, 2, 2]
