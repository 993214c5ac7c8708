"""Find the genes that respond to each factor, and compare them with the contrasts."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort.accessors import all_contrasts, settings_of
    from fibroserum.cohort.storage import open_h5ad, read_fits
    from fibroserum.factors.stage import DE_COLUMNS, SCHEMAS, FactorSettings, flag_factors
    from fibroserum.input.signature import read_signature

    files, params = snakemake.input, snakemake.params
    cohort = open_h5ad(files.cohort)
    fits = read_fits(files.fits)
    contrasts = all_contrasts(settings_of(cohort))
    stimulated = [name for name, entry in params.factors.items() if entry["stimulation"]]
    signed = [name for name, entry in params.factors.items() if entry["signature"]]
    found = flag_factors(
        cohort,
        fits["paired"],
        {
            c.name: tables.read("de", path, DE_COLUMNS)
            for c, path in zip(contrasts, files.de, strict=True)
        },
        {
            name: tables.read("stimulation", path)
            for name, path in zip(stimulated, files.stimulation, strict=True)
        },
        {
            name: read_signature(Path(path))
            for name, path in zip(signed, files.signatures, strict=True)
        },
        params.factors,
        FactorSettings(params.alpha, params.seed, snakemake.threads),
    )
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(found, field), snakemake.output[field])
