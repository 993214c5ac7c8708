"""Write the small cohort that reference.R analyses: counts.tsv, sheet.tsv, sets.gmt."""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    rng = np.random.default_rng(20240607)
    donors = [("AT", f"A{i}") for i in range(1, 5)] + [("RT", f"B{i}") for i in range(1, 6)]
    before = [(f"{d}_pre", d, g, "pre") for g, d in donors]
    after = [(f"{d}_post", d, g, "post") for g, d in donors]
    # one sample of each donor, then a pivot for either group, then the others
    first = [s for s in after if s[1] in ("A1", "B1")]
    sheet = before + first + [s for s in after if s not in first]
    genes = 240
    mean = rng.lognormal(4.0, 1.3, genes)
    donor_effect = {d: rng.normal(0, 0.4, genes) for _, d in donors}
    change = {"AT": np.zeros(genes), "RT": np.zeros(genes)}
    change["RT"][:15] = 0.6
    change["AT"][10:25] = -0.5
    columns = []
    for _, d, g, t in sheet:
        shared = np.zeros(genes)
        shared[:40] = rng.normal(0, 0.15)  # the first forty genes move together
        mu = mean * np.exp(donor_effect[d] + shared + (t == "post") * change[g])
        columns.append(rng.poisson(rng.gamma(12.0, mu / 12.0) * rng.lognormal(0, 0.2)))
    names = [f"G{i:03d}" for i in range(genes)]
    with (HERE / "counts.tsv").open("w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(["gene_id", *(s[0] for s in sheet)]) + "\n")
        for i, name in enumerate(names):
            out.write("\t".join([name, *(str(c[i]) for c in columns)]) + "\n")
    with (HERE / "sheet.tsv").open("w", encoding="utf-8", newline="\n") as out:
        out.write("sample\tdonor\tgroup\ttime\n")
        for row in sheet:
            out.write("\t".join(row) + "\n")
    sets = {
        "moved_rt": names[:15],
        "moved_at": names[10:25],
        "together": names[:40],
        "wide": names[::3],
        "pair": names[100:102],
        "single": names[7:8],
        "quiet": names[150:180],
    }
    for j in range(8):
        chosen = rng.choice(names, int(rng.integers(5, 40)), replace=False)
        sets[f"random{j}"] = sorted(chosen)
    with (HERE / "sets.gmt").open("w", encoding="utf-8", newline="\n") as out:
        for name, members in sets.items():
            out.write("\t".join([name, "", *members]) + "\n")


if __name__ == "__main__":
    main()
