"""Everything that knows of Snakemake, processes, locks and terminals; no other package does."""

__all__ = [
    "command_line",
    "headline",
    "job",
    "lock",
    "reruns",
    "retries",
    "scatter",
    "terminal",
]
