"""A verdict together with its sentence, as the table of targets has them."""

from __future__ import annotations

from dataclasses import dataclass

from fibroserum.targets import verdict
from fibroserum.targets.phrases import Phrases
from fibroserum.targets.sentences import reason
from fibroserum.targets.verdict import Evidence, Rule


@dataclass(frozen=True)
class Judged:
    """The word, whether one donor drives it, and the reason."""

    word: str
    driven_by_one_donor: bool
    reason: str


def judge(evidence: Evidence, rule: Rule, said: Phrases, *, panel: int = 1) -> Judged:
    """Return the verdict and its sentence."""
    found = verdict.judge(evidence, rule)
    why = reason(found, evidence, rule, said, panel=panel)
    return Judged(found.word, found.driven_by_one_donor, why)
