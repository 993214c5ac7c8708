# Stage synthesis, and the stages of all cohorts. In: the tables of each cohort. Out: meta/*.tsv,
# report.html, figures/ and others of the synthesis.
# Rule names here contain no `_`; those of the cohorts' rules do, so no two names are the same.


rule synthesis:
    input:
        contrasts=lambda wildcards: locked(
            rules.overview.output.html, of_cohorts("contrasts.tsv")
        ),
        targets=of_cohorts("flags/targets.tsv"),
        factors=of_cohorts("flags/factors.tsv"),
        score_tests=of_cohorts("enrichment/score_tests.tsv"),
        de=[
            f"results/{one.folder}/de/{contrast.file}.tsv"
            for one in COHORTS.values()
            for contrast in one.contrasts
            if contrast.kind in ("change", "difference")
        ],
    output:
        **{name: f"{OUT}/meta/{name}.tsv" for name in META},
    log:
        f"{LOG}/synthesis.log",
    benchmark:
        f"{LOG}/synthesis.benchmark.tsv"
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000, 15),
        runtime=minutes(60),
    params:
        cohorts=[one.config["cohort"] for one in COHORTS.values()],
        alpha=SEVERAL.alpha,
        code=code("synthesis.py"),
    script:
        "../scripts/synthesis.py"


rule overview:
    input:
        **{name: getattr(rules.synthesis.output, name) for name in META},
        summaries=of_cohorts("summary.json"),
    output:
        html=f"{OUT}/report.html",
        summary=f"{OUT}/summary.json",
        provenance=f"{OUT}/provenance.json",
        figures=[
            report(
                f"{OUT}/figures/{name}.svg",
                caption=f"../report/{entry['caption']}",
                category=entry["category"],
                labels=entry["label"],
            )
            for name, entry in SYNTHESIS_FIGURES.items()
        ],
        images=expand(
            f"{OUT}/figures/{{name}}.{{kind}}",
            name=SYNTHESIS_FIGURES,
            kind=("png", "pdf"),
        ),
    log:
        f"{LOG}/overview.log",
    benchmark:
        f"{LOG}/overview.benchmark.tsv"
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000, 15),
        runtime=minutes(60),
    params:
        name=SEVERAL.name,
        alpha=SEVERAL.alpha,
        cohorts={one.config["cohort"]: one.folder for one in COHORTS.values()},
        targets=SEVERAL.targets,
        factors=SEVERAL.factors,
        config=dict(config),
        templates=TEMPLATES,
        code=code("overview.py"),
    script:
        "../scripts/overview.py"


rule counts:
    input:
        stage("counts"),


rule qc:
    input:
        stage("qc"),


rule de:
    input:
        stage("de"),


rule enrichment:
    input:
        stage("enrichment"),


rule flags:
    input:
        stage("flags"),


rule report:
    input:
        stage("report"),
