"""Real molecules as rigid bodies: water of a GAP, and pairs of benzene with GFN2-xTB.

Example: python benchmarks/coarse_molecules.py water benzene

water: 64 molecules run with all their atoms and the GAP of data/stored/gap.xml at 300 K; molecules
become rigid bodies; a network of pairs learns the forces and torques on them (force matching); then
64 rigid bodies run with the network alone. Compared: g(r) of the mass centers, and how axes are
turned to each other. benzene: the runs of data/benzene (GFN2-xTB) teach the same network by
trajectories and by forces; errors on held-out runs and along arrangements, with the published force
field OPLS beside. Writes coarse_water.csv, coarse_benzene.csv, coarse_benzene_scans.csv and
coarse_molecules.png; learned weights are not kept. Five CPU minutes.
"""

import argparse
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase import units

from helpers import load_frames
from helpers.coarse_grained import (
    LearnedPair,
    RigidTrajectory,
    Trainer,
    TrainerConfig,
    committee_spread,
    compare_with_records,
    lists_with_images,
    load_dataset,
    match_forces,
    molecule_pair,
    pair_force_field,
    reduce,
    rotation_matrix,
    run_box,
    structure,
    thermal_momenta,
    water,
    without_spring,
)
from helpers.coarse_grained.held_out import arrangement_poses
from helpers.coarse_grained.many_bodies import Box
from helpers.coarse_grained.pair_sum import energies_and_forces
from helpers.evaluation import rmse
from helpers.files import write_table
from helpers.frames import data_folder
from helpers.gap import JaxCalculator
from helpers.gap.xml import read_model
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.md import with_core_repulsion
from helpers.md.runs import run_nvt
from helpers.plots import BLACK, BLUE, GREEN, ORANGE, RED, style

HERE = Path(__file__).parent
POTENTIAL = data_folder() / "stored" / "gap.xml"
KT = 300 * units.kB
CUTOFF_A = 5.5
EQUILIBRATION_FS, EVERY_FS = 400, 16
SEEDS = (0, 1, 2)


# ---------------------------------------------------------------------------------------------
# Water


def all_atom():
    """Return poses, forces and torques of the molecules along a run of all atoms, and the cell."""
    (start,) = load_frames("water", "start_64")
    calculator = JaxCalculator(with_core_repulsion(read_model(POTENTIAL)))
    run = run_nvt(
        calculator,
        start,
        steps=3000,
        timestep_fs=0.8,
        record_every=20,
        thermostat="langevin",
        seed=1,
    )
    assert run.stable, run.stopped
    run = run.after(EQUILIBRATION_FS)
    frames = run.frames()
    forces = np.array([forces for _, forces in calculator.predict_frames(frames)])
    n = len(start) // 3  # O, H, H of each molecule
    cell = np.array(start.cell)
    places, pushes = (x.reshape(len(frames), n, 3, 3).copy() for x in (run.positions_A, forces))
    away = places - places[:, :, :1]
    places -= np.diag(cell) * np.round(away / np.diag(cell))
    velocities = run.velocities_A_per_fs.reshape(places.shape) / units.fs
    body = water()
    bodies = reduce(body, places, velocities, run.times_fs)
    arms = places - bodies.poses[:, :, None, :3]
    with double_precision():
        rotations = np.asarray(rotation_matrix(jnp.asarray(bodies.poses[..., 3:])))
        shape = np.asarray(body.place(bodies.poses)) - places
    torques = np.einsum("tnji,tnj->tni", rotations, np.cross(arms, pushes).sum(2))
    print(
        f"{len(frames)} frames, {run.temperature_K.mean():.0f} K; atoms are "
        f"{np.sqrt((shape**2).sum(-1).mean()):.3f} Å from those of rigid molecules"
    )
    return bodies, np.concatenate([pushes.sum(2), torques], -1), cell


