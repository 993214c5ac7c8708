# A plan without a cohort. In: resources/planning. Out: results/planning/plan.tsv.
from fibroserum.input.schema import config_schema
from fibroserum.input.planning import names_no_counts, plan_settings
from fibroserum.runtime.headline import print_plan

PLAN_TABLE = "results/planning/plan.tsv"


def plan_params(wildcards):
    """Return what the plan reads of the config, or stop here with the problems in it."""
    asked = planned(plan_settings, dict(config), config_schema())
    model = asked["differential_expression"]
    return {
        "targets": len(set(asked["targets"])),
        "changed": asked["planning"]["changed"],
        **{
            key: model[key]
            for key in ("alpha", "lfc_threshold", "second_opinion", "power_lfc")
        },
    }


def say_plan():
    """Print the plan, if the run was asked for it."""
    if asked_for("plan"):
        print_plan(PLAN_TABLE)


rule plan:
    input:
        public=str(ROOT / "resources" / "planning" / "public_cohorts.tsv"),
    output:
        plan=PLAN_TABLE,
    log:
        "logs/planning/plan.log",
    benchmark:
        "logs/planning/plan.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=plan_params,
        code=code("plan.py"),
    script:
        "../scripts/plan.py"
