"""The engine's parts: special functions, block structure, elimination; random designs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special as reference
from scipy.optimize import minimize

from fibroserum.inference import BlockedInference
from fibroserum.inference import special as ours
from fibroserum.inference.determinant import log_determinant, new_determinant
from fibroserum.inference.dispersions import Goal, new_workspace, objective
from fibroserum.inference.structure import BlockStructure, find_blocks, without_blocks


def test_elementary_functions():
    x = np.concatenate([np.linspace(-600, 600, 2001), [0.0, 1e-300]])
    np.testing.assert_allclose([ours.exp(v) for v in x], np.exp(x), rtol=1e-15)
    x = np.exp(np.linspace(-600, 600, 2001))
    np.testing.assert_allclose([ours.log(v) for v in x], np.log(x), rtol=4e-16, atol=2e-16)
    np.testing.assert_allclose([ours.log1p(v) for v in x], np.log1p(x), rtol=1e-15)


def test_stirling_series():
    x = np.exp(np.linspace(np.log(8), 25, 400))
    gamma = (x - 0.5) * np.log(x) - x + 0.5 * np.log(2 * np.pi)
    near = x < 1e3
    np.testing.assert_allclose(
        [ours.stirling(v) for v in x[near]], (reference.gammaln(x) - gamma)[near], atol=2e-12
    )
    np.testing.assert_allclose(
        [ours.stirling_1(v) + np.log(v) for v in x], reference.digamma(x), rtol=1e-14
    )
    np.testing.assert_allclose(
        [ours.stirling_2(v) + 1 / v for v in x], reference.polygamma(1, x), rtol=1e-12
    )


def test_blocks_are_the_small_indicators():
    donor = np.repeat(np.arange(4), 2)
    after = np.tile([0, 1], 4)
    design = np.column_stack([after, donor[:, None] == np.arange(4)]).astype(float)
    structure = find_blocks(design)
    assert structure.block_columns.tolist() == [1, 2, 3, 4]
    assert structure.dense_columns.tolist() == [0]
    assert structure.columns.tolist() == [1, 2, 3, 4, 0]
    assert structure.rank == 5


def test_r_style_design_has_samples_in_no_block():
    donor = np.repeat(np.arange(3), 2)
    design = np.column_stack([np.ones(6), donor == 1, donor == 2, np.tile([0, 1], 3)]).astype(float)
    structure = find_blocks(design)
    assert structure.block_columns.tolist() == [1, 2]
    assert structure.order.tolist() == [2, 4, 3, 5, 0, 1]
    assert structure.block_of.tolist() == [0, 1, 0, 1, 2, 2]
    assert structure.rank == 4


def test_rank_deficiency_is_seen():
    donor = np.repeat(np.arange(3), 2)
    design = np.column_stack([donor[:, None] == np.arange(3), np.ones(6)]).astype(float)
    assert find_blocks(design).rank == 3


def _matrix(structure: BlockStructure) -> np.ndarray:
    """Return the design matrix that a structure stands for, rows and columns in their places."""
    matrix = np.empty((structure.n_samples, structure.n_columns))
    matrix[np.ix_(structure.order, structure.columns)] = structure.design
    return matrix


def _designs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    donor = np.repeat(np.arange(8), [2, 2, 3, 4, 2, 2, 1, 4])
    rows, time = len(donor), np.arange(len(donor)) % 2
    blocks = donor[:, None] == np.arange(8)
    group = donor % 2
    return {
        "paired": np.column_stack([blocks, time * (group == 0), time * (group == 1)]),
        "between": np.column_stack([time, blocks[:, :4], rng.normal(size=rows), blocks[:, 4:]]),
        "some in no block": np.column_stack([np.ones(rows), time, blocks[:, 2:5], group]),
        "baseline": np.column_stack([group == 0, group == 1, rng.normal(size=rows)]),
    }


@pytest.mark.parametrize("name", list(_designs()))
def test_a_block_is_left_out_as_if_it_had_never_been(name: str):
    design = _designs()[name].astype(float)
    whole = find_blocks(design)
    np.testing.assert_array_equal(_matrix(whole), design)
    for column in whole.block_columns:
        rest, kept = without_blocks(whole, np.array([column]))
        np.testing.assert_array_equal(kept, design[:, column] == 0)
        smaller = np.delete(design[kept], column, axis=1)
        np.testing.assert_array_equal(_matrix(rest), smaller)
        assert rest.rank == np.linalg.matrix_rank(smaller)
        for other in (np.arange(smaller.shape[1]) == 0, np.arange(smaller.shape[1]) % 2 == 1):
            np.testing.assert_array_equal(
                rest.concerned(other), (smaller[:, other] != 0).any(axis=1)
            )
    for column in whole.dense_columns:
        with pytest.raises(ValueError, match="are not all blocks"):
            without_blocks(whole, np.array([column]))


@pytest.mark.parametrize("seed", range(20))
def test_a_covariate_of_the_donor_is_rank_deficient_whatever_its_rounding(seed: int):
    rng = np.random.default_rng(seed)
    donor = np.repeat(np.arange(6), 3)
    blocks = (donor[:, None] == np.arange(6)).astype(float)
    age = rng.normal(50, 8, 6)[donor]
    alone = np.column_stack([blocks, age])
    with_time = np.column_stack([blocks, age, np.tile([0.0, 1.0, 2.0], 6)])
    for design in (alone, with_time):
        assert find_blocks(design).rank == design.shape[1] - 1
        with pytest.raises(ValueError, match="not of full rank"):
            BlockedInference(n_cpus=1).lin_reg_mu(np.ones((18, 2)), np.ones(18), design, 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gaps_are_refused(bad: float):
    design = np.kron(np.eye(4), np.ones((2, 1)))
    engine, counts, mu = BlockedInference(n_cpus=1), np.full((8, 3), 5.0), np.full((8, 3), 5.0)
    broken = counts.copy()
    broken[2, 1] = bad
    alpha, sizes = np.full(3, 0.1), np.ones(8)
    with pytest.raises(ValueError, match="must be finite"):
        engine.alpha_mle(broken, design, mu, alpha, 1e-8, 10.0)
    with pytest.raises(ValueError, match="must be finite"):
        engine.alpha_mle(counts, design, broken, alpha, 1e-8, 10.0)
    with pytest.raises(ValueError, match="must be finite"):
        engine.irls(broken, sizes, design, alpha, 0.5, 1e-8)
    with pytest.raises(ValueError, match="must be finite"):
        engine.lin_reg_mu(broken, sizes, design, 0.5)


@st.composite
def designs(draw: st.DrawFn) -> np.ndarray:
    """Draw a design of full rank, with or without blocks and dense columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    blocks, dense = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    loose = draw(st.integers(0, 3))
    sizes = rng.integers(2, 5, blocks)
    n = int(sizes.sum()) + loose + dense + 2
    member = np.repeat(np.arange(blocks + 1), [*sizes, n - sizes.sum()])
    columns = [(member == b).astype(float) for b in range(blocks)]
    columns += [
        rng.normal(size=n) if draw(st.booleans()) else rng.integers(0, 2, n).astype(float)
        for _ in range(dense)
    ]
    if not columns:
        columns = [np.ones(n)]
    matrix = np.column_stack(columns)[rng.permutation(n)][:, rng.permutation(len(columns))]
    if np.linalg.matrix_rank(matrix) < matrix.shape[1] or not matrix.any(axis=0).all():
        return np.column_stack([np.ones(n), np.arange(n) % 2])
    return matrix


