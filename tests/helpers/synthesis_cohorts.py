"""Cohorts made by hand, as a synthesis reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from fibroserum import tables
from fibroserum.input.names import file_name
from fibroserum.multiple_testing import NORMAL_975
from fibroserum.report.synthesis.loading import SynthesisRun, synthesis_summary
from fibroserum.report.synthesis.stage import draw_synthesis, synthesis_page
from fibroserum.report.theme import spec
from fibroserum.synthesis.evidence import Evidence, Key
from fibroserum.synthesis.stage import synthesise
from helpers.pipeline import REPOSITORY
from helpers.report_shape import HOSTILE

TEMPLATES = REPOSITORY / "workflow" / "report"

AT, RT, BOTH = Key("change", "AT"), Key("change", "RT"), Key("difference", "RT", "AT")
KEYS = (AT, RT, BOTH)
Gene = tuple[float | None, float | None]


def de_table(
    genes: Mapping[str, Gene], prefix: str = "", status: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return what a synthesis reads of a `de` table: genes by symbol, log2 fold change and error.

    prefix: what ids begin with; without one they are the symbols.
    """
    values = np.array(list(genes.values()), dtype=float).reshape(-1, 2)
    half = NORMAL_975 * values[:, 1]
    pvalues = 2 * ndtr(-np.abs(values[:, 0]) / values[:, 1])
    return pd.DataFrame(
        {
            "symbol": list(genes),
            "baseMean": [100.0 + place for place in range(len(genes))],
            "log2FoldChange": values[:, 0],
            "ci_low": values[:, 0] - half,
            "ci_high": values[:, 0] + half,
            "pvalue": pvalues,
            "second_log2FoldChange": values[:, 0],
            "second_pvalue": pvalues,
            "status": [(status or {}).get(name, "tested") for name in genes],
        },
        index=pd.Index([f"{prefix}{name}" for name in genes], name="gene_id"),
    )


def score_table(sets: Mapping[str, Gene]) -> pd.DataFrame:
    """Return the score tests of sets of one collection: estimate and standard error by name."""
    rows = [
        ("matrix", name, value, error, 2 * ndtr(-abs(value / error)))
        for name, (value, error) in sets.items()
    ]
    columns = ["collection", "gene_set", "estimate", "se", "pvalue"]
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
) -> Evidence:
    """Return a cohort in which every contrast of `keys` has the same estimates."""
    frame = de_table(genes, prefix, status)
    return Evidence(
        name,
        {key: f"{name} {key.name}" for key in keys},
        dict.fromkeys(keys, 8),
        dict.fromkeys(keys, frame),
        dict.fromkeys(keys, score_table(sets or {})),
        {target: f"{prefix}{target}" if target in genes else None for target in targets},
        factor_table(called or {}, prefix=prefix),
    )


def made_run(cohorts: list[Evidence], factors: tuple[str, ...] = ("CCL28",)) -> SynthesisRun:
    """Return the finished synthesis of cohorts made by hand."""
    found = synthesise(cohorts, 0.05)
    targets = dict.fromkeys(target for one in cohorts for target in one.targets)
    return SynthesisRun(
        "together",
        **{
            name: getattr(found, name)
            for name in ("cohorts", "targets", "gene_sets", "factor_genes", "estimates")
        },
        folders={one.name: file_name(one.name) for one in cohorts},
        summaries={one.name: {"pairs": {"AT": 8, "RT": 1}, "warnings": 1} for one in cohorts},
        order=tuple(targets),
        factors=factors,
        alpha=0.05,
    )


def made_cohorts(names: tuple[str, ...], genes: tuple[str, ...], **more: Any) -> list[Evidence]:
    """Return cohorts in which each gene is a target and a gene set, and the last is responsive."""
    rng = np.random.default_rng(2)
    return [
        cohort(
            name,
            {gene: (float(rng.normal(0.3, 0.2)), 0.1) for gene in genes},
            targets=genes,
            sets={gene: (float(rng.normal()), 1.0) for gene in genes},
            called={genes[-1]: "suppressed"},
            **more,
        )
        for name in names
    ]


SHAPES = {
    "three cohorts": lambda: made_run(made_cohorts(("a", "b", "c"), ("BGN", "DCN", "COL1A1"))),
    "two cohorts": lambda: made_run(made_cohorts(("a", "b"), ("BGN", "bgn"))),
    "one cohort": lambda: made_run(made_cohorts(("a",), ("BGN",))),
    "hostile": lambda: made_run(
        made_cohorts(HOSTILE[:2], HOSTILE[:3] + HOSTILE[8:]), (HOSTILE[0], "CCL28", HOSTILE[9])
    ),
    "nothing": lambda: made_run([cohort("a", {}, targets=()), cohort("b", {}, targets=())], ()),
    "nothing shared": lambda: made_run(
        [*made_cohorts(("a",), ("BGN",), keys=KEYS), *made_cohorts(("b",), ("DCN",), keys=(AT,))]
    ),
}


def made_page(run: SynthesisRun) -> str:
    """Return the page of a synthesis."""
    specs = {name: spec(figure) for name, figure in draw_synthesis(run).items()}
    return synthesis_page(run, TEMPLATES, synthesis_summary(run), specs)
