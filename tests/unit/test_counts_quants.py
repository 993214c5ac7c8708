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
    assert "contains estimates of transcripts, but the config names no tx2gene" in text


def test_estimates_are_fractional_and_say_so(tmp_path: Path) -> None:
    text = refusal(quant_folder(tmp_path / "q"), tx2gene(tmp_path / "map"), "refuse")
    assert "write 'fractional: round' in the config" in text


def test_transcripts_without_a_gene_are_left_out_as_tximport_does(tmp_path: Path) -> None:
    """No transcript of one gene is in tx2gene, nor are a spike-in and a transgene."""
    folder = quant_folder(tmp_path / "q")
    mapping = tx2gene(tmp_path / "map")
    rows = mapping.read_text().splitlines()
    mapping.write_text("\n".join(row for row in rows if "\tG03\t" not in row))
    for path in folder.glob("*/quant.sf"):
        more = "ERCC-00002\t900\t700\t10\t4000\nEGFP\t900\t700\t10\t50\n"
        path.write_text(path.read_text() + more)
    found = read_counts([folder], fractional="round", tx2gene=mapping, named=["egfp"])
    table = estimates()
    gone = table[table["gene"] == "G03"]
    # scaled to the reads of what is left, as tximport does after it has dropped the others
    kept = table[table["gene"] != "G03"].groupby("sample")["NumReads"].sum() + 50
    np.testing.assert_allclose(found.counts.sum(axis=1), kept, atol=10)
    assert "EGFP" in found.counts
    assert "G03" not in found.counts
    assert found.reasons == dict.fromkeys(gone["Name"], "no gene in tx2gene") | {
        "ERCC-00002": "ERCC spike-in"
    }
    lost = gone.groupby("sample")["NumReads"].sum()
    np.testing.assert_allclose(found.left_out[[*gone["Name"].unique()]].sum(axis=1), lost)
    (note,) = [note for note in found.notes if "have no gene in" in note]
    share = lost.sum() / (table["NumReads"].sum() + 4 * 4050)
    assert f"excluded, with {share:.2%} of the counts" in note


def test_a_tx2gene_of_another_annotation_is_refused(tmp_path: Path) -> None:
    mapping = tx2gene(tmp_path / "map")
    mapping.write_text("\n".join(mapping.read_text().splitlines()[:30]))
    text = refusal(quant_folder(tmp_path / "q"), mapping)
    assert "31 transcripts ('T030', 'T031', 'T032' and 28 more) have no gene in" in text
    assert "expected at most 20% of the counts without a gene" in text


@pytest.mark.parametrize("tool", ["salmon", "kallisto"])
def test_transcripts_are_joined_by_name(tool: str, tmp_path: Path) -> None:
    folder = quant_folder(tmp_path / "q", tool)
    mapping = tx2gene(tmp_path / "map")
    expected = read_counts([folder], fractional="round", tx2gene=mapping).counts
    path = next((folder / "003").glob("*.*v")) if tool == "kallisto" else folder / "003/quant.sf"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[::-1]]))
    found = read_counts([folder], fractional="round", tx2gene=mapping).counts
    pd.testing.assert_frame_equal(found, expected)


def test_different_transcriptomes_are_refused(tmp_path: Path) -> None:
    folder = quant_folder(tmp_path / "q")
    path = folder / "003" / "quant.sf"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].replace("T060", "T061")]))
    text = refusal(folder, tx2gene(tmp_path / "map"))
    assert "003/quant.sf: its 60 transcripts differ from those of" in text
    assert "1 are missing ('T060') and 1 are only here ('T061')" in text
    path.write_text("\n".join([*lines[:-1], lines[1]]))
    assert "differ from those of" in refusal(folder, tx2gene(tmp_path / "map"))


def gene_files(folder: Path, name: str) -> Path:
    """Write what `salmon quant -g` does: sums of reads and TPM, lengths weighted by TPM."""
    for sample, part in estimates().groupby("sample"):
        own = part.assign(weighted=part["TPM"] * part["EffectiveLength"])
        sums = own.groupby("gene")[["TPM", "NumReads", "weighted"]].sum()
        plain = part.groupby("gene")["EffectiveLength"].mean()
        length = (sums["weighted"] / sums["TPM"]).where(sums["TPM"] > 0, plain)
        rows = [f"{gene}\t100\t{length[gene]:.17g}\t{row.TPM:.17g}\t{row.NumReads:.17g}"
                for gene, row in sums.iterrows()]  # fmt: skip
        files.write(folder / name.format(sample), ["\t".join(SALMON), *rows])
    return folder


@pytest.mark.parametrize("name", ["{}/quant.genes.sf", "{}.quant.genes.sf", "{}_quant.genes.sf"])
@pytest.mark.parametrize("single", [False, True], ids=["folder", "files"])
def test_gene_files_of_salmon_and_dragen_are_gene_counts(
    name: str, single: bool, tmp_path: Path
) -> None:
    """They give what the transcripts give; each alone there is nothing to scale by."""
    folder = gene_files(tmp_path / "genes", name)
    paths = sorted(folder.rglob("*.sf")) if single else [folder]
    found = read_counts(paths, fractional="round", known_samples=["001", "002", "003", "004"])
    assert list(found.counts.index) == ["001", "002", "003", "004"]
    if single:
        reads = estimates().pivot_table(
            index="sample", columns="gene", values="NumReads", aggfunc="sum"
        )
        np.testing.assert_allclose(found.counts, reads, atol=0.5001)
    else:
        golden = pd.read_csv(GOLDEN / "length_scaled.tsv", sep="\t", index_col=0)
        assert (np.abs(found.counts.T.loc[golden.index] - golden.to_numpy()) < 0.5001).all(None)
    assert found.used == frozenset()


def test_of_both_levels_the_one_that_can_be_read_is(tmp_path: Path) -> None:
    folder = gene_files(quant_folder(tmp_path / "q"), "{}/quant.genes.sf")
    without = read_counts([folder], fractional="round")
    assert "gene estimates" in without.notes[0]
    found = read_counts([folder], fractional="round", tx2gene=tx2gene(tmp_path / "map"))
    assert "transcript estimates" in found.notes[0]
    pd.testing.assert_frame_equal(
        found.counts.sort_index(axis=1), without.counts.sort_index(axis=1)
    )


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
    assert "row 5 ('T004'), column 'TPM': the value -1 is not a TPM" in said
    assert "row 5 ('T004'), column 'NumReads': the count is missing ('nan')" in said
