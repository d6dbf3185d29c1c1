"""Interactions: against OpenMM, against finite differences, and by their names."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import units

from helpers.differentiable import (
    Coulomb,
    Ewald,
    GeneralizedBorn,
    HarmonicAngles,
    HarmonicBonds,
    MixedLennardJones,
    MorseBonds,
    OPLSTorsions,
    PeriodicTorsions,
    ReactionField,
    Reparametrized,
    RyckaertBellemansTorsions,
    Sum,
    choose,
    from_network,
    pair_scaling,
    parameter_names,
    ryckaert_bellemans_from_opls,
)
from helpers.errors import ConfigError
from helpers.jax_setup import double_precision
from helpers.md.pairs import TRUNCATIONS, PairSearch

pytestmark = pytest.mark.usefixtures("quickly_compiled")

REFERENCE = json.loads(Path(__file__).with_name("openmm_reference.json").read_text())
POSITIONS = 10 * np.array(REFERENCE["positions"])
N_ATOMS = len(POSITIONS)
CELL = np.diag(10 * np.array(REFERENCE["box"]))
CHARGE = {"charge_e": np.array(REFERENCE["charge"])}
KJ = units.kJ / units.mol
TERMS = {name: np.array(value) for name, value in REFERENCE["terms"].items()}
SCALING = pair_scaling(N_ATOMS, REFERENCE["bonds"], one_four=0.5)
MIXED = {
    "epsilon_eV": KJ * np.array(REFERENCE["epsilon"]),
    "sigma_A": 10 * np.array(REFERENCE["sigma"]),
}
TORSIONS = np.array(REFERENCE["quadruples"])
BORN = {
    **CHARGE,
    "radius_A": 10 * np.array(REFERENCE["radius"]),
    "screening": np.array(REFERENCE["screening"]),
}
OPLS = np.random.default_rng(0).uniform(-0.1, 0.1, (4, len(TORSIONS)))

# Name of the case of OpenMM, or another name → interaction, parameters, cell.
CASES = {
    "lennard_jones_truncated": (
        MixedLennardJones(9.0, "truncated", scaling=SCALING), MIXED, CELL,
    ),
    "lennard_jones_switched": (
        MixedLennardJones(9.0, "switched", switch_from_A=7.0, scaling=SCALING), MIXED, CELL,
    ),
    "coulomb": (Coulomb(scaling=SCALING), CHARGE, None),
    "reaction_field": (ReactionField(9.0, 78.3, SCALING), CHARGE, CELL),
    "ewald": (Ewald(10.5, CELL, 1e-9, SCALING), CHARGE, CELL),
    "bonds": (
        HarmonicBonds(REFERENCE["bonds"]),
        {
            "stiffness_eV_per_A2": TERMS["bond_stiffness"] * KJ / 100,
            "length_A": 10 * TERMS["bond_length"],
        },
        None,
    ),
    "morse": (
        MorseBonds(REFERENCE["bonds"]),
        {"depth_eV": TERMS["bond_stiffness"] * KJ / 1000, "width_per_A": 1.8, "length_A": 1.4},
        CELL,
    ),
    "angles": (
        HarmonicAngles(REFERENCE["triples"]),
        {"stiffness_eV": TERMS["angle_stiffness"] * KJ, "angle": TERMS["angle"]},
        None,
    ),
    "periodic_torsions": (
        PeriodicTorsions(TORSIONS, TERMS["periodicity"]),
        {"stiffness_eV": TERMS["torsion_stiffness"] * KJ, "phase": TERMS["torsion_phase"]},
        CELL,
    ),
    "ryckaert_bellemans": (
        RyckaertBellemansTorsions(TORSIONS), {"C_eV": TERMS["ryckaert_bellemans"] * KJ}, None,
    ),
    "generalized_born": (GeneralizedBorn(), BORN, None),
    "opls": (OPLSTorsions(TORSIONS), {"F_eV": OPLS}, None),
    "obc1": (GeneralizedBorn("OBC1", surface=False), BORN, None),
    "lennard_jones_shifted": (MixedLennardJones(9.0, "shifted"), MIXED, CELL),
    "lennard_jones_shifted_force": (MixedLennardJones(9.0, "shifted_force"), MIXED, CELL),
    "lennard_jones_all": (MixedLennardJones(None), MIXED, None),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _double_precision():
    with double_precision():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCE["cases"])
def test_energy_and_forces_are_those_of_openmm(name):
    """The file's numbers are reproduced to 1e-6 of the largest force."""
    field, parameters, cell = CASES[name]
    energy, forces = jax.jit(lambda x: field(parameters, x, cell, None))(POSITIONS)
    expected = REFERENCE["cases"][name]
    assert energy / KJ == pytest.approx(expected["energy"], rel=1e-6)
    theirs = np.array(expected["forces"])
    np.testing.assert_allclose(forces * 10 / KJ, theirs, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.slow  # compiles third derivatives: up to 3 s
@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences(name):
    """Energy and a force, along a random direction of parameters and positions, both modes."""
    field, parameters, cell = CASES[name]
    rng = np.random.default_rng(1)
    weights = rng.normal(size=POSITIONS.shape)
    at = {
        "parameters": {key: jnp.asarray(value, float) for key, value in parameters.items()},
        "positions": jnp.asarray(POSITIONS),
    }
    direction = {
        "parameters": jax.tree.map(
            lambda x: 0.01 * jnp.abs(x) * rng.normal(size=x.shape), at["parameters"]
        ),
        "positions": 0.02 * rng.normal(size=POSITIONS.shape),
    }

    def measured(at):
        energy, forces = field(at["parameters"], at["positions"], cell, None)
        return energy, (weights * forces).sum()

    @jax.jit
    def slopes(at):
        _, forward = jax.jvp(measured, (at,), (direction,))
        _, pull = jax.vjp(measured, at)
        reverse = [
            sum(map(jnp.vdot, *map(jax.tree.leaves, (pull(one)[0], direction))))
            for one in ((1.0, 0.0), (0.0, 1.0))
        ]
        return forward, reverse

    values = jax.jit(
        jax.vmap(lambda t: measured(jax.tree.map(lambda x, d: x + t * d, at, direction)))
    )
    h = 2e-3
    shifted = np.array(values(h * jnp.array([-2.0, -1.0, 1.0, 2.0])))
    # The error of these differences falls with the fourth power of the step
    differences = shifted @ np.array([1, -8, 8, -1]) / (12 * h)
    forward, reverse = slopes(at)
    np.testing.assert_allclose(forward, differences, rtol=1e-6)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9)


