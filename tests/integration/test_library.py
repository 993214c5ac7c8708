"""The public functions give what a run writes, and docs/library.md what it shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fibroserum as fs
from fibroserum import tables
from fibroserum.factors.stage import SCHEMAS as OF_FACTORS
from fibroserum.targets.stage import SCHEMAS as OF_TARGETS
from helpers.pipeline import REPOSITORY, Run


@pytest.fixture(scope="module")
def analysis() -> tuple[fs.Cohort, dict[str, Any], dict[str, pd.DataFrame]]:
    with contextlib.chdir(REPOSITORY):
        cohort = fs.read_cohort(fs.load_config("config/config.yaml"))
    fits = fs.fit(cohort, n_cpus=2)
    return cohort, fits, fs.results(cohort, fits)


def same(name: str, found: pd.DataFrame, run: pd.DataFrame, folder: Path) -> None:
    """Compare a table with a run's: words exactly, numbers to the digits that a file holds."""
    tables.write(name, found, folder / "found.tsv")
    written = tables.read(name, folder / "found.tsv")
    pd.testing.assert_frame_equal(written, run, check_exact=False, rtol=1e-7, atol=1e-12)


def test_the_tables_are_those_of_a_run(analysis: Any, toy_run: Run, tmp_path: Path) -> None:
    cohort, fits, results = analysis
    for name, table in results.items():
        tables.write("de", table, tmp_path / "de.tsv")
        run = toy_run.results / "de" / f"{name}.tsv"
        assert (tmp_path / "de.tsv").read_bytes() == run.read_bytes()
    assert len(results) == 5
    tables.write("samples", cohort.samples, tmp_path / "samples.tsv")
    assert (tmp_path / "samples.tsv").read_bytes() == (toy_run.results / "samples.tsv").read_bytes()
    tables.write("contrasts", fs.contrasts(cohort, fits), tmp_path / "contrasts.tsv")
    run = toy_run.results / "contrasts.tsv"
    assert (tmp_path / "contrasts.tsv").read_bytes() == run.read_bytes()


def test_targets_factors_and_sets_are_those_of_a_run(
    analysis: Any, toy_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    cohort, fits, results = analysis
    # a rule reads the tables that another has written, with ten digits
    stored = {name: toy_run.table("de", name) for name in results}
    targets = fs.target_tables(cohort, fits, stored)
    for field, name in OF_TARGETS.items():
        same(name, getattr(targets, field), toy_run.table(name), tmp_path)
    factors = fs.factor_tables(cohort, fits, stored)
    for field, name in OF_FACTORS.items():
        same(name, getattr(factors, field), toy_run.table(name), tmp_path)
    sets = fs.set_tests(cohort, fits, stored)
    for contrast, table in sets.items():
        same("enrichment", table, toy_run.table("enrichment", contrast), tmp_path)
    # and those from memory say the same in words
    own = fs.target_tables(cohort, fits, results).targets
    assert own["verdict"].tolist() == targets.targets["verdict"].tolist()


def test_the_page_shows_what_its_code_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (REPOSITORY / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == text.count("```python") >= 10
    monkeypatch.chdir(REPOSITORY)
    space: dict[str, Any] = {}
    for code, shown in blocks:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(code, space)
        assert said.getvalue() == shown
    used = set(re.findall(r"\bfs\.(\w+)", "".join(code for code, _ in blocks)))
    assert used <= set(fs._HOMES)
    # a reader sees each function at work; the classes that others return need no call
    assert set(fs._HOMES) - used == {"Cohort", "Effect", "Problem", "read_counts"}
