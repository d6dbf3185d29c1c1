"""Fixtures of molecular dynamics: cheap atoms, made-up runs, monitors that let all pass."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones as AseLennardJones

from helpers.jax_setup import double_precision
from helpers.md.integrators import kinetic_energy
from helpers.md.lennard_jones import LennardJones, LennardJonesParameters
from helpers.md.monitor import Monitor
from helpers.md.trajectory import Trajectory


@pytest.fixture
def argon():
    """Solid argon, 32 atoms."""
    return bulk("Ar", "fcc", a=5.26, cubic=True).repeat(2)


@pytest.fixture
def lj():
    """A calculator for it that takes a millisecond."""
    return AseLennardJones(epsilon=0.0103, sigma=3.4, rc=5.0, smooth=True)


@pytest.fixture(scope="session")
def loose():
    """A monitor that lets all pass but a blow-up: a tiny model is no good for water."""
    return Monitor(0.1, 9, 0.1, 2000, 1e6)


@pytest.fixture
def made_up():
    """A function: positions, velocities (n_times, n_atoms, 3) and energies → a `Trajectory`."""

    def run_of(start, positions, velocities, interval_fs, potential=None, free=None):
        n_times = len(velocities)
        return Trajectory(
            times_fs=interval_fs * np.arange(n_times),
            positions_A=positions,
            velocities_A_per_fs=velocities,
            potential_eV=np.zeros(n_times) if potential is None else potential,
            kinetic_eV=kinetic_energy(velocities, start.get_masses()),
            conserved_eV=np.full(n_times, np.nan),
            start=start,
            seed=0,
            timestep_fs=interval_fs,
            target_temperature_K=300.0,
            thermostat="none",
            degrees_of_freedom=free or 3 * len(start) - 3,
            engine="ase",
            stopped="",
            interrupted=False,
            clock_s_per_step=0.01,
            processor_s_per_step=0.01,
        )

    return run_of


class ArgonReplicas:
    """A potential of our own for the compiled engine (see `compiled_engine.ReplicaPotential`)."""

    field = LennardJones(cutoff_A=5.0, truncation="shifted", skin_A=0.2)
    parameters = LennardJonesParameters(epsilon_eV=0.0103, sigma_A=3.4)
    energy_offset_eV = 0.0
    room = np.empty(0, int)  # the lists never grow

    def __init__(self, numbers, n_replicas, skin_A):
        self.order = np.arange(len(numbers))[::-1]  # as good as any other
        self.lists = [None] * n_replicas

    def build(self, replica, positions, cell, pbc):
        with double_precision():
            self.lists[replica] = self.field.neighbors(positions, cell, capacity=800)

    def stack(self):
        return self.field, jax.tree.map(lambda *arrays: np.stack(arrays), *self.lists)


@pytest.fixture
def lj_everywhere(lj):
    """The calculator `lj`, which the compiled engine can run, too."""
    lj.parameters["smooth"] = False
    lj.replicas = ArgonReplicas
    return lj
