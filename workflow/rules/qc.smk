# Stage qc. In: cohort.h5ad, fit/*.h5ad. Out: qc/*.tsv.


rule qc:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
        samples=rules.counts.output.samples,
    output:
        checks=f"{OUT}/qc/checks.tsv",
        left_out=f"{OUT}/qc/left_out_genes.tsv",
        metrics=f"{OUT}/qc/metrics.tsv",
        variance=f"{OUT}/qc/variance.tsv",
        distances=f"{OUT}/qc/distances.tsv",
    log:
        f"{LOG}/qc.log",
    benchmark:
        f"{LOG}/qc.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(1000, 2),
        runtime=minutes_by_samples(30),
    params:
        line_sex=CONFIG["design"]["line_sex"],
        code=code("qc.py"),
    script:
        "../scripts/qc.py"
