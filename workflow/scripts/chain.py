"""Put the links from the intervention by molecules and targets to outcomes side by side."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from dataclasses import fields

    from fibroserum import tables
    from fibroserum.chain.stage import Sources, flag_chain
    from fibroserum.cohort.storage import open_h5ad, read_fits

    files, params = snakemake.input, snakemake.params
    sources = {one.name: files[one.name] for one in fields(Sources)}
    chain = flag_chain(
        open_h5ad(files.cohort),
        read_fits(files.fits)["paired"],
        Sources(
            **{
                name: tables.read(name, path) if path else tables.empty(name)
                for name, path in sources.items()
            }
        ),
        params.factors,
        params.scales,
        params.alpha,
        snakemake.threads,
    )
    tables.write("chain", chain, snakemake.output.chain)
