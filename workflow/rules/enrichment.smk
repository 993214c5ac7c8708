# Stage enrichment. In: cohort.h5ad, fit/*.h5ad, de/*.tsv, GMT files. Out: enrichment/*.tsv, flags/context.tsv.
import os

# Many sets or samples are worth several cores (one per 300 sets, or per 500 samples, whose thinnings
# are scored), but at most half of them: jobs that could run beside would wait until all are free.
SETS_KB = sum(map(os.path.getsize, CONFIG["gene_sets"])) // 1000


rule enrichment:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
        de=rules.differential_expression.output.de,
        gene_sets=CONFIG["gene_sets"],
    output:
        enrichment=expand(f"{OUT}/enrichment/{{contrast}}.tsv", contrast=CONTRASTS),
        scores=f"{OUT}/enrichment/scores.tsv",
        score_tests=f"{OUT}/enrichment/score_tests.tsv",
        left_out=f"{OUT}/enrichment/left_out.tsv",
        context=f"{OUT}/flags/context.tsv",
    log:
        f"{LOG}/enrichment.log",
    benchmark:
        f"{LOG}/enrichment.benchmark.tsv"
    # with few sets it takes as long as `targets` and then `factors`: with two cores `targets` starts first
    priority: 4 if SETS_KB > 100 else 2
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: min(4, 1 + SETS_KB // 100 + PLAN.samples // 500, HALF)
    resources:
        mem_mb=memory_by_samples(1500, 3),
        runtime=minutes_by_samples(60),
    params:
        alpha=CONFIG["differential_expression"]["alpha"],
        contrasts=[contrast.name for contrast in PLAN.contrasts],
        settings=CONFIG["enrichment"],
        context=CONFIG["context"],
        seed=CONFIG["seed"],
        stamp=stamp(CONFIG["gene_sets"]),
        code=code("enrichment.py"),
    script:
        "../scripts/enrichment.py"
