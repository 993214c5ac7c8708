"""Write the report, the summary, the provenance and the figures."""

from fibroserum.runtime.job import job

# the processes that draw import this file, and must not run it
if __name__ == "__main__":
    with job(snakemake.log[0]):
        from pathlib import Path

        from fibroserum.report.drawing import Drawing

        # they start while the rest is imported
        with Drawing() as drawing:
            from fibroserum.report.provenance import record
            from fibroserum.report.stage import write_report

            config = snakemake.params.config
            folder = Path(snakemake.output.html).parent
            (templates,) = map(Path, snakemake.params.templates)
            root = str(Path(snakemake.scriptdir).parents[1])
            provenance = record(config, snakemake.params.inputs, snakemake.params.defaults, root)
            write_report(folder, config, provenance, templates, drawing)
