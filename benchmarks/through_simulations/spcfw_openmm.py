"""SPC/Fw water of the kit against OpenMM: energy, forces, vibrations: spcfw_openmm.json, .png.

    python -m venv VENV; VENV/bin/pip install openmm numpy
    .venv/bin/python benchmarks/through_simulations/spcfw_openmm.py prepare FOLDER   # two minutes
    VENV/bin/python benchmarks/through_simulations/spcfw_openmm.py openmm FOLDER     # two minutes
    .venv/bin/python benchmarks/through_simulations/spcfw_openmm.py compare FOLDER

Sixteen molecules. Energy and forces of one frame, tight Ewald summation on both sides (OpenMM:
platform Reference, double precision, the same switch, no dispersion correction). Then two runs of 3
ps at constant energy from the same starts, 0.5 fs: they part, as chaotic motion does, but their
density of states must be the same within its noise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TIMESTEP_FS, STEPS, EVERY, RUNS = 0.5, 6_000, 4, 2


def openmm_side(folder: Path) -> None:
    """What runs in the other environment: OpenMM and NumPy only."""
    import openmm
    from openmm import unit

    start = dict(np.load(folder / "start.npz"))
    kcal, n = 4.184, len(start["frame"])
    oxygen = range(0, n, 3)

    def whole(positions):
        """Put the atoms of a molecule side by side: OpenMM corrects excluded pairs as they lie."""
        molecules = positions.reshape(-1, 3, 3)
        arms = molecules - molecules[:, :1]
        arms = arms - start["length_A"] * np.round(arms / start["length_A"])
        return (molecules[:, :1] + arms).reshape(-1, 3)

    def system_of(tolerance):
        system = openmm.System()
        length = float(start["length_A"]) / 10
        system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in length * np.eye(3)))
        bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
        pairs = openmm.NonbondedForce()
        for k in oxygen:
            for mass, charge, sigma, epsilon in (
                (15.99943, -0.82, 0.3165492, 0.1554253 * kcal),
                (1.007947, 0.41, 1.0, 0.0),
                (1.007947, 0.41, 1.0, 0.0),
            ):
                system.addParticle(mass)
                pairs.addParticle(charge, sigma, epsilon)
            bonds.addBond(k, k + 1, 0.1012, 1059.162 * kcal * 100)
            bonds.addBond(k, k + 2, 0.1012, 1059.162 * kcal * 100)
            angles.addAngle(k + 1, k, k + 2, np.radians(113.24), 75.90 * kcal)
            for i, j in ((k, k + 1), (k, k + 2), (k + 1, k + 2)):
                pairs.addException(i, j, 0.0, 1.0, 0.0)
        cutoff = float(start["cutoff_A"]) / 10
        pairs.setNonbondedMethod(openmm.NonbondedForce.Ewald)
        pairs.setCutoffDistance(cutoff)
        pairs.setEwaldErrorTolerance(tolerance)
        pairs.setUseDispersionCorrection(False)
        pairs.setUseSwitchingFunction(True)
        pairs.setSwitchingDistance(0.8 * cutoff)
        bonds.setUsesPeriodicBoundaryConditions(True)
        angles.setUsesPeriodicBoundaryConditions(True)
        for force in (bonds, angles, pairs):
            system.addForce(force)
        return system

    def context_of(tolerance, platform):
        integrator = openmm.VerletIntegrator(TIMESTEP_FS / 1000)
        return openmm.Context(
            system_of(tolerance), integrator, openmm.Platform.getPlatformByName(platform)
        )

    context = context_of(1e-9, "Reference")
    context.setPositions(whole(start["frame"]) / 10)
    state = context.getState(getEnergy=True, getForces=True)
    per_nm = unit.kilojoule_per_mole / unit.nanometer
    found = {
        "energy": state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        "forces": state.getForces(asNumpy=True).value_in_unit(per_nm),
        "version": openmm.version.version,
    }
    context = context_of(5e-4, "Reference")
    runs = []
    for x, v in zip(start["positions"], start["velocities"], strict=True):
        context.setPositions(whole(x) / 10)
        context.setVelocities(100 * v)  # Å/fs → nm/ps
        rows = []
        for _ in range(STEPS // EVERY):
            context.getIntegrator().step(EVERY)
            velocities = context.getState(getVelocities=True).getVelocities(asNumpy=True)
            rows.append(velocities.value_in_unit(unit.nanometer / unit.picosecond) / 100)
        runs.append(rows)
    np.savez(folder / "openmm.npz", velocities=np.array(runs), **found)


def prepare(folder: Path) -> None:
    """Make the starts and the kit's own runs."""
    import jax

    from helpers import load_frames
    from helpers.differentiable.flexible_water import SPC_FW, SPC_FW_MASSES, flexible_water
    from helpers.jax_setup import double_precision
    from helpers.md import initialize, simulate
    from helpers.md.integrators import make_integrator, maxwell_boltzmann

    atoms = load_frames("water", "validate")[0]
    masses = np.array([SPC_FW_MASSES[symbol] for symbol in atoms.symbols])
    cutoff_A = 0.499 * float(atoms.cell.array[0, 0])
    parameters = dict(SPC_FW)

    def run(field, x, v, thermostat, steps, key, every):
        at = {"parameters": parameters, "cell": atoms.cell.array}
        integrator = make_integrator(
            thermostat, len(masses), timestep_fs=TIMESTEP_FS, temperature_K=300.0
        )
        start = initialize(field, integrator, x, v, masses, key, **at)
        record = lambda state: (state.positions, state.velocities)  # noqa: E731
        return simulate(
            field, start, integrator, steps, record=record, record_every=every, **at
        ).records

    with double_precision():
        field = flexible_water(atoms, cutoff_A=cutoff_A)
        thermal = maxwell_boltzmann(
            masses, 300.0, np.random.default_rng(1).standard_normal((len(masses), 3))
        )
        # 1.5 ps to settle; the two starts are 1.5 ps apart
        settled = jax.jit(lambda: run(
            field, atoms.positions, thermal, "langevin", 3_000 * RUNS, jax.random.key(1), 3_000
        ))()  # fmt: skip
        constant = jax.jit(
            lambda x, v: run(field, x, v, "none", STEPS, jax.random.key(0), EVERY)[1]
        )
        ours = np.array([constant(x, v) for x, v in zip(*settled, strict=True)])
    np.savez_compressed(
        folder / "start.npz",
        frame=atoms.positions,
        positions=settled[0],
        velocities=settled[1],
        length_A=atoms.cell.array[0, 0],
        cutoff_A=cutoff_A,
        ours=ours.astype(np.float32),
    )


