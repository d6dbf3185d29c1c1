"""`read_dataset`: labels by common names, and what formats lose, invent or turn put right."""

import gzip
import re
import shutil
from pathlib import Path

import ase
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian, FixCom
from ase.db import connect
from ase.io import read, write
from own_frames import alloy, clusters, labeled, slabs

from helpers import evaluate, load_frames
from helpers.datasets import Dataset, from_atoms, read_dataset
from helpers.errors import ConfigError, DataError
from helpers.frames import check_labels

CP2K = Path(__file__).parents[1] / "fixtures" / "cp2k"
ASE_DATA = Path(ase.__file__).parent / "test" / "testdata"


def same(dataset, frames, virial=False):
    for atoms, frame in zip(dataset, frames, strict=True):
        assert np.allclose(atoms.positions, frame.positions, atol=1e-7)
        assert atoms.info["dft_energy"] == pytest.approx(frame.info["dft_energy"], abs=1e-7)
        assert np.allclose(atoms.arrays["dft_forces"], frame.arrays["dft_forces"], atol=1e-7)
        assert atoms.calc is None
        if virial:
            assert np.allclose(atoms.info["virial"], frame.info["virial"], atol=1e-6)
    check_labels(dataset)
    return True


# Names.


@pytest.mark.parametrize(
    ("energy", "forces"),
    [
        ("energy", "forces"),
        ("REF_energy", "REF_forces"),
        ("dft_energy", "dft_forces"),
        ("DFT_Energy", "DFT_Forces"),
        ("energy", "force"),
        ("E_tot", "forces_ref"),
    ],
)
def test_labels_are_found_by_common_names(tmp_path, energy, forces):
    frames = alloy(3)
    write(tmp_path / "own.xyz", alloy(3, energy=energy, forces=forces))
    dataset = read_dataset(tmp_path / "own.xyz")
    assert same(dataset, frames)
    assert dataset.names == {"energy": energy, "forces": forces}
    assert f"energy from '{energy}', forces from '{forces}'" in str(dataset)
    assert "3 energies, 3 frames with forces" in str(dataset)


def test_labels_can_be_named(tmp_path):
    frames = alloy(2)
    write(tmp_path / "own.xyz", alloy(2, energy="U", forces="minus_gradient"))
    assert not read_dataset(tmp_path / "own.xyz").names
    labels = {"energy": "U", "forces": "minus_gradient"}
    assert same(read_dataset(tmp_path / "own.xyz", labels=labels), frames)
    with pytest.raises(DataError, match="No frame .* has a label 'V'.*Found: U, minus_gradient"):
        read_dataset(tmp_path / "own.xyz", labels={"energy": "V"})
    with pytest.raises(ConfigError, match="no label 'enrgy'.*did you mean 'energy'"):
        read_dataset(tmp_path / "own.xyz", labels={"enrgy": "U"})


def test_two_energies_must_agree_or_be_chosen():
    frames = alloy(2)
    for atoms in frames:
        atoms.info["REF_energy"] = atoms.info["dft_energy"]
    assert same(from_atoms(frames), frames)
    frames[1].info["REF_energy"] += 0.1
    message = "under several names, with different values.*dft_energy.*REF_energy.*in frame 2"
    with pytest.raises(DataError, match=message):
        from_atoms(frames)
    chosen = from_atoms(frames, labels={"energy": "REF_energy"})
    assert chosen[1].info["dft_energy"] == frames[1].info["REF_energy"]


def test_the_energy_whose_derivative_the_forces_are_is_taken(tmp_path):
    frames = alloy(2)
    for atoms in frames:
        results = {"energy": atoms.info.pop("dft_energy"), "forces": atoms.arrays.pop("dft_forces")}
        atoms.calc = SinglePointCalculator(atoms, **results, free_energy=results["energy"] - 0.08)
    write(tmp_path / "own.xyz", frames)
    dataset = read_dataset(tmp_path / "own.xyz")
    assert dataset.names["energy"] == "free_energy" and "differ by up to 10 meV/atom" in str(
        dataset
    )
    plain = read_dataset(tmp_path / "own.xyz", labels={"energy": "energy"})
    assert plain[0].info["dft_energy"] == pytest.approx(dataset[0].info["dft_energy"] + 0.08)


