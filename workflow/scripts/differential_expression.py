"""Make the result table of each contrast, and the calls."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    import pandas as pd

    from fibroserum import tables
    from fibroserum.cohort.accessors import settings_of
    from fibroserum.cohort.contrasts import contrasts_of
    from fibroserum.cohort.storage import read_h5ad
    from fibroserum.de.stage import contrast_row, pairs_of, result_table

    alpha = snakemake.params.alpha
    cohort = read_h5ad(snakemake.input.cohort)
    fits = {fit.uns["model"]["name"]: fit for fit in map(read_h5ad, snakemake.input.fits)}
    noted = settings_of(cohort)
    rows = []
    contrasts = contrasts_of(noted["groups"], noted["before"], noted["after"])
    for contrast, path in zip(contrasts, snakemake.output.de, strict=True):
        fit = fits[contrast.model]
        table = result_table(fit, contrast.name, cohort.var["symbol"], alpha)
        pairs = pairs_of(contrast, cohort.obs, noted["before"])
        rows.append(contrast_row(contrast, table, fit, pairs, alpha))
        tables.write("de", table, path)
    tables.write("contrasts", pd.DataFrame(rows), snakemake.output.contrasts)
