# The entry of `snakemake --cores 8`. The workflow itself stands in workflow/Snakefile, where
# `snakedeploy` and the workflow catalogue look for it.
include: "workflow/Snakefile"


# An `include:` does not set the default target: without this rule nothing would run, with status 0.
rule default:
    default_target: True
    input:
        rules.all.input,