def test_units_are_converted():
    frames = alloy(2)
    foreign = [atoms.copy() for atoms in frames]
    for atoms in foreign:
        atoms.info["dft_energy"] /= units.Hartree
        atoms.arrays["dft_forces"] *= units.Bohr / units.Hartree
        atoms.set_cell(atoms.cell / units.Bohr)
        atoms.positions /= units.Bohr
    given = {"energy": "Hartree", "forces": "Hartree/Bohr", "positions": "Bohr"}
    assert same(from_atoms(foreign, units=given), frames)
    with pytest.raises(ConfigError, match="no unit of energy 'Hartee'.*did you mean 'Hartree'"):
        from_atoms(foreign, units={"energy": "Hartee"})
    with pytest.raises(ConfigError, match="cannot be used for .*pos-1.xyz.*reader converts"):
        read_dataset(CP2K / "h2o-pos-1.xyz", units=given)


def test_stress_and_virials_become_one_kind(tmp_path):
    frames = alloy(2, virial=True)
    for atoms in frames:
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=atoms.info["dft_energy"],
            forces=atoms.arrays["dft_forces"],
            stress=-atoms.info["virial"].ravel()[[0, 4, 8, 5, 2, 1]] / atoms.get_volume(),
        )
    bare = [Atoms(a.symbols, a.positions, cell=a.cell, pbc=True) for a in frames]
    for atoms, frame in zip(bare, frames, strict=True):
        atoms.calc = SinglePointCalculator(atoms, **frame.calc.results)
    write(tmp_path / "ase.xyz", bare)
    assert same(read_dataset(tmp_path / "ase.xyz"), frames, virial=True)


def test_constraints_stay_and_labels_are_not_set_to_zero(tmp_path):
    frames = slabs(2)
    for atoms in frames:
        atoms.calc = SinglePointCalculator(
            atoms, energy=atoms.info["dft_energy"], forces=atoms.arrays["dft_forces"]
        )
        atoms.set_constraint([*atoms.constraints, FixCom()])
    bare = [atoms.copy() for atoms in frames]
    for atoms, frame in zip(bare, frames, strict=True):
        atoms.info.clear()
        del atoms.arrays["dft_forces"]
        atoms.calc = frame.calc
    for name in ("own.xyz", "own.traj"):
        write(tmp_path / name, bare)
        dataset = read_dataset(tmp_path / name)
        assert same(dataset, frames)
        assert isinstance(dataset[0].constraints[0], FixAtoms)
        assert np.abs(dataset[0].arrays["dft_forces"][dataset[0].constraints[0].index]).max() > 0.01


def test_polarizabilities_keep_their_order(tmp_path):
    tensor = np.array([[1.0, 0.2, 0.3], [0.2, 2.0, 0.4], [0.3, 0.4, 3.0]])
    frames = alloy(3)
    for atoms, name, value in zip(
        frames, ("alpha",) * 3, (tensor, tensor.ravel(), tensor.tolist()), strict=True
    ):
        atoms.info[name] = value
    write(tmp_path / "own.xyz", frames)
    for atoms in read_dataset(tmp_path / "own.xyz"):
        assert np.allclose(atoms.info["Polarizability"], tensor.ravel())
    frames[0].info["alpha"] = np.arange(9.0)
    with pytest.raises(DataError, match="'alpha' is not symmetric.*readers .* differ"):
        from_atoms(frames[:1])


def test_the_shipped_frames_are_read_as_they_are():
    frames = load_frames("water", "train", 50)
    dataset = from_atoms(frames)
    assert same(dataset, frames)
    with_tensor = [atoms for atoms in frames if "Polarizability" in atoms.info]
    assert with_tensor and all(
        np.allclose(np.ravel(a.info["Polarizability"]), np.ravel(b.info["Polarizability"]))
        for a, b in zip(dataset, with_tensor, strict=False)
    )
    assert "trajectory" in dataset[0].info  # what is no label stays


def test_a_dataset_is_a_sequence_of_frames_that_know_their_file(tmp_path):
    write(tmp_path / "a.xyz", alloy(2))
    write(tmp_path / "b.xyz", clusters(3))
    dataset = read_dataset([tmp_path / "a.xyz", str(tmp_path / "b*.xyz")])
    assert isinstance(dataset[1:4], Dataset) and len(dataset[1:4]) == 3
    assert [Path(source).name for source in dataset.sources] == [
        *("a.xyz:1", "a.xyz:2", "b.xyz:1", "b.xyz:2", "b.xyz:3")
    ]
    assert dataset.select([4, 0]).sources == [dataset.sources[4], dataset.sources[0]]
    assert read_dataset(tmp_path).sources == dataset.sources
    with pytest.raises(DataError, match="no file .*none"):
        read_dataset(tmp_path / "none*.xyz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no frames"):
        read_dataset(tmp_path / "empty")


