"""Give each target its verdict in each contrast."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.input.published import read_published
    from fibroserum.targets import TargetSettings, flag_targets
    from fibroserum.targets.context import ContextSettings, context_table
    from fibroserum.targets.stage import SCHEMAS

    cohort = open_h5ad(snakemake.input.cohort)
    contrasts = all_contrasts(settings_of(cohort))
    paths = zip(contrasts, snakemake.input.de, strict=True)
    results = {contrast.name: tables.read("de", path) for contrast, path in paths}
    published = [read_published(Path(path)) for path in snakemake.input.published]
    flags = flag_targets(
        cohort,
        read_fits(snakemake.input.fits),
        results,
        TargetSettings(**snakemake.params.settings, n_cpus=snakemake.threads),
        published[0] if published else None,
    )
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(flags, field), snakemake.output[field])
    context = context_table(cohort, results, ContextSettings(**snakemake.params.context))
    tables.write("context", context, snakemake.output.context)
