# Stage flags. In: cohort.h5ad, fit/*.h5ad, de/*.tsv, stimulation/*.h5ad, GMT files. Out: flags/*.tsv, calibration.tsv.


rule targets:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
        de=rules.differential_expression.output.de,
        published=inputs_of("published"),
    output:
        targets=f"{OUT}/flags/targets.tsv",
        donors=f"{OUT}/flags/target_donors.tsv",
        loo=f"{OUT}/flags/target_loo.tsv",
        power=f"{OUT}/flags/target_power.tsv",
        baseline=f"{OUT}/flags/target_baseline.tsv",
        patterns=f"{OUT}/flags/target_patterns.tsv",
        sensitivity=f"{OUT}/flags/sensitivity.tsv",
        planning=f"{OUT}/flags/planning.tsv",
    log:
        f"{LOG}/targets.log",
    benchmark:
        f"{LOG}/targets.benchmark.tsv"
    priority: 3  # the longest job of its stage: if it started last, a core would be idle
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(1000, 4),
        runtime=minutes_by_samples(30),
    params:
        settings={
            "randomised": CONFIG["design"]["randomised"],
            **{
                k: CONFIG["differential_expression"][k]
                for k in ("alpha", "equivalence_lfc", "power_lfc")
            },
        },
        changed=CONFIG["planning"]["changed"],
        stamp=stamp(inputs_of("published")),
        code=code("targets.py"),
    script:
        "../scripts/targets.py"


rule stimulation:
    input:
        arm=f"{OUT}/stimulation/{{factor}}.h5ad",
    output:
        table=f"{OUT}/flags/stimulation_{{factor}}.tsv",
    log:
        f"{LOG}/stimulation_{{factor}}.log",
    benchmark:
        f"{LOG}/stimulation_{{factor}}.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(1000, 1),
        runtime=minutes_by_samples(30),
    params:
        arm=lambda wildcards: FACTORS[wildcards.factor]["stimulation"],
        settings={
            k: CONFIG["differential_expression"][k] for k in ("alpha", "min_count")
        },
        code=code("stimulation.py"),
    script:
        "../scripts/stimulation.py"


rule factors:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
        de=rules.differential_expression.output.de,
        stimulation=expand(rules.stimulation.output.table, factor=STIMULATED),
        signatures=[f["signature"] for f in FACTORS.values() if f["signature"]],
    output:
        levels=f"{OUT}/flags/factor_levels.tsv",
        pairs=f"{OUT}/flags/factor_pairs.tsv",
        factors=f"{OUT}/flags/factors.tsv",
        concordance=f"{OUT}/flags/factor_concordance.tsv",
        sets=f"{OUT}/flags/factor_sets.tsv",
        mediation=f"{OUT}/flags/mediation.tsv",
    log:
        f"{LOG}/factors.log",
    benchmark:
        f"{LOG}/factors.benchmark.tsv"
    priority: 1
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(1000, 4),
        runtime=minutes_by_samples(60),
    params:
        factors=CONFIG["factors"],
        alpha=CONFIG["differential_expression"]["alpha"],
        seed=CONFIG["seed"],
        stamp=stamp(inputs_of("factors")),
        code=code("factors.py"),
    script:
        "../scripts/factors.py"


rule permutations:
    input:
        cohort=rules.counts.output.cohort,
        fits=rules.fit.output.fits,
    output:
        calibration=f"{OUT}/calibration.tsv",
        quantiles=f"{OUT}/calibration_qq.tsv",
    log:
        f"{LOG}/permutations.log",
    benchmark:
        f"{LOG}/permutations.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 4  # each is a process that holds donors x genes several times
    resources:
        mem_mb=memory_by_samples(3000, 7),
        runtime=minutes_by_samples(240),
    params:
        settings={
            k: CONFIG["differential_expression"][k]
            for k in ("permutations", "alpha", "weights")
        },
        seed=CONFIG["seed"],
        code=code("permutations.py"),
    # a path of this machine: the processes that permute open the script, as those of the report
    script:
        f"{ROOT}/workflow/scripts/permutations.py"


