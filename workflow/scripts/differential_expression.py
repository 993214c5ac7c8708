"""Make the result table of each contrast, and the calls."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.accessors import estimated_contrasts, settings_of
    from fibroserum.cohort.storage import read_fits, read_h5ad
    from fibroserum.de.stage import result_tables
    from fibroserum.de.stagewise import with_stages

    cohort = read_h5ad(snakemake.input.cohort, counts=False, layers=False)
    fits = read_fits(snakemake.input.fits, counts=False)
    results, contrasts = result_tables(
        cohort,
        fits,
        snakemake.params.alpha,
        weighted=snakemake.params.weights == "other_contrast",
    )
    if snakemake.input.omnibus:
        omnibus = tables.read("omnibus", snakemake.input.omnibus[0])
        results = with_stages(results, estimated_contrasts(settings_of(cohort)), omnibus)
    for table, path in zip(results.values(), snakemake.output.de, strict=True):
        tables.write("de", table, path)
    tables.write("contrasts", contrasts, snakemake.output.contrasts)
