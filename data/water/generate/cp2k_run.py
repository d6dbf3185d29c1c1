"""CP2K as a program: inputs go in, outputs come back, nothing stays on the machine that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import MissingToolError, WorkshopError

DATA_FILES = ("GTH_BASIS_SETS", "GTH_POTENTIALS", "dftd3.dat")


class Cp2kError(WorkshopError, RuntimeError):
    """CP2K itself failed."""


@dataclass(frozen=True)
class Cp2k:
    """How to run CP2K; it is looked for on the machine where `run` is called.

    Attributes
    ----------
    program : str or None
        Name or path; by default ``cp2k.psmp``, ``cp2k`` or ``cp2k.ssmp``, the first on the PATH.
    n_threads : int
        OpenMP threads of each run.
    timeout_s : float
        Longest time that one run may take.
    """

    program: str | None = None
    n_threads: int = 1
    timeout_s: float = 7200.0

    def find(self) -> str:
        """Return the path of the program.

        Raises
        ------
        MissingToolError
            If there is none.
        """
        names = [self.program] if self.program else ["cp2k.psmp", "cp2k", "cp2k.ssmp"]
        path = next((path for name in names if (path := shutil.which(name))), None)
        if path is None:
            raise MissingToolError(
                f"CP2K is not installed: there is no {' or '.join(names)} on the PATH",
                fix="sudo apt-get install cp2k (Debian, Ubuntu) or conda install -c conda-forge "
                "cp2k, or give its path with --cp2k",
            )
        return path

    def run(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """Run the stages of one frame, one after the other in a folder of their own.

        Parameters
        ----------
        inputs : mapping
            Input text by name of the stage, in their order.

        Returns
        -------
        dict
            Output text by name of the stage.

        Raises
        ------
        Cp2kError
            If a run does not end well or in time.
        """
        program = self.find()
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(self.n_threads),
            "CP2K_DATA_DIR": str(find_data_folder(Path(program))),
        }
        environment.setdefault("OMP_PROC_BIND", "false")  # several runs on one machine
        with tempfile.TemporaryDirectory(prefix="cp2k-") as folder:
            return {
                name: self._run_stage(program, environment, Path(folder), name, text)
                for name, text in inputs.items()
            }

    def _run_stage(
        self, program: str, environment: dict[str, str], folder: Path, name: str, text: str
    ) -> str:
        (folder / f"{name}.inp").write_text(text, encoding="utf-8")
        output = folder / f"{name}.out"
        try:
            finished = subprocess.run(
                [program, "-i", f"{name}.inp", "-o", output.name],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Cp2kError(
                f"CP2K was ended after {self.timeout_s:g} s in the stage {name!r}",
                fix="raise --timeout-s",
            ) from error
        printed = output.read_text(errors="replace") if output.exists() else ""
        if finished.returncode != 0:
            message = abort_message(printed) or (finished.stderr or finished.stdout).strip()
            raise Cp2kError(
                f"CP2K ended with exit code {finished.returncode} in the stage {name!r}",
                found=message[-300:] or None,
                fix="look at the frame, and at cp2k_template.inp",
            )
        return printed


def find_data_folder(program: Path) -> Path:
    """Return the folder with CP2K's basis sets: ``$CP2K_DATA_DIR`` or a share folder near it."""
    given = os.environ.get("CP2K_DATA_DIR")
    prefix = program.resolve().parent.parent
    near = [prefix / "share/cp2k", prefix / "share/cp2k/data", prefix / "data"]
    places = [Path(given)] if given else near
    for place in places:
        if all((place / name).is_file() for name in DATA_FILES):
            return place.resolve()
    raise MissingToolError(
        "CP2K's basis sets and pseudopotentials are not there",
        expected=f"a folder with {', '.join(DATA_FILES)}",
        found="looked in " + ", ".join(map(str, places)),
        fix="set CP2K_DATA_DIR to that folder (Debian: install cp2k-data)",
    )


def abort_message(text: str) -> str:
    """Return what stands in the box that CP2K draws when it gives up, or an empty string."""
    box = text.rpartition("[ABORT]")[2].partition("****")[0] if "[ABORT]" in text else ""
    return " ".join(line[12:].strip(" *") for line in box.splitlines()[1:]).strip()
