#!/usr/bin/env python
"""Molecular dynamics with your potential, with the integrators of ASE, command by command.

200 steps at constant energy (nve.log), then 100 steps at constant temperature (nvt.log); every
fifth frame goes into trajectory.xyz. Run it after gap_fit, in the folder of gap.xml:

    python molecular_dynamics.py

The compiled loop does the same several times faster: mlmd md gap.xml.
"""

import argparse
import sys

from helpers.terminal import teaching_script


def main(options: argparse.Namespace) -> int:
    """Read along here: each command says what it does."""
    import numpy as np
    from ase import units
    from ase.io import write
    from ase.md.langevin import Langevin
    from ase.md.verlet import VelocityVerlet

    from helpers import load_potential
    from helpers.md import A_PER_FS, LogFile, maxwell_boltzmann, snapshot

    # A snapshot of liquid water that the potential has never seen.
    atoms = snapshot(options.snapshot)

    # The potential gives energies and forces to whoever asks the atoms for them.
    atoms.calc = load_potential(options.model)

    # Random numbers with a seed: the same seed gives the same run.
    rng = np.random.default_rng(options.seed)

    # Velocities of 300 K (Maxwell-Boltzmann). The center of mass is at rest: if it moved, it
    # would carry energy that warms nothing.
    noise = rng.standard_normal((len(atoms), 3))
    atoms.set_velocities(maxwell_boltzmann(atoms.get_masses(), 300, noise) * A_PER_FS)

    # Half a femtosecond: an O–H bond vibrates in 9 fs, and about 20 steps should follow that.
    timestep = 0.5 * units.fs

    # Newton's equations, step by step (velocity Verlet): the total energy should stay the same.
    nve = VelocityVerlet(atoms, timestep)

    # Every step adds a line to the log: time, energies, temperature.
    nve.attach(LogFile("nve.log", atoms, nve), interval=1)

    # Every fifth step is kept as a frame.
    frames = []
    nve.attach(lambda: frames.append(atoms.copy()), interval=5)

    # Go: 200 steps are 100 fs, about ten vibrations.
    nve.run(200)

    # Now with a bath at 300 K that kicks and brakes (Langevin). The friction says how hard: each
    # atom forgets its velocity within some 100 fs.
    nvt = Langevin(
        atoms,
        timestep,
        temperature_K=300,
        friction=0.01 / units.fs,
        fixcm=False,  # the bath moves the center of mass, too
        rng=rng,
    )

    # The bath moves all 3 N degrees of freedom, so that the temperature counts all of them.
    nvt.attach(LogFile("nvt.log", atoms, nvt, degrees_of_freedom=3 * len(atoms)), interval=1)
    nvt.attach(lambda: frames.append(atoms.copy()), interval=5)

    # Go on where the first run ended: now the total energy changes, and the temperature settles.
    nvt.run(100)

    # All frames into one file, for any program that shows atoms, such as `ase gui trajectory.xyz`.
    write("trajectory.xyz", frames)
    print(f"nve.log, nvt.log, trajectory.xyz ({len(frames)} frames)")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="gap.xml", help="default: %(default)s")
    parser.add_argument("--snapshot", type=int, default=0, help="number of a validation snapshot")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    sys.exit(teaching_script(parser, main))
