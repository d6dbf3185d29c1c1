"""Pretraining of neural potentials: energies and forces of labeled frames.

Each epoch draws its order from the seed and its own number alone, so a training that was broken off
and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from ase import Atoms

from helpers.errors import CheckpointError, DataError
from helpers.files import make_folder, write_atomic, write_table
from helpers.frames import check_labels, forces_label, label
from helpers.jax_setup import double_precision, enable_compilation_cache
from helpers.neural.array_files import filled, read_arrays, write_arrays
from helpers.neural.graphs import GraphBatch, batch_of
from helpers.neural.layers import trainable
from helpers.neural.neural_potential import (
    NeuralPotential,
    PotentialSettings,
    neural_force_field,
    new_potential,
    save_neural,
)
from helpers.neural.pretrain_config import PretrainConfig
from helpers.terminal import progress_bar

STEPS_PER_CALL = 50  # after so many steps at the latest Python may show progress or stop
STANDARDIZED_WITH = 100  # frames
HISTORY = (
    "epoch",
    "learning_rate",
    "train_loss",
    "validation_loss",
    "validation_rmse_energy_meV_per_atom",
    "validation_rmse_forces_meV_per_A",
)


class LabeledBatch(NamedTuple):
    """Frames with labels.

    Attributes
    ----------
    frames : GraphBatch
    energies : array of shape (n_frames,), eV
        Relative to the atoms.
    forces : array of shape (n_frames, n_atoms, 3), eV/Å
    counts : array of shape (n_frames,)
        1, or 0 for a frame that only fills the batch.
    """

    frames: GraphBatch
    energies: Any
    forces: Any
    counts: Any


class _State(NamedTuple):
    """What a step changes."""

    potential: NeuralPotential
    average: NeuralPotential
    optimizer: Any
    step: Any


class _StepSettings(NamedTuple):
    """Those of `PretrainConfig` that a compiled step depends on."""

    optimizer: str
    weight_decay: float
    gradient_clip: float
    energy_weight: float
    force_weight: float
    ema: float


@dataclass(frozen=True)
class PretrainResult:
    """What a pretraining found.

    Attributes
    ----------
    potential : NeuralPotential
        The one with the least validation loss.
    history : DataFrame
        A row for each epoch, columns `HISTORY`: losses as in `PretrainConfig`, errors in meV per
        atom and meV/Å.
    best_epoch : int
    stopped : str
        Why it ended: ``"all epochs are done"``, a plateau, or numbers that are not finite.
    model_path : Path
        The potential, for `load_neural`.
    """

    potential: NeuralPotential
    history: pd.DataFrame
    best_epoch: int
    stopped: str
    model_path: Path


class Pretraining:
    """Trains a potential on energies and forces.

    Parameters
    ----------
    config : PretrainConfig
    train, validation : sequence of ase.Atoms
        Labeled frames of any size and boundary; validation frames decide which weights are kept.
    output : path
        Folder for results, made if its parent exists: ``model.npz`` (the best potential),
        ``history.csv``, ``config.yml``, ``checkpoint.npz``.
    resume : bool
        Go on from the checkpoint in `output`, if there is one.

    Raises
    ------
    DataError
        If there are no frames, a label is missing, or a validation frame holds an element that no
        training frame has.
    CheckpointError
        If the checkpoint is damaged, or belongs to another training.
    """

    def __init__(
        self,
        config: PretrainConfig,
        train: Sequence[Atoms],
        validation: Sequence[Atoms],
        output: str | os.PathLike,
        *,
        resume: bool = False,
    ) -> None:
        self.config, self.output = config, make_folder(output)
        for name, frames in (("training", train), ("validation", validation)):
            if not len(frames):
                raise DataError(f"There are no {name} frames")
            check_labels(
                frames, config.energy_name, config.forces_name, source=f"the {name} frames"
            )
        settings = potential_settings(config, train)
        strangers = {s for atoms in validation for s in atoms.symbols} - set(settings.elements)
        if strangers:
            raise DataError(
                f"No training frame holds {', '.join(sorted(strangers))}, but a validation frame "
                "does",
                expected=f"only {', '.join(settings.elements)}",
            )
        enable_compilation_cache()
        self._step_settings = _StepSettings(
            *(getattr(config, name) for name in _StepSettings._fields)
        )
        with self._precision():
            potential = new_potential(settings, config.seed, train[:STANDARDIZED_WITH])
            self._train = self._labeled(train, potential)
            self._validation = self._labeled(validation, potential)
            # Copies, because the arrays of a state are given away to the next step
            potential, average, self._best = (jax.tree.map(jnp.array, potential) for _ in range(3))
            trained = eqx.filter(potential, trainable(potential))
            self._state = _State(
                potential, average, _optimizer(self._step_settings).init(trained), jnp.array(0)
            )
        self._rate, self.epoch = config.learning_rate, 0
        self._best_loss, self._best_epoch, self._last_cut = float("inf"), 0, 0
        self.history: list[dict[str, float]] = []
        if resume and (self.output / "checkpoint.npz").exists():
            self._restore(self.output / "checkpoint.npz")

    def run(
        self, *, progress: bool = True, after_epoch: Callable[[Pretraining], None] | None = None
    ) -> PretrainResult:
        """Do the epochs that are missing.

        Ctrl-C keeps the last checkpoint. If a loss or a weight is not finite the training stops;
        the state before that step is kept in the checkpoint.

        Parameters
        ----------
        progress : bool
            Show a bar.
        after_epoch : function of the Pretraining, optional
            Called after each epoch.
        """
        config, stopped = self.config, ""
        write_atomic(self.output / "config.yml", config.as_yaml())
        with (
            self._precision(),
            progress_bar(
                config.epochs, config.architecture, "epochs", show=progress, initial=self.epoch
            ) as bar,
        ):
            while not stopped:
                stopped = self._why_stop()
                if stopped:
                    break
                train_loss, failed_step = self._one_epoch()
                if failed_step:
                    stopped = (
                        f"not finite: the loss of step {failed_step} of epoch {self.epoch + 1}"
                    )
                    break
                self._validate(train_loss)
                bar.update(1)
                errors = self.history[-1]
                bar.set_postfix_str(f"{errors[HISTORY[-1]]:.0f} meV/Å, rate {self._rate:.1g}")
                if self.epoch % config.checkpoint_every == 0:
                    self.save_checkpoint()
                if after_epoch:
                    after_epoch(self)
            self.save_checkpoint()
        path = save_neural(self.output / "model.npz", self._best)
        history = pd.DataFrame(self.history, columns=list(HISTORY))
        write_table(self.output / "history.csv", history)
        return PretrainResult(self._best, history, self._best_epoch, stopped, path)

    def save_checkpoint(self) -> None:
        """Write all that the next epoch depends on, whole or not at all."""
        facts = {
            "config": self.config.as_yaml(),
            "epoch": self.epoch,
            "rate": self._rate,
            "best_loss": self._best_loss,
            "best_epoch": self._best_epoch,
            "last_cut": self._last_cut,
            "history": self.history,
        }
        write_arrays(self.output / "checkpoint.npz", (self._state, self._best), facts)

    # -----------------------------------------------------------------------------------------

    def _precision(self) -> Any:
        return double_precision() if self.config.dtype == "float64" else contextlib.nullcontext()

    def _labeled(self, frames: Sequence[Atoms], potential: NeuralPotential) -> LabeledBatch:
        """Return all frames where JAX computes, and a last row that only fills batches."""
        config, dtype = self.config, self.config.dtype
        batch = batch_of(list(frames), potential.settings.elements, potential.cutoff_A)
        energies = [
            float(label(atoms, config.energy_name)) - potential.atoms_energy(atoms)
            for atoms in frames
        ]
        forces = np.zeros_like(batch.positions)
        for row, atoms in zip(forces, frames, strict=True):
            row[: len(atoms)] = forces_label(atoms, config.forces_name)
        labeled = LabeledBatch(batch, np.array(energies), forces, np.ones(len(frames)))
        filling = jax.tree.map(lambda rows: rows[:1], labeled)._replace(counts=np.zeros(1))
        return jax.tree.map(
            lambda rows, row: jnp.asarray(
                np.concatenate([rows, row]), dtype if rows.dtype == float else rows.dtype
            ),
            labeled,
            filling,
        )

    def _one_epoch(self) -> tuple[float, int]:
        """Return the mean loss of an epoch, and the step that failed, counted from 1, or 0."""
        n_frames, size = len(self._train.counts) - 1, self.config.batch_size
        rng = np.random.default_rng([self.config.seed, self.epoch + 1])
        rows = _batches(rng.permutation(n_frames), size, filling=n_frames)
        losses: list[float] = []
        for start in range(0, len(rows), STEPS_PER_CALL):
            indices = jnp.asarray(rows[start : start + STEPS_PER_CALL])
            self._state, part, ok = _steps(
                self._step_settings, self._state, self._train, indices, self._rate
            )
            if not ok.all():
                return float("nan"), start + int(np.argmin(ok)) + 1
            losses += part.tolist()
        return float(np.mean(losses)), 0

    def _validate(self, train_loss: float) -> None:
        """Complete an epoch: errors of the averaged weights, the best ones, the rate."""
        config = self.config
        energy, force = self.errors(self._state.average)
        loss = config.energy_weight * energy**2 + config.force_weight * force**2
        self.epoch += 1
        values = (self.epoch, self._rate, train_loss, loss, 1000 * energy, 1000 * force)
        self.history.append(dict(zip(HISTORY, values, strict=True)))
        if loss < self._best_loss:
            self._best_loss, self._best_epoch = loss, self.epoch
            self._best = jax.tree.map(jnp.array, self._state.average)
        waited = self.epoch - max(self._best_epoch, self._last_cut)
        if waited >= config.plateau_patience:
            self._rate, self._last_cut = self._rate * config.plateau_factor, self.epoch

    def errors(self, potential: NeuralPotential) -> tuple[float, float]:
        """Return the validation RMSE of energies (eV/atom) and of components of forces (eV/Å)."""
        n_frames = len(self._validation.counts) - 1
        rows = _batches(np.arange(n_frames), self.config.batch_size, filling=n_frames)
        sums = [_squares(potential, self._validation, jnp.asarray(row)) for row in rows]
        energy, force, n_energies, n_forces = np.sum(np.asarray(sums, float), 0)
        return float(np.sqrt(energy / n_energies)), float(np.sqrt(force / n_forces))

    def _why_stop(self) -> str:
        config = self.config
        if self.epoch >= config.epochs:
            return "all epochs are done"
        if self._rate < config.minimum_learning_rate:
            return f"the learning rate fell below {config.minimum_learning_rate:g}"
        if self.epoch - self._best_epoch >= config.early_stopping:
            return f"no better validation loss in {config.early_stopping} epochs"
        return ""

    def _restore(self, path: Path) -> None:
        arrays, facts = read_arrays(path, CheckpointError)
        mine, theirs = self.config.as_yaml().splitlines(), facts["config"].splitlines()
        changed = [line for line in theirs if line not in mine and not line.startswith("epochs")]
        if changed:
            raise CheckpointError(
                f"{path} is of a training with other settings",
                expected="; ".join(changed),
                found="; ".join(line for line in mine if line not in theirs),
                fix="use these settings, or another output folder",
            )
        with self._precision():
            self._state, self._best = filled(
                (self._state, self._best), arrays, path, CheckpointError
            )
        self.epoch, self.history, self._rate = facts["epoch"], facts["history"], facts["rate"]
        self._best_loss, self._best_epoch = facts["best_loss"], facts["best_epoch"]
        self._last_cut = facts["last_cut"]


def potential_settings(config: PretrainConfig, train: Sequence[Atoms]) -> PotentialSettings:
    """Return what the potential of a training is: elements, energies of atoms, scale.

    The energies of atoms are the least-squares fit of the training energies to the composition
    (of least norm where the frames do not determine them), the scale is the root mean square of the
    force components times 1 Å.
    """
    elements = tuple(sorted({symbol for atoms in train for symbol in atoms.symbols}))
    counts = np.array([[list(a.symbols).count(element) for element in elements] for a in train])
    energies = np.array([float(label(atoms, config.energy_name)) for atoms in train])
    fit = np.linalg.lstsq(counts, energies, rcond=1e-10)[0]
    forces = np.concatenate([np.ravel(forces_label(atoms, config.forces_name)) for atoms in train])
    scale = float(np.sqrt(np.mean(forces**2))) or 1.0
    return PotentialSettings(
        config.architecture, config.network, elements, tuple(map(float, fit)), scale, config.dtype
    )


def _batches(indices: np.ndarray, size: int, filling: int) -> np.ndarray:
    """Return the indices in rows of `size`, the last one filled up."""
    missing = -len(indices) % size
    return np.concatenate([indices, np.full(missing, filling)]).reshape(-1, size)


def _optimizer(config: _StepSettings) -> Any:
    """Return the optimizer for a rate of 1: its changes are multiplied by the rate."""
    import optax

    makers = {
        "adam": optax.adam,
        "adamw": partial(optax.adamw, weight_decay=config.weight_decay),
        "amsgrad": optax.amsgrad,
        "sgd": optax.sgd,
    }
    return optax.chain(
        optax.clip_by_global_norm(config.gradient_clip), makers[config.optimizer](1.0)
    )


def _square_sums(potential: NeuralPotential, batch: LabeledBatch) -> Any:
    """Return Σ (ΔE/n)², Σ ΔF² and how many terms they have."""
    energies, forces = jax.vmap(neural_force_field, (None, 0, 0, 0))(potential, *batch.frames)
    n_atoms = batch.frames.graphs.present.sum(1).astype(energies.dtype)
    energy = batch.counts * ((energies - batch.energies) / n_atoms) ** 2
    force = batch.counts * ((forces - batch.forces) ** 2).sum((1, 2))
    return jnp.stack(
        [energy.sum(), force.sum(), batch.counts.sum(), (3 * batch.counts * n_atoms).sum()]
    )


@partial(jax.jit)
def _squares(potential: NeuralPotential, frames: LabeledBatch, row: Any) -> Any:
    return _square_sums(potential, jax.tree.map(lambda rows: rows[row], frames))


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def _steps(
    config: _StepSettings,
    state: _State,
    frames: LabeledBatch,
    indices: Any,
    rate: Any,
) -> tuple[_State, Any, Any]:
    """Take one step per row of indices; one that is not finite, and those after it, change nothing.

    Returns the state, the loss of each step, and whether it was finite.
    """
    optimizer = _optimizer(config)

    def step(carry: tuple[_State, Any], row: Any) -> tuple[tuple[_State, Any], tuple[Any, Any]]:
        old, fine = carry
        batch = jax.tree.map(lambda rows: rows[row], frames)
        trained, fixed = eqx.partition(old.potential, trainable(old.potential))

        def loss_of(trained: Any) -> Any:
            energy, force, n_energies, n_forces = _square_sums(eqx.combine(trained, fixed), batch)
            return (
                config.energy_weight * energy / n_energies + config.force_weight * force / n_forces
            )

        loss, slopes = jax.value_and_grad(loss_of)(trained)
        changes, optimizer_state = optimizer.update(slopes, old.optimizer, trained)
        new = jax.tree.map(lambda x, change: x + (rate * change).astype(x.dtype), trained, changes)
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(new)]).all()
        fine = fine & finite & jnp.isfinite(loss)
        # At the start the average follows faster: it forgets the random weights
        keep = jnp.minimum(config.ema, old.step / (old.step + 9))
        average = jax.tree.map(
            lambda a, x: (keep * a + (1 - keep) * x).astype(x.dtype),
            eqx.filter(old.average, trainable(old.average)),
            new,
        )
        potential, average = eqx.combine(new, fixed), eqx.combine(average, fixed)
        after = _State(potential, average, optimizer_state, old.step + 1)
        after = jax.tree.map(lambda a, b: jnp.where(fine, a, b), after, old)
        return (after, fine), (loss, fine)

    (state, _), (losses, fine) = jax.lax.scan(step, (state, jnp.array(True)), indices)
    return state, losses, fine
