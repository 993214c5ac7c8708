"""The inference engine against PyDESeq2's own, method by method, and on hostile genes."""

from __future__ import annotations

import os
import subprocess
import sys
from abc import abstractmethod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydeseq2.default_inference import DefaultInference
from pydeseq2.inference import Inference
from pydeseq2.utils import nb_nll, nbinomFn

from fibroserum.inference import BlockedInference
from fibroserum.inference.interface import check_interface

PAIRS = 6


@pytest.fixture(scope="module")
def design() -> np.ndarray:
    """Return two groups of 3 donors, before and after: donor blocks and two `after` columns."""
    donor, after = np.repeat(np.arange(PAIRS), 2), np.tile([0.0, 1.0], PAIRS)
    blocks = (donor[:, None] == np.arange(PAIRS)).astype(float)
    return np.column_stack([blocks, after * (donor < 3), after * (donor >= 3)])


@pytest.fixture(scope="module")
def cohort(design: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    genes = 60
    mean = np.exp(rng.normal(4, 1.2, genes))
    sizes = np.exp(rng.normal(0, 0.3, len(design)))
    alpha = (0.05 + 1 / mean) * np.exp(rng.normal(0, 0.3, genes))
    beta = np.vstack(
        [np.log(mean) + rng.normal(0, 0.3, (PAIRS, genes)), rng.normal(0, 0.5, (2, genes))]
    )
    mu = np.exp(design @ beta) * sizes[:, None]
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mu))
    return {"counts": counts, "sizes": sizes, "alpha": alpha}


@pytest.fixture(scope="module")
def engines() -> tuple[BlockedInference, DefaultInference]:
    return BlockedInference(n_cpus=1), DefaultInference(n_cpus=1)


def penalised(counts, sizes, design, alpha, beta) -> np.ndarray:
    mu = np.maximum(sizes[:, None] * np.exp(design @ beta.T), 0.5)
    nll = np.array([nb_nll(counts[:, g], mu[:, g], alpha[g]) for g in range(counts.shape[1])])
    return -nll - 0.5e-6 * (beta**2).sum(axis=1)


def test_linear_means(cohort, design, engines):
    ours, theirs = (e.lin_reg_mu(cohort["counts"], cohort["sizes"], design, 0.5) for e in engines)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_coefficients_agree_or_are_likelier(cohort, design, engines):
    arguments = (cohort["counts"], cohort["sizes"], design, cohort["alpha"], 0.5, 1e-8)
    ours, theirs = (e.irls(*arguments) for e in engines)
    assert ours[3].all()
    same = np.isclose(ours[0], theirs[0], rtol=1e-4, atol=1e-5).all(axis=1)
    likelier = penalised(cohort["counts"], cohort["sizes"], design, cohort["alpha"], ours[0]) >= (
        penalised(cohort["counts"], cohort["sizes"], design, cohort["alpha"], theirs[0]) - 1e-9
    )
    assert (same | likelier).all()
    assert same.sum() >= 55
    np.testing.assert_allclose(ours[1][:, same], theirs[1][:, same], rtol=1e-3)
    np.testing.assert_allclose(ours[2][:, same], theirs[2][:, same], rtol=1e-3)


def log_likelihood(counts: np.ndarray, mu: np.ndarray, alpha: float) -> float:
    """Return the log-likelihood but for terms without alpha, exact at 1e-8 too.

    The difference of log gamma functions is a sum of logarithms; as a difference it has lost six
    digits there.
    """
    rising = sum(float(np.log1p(alpha * np.arange(int(count))).sum()) for count in counts)
    return rising + float(counts @ np.log(mu) - (counts + 1 / alpha) @ np.log1p(mu * alpha))


