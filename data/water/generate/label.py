"""Label frames with DFT: energy, forces and, for the first of them, the polarizability.

CP2K runs each frame two or three times (see cp2k_files.py): at 160 Ry for a wave function to start
from, at 900 Ry for energy and forces, at 360 Ry for the response to an electric field. Each frame
leaves one JSON file in the folder of the labels when it is done, so a run that was stopped goes on
with the same command. A frame whose run fails or does not converge is tried once more, in the
safest way; what fails again is listed at the end, and the exit code is 1.

Frames are independent: --workers 8 computes eight at a time on this machine (one core and 1.4 GB
each), --scheduler ADDRESS as many as a Dask cluster has workers with CP2K. No random numbers: no
--seed.

Example (a frame takes half a minute of an idle core, about 45 s with its polarizability):
    python data/water/generate/label.py results/water/a.xyz --labels results/water/a \\
        --polarizability 200 --workers 2 --output results/water/a_labeled.xyz
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import cp2k_run
from ase import Atoms
from cp2k_files import FUNCTIONALS, START, Stage, input_text, read_labels, stages_of
from cp2k_run import Cp2k
from frame_files import write_frames
from label_store import Label, position_digest, with_label, write_label
from label_store import read_labels as labels_done

from helpers.checks import whole
from helpers.errors import MissingToolError, WorkshopError
from helpers.files import check_writable, write_atomic
from helpers.frames import read_frames
from helpers.terminal import progress_bar, teaching_script


@dataclass(frozen=True)
class Job:
    """One frame to label.

    Attributes
    ----------
    name : str
        Number of the frame in its file; its label becomes ``NAME.json``.
    atoms : ase.Atoms
    stages : tuple of Stage
    functional : str
    second_try : bool
        Whether it failed before.
    """

    name: str
    atoms: Atoms
    stages: tuple[Stage, ...]
    functional: str = "revPBE"
    second_try: bool = False

    def inputs(self) -> dict[str, str]:
        """Return CP2K's inputs by stage; only the first begins without a wave function."""
        return {
            stage.name: input_text(self.atoms, stage, functional=self.functional, restart=place > 0)
            for place, stage in enumerate(self.stages)
        }

    def again(self) -> Job:
        """Return the second try: straight from atoms, by the solver that converges most surely."""
        is_atom = "multiplicity" in self.atoms.info
        solver = "diagonalization" if is_atom else "OT CG"
        stages = [stage for stage in self.stages if stage.name != START.name]
        safest = tuple(replace(stage, solver=solver, max_scf=100) for stage in stages)
        return replace(self, stages=safest, second_try=True)

    def label(self, outputs: Mapping[str, str], seconds: float) -> Label:
        """Return what the outputs say.

        Raises
        ------
        WorkshopError
            If a run did not converge, or a number is missing.
        """
        read = read_labels(outputs, len(self.atoms))
        label = {
            "energy": read.energy,
            "forces": read.forces.tolist(),
            "dispersion_energy": read.dispersion_energy,
            "functional": self.functional,
            "positions": position_digest(self.atoms),
            "scf": read.n_scf_steps,
            "seconds": round(seconds, 2),
        }
        if read.polarizability is not None:
            label["polarizability"] = read.polarizability.tolist()
        return label


def run_timed(cp2k: Cp2k, inputs: Mapping[str, str]) -> tuple[dict[str, str], float]:
    """Run CP2K where this is called; return the outputs and the seconds it took."""
    start = time.monotonic()
    return cp2k.run(inputs), time.monotonic() - start


