"""Write the report, the summary, the provenance and the figures."""

from fibroserum.runtime.job import job

# the processes that draw import this file, and must not run it
if __name__ == "__main__":
    with job(snakemake.log[0]):
        from fibroserum.report.drawing import Drawing

        # begun before the heavy imports, which it works beside
        with Drawing() as drawing:
            from pathlib import Path

            from fibroserum.report.loading import load_run
            from fibroserum.report.stage import ReportPaths, build_report
            from fibroserum.runtime.provenance import record

            config = snakemake.params.config
            paths = ReportPaths.under(Path(snakemake.output.html).parent)
            provenance = record(config, snakemake.params.inputs)
            run = load_run(paths.html.parent, config, provenance)
            templates = Path(snakemake.scriptdir).parent / "report"
            build_report(run, config, templates, paths, drawing)
