"""Read, join and check the counts; write the cohort."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.inputs import read_all
    from fibroserum.cohort.stage import build_cohort, stimulation_arm
    from fibroserum.cohort.storage import write_h5ad

    config = snakemake.params.config
    inputs = read_all(config, [Path(path) for path in snakemake.input.cells])
    cohort = build_cohort(inputs, config, snakemake.params.min_count)
    arms = [stimulation_arm(*arm, cohort.adata.var) for arm in inputs.stimulation.values()]
    for arm, path in zip(arms, snakemake.output.stimulation, strict=True):
        write_h5ad(arm, path)
    tables.write("samples", cohort.samples, snakemake.output.samples)
    write_h5ad(cohort.adata, snakemake.output.cohort)
