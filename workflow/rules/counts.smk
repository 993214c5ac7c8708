# Stage counts. In: count matrices, sample sheets. Out: cohort.h5ad, samples.tsv, stimulation/*.h5ad.
# For single cells also: pseudobulk/*.npz, each with the sums over a part of the cells.
SUMMED = []
# Compressed text is the smallest form of a matrix. The size of a folder is not known.
PACKED = (".gz", ".bz2", ".xz", ".zst", ".xlsx", ".xlsm")
ZIPPED = any(path.endswith(PACKED) for path in inputs_of("counts"))
COUNTS_MEMORY = memory(1500, 30 if ZIPPED else 12)

if CONFIG["cells"]:

    # One part is enough on a workstation; on a cluster: --set-scatter pseudobulk=20
    scattergather:
        pseudobulk=1,

    # `counts` reads only the sums, whatever the number of cells
    COUNTS_MEMORY = memory(6000)
    SUMMED = gather.pseudobulk(f"{OUT}/pseudobulk/{{scatteritem}}.npz")

    rule pseudobulk:
        input:
            counts=lambda wildcards: locked(
                rules.counts.output.samples, inputs_of("counts")
            ),
            tables=inputs_of("cells"),
        output:
            sums=f"{OUT}/pseudobulk/{{scatteritem}}.npz",
        log:
            f"{LOG}/pseudobulk.{{scatteritem}}.log",
        benchmark:
            f"{LOG}/pseudobulk.{{scatteritem}}.benchmark.tsv"
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory(3000),
            runtime=minutes(120),
        params:
            counts=CONFIG["counts"],
            cells=CONFIG["cells"],
            layer=CONFIG["layer"],
            stamp=stamp(inputs_of("counts", "cells")),
            code=code("pseudobulk.py"),
        script:
            "../scripts/pseudobulk.py"


rule counts:
    input:
        counts=lambda wildcards: locked(
            rules.counts.output.samples, inputs_of("counts")
        ),
        cells=SUMMED,
        samples=inputs_of("samples"),
        stimulation=inputs_of("factors"),
        tables=inputs_of("tx2gene", "cells", "genes.annotation", "serum_panel"),
    output:
        cohort=f"{OUT}/cohort.h5ad",
        samples=f"{OUT}/samples.tsv",
        stimulation=expand(f"{OUT}/stimulation/{{factor}}.h5ad", factor=STIMULATED),
    log:
        f"{LOG}/counts.log",
    benchmark:
        f"{LOG}/counts.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 2  # two inputs are read at the same time, while no other job can run
    resources:
        mem_mb=COUNTS_MEMORY,
        runtime=minutes_by_samples(60),
    params:
        config=section(
            "cohort",
            "counts",
            "fractional",
            "tx2gene",
            "cells",
            "layer",
            "samples",
            "genes",
            "design",
            "differences",
            "contrasts",
            "targets",
            "context",
            "factors",
            "normalization",
            "outcomes",
            "serum_panel",
        ),
        min_count=CONFIG["differential_expression"]["min_count"],
        stamp=stamp(
            inputs_of(
                "counts",
                "samples",
                "factors",
                "tx2gene",
                "cells",
                "genes",
                "serum_panel",
            )
        ),
        code=code("counts.py"),
    script:
        "../scripts/counts.py"
