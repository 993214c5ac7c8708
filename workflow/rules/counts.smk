# Stage counts. In: count matrices, sample sheets. Out: cohort.h5ad, samples.tsv, stimulation/*.h5ad.


rule counts:
    input:
        counts=CONFIG["counts"],
        samples=CONFIG["samples"],
        stimulation=inputs_of("factors"),
        tables=inputs_of("tx2gene", "cells", "genes.annotation"),
    output:
        cohort=f"{OUT}/cohort.h5ad",
        samples=f"{OUT}/samples.tsv",
        stimulation=expand(f"{OUT}/stimulation/{{factor}}.h5ad", factor=STIMULATED),
    log:
        f"{LOG}/counts.log",
    benchmark:
        f"{LOG}/counts.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        config=section(
            "cohort",
            "counts",
            "fractional",
            "tx2gene",
            "cells",
            "samples",
            "genes",
            "design",
            "targets",
            "factors",
        ),
        min_count=CONFIG["differential_expression"]["min_count"],
        stamp=stamp(
            CONFIG["counts"]
            + inputs_of("samples", "factors", "tx2gene", "cells", "genes")
        ),
        code=code("counts.py"),
    script:
        "../scripts/counts.py"
