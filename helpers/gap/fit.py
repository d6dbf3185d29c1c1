"""`fit_gap`: train a potential with the gap_fit program. A whole model, or none and a reason."""

from __future__ import annotations

import glob
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from helpers.errors import (
    ConfigError,
    DataError,
    FitError,
    ModelFileError,
    UnsupportedModelError,
    nearest,
)
from helpers.files import check_writable, output_error
from helpers.frames import find_frames_file, read_frames
from helpers.gap.config import GapConfig
from helpers.gap.process import RUSAGE_UNIT, Finished, find_gap_fit, run_watched, working_folder
from helpers.gap.progress import FitProgress
from helpers.gap.quippy_calculator import check_in_another_process
from helpers.gap.training_set import TrainingSet, format_frames, training_set
from helpers.gap.xml import count_sparse_points, read_model, write_model

COMMAND = "config_file=gap_config.cfg"


@dataclass(frozen=True)
class FitResult:
    """The model of a fit, its training set, and what it cost.

    Attributes
    ----------
    model_path : Path
        The model file.
    config : GapConfig
        The settings.
    n_frames, n_energies, n_force_components, n_virial_components : int
        Size of the training set, and the labels that gap_fit itself counted.
    n_sparse : int
        Sparse points in the model, all terms together.
    wall_seconds, cpu_seconds, peak_memory_MB : float
        What the fit used (MB = 1e6 bytes); with the kit's own engine the memory is the largest that
        this process ever had.
    estimated_memory_MB : float or None
        What the engine had expected to need; with the kit's own beside what the process had before.
    gap_fit_version : str
        As gap_fit reports it; empty with the kit's own engine.
    log : str
        Everything that gap_fit printed.
    engine : str
        ``"gap_fit"`` or ``"jax"``.
    """

    model_path: Path
    config: GapConfig
    n_frames: int
    n_energies: int
    n_force_components: int
    n_sparse: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_MB: float
    estimated_memory_MB: float | None
    gap_fit_version: str
    log: str = field(repr=False)
    engine: str = "gap_fit"
    n_virial_components: int = 0

    def __str__(self) -> str:
        with_virials = self.n_virial_components or self.config.default_sigma[2] > 0
        virials = f", {self.n_virial_components} virial components" if with_virials else ""
        return (
            f"{self.model_path}: {self.n_frames} frames ({self.n_energies} energies, "
            f"{self.n_force_components} force components{virials}), "
            f"{self.n_sparse} sparse points; "
            f"{self.cpu_seconds:.1f} CPU s, {self.peak_memory_MB:.0f} MB"
        )


def fit_gap(
    config: GapConfig,
    frames: Sequence[Atoms] | str | os.PathLike | None = None,
    *,
    output: str | os.PathLike | None = None,
    engine: str = "gap_fit",
    progress: bool = True,
) -> FitResult:
    """Train a Gaussian approximation potential.

    Parameters
    ----------
    config : GapConfig
        The settings.
    frames : sequence of ase.Atoms, or path, optional
        Training frames; by default the file that ``config.atoms_filename`` names, in the current
        folder or among the shipped data.
    output : path, optional
        The model file to write; by default ``config.gap_file``. An older file is replaced only
        when the new one is whole.
    engine : str
        ``"gap_fit"``: the program that everybody uses. ``"jax"``: the kit's own, several times
        faster and with far less memory, for the same settings; the sparse points are chosen with
        other random numbers, so errors agree and weights do not.
    progress : bool
        Show a bar with the stage and the time left.

    Returns
    -------
    FitResult
        Path of the model, what was found in the frames, seconds and memory.

    Raises
    ------
    DataError
        If a frame is damaged or lacks a label. Checked before gap_fit starts: gap_fit itself
        would train on what is left and report success.
    ConfigError
        If there is no such engine, or a setting that it cannot use.
    OutputError
        If the model cannot be written.
    FitError
        If gap_fit fails, is killed, or writes something that is not a whole model; if there is not
        enough memory.
    """
    if engine not in ENGINES:
        raise ConfigError(f"There is no engine {engine!r}", fix=nearest(str(engine), ENGINES))
    if not isinstance(config, GapConfig):
        raise ConfigError(
            f"config={config!r} cannot be used",
            expected="a GapConfig",
            fix="GapConfig() for the defaults, GapConfig.read(path) for a file",
        )
    target = check_writable(Path(output or config.gap_file).absolute())
    read, source = _training_frames(config, frames)
    training = training_set(config, read, source=source)
    return ENGINES[engine](config, training, target, progress)


