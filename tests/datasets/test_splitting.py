"""Validation frames are not neighbors in time of training frames."""

import numpy as np
import pytest
from ase import Atoms

from helpers.datasets import from_atoms, split_dataset
from helpers.errors import ConfigError, DataError


def frames(n_frames, **info):
    made = []
    for k in range(n_frames):
        atoms = Atoms("H2", [[0, 0, 0], [0.7 + 0.001 * k, 0, 0]], info={"dft_energy": -1.0 * k})
        atoms.arrays["dft_forces"] = np.full((2, 3), 0.01 * (k + 1))
        atoms.info |= {name: values[k] for name, values in info.items()}
        made.append(atoms)
    return made


def energies(dataset):
    return [atoms.info["dft_energy"] for atoms in dataset]


def test_whole_trajectories_are_set_aside():
    numbers = np.repeat([3, 5, 7, 9, 11], 8)
    parts = split_dataset(from_atoms(frames(40, trajectory=numbers)))
    aside = {atoms.info["trajectory"] for atoms in parts.validation}
    assert len(aside) == 1 and len(parts.validation) == 8
    assert aside.isdisjoint(atoms.info["trajectory"] for atoms in parts.training)
    assert parts.how.startswith("1 of 5 trajectories were set aside for validation: 8 of 40")


def test_files_count_as_trajectories():
    sources = [f"run{k // 6}.xyz:{k % 6 + 1}" for k in range(24)]
    parts = split_dataset(from_atoms(frames(24), sources=sources))
    assert "files were set aside" in parts.how
    assert len({source.partition(":")[0] for source in parts.validation.sources}) == 1


def test_one_trajectory_is_cut_into_blocks():
    dataset = from_atoms(frames(50))
    parts = split_dataset(dataset)
    assert "2 of 10 blocks of frames that follow each other" in parts.how
    steps = np.diff(sorted(-energy for energy in energies(parts.validation)))
    assert np.sum(steps > 1) <= 1 and len(steps) == 9  # two stretches of five
    assert sorted(energies(parts.training) + energies(parts.validation)) == sorted(
        energies(dataset)
    )
    assert energies(split_dataset(dataset).validation) == energies(parts.validation)
    assert energies(split_dataset(dataset, seed=2).validation) != energies(parts.validation)


def test_single_atoms_and_frames_without_forces_stay_in_the_training_set():
    made = [*frames(10), Atoms("H", info={"dft_energy": -13.6})]
    del made[3].arrays["dft_forces"]
    for seed in range(5):
        validation = split_dataset(from_atoms(made), fraction=0.5, seed=seed).validation
        assert all(len(atoms) == 2 and "dft_forces" in atoms.arrays for atoms in validation)


def test_what_holds_the_only_atoms_of_an_element_stays_in_the_training_set():
    for k in range(10):
        made = frames(10)
        made[k].symbols[0] = "F"
        for seed in range(3):
            parts = split_dataset(from_atoms(made), seed=seed)
            assert all("F" not in atoms.symbols for atoms in parts.validation)
            assert len(parts.validation) == 2
    for atoms, symbol in zip(
        made, ("He", "Li", "C", "N", "O", "F", "Na", "Mg", "Al", "Si"), strict=True
    ):
        atoms.symbols[0] = symbol
    with pytest.raises(DataError, match="No frames can be set aside.*an element that no other"):
        split_dataset(from_atoms(made))


def test_a_single_atom_is_no_frame_to_set_aside():
    made = [Atoms("Cu", cell=[k, k, k], pbc=True, info={"dft_energy": 1.0}) for k in range(2, 12)]
    with pytest.raises(DataError, match="frames of several atoms.*10 frames of a single atom"):
        split_dataset(from_atoms(made))


def test_too_few_frames_and_bad_fractions_are_refused():
    with pytest.raises(DataError, match="4 frames with forces are too few.*give validation frames"):
        split_dataset(from_atoms(frames(4)))
    with pytest.raises(ConfigError, match="fraction=1.5.*below 0.9"):
        split_dataset(from_atoms(frames(20)), fraction=1.5)
