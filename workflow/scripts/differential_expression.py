"""Make the result table of each contrast, and the calls."""

from fibroserum.job import job

with job(snakemake.log[0]):
    import pandas as pd

    from fibroserum import tables
    from fibroserum.cohort import settings_of
    from fibroserum.de import contrast_row, pairs_of, result_table
    from fibroserum.design import contrasts_of
    from fibroserum.storage import read_h5ad

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
