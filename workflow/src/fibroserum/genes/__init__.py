"""Gene identity: what ids look like, the bundled human table, mapping, gene sets."""

__all__ = [
    "gmt",
    "ids",
    "mapping",
    "table",
]
