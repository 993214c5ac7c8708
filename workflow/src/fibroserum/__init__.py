"""fibroserum: paired differential expression of fibroblasts treated with people's serum."""

__version__ = "0.1.0"