@settings(max_examples=60)
@given(designs(), st.integers(0, 1000))
def test_fits_on_random_designs(design: np.ndarray, seed: int):
    rng = np.random.default_rng(seed)
    n, p = design.shape
    engine = BlockedInference(n_cpus=1)
    sizes, alpha = np.exp(rng.normal(0, 0.2, n)), np.array([0.02, 0.3])
    mean = np.exp(4 + 0.3 * design @ rng.normal(size=(p, 2))) * sizes[:, None]
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mean)) + 5
    beta, mu, hat, converged = engine.irls(counts, sizes, design, alpha, 0.5, 1e-10)
    assert converged.all()
    np.testing.assert_allclose(mu, sizes[:, None] * np.exp(design @ beta.T), rtol=1e-8)
    if mu.min() > 0.5:
        # the score of the penalised likelihood vanishes
        score = design.T @ ((counts - mu) / (1 + alpha * mu)) - 1e-6 * beta.T
        assert np.abs(score).max() < 1e-3 * np.sqrt(counts.max())
    weights = np.maximum(mu, 0.5) / (1 + alpha * np.maximum(mu, 0.5))
    for gene in range(2):
        normal = (design.T * weights[:, gene]) @ design
        inverse = np.linalg.inv(normal + 1e-6 * np.eye(p))
        expected = weights[:, gene] * np.einsum("ij,jk,ik->i", design, inverse, design)
        np.testing.assert_allclose(hat[:, gene], expected, rtol=1e-6, atol=1e-9)
        contrast = rng.normal(size=p)
        _, _, se = engine.wald_test(
            design, alpha, beta, np.maximum(mu, 0.5), 1e-6 * np.eye(p), contrast, 0.0
        )
        variance = contrast @ inverse @ normal @ inverse @ contrast
        np.testing.assert_allclose(se[gene], np.sqrt(variance), rtol=1e-6)


