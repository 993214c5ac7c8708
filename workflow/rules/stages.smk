# Stages by name: `snakemake de`, as `snakemake counts`, `qc`, `enrichment` and `report` are rules already.


rule de:
    input:
        rules.differential_expression.output,


rule flags:
    input:
        rules.targets.output,
        rules.factors.output,
        OMNIBUS,
        rules.planning.output,
        OUTCOMES,
        CALIBRATION,
        GENE_LISTS,
        PANEL,
        CHAIN,
