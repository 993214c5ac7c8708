# Stage enrichment. In: cohort.h5ad, de/*.tsv, GMT files. Out: enrichment/*.tsv.


rule enrichment:
    input:
        cohort=rules.counts.output.cohort,
        de=rules.differential_expression.output.de,
        gene_sets=CONFIG["gene_sets"],
    output:
        enrichment=expand(f"{OUT}/enrichment/{{contrast}}.tsv", contrast=CONTRASTS),
        scores=f"{OUT}/enrichment/scores.tsv",
        score_tests=f"{OUT}/enrichment/score_tests.tsv",
        left_out=f"{OUT}/enrichment/left_out.tsv",
    log:
        f"{LOG}/enrichment.log",
    benchmark:
        f"{LOG}/enrichment.benchmark.tsv"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        alpha=CONFIG["differential_expression"]["alpha"],
        contrasts=[contrast.name for contrast in PLAN.contrasts],
        settings=CONFIG["enrichment"],
        seed=CONFIG["seed"],
        stamp=stamp(CONFIG["gene_sets"]),
        code=code("enrichment.py"),
    script:
        "../scripts/enrichment.py"
