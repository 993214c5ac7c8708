"""Give each target its verdict in each contrast, and the power of further studies."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.input.published import read_published
    from fibroserum.targets.planning import planning_table
    from fibroserum.targets.stage import SCHEMAS, tables_of
    from fibroserum.targets.study import DE_COLUMNS, TargetSettings, rule_of, target_study

    cohort = open_h5ad(snakemake.input.cohort)
    contrasts = all_contrasts(settings_of(cohort))
    paths = zip(contrasts, snakemake.input.de, strict=True)
    results = {contrast.name: tables.read("de", path, DE_COLUMNS) for contrast, path in paths}
    (published,) = [read_published(Path(path)) for path in snakemake.input.published] or [None]
    fits, params, n_cpus = read_fits(snakemake.input.fits), snakemake.params, snakemake.threads
    settings = TargetSettings(**params.settings, n_cpus=n_cpus)
    rule = rule_of(fits["paired"], settings.alpha, settings.equivalence_lfc)
    study = target_study(cohort, fits, results, rule)
    flags = tables_of(cohort, study, settings, published)
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(flags, field), snakemake.output[field])
    planning = planning_table(
        study,
        published,
        changed=params.changed,
        power_lfc=settings.power_lfc,
        n_cpus=n_cpus,
    )
    tables.write("planning", planning, snakemake.output.planning)