def _fit_with_gap_fit(
    config: GapConfig, training: TrainingSet, target: Path, progress: bool
) -> FitResult:
    binary = find_gap_fit()
    with working_folder(target.parent) as work:
        folder = work.path
        # gap_fit works on copies with short names, in a folder of its own: long or odd paths
        # cannot trouble it, and nothing it leaves behind stays.
        name = target.name if config.sparse_separate_file else "gap.xml"
        inside = config.replace(atoms_filename="train.xyz", gap_file=name)
        try:
            _write_inputs(folder, inside, training)
        except OSError as error:
            raise output_error(target, error) from error
        follow = FitProgress(n_sparse=config.n_sparse, show=progress)
        done = False
        try:
            finished = run_watched([str(binary), COMMAND], folder=work, on_line=follow)
            n_sparse = _check_result(finished, follow, folder / name, training, target)
            _publish(folder / name, target)
            done = True
        finally:
            follow.close(done=done)
    return FitResult(
        model_path=target,
        config=config,
        n_frames=len(training.frames),
        n_energies=follow.targets["energies"],
        n_force_components=follow.targets["forces"],
        n_virial_components=training.n_virial_components,
        n_sparse=n_sparse,
        wall_seconds=finished.wall_seconds,
        cpu_seconds=finished.cpu_seconds,
        peak_memory_MB=finished.peak_memory_MB,
        estimated_memory_MB=follow.estimated_memory_MB,
        gap_fit_version=_version(finished.output),
        log=finished.output,
    )


def _fit_with_jax(
    config: GapConfig, training: TrainingSet, target: Path, progress: bool
) -> FitResult:
    from helpers.gap.jax.training import train

    clock, processor = time.perf_counter(), time.process_time()
    trained = train(training.settings(config), training.frames, progress=progress)
    write_model(trained.model, target, separate_files=config.sparse_separate_file)
    return FitResult(
        model_path=target,
        config=config,
        n_frames=len(training.frames),
        n_energies=trained.n_energies,
        n_force_components=training.n_force_components,
        n_virial_components=training.n_virial_components,
        n_sparse=trained.model.n_sparse,
        wall_seconds=time.perf_counter() - clock,
        cpu_seconds=time.process_time() - processor,
        peak_memory_MB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT / 1e6,
        estimated_memory_MB=trained.estimated_memory_MB,
        gap_fit_version="",
        log="",
        engine="jax",
    )


ENGINES = {"gap_fit": _fit_with_gap_fit, "jax": _fit_with_jax}


def estimate_memory_MB(
    config: GapConfig, frames: Sequence[Atoms], *, engine: str = "gap_fit"
) -> float:
    """Return the peak memory that a fit is expected to need, MB (1e6 bytes); takes a second.

    Parameters
    ----------
    config : GapConfig
        The settings.
    frames : sequence of ase.Atoms
        The training frames.
    engine : str
        As for `fit_gap`. gap_fit is asked for its own estimate; the memory of the kit's engine does
        not depend on the number of frames.

    Raises
    ------
    FitError
        If gap_fit gives no estimate; it says why.
    """
    if engine == "jax":
        from helpers.gap.jax.requirements import memory_MB

        return memory_MB(config, frames)
    binary = find_gap_fit()
    follow = FitProgress(n_sparse=config.n_sparse, show=False)
    with working_folder() as work:
        inside = config.replace(atoms_filename="train.xyz", gap_file="gap.xml")
        # Beside config_file=… on the command line gap_fit does not see this key.
        _write_inputs(work.path, inside, training_set(config, list(frames)), before="dryrun=T\n")
        finished = run_watched([str(binary), COMMAND], folder=work, on_line=follow)
    if follow.estimated_memory_MB is None:
        raise FitError(
            "gap_fit gives no estimate of its memory",
            found=f"exit code {finished.exit_code}: {finished.output[-200:].strip()}",
            fix="check the settings and the frames",
        )
    return follow.estimated_memory_MB


