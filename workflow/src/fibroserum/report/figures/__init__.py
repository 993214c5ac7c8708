"""The figures of a report."""

__all__ = [
    "catalogue",
    "change",
    "cohort",
    "edges",
    "factors",
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
