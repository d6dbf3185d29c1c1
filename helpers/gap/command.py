"""``mlmd fit`` and ``mlmd evaluate``; training and errors as a stage of ``mlmd run``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from helpers.datasets import Split
from helpers.errors import ConfigError
from helpers.evaluation import Evaluation, evaluate
from helpers.files import check_writable, make_folder, write_atomic, write_table
from helpers.frames import (
    find_frames_file,
    label_noise,
    load_frames,
    names_shipped_frames,
    read_frames,
    trajectories_of,
)
from helpers.gap.config import GapConfig, TwoBody
from helpers.gap.fit import FitResult, fit_gap
from helpers.terminal import CommandResult, run_guarded


def fit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd fit``."""
    parser.epilog = "Example: mlmd fit workshop/gap_config.cfg --output gap.xml"
    parser.add_argument(
        "config", nargs="?", type=Path, help="a gap_config.cfg; default: the default preset"
    )
    parser.add_argument(
        "--accurate", action="store_true", help="the preset for accuracy: 400 frames"
    )
    parser.add_argument(
        "--output", type=Path, help="model file to write (default: beside the config)"
    )
    parser.add_argument(
        "--engine",
        choices=("gap_fit", "jax"),
        default="gap_fit",
        help="gap_fit (default), or the kit's own, which is faster",
    )
    parser.set_defaults(run=_fit)


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mlmd evaluate``."""
    parser.epilog = "Example: mlmd evaluate gap.xml --csv validation_errors.csv"
    parser.add_argument("model", type=Path, help="a gap.xml")
    parser.add_argument(
        "--frames", help="an extended XYZ file (default: the shipped validation frames)"
    )
    parser.add_argument("--energy-name", default="dft_energy", help="label of the energies (eV)")
    parser.add_argument("--forces-name", default="dft_forces", help="label of the forces (eV/Å)")
    parser.add_argument("--csv", type=Path, help="write true and predicted values to this file")
    parser.add_argument("--processes", type=int, help="default: one per core")
    parser.set_defaults(run=_evaluate)


def error_script(description: str, *, split: str, csv: str) -> int:
    """Entry point of ``gap_error_train.py`` and ``gap_error_validate.py`` of the workshop.

    Parameters
    ----------
    description : str
        For ``--help``.
    split : str
        ``"train"``: the frames that the config file names; ``"validate"``: the shipped ones.
    csv : str
        Default name of the table of true and predicted values.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config", type=Path, default=Path("gap_config.cfg"), help="default: %(default)s"
    )
    parser.add_argument("--model", type=Path, help="default: the gap_file of the config")
    parser.add_argument("--output", type=Path, default=Path(csv), help="default: %(default)s")
    if split == "validate":
        parser.add_argument(
            "--frames", type=Path, help="validation frames; default: the shipped ones of water"
        )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    options.split = split
    return run_guarded(Path(sys.argv[0]).name, _error_table, options)


@dataclass(frozen=True)
class TrainingFindings:
    """A trained potential and its errors.

    Attributes
    ----------
    fit : FitResult
        The model, and what training it cost.
    training, validation : Evaluation
        Its errors on the frames that it was trained on, and on frames of other trajectories.
    """

    fit: FitResult
    training: Evaluation
    validation: Evaluation


def quick_config() -> GapConfig:
    """Return settings that train in a few seconds: to see that everything works, not to use."""
    return GapConfig(
        atoms_filename="gap_input_50.xyz",
        cutoff=3.5,
        cutoff_transition_width=2.0,
        n_max=4,
        l_max=3,
        n_sparse=100,
        delta=0.2,  # so coarse a description of few frames needs a prior that holds it back
        two_body=TwoBody(cutoff=6.0, n_sparse=25, delta=0.5),
    )


