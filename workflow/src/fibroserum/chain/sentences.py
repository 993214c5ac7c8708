"""Sentences on a link and on a whole chain. A link is an association or a change, not a cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from fibroserum.chain.links import (
    DIRECT_GENE,
    DIRECT_OUTCOME,
    LINKS,
    VERDICTS,
    Link,
    predicted,
    verdicts_of,
)

#: Holds for every chain, however many of its links are supported.
CAVEAT = "Supported links do not show that one leads to the next."


def numbers(name: str, link: Link, unit: str = "") -> str:
    """Return an estimate with its interval and p value, as far as it has them."""
    said = f"{name} {link.estimate:.3g}{unit}"
    if not isnan(link.ci_low):
        said += f" (95 % {link.ci_low:.3g} to {link.ci_high:.3g})"
    return said if isnan(link.pvalue) else f"{said}, p {link.pvalue:.2g}"


def change_words(subject: str, link: Link, label: str, unit: str, *, compared: bool) -> str:
    """Return the sentence on an estimated change.

    label: of the contrast; compared: whether it compares changes.
    """
    measured = numbers("difference of changes" if compared else "change", link, unit)
    if compared:
        kind = {1: "A positive", -1: "A negative", 0: "No"}[link.sign]
        said = f"{kind} difference in the change of {subject} is established"
    else:
        kind = {1: "A rise", -1: "A fall", 0: "No change"}[link.sign]
        said = f"{kind} of {subject} is established"
    return f"{said} ({label}): {measured}."


def slope_words(molecule: str, target: str, link: Link, rests: str) -> str:
    """Return the sentence on a target's slope on a molecule; rests: what the call rests on."""
    measured = f"{numbers('slope', link, ' log2 for each doubling')}; {rests}"
    if not link.sign:
        return (
            f"No association of {target} with {molecule} is established within groups: {measured}."
        )
    verb = "increases" if link.sign > 0 else "decreases"
    return f"Within groups, {target} {verb} with {molecule}: {measured}."


def named(link: str, molecule: str, target: str, outcome: str) -> str:
    """Return a link with the names of what it joins."""
    names = {"molecule": molecule, "gene": target, "outcome": outcome}
    return " to ".join(names.get(end, end) for end in link.split("->"))


def link_sentence(name: str, links: Mapping[str, Link], names: tuple[str, str, str]) -> str:
    """Return the sentence on a link, with the links that it contradicts.

    names: of molecule, target and outcome.
    """
    link, verdict = links[name], verdicts_of(links)[name]
    if verdict == "not measured":
        return f"Not measured: {link.words.rstrip('.')}."
    if verdict != "contradicts":
        return link.words
    _, way = predicted(name, {key: one.sign for key, one in links.items()})
    return f"{link.words} {_listed(way, names)} predict the opposite sign."


def chain_words(links: Mapping[str, Link], label: str, names: tuple[str, str, str]) -> str:
    """Return the paragraph on one chain: which links hold, which do not, whether signs fit.

    label: of the contrast; names: of molecule, target and outcome.
    """
    verdicts = verdicts_of(links)
    parts = []
    for word in VERDICTS:
        own = [name for name in LINKS if verdicts[name] == word]
        if own:
            said = "contradicting" if word == "contradicts" else word
            listed = ", ".join(_with_numbers(name, links[name], names) for name in own)
            parts.append(f"{said}: {listed}")
    signs = {name: link.sign for name, link in links.items()}
    fits = " ".join(_fit(name, signs, names) for name in (DIRECT_GENE, DIRECT_OUTCOME))
    return f"{label}. {'. '.join(part[0].upper() + part[1:] for part in parts)}. {fits}"


def _with_numbers(name: str, link: Link, names: tuple[str, str, str]) -> str:
    said = named(name, *names)
    if not link.measured:
        return said
    if isnan(link.ci_low):
        return f"{said} ({link.estimate:.3g})"
    return f"{said} ({link.estimate:.3g}; 95 % {link.ci_low:.3g} to {link.ci_high:.3g})"


def _fit(direct: str, signs: Mapping[str, int], names: tuple[str, str, str]) -> str:
    """Return whether the signs along the chain fit a direct change."""
    subject = {DIRECT_GENE: names[1], DIRECT_OUTCOME: names[2]}[direct]
    sign, way = predicted(direct, signs)
    if not sign:
        return f"The chain predicts no sign for {subject}: not all its links are established."
    word = "positive" if sign > 0 else "negative"
    said = f"The signs of {_listed(way, names)} predict a {word} change of {subject}"
    if not signs[direct]:
        return f"{said}, whose own change is not established."
    own = "this" if signs[direct] == sign else "the opposite"
    return f"{said}, and its own change has {own} sign."


def _listed(way: Sequence[str], names: tuple[str, str, str]) -> str:
    *rest, last = [f"'{named(part, *names)}'" for part in way]
    return f"{', '.join(rest)} and {last}"
