"""Which way to a pair energy needs the fewest data? Motion, forces, and places are compared.

Example: python benchmarks/coarse_learning.py

Pairs of hexagons of lesson 12. From the same records four ways learn the same network:

- forces: force matching, where snapshots hold forces and torques;
- differences: force matching with forces from differences of the recorded momenta;
- motion: the neural ODE of the lesson (`Trainer`), windows of frames;
- places: the least relative entropy to the places alone, at a known temperature.

Three series: fewer runs; frames further apart; noise of places, orientations, momenta (and forces,
where they are recorded). Errors of force and torque are those where beads touch, over the root mean
square, on 16 runs that no training saw; seeds change which runs are taken, and the weights. A few
members of one way make a committee: its spread against its error. Writes coarse_learning.csv,
coarse_committee.csv and coarse_learning.png beside itself, and copies of the tables for lesson 12
into data/stored (tools/store_results.py coarse_learning). Ten CPU minutes.
"""

import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from helpers.coarse_grained import (
    BeadSum,
    Dataset,
    LearnedPair,
    RigidTrajectory,
    Trainer,
    TrainerConfig,
    committee_spread,
    compare_with_beads,
    forces_from_momenta,
    forces_of,
    hexagon,
    load_dataset,
    make_dataset,
    match_distribution,
    match_forces,
    plot_committee,
    plot_learning,
    without_spring,
    write_dataset,
)
from helpers.coarse_grained.hexagons import PAIRS, TRAINING
from helpers.files import write_table
from helpers.jax_setup import enable_compilation_cache
from helpers.plots import style

HERE = Path(__file__).parent
BODY = hexagon()
POOL = PAIRS.replace(n_runs=60, duration=5.0, seed=11)  # 48 to learn from, 6 and 6 aside
HELD_OUT = PAIRS.replace(n_runs=20, duration=5.0, seed=77)  # 16 of them are used
SEEDS = (0, 1, 2)
N_RUNS, EVERY, NOISE = 16, 1, 0.0  # where they are not varied
SERIES = {
    "runs": (1, 4, 16),
    "every": (1, 5, 20),  # frames 0.02, 0.1, 0.4 τ apart
    "noise": (0.0, 0.01, 0.03),
}
WAYS = ("forces", "differences", "motion", "places")
UPDATES = 3000  # of the training by motion
GROUPS = 6  # of arrangements, by the spread of the committee
LONGEST_STEP = 0.02  # τ, of the dynamics in the training


def record(pool: Dataset, n_runs: int, every: int, noise: float, seed: int) -> Dataset:
    """Return what was recorded: some runs, every n-th frame, with noise.

    Noise η: normal, η σ for centers, η rad for turns about each axis, η times the thermal size for
    momenta. Which frames hold a contact is known all the same.
    """
    rng = np.random.default_rng([seed, 5])
    runs = pool.splits["train"]
    which = rng.choice(len(runs.poses), n_runs, replace=False)
    poses, momenta = (x[which, ::every].copy() for x in (runs.poses, runs.momenta))
    energies = runs.energies[which, ::every].copy()
    spring = pool.settings.spring

    def stretched(x):
        return 0.5 * spring.stiffness * (distances(x) - spring.length) ** 2

    energies -= stretched(poses)
    if noise:
        poses[..., :3] += noise * rng.normal(size=poses[..., :3].shape)
        turns = Rotation.from_rotvec(noise * rng.normal(size=(poses[..., 0].size, 3)))
        q = Rotation.from_quat(poses[..., [4, 5, 6, 3]].reshape(-1, 4)) * turns
        poses[..., 3:] = q.as_quat()[:, [3, 0, 1, 2]].reshape(poses[..., 3:].shape)
        poses[..., 3:] *= np.sign((poses[..., 3:] * runs.poses[which, ::every][..., 3:]).sum(-1))[
            ..., None
        ]
        momenta += noise * momenta.std((0, 1, 2)) * rng.normal(size=momenta.shape)
    settings = pool.settings.replace(
        n_runs=max(3, n_runs),
        duration=float(runs.times[::every][-1]),
        interval=every * pool.settings.interval,
    )
    taken = RigidTrajectory(runs.times[::every], poses, momenta, energies + stretched(poses))
    return Dataset(settings, BODY, {name: taken for name in pool.splits}, pool.cutoff)


def distances(poses):
    return np.linalg.norm(poses[..., 1, :3] - poses[..., 0, :3], axis=-1)


