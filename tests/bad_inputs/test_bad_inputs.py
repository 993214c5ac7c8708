"""Bad input through the real command line: one mistake a case, and what is said about it.

None may end in a traceback or leave an output. The mistakes and their messages stand in `cases`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bad_inputs.cases import ALL
from helpers.bad_inputs import Case, Outcome, run
from helpers.small_cohort import good


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_a_mistake_stops_the_run_and_is_said(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    assert outcome.status == 1, outcome.output
    for text in case.expected:
        assert text in outcome.output
    counted = re.search(r"(\d+) problems? with the input:", outcome.output)
    assert counted is None or int(counted[1]) == len(case.expected), outcome.output
    assert "Traceback" not in outcome.output + outcome.logs
    assert outcome.results == ()


def test_there_are_enough_cases_each_of_its_own() -> None:
    names = [case.name for case in ALL]
    assert len(names) == len(set(names))
    assert sum(not case.quick for case in ALL) >= 80
    assert all(case.expected for case in ALL)


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Snakemake reads the config before the workflow is asked; nothing can be said before it."""
    cohort = good()
    cohort.late.append(lambda folder: (folder / "cohort.yaml").rename(folder / "other.yaml"))
    outcome = run(cohort, tmp_path / "cohort")
    assert outcome.status == 1
    assert re.search(r"No such file or directory: '.*cohort\.yaml'", outcome.output)
    assert outcome.results == ()


@pytest.fixture(scope="module")
def as_others() -> list[str]:
    """Return the words that make root ask for permission like everyone else."""
    if os.geteuid() != 0:
        return []
    capabilities = "-dac_override,-dac_read_search"
    words = ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("root may read every file, and setpriv cannot take that away here")
    return words


@pytest.mark.parametrize("name", ["samples.tsv", "counts.tsv", "sets.gmt"])
def test_a_file_that_may_not_be_read_is_named(
    name: str, tmp_path: Path, as_others: list[str]
) -> None:
    cohort = good()
    cohort.late.append(lambda folder: (folder / name).chmod(0))
    outcome = run(cohort, tmp_path / "cohort", before=as_others)
    assert outcome.status == 1
    assert re.search(rf"{name}: (may not be read|cannot be read)", outcome.output)
    assert "Traceback" not in outcome.output
    assert outcome.results == ()
