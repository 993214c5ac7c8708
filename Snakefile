# The entry point of `snakemake --cores 8`. The workflow itself is in workflow/Snakefile, where
# `snakedeploy` and the workflow catalogue expect it.
include: "workflow/Snakefile"


# An `include:` does not set the default target: without this rule nothing would run, and the
# exit status would be 0.
rule default:
    default_target: True
    input:
        rules.all.input,