def compare(folder: Path) -> None:
    """Compare energies, forces and densities of states."""
    import jax
    import jax.numpy as jnp
    from ase import Atoms, units

    from helpers.differentiable.flexible_water import SPC_FW, SPC_FW_MASSES, flexible_water
    from helpers.differentiable.losses import vibrational_spectrum
    from helpers.jax_setup import double_precision

    start, theirs = (dict(np.load(folder / f"{name}.npz")) for name in ("start", "openmm"))
    n_molecules = len(start["frame"]) // 3
    length_A, cutoff_A = float(start["length_A"]), float(start["cutoff_A"])
    atoms = Atoms("OH2" * n_molecules, start["frame"], cell=[length_A] * 3, pbc=True)
    masses = np.array([SPC_FW_MASSES[symbol] for symbol in atoms.symbols])
    with double_precision():
        tight = flexible_water(atoms, cutoff_A=cutoff_A, tolerance=1e-9)
        at = dict(SPC_FW), jnp.asarray(atoms.positions), jnp.asarray(atoms.cell.array), None
        energy, forces = map(np.asarray, jax.jit(tight)(*at))
        spectra = {}
        for name, runs in (("kit", start["ours"]), ("OpenMM", theirs["velocities"])):
            each = [vibrational_spectrum(jnp.asarray(v), masses, TIMESTEP_FS * EVERY) for v in runs]
            spectra[name] = np.mean([np.asarray(one[1]) for one in each], axis=0)
        wavenumbers = np.asarray(each[0][0])
    # Peaks of the curves after smoothing over 40 cm⁻¹
    width = max(1, round(40 / wavenumbers[1]))
    kernel = np.hanning(2 * width + 1) / np.hanning(2 * width + 1).sum()
    smooth = {name: np.convolve(one, kernel, "same") for name, one in spectra.items()}

    def peak(one, low, high):
        inside = (wavenumbers > low) & (wavenumbers < high)
        return float(wavenumbers[inside][one[inside].argmax()])

    kilojoule = units.kJ / units.mol
    result = {
        "openmm": str(theirs["version"]),
        "positions_A": atoms.positions.tolist(),
        "length_A": length_A,
        "cutoff_A": cutoff_A,
        "energy_kJ_per_mol": float(theirs["energy"]),
        "forces_kJ_per_mol_nm": theirs["forces"].tolist(),
        "kit_energy_kJ_per_mol": float(energy / kilojoule),
        "largest_force_difference_kJ_per_mol_nm": float(
            np.abs(forces * 10 / kilojoule - theirs["forces"]).max()
        ),
        "stretch_per_cm": {name: peak(one, 3000, 4400) for name, one in smooth.items()},
        "bend_per_cm": {name: peak(one, 1200, 2200) for name, one in smooth.items()},
        "overlap": float(np.minimum(smooth["kit"], smooth["OpenMM"]).sum() / smooth["kit"].sum()),
    }
    (HERE / "spcfw_openmm.json").write_text(json.dumps(result) + "\n")
    print(
        json.dumps(
            {k: v for k, v in result.items() if "positions" not in k and "forces_k" not in k}
        )
    )
    draw_figure(wavenumbers, smooth)


def draw_figure(wavenumbers, smooth):
    import matplotlib.pyplot as plt

    from helpers.plots import BLUE, ORANGE, style

    with style():
        figure, ax = plt.subplots(figsize=(8, 4.6))
        for (name, one), color, dashes in zip(
            smooth.items(), (BLUE, ORANGE), ("-", "--"), strict=True
        ):
            ax.plot(wavenumbers, 1000 * one, color=color, ls=dashes, label=name)
        ax.set(title="SPC/Fw water, 16 molecules, 2 × 3 ps", xlim=(0, 4400), ylim=(0, None))
        ax.set(xlabel="wavenumber, cm⁻¹", ylabel="density of states, 10⁻³ cm")
        ax.legend()
        figure.savefig(HERE / "spcfw_openmm.png")


if __name__ == "__main__":
    {"prepare": prepare, "openmm": openmm_side, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
