"""Ethanol without a cell, labeled by GFN2-xTB (pip install tblite)."""

import numpy as np
from ase.build import molecule
from common import options, train_and_run


def labeled_molecules(n_frames, seed=1):
    """Return shaken molecules with energies and forces of GFN2-xTB."""
    from tblite.ase import TBLite

    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        atoms = molecule("CH3CH2OH")
        atoms.rattle(rng.uniform(0.01, 0.08), rng=rng)
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        frame = atoms.copy()
        frame.info["dft_energy"] = atoms.get_potential_energy()
        frame.arrays["dft_forces"] = atoms.get_forces()
        frames.append(frame)
    return frames


if __name__ == "__main__":
    given = options(__doc__, 100)
    train_and_run(labeled_molecules(given.frames), given.output, timestep_fs=0.25)
