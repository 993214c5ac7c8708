"""fibroserum: paired differential expression of fibroblasts treated with people's serum."""

__version__ = "0.1.0"

__all__ = [
    "cohort",
    "counts",
    "data",
    "de",
    "deseq",
    "enrichment",
    "errors",
    "factors",
    "files",
    "genes",
    "inference",
    "input",
    "intervals",
    "linear",
    "multiple_testing",
    "permutations",
    "qc",
    "report",
    "runtime",
    "simulate",
    "slopes",
    "stagewise",
    "synthesis",
    "tables",
    "targets",
]
