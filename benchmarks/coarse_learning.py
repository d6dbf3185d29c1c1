"""Which way to a pair energy needs the fewest data? Motion, forces, and places are compared.

Example: python benchmarks/coarse_learning.py --seeds 0 1 2

Pairs of hexagons of lesson 12. From the same records four ways learn the same network:

- forces: force matching, where snapshots hold forces and torques;
- differences: force matching with forces from differences of the recorded momenta;
- motion: the neural ODE of the lesson (`Trainer`), windows of frames;
- places: the least relative entropy to the places alone, at a known temperature.

Three series: fewer runs; frames further apart; noise of places, orientations, momenta (and forces,
where they are recorded). Errors of force and torque are those where beads touch, over the root mean
square, on 16 runs that no training saw; seeds change which runs are taken, and the weights.
Committees of three force matchings: their spread against their error. Writes coarse_learning.csv
(each fit at once: a run that was stopped goes on), coarse_committee.csv and coarse_learning.png
beside itself. Fifteen CPU minutes.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
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
    "noise": (0.03, 0.0),
    "every": (20, 5, 1),  # frames 0.4, 0.1, 0.02 τ apart
    "runs": (16, 4, 1),
}
NUMBERS = ("runs", "interval", "noise")
COLUMNS = (*NUMBERS, "way", "seed", "force_error", "torque_error", "energy_error", "cpu_seconds")
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


def study(pool: Dataset, held_out: Dataset, seeds: Sequence[int]) -> pd.DataFrame:
    """Return the table of errors; each fit is written at once and not repeated."""
    path = HERE / "coarse_learning.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=COLUMNS)
    for seed, (n_runs, every, noise), way in itertools.product(seeds, conditions(), WAYS):
        at = {"runs": n_runs, "interval": every * POOL.interval, "noise": noise}
        at |= {"way": way, "seed": seed}
        known = (table["way"] == way) & (table["seed"] == seed)
        if (
            known & np.isclose(table[list(NUMBERS)].astype(float), [at[k] for k in NUMBERS]).all(1)
        ).any():
            continue
        recorded, exact = (record(pool, n_runs, every, one, seed) for one in (noise, 0.0))
        begun = time.process_time()
        model = learn(way, recorded, exact, noise, seed)
        seconds = time.process_time() - begun
        errors = compare_with_beads(*model, held_out, "train")
        row = at | {
            "force_error": errors.force_ratio,
            "torque_error": errors.torque_ratio,
            "energy_error": errors.share_of_range,
            "cpu_seconds": seconds,
        }
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
        write_table(path, table, 4)
        print(*row.values(), flush=True)
    return table


def conditions() -> list[tuple[int, int, float]]:
    """Return runs, every and noise of all records of the three series, each once."""
    base = {"runs": N_RUNS, "every": EVERY, "noise": NOISE}
    return list(
        dict.fromkeys(
            tuple((base | {series: value}).values())
            for series, values in SERIES.items()
            for value in values
        )
    )


def committees(pool: Dataset, held_out: Dataset) -> pd.DataFrame:
    """Return the error of committees of force matching against the spread of their members."""
    runs = held_out.splits["train"]
    poses = runs.poses.reshape(-1, 2, 7)
    poses = poses[distances(poses) < held_out.cutoff]
    exact = forces_of(BeadSum(BODY), (), poses)
    touching = np.abs(exact).max((1, 2)) > 0
    poses, exact = poses[touching], exact[touching]
    tables = []
    for n_runs in SERIES["runs"]:
        taken = [record(pool, n_runs, EVERY, NOISE, seed) for seed in SEEDS]
        models = [learn("forces", one, one, NOISE, seed) for seed, one in enumerate(taken)]
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--data", type=Path, default=Path("results/coarse_learning"))
    options = parser.parse_args()
    enable_compilation_cache()
    options.data.mkdir(parents=True, exist_ok=True)
    for name, settings in (("pool", POOL), ("held_out", HELD_OUT)):
        if not (options.data / name / "dataset.json").is_file():
            make_dataset(options.data / name, settings)
    pool, held_out = (load_dataset(options.data / name) for name in ("pool", "held_out"))
    committee = committees(pool, held_out)
    write_table(HERE / "coarse_committee.csv", committee, 4)
    print(committee.round(3).to_string())
    table = study(pool, held_out, options.seeds)
    with style():
        figure, axes = plt.subplots(1, 4, figsize=(18, 4.4))
    for series, ax in zip(("runs", "interval", "noise"), axes[:3], strict=True):
        plot_learning(table, series, ax)
    plot_committee(committee, axes[3])
    figure.tight_layout()
    figure.savefig(HERE / "coarse_learning.png", dpi=110)


if __name__ == "__main__":
    main()