def learn(way: str, recorded: Dataset, exact: Dataset, noise: float, seed: int):
    """Return a pair energy and its weights; `exact` holds the same frames without noise."""
    runs, spring = recorded.splits["train"], recorded.settings.spring
    pair = LearnedPair(BODY, recorded.cutoff, width=TRAINING["nn_width"], core=TRAINING["core"])
    poses = runs.poses.reshape(-1, 2, 7)
    if way == "forces":
        forces = forces_of(BeadSum(BODY), (), exact.splits["train"].poses.reshape(-1, 2, 7))
        size = forces.std((0, 1))
        forces = forces + noise * size * np.random.default_rng([seed, 6]).normal(size=forces.shape)
        return pair, match_forces(pair, poses, forces, seed=seed)
    if way == "differences":
        poses, forces = forces_from_momenta(runs)
        forces = without_spring(poses, forces, spring)
        return pair, match_forces(pair, poses, forces, seed=seed)
    if way == "places":
        return pair, match_distribution(pair, poses, spring, recorded.settings.kT, seed=seed)
    interval = recorded.settings.interval
    # Without noise two intervals are enough; noise is averaged along windows of 0.1 τ.
    length = max(3, 1 + round(0.1 / interval)) if noise else (3 if interval < 0.1 else 2)
    steps = (length - 1) * max(2, round(interval / LONGEST_STEP))
    n_windows = len(runs.poses) * (runs.poses.shape[1] - length + 1)
    size = min(64 if steps <= 5 else 32, n_windows)
    per_epoch = min(20, n_windows // size)
    epochs = UPDATES // per_epoch
    with tempfile.TemporaryDirectory() as folder:
        data = write_dataset(Path(folder) / "data", recorded, {})
        changes = {
            "epochs": epochs,
            "batch_length": length,
            "eval_batch_length": length,
            "batch_size": size,
            "epoch_windows": per_epoch * size,
            "steps_per_record": steps // (length - 1),
            "scheduling_factor": 0.04 ** (1 / epochs),
            "evaluation_freq": epochs,
            "checkpoint_freq": epochs,
            "seed": seed,
        }
        trainer = Trainer(TrainerConfig(data, **TRAINING | changes), Path(folder) / "out")
        trainer.train(progress=False)
    return trainer.pair, trainer.parameters


def study(pool: Dataset, held_out: Dataset) -> pd.DataFrame:
    rows, members = [], {}
    for series, values in SERIES.items():
        for value in values:
            condition = {"runs": N_RUNS, "every": EVERY, "noise": NOISE} | {series: value}
            for way in WAYS:
                for seed in SEEDS:
                    key = (*condition.values(), way, seed)
                    if key not in members:
                        at = (condition["runs"], condition["every"])
                        recorded = record(pool, *at, condition["noise"], seed)
                        exact = record(pool, *at, 0.0, seed)
                        begun = time.process_time()
                        model = learn(way, recorded, exact, condition["noise"], seed)
                        seconds = time.process_time() - begun
                        members[key] = model, seconds
                    (pair, weights), seconds = members[key]
                    errors = compare_with_beads(pair, weights, held_out, "train")
                    rows.append(
                        {
                            "series": series,
                            "value": value * (POOL.interval if series == "every" else 1),
                            "way": way,
                            "seed": seed,
                            "frames": condition["runs"] * len(recorded.splits["train"].times),
                            "force_error": errors.force_ratio,
                            "torque_error": errors.torque_ratio,
                            "energy_error": errors.share_of_range,
                            "cpu_seconds": round(seconds, 1),
                        }
                    )
                shown = pd.DataFrame(rows[-len(SEEDS) :])[["force_error", "torque_error"]]
                print(
                    series,
                    value,
                    way,
                    shown.mean().round(3).tolist(),
                    round(seconds, 1),
                    flush=True,
                )
    return pd.DataFrame(rows), members


def committees(members: dict, held_out: Dataset) -> pd.DataFrame:
    """Return the error of committees of force matching against the spread of their members."""
    runs = held_out.splits["train"]
    poses = runs.poses.reshape(-1, 2, 7)
    poses = poses[distances(poses) < held_out.cutoff]
    exact = forces_of(BeadSum(BODY), (), poses)
    touching = np.abs(exact).max((1, 2)) > 0
    poses, exact = poses[touching], exact[touching]
    tables = []
    for n_runs in SERIES["runs"]:
        models = [members[n_runs, EVERY, NOISE, "forces", seed][0] for seed in SEEDS]
        pair, weights = models[0][0], [one[1] for one in models]
        mean = np.mean([forces_of(pair, one, poses) for one in weights], axis=0)
        table = pd.DataFrame(
            {
                "spread": committee_spread(pair, weights, poses),
                "error": np.sqrt(((mean - exact) ** 2).mean((1, 2))),
            }
        )
        rank = table.rank()
        groups = table.groupby(pd.qcut(table["spread"], GROUPS, labels=False))
        binned = groups.agg(
            spread=("spread", rms), error=("error", rms), n=("error", "size")
        ).reset_index(drop=True)
        binned.insert(0, "runs", n_runs)
        binned["rank_correlation"] = rank["spread"].corr(rank["error"])
        tables.append(binned)
    return pd.concat(tables, ignore_index=True)


def rms(values):
    return float(np.sqrt((values**2).mean()))


def main():
    enable_compilation_cache()
    with tempfile.TemporaryDirectory() as folder:
        pool, held_out = (
            load_dataset(make_dataset(Path(folder) / name, settings, progress=False))
            for name, settings in (("pool", POOL), ("held_out", HELD_OUT))
        )
    table, members = study(pool, held_out)
    write_table(HERE / "coarse_learning.csv", table)
    committee = committees(members, held_out)
    write_table(HERE / "coarse_committee.csv", committee)
    print(committee.round(3).to_string())
    with style():
        figure, axes = plt.subplots(1, 4, figsize=(18, 4.4))
    for series, ax in zip(SERIES, axes[:3], strict=True):
        plot_learning(table, series, ax)
    plot_committee(committee, axes[3])
    figure.tight_layout()
    figure.savefig(HERE / "coarse_learning.png", dpi=110)


if __name__ == "__main__":
    main()
