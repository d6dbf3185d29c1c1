"""Liquid, freezing or frozen: order, exchange and diffusion against what they must be."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io import read

from helpers.errors import DataError
from helpers.md import judge_phase, order_along, tetrahedral_order
from helpers.md.diffusion import (
    of_infinite_box,
    water_diffusion_m2_per_s,
    water_viscosity_Pa_s,
)
from helpers.md.phase import Phase

WATER = Phase(0.65, 0.8, 0.15)


def test_order_of_a_diamond_lattice_is_one():
    diamond = bulk("C", "diamond", a=6.0, cubic=True).repeat(2)
    diamond.numbers[:] = 8
    assert np.allclose(tetrahedral_order(diamond), 1.0)
    simple = Atoms("O27", np.stack(np.meshgrid(*[range(3)] * 3), -1).reshape(-1, 3) * 3.0)
    simple.set_cell([9.0] * 3)
    simple.pbc = True
    # Four of six neighbors: 4 right angles and 2 straight ones in a plane, or 5 and 1.
    assert set(np.round(tetrahedral_order(simple), 9)) <= {0.5, 0.625}


def test_order_of_neighbors_at_random_is_zero_on_average():
    rng = np.random.default_rng(5)
    order = []
    for _ in range(400):
        cloud = Atoms("O5", np.zeros((5, 3)), cell=[90] * 3, pbc=True)
        vectors = rng.normal(size=(4, 3))
        cloud.positions[1:] = 3 * vectors / np.linalg.norm(vectors, axis=1)[:, None]
        order.append(tetrahedral_order(cloud)[0])
    assert np.mean(order) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        (WATER, "liquid"),
        (Phase(0.65, 0.8), "liquid by structure"),  # frames: nothing is known of diffusion
        (Phase(0.65, 0.8, 0.02), "supercooled"),
        (Phase(0.45, 0.9, 0.6), "disordered"),
        (Phase(0.78, 0.6, 0.1), "freezing"),
        (Phase(0.70, 0.4, 0.1), "freezing"),
        (Phase(0.72, 0.6, 0.1, change_of_order=0.1, error_of_change=0.02), "freezing"),
        (Phase(0.66, 0.6, 0.1, change_of_order=0.1, error_of_change=0.02), "liquid"),
        (Phase(0.72, 0.6, 0.1, change_of_order=0.1, error_of_change=0.05), "liquid"),
        (Phase(0.9, 0.1, 0.001), "frozen"),
    ],
)
def test_the_verdict(phase, verdict):
    assert phase.verdict == verdict and verdict in phase.sentence
    assert phase.is_liquid == verdict.startswith("liquid") and phase.is_frozen == (
        verdict == "frozen"
    )


def test_it_tells_its_numbers():
    assert str(WATER) == "q 0.650, first minimum of g(OO) 0.80, D 0.150 Å²/ps"


def test_order_along_a_run_is_that_of_its_frames(pytestconfig, made_up):
    labels = pytestconfig.rootpath / "data" / "water" / "generate" / "labels"
    liquid, frozen = (read(labels / f"{name}.xyz", ":") for name in ("liquid", "frozen"))
    positions = np.array([atoms.positions for atoms in liquid + frozen])
    run = made_up(liquid[0], positions, np.full_like(positions, 0.01), 20.0)
    table = order_along(run)
    assert table["time_fs"].iloc[-1] == 380
    assert table["order"].iloc[2] == pytest.approx(
        np.mean([tetrahedral_order(atoms).mean() for atoms in liquid[:5]])
    )
    assert table["order"].iloc[:8].mean() < 0.75 < 0.8 < table["order"].iloc[12:].mean()


def test_stored_frames_of_frozen_water_are_frozen_and_those_of_a_liquid_liquid(pytestconfig):
    labels = pytestconfig.rootpath / "data" / "water" / "generate" / "labels"
    assert judge_phase(read(labels / "frozen.xyz", ":")).verdict == "frozen"
    assert judge_phase(read(labels / "liquid.xyz", ":")).verdict == "liquid by structure"


@pytest.mark.parametrize("atoms", [bulk("Cu", cubic=True), Atoms("OH2", np.eye(3))])
def test_what_is_no_water_is_not_judged(atoms):
    with pytest.raises(DataError, match="Only water can be judged.*two H for each O"):
        judge_phase([atoms])


def test_measured_diffusion_and_viscosity_are_those_of_tables():
    assert water_diffusion_m2_per_s(298.15) == pytest.approx(2.30e-9, rel=0.01)  # Holz 2000
    assert water_viscosity_Pa_s(298.15) == pytest.approx(0.890e-3, rel=0.02)  # IAPWS


def test_diffusion_in_an_infinite_box():
    # Water that diffuses as in experiment: Yeh and Hummer's shift with the measured viscosity.
    volume, kelvin, measured = 1000.0, 300.0, water_diffusion_m2_per_s(300.0)
    shift = 2.837297 * units._k * kelvin / (6 * np.pi * water_viscosity_Pa_s(kelvin) * 1e-9)
    assert of_infinite_box(measured - shift, volume, kelvin) == pytest.approx(measured, rel=1e-9)
    assert of_infinite_box(0.0, volume, kelvin) == 0
    assert of_infinite_box(1.0, 1e12, kelvin) == pytest.approx(1, rel=1e-3)
    with pytest.raises(DataError, match="too small to correct"):
        of_infinite_box(1.0, 1.0, kelvin)
