"""A panel of circulating molecules: which change, which are associated with targets, or both."""

__all__ = ["candidates", "changes", "levels", "stage", "target_slopes"]
