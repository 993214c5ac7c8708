"""Write the report of the synthesis, its summary, provenance and figures."""

from fibroserum.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum.provenance import versions
    from fibroserum.report.synthesis_build import build_synthesis, synthesis_provenance
    from fibroserum.report.synthesis_catalogue import META
    from fibroserum.report.synthesis_run import read_synthesis

    params, files = snakemake.params, snakemake.input
    run = read_synthesis(
        params.name,
        {name: files[name] for name in META},
        files.summaries,
        params.cohorts,
        params.targets,
        params.factors,
        params.alpha,
    )
    read = [*(files[name] for name in META), *files.summaries]
    provenance = synthesis_provenance(params.config, read, versions())
    templates = Path(snakemake.scriptdir).parent / "report"
    build_synthesis(run, templates, Path(snakemake.output.html).parent, provenance)
