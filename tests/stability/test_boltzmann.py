"""Boltzmann estimators against a harmonic system, whose averages are known."""

import jax.numpy as jnp
import numpy as np
import pytest
from ase import units

from helpers.errors import ConfigError, DataError
from helpers.stability import (
    BoltzmannEstimator,
    block_error,
    effective_sample_size,
    reweighting_sample_size,
)

TEMPERATURE_K = 300.0
KT = units.kB * TEMPERATURE_K
STIFFNESS, CENTER = 2.0, 0.3  # eV/Å², Å
N = 20_000
PARAMETERS = {"stiffness": np.array(STIFFNESS), "center": np.array(CENTER)}
# Derivatives of ⟨x⟩ = c and ⟨x²⟩ = c² + kT/k
EXACT = {"stiffness": [0.0, -KT / STIFFNESS**2], "center": [1.0, 2 * CENTER]}


def energy(parameters, x):
    return 0.5 * parameters["stiffness"] * (x - parameters["center"]) ** 2


def moments(parameters, x):
    return jnp.stack([x, x**2])


ESTIMATOR = BoltzmannEstimator(energy, moments, TEMPERATURE_K, chunk_size=4096)


def positions(n, seed=0):
    rng = np.random.default_rng(seed)
    return CENTER + np.sqrt(KT / STIFFNESS) * rng.standard_normal(n)


def test_gradients_of_averages_are_the_exact_ones():
    samples = positions(N)
    for k, cotangent in enumerate(np.eye(2)):
        gradient = ESTIMATOR.mean_gradient(PARAMETERS, samples, cotangent)
        parts = [
            ESTIMATOR.mean_gradient(PARAMETERS, part, cotangent) for part in samples.reshape(20, -1)
        ]
        for name, exact in EXACT.items():
            error = np.std([part[name] for part in parts], ddof=1) / np.sqrt(len(parts))
            assert 0 < error < 0.05
            assert gradient[name] == pytest.approx(exact[k], abs=4 * error)


def test_they_are_the_slopes_of_reweighted_averages():
    samples, step = positions(200), 1e-5
    for name in PARAMETERS:
        means = []
        for sign in (1, -1):
            moved = PARAMETERS | {name: PARAMETERS[name] + sign * step}
            weights = np.exp(-(energy(moved, samples) - energy(PARAMETERS, samples)) / KT)
            means.append((weights * samples**2).sum() / weights.sum())
        slope = (means[0] - means[1]) / (2 * step) * 200 / 199  # N/(N − 1)
        gradient = ESTIMATOR.mean_gradient(PARAMETERS, samples, [0.0, 1.0])[name]
        assert gradient == pytest.approx(slope, rel=1e-7)


def test_an_observable_may_depend_on_the_parameters():
    """⟨U⟩ = kT/2 whatever the stiffness: both terms of its derivative cancel."""
    estimator = BoltzmannEstimator(
        energy, lambda parameters, x: energy(parameters, x)[None], TEMPERATURE_K, 4096
    )
    gradient = estimator.mean_gradient(PARAMETERS, positions(N), [1.0])["stiffness"]
    only_direct = 0.5 * KT / STIFFNESS
    assert abs(gradient) < 0.1 * only_direct


def test_chunks_of_any_size_give_the_same_gradient():
    samples, target = positions(103), [0.0, 0.5]
    whole = BoltzmannEstimator(energy, moments, TEMPERATURE_K, 103)
    expected = whole.loss_gradient(PARAMETERS, samples, target)
    for size in (1, 10, 1000):
        estimator = BoltzmannEstimator(energy, moments, TEMPERATURE_K, size)
        result = estimator.loss_gradient(PARAMETERS, samples, target)
        assert result.loss == pytest.approx(expected.loss, rel=1e-12)
        for name in PARAMETERS:
            assert result.gradient[name] == pytest.approx(expected.gradient[name], rel=1e-10)


def square(parameters, x):
    return ((x - CENTER) ** 2)[None]


