"""Which jobs a cluster gets as one submission, and what they request, as a dry run prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.small_cohort import good
from helpers.small_runs import run


def _dry(folder: Path, donors: int, *arguments: str) -> str:
    """Return what a dry run of a cohort prints that has so many more donors."""
    cohort = good()
    for number in range(donors):
        for time in ("pre", "post"):
            row = list(cohort.sheet.row(f"D{number % 6 + 1}_{time}"))
            row[:2] = [f"N{number}_{time}", f"N{number}"]
            cohort.sheet.rows.append(row)
    cohort.write(folder)
    done = run(folder, "--dry-run", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _requests(said: str, resource: str) -> dict[str, int]:
    """Return what each rule requests."""
    found = {}
    for block in re.split(r"\n(?= *rule )", said):
        named = re.match(r" *rule (\w+):", block)
        asked = re.search(rf"\b{resource}=(\d+)", block)
        if named and asked:
            found[named[1]] = int(asked[1])
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dry run of 200 samples."""
    return _dry(tmp_path_factory.mktemp("small"), 94)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dry run of 202 samples."""
    return _dry(tmp_path_factory.mktemp("large"), 95)


def test_the_jobs_of_a_small_cohort_are_one_group(small: str, large: str) -> None:
    (whole,) = re.findall(r"Group job (\w+) ", small)
    assert whole == "small"
    # rules in the group are indented
    assert len(re.findall(r"^    rule ", small, re.M)) == len(_requests(small, "mem_mb")) >= 10
    assert "Group job" not in large
    assert _requests(large, "mem_mb").keys() == _requests(small, "mem_mb").keys()


def test_memory_follows_the_samples_before_any_input_exists(small: str, large: str) -> None:
    fewer, more = _requests(small, "mem_mb"), _requests(large, "mem_mb")
    assert (fewer["factors"], more["factors"]) == (1000 + 4 * 200, 1000 + 4 * 202)
    grown = {rule for rule in fewer if more[rule] > fewer[rule]}
    # `counts` has the size of its files
    assert grown == set(fewer) - {"counts"}


def test_a_small_cohort_requests_a_quarter_of_the_time(small: str, large: str) -> None:
    fewer, more = _requests(small, "runtime"), _requests(large, "runtime")
    assert {rule: fewer[rule] for rule in fewer} == {rule: more[rule] // 4 for rule in more}


def test_a_run_of_some_stages_is_one_group(tmp_path: Path) -> None:
    """No job outside a group may lie between two jobs in it."""
    for stage in ("qc", "enrichment", "flags", "report"):
        assert len(re.findall("Group job", _dry(tmp_path, 0, "--", stage))) == 1, stage
