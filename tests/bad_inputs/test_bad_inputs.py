"""Bad input: one mistake a case, in `cases`, and the message about it.

No run may end in a traceback or leave an output.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bad_inputs.cases import ALL
from fibroserum.errors import InputError
from helpers.bad_inputs import Case, build, run, spoiled
from helpers.small_cohort import good

#: Snakemake reads the config before the workflow is asked.
SNAKEMAKES_OWN = ("config: YAML that is none", "config: a list for a config")


def _named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@_named([case for case in ALL if not case.command_line])
def test_the_library_refuses_a_mistake(case: Case, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        build(spoiled(case), tmp_path / "cohort")
    for text in case.expected:
        assert text in str(refused.value)
    assert len(refused.value.problems) == len(case.expected), refused.value


@_named([case for case in ALL if case.command_line])
def test_a_mistake_stops_the_run_and_is_said(case: Case, tmp_path: Path) -> None:
    outcome = run(spoiled(case), tmp_path / "cohort", *case.targets)
    assert outcome.status == 1, outcome.output
    for text in case.expected:
        assert text in outcome.output
    # a job's list is in its own output too
    counted = set(re.findall(r"(\d+) problems? with the input:", outcome.output))
    problems = set() if case.name in SNAKEMAKES_OWN else {str(len(case.expected))}
    assert counted == problems, outcome.output
    assert "Traceback" not in outcome.output + outcome.logs
    assert outcome.results == ()


def test_each_case_has_a_name_and_a_message_of_its_own() -> None:
    names = [case.name for case in ALL]
    assert len(names) == len(set(names))
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
    assert re.search(rf"{name}: cannot be read", outcome.output)
    assert "Traceback" not in outcome.output
    assert outcome.results == ()
