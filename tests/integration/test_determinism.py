"""The same bytes whatever the cores, the folder, the locale, the time zone and the order."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.small_cohort import SmallCohort, good
from helpers.small_runs import outputs, run, shuffled

#: An ASCII locale in earnest: Python would otherwise put UTF-8 in its place.
ELSEWHERE = {
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "7",
}


def ended(folder: Path, cohort: SmallCohort, cores: int, changes: dict[str, str]) -> Path:
    directory = folder / "my cohort"
    cohort.write(directory)
    done = run(directory, cores=cores, cwd=folder, **changes)
    assert done.returncode == 0, done.stdout
    return directory


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a run on one core in another locale, and one on eight with everything shuffled."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "eight")]
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(ended, folders[0], good(), 1, ELSEWHERE)
        eight = pool.submit(ended, folders[1], shuffled(4), 8, {"PYTHONHASHSEED": "11"})
        return one.result(), eight.result()


def test_one_core_another_folder_locale_and_time_zone(
    small_run: Path, others: tuple[Path, Path]
) -> None:
    here, there = outputs(small_run), outputs(others[0])
    assert len(here) > 30
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []


def test_the_report_differs_in_its_date_alone(small_run: Path, others: tuple[Path, Path]) -> None:
    pages = [
        (folder / "results/small/report.html").read_text(encoding="utf-8")
        for folder in (small_run, others[0])
    ]
    dates = [re.sub(r"\b20\d\d-\d\d-\d\d\b", "", page) for page in pages]
    assert len(dates[0]) > 100_000
    assert dates[0] == dates[1]


def test_eight_cores_and_samples_and_genes_in_another_order(
    small_run: Path, others: tuple[Path, Path]
) -> None:
    here, there = outputs(small_run), outputs(others[1])
    assert (small_run / "counts.tsv").read_bytes() != (others[1] / "counts.tsv").read_bytes()
    assert sorted(here) == sorted(there)
    # checksums of the input are others
    records = [json.loads(found.pop("small/provenance.json")) for found in (here, there)]
    assert [name for name in here if here[name] != there[name]] == []
    for record in records:
        assert record.pop("inputs")
    assert records[0] == records[1]
