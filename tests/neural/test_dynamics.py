"""Neural potentials in the compiled engine of molecular dynamics."""

import numpy as np
import pytest
from ase import units

from helpers.md import Monitor, run_nve
from helpers.neural import NeuralCalculator

LOOSE = Monitor(0.1, 9, 0.1, 50_000, 1e6)  # untrained networks are no good for molecules
STEP_FS = 0.5
ACCELERATION = units.fs**2  # (eV/Å)/u in Å/fs²


@pytest.mark.slow  # two functions are compiled for each case
@pytest.mark.parametrize(
    ("name", "dtype", "frame", "tolerance"),
    [("schnet", "float64", 1, 1e-6), ("painn", "float32", 0, 2e-5)],
    ids=["slab in 64 bit", "molecule in 32 bit"],
)
def test_atoms_move_by_the_forces_of_the_calculator(
    name, dtype, frame, tolerance, small_potentials, every_boundary
):
    """The one path of units: m Δv/Δt in the engine is the force in eV/Å that ASE is told."""
    calculator = NeuralCalculator(small_potentials[name].with_dtype(dtype))
    run = run_nve(
        calculator,
        every_boundary[frame],
        steps=15,
        timestep_fs=STEP_FS,
        record_every=1,
        monitor=LOOSE,
        progress=False,
    )
    assert not run.stopped
    frames = []
    for positions in run.positions_A:
        frames.append(run.start.copy())
        frames[-1].positions = positions
    energies, forces = zip(*calculator.predict_frames(frames), strict=True)
    np.testing.assert_allclose(run.potential_eV, energies, rtol=0, atol=tolerance)
    kicks = np.diff(run.velocities_A_per_fs, axis=0) * run.start.get_masses()[:, None]
    mean_forces = 0.5 * (np.array(forces)[1:] + np.array(forces)[:-1])
    measured = kicks / STEP_FS / ACCELERATION
    assert np.abs(measured).max() > 0.1
    np.testing.assert_allclose(measured, mean_forces, rtol=0, atol=tolerance)
    total = run.total_eV
    assert np.ptp(total) < 0.05 * np.ptp(run.potential_eV)
