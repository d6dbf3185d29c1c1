"""CP2K's input and output: frames → input text, output text → labels in eV, eV/Å and Å³."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import numpy as np
from ase import Atoms, units

from helpers.errors import ConfigError, DataError, WorkshopError, nearest

TEMPLATE = Path(__file__).with_name("cp2k_template.inp")
FUNCTIONALS = {"revPBE": "REVPBE", "PBE": "ORIG"}  # each with the D3(0) of its own
TENSOR_ORDER = ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz")


@dataclass(frozen=True)
class Stage:
    """One run of CP2K: a frame takes two or three, each from the wave function of the one before.

    Attributes
    ----------
    name : str
        Of its input and output file.
    cutoff_Ry, rel_cutoff_Ry : int
        Plane-wave cutoff of the finest grid, and of the grid that a Gaussian is mapped to.
    eps_default, eps_scf : str
        CP2K's EPS_DEFAULT (accuracy of the integrals) and EPS_SCF (convergence of the SCF).
    max_scf : int
        SCF steps before the preconditioner of orbital transformation is made anew.
    solver : str
        A key of `SOLVERS`.
    response_eps : str or None
        If given, the linear response to an electric field follows, converged to this.
    """

    name: str
    cutoff_Ry: int
    rel_cutoff_Ry: int
    eps_default: str
    eps_scf: str
    max_scf: int = 25
    solver: str = "OT DIIS"
    response_eps: str | None = None


# What the labels are made with. A coarse run by diagonalization finds a wave function to start from
# in a quarter of the time that the fine one would take; the polarizability needs a coarser grid.
START = Stage("start", 160, 25, "1e-7", "1e-3", solver="diagonalization")
LABELS = Stage("labels", 900, 40, "1e-10", "5e-6")
RESPONSE = Stage("response", 360, 40, "1e-8", "2e-5", response_eps="2e-5")
# The triplet of O comes to a halt at 1.06e-6: a smaller EPS_SCF would never be reached.
ATOM = replace(LABELS, max_scf=60)

_ORBITAL_TRANSFORMATION = """      &OT
        MINIMIZER {minimizer}
        PRECONDITIONER FULL_ALL
        ENERGY_GAP 0.1
      &END OT
      &OUTER_SCF
        EPS_SCF {eps_scf}
        MAX_SCF 8
      &END OUTER_SCF
"""
SOLVERS = {
    "OT DIIS": _ORBITAL_TRANSFORMATION.replace("{minimizer}", "DIIS"),
    "OT CG": _ORBITAL_TRANSFORMATION.replace("{minimizer}", "CG"),  # slower, and safer
    "diagonalization": """      &DIAGONALIZATION
        ALGORITHM STANDARD
      &END DIAGONALIZATION
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA 0.5
      &END MIXING
""",
}
_LINEAR_RESPONSE = """  &PROPERTIES
    &LINRES
      EPS {eps}
      MAX_ITER 50
      PRECONDITIONER FULL_ALL
      ENERGY_GAP 0.1
      &POLAR
        DO_RAMAN T
        PERIODIC_DIPOLE_OPERATOR T
        &PRINT
          &POLAR_MATRIX
          &END POLAR_MATRIX
        &END PRINT
      &END POLAR
    &END LINRES
  &END PROPERTIES
