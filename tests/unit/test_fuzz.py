"""Two thousand spoiled files and configs: each gives an answer or an InputError, and soon.

The cases are the same each time; FIBROSERUM_FUZZ=100000 runs as many others.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fibroserum.counts import read_counts
from helpers.fuzz_edits import other_hdf5, spoiled_tree
from helpers.fuzz_parsers import (
    CELLS,
    apply,
    hdf5_sources,
    lay_out,
    parse_tree,
    parsers,
    problems_of,
    whole_config,
)

ASKED = os.environ.get("FIBROSERUM_FUZZ")
CASES = int(ASKED or 2_000)
#: Cases of the slow parsers; the others share what is left.
SHARES = {"whole cohort": CASES // 50, "config": CASES // 20, "config tree": CASES // 10,
          "HDF5": CASES // 40}  # fmt: skip
OTHERS = ("config tree", "HDF5")
#: Of processor time, which does not depend on what else the machine does.
SECONDS = 60
part = st.floats(0, 1, exclude_max=True)
edits = st.lists(
    st.tuples(st.integers(0, 6), part, st.integers(0, 1 << 16)), min_size=1, max_size=4
)


def share(name: str) -> int:
    rest = CASES - sum(SHARES.values())
    return SHARES.get(name, -(-rest // (len(parsers()) + len(OTHERS) - len(SHARES))))


def fuzzed(name: str, check: Callable[..., None]) -> None:
    """Run a check on a parser's share of the cases; a case that hangs ends the test."""

    def late(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"{name}: no answer within {SECONDS} s of processor time")

    def timed(**drawn: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        check(**drawn)

    former = signal.signal(signal.SIGPROF, late)
    try:
        settings(
            max_examples=share(name),
            database=None,
            derandomize=not ASKED,
            suppress_health_check=list(HealthCheck),
        )(given(which=st.integers(0, 20), changes=edits)(timed))()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


@pytest.mark.parametrize("name", sorted(parsers()))
def test_a_spoiled_file_gives_an_answer_or_an_input_error(name: str, tmp_path: Path) -> None:
    parser = parsers()[name]
    lay_out(parser, tmp_path)
    parser.read(tmp_path)
    answers = []

    def check(which: int, changes: list[tuple[int, float, int]]) -> None:
        answers.append(apply(parser, tmp_path, which, changes))

    fuzzed(name, check)
    assert len(answers) >= share(name)
    assert 0 not in answers
    if name not in ("config", "gene ids"):
        # both happen, or the accidents are too mild or too rough to tell anything
        assert min(answers) == -1 < max(answers)


def test_a_spoiled_config_gives_an_answer() -> None:
    seen = []

    def check(which: int, changes: list[tuple[int, float, int]]) -> None:
        seen.append(parse_tree(spoiled_tree(whole_config(), changes)))

    fuzzed("config tree", check)
    assert len(seen) >= share("config tree")


def test_an_hdf5_file_of_other_content_gives_an_answer_or_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # libhdf5 wrote these: no process of its own is needed to read them (damage: test_counts_fuzz)
    monkeypatch.setattr("fibroserum.counts.hdf5._survive", lambda path: None)
    path, answers = tmp_path / "x.h5ad", []
    sound = list(hdf5_sources().values())

    def check(which: int, changes: list[tuple[int, float, int]]) -> None:
        path.write_bytes(other_hdf5(sound[which % len(sound)], changes))
        for options in ({"cells": CELLS}, {"fractional": "round"}):
            answers.append(problems_of(functools.partial(read_counts, [path], **options)))

    fuzzed("HDF5", check)
    assert len(answers) >= share("HDF5")
    assert 0 not in answers
    assert min(answers) == -1 < max(answers)


def test_there_are_as_many_cases_as_are_said() -> None:
    assert sum(map(share, [*parsers(), *OTHERS])) >= CASES
