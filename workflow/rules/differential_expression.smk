# Stage differential expression. In: cohort.h5ad, flags/omnibus.tsv. Out: fit/*.h5ad, de/*.tsv, contrasts.tsv.
# `fit` does not depend on alpha: a change of alpha runs only the later rules again.
MODELS = list(dict.fromkeys(contrast.model for contrast in PLAN.contrasts))


rule fit:
    input:
        cohort=rules.counts.output.cohort,
    output:
        fits=expand(f"{OUT}/fit/{{model}}.h5ad", model=MODELS),
    log:
        f"{LOG}/fit.log",
    benchmark:
        f"{LOG}/fit.benchmark.tsv"
    priority: 5
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    # the toy's fit takes a second on one core; other jobs use the rest
    threads: min(8, 1 + PLAN.samples // 60)
    resources:
        mem_mb=memory_by_samples(1500, 3),
        runtime=minutes_by_samples(60),
    params:
        **{
            key: CONFIG["differential_expression"][key]
            for key in ("min_count", "second_opinion", "lfc_threshold")
        },
        models=MODELS,
        code=code("fit.py"),
    script:
        "../scripts/fit.py"


rule differential_expression:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
        omnibus=OMNIBUS,
    output:
        contrasts=f"{OUT}/contrasts.tsv",
        de=expand(f"{OUT}/de/{{contrast}}.tsv", contrast=CONTRASTS),
    log:
        f"{LOG}/differential_expression.log",
    benchmark:
        f"{LOG}/differential_expression.benchmark.tsv"
    priority: 5  # most jobs wait for it
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(1000, 1),
        runtime=minutes_by_samples(30),
    params:
        alpha=CONFIG["differential_expression"]["alpha"],
        weights=CONFIG["differential_expression"]["weights"],
        code=code("differential_expression.py"),
    script:
        "../scripts/differential_expression.py"
