"""`mlmd lab coarse-grained`: potentials on held-out runs, a box, tables, animation, report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.cli import main
from helpers.coarse_grained import hexagons
from helpers.coarse_grained.bead_potential import BeadSum
from helpers.coarse_grained.dataset import load_dataset
from helpers.coarse_grained.force_matching import committee_spread, forces_of, match_forces
from helpers.coarse_grained.held_out import compare_with_beads, window_errors
from helpers.coarse_grained.learned_potential import LearnedPair
from helpers.errors import DataError


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The folder of a run of the lab with the stored potentials, whose held-out runs are new."""
    folder = tmp_path_factory.mktemp("lab") / "results"
    command = ["lab", "coarse-grained", "--stored", "--bodies", "8", "--steps", "500"]
    assert main([*command, "--no-progress", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def fresh(lab):
    return load_dataset(lab / "hexagons_fresh")


@pytest.mark.slow  # new trajectories, two potentials and a box, each compiled
def test_the_lab_writes_tables_and_a_report(lab):
    assert len(pd.read_csv(lab / "coarse_box.csv")) == 3
    page = (lab / "report.html").read_text(encoding="utf-8")
    assert "Coarse-grained bodies" in page and page.count("<img") == 6
    with Image.open(lab / "coarse_bodies.gif") as animation:
        assert animation.n_frames == 40


@pytest.mark.slow
def test_what_is_stored_knows_new_trajectories(lab, fresh):
    """Half the error of a potential without orientations, and 5 % of the range, were asked for."""
    sighted, without = (
        pd.read_csv(lab / f"coarse_windows_{name}.csv") for name in ("with_orientations", "without")
    )
    assert (sighted.iloc[0, 1:] < 1e-6).all() and sighted["time"].iloc[-1] == pytest.approx(0.5)
    for column in ("separation", "orientation", "velocity", "omega"):
        assert sighted[column].iloc[-1] < 0.5 * without[column].iloc[-1]
    (pair, weights), _ = hexagons.stored_pairs()
    errors = compare_with_beads(pair, weights, fresh, "train", every=4)
    assert errors.share_of_range < 0.05 and errors.force_ratio < 0.2 and errors.torque_ratio < 0.2
    with pytest.raises(DataError, match="length asks for windows of 9999"):
        window_errors(pair, weights, fresh, length=9999)


@pytest.mark.slow
def test_beads_against_themselves(fresh):
    errors = compare_with_beads(BeadSum(fresh.body), (), fresh, "train", every=8)
    assert errors.energy_rmse < 1e-12 and errors.force_ratio < 1e-12 and errors.n_contacts > 3


@pytest.mark.slow  # compiles a training
def test_forces_of_snapshots_teach_a_network(fresh):
    """A good part of the forces in seconds; members of a committee differ most where forces do."""
    poses = fresh.splits["train"].poses[:, ::2].reshape(-1, 2, 7)
    separations = poses[:, 1, :3] - poses[:, 0, :3]
    poses = poses[np.linalg.norm(separations, axis=1) < 3.2]
    forces = forces_of(BeadSum(fresh.body), (), poses)
    pair = LearnedPair(fresh.body, BeadSum(fresh.body).cutoff, width=16, core=0.9)
    trained = match_forces(pair, poses, forces, iterations=400, batch_size=64)
    members = [trained, [(1.02 * w, b) for w, b in trained]]
    touching = np.abs(forces).max((1, 2)) > 0
    left = (forces_of(pair, members[0], poses) - forces)[touching]
    assert (left**2).mean() < 0.25 * (forces[touching] ** 2).mean()
    crushed = poses[touching].copy()
    crushed[:, 1, :3] = crushed[:, 0, :3] + 0.9 * (crushed[:, 1, :3] - crushed[:, 0, :3])
    spread = [committee_spread(pair, members, x).mean() for x in (poses[touching], crushed)]
    assert spread[1] > 2 * spread[0]
    with pytest.raises(DataError, match="belong together"):
        match_forces(pair, poses, forces[:-1])
    with pytest.raises(DataError, match="No force acts"):
        match_forces(pair, poses, 0 * forces)
    with pytest.raises(DataError, match="two members"):
        committee_spread(pair, members[:1], poses)


@pytest.mark.slow  # compiles a training
def test_the_lab_trains_on_trajectories_that_it_makes(tmp_path):
    short = hexagons.PAIRS.replace(n_runs=3, duration=0.4)
    options = {"epochs": 1, "pairs": short, "progress": False, "orientations": False}
    trainer, training = hexagons.train_hexagons(tmp_path, **options)
    assert (
        len(training.history) == 1 and trainer.config.core == 0.9 and not trainer.pair.orientations
    )
    assert training.model_path == tmp_path / "coarse_without_orientations" / "model.npz"
    assert len(load_dataset(tmp_path / "hexagons").splits["train"].poses) == 1


def test_what_cannot_be_used_ends_with_one_line(tmp_path, capsys):
    command = ["lab", "coarse-grained", "--output", str(tmp_path / "new")]
    assert main([*command, "--stored", "--epochs", "3"]) == 1
    assert "trained already" in capsys.readouterr().err
    assert main([*command, "--bodies", "1"]) == 1
    assert "bodies=1" in capsys.readouterr().err and not (tmp_path / "new").exists()