def test_an_isolated_atom_needs_no_forces():
    atom = Atoms("Cu", info={"REF_energy": 3.5})
    dataset = from_atoms([*alloy(1, energy="REF_energy", forces="REF_forces"), atom])
    assert np.array_equal(dataset[1].arrays["dft_forces"], np.zeros((1, 3)))


# Extended XYZ: what ASE reads otherwise than it was meant.


COLUMNS = "species:S:1:pos:R:3:forces:R:3"


def comment(tmp_path, words, columns=COLUMNS):
    path = tmp_path / "one.xyz"
    properties = f"Properties={columns} " if columns else ""
    rows = "Cu 0.0 0.0 0.0 0.1 0.0 0.0\nCu 0.0 0.0 2.5 -0.1 0.0 0.0\n"
    path.write_text(f"2\n{properties}{words}\n{rows}")
    return path


CELL = 'Lattice="9 0 0 0 9 0 0 0 9"'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f'{CELL} label= pbc="T T F" energy=1.0', "empty value.*next key.*Found: label="),
        (f"{CELL} label= energy=1.0", "empty value.*leave the key out"),
        (f"{CELL} energy=1.0 alpha=[[1.0, 2.0], [3.0]]", "tears to pieces.*alpha=.*nine numbers"),
        (f'{CELL} PBC="T T F" energy=1.0', "a key that ASE overlooks.*'PBC'.*write 'pbc'"),
        ('lattice="9 0 0 0 9 0 0 0 9" energy=1.0', "a key that ASE overlooks.*'lattice'"),
        ('pbc="T T F" energy=1.0', "periodic along an axis on which their cell has no length"),
        ("# CELL(abcABC): 9 9 9 90 90 90 positions{atomic_unit} cell{atomic_unit}", "i-PI.*misre"),
        (f'{CELL} energy="low"', None),
        (f"{CELL} energy=nan", "'energy' is not a finite number"),
    ],
)
def test_comments_that_would_be_misread_are_refused(tmp_path, words, message):
    path = comment(tmp_path, words, columns="" if words.startswith("#") else COLUMNS)
    if message is None:
        assert "energy" not in read_dataset(path).names
        return
    with pytest.raises(DataError, match=message):
        read_dataset(path)


def test_a_lattice_of_zeros_is_a_molecule(tmp_path):
    (atoms,) = read_dataset(comment(tmp_path, 'Lattice="0 0 0 0 0 0 0 0 0" energy=1.0'))
    assert not atoms.pbc.any() and atoms.info["dft_energy"] == 1.0


def test_fortran_numbers_and_missing_pbc_are_understood(tmp_path):
    dataset = read_dataset(comment(tmp_path, f"{CELL} energy=-1.0D+02"))
    assert dataset[0].info["dft_energy"] == -100.0
    assert "1 frames have a cell and do not say whether it is periodic" in str(dataset)
    quoted = comment(tmp_path, f'{CELL} note="a= b" pbc="F F F" energy=1.0')
    assert not read_dataset(quoted)[0].pbc.any()


def test_energies_of_atoms_are_not_taken_for_the_energy(tmp_path):
    path = tmp_path / "own.xyz"
    path.write_text(
        "2\nProperties=species:S:1:pos:R:3:energy:R:1:forces:R:3\n"
        "Cu 0 0 0 1.0 0.1 0 0\nCu 0 0 2.5 1.5 -0.1 0 0\n"
    )
    dataset = read_dataset(path)
    assert "energy" not in dataset.names and "dft_energy" not in dataset[0].info
    with pytest.raises(DataError, match="Frame .*'energy' has the wrong shape"):
        read_dataset(path, labels={"energy": "energy"})


def test_columns_that_ase_gives_no_meaning_are_told(tmp_path):
    frames = alloy(1)
    frames[0].arrays["velo"] = np.ones((len(frames[0]), 3))
    write(tmp_path / "own.xyz", frames)
    assert "Columns without effect: velo" in str(read_dataset(tmp_path / "own.xyz"))


