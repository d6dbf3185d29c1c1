"""fit_gap against the bare gap_fit: the same numbers, and an honest account of the cost."""

import os
import subprocess

import numpy as np
import pytest
from ase.io import write

from helpers import GapConfig, fit_gap, load_frames, load_potential
from helpers.gap.process import find_gap_fit
from helpers.gap.progress import FitProgress
from helpers.gap.xml import read_model


def numbers(path):
    model = read_model(path)
    return [(t.alpha, t.sparse_cutoff, t.sparse_points) for t in model.terms], model.e0


def same(first, second):
    terms, e0 = numbers(first)
    others, other_e0 = numbers(second)
    return e0 == other_e0 and all(
        np.array_equal(x, y)
        for a, b in zip(terms, others, strict=True)
        for x, y in zip(a, b, strict=True)
    )


def test_the_result_says_what_was_done(tiny_fit, tiny_config, frames10):
    assert tiny_fit.config == tiny_config
    assert (tiny_fit.n_frames, tiny_fit.n_energies) == (10, 10)
    assert tiny_fit.n_force_components == 3 * sum(len(atoms) for atoms in frames10)
    assert tiny_fit.n_sparse == 3 * tiny_config.two_body.n_sparse + 2 * tiny_config.n_sparse
    assert 0 < tiny_fit.cpu_seconds < 60 and 0 < tiny_fit.wall_seconds
    assert tiny_fit.gap_fit_version.startswith("v0.")
    assert 10 < tiny_fit.estimated_memory_MB < tiny_fit.peak_memory_MB < 200
    assert "10 frames (10 energies, 1440 force components)" in str(tiny_fit)
    assert os.listdir(tiny_fit.model_path.parent) == [tiny_fit.model_path.name]


def test_it_is_the_model_that_the_bare_gap_fit_makes(tmp_path, tiny_config, tiny_fit, frames10):
    write(tmp_path / "train.xyz", frames10, format="extxyz")
    tiny_config.replace(atoms_filename="train.xyz").write(tmp_path / "gap_config.cfg")
    command = [find_gap_fit(), "config_file=gap_config.cfg"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert same(tmp_path / tiny_config.gap_file, tiny_fit.model_path)


@pytest.mark.slow
def test_frames_may_come_from_a_file_a_list_or_the_config(
    tmp_path, monkeypatch, tiny_config, tiny_fit, frames10
):
    write(tmp_path / "mine.xyz", frames10, format="extxyz")
    monkeypatch.chdir(tmp_path)
    from_file = fit_gap(tiny_config, "mine.xyz", output="a.xml", progress=False)
    named = tiny_config.replace(atoms_filename="mine.xyz", gap_file="b.xml")
    from_config = fit_gap(named, progress=False)
    assert from_config.model_path == tmp_path / "b.xml"
    assert same(from_file.model_path, from_config.model_path)
    assert same(from_file.model_path, tiny_fit.model_path)
    assert sorted(os.listdir(tmp_path)) == ["a.xml", "b.xml", "mine.xyz"]


@pytest.mark.slow
def test_another_seed_gives_another_model(tmp_path, tiny_config, tiny_fit, frames10):
    config = tiny_config.replace(sparse_method="random", rnd_seed=2)
    other = fit_gap(config, frames10, output=tmp_path / "other.xml", progress=False)
    again = fit_gap(config, frames10, output=tmp_path / "again.xml", progress=False)
    assert same(other.model_path, again.model_path)
    assert not same(other.model_path, tiny_fit.model_path)


def test_separate_sparse_files_travel_with_the_model(tmp_path, tiny_config, tiny_fit, frames10):
    config = tiny_config.replace(sparse_separate_file=True)
    made = fit_gap(config, frames10, output=tmp_path / "g.xml", progress=False)
    assert len(list(tmp_path.glob("g.xml.sparseX.*"))) == 5
    assert same(made.model_path, tiny_fit.model_path)


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"two_body": None}, {"do_copy_atoms_file": True}, {"zeta": 2}])
def test_other_settings_fit_and_load(tmp_path, tiny_config, frames10, change):
    made = fit_gap(
        tiny_config.replace(**change), frames10, output=tmp_path / "g.xml", progress=False
    )
    atoms = frames10[0].copy()
    atoms.calc = load_potential(made.model_path, engine="quippy")
    assert abs(atoms.get_potential_energy() - frames10[0].info["dft_energy"]) < 48 * 0.05


@pytest.mark.slow
def test_e0_can_be_given_or_come_from_isolated_atoms(tmp_path, tiny_config, frames10):
    energies = {"H": -13.0, "O": -440.0}
    given = tiny_config.replace(e0_method=None, e0=energies)
    made = fit_gap(given, frames10, output=tmp_path / "given.xml", progress=False)
    assert read_model(made.model_path).e0 == {1: -13.0, 8: -440.0}
    isolated = []
    for element, energy in energies.items():
        atom = frames10[0][:1].copy()
        atom.symbols = [element]
        atom.info = {"dft_energy": energy}
        atom.arrays["dft_forces"] = np.zeros((1, 3))
        isolated.append(atom)
    made = fit_gap(
        tiny_config.replace(e0_method="isolated"),
        [*isolated, *frames10],
        output=tmp_path / "isolated.xml",
        progress=False,
    )
    assert read_model(made.model_path).e0 == {1: -13.0, 8: -440.0}


def test_long_and_odd_paths_are_no_trouble(tmp_path, tiny_config, frames10):
    folder = tmp_path / ("deep " * 30) / "ünïcode {1}" / ("x" * 200)
    folder.mkdir(parents=True)
    made = fit_gap(tiny_config, frames10, output=folder / "g.xml", progress=False)
    assert load_potential(made.model_path).model.n_sparse == made.n_sparse


def test_progress_moves_through_the_stages(tiny_fit, tiny_config):
    progress = FitProgress(n_sparse=tiny_config.n_sparse, show=False)
    stages, fractions = [], []
    for line in tiny_fit.log.replace("\r", "\n").splitlines():
        progress(line)
        stages.append(progress.stage)
        fractions.append(progress.fraction)
    assert (
        list(dict.fromkeys(stages))
        == [
            "reading frames",
            "computing descriptors",
            "choosing sparse points",
            "computing descriptors",
            "comparing environments",
            "solving",
            "writing the model",
        ]
        or len(set(stages)) == 6
    )
    assert fractions == sorted(fractions) and fractions[-1] == 0.99
    assert progress.targets == {"energies": 10, "forces": 1440, "virials": 0}
    assert any(0.1 < fraction < 0.9 for fraction in fractions)


@pytest.mark.slow
def test_a_bar_is_shown_only_when_wanted(tmp_path, tiny_config, frames10, capfd):
    fit_gap(tiny_config, frames10, output=tmp_path / "g.xml", progress=False)
    assert capfd.readouterr() == ("", "")
    fit_gap(tiny_config, frames10, output=tmp_path / "g.xml")
    shown = capfd.readouterr().err
    assert "comparing environments" in shown and "100%" in shown and "left" in shown


@pytest.mark.slow
def test_the_default_config_finds_the_shipped_frames(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = GapConfig(atoms_filename="gap_input_50.xyz", n_sparse=5, n_max=2, l_max=1)
    made = fit_gap(config, progress=False)
    assert made.model_path == tmp_path / "gap.xml"
    assert made.n_frames == len(load_frames("water", "train", 50))
