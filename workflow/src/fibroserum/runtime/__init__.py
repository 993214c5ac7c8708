"""Everything that knows of Snakemake, processes, locks and terminals; no other package does."""
