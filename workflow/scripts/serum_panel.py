"""Find the molecules of the serum panel that change, and those that targets go with."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.serum_panel.stage import SCHEMAS, flag_panel

    files, params = snakemake.input, snakemake.params
    cohort = open_h5ad(files.cohort)
    contrasts = all_contrasts(settings_of(cohort))
    found = flag_panel(
        cohort,
        read_fits(files.fits)["paired"],
        {c.name: tables.read("de", path) for c, path in zip(contrasts, files.de, strict=True)},
        params.factors,
        params.alpha,
        snakemake.threads,
    )
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(found, field), snakemake.output[field])
