"""Copper with a vacancy: crystals that are strained and shaken, labeled by EMT, with virials."""

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from common import options, train_and_run


def labeled_crystals(n_frames, seed=1):
    """Return crystals of 31 atoms around a vacancy, with energies, forces and virials."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        atoms = bulk("Cu", a=3.61, cubic=True) * (2, 2, 2)
        del atoms[rng.integers(len(atoms))]
        strain = np.eye(3) + rng.normal(0, 0.01, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(rng.uniform(0.03, 0.1), rng=rng)
        atoms.calc = EMT()
        frame = atoms.copy()
        frame.info["dft_energy"] = atoms.get_potential_energy()
        frame.arrays["dft_forces"] = atoms.get_forces()
        frame.info["virial"] = -atoms.get_volume() * atoms.get_stress(voigt=False)
        frames.append(frame)
    return frames


if __name__ == "__main__":
    given = options(__doc__, 40)
    train_and_run(labeled_crystals(given.frames), given.output, timestep_fs=2.0)
