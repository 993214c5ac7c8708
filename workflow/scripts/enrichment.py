"""Test gene sets in every contrast, score the samples, and write what the context is."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    import numpy as np
    from anndata import AnnData

    from fibroserum import tables
    from fibroserum.cohort.storage import norm_factors_of, open_h5ad
    from fibroserum.enrichment.set_tests import SetSettings
    from fibroserum.enrichment.stage import DE_COLUMNS, enrich
    from fibroserum.genes.gmt import read_collections
    from fibroserum.targets.context import ContextSettings, context_table, footprints

    params = snakemake.params
    names = params.contrasts
    results = {
        name: tables.read("de", path, DE_COLUMNS)
        for name, path in zip(names, snakemake.input.de, strict=True)
    }
    sets = read_collections(snakemake.input.gene_sets)
    settings = SetSettings(
        **params.settings, alpha=params.alpha, seed=params.seed, n_cpus=snakemake.threads
    )
    factors = dict(map(norm_factors_of, snakemake.input.fits))
    opened = open_h5ad(snakemake.input.cohort)
    # the counts are read once; of the layers only the few genes of the context
    cohort = AnnData(np.asarray(opened.X), opened.obs, opened.var, opened.uns)
    found = enrich(cohort, results, sets, settings, factors, footprints(cohort))
    for name, path in zip(names, snakemake.output.enrichment, strict=True):
        tables.write("enrichment", found.tables[name], path)
    tables.write("set_scores", found.scores, snakemake.output.scores)
    tables.write("set_score_tests", found.score_tests, snakemake.output.score_tests)
    tables.write("sets_left_out", found.left_out, snakemake.output.left_out)
    context = ContextSettings(**params.context)
    noted = context_table(opened, results, context, found.other_tests)
    tables.write("context", noted, snakemake.output.context)