def run_main_job(
    config: GapConfig,
    folder: str | os.PathLike = "results",
    *,
    frames: Split | None = None,
    engine: str = "gap_fit",
    progress: bool = True,
) -> CommandResult:
    """Train, evaluate on training and validation frames, and write everything into `folder`.

    Writes ``gap.xml``, ``gap_config.cfg``, ``train_errors.csv``, ``validation_errors.csv``,
    ``summary.csv``, ``training_cost.csv`` and ``report.html``, and prints what it does.

    Parameters
    ----------
    config : GapConfig
        The settings; ``config.gap_file`` names the model inside `folder`.
    folder : path
        Made if its parent exists.
    frames : Split, optional
        Training and validation frames of your own; by default those that the config names, and the
        shipped validation frames.
    engine : str
        ``"gap_fit"`` or ``"jax"``, as for `fit_gap`.
    progress : bool
        Show bars.

    Returns
    -------
    CommandResult
        With `TrainingFindings` and the path of the report.

    Raises
    ------
    DataError, FitError, OutputError
        As `fit_gap` and `evaluate` do.
    """
    import pandas as pd

    from helpers.gap.report import accuracy_section, settings_section
    from helpers.report.sections import add_section

    folder = make_folder(folder)
    training_frames: Sequence[Atoms]
    validation_frames: Sequence[Atoms]
    if frames is None:
        frames_file = find_frames_file(config.atoms_filename)
        training_frames = read_frames(frames_file)
        validation_frames = load_frames("water", "validate")
        source, in_folder = f"frames of {frames_file.name}", os.path.relpath(frames_file, folder)
    else:
        training_frames, validation_frames = frames.training, frames.validation
        source, in_folder = "training frames", config.atoms_filename
    config.replace(atoms_filename=in_folder).write(folder / "gap_config.cfg")
    print(f"Training on the {len(training_frames)} {source} …")
    fit = fit_gap(
        config,
        frames_file if frames is None else training_frames,
        output=folder / Path(config.gap_file).name,
        engine=engine,
        progress=progress,
    )
    print(f"  {fit}")
    print("Comparing with DFT …" if frames is None else "Comparing with the labels …")
    training = evaluate(fit.model_path, training_frames, progress=progress, **config.label_names)
    names = {} if frames is None else config.label_names
    validation = evaluate(fit.model_path, validation_frames, progress=progress, **names)
    print(f"  training    {training}")
    print(f"  validation  {validation}")
    training.to_csv(folder / "train_errors.csv")
    validation.to_csv(folder / "validation_errors.csv")
    sets = {"training": (training, training_frames), "validation": (validation, validation_frames)}
    summary = pd.concat(
        [result.summary(trajectories_of(f)).assign(set=name) for name, (result, f) in sets.items()]
    )
    columns = ("engine", "n_frames", "n_sparse", "wall_seconds", "cpu_seconds", "peak_memory_MB")
    cost = pd.DataFrame([{name: getattr(fit, name) for name in columns}])
    write_table(folder / "training_cost.csv", cost)
    write_atomic(folder / "summary.csv", summary.to_csv(index=False, float_format="%.4f"))
    add_section(settings_section(fit), folder)
    how = None if frames is None else frames.how
    noise = label_noise("water") if frames is None else None
    section = accuracy_section(fit, training, validation, how, noise=noise)
    report_path = add_section(section, folder)
    return CommandResult(TrainingFindings(fit, training, validation), report_path)


def _fit(options: argparse.Namespace) -> int:
    if options.config is not None and options.accurate:
        raise ConfigError("A config and --accurate are both given", fix="keep one of them")
    folder, output = None, options.output
    if options.config is not None:
        config, folder = GapConfig.read(options.config), options.config.parent
        output = output or folder / config.gap_file
    else:
        config = GapConfig.accurate() if options.accurate else GapConfig()
    result = fit_gap(
        config,
        find_frames_file(config.atoms_filename, folder),
        output=output,
        engine=options.engine,
        progress=not options.no_progress,
    )
    print(result)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    frames = read_frames(options.frames) if options.frames else load_frames("water", "validate")
    _print_errors(
        options.model,
        frames,
        csv=options.csv,
        energy_name=options.energy_name,
        forces_name=options.forces_name,
        processes=options.processes,
        progress=not options.no_progress,
    )
    return 0


def _error_table(options: argparse.Namespace) -> int:
    folder = options.config.parent
    config = GapConfig.read(options.config)
    model = options.model or folder / config.gap_file
    if options.split == "train":
        frames = read_frames(find_frames_file(config.atoms_filename, folder))
        names = config.label_names
    elif options.frames is not None:
        frames, names = read_frames(options.frames), config.label_names
    else:
        if not names_shipped_frames(config.atoms_filename):
            raise ConfigError(
                f"{options.config} names frames of its own, {config.atoms_filename}",
                expected="validation frames of the same kind; the shipped ones are water",
                fix="name them: --frames FILE",
            )
        frames, names = load_frames("water", "validate"), {}
    _print_errors(model, frames, csv=options.output, progress=True, **names)
    return 0


def _print_errors(
    model: Path, frames: Sequence[Atoms], *, csv: Path | None, **options: Any
) -> None:
    """Evaluate, print the errors, and write the table of true and predicted values."""
    if csv is not None:
        check_writable(csv)
    evaluation = evaluate(model, frames, **options)
    print(evaluation)
    print(evaluation.summary().to_string(index=False, float_format="{:.2f}".format))
    if csv is not None:
        print(f"written: {evaluation.to_csv(csv)}")