def test_the_bias_of_minibatches_is_that_of_their_size_and_halves_have_none():
    """g = y², ∂U/∂k = y²/2 with y normal of variance σ²: the third cumulant is 4 σ⁶."""
    estimator = BoltzmannEstimator(energy, square, TEMPERATURE_K, N)
    samples, variance = positions(N, seed=7), KT / STIFFNESS
    target = np.array([1.5 * variance])
    true = 2 * (variance - target[0]) * -KT / STIFFNESS**2
    bias_of_ten = 2 * -4 * variance**3 / KT / 10
    assert abs(bias_of_ten) > 0.5 * abs(true)  # it would be seen

    def stiffness_gradients(method, n_parts, **options):
        return np.array(
            [
                estimator.loss_gradient(
                    PARAMETERS, part, target, method=method, **options
                ).gradient["stiffness"]
                for part in samples.reshape(n_parts, -1)
            ]
        )

    for method, options, expected in (
        ("minibatch", {"batch_size": 10}, true + bias_of_ten),
        ("pool", {}, true + bias_of_ten / 100),
        ("split", {}, true),
    ):
        gradients = stiffness_gradients(method, 20, **options)
        error = gradients.std(ddof=1) / np.sqrt(len(gradients))
        assert error < 0.2 * abs(true)
        assert gradients.mean() == pytest.approx(expected, abs=3.5 * error), method


def test_local_equals_global_where_atoms_are_independent_and_is_less_noisy():
    """Eight oscillators that do not know of each other; the observable is that of the first."""
    samples = positions(8 * 4000, seed=3).reshape(-1, 8)

    def total(parameters, x):
        return energy(parameters, x).sum()

    def first_alone(parameters, x):
        return energy(parameters, x[0])

    def first(parameters, x):
        return x[:1] ** 2

    gradients = {}
    for name, part in (("global", total), ("local", first_alone)):
        estimator = BoltzmannEstimator(part, first, TEMPERATURE_K, 400)
        gradients[name] = np.array(
            [
                estimator.mean_gradient(PARAMETERS, one, [1.0])["center"]
                for one in samples.reshape(10, 400, 8)
            ]
        )
    errors = {name: x.std(ddof=1) / np.sqrt(10) for name, x in gradients.items()}
    for name in gradients:
        assert gradients[name].mean() == pytest.approx(2 * CENTER, abs=4 * errors[name])
    assert errors["local"] < 0.7 * errors["global"]


def test_errors_of_correlated_samples():
    rng = np.random.default_rng(1)
    noise, memory = rng.standard_normal((4000, 8)), 0.9
    values = np.zeros_like(noise)
    for before, after, fresh in zip(values, values[1:], noise, strict=False):
        after[:] = memory * before + np.sqrt(1 - memory**2) * fresh
    exact = np.sqrt((1 + memory) / (1 - memory) / values.size)
    assert block_error(values, 80) == pytest.approx(exact, rel=0.25)
    assert effective_sample_size(values, 80) == pytest.approx(values.size / 19, rel=0.5)
    with pytest.raises(DataError, match="3 times of 1 replicas cannot be cut into 10 blocks"):
        block_error(np.ones((3, 1)))


def test_sample_size_after_reweighting():
    energies = np.linspace(0, 1, 50)
    assert reweighting_sample_size(energies, energies + 3, 300) == pytest.approx(50)
    assert reweighting_sample_size(energies, 0 * energies, 1.0) == pytest.approx(1)


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(DataError, match="1 sample has no covariance"):
        ESTIMATOR.mean_gradient(PARAMETERS, positions(1), [1.0, 0.0])
    with pytest.raises(DataError, match="There are no samples"):
        ESTIMATOR.values(PARAMETERS, positions(0))
    with pytest.raises(
        DataError, match="not finite for all samples.*1 of 5, the first is sample 2"
    ):
        ESTIMATOR.values(PARAMETERS, np.array([0, 0, np.nan, 0, 0]))
    with pytest.raises(ConfigError, match=r"target does not fit.*\(2,\).*\(1,\)"):
        ESTIMATOR.loss_gradient(PARAMETERS, positions(5), [1.0])
    with pytest.raises(ConfigError, match="batch_size belongs to"):
        ESTIMATOR.loss_gradient(PARAMETERS, positions(5), [1.0, 0.0], batch_size=4)
    with pytest.raises(ConfigError, match="method='pol'"):
        ESTIMATOR.loss_gradient(PARAMETERS, positions(5), [1.0, 0.0], method="pol")
    with pytest.raises(ConfigError, match="temperature_K=0"):
        BoltzmannEstimator(energy, moments, 0)