@pytest.mark.slow
def test_sums_lists_and_names():
    """Bonds and pairs together, with a neighbor list; the parameters picked by name."""
    field = Sum({"bonds": CASES["bonds"][0], "pairs": CASES["lennard_jones_switched"][0]})
    parameters = {"bonds": CASES["bonds"][1], "pairs": MIXED}
    assert parameter_names(parameters) == [
        "bonds.length_A", "bonds.stiffness_eV_per_A2", "pairs.epsilon_eV", "pairs.sigma_A",
    ]  # fmt: skip
    x, cell = jnp.asarray(POSITIONS), jnp.asarray(CELL)
    lists = {"pairs": PairSearch(9.0, 0.5).build(x, cell)}

    @jax.jit
    def both(parameters):
        return field(parameters, x, cell, None), field(parameters, x, cell, lists)

    (energy, forces), (same, alike) = both(parameters)
    assert energy == pytest.approx(float(same), rel=1e-12)
    np.testing.assert_allclose(alike, forces, atol=1e-12)
    parts = [REFERENCE["cases"][name]["energy"] for name in ("bonds", "lennard_jones_switched")]
    assert energy / KJ == pytest.approx(sum(parts), rel=1e-6)
    picked, put_back = choose(parameters, ["pairs.sigma_A", "bonds"])
    assert sorted(picked) == ["bonds.length_A", "bonds.stiffness_eV_per_A2", "pairs.sigma_A"]
    changed = put_back({"pairs.sigma_A": 0 * picked["pairs.sigma_A"]})
    assert both(changed)[0][0] / KJ == pytest.approx(parts[0], rel=1e-6)  # σ = 0: no pairs
    assert np.isfinite(
        jax.jit(jax.grad(lambda p: field(put_back(p), x, cell, None)[0]))(
            {"pairs.sigma_A": 0 * picked["pairs.sigma_A"]}
        )["pairs.sigma_A"]
    ).all()
    with pytest.raises(ConfigError, match="no parameter 'pairs.sigma'.*did you mean"):
        choose(parameters, ["pairs.sigma"])
    with pytest.raises(ConfigError, match="no term 'bond'.*did you mean 'bonds'"):
        field({**parameters, "bond": ()}, x, cell, None)
    with pytest.raises(ConfigError, match="HarmonicBonds lacks length_A"):
        CASES["bonds"][0]({"stiffness_eV_per_A2": 1.0}, x, None, None)
    with pytest.raises(ConfigError, match="has no parameter 'length'.*did you mean 'length_A'"):
        CASES["bonds"][0]({"stiffness_eV_per_A2": 1.0, "length": 1.0}, x, None, None)


