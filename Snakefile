# The entry of `snakemake --cores 8`. The workflow itself stands in workflow/Snakefile, where
# `snakedeploy` and the workflow catalogue look for it.
include: "workflow/Snakefile"
