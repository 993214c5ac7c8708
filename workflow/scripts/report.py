"""Write the report, the summary, the provenance and the figures."""

from fibroserum.job import job

with job(snakemake.log[0]):
    from fibroserum.report.apart import Apart

    # begun before the heavy imports, which it works beside
    with Apart() as apart:
        from pathlib import Path

        from fibroserum.provenance import record
        from fibroserum.report.build import ReportPaths, build_report
        from fibroserum.report.run import load_run

        config = snakemake.params.config
        paths = ReportPaths.under(Path(snakemake.output.html).parent)
        provenance = record(config, snakemake.params.inputs)
        run = load_run(paths.html.parent, config, provenance)
        templates = Path(snakemake.scriptdir).parent / "report"
        build_report(run, config, templates, paths, apart)
