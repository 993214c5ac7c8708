"""Examples of sentences on calls, factors, outcomes, molecules, chains and several cohorts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from fibroserum.chain import rows
from fibroserum.chain.links import LINKS, Link
from fibroserum.chain.sentences import CAVEAT, chain_words, link_sentence
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.de.reasons import WORDS
from fibroserum.factors import sentences as of_factors
from fibroserum.factors.levels import Change
from fibroserum.intervals import Estimate as Interval
from fibroserum.outcomes import sentences as of_outcomes
from fibroserum.serum_panel import candidates as of_candidates
from fibroserum.synthesis.evidence import Estimate, Key
from fibroserum.synthesis.pooling import pool
from fibroserum.synthesis.stage import reason as pooled_reason
from helpers.call_reasons import in_words

NAMES = ("CCL28", "BGN", "skin")


def calls() -> Iterator[str]:
    """Yield each condition of a call that a gene may not meet."""
    numbers = {
        "weighted_padj": "0.08", "second_weighted_padj": "0.12", "alpha": "0.05",
        "ci_low": "-0.02", "ci_high": "0.41", "threshold": "0.25",
    }  # fmt: skip
    for code in WORDS:
        yield in_words(code, numbers)


def factors() -> Iterator[str]:
    """Yield what the responsive genes of a factor did, and what is known of the first target."""
    contrasts = contrasts_of(["AT", "RT"], "pre", "post")
    contrasts += contrasts_of(["all"], "pre", "post")
    places = of_factors.places_of(contrasts_of(["AT", "RT"], "pre", "post"))
    places |= of_factors.places_of(contrasts_of(["all"], "pre", "post"))
    falls, rises = Change(9, -0.35, -0.64, -0.07, 0.02), Change(9, 0.35, 0.07, 0.64, 0.02)
    still, flat = Change(8, -0.03, -0.29, 0.22, 0.77), Change(8, 0.0, np.nan, np.nan, np.nan)
    unmeasured = Change(0, np.nan, np.nan, np.nan, np.nan)
    kinds = (
        of_factors.Moves(2, 7, 31, 5),
        of_factors.Moves(suppressed_rise=11),
        of_factors.Moves(induced_fall=1),
    )
    for one, moves, change, pvalue in itertools.product(
        contrasts, kinds, (falls, rises, still, flat, unmeasured, None), (0.006, 0.47)
    ):
        # every combination with one contrast; of the others, what names their place
        if one is contrasts[0] or (change is falls and moves is kinds[0]):
            yield of_factors.set_sentence(
                "CCL28", one, places[one.name], moves, "with_less", change, pvalue, 0.05
            )
    yield of_factors.no_set_sentence("CCL28")
    yield of_factors.why_unconfirmed("CCL28", stimulated=False, measured=True)
    yield of_factors.why_unconfirmed("CCL28", stimulated=True, measured=False)
    row = {
        "call": "confirmed", "reason": None, "serum_slope": -0.12, "serum_pvalue": 0.38,
        "stimulation_log2FoldChange": 0.2, "stimulation_pvalue": 0.41,
    }  # fmt: skip
    for call in ("confirmed", "responsive", "not_responsive"):
        yield of_factors.target_sentence("BGN", "CCL28", row | {"call": call})
    refused = row | {"call": "not_assessable", "reason": "not tested: serum"}
    yield of_factors.target_sentence("BGN", "CCL28", refused)
    yield of_factors.target_sentence("BGN", "CCL28", None)


def outcomes() -> Iterator[str]:
    """Yield the reasons of a target's association with an outcome."""
    row = {
        "slope": 0.4, "outcome": "skin", "target": "BGN", "ci_low": 0.1, "ci_high": 0.7,
        "panel_padj": 0.02, "pairs": 20, "call": "with", "question": "change", "share_kept": 0.8,
        "left_out": "D3",
    }  # fmt: skip
    for changes in (
        {},
        {"slope": -0.4, "ci_low": -0.7, "ci_high": -0.1, "share_kept": 0.3},
        {"share_kept": -0.2},
        {"question": "baseline"},
        {"question": "baseline", "slope": -0.4, "ci_low": -0.7, "ci_high": -0.1},
        {"call": "none"},
    ):
        yield of_outcomes.reason(row | changes, per="each unit", panel=12)
    yield of_outcomes.reason(row, per="each doubling", panel=1)
    yield of_outcomes.not_tested("it is not in the count matrix")


