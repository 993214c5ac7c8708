"""Write every table of a run into one workbook."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.report.workbook import workbook

    output = Path(snakemake.output.workbook)
    params = snakemake.params
    made = workbook(output.parent, params.cohort, params.stimulation, params.configured)
    tables.write_bytes(made, output)