@pytest.mark.parametrize("prior", [None, 0.7])
@pytest.mark.parametrize("cox_reid", [True, False])
def test_dispersions_agree_or_are_likelier(cohort, design, engines, prior, cox_reid):
    _, mu, _, _ = engines[0].irls(
        cohort["counts"], cohort["sizes"], design, cohort["alpha"], 0.5, 1e-8
    )
    mu = np.maximum(mu, 0.5)
    ours, theirs = (
        e.alpha_mle(
            cohort["counts"], design, mu, cohort["alpha"], 1e-8, 12.0, prior, cox_reid,
            prior is not None,
        )[0]
        for e in engines
    )  # fmt: skip

    def objective(alpha: np.ndarray) -> np.ndarray:
        values = []
        for g, a in enumerate(alpha):
            value = log_likelihood(cohort["counts"][:, g], mu[:, g], a)
            if cox_reid:
                weights = mu[:, g] / (1 + mu[:, g] * a)
                value -= 0.5 * np.linalg.slogdet((design.T * weights) @ design)[1]
            if prior:
                value -= (np.log(a) - np.log(cohort["alpha"][g])) ** 2 / (2 * prior)
            values.append(value)
        return np.array(values)

    same = np.isclose(ours, theirs, rtol=1e-4)
    likelier = objective(ours) >= objective(np.clip(theirs, 1e-8, 12)) - 1e-9
    assert (same | likelier).all()
    assert likelier.all()


def test_a_dispersion_on_flat_ground_stays_as_in_pydeseq2(design, engines):
    """Genes whose moment estimate is 0 start at the smallest dispersion, and most keep it.

    Rounding decides where PyDESeq2's search of some of these genes ends, so a few may differ.
    """
    rng = np.random.default_rng(3)
    mean = np.tile(np.exp(rng.normal(6, 1.5, 400)), (len(design), 1))
    counts = rng.negative_binomial(20, 1 / (1 + mean / 20))
    start = np.full(400, 1e-8)
    (ours, _), (theirs, converged) = (
        e.alpha_mle(counts, design, np.maximum(mean, 0.5), start, 1e-8, 12.0) for e in engines
    )
    stays = theirs[converged] < 1e-7
    assert len(stays) > 300
    assert 100 < stays.sum() < len(stays) - 50
    assert ((ours[converged] < 1e-7) != stays).mean() < 0.1


@pytest.mark.parametrize(
    ("alternative", "null"),
    [(None, 0.0), ("greaterAbs", 0.2), ("lessAbs", 0.8), ("greater", 0.1), ("less", 0.1)],
)
def test_wald(cohort, design, engines, alternative, null):
    beta, mu, _, _ = engines[0].irls(
        cohort["counts"], cohort["sizes"], design, cohort["alpha"], 0.5, 1e-8
    )
    contrast = np.eye(design.shape[1])[-1]
    ridge = np.diag(np.full(design.shape[1], 1e-6))
    ours, theirs = (
        e.wald_test(design, cohort["alpha"], beta, mu, ridge, contrast, null, alternative)
        for e in engines
    )
    for mine, yours in zip(ours, theirs, strict=True):
        # PyDESeq2 takes the null of every coefficient into a two-sided p above 1
        np.testing.assert_allclose(mine, np.minimum(yours, np.inf), rtol=1e-6, atol=1e-12)


def test_wald_of_a_difference(cohort, design, engines):
    beta, mu, _, _ = engines[0].irls(
        cohort["counts"], cohort["sizes"], design, cohort["alpha"], 0.5, 1e-8
    )
    contrast = np.zeros(design.shape[1])
    contrast[-2:] = [-1, 1]
    ridge = np.diag(np.full(design.shape[1], 1e-6))
    ours, theirs = (
        e.wald_test(design, cohort["alpha"], beta, mu, ridge, contrast, 0.0) for e in engines
    )
    for mine, yours in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, yours, rtol=1e-6)
    with pytest.raises(ValueError, match="diagonal"):
        engines[0].wald_test(design, cohort["alpha"], beta, mu, np.ones_like(ridge), contrast, 0.0)


