"""Rows of a count matrix that are no genes of the cells: spike-ins, counters, transgenes.

They are recognised by the patterns of `data/left_out.tsv`, whole names, whatever their case. No
pattern may fit a name of the bundled human table. An unknown id is a gene.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache, lru_cache

import pandas as pd

from fibroserum.data import data_file

PATTERNS = data_file("left_out.tsv")
#: Why a row is left out that the config names.
EXCLUDED = "genes.exclude"
#: Why a row is left out that the config names as a spike-in.
SPIKE_IN = "normalization.genes"
_MADE_UNIQUE = re.compile(r"[.-][1-9]\d?$")


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Return one pattern for all, which is quick to ask, and each with its reason."""
    table = pd.read_csv(PATTERNS, sep="\t", dtype=str, keep_default_na=False)
    each = tuple(
        (re.compile(pattern, re.IGNORECASE), reason)
        for pattern, reason in zip(table["pattern"], table["reason"], strict=True)
    )
    return re.compile("|".join(f"(?:{p})" for p in table["pattern"]), re.IGNORECASE), each


@cache  # several matrices and steps ask for the same names
def why_no_gene(name: str) -> str:
    """Return what a row is that is no gene (ERCC spike-in, counter of HTSeq …), or no text.

    A number behind the name, with which tools make names unique (`.1`, `-1`), changes nothing.
    """
    whole, each = _patterns()
    for text in dict.fromkeys((name, _MADE_UNIQUE.sub("", name))):
        if whole.fullmatch(text):
            return next(reason for pattern, reason in each if pattern.fullmatch(text))
    return ""


def is_counter(name: str) -> bool:
    """Tell whether a row counts reads outside genes, as HTSeq, STAR and featureCounts add them."""
    return why_no_gene(name).startswith("counter")


def fits(name: str, entries: Collection[str]) -> str:
    """Return the entry of `genes.exclude` that a name fits, in which * is any text, or none."""
    if name in entries:
        return name
    return next((entry for entry in entries if "*" in entry and _glob(entry).fullmatch(name)), "")


@lru_cache
def _glob(entry: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, entry.split("*"))))
