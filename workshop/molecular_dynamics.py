#!/usr/bin/env python
"""Molecular dynamics with your potential and the integrators of ASE, command by command.

200 steps at constant energy (nve.log), then 100 steps at constant temperature (nvt.log); every
fifth frame goes into trajectory.xyz. Run it after gap_fit, in the folder of gap.xml:

    python molecular_dynamics.py

The command mlmd md gap.xml uses a compiled loop, which is several times faster.
"""

import argparse
import sys

from helpers.terminal import teaching_script


def main(options: argparse.Namespace) -> int:
    """Run NVE, then NVT; each command has a comment that explains it."""
    import numpy as np
    from ase import units
    from ase.io import write
    from ase.md.langevin import Langevin
    from ase.md.verlet import VelocityVerlet

    from helpers import load_potential
    from helpers.md import A_PER_FS, LogFile, maxwell_boltzmann, snapshot

    # A snapshot of liquid water that was not used for training.
    atoms = snapshot(options.snapshot)

    # The atoms now take their energies and forces from the potential.
    atoms.calc = load_potential(options.model)

    # A generator of random numbers: the same seed gives the same run.
    rng = np.random.default_rng(options.seed)

    # Velocities from the Maxwell-Boltzmann distribution at 300 K. The center of mass is at rest: its
    # motion would add kinetic energy that does not belong to the temperature.
    noise = rng.standard_normal((len(atoms), 3))
    atoms.set_velocities(maxwell_boltzmann(atoms.get_masses(), 300, noise) * A_PER_FS)

    # Half a femtosecond: an O–H bond vibrates with a period of 9 fs, which about 20 steps resolve.
    timestep = 0.5 * units.fs

    # Newton's equations, integrated with velocity Verlet: the total energy should be constant.
    nve = VelocityVerlet(atoms, timestep)

    # After every step, write a line to the log: time, energies, temperature.
    nve.attach(LogFile("nve.log", atoms, nve), interval=1)

    # After every fifth step, keep a copy of the atoms.
    frames = []
    nve.attach(lambda: frames.append(atoms.copy()), interval=5)

    # Run 200 steps: 100 fs, about ten vibrations.
    nve.run(200)

    # Langevin dynamics: friction and random forces couple each atom to a heat bath at 300 K. With this
    # friction, an atom loses the memory of its velocity within about 100 fs.
    nvt = Langevin(
        atoms,
        timestep,
        temperature_K=300,
        friction=0.01 / units.fs,
        fixcm=False,  # the random forces also move the center of mass
        rng=rng,
    )

    # The bath moves all 3 N degrees of freedom, so the temperature is computed with 3 N.
    nvt.attach(LogFile("nvt.log", atoms, nvt, degrees_of_freedom=3 * len(atoms)), interval=1)
    nvt.attach(lambda: frames.append(atoms.copy()), interval=5)

    # Continue from the end of the first run. Now the total energy changes, and the temperature
    # approaches 300 K.
    nvt.run(100)

    # Write all frames into one file, which for example `ase gui trajectory.xyz` displays.
    write("trajectory.xyz", frames)
    print(f"nve.log, nvt.log, trajectory.xyz ({len(frames)} frames)")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="gap.xml", help="default: %(default)s")
    parser.add_argument("--snapshot", type=int, default=0, help="number of a validation snapshot")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    sys.exit(teaching_script(parser, main))
