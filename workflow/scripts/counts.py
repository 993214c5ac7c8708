"""Read, join and check the counts; write the cohort."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.stage import read_cohort
    from fibroserum.cohort.storage import write_h5ad

    params = snakemake.params
    found = read_cohort(params.config, [*map(Path, snakemake.input.cells)], params.min_count)
    for arm, path in zip(found.stimulation.values(), snakemake.output.stimulation, strict=True):
        write_h5ad(arm, path)
    tables.write("samples", found.samples, snakemake.output.samples)
    write_h5ad(found.adata, snakemake.output.cohort)
