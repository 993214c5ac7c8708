"""Write every table of a run into one workbook."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.report.loading import read_tables
    from fibroserum.report.workbook import workbook

    output = Path(snakemake.output.workbook)
    made = read_tables(output.parent, snakemake.params.stimulation)
    tables.write_bytes(workbook(made, snakemake.params.cohort), output)
