"""The main job, ``mlmd run``: train a potential, judge it, write a report."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.evaluation import Evaluation, evaluate
from helpers.files import make_folder
from helpers.frames import find_frames_file, load_frames, read_frames
from helpers.gap.config import GapConfig
from helpers.gap.fit import FitResult, fit_gap


@dataclass(frozen=True)
class JobResult:
    """What the main job made."""

    fit: FitResult
    training: Evaluation
    validation: Evaluation
    report_path: Path


def quick_config() -> GapConfig:
    """Return settings that train in a few seconds: to see that everything works, not to use."""
    return GapConfig(atoms_filename="gap_input_50.xyz", n_max=4, l_max=3, n_sparse=100)


def run_main_job(
    config: GapConfig,
    folder: str | os.PathLike = "results",
    *,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> JobResult:
    """Train, evaluate on training and validation frames, and write everything into `folder`.

    Writes ``gap.xml``, ``gap_config.cfg``, ``train_errors.csv``, ``validation_errors.csv``,
    ``summary.csv`` and ``report.html``.

    Parameters
    ----------
    config : GapConfig
        The settings; ``config.gap_file`` names the model inside `folder`.
    folder : path
        Made if its parent exists.
    say : callable
        Takes one line of news at a time.
    """
    import pandas as pd

    from helpers.files import write_whole
    from helpers.report.sections import add_section
    from helpers.report.training import accuracy_section, settings_section

    folder = make_folder(folder)
    frames_file = find_frames_file(config.atoms_filename)
    training_frames = read_frames(frames_file)
    validation_frames = load_frames("water", "validate")
    config.replace(atoms_filename=os.path.relpath(frames_file, folder)).write(
        folder / "gap_config.cfg"
    )
    say(f"Training on the {len(training_frames)} frames of {frames_file.name} …")
    fit = fit_gap(
        config, frames_file, output=folder / Path(config.gap_file).name, progress=progress
    )
    say(f"  {fit}")
    say("Comparing with DFT …")
    training = evaluate(fit.model_path, training_frames, progress=progress, **config.label_names)
    validation = evaluate(fit.model_path, validation_frames, progress=progress)
    say(f"  training    {training}")
    say(f"  validation  {validation}")
    training.to_csv(folder / "train_errors.csv")
    validation.to_csv(folder / "validation_errors.csv")
    summary = pd.concat(
        [
            training.summary().assign(set="training"),
            validation.summary().assign(set="validation"),
        ]
    )
    write_whole(folder / "summary.csv", summary.to_csv(index=False, float_format="%.4f"))
    add_section(settings_section(fit), folder)
    report = add_section(accuracy_section(fit, training, validation), folder)
    return JobResult(fit, training, validation, report)
