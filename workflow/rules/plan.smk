# Planning a study without a cohort. In: resources/planning. Out: results/planning/plan.tsv.
from fibroserum.input.planning import names_no_counts


rule plan:
    input:
        public=str(ROOT / "resources" / "planning" / "public_cohorts.tsv"),
    output:
        plan=PLAN_TABLE,
    log:
        "logs/planning/plan.log",
    benchmark:
        "logs/planning/plan.benchmark.tsv"
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=plan_params,
        code=code("plan.py"),
    script:
        "../scripts/plan.py"