def test_a_number_too_large_for_the_reader_is_told_with_the_file(tmp_path):
    path = tmp_path / "own.xyz"
    path.write_text(
        f"1\n{CELL} Properties=species:S:1:pos:R:3:tag:I:1 energy=1\nCu 0 0 0 {2**40}\n"
    )
    with pytest.raises(DataError, match=r"own\.xyz cannot be read as extended XYZ"):
        read_dataset(path)


def test_labels_of_moved_atoms_are_refused(tmp_path):
    frames = [Atoms(a.symbols, a.positions, cell=a.cell, pbc=True) for a in alloy(1)] * 2
    frames = [atoms.copy() for atoms in frames]
    truth = alloy(1)[0]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(
            atoms, energy=truth.info["dft_energy"], forces=truth.arrays["dft_forces"]
        )
    frames[1].rattle(0.05, seed=1)
    write(tmp_path / "own.xyz", frames)  # ASE writes the old labels beside the new positions
    with pytest.raises(DataError, match=r"own\.xyz:2 and .*own\.xyz:1 have the same forces"):
        read_dataset(tmp_path / "own.xyz")
    other = truth.copy()
    other.symbols[0] = "Au"
    with pytest.raises(DataError, match="have the same forces .* other elements"):
        from_atoms([truth, other])
    moved = [truth, truth.copy()]
    moved[1].positions += 0.3
    moved[1].wrap()
    assert len(from_atoms(moved)) == 2  # moved as a whole, and folded into the cell


def test_stress_that_is_not_symmetric_is_refused(tmp_path):
    words = f'{CELL} energy=1.0 stress="1 2 3 4 5 6 7 8 9"'  # ASE would make six numbers of it
    with pytest.raises(DataError, match="stress that is not symmetric.*keep six"):
        read_dataset(comment(tmp_path, words))
    (frame,) = alloy(1)
    frame.info["virial"] = np.arange(9.0).reshape(3, 3)
    with pytest.raises(DataError, match="'virial' is not symmetric"):
        from_atoms([frame])


@pytest.mark.parametrize(
    ("words", "pbc"), [(f"{CELL} pbc=T", 3), (f"{CELL} pbc=F", 0), ("a molecule 1", 0)]
)
def test_words_that_ase_understands_are_left_to_it(tmp_path, words, pbc):
    (atoms,) = read_dataset(comment(tmp_path, words))
    assert atoms.pbc.sum() == pbc and "dft_energy" not in atoms.info
    assert atoms.arrays["dft_forces"][0, 0] == 0.1


def test_dummy_atoms_are_refused():
    with pytest.raises(DataError, match=r"Frame the frames:1 holds dummy atoms \(X\)"):
        from_atoms([Atoms("CuX", [[0, 0, 0], [0, 0, 2]])])


def test_a_lattice_of_three_numbers_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"one\.xyz cannot be read as extended XYZ"):
        read_dataset(comment(tmp_path, 'Lattice="9 9 9" energy=1.0'))


@pytest.mark.parametrize("name", ["energy", "free_energy"])
def test_a_frame_may_hold_energies_of_atoms_too(tmp_path, name):
    path = tmp_path / "own.xyz"
    path.write_text(
        f"2\nProperties=species:S:1:pos:R:3:{name}:R:1:forces:R:3 energy=2.5\n"
        "Cu 0 0 0 1.0 0.1 0 0\nCu 0 0 2.5 1.5 -0.1 0 0\n"
    )
    assert read_dataset(path)[0].info["dft_energy"] == 2.5


def test_a_free_energy_in_words_is_none(tmp_path):
    (atoms,) = read_dataset(comment(tmp_path, f"{CELL} energy=1.0 free_energy=n/a"))
    assert atoms.info["dft_energy"] == 1.0


def test_atomic_numbers_may_stand_for_elements(tmp_path):
    path = tmp_path / "own.xyz"
    path.write_text("2\nProperties=Z:I:1:pos:R:3 energy=1\n29 0 0 0\n13 0 0 2.5\n")
    assert str(read_dataset(path)[0].symbols) == "CuAl"


def test_tensors_in_a_calculator_are_found():
    """ASE's writers drop them, so they come from atoms in memory only."""
    frames = alloy(2)
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms)
        atoms.calc.results["polarizability"] = np.diag([1.0, 2.0, 3.0])
    assert np.allclose(from_atoms(frames)[0].info["Polarizability"], np.diag([1, 2, 3]).ravel())


def test_constraints_along_axes_leave_the_forces(tmp_path):
    frames = slabs(1)
    frames[0].set_constraint(FixCartesian([0, 1], (False, False, True)))
    write(tmp_path / "own.xyz", frames)
    assert same(read_dataset(tmp_path / "own.xyz"), frames)


