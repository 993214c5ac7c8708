"""How a problem with the input is described: what, where, what was expected, a valid value.

Problems are collected while the input is read and raised together, so that a user can fix all of
them at once.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

#: What to install for an extra.
INSTALLED = {"workflow": "fibroserum[workflow]", "crate": "rocrate>=0.14"}


def require(*modules: str, extra: str = "workflow") -> None:
    """Raise ImportError, with what to install, where a module of an extra is missing.

    Called before such a module is imported. Most of the library needs none of them.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f"{module} is not installed. Install it with: pip install '{INSTALLED[extra]}'",
                name=module,
            )


#: Problems that a message lists; further ones are counted.
MOST_PROBLEMS = 100
#: Problems of one file that are listed; the rest is counted.
MAX_PROBLEMS = 20
#: Cells of one kind of mistake that are listed one by one; the rest is counted.
SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """One problem with the input.

    Parameters
    ----------
    what : str
        The mistake, with the offending value.
    where : str
        File, row, column or config key.
    expected : str
        What would have been right.
    hint : str
        The nearest valid value, or what to do.

    Examples
    --------
    >>> print(Problem("the value is 'yess'", "samples.tsv, row 3", "yes or no", "Write 'yes'."))
    samples.tsv, row 3: the value is 'yess'; expected yes or no. Write 'yes'.
    """

    what: str
    where: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f". {self.hint}"
        return text


class InputError(Exception):
    """All problems with the input, in one list.

    Parameters
    ----------
    problems : iterable of Problem
        Those that were found. The attribute `problems` holds each once, as a tuple.

    Examples
    --------
    >>> print(InputError([Problem("there is no file 'counts.tsv'", "config, counts")]))
    1 problem with the input:
      1. config, counts: there is no file 'counts.tsv'
    """

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"{number_of(count, 'problem')} with the input:"]
        lines += [f"  {n}. {problem}" for n, problem in enumerate(self.problems[:MOST_PROBLEMS], 1)]
        if count > MOST_PROBLEMS:
            lines.append(f"  … and {count - MOST_PROBLEMS:,} more")
        return "\n".join(lines)


class Collector:
    """Collects problems, so that one mistake does not hide the next."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep the problems of an InputError that ends the block."""
        try:
            yield
        except InputError as error:
            self.problems += error.problems

    def finish(self) -> None:
        """Raise InputError with the problems, if there are any."""
        if self.problems:
            raise InputError(self.problems)


def refuse(what: str, where: str = "", expected: str = "", hint: str = "") -> InputError:
    """Return an InputError with a single problem, for readers that can go no further."""
    return InputError([Problem(what, where, expected, hint)])


def nearest(value: object, valid: Iterable[object], otherwise: str = "Valid") -> str:
    """Return "Did you mean 'x'?" for the valid value nearest to `value`, or the valid ones.

    otherwise: the words before the valid ones; empty: only the nearest one is named.
    """
    names = [str(name) for name in valid]
    folded = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(str(value).casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{folded[close[0]]}'?"
    return f"{otherwise}: {listed(names, 8)}." if names and otherwise else ""


def listed(names: Collection[object], shown: int = SHOWN, quote: str = "'") -> str:
    """Return the first names in quotes and how many more there are."""
    text = ", ".join(f"{quote}{name}{quote}" for name in list(names)[:shown])
    more = len(names) - shown
    return f"{text} and {more:,} more" if more > 0 else text


def either(words: Sequence[str]) -> str:
    """Return words with commas and `or`: "up, down or none"."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def number_of(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s in the plural: "1 cell", "3 cells"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def appear(noun: str, names: Collection[object]) -> str:
    """Return "the column 'age' appears", or "the columns 'age', 'sex' appear"."""
    one = len(names) == 1
    return f"the {noun} {listed(names)} appears" if one else f"the {noun}s {listed(names)} appear"


def capped(problems: Sequence[Problem], where: str, limit: int = MAX_PROBLEMS) -> list[Problem]:
    """Return at most `limit` problems, and one more that counts the rest."""
    if len(problems) <= limit:
        return list(problems)
    return [*problems[:limit], Problem(number_of(len(problems) - limit, "more problem"), where)]