def candidates() -> Iterator[str]:
    """Yield the reasons of a candidate."""
    row = {
        "call": "candidate", "molecule": "CCL28", "target": "BGN", "change_log2": -0.5,
        "slope": -0.4, "predicted_lfc": 0.2, "log2FoldChange": 0.3, "concordance": "as_predicted",
    }  # fmt: skip
    half = {"pvalue": 0.01, "reason": None}
    for changes in (
        {},
        {"change_log2": 0.5, "slope": 0.4},
        {"concordance": "opposite", "log2FoldChange": -0.1},
        {"concordance": None},
        {"call": "none"},
    ):
        yield of_candidates.reason(row | changes, half, half | {"pvalue": 0.3}, 0.04)
    yield of_candidates.reason(row | {"call": None}, half | {"reason": "no level"}, half, np.nan)


def chains() -> Iterator[str]:
    """Yield the sentences on links, and on whole chains."""
    yield CAVEAT
    for sign in (0.4, -0.4, 0.1):
        found = Interval(sign, sign - 0.3, sign + 0.3, 0.01)
        for compared in (False, True):
            yield rows.outcome_change_link("skin", found, "RT", "", compared=compared).words
    yield rows.outcome_change_link("skin", Interval(), "RT", "", compared=False).words
    yield rows.level_change("CCL28", None, "RT", compared=False).words
    level = {"change_log2": np.nan, "ci_low": -0.7, "ci_high": -0.1, "pvalue": 0.01}
    yield rows.level_change("CCL28", level, "RT", compared=False).words
    yield rows.level_change("CCL28", level | {"change_log2": -0.4}, "RT", compared=False).words
    for slope, padj in ((0.4, 0.01), (-0.4, 0.01), (0.1, 0.4)):
        row = {"target": "BGN", "slope": slope, "ci_low": slope - 0.3, "ci_high": slope + 0.3}
        row |= {"pvalue": 0.01, "padj": padj, "donors": 17}
        yield rows.panel_slope("CCL28", row, 0.05).words
    yield rows.sheet_slope("CCL28", "BGN", None, None).words
    sheet = {"serum_slope": -0.4, "ci_low": -0.7, "ci_high": -0.1, "serum_pvalue": 0.01}
    gene = {"direction": "suppressed", "call": "responsive", "evidence": "serum"}
    yield rows.sheet_slope("CCL28", "BGN", sheet, gene).words
    for signs in ("--+++", "-?+0+", "---+0", "--+-+"):
        links = {name: _link(sign) for name, sign in zip(LINKS, signs, strict=True)}
        yield chain_words(links, "RT: post vs pre", NAMES)
        yield from (link_sentence(name, links, NAMES) for name in LINKS if "." in links[name].words)


def _link(sign: str) -> Link:
    value = {"+": 0.4, "-": -0.4, "0": 0.1, "?": np.nan}[sign]
    words = "no level." if sign == "?" else "A fall is established." if sign == "-" else ""
    return Link(value, value - 0.3, value + 0.3, 0.01, sign in "+-", words)


def syntheses() -> Iterator[str]:
    """Yield what a pooled row rests on."""
    key = Key("change", "RT")
    known = [Estimate(("BGN",), key, name, 0.4, 0.1) for name in "abc"]
    absent = Estimate(("BGN",), key, "d", reason="not in its count matrix")
    for used in (known, known[:2], known[:1], []):
        found = pool([one.value for one in used], [one.error for one in used])
        yield pooled_reason(found, [*used, absent])