if GENE_LISTS:

    rule gene_lists:
        input:
            cohort=rules.counts.output.cohort,
            de=rules.differential_expression.output.de,
            lists=inputs_of("gene_lists"),
        output:
            table=f"{OUT}/flags/gene_lists.tsv",
        log:
            f"{LOG}/gene_lists.log",
        benchmark:
            f"{LOG}/gene_lists.benchmark.tsv"
        group:
            GROUP
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory_by_samples(1000, 3),
            runtime=minutes_by_samples(30),
        params:
            lists=CONFIG["gene_lists"],
            stamp=stamp(inputs_of("gene_lists")),
            code=code("gene_lists.py"),
        script:
            "../scripts/gene_lists.py"


OUTCOMES = []
if CONFIG["outcomes"]:

    rule outcomes:
        input:
            cohort=rules.counts.output.cohort,
            fits=rules.fit.output.fits,
            gene_sets=CONFIG["gene_sets"],
        output:
            pairs=f"{OUT}/flags/outcome_pairs.tsv",
            genes=f"{OUT}/flags/outcomes.tsv",
            targets=f"{OUT}/flags/outcome_targets.tsv",
            sets=f"{OUT}/flags/outcome_sets.tsv",
        log:
            f"{LOG}/outcomes.log",
        benchmark:
            f"{LOG}/outcomes.benchmark.tsv"
        group:
            GROUP
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory_by_samples(1000, 4),
            runtime=minutes_by_samples(60),
        params:
            outcomes=CONFIG["outcomes"],
            settings={
                "alpha": CONFIG["differential_expression"]["alpha"],
                "min_size": CONFIG["enrichment"]["min_size"],
                "max_size": CONFIG["enrichment"]["max_size"],
            },
            stamp=stamp(CONFIG["gene_sets"]),
            code=code("outcomes.py"),
        script:
            "../scripts/outcomes.py"

    OUTCOMES = rules.outcomes.output


if CONFIG["serum_panel"]:

    rule serum_panel:
        input:
            cohort=rules.counts.output.cohort,
            fits=rules.fit.output.fits,
            de=rules.differential_expression.output.de,
        output:
            changes=f"{OUT}/flags/serum_panel.tsv",
            targets=f"{OUT}/flags/serum_panel_targets.tsv",
            candidates=f"{OUT}/flags/candidates.tsv",
        log:
            f"{LOG}/serum_panel.log",
        benchmark:
            f"{LOG}/serum_panel.benchmark.tsv"
        group:
            GROUP
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory_by_samples(1000, 4),
            runtime=minutes_by_samples(60),
        params:
            factors={name: one["serum"] for name, one in CONFIG["factors"].items()},
            alpha=CONFIG["differential_expression"]["alpha"],
            code=code("serum_panel.py"),
        script:
            "../scripts/serum_panel.py"


if OMNIBUS:

    rule omnibus:
        input:
            cohort=rules.counts.output.cohort,
            fits=rules.fit.output.fits,
        output:
            omnibus=OMNIBUS[0],
        log:
            f"{LOG}/omnibus.log",
        benchmark:
            f"{LOG}/omnibus.benchmark.tsv"
        group:
            GROUP
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory_by_samples(1000, 7),
            runtime=minutes_by_samples(30),
        params:
            alpha=CONFIG["differential_expression"]["alpha"],
            code=code("omnibus.py"),
        script:
            "../scripts/omnibus.py"


if CHAINED:

    rule chain:
        input:
            cohort=rules.counts.output.cohort,
            fits=rules.fit.output.fits,
            targets=rules.targets.output.targets,
            outcome_pairs=rules.outcomes.output.pairs,
            outcome_targets=rules.outcomes.output.targets,
            factor_levels=rules.factors.output.levels,
            factor_pairs=rules.factors.output.pairs,
            factors=rules.factors.output.factors,
            serum_panel=(
                rules.serum_panel.output.changes if CONFIG["serum_panel"] else []
            ),
            serum_panel_targets=(
                rules.serum_panel.output.targets if CONFIG["serum_panel"] else []
            ),
        output:
            chain=f"{OUT}/flags/chain.tsv",
        log:
            f"{LOG}/chain.log",
        benchmark:
            f"{LOG}/chain.benchmark.tsv"
        group:
            GROUP
        conda:
            "../envs/fibroserum.yaml"
        threads: 1
        resources:
            mem_mb=memory_by_samples(1000, 3),
            runtime=minutes_by_samples(30),
        params:
            factors=CHAINED,
            scales={name: one["scale"] for name, one in CONFIG["outcomes"].items()},
            alpha=CONFIG["differential_expression"]["alpha"],
            code=code("chain.py"),
        script:
            "../scripts/chain.py"
