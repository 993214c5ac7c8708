"""How problems are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum.errors import MOST_PROBLEMS, InputError, Problem, nearest, refuse


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Problem("is empty"), "is empty"),
        (Problem("is empty", "x.tsv"), "x.tsv: is empty"),
        (Problem("is empty", "x.tsv", "a table"), "x.tsv: is empty; expected a table"),
        (Problem("is empty", "x.tsv", "", "Look."), "x.tsv: is empty. Look."),
        (
            Problem("the level 'Pre'", "x.tsv, row 2", "'pre'", "Did you mean 'pre'?"),
            "x.tsv, row 2: the level 'Pre'; expected 'pre'. Did you mean 'pre'?",
        ),
    ],
)
def test_a_problem_says_where_what_expected_and_what_to_do(problem: Problem, said: str) -> None:
    assert str(problem) == said


def test_problems_are_numbered_in_one_list() -> None:
    error = InputError([Problem("a"), Problem("b", "here")])
    assert str(error) == "2 problems with the input:\n  1. a\n  2. here: b"
    assert str(refuse("a", "here", "b")) == "1 problem with the input:\n  1. here: a; expected b"


def test_the_same_problem_is_said_once() -> None:
    assert InputError([Problem("a"), Problem("b"), Problem("a")]).problems == (
        Problem("a"),
        Problem("b"),
    )


@pytest.mark.parametrize("more", [0, 1, 1234])
def test_a_long_list_is_cut_and_counted(more: int) -> None:
    error = InputError(Problem(f"p{n}") for n in range(MOST_PROBLEMS + more))
    lines = str(error).splitlines()
    assert len(error.problems) == MOST_PROBLEMS + more
    assert lines[0] == f"{MOST_PROBLEMS + more:,} problems with the input:"
    assert lines[MOST_PROBLEMS] == f"  {MOST_PROBLEMS}. p{MOST_PROBLEMS - 1}"
    assert lines[MOST_PROBLEMS + 1 :] == ([f"  … and {more:,} more"] if more else [])


@pytest.mark.parametrize(
    ("value", "valid", "said"),
    [
        ("tiem", ["time", "donor"], "Did you mean 'time'?"),
        ("AT", ["at", "rt"], "Did you mean 'at'?"),
        ("zzz", ["time", "donor"], "Valid: 'time', 'donor'."),
        ("zzz", [], ""),
        ("x", [f"long name {n}" for n in range(10)][:9], "and 1 more."),
        (3, ["30", "4"], "Did you mean '30'?"),
    ],
)
def test_the_nearest_valid_value(value: object, valid: list[str], said: str) -> None:
    assert nearest(value, valid).endswith(said)


@given(st.text(), st.lists(st.text()))
def test_nearest_answers_anything(value: str, valid: list[str]) -> None:
    said = nearest(value, valid)
    if not valid:
        assert said == ""
    else:
        assert any(f"'{name}'" in said for name in valid)


@given(st.text(min_size=1), st.lists(st.text(min_size=1), unique_by=str.casefold))
def test_a_valid_value_is_nearest_to_itself(value: str, others: list[str]) -> None:
    others = [name for name in others if name.casefold() != value.casefold()]
    assert nearest(value, [*others, value]) == f"Did you mean '{value}'?"
