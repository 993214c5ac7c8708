"""fibroserum: paired differential expression of fibroblasts treated with people's serum.

The public names are below; docs/library.md goes from two files to a verdict with them. Each is
imported when it is first used, so that `import fibroserum` alone loads no other package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fibroserum.api.analysis import (
        contrasts,
        factor_tables,
        fit,
        results,
        set_tests,
        target_tables,
    )
    from fibroserum.api.cohort import Cohort, build_cohort, load_config, read_cohort
    from fibroserum.api.questions import outcome_tables, panel_tables
    from fibroserum.cohort.designs import Design
    from fibroserum.counts import read_counts
    from fibroserum.de.fitting import read_fit
    from fibroserum.errors import InputError, Problem
    from fibroserum.linear import moderated_t, voom_fit
    from fibroserum.simulate import Arm, CohortSpec, Effect, simulate_cohort
    from fibroserum.synthesis.pooling import pool

__version__ = "0.1.0"

#: The module of each public name.
_HOMES = {
    "Arm": "simulate",
    "Cohort": "api.cohort",
    "CohortSpec": "simulate",
    "Design": "cohort.designs",
    "Effect": "simulate",
    "InputError": "errors",
    "Problem": "errors",
    "build_cohort": "api.cohort",
    "contrasts": "api.analysis",
    "factor_tables": "api.analysis",
    "fit": "api.analysis",
    "load_config": "api.cohort",
    "moderated_t": "linear",
    "outcome_tables": "api.questions",
    "panel_tables": "api.questions",
    "pool": "synthesis.pooling",
    "read_cohort": "api.cohort",
    "read_counts": "counts",
    "read_fit": "de.fitting",
    "results": "api.analysis",
    "set_tests": "api.analysis",
    "simulate_cohort": "simulate",
    "target_tables": "api.analysis",
    "voom_fit": "linear",
}

__all__ = [
    "Arm",
    "Cohort",
    "CohortSpec",
    "Design",
    "Effect",
    "InputError",
    "Problem",
    "api",
    "build_cohort",
    "chain",
    "cohort",
    "contrasts",
    "counts",
    "data",
    "de",
    "deseq",
    "distributions",
    "enrichment",
    "errors",
    "factor_tables",
    "factors",
    "files",
    "fit",
    "genes",
    "inference",
    "input",
    "intervals",
    "linear",
    "load_config",
    "moderated_t",
    "multiple_testing",
    "outcome_tables",
    "outcomes",
    "panel_tables",
    "permutations",
    "pool",
    "processes",
    "qc",
    "read_cohort",
    "read_counts",
    "read_fit",
    "report",
    "results",
    "runtime",
    "serum_panel",
    "set_tests",
    "simulate",
    "simulate_cohort",
    "slopes",
    "synthesis",
    "tables",
    "target_tables",
    "targets",
    "voom_fit",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or a package of the library, when it is first used (PEP 562)."""
    if name in _HOMES:
        found = getattr(import_module(f"fibroserum.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    if name in __all__:
        return import_module(f"fibroserum.{name}")
    raise AttributeError(f"module 'fibroserum' has no attribute '{name}'")


def __dir__() -> list[str]:
    # without the packages: what looks at every name, as `help` does, would ask for the extra
    return sorted({*globals(), *_HOMES})
