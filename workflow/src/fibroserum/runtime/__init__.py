"""What knows of Snakemake, processes, locks and terminals; the rest imports none of it."""
