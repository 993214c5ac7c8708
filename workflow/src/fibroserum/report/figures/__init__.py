"""The figures of a report."""

__all__ = [
    "catalogue",
    "chain",
    "change",
    "cohort",
    "edges",
    "factors",
    "gene_lists",
    "glance",
    "lookup",
    "outcomes",
    "panel",
    "planning",
    "registry",
    "render",
    "sets",
    "slopes",
    "synthesis",
    "synthesis_catalogue",
    "targets",
]
