"""Cohorts made by hand, as a synthesis reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from scipy import stats

from fibroserum import tables
from fibroserum.synthesis.evidence import Evidence, Key

AT, RT, BOTH = Key("change", "AT"), Key("change", "RT"), Key("difference", "RT", "AT")
KEYS = (AT, RT, BOTH)
Gene = tuple[float | None, float | None]


def de_table(
    genes: Mapping[str, Gene], prefix: str = "", status: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return what a synthesis reads of a `de` table: genes by symbol, log2 fold change and error.

    prefix: what ids begin with; without one they are the symbols.
    """
    return pd.DataFrame(
        {
            "symbol": list(genes),
            "baseMean": [100.0 + place for place in range(len(genes))],
            "log2FoldChange": [value for value, _ in genes.values()],
            "lfcSE": [error for _, error in genes.values()],
            "status": [(status or {}).get(name, "tested") for name in genes],
        },
        index=pd.Index([f"{prefix}{name}" for name in genes], name="gene_id"),
    )


def score_table(sets: Mapping[str, Gene], df: int) -> pd.DataFrame:
    """Return the score tests of sets of one collection: estimate and standard error by name."""
    half = stats.t.ppf(0.975, df)
    rows = [
        ("matrix", name, value, value - half * error, value + half * error)
        for name, (value, error) in sets.items()
    ]
    columns = ["collection", "gene_set", "estimate", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns).set_index(["collection", "gene_set"])


def factor_table(
    called: Mapping[str, str], factor: str = "CCL28", prefix: str = ""
) -> pd.DataFrame:
    """Return a factor's responsive genes: direction by symbol."""
    frame = tables.empty("factors")
    rows = [
        {
            "factor": factor,
            "gene_id": f"{prefix}{name}",
            "symbol": name,
            "direction": direction,
            "call": "responsive",
        }
        for name, direction in called.items()
    ]
    return pd.DataFrame(rows, columns=frame.columns) if rows else frame


def cohort(
    name: str,
    genes: Mapping[str, Gene],
    *,
    keys: Sequence[Key] = KEYS,
    targets: Sequence[str] = ("BGN",),
    sets: Mapping[str, Gene] | None = None,
    called: Mapping[str, str] | None = None,
    status: Mapping[str, str] | None = None,
    prefix: str = "",
    df: int = 10,
) -> Evidence:
    """Return a cohort in which every contrast of `keys` has the same estimates."""
    frame = de_table(genes, prefix, status)
    return Evidence(
        name,
        {key: f"{name} {key.name}" for key in keys},
        dict.fromkeys(keys, 8),
        dict.fromkeys(keys, df),
        dict.fromkeys(keys, frame),
        dict.fromkeys(keys, score_table(sets or {}, df)),
        {target: f"{prefix}{target}" if target in genes else None for target in targets},
        factor_table(called or {}, prefix=prefix),
    )
