"""Salmon and kallisto folders against tximport's own answer (tests/golden/tximport)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum.counts import read_counts
from fibroserum.counts.quants import length_scaled
from fibroserum.errors import InputError
from helpers import count_files as files

GOLDEN = Path(__file__).parents[1] / "golden" / "tximport"
SALMON = ["Name", "Length", "EffectiveLength", "TPM", "NumReads"]
KALLISTO = ["Name", "Length", "EffectiveLength", "NumReads", "TPM"]
KALLISTO_NAMES = ["target_id", "length", "eff_length", "est_counts", "tpm"]


def estimates() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "transcripts.tsv", sep="\t", dtype={"sample": str})


def quant_folder(folder: Path, tool: str = "salmon") -> Path:
    columns, name = (SALMON, "quant.sf") if tool == "salmon" else (KALLISTO, "abundance.tsv")
    for sample, part in estimates().groupby("sample"):
        place = folder / str(sample)
        place.mkdir(parents=True)
        header = SALMON if tool == "salmon" else KALLISTO_NAMES
        part[columns].to_csv(place / name, sep="\t", index=False, header=header)
        (place / "cmd_info.json").write_text("{}")
    return folder


def tx2gene(path: Path, header: str = "transcript_id\tgene_id\tgene_name") -> Path:
    pairs = estimates()[["Name", "gene"]].drop_duplicates().to_numpy().tolist()
    rows = [f"{name}\t{gene}\tsymbol{gene}" for name, gene in pairs]
    return files.write(path, [header, *rows] if header else rows)


def test_length_scaled_counts_are_tximports() -> None:
    table = estimates()
    wide = {
        key: table.pivot_table(index="Name", columns="sample", values=key) for key in SALMON[2:]
    }
    genes = table.drop_duplicates("Name").set_index("Name")["gene"].loc[wide["TPM"].index]
    codes, names = pd.factorize(genes)
    counts = length_scaled(
        wide["NumReads"].to_numpy(),
        wide["TPM"].to_numpy(),
        wide["EffectiveLength"].to_numpy(),
        codes,
    )
    golden = pd.read_csv(GOLDEN / "length_scaled.tsv", sep="\t", index_col=0)
    np.testing.assert_allclose(counts, golden.loc[names].to_numpy(), rtol=1e-10)


@pytest.mark.parametrize("tool", ["salmon", "kallisto"])
@pytest.mark.parametrize("header", ["transcript_id\tgene_id\tgene_name", ""])
def test_quant_folders_give_rounded_length_scaled_counts(
    tool: str, header: str, tmp_path: Path
) -> None:
    folder = quant_folder(tmp_path / "quants", tool)
    mapping = tx2gene(tmp_path / "tx2gene.tsv", header)
    table = read_counts([folder], fractional="round", tx2gene=mapping)
    golden = pd.read_csv(GOLDEN / "length_scaled.tsv", sep="\t", index_col=0)
    assert list(table.counts.index) == ["001", "002", "003", "004"]
    assert (table.counts.T.loc[golden.index].to_numpy() == np.rint(golden.to_numpy())).all()


def test_versions_and_bars_of_transcripts_find_their_gene(tmp_path: Path) -> None:
    rows = ["\t".join(SALMON), "ENST00000000001.4|x|y|\t900\t700\t600000\t60",
            "ENST00000000001.4_PAR_Y\t900\t700\t400000\t40"]  # fmt: skip
    files.write(tmp_path / "q" / "S1" / "quant.sf", rows)
    pairs = ["tx\tgene", "ENST00000000001.5\tGX", "ENST00000000001.5_PAR_Y\tGY"]
    mapping = files.write(tmp_path / "map", pairs)
    counts = read_counts([tmp_path / "q"], fractional="round", tx2gene=mapping).counts
    assert counts.loc["S1"].to_dict() == {"GX": 60, "GY": 40}


def refusal(folder: Path, mapping: Path | None, fractional: str = "round") -> str:
    with pytest.raises(InputError) as caught:
        read_counts([folder], fractional=fractional, tx2gene=mapping)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_missing_tx2gene_is_said(tmp_path: Path) -> None:
    text = refusal(quant_folder(tmp_path / "q"), None)
    assert "holds transcript estimates, and the config names no tx2gene" in text


def test_estimates_are_fractional_and_say_so(tmp_path: Path) -> None:
    text = refusal(quant_folder(tmp_path / "q"), tx2gene(tmp_path / "map"), "refuse")
    assert "say 'fractional: round' in the config" in text


def test_transcripts_without_a_gene_are_refused(tmp_path: Path) -> None:
    mapping = tx2gene(tmp_path / "map")
    mapping.write_text("\n".join(mapping.read_text().splitlines()[:-3]))
    text = refusal(quant_folder(tmp_path / "q"), mapping)
    assert "3 of the 60 transcripts of" in text
    assert "have no gene in it" in text


def test_different_transcriptomes_are_refused(tmp_path: Path) -> None:
    folder = quant_folder(tmp_path / "q")
    path = folder / "003" / "quant.sf"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    text = refusal(folder, tx2gene(tmp_path / "map"))
    assert "003/quant.sf: its 59 transcripts are not those of" in text


def test_a_transcript_of_two_genes_is_refused(tmp_path: Path) -> None:
    mapping = tx2gene(tmp_path / "map")
    mapping.write_text(mapping.read_text() + "T001\tG99\tx\n")
    text = refusal(quant_folder(tmp_path / "q"), mapping)
    assert "the transcript 'T001' has two genes, 'G01' and 'G99'" in text


def test_broken_estimates_are_named_by_cell(tmp_path: Path) -> None:
    folder = quant_folder(tmp_path / "q")
    path = folder / "001" / "quant.sf"
    text = path.read_text().splitlines()
    text[4] = "\t".join([*text[4].split("\t")[:3], "-1", "nan"])
    path.write_text("\n".join(text))
    said = refusal(folder, tx2gene(tmp_path / "map"))
    assert "row 5 ('T004'), column 'TPM': the value -1 is no TPM" in said
    assert "row 5 ('T004'), column 'NumReads': the count is missing ('nan')" in said
