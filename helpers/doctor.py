"""``mlmd doctor``: check that programs, packages, memory and data are in place."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from helpers.errors import WorkshopError
from helpers.frames import data_files
from helpers.gap.process import find_gap_fit
from helpers.terminal import EXIT_PROBLEM

OLDEST_PYTHON = (3, 10)
NEEDED_MEMORY_GB = 2.0
PACKAGES = (
    "quippy-ase",
    "featomic",
    "ase",
    "numpy",
    "pandas",
    "matplotlib",
    "jupyterlab",
    "nbgrader",
)


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    name : str
        What was checked.
    ok : bool
        Whether it is sufficient.
    found : str
        What was found.
    fix : str
        How to fix it; empty if there is nothing to fix.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok     ' if self.ok else 'PROBLEM'}  {self.name}: {self.found}"
        return line if self.ok or not self.fix else f"{line}\n         fix: {self.fix}"


def examine() -> list[Check]:
    """Look at Python, packages, JAX, gap_fit, quippy, threads, memory, data: one `Check` each."""
    parts: tuple[Callable[[], list[Check]], ...] = (
        _python,
        _packages,
        _jax,
        _gap_fit,
        _quippy_in_ase,
        _threads,
        _memory,
        _data,
    )
    return [check for part in parts for check in part()]


def _python() -> list[Check]:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return [
        Check(
            "Python",
            sys.version_info >= OLDEST_PYTHON,
            f"{platform.python_version()} at {sys.executable}",
            f"install Python {oldest} or newer, then: make clean workshop PYTHON=python{oldest}",
        )
    ]


def _packages() -> list[Check]:
    checks = []
    for name in PACKAGES:
        try:
            checks.append(Check(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            checks.append(Check(name, False, "not installed", f"pip install {name}, or: make lab"))
    scripts = os.path.dirname(sys.executable)
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    for command in ("jupyter-lab", "nbgrader"):
        place = shutil.which(command, path=path)
        checks.append(
            Check(
                f"{command} command",
                place is not None,
                place or "not found",
                "activate the environment: source .venv/bin/activate",
            )
        )
    return checks


def _jax() -> list[Check]:
    from helpers.jax_setup import miscomputed_cases

    version, cases = metadata.version("jax"), miscomputed_cases()
    return [
        Check(
            "JAX computes known cases right",
            not cases,
            f"jax {version}" + "".join(f"; {case}" for case in cases),
            f"pip install 'jax!={version}', which takes the newest other version",
        )
    ]


def _gap_fit() -> list[Check]:
    fix = "pip install 'quippy-ase>=0.10.3'; on Windows use WSL2, see README"
    try:
        binary = find_gap_fit()
        answer = subprocess.run([binary], capture_output=True, text=True, timeout=60, check=False)
    except (WorkshopError, OSError, subprocess.TimeoutExpired) as error:
        return [Check("gap_fit", False, str(error).splitlines()[0], fix)]
    # Without arguments it prints its version, then complains about the missing arguments.
    version = next((line for line in answer.stdout.splitlines() if "git version" in line), "")
    found = (
        version.rpartition(",")[2].strip() or f"exit code {answer.returncode}, no version printed"
    )
    return [Check("gap_fit", bool(version), f"{found} at {binary}", fix)]


# What the scripts of the original workshop do, without the kit: a quippy calculator (here of two
# atoms with a Lennard-Jones potential), and ASE's Trajectory.
QUIPPY_IN_ASE = """
from ase import Atoms
from ase.io.trajectory import Trajectory
from quippy.potential import Potential
lj = '<LJ_params n_types="1"><per_type_data type="1" atomic_num="18"/>'
lj += '<per_pair_data type1="1" type2="1" sigma="3.4" eps6="0.01" eps12="0.01" cutoff="8.0" '
lj += 'energy_shift="T" linear_force_shift="F"/></LJ_params>'
atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]], cell=[20, 20, 20], pbc=True)
atoms.calc = Potential("IP LJ", param_str=lj)
atoms.get_forces()
with Trajectory("two.traj", "w", atoms) as trajectory:
    trajectory.write()
with Trajectory("two.traj") as trajectory:
    print(f"{trajectory[-1].get_potential_energy():.6f} eV")
"""


def _quippy_in_ase() -> list[Check]:
    name, fix = "quippy's calculator in ASE", "in the kit's folder: python tools/complete_quippy.py"
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [sys.executable, "-c", QUIPPY_IN_ASE]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=120, check=False, cwd=folder
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return [Check(name, False, str(error).splitlines()[0], fix)]
    ok = done.returncode == 0 and done.stdout.strip().endswith("eV")
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return [
        Check(name, ok, f"a trajectory of two atoms ({done.stdout.strip()})" if ok else last, fix)
    ]


def _threads() -> list[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS")
    found = f"{cores} cores, OMP_NUM_THREADS={asked or 'not set'}"
    ok = asked is None or (asked.isdigit() and 1 <= int(asked) <= (cores or 1))
    return [Check("Threads", ok, found, f"unset OMP_NUM_THREADS, or set it to 1…{cores}")]


def _memory() -> list[Check]:
    import psutil

    free_GB = psutil.virtual_memory().available / 1e9
    return [
        Check(
            "Memory",
            free_GB >= NEEDED_MEMORY_GB,
            f"{free_GB:.1f} GB free, {NEEDED_MEMORY_GB:.0f} GB needed",
            "close other programs, or train on 50 frames: mlmd run --quick",
        )
    ]


def _data() -> list[Check]:
    try:
        files = data_files("water")
    except WorkshopError as error:
        return [Check("Data", False, str(error), "clone the repository again")]
    checks = []
    for file in files:
        try:
            file.check()
            checks.append(Check(file.path.name, True, "checksum agrees"))
        except WorkshopError as error:
            checks.append(Check(file.path.name, False, error.problem, error.fix or ""))
    return checks


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd doctor``."""
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    checks = examine()
    for check in checks:
        print(check)
    n_problems = sum(not check.ok for check in checks)
    print(f"\n{n_problems} problems" if n_problems else "\nEverything is in place.")
    return EXIT_PROBLEM if n_problems else 0
