"""Find the genes that respond to each factor, and hold them against the contrasts."""

from fibroserum.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.cohort import settings_of
    from fibroserum.design import contrasts_of
    from fibroserum.factors.flags import SCHEMAS, flag_factors
    from fibroserum.factors.signature import read_signature
    from fibroserum.storage import read_h5ad

    files, params = snakemake.input, snakemake.params
    cohort = read_h5ad(files.cohort)
    fits = {fit.uns["model"]["name"]: fit for fit in map(read_h5ad, files.fits)}
    noted = settings_of(cohort)
    contrasts = contrasts_of(noted["groups"], noted["before"], noted["after"])
    stimulated = [name for name, entry in params.factors.items() if entry["stimulation"]]
    signed = [name for name, entry in params.factors.items() if entry["signature"]]
    found = flag_factors(
        cohort,
        fits["paired"],
        {c.name: tables.read("de", path) for c, path in zip(contrasts, files.de, strict=True)},
        {
            name: tables.read("stimulation", path)
            for name, path in zip(stimulated, files.stimulation, strict=True)
        },
        {
            name: read_signature(Path(path))
            for name, path in zip(signed, files.signatures, strict=True)
        },
        params.factors,
        alpha=params.alpha,
        seed=params.seed,
        n_cpus=snakemake.threads,
    )
    for field, schema in SCHEMAS.items():
        tables.write(schema, getattr(found, field), snakemake.output[field])
