"""One run a case, several side by side, once a session."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fibroserum.input.config import file_name
from helpers.bad_inputs import Case, Outcome, run, spoiled, through_library

# A run waits for the disk, too; more than four would fight for memory.
SIDE_BY_SIDE = min(4, max(2, os.cpu_count() or 2))


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """Return how each selected case ended."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    cases = [spec.params["case"] for spec in params if spec and "case" in spec.params]
    chosen = [case for case in dict.fromkeys(cases) if isinstance(case, Case)]
    root = tmp_path_factory.mktemp("cohorts")

    def outcome(case: Case) -> Outcome:
        return run(spoiled(case), root / file_name(case.name), *case.targets)

    slow = [case for case in chosen if not case.quick]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        ended = dict(zip(slow, pool.map(outcome, slow), strict=True))
    for case in chosen:
        if case.quick:
            ended[case] = through_library(spoiled(case), root / file_name(case.name))
    return {case.name: end for case, end in ended.items()}
