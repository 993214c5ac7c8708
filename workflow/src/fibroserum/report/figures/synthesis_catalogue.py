"""Which figures the report of a synthesis has, known before anything is run."""

from __future__ import annotations

from collections.abc import Iterable

from fibroserum.input.names import file_name
from fibroserum.report.figures.catalogue import Entry

#: Tables under `meta/`, with the prefix `meta_` in the schemas.
META = ("cohorts", "targets", "gene_sets", "factor_genes", "estimates")
TARGETS = "Targets over cohorts"
SETS = "Gene sets over cohorts"


def unique_files(names: Iterable[str]) -> dict[str, str]:
    """Return each name as used in file names, numbered where two would be the same."""
    files: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        # case is folded: some file systems do not tell it apart
        own, number = file_name(name), 1
        while own.casefold() in taken:
            number += 1
            own = f"{file_name(name)}_{number}"
        taken.add(own.casefold())
        files[name] = own
    return files


def factor_category(factor: str) -> str:
    """Return the heading under which a factor's figures stand."""
    return f"{factor}-responsive genes over cohorts"


def _entry(kind: str, category: str, figure: str, **subject: str) -> Entry:
    label = {"figure": figure, **subject}
    return {"caption": f"captions/{kind}.rst", "category": category, "label": label}


def synthesis_figures(targets: Iterable[str], factors: Iterable[str]) -> dict[str, Entry]:
    """Return every figure of a synthesis's report in the order of its sections.

    A figure's name is that of its files under `figures/`; an entry is as in `figure_names`.
    """
    made = {
        "targets": _entry("synthesis_targets", TARGETS, "Targets, over all cohorts"),
        "heterogeneity": _entry("synthesis_heterogeneity", TARGETS, "Heterogeneity"),
    }
    for target, file in unique_files(targets).items():
        made[f"forest_{file}"] = _entry("synthesis_forest", TARGETS, "Forest", target=target)
    made["gene_sets"] = _entry("synthesis_gene_sets", SETS, "Gene sets, over all cohorts")
    for factor, file in unique_files(factors).items():
        made[f"factor_{file}"] = _entry(
            "synthesis_factor", factor_category(factor), "Responsive genes", factor=factor
        )
    return made
