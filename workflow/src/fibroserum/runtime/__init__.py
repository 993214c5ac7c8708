"""Everything that knows of Snakemake, processes, locks and terminals; no other package does."""

__all__ = [
    "command_line",
    "commit",
    "extras",
    "headline",
    "job",
    "lock",
    "packages",
    "reruns",
    "retries",
    "scatter",
    "terminal",
]
