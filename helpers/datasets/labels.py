"""Labels under the names that programs and people give them → labels under the kit's names.

The kit's frames carry ``info["dft_energy"]`` (eV), ``arrays["dft_forces"]`` (eV/Å), and where they
are known ``info["virial"]``, −dE/dε = −V·stress, (3, 3), eV, and ``info["Polarizability"]``, (9,),
row by row, in the unit of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.stress import voigt_6_to_full_3x3_stress

from helpers.errors import ConfigError, DataError, nearest
from helpers.frames import ENERGY_NAME, FORCES_NAME, label

VIRIAL, POLARIZABILITY = "virial", "Polarizability"
QUANTITIES = ("energy", "forces", "virial", "stress", "polarizability")

# Without regard to case, and with or without _ and -. What stands first is taken if several names
# hold the same values.
KNOWN_NAMES: dict[str, tuple[str, ...]] = {
    "energy": (
        *("dft_energy", "ref_energy", "free_energy", "energy", "total_energy", "tot_energy"),
        *("potential_energy", "energy_dft", "energy_ref", "e_dft", "e_ref", "e_tot"),
    ),
    "forces": (
        *("dft_forces", "ref_forces", "forces", "dft_force", "ref_force", "force"),
        *("forces_dft", "forces_ref"),
    ),
    "virial": ("virial", "dft_virial", "ref_virial", "virials", "ref_virials", "dft_virials"),
    "stress": ("stress", "dft_stress", "ref_stress"),
    "polarizability": (
        *("polarizability", "dft_polarizability", "ref_polarizability", "alpha"),
        *("polarisability", "polarizability_tensor"),
    ),
}

# Factors that turn a unit into the kit's.
ENERGY_UNITS = {
    "eV": 1.0,
    "meV": 1e-3,
    "Hartree": units.Hartree,
    "Ry": units.Ry,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
}
LENGTH_UNITS = {"Å": 1.0, "A": 1.0, "Angstrom": 1.0, "Bohr": units.Bohr, "nm": 10.0}


def energy_factor(unit: str) -> float:
    """Return what one `unit` of energy is in eV."""
    return _factor(unit, ENERGY_UNITS, "energy")


def length_factor(unit: str) -> float:
    """Return what one `unit` of length is in Å."""
    return _factor(unit, LENGTH_UNITS, "length")


def forces_factor(unit: str) -> float:
    """Return what one `unit` of force, such as ``"Hartree/Bohr"``, is in eV/Å."""
    energy, _, length = unit.rpartition("/")
    return energy_factor(energy) / length_factor(length)


def _factor(unit: str, known: Mapping[str, float], kind: str) -> float:
    if unit not in known:
        raise ConfigError(f"There is no unit of {kind} {unit!r}", fix=nearest(unit, known))
    return known[unit]


def find_names(
    frames: Sequence[Atoms], given: Mapping[str, str], source: str
) -> tuple[dict[str, str], list[str]]:
    """Return the name under which each quantity stands in frames, and what is to be told.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    given : mapping of str to str
        Names for some of the quantities: these are not looked for.
    source : str
        Name of the frames in messages.

    Raises
    ------
    ConfigError
        If `given` names an unknown quantity.
    DataError
        If a quantity stands under several names with different values.
    """
    for quantity in given:
        if quantity not in QUANTITIES:
            raise ConfigError(f"There is no label {quantity!r}", fix=nearest(quantity, QUANTITIES))
    found, notes = {}, []
    for quantity in QUANTITIES:
        if quantity in given:
            if not any(_holds(atoms, given[quantity]) for atoms in frames):
                raise DataError(
                    f"No frame of {source} has a label {given[quantity]!r}",
                    found=", ".join(sorted({n for a in frames for n in names_of(a)})) or "none",
                    fix="name one that is there",
                )
            found[quantity] = given[quantity]
            continue
        known = [_plain(name) for name in KNOWN_NAMES[quantity]]
        there = {
            name: None
            for atoms in frames
            for name in names_of(atoms)
            if _plain(name) in known and _fits(quantity, atoms, name)
        }
        candidates = sorted(there, key=lambda name: known.index(_plain(name)))
        if quantity == "energy":
            candidates, note = _force_consistent(frames, candidates)
            notes += note
        if len(candidates) > 1:
            _check_same(frames, quantity, candidates, source)
        if candidates:
            found[quantity] = candidates[0]
    return found, notes


def names_of(atoms: Atoms) -> Iterator[str]:
    """Yield the names of all that a frame carries besides elements and positions."""
    yield from atoms.info
    yield from (name for name in atoms.arrays if name not in ("numbers", "positions"))
    if atoms.calc is not None:
        yield from atoms.calc.results


def standard_frame(
    atoms: Atoms, names: Mapping[str, str], factors: Mapping[str, float], where: str
) -> Atoms:
    """Return a frame that carries its labels under the kit's names and in its units.

    All else that the frame carries is kept: constraints, other keys and columns.

    Parameters
    ----------
    atoms : ase.Atoms
    names : mapping of str to str
        Of `find_names`.
    factors : mapping of str to float
        For ``"energy"``, ``"forces"`` and ``"positions"``: what a unit of the file is in the kit's.
    where : str
        Name of the frame in messages.

    Raises
    ------
    DataError
        If a label has the wrong shape or is not a finite number.
    """
    energy = forces = virial = tensor = None
    if (value := _label(atoms, names.get("energy"))) is not None:
        energy = float(_array(value, (), f"{where}: {names['energy']!r}")) * factors["energy"]
    if (value := _label(atoms, names.get("forces"))) is not None:
        shape = (len(atoms), 3)
        forces = _array(value, shape, f"{where}: {names['forces']!r}") * factors["forces"]
    if (value := _label(atoms, names.get("virial"))) is not None:
        virial = _matrix(value, f"{where}: {names['virial']!r}") * factors["energy"]
    elif (value := _label(atoms, names.get("stress"))) is not None and atoms.pbc.all():
        stress = _matrix(value, f"{where}: {names['stress']!r}")
        virial = -atoms.get_volume() * stress * factors["energy"]
    if virial is not None:
        _check_symmetric(virial, f"{where}: {names.get('virial') or names['stress']!r}")
    if (value := _label(atoms, names.get("polarizability"))) is not None:
        matrix = _matrix(value, f"{where}: {names['polarizability']!r}")
        _check_symmetric(matrix, f"{where}: {names['polarizability']!r}")
        tensor = matrix.ravel()
    result = atoms.copy()
    for name in names.values():
        result.info.pop(name, None)
        if name in result.arrays:
            del result.arrays[name]
    if factors["positions"] != 1.0:
        constraints, result.constraints = result.constraints, []
        result.set_cell(result.cell.array * factors["positions"])
        result.positions *= factors["positions"]
        result.constraints = constraints
    if energy is not None:
        result.info[ENERGY_NAME] = energy
    if forces is None and len(atoms) == 1 and energy is not None:
        forces = np.zeros((1, 3))  # by symmetry
    if forces is not None:
        result.arrays[FORCES_NAME] = forces
    if virial is not None:
        result.info[VIRIAL] = virial
    if tensor is not None:
        result.info[POLARIZABILITY] = tensor
    return result


def _label(atoms: Atoms, name: str | None) -> Any:
    return None if name is None else label(atoms, name)


def _holds(atoms: Atoms, name: str) -> bool:
    return name in atoms.info or name in atoms.arrays or label(atoms, name) is not None


def _plain(name: str) -> str:
    return re.sub(r"[_\-\s]", "", str(name)).casefold()


def _fits(quantity: str, atoms: Atoms, name: str) -> bool:
    """Tell whether a value can be this quantity: local energies and words cannot."""
    value = label(atoms, name)
    if quantity == "energy":
        return np.ndim(value) == 0 and (
            np.asarray(value).dtype.kind in "fiu" or _fortran(value) is not None
        )
    if quantity == "forces":
        return name in atoms.arrays or np.ndim(value) == 2
    return np.size(value) in (6, 9) and np.asarray(value).dtype.kind in "fiu"


def _force_consistent(
    frames: Sequence[Atoms], candidates: list[str]
) -> tuple[list[str], list[str]]:
    """Decide between ASE's ``energy`` and ``free_energy``, whose derivative the forces are."""
    plain = {_plain(name): name for name in candidates}
    if "freeenergy" not in plain or "energy" not in plain or len(plain) > 2:
        return [n for n in candidates if _plain(n) != "freeenergy" or len(plain) == 1], []
    differences = [
        abs(float(label(a, plain["freeenergy"])) - float(label(a, plain["energy"]))) / len(a)
        for a in frames
        if all(_holds(a, name) for name in plain.values())
    ]
    complete = len(differences) == sum(_holds(atoms, plain["energy"]) for atoms in frames)
    if not differences or max(differences) < 1e-9 or not complete:
        return [plain["energy"]], []
    return [plain["freeenergy"]], [
        "The frames hold an energy and a free energy, which differ by up to "
        f"{1000 * max(differences):.3g} meV/atom. The forces are the derivative of the free "
        "energy, which is taken; labels={'energy': 'energy'} takes the other."
    ]