"""


class ConvergenceError(WorkshopError, RuntimeError):
    """A calculation that ended without reaching its convergence limit."""


@dataclass(frozen=True)
class Labels:
    """What CP2K says about one frame.

    Attributes
    ----------
    energy : float, eV
    forces : ndarray of shape (n_atoms, 3), eV/Å
    dispersion_energy : float, eV
        The part of `energy` that is D3's.
    n_scf_steps : int
    polarizability : ndarray of shape (9,), Å³, or None
        Of the whole cell, in the order xx xy xz yx yy yz zx zy zz.
    """

    energy: float
    forces: np.ndarray
    dispersion_energy: float
    n_scf_steps: int
    polarizability: np.ndarray | None


def stages_of(atoms: Atoms, *, polarizability: bool) -> tuple[Stage, ...]:
    """Return the runs that label a frame.

    A frame that says its spin ``multiplicity`` is an isolated atom and needs no coarse start.
    """
    if "multiplicity" in atoms.info:
        return (ATOM,)
    return (START, LABELS, RESPONSE) if polarizability else (START, LABELS)


def input_text(
    atoms: Atoms, stage: Stage, *, functional: str = "revPBE", restart: bool = True
) -> str:
    """Return the input of one run.

    Parameters
    ----------
    atoms : ase.Atoms
        Periodic; ``info["multiplicity"]``, if there, asks for a spin-polarized run.
    stage : Stage
    functional : str
        A key of `FUNCTIONALS`.
    restart : bool
        Start from the wave function that the run before left in the folder, not from atoms.

    Raises
    ------
    ConfigError
        If there is no such functional.
    DataError
        If the frame is not periodic or holds an element for which the template has no basis.
    """
    if functional not in FUNCTIONALS:
        raise ConfigError(
            f"functional={functional!r} cannot be used", fix=nearest(functional, FUNCTIONALS)
        )
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
    multiplicity = atoms.info.get("multiplicity")
    vectors = zip("ABC", atoms.cell.array, strict=True)
    rows = zip(atoms.symbols, atoms.get_positions(wrap=True), strict=True)
    response_eps = stage.response_eps
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        spin=f"    LSD T\n    MULTIPLICITY {multiplicity}\n" if multiplicity else "",
        cutoff_Ry=stage.cutoff_Ry,
        rel_cutoff_Ry=stage.rel_cutoff_Ry,
        eps_default=stage.eps_default,
        scf_guess="RESTART" if restart else "ATOMIC",
        eps_scf=stage.eps_scf,
        max_scf=stage.max_scf,
        solver=SOLVERS[stage.solver].replace("{eps_scf}", stage.eps_scf),
        functional=functional,
        parametrization=FUNCTIONALS[functional],
        properties=_LINEAR_RESPONSE.replace("{eps}", response_eps) if response_eps else "",
        cell="\n".join(
            f"      {name} [angstrom] " + " ".join(repr(float(x)) for x in vector)
            for name, vector in vectors
        ),
        coordinates="\n".join(
            f"      {symbol} {x:.8f} {y:.8f} {z:.8f}" for symbol, (x, y, z) in rows
        ),
    )


def read_labels(outputs: Mapping[str, str], n_atoms: int) -> Labels:
    """Read the labels from the outputs of CP2K 2023.1, or raise an error.

    CP2K's atomic units become eV and Å with the CODATA 2014 constants of ``ase.units``.

    Parameters
    ----------
    outputs : mapping
        Text by name of the stage: ``"labels"`` and, if it was run, ``"response"``.
    n_atoms : int

    Raises
    ------
    ConvergenceError
        If the SCF or the response did not converge; CP2K itself ends with exit code 0 then.
    DataError
        If a number that should be there is not.
    """
    text, response = outputs["labels"], outputs.get("response")
    check_converged(text)
    if response is not None:
        check_converged(response, polarizability=True)
    return Labels(
        energy=read_energy(text),
        forces=read_forces(text, n_atoms),
        dispersion_energy=read_dispersion_energy(text),
        n_scf_steps=len(_scf_residuals(text)),
        polarizability=None if response is None else read_polarizability(response),
    )


def check_converged(text: str, *, polarizability: bool = False) -> None:
    """Raise `ConvergenceError` unless the SCF (and the three responses) converged."""
    residuals = _scf_residuals(text)
    if "SCF run converged" not in text or "SCF run NOT converged" in text:
        raise ConvergenceError(
            "CP2K's SCF did not converge",
            expected="a residual below EPS_SCF",
            found=f"{residuals[-1]} after {len(residuals)} steps" if residuals else "no SCF steps",
            fix="look at the frame: are two atoms too close? Else raise max_scf in cp2k_files.py",
        )
    responses = text.count("The linear solver converged")
    if polarizability and responses != 3:
        raise ConvergenceError(
            "CP2K's response to the electric field did not converge",
            expected="'The linear solver converged' for x, y and z",
            found=f"it {responses} times",
            fix="take the frame without polarizability, or a tighter eps_scf of RESPONSE",
        )


def _scf_residuals(text: str) -> list[str]:
    step = r"^ +\d+ (?:OT \S+|\S+/Diag\.) +\S+ +\S+ +(\d+\.\d+)"
    return re.findall(step, text, re.MULTILINE)


def read_energy(text: str) -> float:
    """Return the total energy in eV."""
    found = re.search(r"ENERGY\| Total FORCE_EVAL \( QS \) energy \[a\.u\.\]: +(\S+)", text)
    if found is None:
        raise _missing("total energy", "'ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:'")
    return float(found[1]) * units.Hartree


def read_dispersion_energy(text: str) -> float:
    """Return the energy of D3 in eV."""
    found = re.search(r"Dispersion energy: +(\S+)", text)
    if found is None:
        raise _missing("dispersion energy", "'Dispersion energy:'")
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
            fix="label the frame again",
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


def _missing(what: str, expected: str) -> DataError:
    return DataError(
        f"CP2K's output holds no {what}",
        expected=expected,
        fix="look at its last lines: it stopped early, or it is another version than 2023.1, "
        "whose output this reads",
    )