def test_trajectories_of_ase_without_forces_are_told(tmp_path):
    frames = alloy(2)  # labels in columns of their own, which the format drops
    write(tmp_path / "own.traj", frames)
    dataset = read_dataset(tmp_path / "own.traj")
    assert "forces" not in dataset.names and dataset[0].info["dft_energy"]
    assert "own.traj holds no forces: ASE's .traj has room for those of a calculator" in str(
        dataset
    )


def test_compressed_files_are_read(tmp_path):
    write(tmp_path / "own.xyz", alloy(2))
    (tmp_path / "own.xyz.gz").write_bytes(gzip.compress((tmp_path / "own.xyz").read_bytes()))
    assert same(read_dataset(tmp_path / "own.xyz.gz"), alloy(2))


# Other formats.


@pytest.mark.parametrize("name", ["own.db", "own.json"])
def test_databases_of_ase_keep_labels_in_key_value_pairs(tmp_path, name):
    frames = alloy(2)
    with connect(tmp_path / name) as database:
        for atoms in frames:
            forces = atoms.arrays["dft_forces"].tolist()
            energy = float(atoms.info["dft_energy"])
            database.write(atoms, data={"ref_forces": forces}, ref_energy=energy)
    assert len(read(tmp_path / name, ":")[0].info) == 0  # ASE's read leaves them out
    dataset = read_dataset(tmp_path / name)
    assert dataset.names == {"energy": "ref_energy", "forces": "ref_forces"}
    assert same(dataset, frames)


DUMP = """ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS pp pp pp
0 9
0 9
0 9
ITEM: ATOMS id type x y z fx fy fz
1 1 1.0 1.0 1.0 23.0605 0.0 0.0
3 2 1.0 2.0 1.0 0.0 -1.0 0.0
2 2 2.0 1.0 1.0 -23.0605 1.0 0.0
"""


def test_lammps_dumps_need_elements_and_units(tmp_path):
    path = tmp_path / "water.dump"
    path.write_text(DUMP.format(step=0) + DUMP.format(step=10).replace("23.0605", "20.0"))
    with pytest.raises(DataError, match="types of atoms, not elements.*--elements O,H"):
        read_dataset(path)
    with pytest.raises(DataError, match="does not say its units.*'metal' or 'real'"):
        read_dataset(path, elements=["O", "H"])
    dataset = read_dataset(path, elements=["O", "H"], lammps_units="real")
    assert [str(atoms.symbols) for atoms in dataset] == ["OH2", "OH2"]
    forces = dataset[0].arrays["dft_forces"]
    assert forces[0, 0] == pytest.approx(1.0, abs=1e-4)  # 23.06 kcal/mol
    assert forces.sum() == pytest.approx(0.0, abs=1e-8)
    assert "dft_energy" not in dataset[0].info and "holds no energies" in str(dataset)
    metal = read_dataset(path, elements=["O", "H"], lammps_units="metal")
    assert metal[0].arrays["dft_forces"][0, 0] == pytest.approx(23.0605)
    with pytest.raises(ConfigError, match="lammps_units='lj'"):
        read_dataset(path, elements=["O", "H"], lammps_units="lj")