def _check_same(
    frames: Sequence[Atoms], quantity: str, candidates: Sequence[str], source: str
) -> None:
    first = candidates[0]
    for number, atoms in enumerate(frames, start=1):
        value = label(atoms, first)
        for other in candidates[1:]:
            second = label(atoms, other)
            if (value is None) != (second is None) or (
                value is not None and not np.allclose(np.ravel(value), np.ravel(second), atol=1e-6)
            ):
                raise DataError(
                    f"{source} holds the {quantity} under several names, with different values",
                    found=f"{', '.join(map(repr, candidates))}, in frame {number}",
                    fix=f"say which one counts: labels={{{quantity!r}: {first!r}}}",
                )


def _fortran(value: Any) -> float | None:
    """Return the number in a text such as ``-1.0D+02``, or None."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d*\.?\d+[dD][-+]?\d+", value.strip()):
        return float(re.sub("[dD]", "e", value))
    return None


def _array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    number = _fortran(value)
    values = np.asarray(value if number is None else number)
    if values.shape != shape:
        raise DataError(f"{what} has the wrong shape", expected=str(shape), found=str(values.shape))
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise DataError(
            f"{what} is not a finite number everywhere",
            found=repr(value)[:60],
            fix="remove the frame or compute it again",
        )
    return values.astype(float)


def _check_symmetric(matrix: np.ndarray, what: str) -> None:
    if np.abs(matrix - matrix.T).max() > 0.05 * np.abs(matrix).max():
        raise DataError(
            f"{what} is not symmetric",
            found=str(matrix.ravel().round(3).tolist()),
            fix="check the order of its components: readers of extended XYZ differ in it",
        )


def _matrix(value: Any, what: str) -> np.ndarray:
    """Return a tensor, given as 3×3, as 9 numbers row by row, or as 6 in Voigt's order."""
    values = np.asarray(value)
    if values.shape == (6,):
        return voigt_6_to_full_3x3_stress(_array(values, (6,), what))
    if values.size == 9:
        return _array(values.reshape(9), (9,), what).reshape(3, 3)
    raise DataError(
        f"{what} has the wrong shape", expected="(3, 3), (9,) or (6,)", found=str(values.shape)
    )
