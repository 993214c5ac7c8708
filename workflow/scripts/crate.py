"""Describe a finished run as an RO-Crate, with a copy of the rules."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fibroserum import tables
    from fibroserum.report.crate import Code, Run, figure_words, write_crate
    from fibroserum.runtime.commit import commit_of

    files, output = snakemake.input, snakemake.output
    root = Path(snakemake.scriptdir).resolve().parents[1]
    for source, copy in zip(files.workflow, output.workflow, strict=True):
        tables.write_bytes(Path(source).read_bytes(), copy)
    run = Run(
        folder=Path(output.metadata).parent,
        name=snakemake.params.name,
        made=tuple(map(Path, files.made)),
        workflow=tuple(map(Path, output.workflow)),
        figures=figure_words(snakemake.params.figures, root / "workflow" / "report"),
        crates=tuple(map(Path, files.crates)),
    )
    write_crate(run, Code("snakemake", commit_of(root)))
