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


@pytest.mark.parametrize("name", REFERENCE["cases"])
def test_energy_and_forces_are_those_of_openmm(name):
    """The file's numbers are reproduced to 1e-6 of the largest force."""
    field, parameters, cell = CASES[name]
    energy, forces = jax.jit(lambda x: field(parameters, x, cell, None))(POSITIONS)
    expected = REFERENCE["cases"][name]
    assert energy / KJ == pytest.approx(expected["energy"], rel=1e-6)
    theirs = np.array(expected["forces"])
    np.testing.assert_allclose(forces * 10 / KJ, theirs, atol=1e-6 * np.abs(theirs).max())


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

    values = jax.jit(jax.vmap(lambda t: measured(jax.tree.map(lambda x, d: x + t * d, at, direction))))
    h = 2e-3
    shifted = np.array(values(h * jnp.array([-2.0, -1.0, 1.0, 2.0])))
    # The error of these differences falls with the fourth power of the step
    differences = shifted @ np.array([1, -8, 8, -1]) / (12 * h)
    forward, reverse = slopes(at)
    np.testing.assert_allclose(forward, differences, rtol=1e-6)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9)
