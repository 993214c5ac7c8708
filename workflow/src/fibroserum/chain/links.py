"""The links of a chain, and the verdict on each.

No test is made here: whether a link is called, and with which sign, is taken from the table that
decides it. A chain is training -> molecule -> gene -> outcome. Two links are direct changes, of the
gene and of the outcome; the product of the signs along the chain predicts the sign of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, prod
from typing import Any, Literal

import pandas as pd

TO_MOLECULE, TO_GENE, DIRECT_GENE, TO_OUTCOME, DIRECT_OUTCOME = LINKS = (
    "training->molecule",
    "molecule->gene",
    "training->gene",
    "gene->outcome",
    "training->outcome",
)
#: By direct change, the ways along the chain that predict its sign. The first whose links are all
#: called is used.
WAYS = {
    DIRECT_GENE: ((TO_MOLECULE, TO_GENE),),
    DIRECT_OUTCOME: ((DIRECT_GENE, TO_OUTCOME), (TO_MOLECULE, TO_GENE, TO_OUTCOME)),
}
Verdict = Literal["supported", "contradicts", "not established", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicts", "not established", "not measured")


@dataclass(frozen=True)
class Link:
    """One link: its estimate with the 95 % interval and p value, and the call on it.

    words: the sentence on it; where there is no estimate, why.
    """

    estimate: float = nan
    ci_low: float = nan
    ci_high: float = nan
    pvalue: float = nan
    called: bool = False
    words: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is an estimate."""
        return not isnan(self.estimate)

    @property
    def sign(self) -> int:
        """Return the sign of the estimate of a link that is called, else 0."""
        return (1 if self.estimate > 0 else -1) if self.called and self.measured else 0


def link_of(
    row: Mapping[str, Any],
    words: str = "",
    *,
    called: bool,
    estimate: str = "estimate",
    pvalue: str = "pvalue",
) -> Link:
    """Return a link from a row of a table; estimate, pvalue: names of their columns."""
    value, low, high, p = (float(row[name]) for name in (estimate, "ci_low", "ci_high", pvalue))
    return Link(value, low, high, p, called, words)


def links_of(chain: pd.DataFrame) -> dict[str, Link]:
    """Return the links of one chain from its rows of the table."""
    called = ("supported", "contradicts")
    return {
        row["link"]: link_of(row, row["sentence"], called=row["verdict"] in called)
        for row in chain.to_dict("records")
    }


def chained(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the factors of a config that are in chains, each with its `serum`.

    A chain needs a factor with a serum level, a target and an outcome.
    """
    if not (config["targets"] and config["outcomes"]):
        return {}
    return {name: one["serum"] for name, one in config["factors"].items() if one["serum"]}


def predicted(link: str, signs: Mapping[str, int]) -> tuple[int, Sequence[str]]:
    """Return the sign that the chain predicts for a link, and the links that predict it.

    signs: of the calls, by link. 0 and no links where none of its ways is called throughout.
    """
    for way in WAYS.get(link, ()):
        if sign := prod(signs[part] for part in way):
            return sign, way
    return 0, ()


def verdicts_of(links: Mapping[str, Link]) -> dict[str, Verdict]:
    """Return the verdict on each link of a chain.

    supported: called, and not against what the chain predicts; contradicts: a direct change that is
    called with the sign opposite to the product of the signs along the chain.
    """
    signs = {name: link.sign for name, link in links.items()}

    def verdict(name: str, link: Link) -> Verdict:
        if not link.measured:
            return "not measured"
        if not link.sign:
            return "not established"
        return "contradicts" if predicted(name, signs)[0] == -link.sign else "supported"

    return {name: verdict(name, link) for name, link in links.items()}
