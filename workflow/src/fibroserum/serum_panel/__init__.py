"""A panel of circulating molecules: which change, which go with targets, which do both."""

__all__ = ["candidates", "changes", "levels", "stage", "target_slopes"]
