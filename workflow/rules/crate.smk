# Stage crate, only as a target. In: the files of a finished run. Out: ro-crate-metadata.json,
# README.md, and a copy of the rules.
from fibroserum.runtime.extras import only_with

COPIED = [
    "Snakefile",
    "envs/fibroserum.yaml",
    "report/references.bib",
    *sorted(
        f"{path.parent.name}/{path.name}"
        for kind in ("rules/*.smk", "scripts/*.py")
        for path in (ROOT / "workflow").glob(kind)
    ),
]


rule crate:
    input:
        made=lambda wildcards: only_with("crate", "rocrate", MADE),
        crates=CRATES,
        workflow=[str(ROOT / "workflow" / name) for name in COPIED],
        captions=sorted(
            {
                str(ROOT / "workflow" / "report" / one["caption"])
                for one in SHOWN_FIGURES.values()
            }
        ),
    output:
        metadata=f"{OUT}/ro-crate-metadata.json",
        readme=f"{OUT}/README.md",
        workflow=[f"{OUT}/workflow/{name}" for name in COPIED],
    log:
        f"{LOG}/crate.log",
    benchmark:
        f"{LOG}/crate.benchmark.tsv"
    conda:
        "../envs/crate.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        name=NAME,
        figures=SHOWN_FIGURES,
        code=code("crate.py"),
    # a path of this machine, from which the script finds the captions
    script:
        f"{ROOT}/workflow/scripts/crate.py"
