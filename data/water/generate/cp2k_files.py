"""CP2K's input and output: frames → input text, output text → labels in eV, eV/Å and Å³."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from ase import Atoms, units

from helpers.errors import DataError, WorkshopError

TEMPLATE = Path(__file__).with_name("cp2k_template.inp")
CUTOFF_RY = 900
GUESS_CUTOFF_RY = 160
GUESS_EPS_SCF = "1e-4"
EPS_SCF = "5e-6"
EPS_SCF_POLARIZABILITY = "1e-6"  # the response needs a tighter ground state
RESPONSE = """  &PROPERTIES
    &LINRES
      EPS 1e-5
      PRECONDITIONER FULL_ALL
      &POLAR
        DO_RAMAN T
        PERIODIC_DIPOLE_OPERATOR T
      &END POLAR
    &END LINRES
  &END PROPERTIES
"""
TENSOR_ORDER = ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz")


class ConvergenceError(WorkshopError, RuntimeError):
    """A calculation that ended without reaching its convergence limit."""


@dataclass(frozen=True)
class Labels:
    """What one single point gives.

    Attributes
    ----------
    energy : float, eV
    forces : ndarray of shape (n_atoms, 3), eV/Å
    polarizability : ndarray of shape (9,), Å³, or None
        Of the whole cell, in the order xx xy xz yx yy yz zx zy zz.
    """

    energy: float
    forces: np.ndarray
    polarizability: np.ndarray | None


def input_text(atoms: Atoms, *, guess: bool, polarizability: bool) -> str:
    """Return a CP2K input for the coarse first run (`guess`) or for the real one.

    Raises
    ------
    DataError
        If the frame is not periodic or holds an element for which the template has no basis.
    """
    unknown = sorted(set(atoms.symbols) - {"O", "H"})
    if unknown or not atoms.pbc.all():
        raise DataError(
            "The CP2K template does not fit this frame",
            expected="oxygen and hydrogen in a cell periodic in x, y and z",
            found=f"{atoms.get_chemical_formula()}, pbc={atoms.pbc.tolist()}",
            fix=f"add a &KIND for {' and '.join(unknown)} to {TEMPLATE.name}"
            if unknown
            else "set pbc='T T T' in the frame",
        )
    response = polarizability and not guess
    vectors = zip("ABC", atoms.cell.array, strict=True)
    rows = zip(atoms.symbols, atoms.positions, strict=True)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        project="guess" if guess else "label",
        run_type="ENERGY" if guess else "ENERGY_FORCE",
        cutoff_Ry=GUESS_CUTOFF_RY if guess else CUTOFF_RY,
        scf_guess="ATOMIC" if guess else "RESTART",
        eps_scf=GUESS_EPS_SCF if guess else EPS_SCF_POLARIZABILITY if response else EPS_SCF,
        max_scf=50,
        properties=RESPONSE if response else "",
        cell="\n".join(
            f"      {name} [angstrom] " + " ".join(repr(float(x)) for x in vector)
            for name, vector in vectors
        ),
        coordinates="\n".join(
            f"      {symbol} {x:.8f} {y:.8f} {z:.8f}" for symbol, (x, y, z) in rows
        ),
    )


def read_labels(text: str, n_atoms: int, *, polarizability: bool) -> Labels:
    """Read the labels from the output of CP2K 2023.1, or raise an error.

    CP2K's atomic units become eV and Å with the CODATA 2014 constants of ``ase.units``, which is
    what the shipped energies were made with (to 1e-10 eV).

    Raises
    ------
    ConvergenceError
        If the SCF or the response did not converge; CP2K itself ends with exit code 0 then.
    DataError
        If a number that should be there is not.
    """
    check_converged(text, polarizability=polarizability)
    return Labels(
        energy=read_energy(text),
        forces=read_forces(text, n_atoms),
        polarizability=read_polarizability(text) if polarizability else None,
    )


def check_converged(text: str, *, polarizability: bool = False) -> None:
    """Raise `ConvergenceError` unless the SCF (and the three responses) converged."""
    steps = re.findall(r"^ +\d+ OT \S+ +\S+ +\S+ +(\d\.\d+)", text, re.MULTILINE)
    if "SCF run converged" not in text or "SCF run NOT converged" in text:
        raise ConvergenceError(
            "CP2K's SCF did not converge",
            expected=f"a convergence of {EPS_SCF} ({EPS_SCF_POLARIZABILITY} with polarizability)",
            found=f"{steps[-1]} after {len(steps)} steps" if steps else "no SCF steps",
            fix="look at the frame: are two atoms too close? Else raise max_scf in cp2k_files.py",
        )
    responses = text.count("The linear solver converged")
    if polarizability and responses != 3:
        raise ConvergenceError(
            "CP2K's response to the electric field did not converge",
            expected="'The linear solver converged' for x, y and z",
            found=f"it {responses} times",
            fix="use EPS_SCF 1e-7, or take the frame without polarizability",
        )


def read_energy(text: str) -> float:
    """Return the total energy in eV."""
    found = re.search(r"ENERGY\| Total FORCE_EVAL \( QS \) energy \[a\.u\.\]: +(\S+)", text)
    if found is None:
        raise _missing("total energy", "'ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:'")
    return float(found[1]) * units.Hartree


def read_forces(text: str, n_atoms: int) -> np.ndarray:
    """Return the forces, shape (n_atoms, 3), in eV/Å."""
    block = re.search(r"ATOMIC FORCES in \[a\.u\.\](.*?)SUM OF ATOMIC FORCES", text, re.DOTALL)
    if block is None:
        raise _missing("forces", "'ATOMIC FORCES in [a.u.]' down to 'SUM OF ATOMIC FORCES'")
    rows = re.findall(r"^ +\d+ +\d+ +[A-Z][a-z]? +(\S+) +(\S+) +(\S+)$", block[1], re.MULTILINE)
    if len(rows) != n_atoms:
        raise DataError(
            "The forces in CP2K's output are not those of this frame",
            expected=f"{n_atoms} atoms",
            found=f"{len(rows)}",
            fix="remove the work folder and run label.py again",
        )
    return np.array(rows, dtype=float) * (units.Hartree / units.Bohr)


def read_polarizability(text: str) -> np.ndarray:
    """Return the polarizability of the cell, shape (9,), in Å³, in `TENSOR_ORDER`."""
    block = text.partition("POLAR| Polarizability tensor [ang^3]")[2]
    found: dict[str, float] = {}
    for names, numbers in re.findall(r"POLAR\| (\w\w,\w\w,\w\w) +(\S+ +\S+ +\S+)", block):
        found |= zip(names.split(","), map(float, numbers.split()), strict=True)
    if set(found) != set(TENSOR_ORDER):
        raise _missing("polarizability", "'POLAR| Polarizability tensor [ang^3]', three lines")
    return np.array([found[name] for name in TENSOR_ORDER])


def abort_message(text: str) -> str:
    """Return what stands in the box that CP2K draws when it gives up, or an empty string."""
    box = text.rpartition("[ABORT]")[2].partition("****")[0] if "[ABORT]" in text else ""
    return " ".join(line[12:].strip(" *") for line in box.splitlines()[1:]).strip()


def _missing(what: str, expected: str) -> DataError:
    return DataError(
        f"CP2K's output holds no {what}",
        expected=expected,
        fix="look at its last lines: it stopped early, or it is another version than 2023.1, "
        "whose output this reads",
    )
