"""Collect the rows that the contrasts have of the genes of own lists."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import open_h5ad
    from fibroserum.de.gene_lists import gene_list_table
    from fibroserum.input.gene_lists import read_gene_lists

    cohort = open_h5ad(snakemake.input.cohort)
    contrasts = all_contrasts(settings_of(cohort))
    paths = zip(contrasts, snakemake.input.de, strict=True)
    results = {contrast.name: tables.read("de", path) for contrast, path in paths}
    lists = read_gene_lists(snakemake.params.lists)
    found = gene_list_table(cohort, lists, results)
    tables.write("gene_lists", found, snakemake.output.table)
