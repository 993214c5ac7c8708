"""Fit the models of a cohort: one fit serves all contrasts of a model."""

from fibroserum.runtime.job import job, logger

with job(snakemake.log[0]):
    from fibroserum.cohort.accessors import counts_of, settings_of
    from fibroserum.cohort.models import models_of
    from fibroserum.cohort.storage import read_h5ad, write_h5ad
    from fibroserum.de.stage import FitSettings, fit_model

    params = snakemake.params
    cohort = read_h5ad(snakemake.input.cohort)
    settings = FitSettings(
        params.min_count, params.second_opinion, params.lfc_threshold, snakemake.threads
    )
    models = models_of(cohort.obs, settings_of(cohort))
    for model, path in zip(models, snakemake.output.fits, strict=True):
        logger.info(
            f"fitting {model.name}: {model.design.shape[0]} samples × {cohort.n_vars} genes"
        )
        fit = fit_model(
            counts_of(cohort), model, cohort.obs["size_factor"], cohort.var["target"], settings
        )
        write_h5ad(fit, path)
