# Stages that are not rules already (`counts`, `qc`, `enrichment` and `report` are), as targets.


rule de:
    input:
        rules.differential_expression.output,


rule flags:
    input:
        rules.targets.output,
        rules.enrichment.output.context,
        rules.factors.output,
        OMNIBUS,
        OUTCOMES,
        CALIBRATION,
        GENE_LISTS,
        PANEL,
        CHAIN,
