"""The stages of the handout for anybody's frames, with settings that follow from the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.datasets import Dataset, Split, split_dataset, write_dataset
from helpers.datasets.command import run_look_job
from helpers.datasets.labels import names_of
from helpers.datasets.splitting import frame_groups
from helpers.errors import DataError
from helpers.files import digest, write_table
from helpers.frames import FORCES_NAME
from helpers.gap import suggest_config
from helpers.gap.command import quick_config
from helpers.gap.config import GapConfig
from helpers.pipeline.handout import (
    POTENTIAL_FILES,
    PRESETS,
    TEMPERATURE_K,
    dynamics_stages,
    make_stage,
    raman_stage,
    train_potential,
)
from helpers.pipeline.report import choices_section
from helpers.pipeline.stages import Stage
from helpers.report.sections import add_section
from helpers.sagpr import SymmetryAdaptedKernelRidge
from helpers.sagpr.command import MODEL_NAME, run_polarizability_job
from helpers.sagpr.tensors import POLARIZABILITY_NAME
from helpers.sweeps import OwnFrames
from helpers.sweeps.command import KIT_NAMES, run_learning_curve_job, run_sweep_job

TRAINING_FILE, VALIDATION_FILE = "training.xyz", "validation.xyz"
MODEL_FILE = "gap.xml"
FEWEST_FOR_CURVE = 8  # training frames
FEWEST_TENSORS = 20
PARTS = {"quick": (2, 1), "fast": (4, 2, 1), "accurate": (8, 4, 2, 1)}  # of the learning curve
FACTORS = {"quick": (0.1, 1.0)}  # of the energies' expected error, in the sweep
USUAL_FACTORS = (0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class OwnData:
    """Frames of a user, divided, and the settings to train with.

    Attributes
    ----------
    everything : Dataset
        All frames in the order of the files.
    split : Split
    config : GapConfig
    reasons : DataFrame
        ``setting``, ``value``, ``reason``.
    start : ase.Atoms
        Where molecular dynamics begins: a validation frame.
    timestep_fs : float
    """

    everything: Dataset = field(repr=False)
    split: Split = field(repr=False)
    config: GapConfig
    reasons: pd.DataFrame = field(repr=False)
    start: Atoms
    timestep_fs: float

    @property
    def frames(self) -> list[Atoms]:
        """All frames, those of training first."""
        return [*self.split.training, *self.split.validation]


def prepare(
    dataset: Dataset,
    validation: Dataset | None = None,
    config: GapConfig | None = None,
    *,
    preset: str = "fast",
) -> OwnData:
    """Divide frames into training and validation, and choose settings for them.

    Parameters
    ----------
    dataset : Dataset
    validation : Dataset, optional
        Frames to validate on; by default trajectories, files or blocks of `dataset` are set aside.
    config : GapConfig, optional
        Settings; by default those of `suggest_config`.
    preset : str
        ``"quick"`` makes the suggested model smaller.

    Raises
    ------
    DataError
        If no frame has forces, there are too few frames to set some aside, or a validation frame
        is a training frame, too.
    """
    if not any(FORCES_NAME in atoms.arrays for atoms in dataset if len(atoms) > 1):
        raise DataError(
            "No frame has forces",
            expected="forces, in most frames at least: each holds 3 N numbers to learn from, and "
            "an energy is one",
            found=", ".join(sorted({name for atoms in dataset for name in names_of(atoms)}))
            or "no label at all",
            fix="compute them, or name them: --label forces=NAME",
        )
    everything = dataset
    if validation is None:
        split = split_dataset(dataset)
    else:
        everything = replace(
            dataset,
            frames=[*dataset.frames, *validation.frames],
            sources=[*dataset.sources, *validation.sources],
            notes=tuple(dict.fromkeys((*dataset.notes, *validation.notes))),
        )
        _check_apart(dataset, validation)
        _check_elements(dataset, validation)
        files = sorted({source.rpartition(":")[0] for source in validation.sources})
        how = f"validated on the {len(validation)} frames of {', '.join(files)}"
        split = Split(dataset, validation, how)
    if config is None:
        suggestion = suggest_config(split.training)
        chosen, reasons = suggestion.config, suggestion.reasons
        if preset == "quick":
            small = quick_config()
            n_sparse = min(small.n_sparse, chosen.n_sparse)
            chosen = chosen.replace(n_max=small.n_max, l_max=small.l_max, n_sparse=n_sparse)
            for name in ("n_max", "l_max", "n_sparse"):
                row = (name, str(getattr(chosen, name)), "--quick: small, to see that all works")
                reasons = pd.concat(
                    [
                        reasons[reasons["setting"] != name],
                        pd.DataFrame([row], columns=reasons.columns),
                    ],
                    ignore_index=True,
                )
    else:
        chosen = config
        rows = [("all others", "as given", "they stand in the file that --config names")]
        rows += [
            (name, value, f"not {given}, as in that file: {why}")
            for name, value, given, why in (
                ("atoms_filename", TRAINING_FILE, config.atoms_filename, "the frames were named"),
                ("gap_file", MODEL_FILE, config.gap_file, "so a run calls its model"),
            )
            if given != value
        ]
        reasons = pd.DataFrame(rows, columns=["setting", "value", "reason"])
    chosen = chosen.replace(atoms_filename=TRAINING_FILE, gap_file=MODEL_FILE, **KIT_NAMES)
    start = next((atoms for atoms in split.validation if len(atoms) > 1), None)
    if start is None:
        raise DataError("No validation frame has two atoms", fix="give validation frames")
    start = start.copy()
    start.set_constraint()
    hydrogen = any(1 in atoms.numbers for atoms in (*split.training, *split.validation))
    return OwnData(everything, split, chosen, reasons, start, 0.5 if hydrogen else 1.0)


def own_data_stages(
    data: OwnData,
    *,
    preset: str = "fast",
    temperature_K: float = TEMPERATURE_K,
    engine: str = "jax",
    progress: bool = True,
) -> list[Stage]:
    """Return the stages of the handout for these frames.

    What the frames cannot give, such as a spectrum without polarizabilities, is left out with a
    line that says why.

    Parameters
    ----------
    data : OwnData
        Of `prepare`.
    preset : str
        How long runs are: ``"quick"``, ``"fast"`` or ``"accurate"``.
    temperature_K : float
        Of the dynamics and of the spectrum.
    engine : str
        What trains the potentials, ``"jax"`` or ``"gap_fit"``.
    progress : bool
        Whether the stages show bars of their own.
    """
    amount = PRESETS[preset]()
    stage = partial(make_stage, amount)
    split, config = data.split, data.config
    training = OwnFrames(split.training, split.validation, frame_groups(split.training)[0])
    mark = _digest(data.frames)
    potential = {"frames": mark, "how": split.how, "config": config.to_cfg(), "engine": engine}
    alone = sum(len(atoms) == 1 for atoms in split.training)
    several = len(split.training) - alone
    sizes = sorted({alone + max(2, several // part) for part in PARTS[preset]})
    factors = FACTORS.get(preset, USUAL_FACTORS)
    sigmas = [float(f"{factor * config.default_sigma[0]:.3g}") for factor in factors]
    unsweepable = _unsweepable(split)
    tensors = [atoms for atoms in data.frames if POLARIZABILITY_NAME in atoms.info]
    no_tensors = _no_tensors(tensors)

    def look(folder: Path) -> None:
        run_look_job(data.everything, folder)
        print(f"{split.how[0].upper()}{split.how[1:]}.")
        write_dataset(split.training, folder / TRAINING_FILE)
        write_dataset(split.validation, folder / VALIDATION_FILE)
        write_table(folder / "settings.csv", data.reasons)
        section = choices_section(
            split.how, data.reasons, data.start, data.timestep_fs, temperature_K
        )
        add_section(section, folder)

    def train(folder: Path) -> None:
        train_potential(config, folder, frames=split, engine=engine, progress=progress)

    def learning(folder: Path) -> None:
        run_learning_curve_job(
            config,
            folder,
            sizes=sizes,
            repeats=amount.repeats,
            dataset=training,
            engine=engine,
            progress=progress,
        )

    def regularization(folder: Path) -> None:
        over = {"sigma_energy_eV_per_atom": sigmas}
        run_sweep_job(
            over,
            config,
            folder,
            sizes=[len(split.training)],
            dataset=training,
            engine=engine,
            progress=progress,
        )

    def polarizability(folder: Path) -> None:
        elements = tuple(sorted({symbol for atoms in tensors for symbol in atoms.symbols}))
        run_polarizability_job(
            folder,
            model=SymmetryAdaptedKernelRidge(elements=elements, centers=elements),
            seeds=range(amount.seeds),
            frames=tensors,
            trajectories=_tensor_groups(split),
            progress=progress,
        )

    return [
        stage(
            "data",
            "The frames",
            look,
            settings={
                **potential,
                "reasons": data.reasons.to_csv(),
                "temperature_K": temperature_K,
            },
            writes=("frames.csv", "settings.csv", TRAINING_FILE, VALIDATION_FILE),
        ),
        stage(
            "potential",
            "Training the potential",
            train,
            settings=potential,
            writes=POTENTIAL_FILES,
        ),
        stage(
            "learning-curve",
            "Learning curve",
            learning,
            settings={**potential, "sizes": sizes, "repeats": amount.repeats},
            writes=("learning_curve.csv",),
            no_basis=unsweepable
            or (
                f"{several} training frames are too few for a learning curve (at least "
                f"{FEWEST_FOR_CURVE})"
                if several < FEWEST_FOR_CURVE
                else ""
            ),
        ),
        stage(
            "sigmas",
            "Regularization",
            regularization,
            settings={**potential, "sigmas": sigmas},
            writes=("sweep.csv",),
            no_basis=unsweepable,
        ),
        *dynamics_stages(
            amount,
            temperature_K=temperature_K,
            timestep_fs=data.timestep_fs,
            settings={"frames": mark},
            snapshot=data.start,
            frames=data.frames,
            progress=progress,
        ),
        stage(
            "polarizability",
            "Polarizabilities",
            polarizability,
            settings={"frames": mark, "how": split.how, "seeds": amount.seeds},
            writes=(MODEL_NAME, "polarizability_errors.csv", "polarizability_curve.csv"),
            no_basis=no_tensors,
        ),
        raman_stage(
            amount,
            writes=("raman.csv", "raman_polarizabilities.npy"),
            temperature_K=temperature_K,
            no_basis=no_tensors,
            starts=_starts(data),
            progress=progress,
        ),
    ]


def _check_apart(dataset: Dataset, validation: Dataset) -> None:
    """Raise `DataError` if a validation frame is a training frame, too."""
    known = {_digest([atoms], labels=False) for atoms in dataset}
    same = [
        source
        for atoms, source in zip(validation, validation.sources, strict=True)
        if len(atoms) > 1 and _digest([atoms], labels=False) in known
    ]
    if same:
        raise DataError(
            f"{len(same)} of {len(validation)} validation frames are training frames, too",
            found=", ".join(same[:3]),
            expected="frames that the potential has not seen: otherwise its error looks too small",
            fix="remove them from one of the two",
        )


def _check_elements(dataset: Dataset, validation: Dataset) -> None:
    """Raise `DataError` if a validation frame holds an element that is not trained on."""
    known = {symbol for atoms in dataset for symbol in atoms.symbols}
    for atoms, source in zip(validation, validation.sources, strict=True):
        if unknown := set(atoms.symbols) - known:
            raise DataError(
                f"{source} holds {', '.join(sorted(unknown))}, which no training frame does",
                expected="only " + " and ".join(sorted(known)),
                fix="leave the frame out, or add training frames with this element",
            )


def _digest(frames: Sequence[Atoms], *, labels: bool = True) -> str:
    """Return a digest of all that frames hold, or of their geometry only."""
    parts: list[Any] = []
    for atoms in frames:
        parts += [atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc]
        if labels:
            for name, value in sorted({**atoms.info, **atoms.arrays}.items()):
                array = np.asarray(value)
                numeric = array.dtype.kind in "fiub"
                parts += [str(name), array if numeric else repr(array.tolist())]
    return digest(*parts)


def _unsweepable(split: Split) -> str:
    """Return why several potentials cannot be trained and judged together; empty if they can."""
    for name, frames in (("training", split.training), ("validation", split.validation)):
        lacking = sum(FORCES_NAME not in atoms.arrays for atoms in frames)
        if lacking:
            return f"{lacking} {name} frames have energies only, and a sweep needs forces in all"
    return ""


def _no_tensors(tensors: Sequence[Atoms]) -> str:
    """Return why no polarizability can be learned, or an empty text."""
    if not tensors:
        return "the frames carry no polarizabilities"
    if len(tensors) < FEWEST_TENSORS:
        return f"only {len(tensors)} frames carry polarizabilities (at least {FEWEST_TENSORS})"
    return ""


def _tensor_groups(split: Split) -> list[tuple[str, Any]]:
    """Return the trajectory, file or block of each frame with a polarizability."""
    return [
        (name, group)
        for name, part in (("training", split.training), ("validation", split.validation))
        for atoms, group in zip(part, frame_groups(part)[0], strict=True)
        if POLARIZABILITY_NAME in atoms.info
    ]


def _starts(data: OwnData) -> list[Atoms]:
    """Return validation frames that have the atoms and the boundaries of the first."""
    alike = [
        atoms.copy()
        for atoms in data.split.validation
        if np.array_equal(atoms.numbers, data.start.numbers)
        and np.array_equal(atoms.pbc, data.start.pbc)
    ]
    for atoms in alike:
        atoms.set_constraint()
    return alike
