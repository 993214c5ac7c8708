"""The code and the config of docs/geo.md, on series matrices as GEO writes them."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import fibroserum as fs
from fibroserum.errors import InputError
from fibroserum.genes.table import bundled
from helpers.pipeline import REPOSITORY
from helpers.small_cohort import GENES

COUNTS = "GSE52778_raw_counts_GRCh38.p13_NCBI.tsv.gz"
MATRIX = "GSE52778_series_matrix.txt.gz"
DONORS = ("N61311", "N052611", "N080611", "N061011")
TREATMENTS = {
    "untreated": "Untreated",
    "Dex": "Dexamethasone",
    "Alb": "Albuterol",
    "Alb_Dex": "Albuterol_Dexamethasone",
}
TITLES = [f"{donor}_{treatment}" for donor in DONORS for treatment in TREATMENTS]
ACCESSIONS = [f"GSM{number}" for number in range(1275862, 1275878)]


def page(language: str) -> str:
    text = (REPOSITORY / "docs" / "geo.md").read_text(encoding="utf-8")
    [block] = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    return block


def write_matrix(lines: Sequence[Sequence[str]]) -> None:
    """Write lines of samples as GEO does: behind those of the series, in quotes, before a table."""
    rows = [["!Series_title", 'A title, with "quotes"'], ["!Series_type", "Expression profiling"]]
    samples = ["\t".join([name, *(f'"{cell}"' for cell in cells)]) for name, *cells in lines]
    accessions = next(cells for name, *cells in lines if name == "!Sample_geo_accession")
    table = ["\t".join(['"ID_REF"', *(f'"{one}"' for one in accessions)])]
    text = ["\t".join([name, f'"{cell}"']) for name, cell in rows]
    text += ["", *samples, "!series_matrix_table_begin", *table, "!series_matrix_table_end"]
    with gzip.open(MATRIX, "wt", encoding="utf-8") as file:
        file.write("\n".join(text) + "\n")


def run_code() -> pd.DataFrame:
    """Run the code of the page here, and return the sheet that it writes."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(page("python"), {})
    sheet = pd.read_csv("samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert said.getvalue().startswith(sheet.columns[0])
    return sheet


def gse52778() -> None:
    """Write the sample lines of GSE52778: four donors, four treatments."""
    donors = [title.split("_")[0] for title in TITLES]
    treatments = [TREATMENTS[title.split("_", 1)[1]] for title in TITLES]
    write_matrix(
        [
            ["!Sample_title", *TITLES],
            ["!Sample_geo_accession", *ACCESSIONS],
            ["!Sample_source_name_ch1", *["airway smooth muscle cells"] * 16],
            ["!Sample_characteristics_ch1", *(f"treatment: {one}" for one in treatments)],
            ["!Sample_characteristics_ch1", *["tissue: human airway smooth muscle cells"] * 16],
            ["!Sample_characteristics_ch1", *["ercc_mix: 1", "ercc_mix: -"] * 8],
            ["!Sample_characteristics_ch1", *(f"cell line: {donor}" for donor in donors)],
            ["!Sample_data_processing", *["Reads: aligned"] * 16],
        ]
    )


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ncbi_counts(names: Sequence[str], seed: int = 3) -> pd.DataFrame:
    """Write raw counts as NCBI does, with Entrez ids, and return them by symbol."""
    table = bundled().table.set_index("symbol")["entrez"]
    rng = np.random.default_rng(seed)
    values = rng.negative_binomial(10, 0.02, (len(GENES), len(names)))
    counts = pd.DataFrame(values, GENES, list(names))
    out = counts.set_axis(table[GENES].astype(str), axis=0)
    out.to_csv(COUNTS, sep="\t", index_label="GeneID")
    return counts


def config(**design: Any) -> dict[str, Any]:
    raw = yaml.safe_load(page("yaml"))
    return raw | {"gene_sets": [], "targets": ["BGN"], "design": raw["design"] | design}


def test_each_key_is_a_column_whatever_its_place() -> None:
    write_matrix(
        [
            ["!Sample_title", "a, pre", "a post", "b pre"],
            ["!Sample_geo_accession", "GSM1", "GSM2", "GSM3"],
            ["!Sample_characteristics_ch1", "donor: 001", "donor: 001", "age: 44"],
            ["!Sample_characteristics_ch1", "time: pre: day 0", "time: post", "donor: 002"],
            ["!Sample_characteristics_ch1", "drug: A", "", "time:pre"],
            ["!Sample_characteristics_ch1", "drug: B", "healthy", "drug: "],
            ["!Sample_characteristics_ch2", "line: L1", "line: L1", "line: L1"],
            ["!Sample_description", "x: 1", "y: 2", "z: 3"],
        ]
    )
    expected = pd.DataFrame(
        {
            "title": ["a, pre", "a post", "b pre"],
            "sample": ["GSM1", "GSM2", "GSM3"],
            "donor": ["001", "001", "002"],
            "time": ["pre: day 0", "post", "pre"],
            "drug": ["A; B", "", ""],
            "line": ["L1", "L1", "L1"],
            "other": ["", "healthy", ""],
            "age": ["", "", "44"],
        }
    )
    pd.testing.assert_frame_equal(run_code(), expected, check_like=True)


def test_keys_of_the_authors_do_not_mix_with_accessions_and_titles() -> None:
    write_matrix(
        [
            ["!Sample_characteristics_ch1", "sample: 12", "sample: 13"],
            ["!Sample_title", "a pre", "a post"],
            ["!Sample_geo_accession", "GSM1", "GSM2"],
            ["!Sample_characteristics_ch1", "title : Dr", "title : Ms"],
        ]
    )
    expected = pd.DataFrame(
        {
            "sample_2": ["12", "13"],
            "title": ["a pre", "a post"],
            "sample": ["GSM1", "GSM2"],
            "title_2": ["Dr", "Ms"],
        }
    )
    pd.testing.assert_frame_equal(run_code(), expected)


@pytest.mark.parametrize(("names", "column"), [(ACCESSIONS, "sample"), (TITLES, "title")])
def test_counts_of_ncbi_or_of_the_authors_become_a_cohort(
    names: Sequence[str], column: str
) -> None:
    gse52778()
    counts = ncbi_counts(names)
    assert list(run_code()) == ["title", "sample", "treatment", "tissue", "ercc_mix", "cell line"]
    cohort = fs.read_cohort(fs.load_config(config(sample=column)))
    adata = cohort.adata
    assert adata.n_obs == 8
    assert dict(
        adata.obs.groupby("donor")["time"].agg(lambda x: " ".join(sorted(x)))
    ) == dict.fromkeys(DONORS, "Dexamethasone Untreated")
    read = pd.DataFrame(adata.X.T, adata.var["symbol"], adata.obs_names)
    expected = counts.loc[read.index, read.columns]
    assert (read.to_numpy() == expected.to_numpy()).all()
    assert cohort.samples["used_for"].value_counts().to_dict() == {"change": 8, "none": 8}


def test_a_sample_that_ncbi_left_out_is_named() -> None:
    gse52778()
    ncbi_counts(ACCESSIONS[1:])
    run_code()
    with pytest.raises(InputError, match="GSM1275862") as refused:
        fs.read_cohort(fs.load_config(config()))
    assert len(refused.value.problems) == 1


def test_the_series_of_airway_is_read(shared_data: Callable[[str], Path]) -> None:
    known = pd.read_csv(shared_data("airway/samples.csv"), dtype=str).set_index("geo_id")
    counts = pd.read_csv(shared_data("airway/counts.tsv.gz"), sep="\t", index_col=0)
    counts.columns = [known.index[known["sample"] == run][0] for run in counts]
    counts.to_csv(COUNTS, sep="\t")
    gse52778()
    sheet = run_code().set_index("sample").loc[known.index]
    assert sheet["cell line"].tolist() == known["donor"].tolist()
    adata = fs.read_cohort(fs.load_config(config(), REPOSITORY)).adata
    assert sorted(adata.obs_names) == sorted(known.index)
    words = {"Untreated": "control", "Dexamethasone": "treated"}
    assert adata.obs["time"].map(words).tolist() == known.loc[adata.obs_names, "dex"].tolist()
    assert adata.obs["donor"].tolist() == known.loc[adata.obs_names, "donor"].tolist()
    assert adata.X.sum() == counts[known.index].to_numpy().sum()


@pytest.mark.parametrize("scale", ["TPM", "FPKM"])
def test_normalised_counts_of_ncbi_are_refused(
    shared_data: Callable[[str], Path], scale: str
) -> None:
    path = shared_data("lung_fibroblast_hypoxia/counts.tsv.gz")
    raw = pd.read_csv(path, sep="\t", index_col=0)
    lengths = np.random.default_rng(1).lognormal(0.8, 0.8, len(raw))  # in thousands of bases
    rates = raw.div(lengths, axis=0)
    values = rates / (rates.sum() if scale == "TPM" else raw.sum()) * 1e6
    name = f"GSE1_norm_counts_{scale}_GRCh38.p13_NCBI.tsv.gz"
    values.round(4).to_csv(name, sep="\t", index_label="GeneID")
    said = "TPM or CPM values" if scale == "TPM" else "look like FPKM or TPM"
    with pytest.raises(InputError, match=said):
        fs.read_counts(name, fractional="round")
