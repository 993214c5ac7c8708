"""Write `effects.tsv`: sets of effects and standard errors, a worked example among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
# Trials of the BCG vaccine, log relative risks: Colditz et al. (1994) JAMA 271:698, as worked
# through in Viechtbauer (2010) J Stat Softw 36(3), rounded to four decimals.
WORKED = {
    "bcg": (
        [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713,
         -0.3394, 0.4459, -0.0173],
        [0.5706, 0.4411, 0.6445, 0.1415, 0.2263, 0.0831, 0.4722, 0.0629, 0.2376, 0.2702, 0.1114,
         0.7297, 0.2671],
    ),
}  # fmt: skip


def main() -> None:
    """Write the worked example and seeded draws of 2, 3, 5 and 12 cohorts, alike and unlike."""
    rng = np.random.default_rng(8)
    sets = dict(WORKED)
    for cohorts in (2, 3, 5, 12):
        for spread in (0.0, 0.1, 0.5):
            errors = rng.uniform(0.05, 0.3, cohorts)
            effects = 0.2 + rng.normal(0, 1, cohorts) * np.hypot(errors, spread)
            sets[f"k{cohorts}_{spread}"] = (effects.round(6).tolist(), errors.round(6).tolist())
    sets["alike"] = ([0.2, 0.2001, 0.1999, 0.2], [0.1, 0.12, 0.2, 0.15])
    lines = ["set\teffect\tse"]
    for name, (effects, errors) in sets.items():
        lines += [f"{name}\t{y}\t{s}" for y, s in zip(effects, errors, strict=True)]
    (HERE / "effects.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
