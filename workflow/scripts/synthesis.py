"""Pool the cohorts' estimates of targets, gene sets and factor-responsive genes."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.synthesis.evidence import read_evidence
    from fibroserum.synthesis.stage import SCHEMAS, synthesise

    folders = [Path(path).parent for path in snakemake.input.contrasts]
    cohorts = zip(snakemake.params.cohorts, folders, strict=True)
    found = synthesise((read_evidence(*cohort) for cohort in cohorts), snakemake.params.alpha)
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(found, field), snakemake.output[field])