@contextlib.contextmanager
def executor_for(workers: int, scheduler: str | None) -> Iterator[Executor]:
    """Give what runs the frames: threads of this machine, or a Dask cluster.

    Raises
    ------
    WorkshopError
        If there is no scheduler at that address.
    """
    if scheduler is None:
        pool = ThreadPoolExecutor(workers)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return
    import cloudpickle
    from distributed import Client

    for module in (cp2k_run, sys.modules[__name__]):  # workers need the kit, not this folder
        cloudpickle.register_pickle_by_value(module)
    try:
        client = Client(scheduler, timeout=20, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkshopError(
            f"There is no Dask scheduler at {scheduler}",
            expected="an address such as tcp://host:8786",
            found=str(error) or type(error).__name__,
            fix="start one with 'dask scheduler', and workers with 'dask worker ADDRESS'",
        ) from error
    with client, client.get_executor(pure=False) as pool:
        yield pool


def label_frames(
    jobs: Sequence[Job],
    folder: Path,
    cp2k: Cp2k,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    show: bool = True,
) -> dict[str, str]:
    """Compute jobs, write each label when it is there, and return what failed twice.

    Parameters
    ----------
    jobs : sequence of Job
    folder : Path
        Gets ``NAME.json`` for each label, and ``NAME.failed.out`` for each failure.
    cp2k : Cp2k
    workers : int
        Frames at a time on this machine.
    scheduler : str or None
        Address of a Dask scheduler, in place of this machine.
    show : bool
        Show a bar with the time left.

    Returns
    -------
    dict
        Reason by name of the job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures: dict[str, str] = {}
    bar = progress_bar(len(jobs), f"labels in {folder.name}", "frame", show=show)
    with bar, executor_for(workers, scheduler) as pool:
        running: dict[Future, Job] = {pool.submit(run_timed, cp2k, j.inputs()): j for j in jobs}
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                outputs: Mapping[str, str] = {}
                try:
                    outputs, seconds = future.result()
                    write_label(folder, job.name, job.label(outputs, seconds))
                except MissingToolError:  # true of every frame
                    raise
                except Exception as error:  # of this frame, or of the worker that had it
                    if not job.second_try:
                        print(f"frame {job.name}, to be tried again: {error}", file=sys.stderr)
                        again = job.again()
                        running[pool.submit(run_timed, cp2k, again.inputs())] = again
                        continue
                    failures[job.name] = str(error) or type(error).__name__
                    text = "\n".join([failures[job.name], *outputs.values()])
                    write_atomic(folder / f"{job.name}.failed.out", text)
                else:
                    (folder / f"{job.name}.failed.out").unlink(missing_ok=True)
                bar.update()
    return failures


def missing_jobs(
    frames: Sequence[Atoms], folder: Path, *, n_polarizabilities: int, functional: str
) -> list[Job]:
    """Return the frames whose labels are not in the folder, or not complete."""
    done = labels_done(folder, frames)
    jobs = []
    for number, atoms in enumerate(frames):
        polarizability = number < n_polarizabilities
        label = done.get(number)
        if label is None or (polarizability and "polarizability" not in label):
            stages = stages_of(atoms, polarizability=polarizability)
            jobs.append(Job(str(number), atoms, stages, functional))
    return jobs


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", type=Path, help="extended XYZ with the frames to label")
    parser.add_argument("--labels", type=Path, required=True, help="folder of the labels")
    parser.add_argument("--output", type=Path, help="extended XYZ for the labeled frames, if all")
    parser.add_argument("--first", type=int, help="label only so many, to try it")
    parser.add_argument(
        "--polarizability", type=int, default=0, metavar="N", help="of the first N frames"
    )
    parser.add_argument("--functional", choices=FUNCTIONALS, default="revPBE")
    parser.add_argument("--workers", type=int, default=1, help="frames at a time; default 1")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask cluster to compute on")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads of each; default 1")
    parser.add_argument("--cp2k", help="name or path of the program; default: cp2k.psmp or cp2k")
    parser.add_argument("--timeout-s", type=float, default=7200, help="of one run; default 7200")
    return parser


def main(options: argparse.Namespace) -> int:
    whole("workers", options.workers, 1)
    whole("threads", options.threads, 1)
    if options.output:
        check_writable(options.output)
    frames = read_frames(options.frames)[: options.first]
    cp2k = Cp2k(options.cp2k, options.threads, options.timeout_s)
    jobs = missing_jobs(
        frames,
        options.labels,
        n_polarizabilities=options.polarizability,
        functional=options.functional,
    )
    if jobs and options.scheduler is None:
        cp2k.find()
    if len(jobs) < len(frames):
        print(f"{len(frames) - len(jobs)} of {len(frames)} frames were done already")
    failures = label_frames(
        jobs, options.labels, cp2k, workers=options.workers, scheduler=options.scheduler
    )
    failed = sorted(failures, key=int)
    for number in failed:
        print(f"frame {number}: {failures[number]}", file=sys.stderr)
    if failures:
        raise WorkshopError(
            f"{len(failures)} of {len(frames)} frames have no labels: {', '.join(failed)}",
            fix=f"see above and {options.labels}/*.failed.out; the other frames are done",
        )
    if options.output:
        labels = labels_done(options.labels, frames)
        write_frames(options.output, [with_label(a, labels[n]) for n, a in enumerate(frames)])
    print(f"{len(frames)} labeled frames in {options.output or options.labels}")
    return 0


if __name__ == "__main__":
    sys.exit(teaching_script(make_parser(), main))
