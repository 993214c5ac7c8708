"""Give the power of further studies, by target, contrast and number of pairs."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import read_fits, read_h5ad
    from fibroserum.input.published import read_published
    from fibroserum.targets.planning import planning_table
    from fibroserum.targets.study import rule_of, target_study

    cohort = read_h5ad(snakemake.input.cohort, layers=False)
    contrasts = all_contrasts(settings_of(cohort))
    paths = zip(contrasts, snakemake.input.de, strict=True)
    results = {contrast.name: tables.read("de", path) for contrast, path in paths}
    published = [read_published(Path(path)) for path in snakemake.input.published]
    fits = read_fits(snakemake.input.fits)
    rule = rule_of(fits["paired"], snakemake.params.alpha, None)
    planning = planning_table(
        target_study(cohort, fits, results, rule),
        published[0] if published else None,
        changed=snakemake.params.changed,
        power_lfc=snakemake.params.power_lfc,
        n_cpus=snakemake.threads,
    )
    tables.write("planning", planning, snakemake.output.planning)
