"""Fit the models of a cohort: one fit serves all contrasts of a model."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum.cohort.storage import read_h5ad, write_h5ad
    from fibroserum.de.fitting import fit_cohort
    from fibroserum.de.settings import FitSettings
    from fibroserum.de.stored_fit import no_fit

    params = snakemake.params
    settings = FitSettings(
        params.min_count, params.second_opinion, params.lfc_threshold, snakemake.threads
    )
    cohort = read_h5ad(snakemake.input.cohort, layers=False)
    fits = {fit.uns["model"]["name"]: fit for fit in fit_cohort(cohort, settings)}
    for model, path in zip(params.models, snakemake.output.fits, strict=True):
        write_h5ad(fits.get(model) or no_fit(cohort, model), path)
