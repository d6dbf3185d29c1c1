#!/usr/bin/env python
"""Run pairs of rigid benzene molecules with GFN2-xTB, for coarse-graining.

Example: python data/molecules/generate/benzene_pairs.py --output data/benzene

Needs the kit and tblite; two CPU minutes. Molecules have the rigid shape of OPLS; a soft spring
keeps their centers together. Starts are drawn from equilibrium with OPLS at the same temperature,
in which pairs touch and part; each run is one of constant energy with GFN2-xTB. The folder is a
dataset of `helpers.coarse_grained.load_dataset`, units eV, Å, u; ``scans.csv`` holds interaction
energies along four arrangements.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from ase import Atoms, units
from scipy.spatial.transform import Rotation
from teacher import labeled, level_of_theory

from helpers.coarse_grained import (
    Dataset,
    DatasetSettings,
    RigidTrajectory,
    benzene,
    molecule_pair,
    pair_force_field,
    run_bodies,
    sprung_pairs,
    thermal_momenta,
    write_dataset,
)
from helpers.coarse_grained.dataset import split_runs
from helpers.coarse_grained.held_out import arrangement_poses
from helpers.files import write_atomic
from helpers.terminal import progress_bar

BODY = benzene()
KT = 600 * units.kB
SETTINGS = DatasetSettings(
    n_runs=20,
    duration=2000 * units.fs,
    interval=20 * units.fs,
    timestep=5 * units.fs,
    kT=KT,
    spring_stiffness=KT / 1.5**2,
    spring_length=5.0,
    seed=1,
)
CUTOFF_A = 11.0
NEAREST_A = 2.3  # of two atoms, in the starts of the thermalization
_known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}


def interaction(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy (eV) of a pair less that of two molecules; forces and torques (2, 6)."""
    poses = np.asarray(poses)
    key = poses.tobytes()
    if key in _known:  # a recorded frame, which the dynamics has just computed
        return _known[key]
    rotations = Rotation.from_quat(poses[:, [4, 5, 6, 3]]).as_matrix()  # no JAX in a callback
    arms = np.einsum("nij,bj->nbi", rotations, BODY.positions)
    places = poses[:, None, :3] + arms
    frame = labeled(Atoms(list(BODY.kinds) * 2, places.reshape(-1, 3)))
    forces = frame.arrays["xtb_forces"].reshape(2, -1, 3)
    torques = np.einsum("nji,nj->ni", rotations, np.cross(arms, forces).sum(1))
    energy = frame.info["xtb_energy"] - 2 * alone()
    _known[key] = np.array(energy), np.concatenate([forces.sum(1), torques], 1)
    return _known[key]


def alone(energy: list[float] = []) -> float:  # noqa: B006
    """Return the energy of one molecule, computed once."""
    if not energy:
        energy.append(labeled(Atoms(list(BODY.kinds), BODY.positions)).info["xtb_energy"])
    return energy[0]


def with_spring():
    """Return a force field of GFN2-xTB and the spring, which JAX can run."""
    shapes = jax.ShapeDtypeStruct((), float), jax.ShapeDtypeStruct((2, 6), float)
    spring = pair_force_field(SETTINGS.spring)

    def force_field(parameters, poses, cell, neighbors):
        energy, forces = jax.pure_callback(interaction, shapes, poses)
        pull = spring((), poses, None, None)
        return energy + pull[0], forces + pull[1]

    return force_field, spring


def starts() -> tuple[np.ndarray, np.ndarray]:
    """Return poses and momenta of pairs in equilibrium with OPLS and the spring."""
    poses = sprung_pairs(SETTINGS.spring, KT, 4000, seed=SETTINGS.seed)
    places = np.asarray(BODY.place(jnp.asarray(poses)))
    away = np.linalg.norm(places[:, 0, :, None] - places[:, 1, None], axis=-1)
    poses = poses[away.min((1, 2)) > NEAREST_A][: SETTINGS.n_runs]
    noise = np.random.default_rng(SETTINGS.seed).normal(size=(len(poses), 2, 6))
    momenta = np.asarray(thermal_momenta(BODY, KT, jnp.asarray(noise)))
    warm = run_bodies(
        pair_force_field(molecule_pair(BODY), SETTINGS.spring),
        BODY,
        poses,
        momenta,
        method="langevin",
        kT=KT,
        friction=1 / (500 * units.fs),
        timestep=SETTINGS.timestep,
        steps=4000,
        record_every=4000,
        seed=SETTINGS.seed,
    )
    momenta = warm.momenta[-1].copy()
    momenta[..., :3] -= momenta[..., :3].mean(1, keepdims=True)
    return warm.poses[-1], momenta


def scans() -> pd.DataFrame:
    """Return interaction energies along arrangements of two flat bodies."""
    rows = []
    for name, distance, pose in arrangement_poses(np.linspace(3.0, CUTOFF_A, 33)):
        energy = float(interaction(pose)[0])
        if energy < 0.6:
            rows.append({"arrangement": name, "distance_A": distance, "energy_eV": energy})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # also where JAX calls back
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    every = round(SETTINGS.interval / SETTINGS.timestep)
    steps = every * round(SETTINGS.duration / SETTINGS.interval)
    field, spring = with_spring()
    runs, drifts = [], []
    first_poses, first_momenta = starts()
    with progress_bar(len(first_poses), "pairs of benzene", "runs") as bar:
        for poses, momenta in zip(first_poses, first_momenta, strict=True):
            run = run_bodies(
                field,
                BODY,
                poses,
                momenta,
                timestep=SETTINGS.timestep,
                steps=steps,
                record_every=every,
            )
            forces = [
                interaction(x)[1] + np.asarray(spring((), x, None, None)[1]) for x in run.poses
            ]
            inertia = np.concatenate([np.full(3, BODY.mass), BODY.inertia])
            total = run.energies + (0.5 * run.momenta**2 / inertia).sum((1, 2))
            drifts.append(float(np.abs(total - total[0]).max()))
            runs.append((run, np.array(forces)))
            bar.update(1)
    together = RigidTrajectory(
        runs[0][0].times,
        *(np.stack([getattr(run, k) for run, _ in runs]) for k in ("poses", "momenta", "energies")),
        forces=np.stack([forces for _, forces in runs]),
    )
    table = scans().to_csv(index=False, float_format="%.6f")
    about = {
        "system": "two rigid molecules of benzene (shape of OPLS) and a spring, no cell, 600 K",
        "license": "CC-BY-4.0",
        "units": "eV, Å, u; times Å √(u/eV) = 10.18 fs (those of ASE)",
        "potential": f"{level_of_theory()}, less that of two molecules alone; and the spring",
        "forces": "force in space, torque in the frame of the body; those of the spring included",
        "temperature": "starts in equilibrium with OPLS and the spring at 600 K, the pair at rest",
        "energy_conservation": f"largest change of the total energy in a run: {max(drifts):.1e} eV",
        "regenerate_with": "data/molecules/generate/benzene_pairs.py --output data/benzene",
        "scans.csv": "SHA-256 " + hashlib.sha256(table.encode()).hexdigest(),
    }
    folder = write_dataset(
        options.output, Dataset(SETTINGS, BODY, split_runs(together), CUTOFF_A), about
    )
    write_atomic(folder / "scans.csv", table)
    print(json.dumps(about, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