SKEWED = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp ff
0.0 11.0 2.0
0.0 8.0 0.0
0.0 9.0 0.0
ITEM: ATOMS id type element xs ys zs fx fy fz
2 1 Cu 0.5 0.5 0.5 0.0 0.0 0.1
1 2 Al 0.0 0.25 0.0 0.0 0.0 -0.1
"""


def test_lammps_dumps_of_skewed_boxes_name_elements_themselves(tmp_path):
    (tmp_path / "own.dump").write_text(SKEWED)
    (atoms,) = read_dataset(tmp_path / "own.dump", lammps_units="metal")
    assert str(atoms.symbols) == "AlCu" and atoms.pbc.tolist() == [True, True, False]
    assert np.allclose(atoms.cell.array, [[9, 0, 0], [2, 8, 0], [0, 0, 9]])
    assert np.allclose(atoms.positions, [[0.5, 2, 0], [5.5, 4, 4.5]])
    more = SKEWED.replace("fx fy fz", "fx fy fz ix mass").replace("0.1\n", "0.1 1 2.0\n")
    (tmp_path / "more.dump").write_text(more)
    dataset = read_dataset(tmp_path / "more.dump", lammps_units="metal")
    assert "ix, mass not read: positions lie in the box" in str(dataset)
    assert np.array_equal(dataset[0].positions, atoms.positions)
    assert atoms.arrays["dft_forces"][:, 2].tolist() == [-0.1, 0.1]


def test_options_of_dumps_are_refused_for_other_files(tmp_path):
    write(tmp_path / "own.xyz", alloy(1))
    with pytest.raises(ConfigError, match="elements=.* no meaning.*LAMMPS dump or a DeePMD"):
        read_dataset(tmp_path / "own.xyz", elements=["O", "H"])
    with pytest.raises(ConfigError, match="lammps_units='real' has no meaning.*Found: extxyz"):
        read_dataset(tmp_path / "own.xyz", lammps_units="real")


def test_cp2k_trajectories_have_energies_forces_and_cells(tmp_path):
    dataset = read_dataset(CP2K / "h2o-pos-1.xyz")
    assert [atoms.info["step"] for atoms in dataset] == [0, 1, 2]
    assert dataset[0].cell.lengths() == pytest.approx([8, 8, 9]) and dataset[0].pbc.all()
    assert dataset[0].info["dft_energy"] == pytest.approx(-0.2268939499 * units.Hartree)
    # Energies fall by the work of the forces: eV and eV/Å, in the same order of atoms.
    energies = np.array([atoms.info["dft_energy"] for atoms in dataset])
    for k in (0, 1):
        step = dataset[k + 1].positions - dataset[k].positions
        mean = (dataset[k].arrays["dft_forces"] + dataset[k + 1].arrays["dft_forces"]) / 2
        assert energies[k + 1] - energies[k] == pytest.approx(-np.sum(step * mean), rel=0.01)
    for name in ("h2o-pos-1.xyz", "h2o-frc-1.xyz", "h2o-1.cell", "single_point.out"):
        shutil.copy(CP2K / name, tmp_path)
    assert len(read_dataset(tmp_path)) == 4


def test_cp2k_files_that_do_not_belong_together_are_refused(tmp_path):
    for name in ("h2o-pos-1.xyz", "h2o-frc-1.xyz"):
        (tmp_path / name).write_text((CP2K / name).read_text())
    with pytest.raises(DataError, match=r"no cell for .*h2o-1\.cell, or h2o-1\.restart"):
        read_dataset(tmp_path / "h2o-pos-1.xyz")
    with pytest.raises(DataError, match="not the one with the positions"):
        read_dataset(tmp_path / "h2o-frc-1.xyz")
    cell = "&CELL\n A 8.0 0.0 0.0\n B 0.0 8.0 0.0\n C 0.0 0.0 9.0\n PERIODIC NONE\n"
    restart = f"&MD\n ENSEMBLE NVE\n{cell}"
    (tmp_path / "h2o-1.restart").write_text(restart)
    assert not read_dataset(tmp_path / "h2o-pos-1.xyz")[0].pbc.any()
    forces = tmp_path / "h2o-frc-1.xyz"
    forces.write_text(forces.read_text().replace("  O  ", "  S  "))
    with pytest.raises(DataError, match="other atoms than h2o-pos-1.xyz at step 0"):
        read_dataset(tmp_path / "h2o-pos-1.xyz")


def test_cp2k_output_of_a_single_point(tmp_path):
    dataset = read_dataset(CP2K / "single_point.out")
    first = read_dataset(CP2K / "h2o-pos-1.xyz")[0]
    (atoms,) = dataset
    assert atoms.info["dft_energy"] == pytest.approx(first.info["dft_energy"], abs=1e-6)
    assert np.allclose(atoms.arrays["dft_forces"], first.arrays["dft_forces"], atol=1e-5)
    # The molecule is alone: its virial is the sum of positions times forces, whatever the box.
    virial = np.einsum("ia,ib->ab", first.positions, first.arrays["dft_forces"])
    assert np.allclose(atoms.info["virial"], virial, atol=2e-3)
    text = (CP2K / "single_point.out").read_text()
    # A loose SCF prints two energies that differ: the one of ENERGY| counts, and it is told.
    energy = re.search(r"ENERGY\|.* (\S+)$", text, re.MULTILINE)[1]
    loose = text.replace("ENERGY|", f"Total energy:   {float(energy) + 0.004}\n ENERGY|", 1)
    (tmp_path / "loose.out").write_text(loose)
    again = read_dataset(tmp_path / "loose.out")
    assert again[0].info["dft_energy"] == atoms.info["dft_energy"]
    assert "'Total energy' is not that of 'ENERGY|', which is taken" in str(again)
    for change, message in (
        ((r"ENERGY\|.*", ""), "not the output of a finished single-point run.*pos-1.xyz"),
        ((r"MODULE FIST: ATOMIC COORDINATES IN", ""), "neither coordinates nor cell.*MEDIUM"),
        ((r"ATOMIC FORCES", "*** SCF run NOT converged ***\n ATOMIC FORCES"), "did not converge"),
    ):
        (tmp_path / "other.out").write_text(re.sub(*change, text))
        with pytest.raises(DataError, match=message):
            read_dataset(tmp_path / "other.out")


def deepmd(folder, frames, **arrays):
    elements = sorted(set(frames[0].symbols))
    part = folder / "set.000"
    part.mkdir(parents=True)
    (folder / "type_map.raw").write_text("\n".join(elements))
    types = [elements.index(symbol) for symbol in frames[0].symbols]
    np.savetxt(folder / "type.raw", types, fmt="%d")
    values = {
        "coord": [a.positions.ravel() for a in frames],
        "box": [a.cell.array.ravel() for a in frames],
        "energy": [a.info["dft_energy"] for a in frames],
        "force": [a.arrays["dft_forces"].ravel() for a in frames],
        "virial": [a.info["virial"].ravel() for a in frames],
    }
    for name, rows in values.items():
        np.save(part / f"{name}.npy", np.array(rows))


def test_deepmd_folders(tmp_path):
    first = alloy(1, virial=True)[0]
    frames = []
    for seed in range(3):
        atoms = Atoms(first.symbols, first.positions, cell=first.cell, pbc=True)
        atoms.rattle(0.05, seed=seed)
        frames.append(labeled(atoms, virial=True))
    deepmd(tmp_path / "system", frames)
    assert same(read_dataset(tmp_path / "system"), frames, virial=True)
    assert same(read_dataset(tmp_path), frames, virial=True)
    (tmp_path / "system" / "nopbc").touch()
    assert not read_dataset(tmp_path / "system")[0].pbc.any()
    (tmp_path / "system" / "type_map.raw").unlink()
    with pytest.raises(DataError, match="which elements its types are"):
        read_dataset(tmp_path / "system")


def test_vasp_outputs():
    dataset = read_dataset(ASE_DATA / "vasp" / "vasprun_pstress.xml")
    assert dataset.names["energy"] == "free_energy"
    assert "virial" in dataset[0].info and dataset[0].pbc.all()
    assert np.trace(dataset[0].info["virial"]) < 0  # −166 kbar in the file: a stretched cell
    assert len(read_dataset(ASE_DATA / "vasp" / "OUTCAR_example_1")) == 1


def test_of_two_outputs_of_vasp_one_counts(tmp_path):
    shutil.copy(ASE_DATA / "vasp" / "vasprun_pstress.xml", tmp_path / "vasprun.xml")
    shutil.copy(ASE_DATA / "vasp" / "OUTCAR_example_1", tmp_path / "OUTCAR")
    assert {Path(name).name for name in read_dataset(tmp_path).sources} == {"vasprun.xml:1"}


def test_fhi_aims_output_is_read_with_all_frames(tmp_path):
    text = (ASE_DATA / "aims" / "md.out").read_text()
    (tmp_path / "aims.out").write_text(f"          Invoking FHI-aims ...\n{text}")
    dataset = read_dataset(tmp_path / "aims.out")
    assert len(dataset) > 1 and "forces" in dataset.names


PWSCF = """
     Program PWSCF v.7.2 starts on 1Jan2024 at 12: 0: 0
     number of atoms/cell      =            2
     number of atomic types    =            1
     celldm(1)=  10.000000  celldm(2)=   0.000000  celldm(3)=   0.000000
     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.000000   0.000000 )
               a(3) = (   0.000000   0.000000   1.000000 )
   Cartesian axes
     site n.     atom                  positions (alat units)
         1           Cu  tau(   1) = (   0.0000000   0.0000000   0.0000000  )
         2           Cu  tau(   2) = (   0.5000000   0.0000000   0.0000000  )
