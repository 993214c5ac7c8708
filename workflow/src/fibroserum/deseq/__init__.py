"""Negative binomial regression with DESeq2's semantics, fast for designs with donors blocked.

`BlockedDeseqDataSet` and `BlockedDeseqStats` are PyDESeq2's classes on the functions beside them.
"""

from typing import TYPE_CHECKING, Any

from fibroserum.deseq.fitting import fit, with_coefficients
from fibroserum.deseq.model import NegativeBinomialFit
from fibroserum.deseq.refitting import Refit, refit_genes
from fibroserum.deseq.shrinking import shrink
from fibroserum.deseq.testing import wald
from fibroserum.multiple_testing import independent_filtering

if TYPE_CHECKING:
    from fibroserum.deseq.datasets import BlockedDeseqDataSet, BlockedDeseqStats

__all__ = [
    "BlockedDeseqDataSet",
    "BlockedDeseqStats",
    "NegativeBinomialFit",
    "Refit",
    "fit",
    "independent_filtering",
    "refit_genes",
    "shrink",
    "wald",
    "with_coefficients",
]


def __getattr__(name: str) -> Any:
    """Import the classes when they are first used: PyDESeq2 takes a second, refits need none."""
    if name in ("BlockedDeseqDataSet", "BlockedDeseqStats"):
        from fibroserum.deseq import datasets

        return getattr(datasets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
