"""Ask of every gene whether its changes differ between groups, and over the times after."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.de.omnibus import omnibus_table

    files, params = snakemake.input, snakemake.params
    found = omnibus_table(
        open_h5ad(files.cohort),
        read_fits(files.fits)["paired"],
        params.alpha,
        n_cpus=snakemake.threads,
    )
    tables.write("omnibus", found, snakemake.output.omnibus)
