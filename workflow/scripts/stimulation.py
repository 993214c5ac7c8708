"""Fit a factor's stimulation experiment; write its whole table."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.storage import read_h5ad
    from fibroserum.factors.stimulation import stimulation_table

    settings = snakemake.params.settings
    table = stimulation_table(
        read_h5ad(snakemake.input.arm),
        snakemake.params.arm,
        alpha=settings["alpha"],
        min_count=settings["min_count"],
        n_cpus=snakemake.threads,
    )
    tables.write("stimulation", table, snakemake.output.table)