def test_shrinkage_is_at_least_as_likely(cohort, design, engines):
    column, scale = design.shape[1] - 1, 0.4
    arguments = (
        design, cohort["counts"], 1 / cohort["alpha"], np.log(cohort["sizes"]), 15, scale,
        "L-BFGS-B", column,
    )  # fmt: skip
    ours, theirs = (e.lfc_shrink_nbinom_glm(*arguments) for e in engines)
    assert ours[2].all()
    np.testing.assert_allclose(ours[0][:, column], theirs[0][:, column], atol=2e-3)

    def loss(beta: np.ndarray, gene: int) -> float:
        size, offset = 1 / cohort["alpha"][gene], np.log(cohort["sizes"])
        return nbinomFn(beta, design, cohort["counts"][:, gene], size, offset, 15, scale, column)

    for gene in range(60):
        assert loss(ours[0][gene], gene) <= loss(theirs[0][gene], gene) + 1e-8
    # PyDESeq2 adds the prior's curvature to every row of the Hessian: no reference for this
    for gene in (0, 10, 59):
        np.testing.assert_allclose(np.asarray(ours[1][gene])[:, column], ours[1].inverse[gene])
        assert ours[1][gene][column, column] == ours[1].inverse[gene, column]
    assert len(ours[1]) == len(list(ours[1])) == 60


def test_trend(engines):
    rng = np.random.default_rng(1)
    means = pd.Series(np.exp(rng.normal(4, 1.5, 2000)))
    targets = (0.05 + 3 / means) * rng.gamma(4, 0.25, 2000)
    (ours, fitted, converged), (theirs, _, _) = (
        e.dispersion_trend_gamma_glm(1 / means, targets) for e in engines
    )
    np.testing.assert_allclose(ours, theirs, rtol=2e-3)
    np.testing.assert_allclose(fitted, ours[0] + ours[1] / means)
    assert converged


def test_moments(cohort, design, engines):
    normed = cohort["counts"] / cohort["sizes"][:, None]
    frame = pd.DataFrame(design)
    ours, theirs = (e.fit_rough_dispersions(normed, frame) for e in engines)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    ours, theirs = (e.fit_moments_dispersions(normed, cohort["sizes"]) for e in engines)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    with pytest.raises(ValueError, match="no replicates"):
        engines[0].fit_rough_dispersions(normed[:8], frame[:8])


def test_same_bits_for_any_threads_and_order(cohort, design):
    counts = np.tile(cohort["counts"], (1, 15))[:, :800]
    alpha = np.tile(cohort["alpha"], 15)[:800]
    order = np.random.default_rng(0).permutation(800)

    def run(threads: int, genes: np.ndarray) -> list[np.ndarray]:
        engine = BlockedInference(n_cpus=threads)
        y, a = counts[:, genes], alpha[genes]
        beta, mu, hat, _ = engine.irls(y, cohort["sizes"], design, a, 0.5, 1e-8)
        found, _ = engine.alpha_mle(y, design, np.maximum(mu, 0.5), a, 1e-8, 12.0)
        return [beta, mu.T, hat.T, found]

    reference = run(1, np.arange(800))
    for threads in (2, 8):
        for one, other in zip(reference, run(threads, np.arange(800)), strict=True):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(reference, run(2, order), strict=True):
        np.testing.assert_array_equal(one[order], other)