def of_water():
    bodies, forces, cell = all_atom()
    body = water()
    n_train = int(0.8 * len(bodies.poses))
    pair = LearnedPair(body, CUTOFF_A, width=32, core=1.2, energy_scale=KT)
    lists = lists_with_images(bodies.poses, cell, CUTOFF_A)
    held_out = jax.tree.map(lambda values: values[n_train:], lists)
    weights = match_forces(
        pair,
        bodies.poses[:n_train],
        forces[:n_train],
        cell=cell,
        neighbors=jax.tree.map(lambda values: values[:n_train], lists),
        iterations=1000,
        batch_size=4,
    )
    field = jax.jit(jax.vmap(pair_force_field(pair), (None, 0, None, 0)))
    left = field(weights, bodies.poses[n_train:].astype("f4"), cell, held_out)[1] - forces[n_train:]
    ratios = [
        float(np.sqrt((left[..., part] ** 2).mean() / (forces[n_train:][..., part] ** 2).mean()))
        for part in (slice(3), slice(3, 6))
    ]
    rng = np.random.default_rng(1)
    with double_precision():
        noise = jnp.asarray(rng.normal(size=(len(bodies.poses[0]), 6)))
        momenta = np.asarray(thermal_momenta(body, KT, noise))
    poses = bodies.poses[-1].copy()
    poses[:, 3:] /= np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
    box = Box(body, poses, momenta, cell, KT)
    run = run_box(
        pair,
        weights,
        box,
        method="langevin",
        timestep=2 * units.fs,
        friction=1 / (500 * units.fs),
        steps=3000,
        record_every=10,
        seed=1,
    )
    half = len(bodies.poses) // 2
    runs = {
        "all atoms": bodies,
        "all atoms, first half": part_of(bodies, slice(half)),
        "all atoms, second half": part_of(bodies, slice(half, None)),
        "rigid bodies": part_of(run, slice(60, None)),
    }
    table = pd.concat(
        [
            structure(one, box, bin_width=0.2).assign(
                run=name, force_error=ratios[0], torque_error=ratios[1]
            )
            for name, one in runs.items()
        ]
    )
    temperature = 2 * (0.5 * run.momenta[60:] ** 2 / np.r_[[body.mass] * 3, body.inertia]).mean()
    print(f"forces {ratios[0]:.2f}, torques {ratios[1]:.2f}; {temperature / units.kB:.0f} K")
    write_table(HERE / "coarse_water.csv", table)
    wide = table.pivot_table(index="r", columns="run", values=["g", "orientation"])
    print(wide[wide.index > 2].round(2).to_string())


def part_of(run, which):
    parts = (run.times, run.poses, run.momenta, run.energies)
    return RigidTrajectory(*(x[which] for x in parts))


# ---------------------------------------------------------------------------------------------
# Benzene

NETWORK = {"nn_width": 32, "nn_depth": 2, "core": 1.6, "energy_scale": 600 * units.kB}