!    total energy              =     -10.00000000 Ry
     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.01000000    0.00000000    0.00000000
     atom    2 type  1   force =    -0.01000000    0.00000000    0.00000000
     Total force =     0.014142     Total SCF correction =     0.000000
     Computing stress (Cartesian axis) and pressure
          total   stress  (Ry/bohr**3)                   (kbar)     P=       14.71
   0.00010000   0.00000000   0.00000000           14.71        0.00        0.00
   0.00000000   0.00010000   0.00000000            0.00       14.71        0.00
   0.00000000   0.00000000   0.00010000            0.00        0.00       14.71
"""


def test_quantum_espresso_output(tmp_path):
    (tmp_path / "pw.out").write_text(PWSCF)
    (atoms,) = read_dataset(tmp_path / "pw.out")
    assert atoms.info["dft_energy"] == pytest.approx(-10 * units.Ry, rel=1e-6)
    assert atoms.arrays["dft_forces"][0, 0] == pytest.approx(0.01 * units.Ry / units.Bohr, rel=1e-6)
    assert atoms.cell.lengths() == pytest.approx([10 * units.Bohr] * 3)
    # A pressure of +14.71 kbar: the virial −V·stress is positive.
    virial = 1e-4 * units.Ry / units.Bohr**3 * atoms.get_volume()
    assert np.diag(atoms.info["virial"]) == pytest.approx([virial] * 3, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "my notes\n", "in no format that is known here.*from_atoms"),
        (
            "OUTCAR",
            "vasp.6 but nothing else\n",
            "OUTCAR cannot be read as vasp-out|holds no frames",
        ),
        ("run.traj", "no trajectory", "run.traj cannot be read as traj"),
        ("run.db", "no database", "run.db cannot be read as a database"),
        ("x.xyz", "", "x.xyz is empty"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path / name)


def test_what_was_read_can_be_evaluated_and_has_no_calculator(tmp_path):
    from ase.calculators.emt import EMT

    write(tmp_path / "own.xyz", clusters(4, energy="REF_energy", forces="REF_forces"))
    errors = evaluate(EMT(), read_dataset(tmp_path / "own.xyz"))
    assert errors.rmse_energy_meV_per_atom < 1e-3 and errors.rmse_forces_meV_per_A < 1e-3


# What docs/formats.md promises, and the tests that hold it to it.
PROMISES = {
    "extended XYZ": [
        test_comments_that_would_be_misread_are_refused,
        test_fortran_numbers_and_missing_pbc_are_understood,
        test_energies_of_atoms_are_not_taken_for_the_energy,
        test_columns_that_ase_gives_no_meaning_are_told,
    ],
    "any, labels of moved atoms": [test_labels_of_moved_atoms_are_refused],
    "any, two energies": [
        test_the_energy_whose_derivative_the_forces_are_is_taken,
        test_two_energies_must_agree_or_be_chosen,
    ],
    "any, constraints": [
        test_constraints_stay_and_labels_are_not_set_to_zero,
        test_constraints_along_axes_leave_the_forces,
    ],
    "any, stress": [
        test_stress_and_virials_become_one_kind,
        test_stress_that_is_not_symmetric_is_refused,
    ],
    "any, polarizability": [
        test_polarizabilities_keep_their_order,
        test_tensors_in_a_calculator_are_found,
    ],
    "ASE `.traj`": [test_trajectories_of_ase_without_forces_are_told],
    "ASE `.db`, `.json`": [test_databases_of_ase_keep_labels_in_key_value_pairs],
    "VASP `OUTCAR`, `vasprun.xml`": [test_vasp_outputs, test_of_two_outputs_of_vasp_one_counts],
    "CP2K output": [test_cp2k_output_of_a_single_point],
    "CP2K `PROJECT-pos-1.xyz`": [
        test_cp2k_trajectories_have_energies_forces_and_cells,
        test_cp2k_files_that_do_not_belong_together_are_refused,
    ],
    "Quantum ESPRESSO output": [test_quantum_espresso_output],
    "FHI-aims output": [test_fhi_aims_output_is_read_with_all_frames],
    "LAMMPS dump": [
        test_lammps_dumps_need_elements_and_units,
        test_lammps_dumps_of_skewed_boxes_name_elements_themselves,
    ],
    "DeePMD folder": [test_deepmd_folders],
}


def test_each_row_of_the_table_of_formats_is_held_by_a_test():
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| [^|]*\| .*\|$", text, re.MULTILINE)
    named = {re.sub(r" \(.*\)$", "", row) for row in rows if not row.startswith(("format", "---"))}
    assert named == set(PROMISES)
