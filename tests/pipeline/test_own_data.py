"""``mlmd run my_frames.xyz``: what the frames give, right for any system, and no word of water."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read, write
from own_frames import SMALL, WATER, alloy, clusters, labeled, slabs, text_of

from helpers.datasets import from_atoms, read_dataset
from helpers.errors import DataError
from helpers.pipeline.own_data import own_data_stages, prepare
from helpers.pipeline.report import own_overview_section


def left_out(data):
    stages = own_data_stages(data, preset="quick")
    return {stage.name: stage.no_basis for stage in stages if stage.no_basis}


def test_what_frames_cannot_give_is_left_out_with_a_line():
    lines = left_out(prepare(from_atoms(alloy(12))))
    assert set(lines) == {"polarizability", "raman"}
    assert set(lines.values()) == {"the frames carry no polarizabilities"}
    assert (
        "are too few for a learning curve"
        in left_out(prepare(from_atoms(alloy(6))))["learning-curve"]
    )
    frames = alloy(20)
    del frames[0].arrays["dft_forces"]
    lines = left_out(prepare(from_atoms(frames)))
    assert (
        lines["sigmas"] == "1 training frames have energies only, and a sweep needs forces in all"
    )


def test_frames_that_cannot_be_used_at_all():
    frames = alloy(6)
    with pytest.raises(DataError, match="1 frames with forces are too few"):
        prepare(from_atoms(frames[:1]))
    with pytest.raises(DataError, match="2 of 2 validation frames are training frames, too"):
        prepare(from_atoms(frames), from_atoms(frames[2:4]))
    with pytest.raises(DataError, match="the frames:1 holds H, O, which no training frame does"):
        prepare(from_atoms(frames), from_atoms([labeled(molecule("H2O"))]))
    for atoms in frames:
        del atoms.arrays["dft_forces"]
        atoms.arrays["F_mine"] = np.zeros((len(atoms), 3))
    with pytest.raises(DataError, match="No frame has forces.*Found: F_mine, dft_energy.*--label"):
        prepare(from_atoms(frames))


def test_settings_and_dynamics_follow_from_the_frames():
    data = prepare(from_atoms(slabs(8)), preset="quick")
    assert not data.start.constraints and data.timestep_fs == 1.0
    assert data.start.pbc.tolist() == [True, True, False]
    assert {"cutoff", "default_sigma", "n_sparse"} <= set(data.reasons["setting"])
    assert data.config.atoms_filename == "training.xyz"
    given = prepare(from_atoms(slabs(8)), config=SMALL)
    assert given.config.cutoff == SMALL.cutoff
    reasons = given.reasons.set_index("setting")  # a file that is not read is told
    assert reasons.loc["all others", "value"] == "as given"
    assert f"not {SMALL.atoms_filename}" in reasons.loc["atoms_filename", "reason"]
    mine = prepare(from_atoms(slabs(8)), config=SMALL.replace(gap_file="mine.xml"))
    assert "not mine.xml" in mine.reasons.set_index("setting").loc["gap_file", "reason"]
    ethanol = [labeled(molecule("CH3CH2OH")) for _ in range(6)]
    for k, atoms in enumerate(ethanol):
        atoms.rattle(0.05, seed=k)
    ethanol = [labeled(atoms) for atoms in ethanol]
    data = prepare(from_atoms(ethanol))
    assert data.timestep_fs == 0.5
    words = own_overview_section(data).paragraphs[0]
    assert "9 atoms of C, H, O, without periodicity" in words and not WATER.search(words)


def test_options_that_need_frames_and_a_folder_of_other_results(mlmd_refuses, tmp_path):
    mlmd_refuses("run", "--validate", "x.xyz", message="--validate is given without frames")
    write(tmp_path / "frames.xyz", alloy(8))
    records = tmp_path / "results" / "stages"
    records.mkdir(parents=True)
    (records / "potential.json").write_text("{}")
    mlmd_refuses(
        *("run", tmp_path / "frames.xyz", "--output", records.parent),
        message="holds results of the shipped water",
    )


@pytest.mark.slow
def test_slabs_from_frames_to_dynamics(mlmd, tmp_path):
    path, folder = tmp_path / "slabs.xyz", tmp_path / "results"
    write(path, slabs(12, energy="REF_energy", forces="REF_forces"))
    arguments = ["run", path, "--quick", "--no-progress", "--output", folder]
    only = ["--only", "data,potential,nve,polarizability,raman"]
    done = mlmd(*arguments, *only)
    assert done.code == 0 and all("n_sparse" in line for line in done.errors)
    assert "Raman spectrum: left out, the frames carry no polarizabilities" in done.output
    page = text_of((folder / "report.html").read_text(encoding="utf-8"))
    for text in (done.output, page):
        assert not WATER.search(text), WATER.search(text)
    assert "periodic along two axes" in page and "slabs.xyz" in page
    errors = pd.read_csv(folder / "summary.csv").query("set == 'validation' and element == 'all'")
    assert (errors["rmse"] < 0.2 * errors["spread"]).all()
    assert len(read(folder / "nve.xyz", ":")) > 10
    assert set(pd.read_csv(folder / "nve_closest.csv")["closest_A"] > 1.8) == {True}
    again = mlmd(*arguments, *only)
    assert again.output.count(" kept ") == 3


@pytest.mark.slow
def test_clusters_of_many_sizes_with_isolated_atoms(mlmd, tmp_path):
    folder, alone = tmp_path / "results", [labeled(Atoms(symbol)) for symbol in ("Cu", "Al")]
    write(tmp_path / "clusters.xyz", [*clusters(18), *alone])
    done = mlmd(
        *("run", tmp_path / "clusters.xyz", "--quick", "--no-progress", "--output", folder),
        *("--only", "data,potential,learning-curve"),
    )
    assert done.code == 0 and all("n_sparse" in line for line in done.errors)
    settings = pd.read_csv(folder / "settings.csv").set_index("setting")
    assert settings.loc["e0_method", "value"] == "isolated"
    curve = pd.read_csv(folder / "learning_curve.csv")
    n_training = len(read_dataset(folder / "training.xyz"))
    assert curve["n_frames"].max() == n_training and curve["n_frames"].nunique() == 2
    assert not WATER.search(text_of((folder / "report.html").read_text(encoding="utf-8")))
