"""Fit the models of a cohort: one fit serves all contrasts of a model."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum.cohort.storage import read_h5ad, write_h5ad
    from fibroserum.de.fitting import fit_cohort
    from fibroserum.de.settings import FitSettings

    params = snakemake.params
    settings = FitSettings(
        params.min_count, params.second_opinion, params.lfc_threshold, snakemake.threads
    )
    fits = fit_cohort(read_h5ad(snakemake.input.cohort), settings)
    for fit, path in zip(fits, snakemake.output.fits, strict=True):
        write_h5ad(fit, path)
