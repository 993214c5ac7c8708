"""Contrasts' labels: two are the same only where the names are, which the plan refuses."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum.cohort.contrasts import contrasts_of, effects_of, labels_of, name_problems

PART = st.sampled_from(["average", "change", "a", "b", " vs ", ": ", "pre", "post"])
NAME = st.lists(PART, min_size=1, max_size=3).map("".join)


@given(st.lists(NAME, min_size=1, max_size=4, unique=True), NAME, NAME)
def test_labels_tell_contrasts_apart(groups: list[str], before: str, after: str) -> None:
    contrasts = contrasts_of(groups, before, after)
    if list(name_problems(contrasts, "config")):
        return
    labels = labels_of(contrasts)
    assert list(labels) == [contrast.name for contrast in contrasts]
    assert max(Counter(labels.values()).values()) == 1
    assert list(effects_of(contrasts)) == list(labels)


@pytest.mark.parametrize("groups", [["average", "b"], ["a b", "a_b"]])
def test_names_that_meet_are_problems(groups: list[str]) -> None:
    assert list(name_problems(contrasts_of(groups, "pre", "post"), "config"))
