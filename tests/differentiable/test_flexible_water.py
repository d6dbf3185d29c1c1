"""SPC/Fw water against OpenMM; the same model with parameters that were changed."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms, units

from helpers.differentiable import SPC_FW, flexible_water
from helpers.errors import DataError
from helpers.jax_setup import double_precision

STORED = Path(__file__).parents[2] / "benchmarks" / "through_simulations" / "spcfw_openmm.json"


@pytest.mark.slow  # a tight Ewald sum has many waves: 5 s
def test_energy_and_forces_are_those_of_openmm():
    """`spcfw_openmm.py` stored them: sixteen molecules, Ewald sums with a tolerance of 1e-9."""
    stored = json.loads(STORED.read_text())
    positions = np.array(stored["positions_A"])
    length_A = stored["length_A"]
    atoms = Atoms("OH2" * (len(positions) // 3), positions, cell=[length_A] * 3, pbc=True)
    with double_precision():
        field = flexible_water(atoms, cutoff_A=stored["cutoff_A"], tolerance=1e-9)
        cell = jnp.asarray(atoms.cell.array)
        compiled = jax.jit(lambda p, x: field(p, x, cell, None))
        energy, forces = compiled(dict(SPC_FW), positions)
        kJ = units.kJ / units.mol
        assert energy / kJ == pytest.approx(stored["energy_kJ_per_mol"], rel=1e-6)
        expected = np.array(stored["forces_kJ_per_mol_nm"])
        np.testing.assert_allclose(forces * 10 / kJ, expected, atol=1e-6 * np.abs(expected).max())


def test_only_water_is_taken():
    atoms = Atoms("OHH" + "OH", np.random.default_rng(0).uniform(0, 9, (5, 3)), cell=[9] * 3)
    with pytest.raises(DataError, match="not water molecules.*two H for each O"):
        flexible_water(atoms)
