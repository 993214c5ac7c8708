"""Mistakes in the config file."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("config")
case = CASES.case


@case(
    "an unknown key with the nearest valid one",
    "cohort.yaml, design: unknown key 'refrence_group'. Did you mean 'reference_group'?",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.design["refrence_group"] = "AT"


@case(
    "a key on the wrong level",
    "cohort.yaml, the top level: unknown key 'alpha'. It belongs under 'differential_expression'.",
)
def _(c: SmallCohort) -> None:
    c.config["alpha"] = 0.1


@case("a key of a factor misspelt", "Did you mean 'serum'?")
def _(c: SmallCohort) -> None:
    c.factor["serom"] = c.factor.pop("serum")


@case(
    "a key missing",
    "cohort.yaml, the top level: missing key 'samples'; expected text: sample sheet (TSV, CSV "
    "or Excel) with one row per sample",
)
def _(c: SmallCohort) -> None:
    del c.config["samples"]


@case(
    "a key of the design missing",
    "cohort.yaml, design: missing key 'before'; expected text: level of the time column that "
    "marks samples from before the intervention. It is the reference",
)
def _(c: SmallCohort) -> None:
    del c.design["before"]


@case(
    "a section without content",
    "cohort.yaml, design: the key has no value; expected keys with their values: the meaning "
    "of the columns of the sample sheet, and the times and groups to compare. Indent the lines "
    "that belong to the key.",
)
def _(c: SmallCohort) -> None:
    c.config["design"] = None


@case(
    "a number written as text",
    "cohort.yaml, differential_expression.alpha: '0,05' is not valid; expected a number above 0 "
    "and below 1: false discovery rate of every call. Write decimals with a point.",
)
def _(c: SmallCohort) -> None:
    c.config["differential_expression"] = {"alpha": "0,05"}


@case(
    "a number out of range",
    "cohort.yaml, differential_expression.alpha: 5 is not valid; expected a number above 0 and "
    "below 1: false discovery rate of every call",
)
def _(c: SmallCohort) -> None:
    c.config["differential_expression"] = {"alpha": 5}


@case(
    "an unknown word",
    "cohort.yaml, fractional: unknown value 'rond'; expected refuse or round. Did you mean "
    "'round'?",
)
def _(c: SmallCohort) -> None:
    c.config["fractional"] = "rond"


@case(
    "a second model that is no longer offered",
    "cohort.yaml, differential_expression.second_opinion: unknown value 'edger_ql'; expected "
    "limma_trend, voom or none. The edgeR test was removed. Write 'limma_trend'.",
)
def _(c: SmallCohort) -> None:
    c.config["differential_expression"] = {"second_opinion": "edger_ql"}


@case(
    "a direction of the context's pattern that is no direction",
    "cohort.yaml, context.pattern.BGN: unknown value 'upp'; expected up or down. Did you mean "
    "'up'?",
)
def _(c: SmallCohort) -> None:
    c.config["context"] = {"pattern": {"BGN": "upp"}}


@case(
    "Entrez ids without quotes as keys of the context",
    "cohort.yaml, context.pattern: the key 633 is not text; expected a name in quotes. YAML "
    "reads it as a number. Put it in quotes: '633'.",
    "cohort.yaml, context.receptors: the key 1237 is not text; expected a name in quotes. YAML "
    "reads it as a number. Put it in quotes: '1237'.",
)
def _(c: SmallCohort) -> None:
    c.config["context"] = {"pattern": {633: "up"}, "receptors": {1237: "CCL28"}}


@case(
    "a factor named by a number",
    "cohort.yaml, factors: the key 28 is not text; expected a name in quotes. YAML reads it as "
    "a number. Put it in quotes: '28'.",
)
def _(c: SmallCohort) -> None:
    c.config["factors"] = {28: {"gene": "CCL28"}}


@case(
    "a key of the context misspelt",
    "cohort.yaml, context: unknown key 'receptor'. Did you mean 'receptors'?",
)
def _(c: SmallCohort) -> None:
    c.config["context"] = {"receptor": {"CCR3": "CCL28"}}


@case(
    "an effect of nothing",
    "cohort.yaml, differential_expression.power_lfc: 0 is not valid; expected a number above 0: "
    "log2 fold change for which power is computed if a target has no published effect",
)
def _(c: SmallCohort) -> None:
    c.config["differential_expression"] = {"power_lfc": 0}


@case(
    "one file instead of a list",
    "cohort.yaml, counts: 'counts.tsv' is not valid; expected a list: one or several raw count "
    "matrices (files or folders), joined on gene id. Write it as a list: [counts.tsv].",
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = "counts.tsv"


@case(
    "a target named twice",
    "cohort.yaml, targets: 'BGN' appears more than once; expected a list: genes declared in "
    "advance, each of which gets a verdict in every contrast",
)
def _(c: SmallCohort) -> None:
    c.config["targets"] = ["BGN", "DCN", "BGN"]


@case(
    "a level without quotes that YAML reads as a number",
    "cohort.yaml, design.before: 0 is not valid; expected text: level of the time column that "
    "marks samples from before the intervention. It is the reference. YAML reads it as a number. "
    "Put it in quotes: '0'.",
)
def _(c: SmallCohort) -> None:
    c.design.update({"before": 0, "after": "24"})
    c.sheet.map("timepoint", lambda level: {"pre": "0", "post": "24"}[level])


@case(
    "a level without quotes that YAML reads as true or false",
    "cohort.yaml, design.reference_group: False is not valid; expected text or null: group that "
    "others are compared with; required when there is more than one. YAML reads yes, no, on, "
    "off, true and false as true or false. Put the word in quotes.",
)
def _(c: SmallCohort) -> None:
    c.design["reference_group"] = False
    c.sheet.map("group", lambda group: {"AT": "no", "RT": "yes"}[group])


@case(
    "before equal to after",
    "cohort.yaml, design: before and after are both 'pre'; expected two different levels of the "
    "time column",
)
def _(c: SmallCohort) -> None:
    c.design["after"] = "pre"


@case(
    "one column with two meanings",
    "cohort.yaml, design: donor and group both name the column 'group'; expected a different "
    "column for each",
)
def _(c: SmallCohort) -> None:
    c.design["donor"] = "group"


@case(
    "a cohort whose name leaves the folder of results",
    "cohort.yaml, cohort: the name '../..' has no letter or digit, so no file can be named "
    "after it; expected a name with a letter or a digit",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.config["cohort"] = "../.."


@case(
    "a cohort's name that no file system takes",
    "cohort.yaml, cohort: the name 'serumserumserumserumserumserum…' has 300 characters; "
    "expected at most 120, because the name becomes part of file names",
)
def _(c: SmallCohort) -> None:
    c.config["cohort"] = "serum" * 60


@case(
    "smallest set above largest",
    "cohort.yaml, enrichment: min_size 50 is above max_size 10; expected min_size at most max_size",
)
def _(c: SmallCohort) -> None:
    c.config["enrichment"] = {"min_size": 50, "max_size": 10}


@case(
    "factors whose names meet in file names",
    "cohort.yaml, factors: 'CCL 28' and 'CCL/28' both become 'CCL_28' in file names; expected "
    "factors that differ in letters, digits, '.', '_' or '-'",
)
def _(c: SmallCohort) -> None:
    c.config["factors"]["CCL 28"] = {}
    c.config["factors"]["CCL/28"] = {}


@case(
    "a key twice in the file",
    "cohort.yaml, line 29: the key 'targets' is already in line 12; expected each key only "
    "once. YAML would use only the last one. Merge them.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.late.append(
        lambda folder: (folder / "cohort.yaml").write_text(
            (folder / "cohort.yaml").read_text() + "targets: [HAS1]\n"
        )
    )


@case("the same count matrix twice", "counts.tsv: is listed twice; expected each input only once")
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["counts.tsv", "./counts.tsv"]


@case(
    "a value given on the command line",
    "cohort.yaml, --config, fractional: unknown value 'maybe'; expected refuse or round",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.arguments += ["--config", "fractional=maybe"]


# Snakemake reads the config before the workflow is asked: these words are its own.
@case(
    "YAML that is none",
    "Config file is not valid JSON or YAML. In case of YAML, make sure to not mix whitespace and "
    "tab indentation.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.instead["cohort.yaml"] = "cohort: small\ncounts: [counts.tsv\nsamples: samples.tsv\n"


@case(
    "a list for a config",
    "Config file must be given as JSON or YAML with keys at top level.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.instead["cohort.yaml"] = "- counts.tsv\n- samples.tsv\n"


@case(
    "a count matrix that is not there",
    "cohort.yaml, counts: there is no file 'count.tsv'; expected a path, absolute or relative "
    "to the working directory. Did you mean 'counts.tsv'?",
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["count.tsv"]


@case(
    "a sheet in a folder that is not there",
    "cohort.yaml, samples: there is no file 'data/samples.tsv'; expected a path, absolute or "
    "relative to the working directory. The folder 'data' does not exist either.",
)
def _(c: SmallCohort) -> None:
    c.config["samples"] = "data/samples.tsv"


@case(
    "a path outside of the project that is not there",
    "cohort.yaml, published: there is no file '../elsewhere/published.tsv'; expected a path, "
    "absolute or relative to the working directory. The folder '../elsewhere' does not exist "
    "either.",
)
def _(c: SmallCohort) -> None:
    c.config["published"] = "../elsewhere/published.tsv"


@case(
    "a block without the second model",
    "cohort.yaml, differential_expression.second_opinion: design.block needs the second model, "
    "because the main model assumes that donors are independent; expected limma_trend. Remove "
    "'second_opinion: none' or design.block from the config.",
)
def _(c: SmallCohort) -> None:
    c.design["block"] = "plate"
    c.config["differential_expression"] = {"second_opinion": "none"}


@case(
    "a block that the sheet does not have",
    "samples.tsv: has no column 'plates'; expected the column that design.block names. Did you "
    "mean 'plate'?",
)
def _(c: SmallCohort) -> None:
    c.design["block"] = "plates"


@case(
    "covariates as keys with values",
    "{'rin': 'numeric'} is not valid; expected a list: columns of the sample sheet to adjust for",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = {"rin": "numeric"}


@case(
    "two covariates in one entry",
    "cohort.yaml, design.covariates.0: {'rin': 'numeric', 'plate': 'categorical'} is not valid; "
    "expected text or keys with their values. Write each as a separate entry: {rin: numeric}, "
    "{plate: categorical}.",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = [{"rin": "numeric", "plate": "categorical"}]


@case(
    "a kind of covariate that is none",
    "cohort.yaml, design.covariates.0.rin: unknown value 'factor'; expected categorical or numeric",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = [{"rin": "factor"}]


@case(
    "a covariate that is named twice",
    "cohort.yaml, design.covariates: the covariate 'rin' appears 2 times; expected each "
    "covariate only once",
)
def _(c: SmallCohort) -> None:
    c.design["covariates"] = ["rin", {"rin": "numeric"}]
