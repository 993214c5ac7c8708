"""Quality control of the cohort."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum import tables
    from fibroserum.cohort.storage import read_fits, read_h5ad
    from fibroserum.qc.stage import control_quality

    cohort = read_h5ad(snakemake.input.cohort, layers=False)
    samples = tables.read("samples", snakemake.input.samples)
    fits = read_fits(snakemake.input.fits)
    found = control_quality(cohort, samples, snakemake.params.line_sex, fits)
    tables.write("checks", found.checks, snakemake.output.checks)
    tables.write("left_out_genes", found.left_out, snakemake.output.left_out)
    tables.write("qc_metrics", found.metrics, snakemake.output.metrics)
    tables.write("qc_variance", found.variance, snakemake.output.variance)
    tables.write("qc_distances", found.distances, snakemake.output.distances)
