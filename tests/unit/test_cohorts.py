"""The plan of several cohorts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fibroserum.cohort.several import Several, plan_several
from fibroserum.errors import InputError
from fibroserum.runtime.lock import lock_of
from helpers.small_cohort import good


def _planned(
    folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, **changes: dict[str, object]
) -> Several:
    """Plan cohorts that are the small one but for their names (the keys) and other changes."""
    good().write(folder)
    for name, change in changes.items():
        config = {**good().config, "cohort": name, **change}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(folder)
    raw = {"cohorts": [f"{name}.yaml" for name in changes]}
    return plan_several(raw, repository, "cohorts.yaml")


def test_cohorts_stand_in_the_order_of_their_names(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = {"differential_expression": {"alpha": 0.01}, "targets": ["LUM"], "factors": {}}
    several = _planned(tmp_path, repository, monkeypatch, b={}, a=strict)
    assert several.name == "synthesis"
    assert several.folders == ["a", "b", "synthesis"]
    assert several.prefixes == ["a_", "b_"]
    assert several.targets == ["LUM", "BGN", "DCN", "COL1A1"]
    assert several.factors == ["CCL28"]
    assert several.alpha == 0.01


def test_names_of_rules_differ_where_folders_differ_in_signs_alone(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = _planned(tmp_path, repository, monkeypatch, **{"a.b": {}, "a-b": {}, "c": {}})
    assert several.folders == ["a-b", "a.b", "c", "synthesis"]
    assert several.prefixes == ["a_b_1_", "a_b_2_", "c_"]
    # and a name that is already what another would become
    several = _planned(
        tmp_path, repository, monkeypatch, **{"a.b": {}, "a-b": {}, "a_b_1": {}, "a_b": {}}
    )
    assert several.folders[:-1] == ["a-b", "a.b", "a_b", "a_b_1"]
    assert several.prefixes == ["a_b_2_", "a_b_3_", "a_b_4_", "a_b_1_"]


def test_a_bundled_config_is_found_from_anywhere(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "cohorts.yaml").read_text())
    several = plan_several(raw, repository, "cohorts.yaml")
    assert several.folders == ["toy", "toy_b", "synthesis"]


def test_a_list_that_is_none_is_said(repository: Path) -> None:
    with pytest.raises(InputError, match=r"cohorts: 'a\.yaml' is not valid; expected a list"):
        plan_several({"cohorts": "a.yaml"}, repository, "x")


def test_a_job_finds_the_lock_of_its_own_cohort() -> None:
    told = "/w/results/a/.lock\tfirst\n/w/results/b/.lock\tsecond"
    assert lock_of("b", told) == ("/w/results/b/.lock", "second")
    assert lock_of("a", told) == ("/w/results/a/.lock", "first")
    # a run of one cohort has one lock, whatever its jobs' logs are called
    assert lock_of("logs", "/w/results/a/.lock\tfirst") == ("/w/results/a/.lock", "first")
    assert lock_of("a", "") == ("", "")