def _training_frames(
    config: GapConfig, frames: Sequence[Atoms] | str | os.PathLike | None
) -> tuple[list[Atoms], str]:
    if frames is None:
        frames = find_frames_file(config.atoms_filename)
    if isinstance(frames, (str, os.PathLike)):
        return read_frames(frames), str(frames)
    training = list(frames)
    if not training or not all(isinstance(atoms, Atoms) for atoms in training):
        raise DataError(
            "There are no frames to train on",
            expected="a list of ase.Atoms or the name of a file",
            found=f"{len(training)} items" if training else "an empty list",
        )
    return training, "the frames"


def _write_inputs(
    folder: Path, config: GapConfig, training: TrainingSet, *, before: str = ""
) -> None:
    """Write what gap_fit reads: its config, and the frames as they were checked."""
    text = before + config.to_cfg(pairs=training.pairs)
    (folder / "gap_config.cfg").write_text(text, encoding="utf-8")
    (folder / "train.xyz").write_text(format_frames(training.frames), encoding="utf-8")


def _check_result(
    finished: Finished, follow: FitProgress, written: Path, training: TrainingSet, target: Path
) -> int:
    """Return the number of sparse points in the model that gap_fit wrote, or raise `FitError`."""
    state = f"; {target.name} is as it was" if target.exists() else "; no model was written"
    if finished.exit_code != 0:
        signal_number = -finished.exit_code
        reason = _abort_message(finished)
        if signal_number > 0:
            name = signal.Signals(signal_number).name
            reason = f"it was ended by signal {signal_number} ({name})"
        fixes: dict[int, str] = {
            signal.SIGKILL: "if you did not end it, memory ran out: "
            "fewer frames, smaller n_max, l_max, cutoff",
            signal.SIGXFSZ: "a file became larger than allowed: make room on the disk, "
            "or raise the limit (ulimit -f)",
        }
        raise FitError(
            f"gap_fit failed{state}",
            found=f"exit code {finished.exit_code}: {reason}",
            fix=fixes.get(signal_number, "see the reason"),
        )
    expected = {"energies": training.n_energies, "forces": training.n_force_components}
    if training.n_virial_components or follow.targets.get("virials"):
        expected["virials"] = training.n_virial_components
    if {name: follow.targets.get(name) for name in expected} != expected:
        raise FitError(
            f"gap_fit did not train on all labels{state}",
            expected=str(expected),
            found=str(follow.targets),
            fix="check energy_parameter_name and force_parameter_name",
        )
    try:
        return read_model(written).n_sparse
    except UnsupportedModelError:  # such as angle_3b: quippy tells whether it is whole
        check_in_another_process(written)
        return count_sparse_points(written)
    except ModelFileError as error:
        problem = error.problem.replace(f"{written.parent}{os.sep}", "")
        free_MB = shutil.disk_usage(target.parent).free / 1e6
        raise FitError(
            f"gap_fit wrote no whole model{state}",
            found=f"in its own folder, {problem} ({free_MB:.0f} MB are free on the disk)",
            fix="make room on the disk (df -h), or write to another place",
        ) from error


def _abort_message(finished: Finished) -> str:
    """Return the reason in gap_fit's output."""
    text = finished.errors + "\n" + finished.output
    if match := re.search(r"SYSTEM ABORT:\s*(.*?)\s*(?:STOP|$)", text, re.DOTALL):
        # "Traceback …", then 'File "…", line 11 kind unspecified' above each line of the reason
        lines = match.group(1).splitlines()
        reason = [line for line in lines if not re.match(r"\s*(Traceback|File \")", line)]
        return " ".join(" ".join(reason).split())[:300] or "it gave no reason"
    lines = [line for line in finished.errors.splitlines() if line.strip() and "FoX" not in line]
    return lines[-1].strip()[:300] if lines else "it gave no reason"


def _publish(written: Path, target: Path) -> None:
    """Move the sparse files first, the model last: a model file always finds its numbers."""
    for points in written.parent.glob(f"{glob.escape(written.name)}.sparseX.*"):
        os.replace(points, target.parent / points.name)
    os.replace(written, target)


def _version(output: str) -> str:
    match = re.search(r"git version\s+\S*?,?(v[\d.]+\S*)", output)
    return match.group(1) if match else "unknown"
