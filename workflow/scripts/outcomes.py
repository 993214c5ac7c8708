"""Find the genes, targets and gene sets whose expression goes with each outcome."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.genes.gmt import read_collections
    from fibroserum.outcomes.stage import SCHEMAS, OutcomeSettings, flag_outcomes

    files, params = snakemake.input, snakemake.params
    found = flag_outcomes(
        open_h5ad(files.cohort),
        read_fits(files.fits)["paired"],
        read_collections(files.gene_sets),
        params.outcomes,
        OutcomeSettings(**params.settings, n_cpus=snakemake.threads),
    )
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(found, field), snakemake.output[field])
