"""A cohort in a notebook: its input, its fits and its tables, each by one function.

The functions call what the workflow's rules call, with the settings of the cohort's config. Their
names are offered by `fibroserum` itself; docs/library.md shows their use.
"""

__all__ = ["analysis", "cohort", "questions"]