HOSTILE = {
    "one non-zero sample": [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
    "zeros after": [5, 0, 7, 0, 9, 0, 4, 0, 6, 0, 8, 0],
    "a billion": [10**9] * 12,
    "a billion once": [0] * 11 + [10**9],
    "constant": [5] * 12,
    "donor of zeros": [0, 0, 7, 5, 9, 6, 4, 8, 6, 7, 8, 3],
    "all zeros": [0] * 12,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("alpha", [1e-8, 0.1, 10.0])
def test_hostile_genes(design, name, alpha):
    engine = BlockedInference(n_cpus=1)
    counts = np.array(HOSTILE[name])[:, None]
    sizes, disp = np.linspace(0.7, 1.4, 12), np.array([alpha])
    beta, mu, hat, converged = engine.irls(counts, sizes, design, disp, 0.5, 1e-8)
    assert np.isfinite(beta).all()
    assert np.isfinite(mu).all()
    assert (hat > -1e-9).all()
    assert (hat < 1 + 1e-9).all()
    assert converged.all()
    found, settled = engine.alpha_mle(counts, design, np.maximum(mu, 0.5), disp, 1e-8, 12.0)
    assert settled.all()
    assert 1e-8 * 0.999 <= found[0] <= 12 * 1.001
    ridge = np.diag(np.full(8, 1e-6))
    p, _, se = engine.wald_test(design, disp, beta, mu, ridge, np.eye(8)[7], 0.0)
    assert np.isfinite(p).all()
    assert (se >= 0).all()
    shrunk, _, _ = engine.lfc_shrink_nbinom_glm(
        design, counts, 1 / disp, np.log(sizes), 15, 1, "", 7
    )
    assert np.isfinite(shrunk).all()


def test_no_dispersion_gives_nan(design):
    engine = BlockedInference(n_cpus=1)
    counts = np.full((12, 2), 20)
    beta, _, _, converged = engine.irls(
        counts, np.ones(12), design, np.array([np.nan, 0.1]), 0.5, 1e-8
    )
    assert np.isnan(beta[0]).all()
    assert np.isfinite(beta[1]).all()
    assert converged.tolist() == [False, True]


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(4),  # n = p, one sample a block
        np.kron(np.eye(3), np.ones((2, 1))),  # k = 0
        np.column_stack([np.kron(np.eye(1), np.ones((2, 1))), [0, 1]]),  # one pair only
    ],
    ids=["n = p", "k = 0", "one pair"],
)
def test_smallest_designs(matrix):
    rng = np.random.default_rng(3)
    counts = rng.poisson(50, (len(matrix), 5))
    alpha = np.full(5, 0.05)
    engines = BlockedInference(n_cpus=1), DefaultInference(n_cpus=1)
    ours, theirs = (
        e.irls(counts, np.ones(len(matrix)), matrix, alpha, 0.5, 1e-8)[0] for e in engines
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_refuses_nonsense():
    engine = BlockedInference(n_cpus=1)
    counts = np.ones((4, 1))
    bad = np.array([[1.0, np.nan]] * 4)
    with pytest.raises(ValueError, match="finite"):
        engine.lin_reg_mu(counts, np.ones(4), bad, 0.5)
    with pytest.raises(ValueError, match="zeros"):
        engine.lin_reg_mu(counts, np.ones(4), np.array([[1.0, 0.0]] * 4), 0.5)
    with pytest.raises(ValueError, match="full rank"):
        engine.lin_reg_mu(counts, np.ones(4), np.ones((4, 2)), 0.5)
    with pytest.raises(ValueError, match="n_cpus"):
        BlockedInference(n_cpus=0)
    with pytest.raises(ValueError, match="prior_disp_var"):
        engine.alpha_mle(counts, np.ones((4, 1)), counts, np.ones(1), 1e-8, 10, None, True, True)


class Younger(Inference):
    """An interface with a further method and a further parameter."""

    @abstractmethod
    def lin_reg_mu(self, counts, size_factors, design_matrix, min_mu, weights): ...

    @abstractmethod
    def sandwich(self, counts): ...


def test_another_interface_of_pydeseq2_is_refused():
    check_interface(BlockedInference)
    expected = r"PyDESeq2 0.*\(lin_reg_mu, sandwich\).*tested with PyDESeq2 0.5.2 and 0.5.4"
    with pytest.raises(ImportError, match=expected):
        check_interface(BlockedInference, Younger)


FIT = """
import hashlib
import numpy as np, pandas as pd
from fibroserum.deseq import fit, shrink, wald

donor = np.repeat(np.arange(8), 2)
after = np.tile([0.0, 1.0], 8)
design = pd.DataFrame({f"donor[{d}]": 1.0 * (donor == d) for d in range(8)})
design["after[AT]"], design["after[RT]"] = after * (donor < 4), after * (donor >= 4)
counts = np.random.default_rng(0).negative_binomial(5, 0.05, (16, 200))
fitted = fit(counts, design, np.ones(16))
contrast = np.array([0.0] * 8 + [-1.0, 1.0])
table = wald(fitted, counts, contrast)
parts = [fitted.dispersions, fitted.coefficients, table.to_numpy()]
parts.append(shrink(fitted, counts, contrast, table))
print(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest())
"""


def test_a_first_run_and_later_ones_give_the_same_bits(tmp_path: Path):
    """The first compiles, the second loads what the first has stored."""
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path)}
    answers = [
        subprocess.run(
            [sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert list(tmp_path.rglob("*.nbc"))
    assert len(answers[0]) == 65
    assert answers[0] == answers[1]
