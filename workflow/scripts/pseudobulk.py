"""Sum a part of the single cells of each sample."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum.counts.stage import sum_part, write_sums
    from fibroserum.runtime.scatter import part_of

    params = snakemake.params
    part = part_of(snakemake.wildcards.scatteritem)
    found = sum_part([*map(Path, params.counts)], params.cells, part, params.layer)
    write_sums(found, snakemake.output.sums)
