"""Write the report of the synthesis, its summary, provenance and figures."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum.report.figures.synthesis_catalogue import META
    from fibroserum.report.provenance import versions
    from fibroserum.report.synthesis.loading import SynthesisSettings, read_synthesis
    from fibroserum.report.synthesis.stage import build_synthesis, synthesis_provenance

    params, files = snakemake.params, snakemake.input
    settings = SynthesisSettings(
        params.name, params.cohorts, params.targets, params.factors, params.alpha
    )
    paths = {name: files[name] for name in META}
    read = [*paths.values(), *files.summaries]
    provenance = synthesis_provenance(params.config, read, versions())
    (templates,) = map(Path, params.templates)
    run = read_synthesis(settings, paths, files.summaries)
    build_synthesis(run, templates, Path(snakemake.output.html).parent, provenance)
