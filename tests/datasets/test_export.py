"""What is written in another format is read back equal."""

import numpy as np
import pytest
from ase import Atoms
from own_frames import alloy, clusters, slabs

from helpers.datasets import from_atoms, read_dataset, write_dataset
from helpers.errors import ConfigError, DataError, OutputError

TENSOR = np.array([1.0, 0.2, 0.3, 0.2, 2.0, 0.4, 0.3, 0.4, 3.0])


def own():
    frames = [*alloy(3, virial=True), *clusters(2), Atoms("Cu", info={"dft_energy": 3.5})]
    for atoms in frames[:2]:
        atoms.info["Polarizability"] = TENSOR
    return from_atoms(frames)


def key(atoms):
    return atoms.get_chemical_formula(), atoms.info["dft_energy"]


@pytest.mark.parametrize("format", ["extxyz", "mace", "traj", "db", "deepmd"])
def test_frames_are_read_back_equal(tmp_path, format):
    dataset = own()
    name = {"extxyz": "a.xyz", "mace": "a.xyz", "deepmd": "a"}.get(format, f"a.{format}")
    back = read_dataset(write_dataset(dataset, tmp_path / name, format))
    for atoms, other in zip(sorted(dataset, key=key), sorted(back, key=key), strict=True):
        assert np.array_equal(atoms.numbers, other.numbers)
        assert np.array_equal(atoms.positions, other.positions)
        assert np.array_equal(atoms.pbc, other.pbc)
        assert not atoms.pbc.any() or np.array_equal(atoms.cell.array, other.cell.array)
        assert atoms.info["dft_energy"] == other.info["dft_energy"]
        assert np.array_equal(atoms.arrays["dft_forces"], other.arrays["dft_forces"])
        assert ("virial" in atoms.info) == ("virial" in other.info)
        if "virial" in atoms.info:
            assert np.allclose(atoms.info["virial"], other.info["virial"], atol=1e-12)
        if format != "deepmd" and "Polarizability" in atoms.info:
            assert np.array_equal(other.info["Polarizability"], TENSOR)


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="Frame 1 is periodic along some axes.*True, True, False"):
        write_dataset(slabs(1), tmp_path / "a", "deepmd")
    frames = alloy(1)
    del frames[0].arrays["dft_forces"]
    with pytest.raises(DataError, match="Frame 1 lacks energy or forces"):
        write_dataset(frames, tmp_path / "a", "deepmd")
    with pytest.raises(ConfigError, match="no format 'extxy'.*did you mean 'extxyz'"):
        write_dataset(frames, tmp_path / "a.xyz", "extxy")
    write_dataset(frames, tmp_path / "a.db", "db")
    with pytest.raises(OutputError, match="is there already"):
        write_dataset(frames, tmp_path / "a.db", "db")
    with pytest.raises(DataError, match="no frames to write"):
        write_dataset([], tmp_path / "b.xyz")
