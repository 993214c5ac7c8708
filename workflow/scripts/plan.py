"""Give the power of studies without a cohort, from what public cohorts vary."""

from fibroserum.runtime.job import job

with job(snakemake.log[0]):
    import pandas as pd

    from fibroserum import tables
    from fibroserum.targets.planning import Panel
    from fibroserum.targets.public_plan import plan_table
    from fibroserum.targets.verdict import Rule

    settings = dict(snakemake.params.settings)
    effect, targets = settings.pop("power_lfc"), max(settings.pop("targets"), 1)
    plan = plan_table(
        pd.read_csv(snakemake.input.public, sep="\t"),
        Panel(targets, min(settings.pop("changed"), targets)),
        Rule(**settings),
        effect,
    )
    tables.write("plan", plan, snakemake.output.plan)
