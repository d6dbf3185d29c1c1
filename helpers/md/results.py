"""The files of a run: a log, extended XYZ, and ASE's own format."""

from __future__ import annotations

import io
import os
from pathlib import Path

from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.io.trajectory import TrajectoryWriter

from helpers.files import check_target, unwritable, write_whole
from helpers.md.ase_runs import log_line
from helpers.md.trajectory import LOG_COLUMNS, Trajectory


def write_results(run: Trajectory, prefix: str | os.PathLike) -> tuple[Path, Path, Path]:
    """Write ``prefix.log``, ``prefix.xyz`` and ``prefix.traj``, each whole or not at all.

    The log holds one line per record; the other two the frames, with velocities (in the XYZ file as
    momenta, as ASE reads them) and energies.

    Raises
    ------
    OutputError
        If the folder is missing, may not be written to, or the disk is full.
    """
    log, xyz, traj = (Path(f"{os.fspath(prefix)}.{kind}") for kind in ("log", "xyz", "traj"))
    rows = run.log().itertuples(index=False)
    write_whole(log, log_line(LOG_COLUMNS) + "".join(log_line(tuple(row)) for row in rows))
    text = io.StringIO()
    write(text, run.frames(), format="extxyz")
    write_whole(xyz, text.getvalue())
    _write_traj(run, traj)
    return log, xyz, traj


def _write_traj(run: Trajectory, path: Path) -> None:
    """ASE writes this format into a file only: so beside it first."""
    check_target(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with TrajectoryWriter(aside) as writer:
                for atoms in run.frames():
                    energy = atoms.info["potential_eV"]
                    atoms.calc = SinglePointCalculator(atoms, energy=energy)
                    writer.write(atoms)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
