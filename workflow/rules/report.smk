# Stage report. In: every table. Out: report.html, tables.xlsx, summary.json, provenance.json, figures/.
from fibroserum.cohort.accessors import change_times
from fibroserum.report.figures.catalogue import FIGURE1, figure1_entry, figure_names

FIGURES = figure_names(
    PLAN.contrasts,
    CONFIG["factors"],
    lists=CONFIG["gene_lists"],
    outcomes=CONFIG["outcomes"],
    panel=bool(CONFIG["serum_panel"]),
    chained=CHAINED,
    times=change_times(CONFIG["design"]),
)
FIGURE_FILES = {FIGURE1: figure1_entry(), **FIGURES}
TABLES = {
    "samples": rules.counts.output.samples,
    "qc": rules.qc.output,
    "contrasts": rules.differential_expression.output.contrasts,
    "de": rules.differential_expression.output.de,
    "enrichment": rules.enrichment.output,
    "targets": rules.targets.output,
    "factors": rules.factors.output,
    "stimulation": expand(rules.stimulation.output.table, factor=STIMULATED),
    "calibration": CALIBRATION,
    "omnibus": OMNIBUS,
    "gene_lists": GENE_LISTS,
    "outcomes": OUTCOMES,
    "panel": PANEL,
    "chain": CHAIN,
}


rule workbook:
    input:
        **TABLES,
    output:
        workbook=f"{OUT}/tables.xlsx",
    log:
        f"{LOG}/workbook.log",
    benchmark:
        f"{LOG}/workbook.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(2000, 1),
        runtime=minutes_by_samples(60),
    params:
        cohort=CONFIG["cohort"],
        stimulation={factor: factor in STIMULATED for factor in FACTORS},
        configured=[
            *(key for key in ("gene_lists", "serum_panel", "outcomes") if CONFIG[key]),
            *(["omnibus"] if OMNIBUS else []),
            *(["chain"] if CHAINED else []),
        ],
        code=code("workbook.py"),
    script:
        "../scripts/workbook.py"


rule report:
    input:
        **TABLES,
        cohort=rules.counts.output.cohort,
        gene_sets=CONFIG["gene_sets"],
        published=inputs_of("published"),
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
            for name, entry in FIGURE_FILES.items()
        ],
        images=expand(
            f"{OUT}/figures/{{name}}.{{kind}}",
            name=FIGURE_FILES,
            kind=("png", "pdf"),
        ),
    log:
        f"{LOG}/report.log",
    benchmark:
        f"{LOG}/report.benchmark.tsv"
    group:
        GROUP
    conda:
        "../envs/fibroserum.yaml"
    threads: 1
    resources:
        mem_mb=memory_by_samples(2000, 2),
        runtime=minutes_by_samples(60),
    params:
        config=CONFIG,
        defaults=PLAN.defaults,
        inputs=sorted(
            {path for paths in input_paths(CONFIG).values() for path in paths}
        ),
        templates=TEMPLATES,
        code=code("report.py"),
    # a path of this machine: the processes that draw open the script, which an address is not
    script:
        f"{ROOT}/workflow/scripts/report.py"
