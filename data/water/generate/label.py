"""Label frames with DFT: energy, forces and, if asked for, the polarizability.

CP2K runs each frame twice, at 160 Ry for a wave function to start from, then at 900 Ry; all its
settings are in cp2k_template.inp. After each frame the output is written anew, so a run that was
stopped goes on with the same command, and frames with all their labels are not computed again.
Labels that the input carries already are ignored. There are no random numbers, hence no --seed.

Example (a frame takes half a minute on an idle core, about twice that with --polarizability):
    python data/water/generate/label.py results/water/start.xyz \\
        --output results/water/start_labeled.xyz
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ase import Atoms
from cp2k_files import ConvergenceError, Labels, abort_message, input_text, read_labels
from frame_files import frames_done, position_key, write_frames
from script import Progress, run

from helpers.errors import DataError, MissingToolError, WorkshopError
from helpers.files import check_writable
from helpers.frames import read_frames

DATA_FILES = ("GTH_BASIS_SETS", "GTH_POTENTIALS", "dftd3.dat")
LABELS = ("dft_energy", "dft_forces", "Polarizability", "dft_seconds")


class Cp2kError(WorkshopError, RuntimeError):
    """CP2K itself failed."""


class Cp2k:
    """The program, found once.

    Parameters
    ----------
    program : str or None
        Name or path; by default ``cp2k.psmp`` or ``cp2k``, whichever is on the PATH.
    n_threads : int
        OpenMP threads of each run.
    timeout_s : float
        Longest time that one of the two runs of a frame may take.
    """

    def __init__(self, program: str | None, n_threads: int, timeout_s: float) -> None:
        names = [program] if program else ["cp2k.psmp", "cp2k", "cp2k.ssmp"]
        found = next((path for name in names if (path := shutil.which(name))), None)
        if found is None:
            raise MissingToolError(
                f"CP2K is not installed: there is no {' or '.join(names)} on the PATH",
                fix="sudo apt-get install cp2k (Debian, Ubuntu) or conda install -c conda-forge "
                "cp2k, or give its path with --cp2k",
            )
        self.program, self.timeout_s = found, timeout_s
        self.environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(n_threads),
            "CP2K_DATA_DIR": str(find_data_folder(Path(found))),
        }

    def run(self, text: str, folder: Path, name: str) -> str:
        """Write `text` as ``name.inp``, run it, return the output."""
        (folder / f"{name}.inp").write_text(text, encoding="utf-8")
        output = folder / f"{name}.out"
        command = [self.program, "-i", f"{name}.inp", "-o", output.name]
        output.unlink(missing_ok=True)  # CP2K appends
        try:
            finished = subprocess.run(
                command,
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Cp2kError(
                f"CP2K was ended after {self.timeout_s:g} s",
                found=f"{output} shows how far it came",
                fix="raise --timeout-s",
            ) from error
        printed = output.read_text(errors="replace") if output.exists() else ""
        if finished.returncode != 0:
            raise Cp2kError(
                f"CP2K ended with exit code {finished.returncode}",
                found=abort_message(printed) or (finished.stderr or finished.stdout).strip()[-300:],
                fix=f"read the end of {output}",
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


def label_frame(atoms: Atoms, cp2k: Cp2k, folder: Path, *, polarizability: bool) -> Atoms:
    """Return a copy of a frame with its labels, and ``dft_seconds``, the wall time of both runs."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    cp2k.run(input_text(atoms, guess=True, polarizability=polarizability), folder, "guess")
    text = input_text(atoms, guess=False, polarizability=polarizability)
    printed = cp2k.run(text, folder, "label")
    seconds = round(time.monotonic() - start, 2)
    try:
        labels: Labels = read_labels(printed, len(atoms), polarizability=polarizability)
    except WorkshopError as error:
        raise type(error)(
            error.problem,
            expected=error.expected,
            found=error.found,
            fix=f"{error.fix} (the output is {folder / 'label.out'})",
        ) from error
    labeled = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    labeled.info = {key: value for key, value in atoms.info.items() if key not in LABELS}
    labeled.info |= {"dft_energy": labels.energy, "dft_seconds": seconds}
    if labels.polarizability is not None:
        labeled.info["Polarizability"] = labels.polarizability
    labeled.set_array("dft_forces", labels.forces)
    return labeled


def is_labeled(atoms: Atoms, *, polarizability: bool) -> bool:
    """Return whether a frame has all the labels that are asked for."""
    names = ["dft_energy", "dft_forces"] + ["Polarizability"] * polarizability
    return all(name in atoms.info or name in atoms.arrays for name in names)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", type=Path, help="extended XYZ with the frames to label")
    parser.add_argument("--output", type=Path, required=True, help="extended XYZ to write")
    parser.add_argument("--polarizability", action="store_true", help="compute it too")
    parser.add_argument("--jobs", type=int, default=1, help="frames at a time; default 1")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads of each; default 1")
    parser.add_argument("--cp2k", help="name or path of the program; default: cp2k.psmp or cp2k")
    parser.add_argument("--timeout-s", type=float, default=3600, help="for one run; default 3600")
    parser.add_argument("--work-folder", type=Path, help="default: OUTPUT.work")
    parser.add_argument("--keep-work", action="store_true", help="keep CP2K's files of each frame")
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.threads < 1 or options.timeout_s <= 0:
        parser.error("--jobs and --threads must be at least 1, --timeout-s above 0")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    check_writable(options.output)
    frames = read_frames(options.frames)
    keys = [position_key(atoms) for atoms in frames]
    done = frames_done(options.output, position_key)
    if not done.keys() <= set(keys):
        raise DataError(
            f"{options.output} holds frames that are not in {options.frames}",
            fix="give another --output, or remove that file",
        )
    done = {
        key: atoms
        for key, atoms in done.items()
        if is_labeled(atoms, polarizability=options.polarizability)
    }
    to_do = [number for number, key in enumerate(keys) if key not in done]
    if not to_do:
        print(f"{len(done)} labeled frames in {options.output}")
        return
    cp2k = Cp2k(options.cp2k, options.threads, options.timeout_s)
    work = options.work_folder or options.output.with_name(options.output.name + ".work")
    failed: list[int] = []
    progress = Progress(len(frames), len(done), "frames")
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = {
            pool.submit(
                label_frame,
                frames[number],
                cp2k,
                work / f"frame_{number:04d}",
                polarizability=options.polarizability,
            ): number
            for number in to_do
        }
        try:
            for finished in as_completed(runs):
                number = runs[finished]
                try:
                    done[keys[number]] = finished.result()
                except ConvergenceError as error:  # of this frame only: the others go on
                    failed.append(number)
                    print(f"frame {number}: {error}", file=sys.stderr)
                    continue
                write_frames(options.output, [done[key] for key in keys if key in done])
                if not options.keep_work:
                    shutil.rmtree(work / f"frame_{number:04d}")
                progress.advance(f"frame {number} in {done[keys[number]].info['dft_seconds']} s")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if failed:
        raise ConvergenceError(
            f"{len(failed)} of {len(frames)} frames have no labels: {failed}",
            fix="see above; the other frames are in the output",
        )
    if not options.keep_work and work.exists() and not any(work.iterdir()):
        work.rmdir()
    print(f"{len(done)} labeled frames in {options.output}")


if __name__ == "__main__":
    sys.exit(run(main))
