"""Synthesis over cohorts: meta-analysis of what each cohort estimates by itself."""

__all__ = [
    "evidence",
    "pooling",
    "replication",
    "stage",
]