@settings(max_examples=40)
@given(designs(), st.floats(-15, 2), st.integers(0, 1000))
def test_dispersion_objective_and_slopes(design: np.ndarray, t: float, seed: int):
    rng = np.random.default_rng(seed)
    structure = find_blocks(design)
    mu = np.exp(rng.normal(3, 1, len(design)))
    y = rng.poisson(mu).astype(float)
    goal = Goal(True, -2.0, 0.5, -18.0, 4.0, 0.0)
    work = new_workspace(structure.blocks)

    def at(place: float) -> tuple[float, float, float]:
        order = structure.order
        return objective(y[order], mu[order], place, goal, structure.blocks, work)

    alpha = np.exp(t)
    r = 1 / alpha
    log_gamma = np.array([np.log(r + np.arange(v)).sum() for v in y]) + y * t
    weights = mu / (1 + alpha * mu)
    expected = (
        (log_gamma - (y + r) * np.log1p(alpha * mu)).sum()
        - 0.5 * np.linalg.slogdet((design.T * weights) @ design)[1]
        - 0.25 * (t + 2) ** 2
    )
    f, g, h = at(t)
    np.testing.assert_allclose(f, expected, rtol=1e-9, atol=1e-7)
    step = 1e-4
    np.testing.assert_allclose(g, (at(t + step)[0] - at(t - step)[0]) / (2 * step), atol=2e-4)
    np.testing.assert_allclose(h, (at(t + step)[1] - at(t - step)[1]) / (2 * step), atol=2e-4)


def test_determinant_of_singular_weights():
    structure = find_blocks(np.kron(np.eye(2), np.ones((2, 1))))
    scratch = new_determinant(structure.blocks)
    zero = np.zeros(4)
    assert log_determinant(zero, zero, zero, structure.blocks, scratch)[0] == -np.inf


def test_maximum_is_global():
    """Against a fine search, on likelihoods of few counts, which can have two maxima."""
    rng = np.random.default_rng(5)
    design = np.kron(np.eye(4), np.ones((2, 1)))
    design = np.column_stack([design, np.tile([0.0, 1.0], 4)])
    counts = rng.negative_binomial(0.7, 0.1, (8, 40))
    mu = np.maximum(rng.gamma(2, 4, (8, 40)), 0.5)
    found, _ = BlockedInference(n_cpus=1).alpha_mle(
        counts, design, mu, np.full(40, 0.1), 1e-8, 10.0
    )
    structure = find_blocks(design)
    work = new_workspace(structure.blocks)
    goal = Goal(True, 0.0, 0.0, -19.0, 3.0, 0.0)
    order = structure.order
    for gene in range(40):
        y, m = counts[order, gene].astype(float), mu[order, gene]

        def value(t: float, y: np.ndarray = y, m: np.ndarray = m) -> float:
            return objective(y, m, t, goal, structure.blocks, work)[0]

        grid = np.linspace(np.log(1e-8), np.log(10), 120)
        best = max(value(t) for t in grid)
        assert value(np.log(found[gene])) >= best - 1e-6


def test_irls_fallback_finds_the_bounded_maximum():
    """A separated gene, where least squares do not settle: against scipy."""
    design = np.column_stack([np.ones(8), np.tile([0.0, 1.0], 4)])
    counts = np.array([[0, 400, 0, 0, 0, 0, 0, 0]]).T
    engine = BlockedInference(n_cpus=1)
    beta, _, _, converged = engine.irls(
        counts, np.ones(8), design, np.array([9.0]), 0.0, 1e-8, maxiter=1
    )

    def loss(b: np.ndarray) -> float:
        eta = design @ b
        y = counts[:, 0]
        likelihood = y * eta - (y + 1 / 9) * np.logaddexp(0, eta + np.log(9))
        return -likelihood.sum() + 0.5e-6 * (b**2).sum()

    best = minimize(loss, [0.0, 0.0], method="L-BFGS-B", bounds=[(-30, 30)] * 2, tol=1e-14)
    assert converged.all()
    assert loss(beta[0]) <= best.fun + 1e-6
