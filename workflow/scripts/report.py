"""Write the report, the summary, the provenance and the figures."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from fibroserum.report.apart import Apart

    # begun before the heavy imports, which it works beside
    with Apart() as apart:
        from pathlib import Path

        from fibroserum.report.loading import load_run
        from fibroserum.report.provenance import record
        from fibroserum.report.stage import ReportPaths, build_report

        config = snakemake.params.config
        paths = ReportPaths.under(Path(snakemake.output.html).parent)
        provenance = record(config, snakemake.params.inputs)
        run = load_run(paths.html.parent, config, provenance)
        templates = Path(snakemake.scriptdir).parent / "report"
        build_report(run, config, templates, paths, apart)
