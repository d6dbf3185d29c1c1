"""Descriptors against textbook functions, quippy's own SOAP, and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import spherical_in

from helpers.gap.jax.kernels import kernel_sum, pair_sum, quadratic_sum
from helpers.gap.jax.layout import PairParameters, PairTable, pair_parameters
from helpers.gap.jax.radial import cutoff_function, radial_basis, radial_functions
from helpers.gap.jax.soap import component_order, power_spectrum, real_spherical_harmonics
from helpers.gap.jax.terms import PairSettings, SoapSettings
from helpers.jax_setup import double_precision

SOAP = SoapSettings(4, 3, 3.0, 0.5, 0.4, 1.0, 10.0, (8, 1))
# Compiled as a whole: one operation at a time takes ten times as long.
SPECTRUM = jax.jit(power_spectrum, static_argnums=(0, 3))
HARMONICS = jax.jit(real_spherical_harmonics, static_argnums=0)
RADIAL = jax.jit(radial_functions, static_argnums=0)
KERNEL = jax.jit(kernel_sum, static_argnums=0)
PAIRS = jax.jit(pair_sum, static_argnums=0)


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


def soap_of(vectors, settings=SOAP, n_oxygen=1, own=0):
    """SOAP of one atom whose first `n_oxygen` neighbors are oxygen, with one place to spare."""
    vectors = jnp.asarray(vectors, float).reshape(-1, 3)
    filled = jnp.concatenate([vectors, jnp.zeros((1, 3))])
    present = jnp.arange(len(filled)) < len(vectors)
    capacity = (n_oxygen, len(filled) - n_oxygen)
    channel = jnp.eye(2)[own][:, None]
    return SPECTRUM(settings, filled.T[:, :, None], present[:, None], capacity, channel)[:, 0]


def test_harmonics_obey_the_addition_theorem_on_the_z_axis_too():
    points = np.random.default_rng(0).normal(size=(5, 3))
    points[0], points[1] = [0, 0, 1], [0, 0, -1]
    points /= np.linalg.norm(points, axis=1)[:, None]
    harmonics = HARMONICS(6, *jnp.asarray(points.T))
    cosine = points @ points.T
    for l, values in enumerate(harmonics):
        legendre = np.polynomial.legendre.Legendre.basis(l)(cosine)
        expected = (2 * l + 1) / (4 * np.pi) * legendre
        np.testing.assert_allclose(values.T @ values, expected, atol=1e-12)


def test_the_cutoff_is_a_half_cosine():
    r = np.linspace(2.0, 3.5, 301)
    cosine = 0.5 * (1 + np.cos(np.pi * (r - 2.5) / 0.5))
    expected = np.where(r < 2.5, 1, np.where(r < 3, cosine, 0))
    np.testing.assert_allclose(cutoff_function(jnp.asarray(r), 3.0, 0.5), expected, atol=1e-15)


def test_radial_functions_are_bessel_functions_also_very_near():
    settings = SoapSettings(8, 6, 3.0, 0.5, 0.4, 1.0, 10.0, (8, 1))
    r = np.array([1e-30, 1e-9, 1e-3, 0.05, 0.2, 0.32, 0.4, 0.97, 2.2])
    found = RADIAL(settings, jnp.asarray(r))
    a, grid = 1 / (2 * 0.4**2), radial_basis(settings).grid
    for l, values in enumerate(found):
        argument = 2 * a * np.outer(grid, r)
        expected = np.exp(-a * (r**2 + grid[:, None] ** 2)) * spherical_in(l, argument)
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.slow
def test_slopes_of_the_radial_functions():
    r = jnp.array([1e-30, 1e-6, 0.1, 0.33, 1.0, 2.2, 2.7])
    step = 1e-5
    for l in range(SOAP.l_max + 1):
        slope = jax.jvp(partial(RADIAL, SOAP), (r,), (jnp.ones_like(r),))[1][l]
        high, low = (RADIAL(SOAP, r + s)[l] for s in (step, -step))
        inside = slice(1, None)  # finite differences need room on both sides of r = 0
        expected = (high - low) / (2 * step)
        np.testing.assert_allclose(slope[:, inside], expected[:, inside], atol=1e-8)
        assert np.isfinite(slope).all()


def test_soap_is_quippys(frames10):
    from quippy.descriptors import Descriptor

    atoms = frames10[0]
    text = (
        "soap cutoff=3.0 atom_sigma=0.4 n_max=4 l_max=3 cutoff_transition_width=0.5 "
        "n_species=2 Z=8 species_Z={8 1}"
    )
    expected = Descriptor(text).calc_descriptor(atoms)[0]
    vectors = atoms.get_distances(0, range(48), mic=True, vector=True)
    distances = np.linalg.norm(vectors, axis=1)
    near = [i for i in np.argsort(-atoms.numbers, kind="stable") if 0 < distances[i] < 3.0]
    n_oxygen = int((atoms.numbers[near] == 8).sum())
    spectrum = soap_of(vectors[near], n_oxygen=n_oxygen)
    np.testing.assert_allclose(spectrum, expected[:-1][component_order(SOAP)], atol=1e-12)


def test_an_atom_alone_has_a_finite_spectrum_of_length_one():
    spectrum = soap_of(np.zeros((0, 3)), n_oxygen=0)
    assert np.isfinite(spectrum).all() and np.linalg.norm(spectrum) == pytest.approx(1)


@pytest.mark.slow
def test_slopes_are_finite_and_right_on_the_z_axis_and_very_near():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=SOAP.n_components))
    second = np.array([0.9, 0.3, -0.2])
    value = jax.jit(jax.value_and_grad(lambda x: weights @ soap_of(jnp.stack([x, second]))))
    step = 1e-5
    for vector in ([0, 0, 1.1], [0, 0, -0.7], [0, 1e-9, 2.9], [1e-7, 0, 0]):
        slope = np.asarray(value(np.array(vector, float))[1])
        assert np.isfinite(slope).all()
        for axis in range(3):
            high, low = (value(np.array(vector) + s * np.eye(3)[axis])[0] for s in (step, -step))
            assert slope[axis] == pytest.approx(float(high - low) / (2 * step), abs=1e-6)


@pytest.mark.slow
def test_hand_written_derivatives_are_right():
    rng = np.random.default_rng(2)
    vectors = jnp.asarray(rng.normal(size=(4, 3)))
    weights = jnp.asarray(rng.normal(size=SOAP.n_components))
    value = jax.jit(lambda x: weights @ soap_of(x))
    check_grads(value, (vectors,), 1, modes=["rev"], eps=1e-5)
    spectrum = jnp.abs(jnp.asarray(rng.normal(size=(5, 2))))
    points, w = jnp.abs(jnp.asarray(rng.normal(size=(3, 5)))), jnp.asarray(rng.normal(size=3))
    for zeta in (1.0, 2.0, 4.0, 2.5):
        check_grads(
            lambda p, x, w, zeta=zeta: KERNEL(zeta, p, x, x.T, w),
            (spectrum, points, w),
            1,
            modes=["rev"],
            eps=1e-5,
        )
    matrix = (points.T * w) @ points
    np.testing.assert_allclose(
        quadratic_sum(spectrum, matrix), KERNEL(2.0, spectrum, points, points.T, w), atol=1e-12
    )
    check_grads(lambda p, a: quadratic_sum(p, a + a.T), (spectrum, matrix), 1, modes=["rev"])
    pair = PairSettings((1, 8), 4.0, 0.5, 0.5)
    present = jnp.array([True, True, False, True])
    gaussians = PairParameters(jnp.array([1.0, 1.5]), jnp.array([0.3, -2.0]))
    table = pair_parameters(pair, *map(np.asarray, gaussians))
    for parameters in (gaussians, jax.tree.map(jnp.asarray, table)):
        check_grads(
            lambda v, p: PAIRS(pair, v, present, p),
            (vectors.T, parameters),
            1,
            modes=["rev"],
            eps=1e-5,
        )


@pytest.mark.slow
def test_tables_of_pair_terms_are_the_sums_of_gaussians():
    rng = np.random.default_rng(4)
    r = np.sort(rng.uniform(0.1, 6.5, 400))
    vectors, present = np.array([r, 0 * r, 0 * r]), np.ones(len(r), bool)
    slope = jax.jit(jax.grad(lambda *what: pair_sum(*what).sum(), 1), static_argnums=0)
    for theta_A, kind in ((0.5, PairTable), (0.2, PairTable), (0.004, PairParameters)):
        pair = PairSettings((1, 8), 6.0, 0.5, theta_A)
        gaussians = PairParameters(rng.uniform(0.8, 6, 25), 1e3 * rng.normal(size=25))
        table = pair_parameters(pair, *gaussians)
        assert isinstance(table, kind)
        for compute, atol in ((PAIRS, 1e-10), (slope, 1e-8)):
            expected = compute(pair, vectors, present, gaussians)
            np.testing.assert_allclose(compute(pair, vectors, present, table), expected, atol=atol)