@pytest.mark.slow
def test_networks_and_functions_of_parameters():
    """An equinox network as an energy; a charge that follows from another."""
    import equinox

    network = equinox.nn.MLP(1, "scalar", 4, 1, jax.nn.softplus, key=jax.random.key(0))
    field, parameters = from_network(
        network, lambda net, x, cell, lists: net(jnp.linalg.norm(x[1] - x[0])[None])
    )
    x = jnp.asarray(POSITIONS[:2])
    r = np.linalg.norm(POSITIONS[1] - POSITIONS[0])
    energy, forces = field(parameters, x, None, None)
    assert energy == pytest.approx(float(network(jnp.array([r]))), rel=1e-6)
    np.testing.assert_allclose(forces[0], -forces[1], rtol=1e-6)
    of_weights = jax.grad(lambda p: field(p, x, None, None)[1][0, 0])(parameters)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(of_weights)[:2])

    neutral = Reparametrized(Coulomb(), lambda q: {"charge_e": jnp.stack([q, -q])})
    energy, _ = neutral(0.5, x, None, None)
    assert energy == pytest.approx(-0.25 * units.Hartree * units.Bohr / r)


def test_opls_torsions_are_ryckaert_bellemans_torsions():
    x = jnp.asarray(POSITIONS)
    energy, forces = jax.jit(lambda: OPLSTorsions(TORSIONS)({"F_eV": OPLS}, x, None, None))()
    other = RyckaertBellemansTorsions(TORSIONS)
    C = ryckaert_bellemans_from_opls(OPLS)
    same, alike = jax.jit(lambda: other({"C_eV": C}, x, None, None))()
    assert same == pytest.approx(float(energy), rel=1e-12)
    np.testing.assert_allclose(alike, forces, atol=1e-12)


@pytest.mark.slow
def test_a_bare_cutoff_has_a_kink_that_no_gradient_sees():
    """Across the cutoff the energy jumps: the difference is not the derivative."""
    x = jnp.array([[0.0, 0, 0], [8.9999, 0, 0]])
    parameters = {"epsilon_eV": 0.01, "sigma_A": 3.4}
    h = 1e-3
    slopes = {}
    for truncation in TRUNCATIONS:
        field = MixedLennardJones(9.0, truncation)
        energies = [field.energy(parameters, x.at[1, 0].add(s), None, None) for s in (-h, h)]
        difference = (energies[1] - energies[0]) / (2 * h)
        _, forces = field(parameters, x, None, None)
        slopes[truncation] = float(difference), -float(forces[1, 0])
    assert slopes["truncated"][0] > 100 * slopes["truncated"][1]
    assert slopes["shifted"][0] == pytest.approx(slopes["shifted"][1], rel=0.5)
    for truncation in ("shifted_force", "switched"):
        assert slopes[truncation] == pytest.approx((0, 0), abs=1e-7)


@pytest.mark.slow
def test_collinear_and_coinciding_atoms_have_finite_gradients():
    line = jnp.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [3.0, 0, 0]])
    for field, parameters in (
        (HarmonicBonds([[0, 1]]), {"stiffness_eV_per_A2": 1.0, "length_A": 1.0}),
        (HarmonicAngles([[0, 1, 2]]), {"stiffness_eV": 1.0, "angle": 1.5}),
        (PeriodicTorsions([[0, 1, 2, 3]], 1), {"stiffness_eV": 1.0, "phase": 0.3}),
    ):
        for x in (line, 0 * line):
            assert np.isfinite(field(parameters, x, None, None)[1]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixedLennardJones(-1.0), "cutoff_A=-1.0"),
        (lambda: MixedLennardJones(9.0, switch_from_A=9.5), "switch_from_A=9.5.*below the cutoff"),
        (lambda: MixedLennardJones(9.0, "bare"), "truncation='bare'"),
        (lambda: HarmonicBonds([[0, 0]]), "different atoms"),
        (lambda: HarmonicAngles([[0, 1]]), "rows of 3 whole numbers"),
        (lambda: GeneralizedBorn("OBC3"), "model='OBC3'.*'OBC1' or 'OBC2'"),
        (lambda: Ewald(9.0, CELL, 0.5), "tolerance=0.5"),
        (lambda: ReactionField(9.0, -1), "permittivity=-1"),
        (lambda: Sum({"a.b": Coulomb()}), "without a dot"),
        (lambda: pair_scaling(3, [[0, 5]]), "atoms below 3"),
        (lambda: ryckaert_bellemans_from_opls([1.0, 2.0]), "four numbers"),
    ],
)
def test_settings_that_cannot_be_used(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
