"""Fit a factor's stimulation arm; write its whole table."""

from fibroserum.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.factors.arm import stimulation_table
    from fibroserum.storage import read_h5ad

    settings = snakemake.params.settings
    table = stimulation_table(
        read_h5ad(snakemake.input.arm),
        snakemake.params.arm,
        alpha=settings["alpha"],
        min_count=settings["min_count"],
        n_cpus=snakemake.threads,
    )
    tables.write("stimulation", table, snakemake.output.table)
