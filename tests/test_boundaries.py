"""Boundary conditions: one function decides, and every door obeys it or refuses."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from helpers import load_potential
from helpers.boundaries import periodic_directions, require_bulk, with_boundaries
from helpers.errors import DataError, PredictionError
from helpers.frames import read_frames

pytestmark = pytest.mark.usefixtures("quickly_compiled")

WATERS = [
    [0, 0, 0],
    [0.96, 0, 0],
    [-0.24, 0.93, 0],
    [2.7, 0.3, 0.2],
    [3.4, 0.9, 0.5],
    [2.9, -0.6, 0],
]
SKEWED = [[4.0, 0, 0], [2.0, 3.6, 0], [1.0, 1.0, 4.0]]  # shorter than twice the cutoff, everywhere
CASES = {
    "none, with a cell": ([5, 5, 5], False, [0, 0, 0]),
    "none, without a cell": (None, False, [0, 0, 0]),
    "zero Lattice, as ASE reads it": (np.zeros((3, 3)), True, [0, 0, 0]),
    "full": ([6, 6, 6], True, [1, 1, 1]),
    "slab": ([6, 6, 3], [1, 1, 0], [1, 1, 0]),
    "slab without a third vector": ([6, 6, 0], [1, 1, 0], [1, 1, 0]),
    "wire": ([5, 0, 0], [1, 0, 0], [1, 0, 0]),
    "slab that is open along b": ([6, 3, 6], [1, 0, 1], [1, 0, 1]),
    "small and skewed": (SKEWED, True, [1, 1, 1]),
    "small and skewed slab": (SKEWED, [1, 1, 0], [1, 1, 0]),
    "left-handed": ([-6, 6, 6], True, [1, 1, 1]),
}


def waters(cell, pbc):
    return Atoms("OH2OH2", WATERS, cell=cell, pbc=pbc)


def energy_of_a_supercell(potential, atoms, periodic):
    """Return the energy per cell when images are put in by hand: more atoms, no small cells."""
    repeats = [3 if direction else 1 for direction in periodic]
    return potential.get_potential_energy(atoms.repeat(repeats)) / np.prod(repeats)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_both_engines_obey(smallest_fit, name):
    cell, pbc, periodic = CASES[name]
    atoms = waters(cell, pbc)
    assert periodic_directions(atoms.cell.array, atoms.pbc).tolist() == [bool(p) for p in periodic]
    quippy = load_potential(smallest_fit.model_path, engine="quippy")
    ours = load_potential(smallest_fit.model_path, engine="jax")
    energy, forces = quippy.get_potential_energy(atoms), quippy.get_forces(atoms)
    assert ours.get_potential_energy(atoms) == pytest.approx(energy, abs=6e-8)
    assert np.abs(ours.get_forces(atoms) - forces).max() < 1e-6
    ((of_many, _),) = ours.predict_frames([atoms])
    assert of_many == pytest.approx(energy, abs=6e-8)
    obeying = with_boundaries(atoms)
    assert obeying.pbc.tolist() == [bool(p) for p in periodic]
    if any(periodic):
        images = energy_of_a_supercell(quippy, obeying, periodic)
        assert images == pytest.approx(energy, abs=1e-6)
        assert energy != pytest.approx(quippy.get_potential_energy(waters(None, False)), abs=1e-6)
    else:
        assert energy == quippy.get_potential_energy(waters(None, False))


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        ([9, 9, 0], True),
        ([9, 9, 0.3], True),
        ([[9, 0, 0], [18, 0, 0], [0, 0, 9]], [1, 1, 0]),
        ([[9, 0, 0], [4, 0.2, 0], [0, 0, 9]], True),
        ([0, 0, 9], [1, 0, 0]),
    ],
    ids=["flat", "thin", "parallel", "almost parallel", "no vector"],
)
def test_what_does_not_fit_together_is_refused_everywhere(smallest_fit, tmp_path, cell, pbc):
    atoms = waters(cell, pbc)
    for engine in ("quippy", "jax"):
        with pytest.raises(PredictionError, match="cell is flat.*for a molecule.*for a slab"):
            load_potential(smallest_fit.model_path, engine=engine).get_potential_energy(atoms)
    with pytest.raises(DataError, match="cell is flat"):
        with_boundaries(atoms)
    write(tmp_path / "a.xyz", atoms, format="extxyz")
    with pytest.raises(DataError, match="cell is flat"):
        read_frames(tmp_path / "a.xyz")


def test_a_zero_lattice_in_a_file_is_a_molecule(tmp_path):
    text = "3\n{}Properties=species:S:1:pos:R:3\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"
    zero = 'Lattice="0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0" '
    (tmp_path / "a.xyz").write_text(
        text.format(zero) + text.format("") + text.format('pbc="T T T" ')
    )
    (tmp_path / "b.xyz").write_text(text.format('Lattice="9 0 0 0 9 0 0 0 9" '))
    assert not any(atoms.pbc.any() for atoms in read_frames(tmp_path / "a.xyz"))
    assert read_frames(tmp_path / "b.xyz")[0].pbc.all()  # as ASE and QUIP read it


@pytest.mark.slow
def test_dynamics_of_a_molecule_with_a_zero_lattice(smallest_fit):
    from helpers.md import run_nve

    start = waters(np.zeros((3, 3)), True)
    runs = [
        run_nve(smallest_fit.model_path, atoms, steps=3, engine="ase", progress=False)
        for atoms in (start, waters(None, False))
    ]
    assert np.array_equal(runs[0].positions_A, runs[1].positions_A)
    assert start.pbc.all(), "the start is not changed"


def test_what_counts_with_the_volume_wants_a_bulk(frames10):
    from helpers.md.structure import radial_distributions

    radial_distributions(frames10[:2], [("O", "O")])
    for atoms in frames10[:2]:
        atoms.pbc = [True, True, False]
    with pytest.raises(DataError, match="radial distribution.*periodic in all directions"):
        radial_distributions(frames10[:2], [("O", "O")])
    with pytest.raises(DataError, match="The volume needs a box"):
        require_bulk(waters(None, False), "The volume")


def test_a_figure_draws_no_cell_around_a_molecule():
    from helpers.plots import plot_snapshot

    n_patches = [
        len(plot_snapshot(waters(*box)).patches) for box in (([9, 9, 9], True), (None, True))
    ]
    assert n_patches[0] > n_patches[1] >= 6
