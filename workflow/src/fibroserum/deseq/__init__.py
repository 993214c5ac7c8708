"""Negative binomial regression with DESeq2's semantics, fast for designs with donors blocked.

PyDESeq2's classes on these functions are in `fibroserum.deseq.datasets`.
"""

from fibroserum.deseq.fitting import fit, with_coefficients
from fibroserum.deseq.likelihood import likelihood_ratio
from fibroserum.deseq.model import NegativeBinomialFit, mean_normalised
from fibroserum.deseq.refitting import Refit, refit_genes
from fibroserum.deseq.shrinking import shrink
from fibroserum.deseq.testing import wald
from fibroserum.multiple_testing import independent_filtering

__all__ = [
    "NegativeBinomialFit",
    "Refit",
    "fit",
    "independent_filtering",
    "likelihood_ratio",
    "mean_normalised",
    "refit_genes",
    "shrink",
    "wald",
    "with_coefficients",
]