def of_benzene():
    folder = data_folder() / "benzene"
    dataset = load_dataset(folder)
    body, spring = dataset.body, dataset.settings.spring
    runs = dataset.splits["train"]
    models = {"OPLS": [(molecule_pair(body), ())], "forces": [], "trajectories": []}
    poses = runs.poses.reshape(-1, 2, 7)
    forces = without_spring(poses, runs.forces.reshape(-1, 2, 6), spring)
    pair = LearnedPair(
        body,
        dataset.cutoff,
        depth=NETWORK["nn_depth"],
        width=NETWORK["nn_width"],
        core=NETWORK["core"],
        energy_scale=NETWORK["energy_scale"],
    )
    for seed in SEEDS:
        models["forces"].append(
            (pair, match_forces(pair, poses, forces, iterations=1500, batch_size=64, seed=seed))
        )
    with tempfile.TemporaryDirectory() as output:
        config = TrainerConfig(
            folder,
            **NETWORK,
            dtype="float32",
            epochs=60,
            epoch_windows=1280,
            batch_size=64,
            batch_length=3,
            eval_batch_length=6,
            learning_rate=0.005,
            scheduling_factor=0.95,
            scheduling_freq=1,
            evaluation_freq=5,
            steps_per_record=2,
            stopping_freq=1000,
        )
        trainer = Trainer(config, Path(output) / "out")
        trainer.train(progress=False)
        models["trajectories"].append((trainer.pair, trainer.best_parameters))
    rows, scans = [], pd.read_csv(folder / "scans.csv")
    at = {(name, round(d, 4)): x for name, d, x in arrangement_poses(scans["distance_A"].unique())}
    scan_poses = np.stack(
        [at[a, round(d, 4)] for a, d in zip(scans["arrangement"], scans["distance_A"], strict=True)]
    )
    for way, members in models.items():
        curves = []
        for seed, (one, weights) in enumerate(members):
            # A spring holds each pair together, so neither forces nor motion tell how far the
            # energy lies below that of molecules apart: the recorded energies of training do.
            height_eV = 0.0
            if way != "OPLS":
                errors = compare_with_records(one, weights, dataset, "train", every=5)
                height_eV = float((errors.true - errors.learned).mean())
            for split in ("validation", "test"):
                errors = compare_with_records(one, weights, dataset, split)
                rows.append(
                    {
                        "way": way,
                        "seed": seed,
                        "split": split,
                        "height_meV": 1000 * height_eV,
                        "energy_rmse_meV": 1000 * rmse(errors.learned + height_eV - errors.true),
                        "energy_range_meV": 1000 * errors.energy_range,
                        "force_error": errors.force_ratio,
                        "torque_error": errors.torque_ratio,
                    }
                )
            curves.append(energies_and_forces(one, weights, scan_poses)[0] + height_eV)
        scans[way] = np.mean(curves, axis=0)
    spread = committee_spread(pair, [weights for _, weights in models["forces"]], scan_poses)
    scans["committee_spread"] = spread
    table = pd.DataFrame(rows)
    print(table.groupby("way").mean(numeric_only=True).round(3).to_string())
    write_table(HERE / "coarse_benzene.csv", table)
    write_table(HERE / "coarse_benzene_scans.csv", scans)


def draw():
    poses = load_dataset(data_folder() / "benzene").splits["train"].poses
    farthest_A = np.quantile(np.linalg.norm(poses[..., 1, :3] - poses[..., 0, :3], axis=-1), 0.999)
    water_table = pd.read_csv(HERE / "coarse_water.csv")
    scans = pd.read_csv(HERE / "coarse_benzene_scans.csv")
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(16, 4.6))
    looks = {
        "all atoms": (BLACK, "-"),
        "all atoms, first half": (BLACK, ":"),
        "all atoms, second half": (BLACK, "--"),
        "rigid bodies": (BLUE, "-"),
    }
    for column, ax in zip(("g", "orientation"), axes, strict=False):
        for name, (color, line) in looks.items():
            part = water_table[(water_table["run"] == name) & (water_table["r"] > 2.2)]
            ax.plot(part["r"], part[column], line, color=color, label=name)
        ax.set(xlabel="distance of the mass centers, Å")
    axes[0].set(title="Water: g(r)")
    axes[1].set(title="Water: correlation of the third axes")
    axes[0].legend(fontsize=9)
    for (name, part), color in zip(
        scans.groupby("arrangement"), (BLUE, ORANGE, GREEN, RED), strict=True
    ):
        axes[2].plot(
            part["distance_A"], 1000 * part["energy_eV"], "o", ms=4, color=color, label=name
        )
        visited = part[part["distance_A"] <= farthest_A]
        axes[2].plot(visited["distance_A"], 1000 * visited["forces"], color=color)
        axes[2].plot(part["distance_A"], 1000 * part["OPLS"], ":", color=color)
    axes[2].set(
        title="Benzene: points GFN2, lines learned, dots OPLS",
        xlabel="distance of the centers, Å",
        ylabel="meV",
        ylim=(-220, 300),
    )
    axes[2].legend(fontsize=9)
    figure.tight_layout()
    figure.savefig(HERE / "coarse_molecules.png", dpi=110)


PARTS = {"water": of_water, "benzene": of_benzene, "draw": draw}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    options = parser.parse_args()
    enable_compilation_cache()
    for name in options.parts or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
