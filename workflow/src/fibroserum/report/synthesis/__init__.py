"""The report of a synthesis of several cohorts."""
