"""What a step costs, with the potential and with DFT, and after how many steps training pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.errors import DataError
from helpers.md.trajectory import Trajectory


@dataclass(frozen=True)
class StepCost:
    """What one step of molecular dynamics takes here.

    Attributes
    ----------
    engine : str
    clock_s : float
        On the clock: longer on a machine that is busy with other things.
    processor_s : float
        Of all cores together.
    """

    engine: str
    clock_s: float
    processor_s: float


@dataclass(frozen=True)
class Cost:
    """The whole account, in seconds.

    Attributes
    ----------
    step : StepCost
        Of the potential.
    dft_s : float
        Of one step with DFT: energy and forces of one frame.
    n_training_frames : int
        How many frames had to be computed with DFT before there was a potential.
    training_s : float
        To train it.
    sampling_s : float
        To find the training frames: what earlier potentials and their own data took.
    """

    step: StepCost
    dft_s: float
    n_training_frames: int
    training_s: float
    sampling_s: float = 0.0

    @property
    def ratio(self) -> float:
        """How many steps of the potential fit into one of DFT (on the clock)."""
        return self.dft_s / self.step.clock_s

    @property
    def data_s(self) -> float:
        """Time to compute the training frames with DFT."""
        return self.n_training_frames * self.dft_s

    @property
    def before_s(self) -> float:
        """All that has to be paid before the first step: data, sampling and training."""
        return self.data_s + self.sampling_s + self.training_s

    @property
    def break_even_steps(self) -> float:
        """Number of steps after which all that and the run cost less than DFT would have.

        Infinite if a step of the potential is no faster.
        """
        gain = self.dft_s - self.step.clock_s
        return float(self.before_s / gain) if gain > 0 else float("inf")

    def table(self) -> pd.DataFrame:
        """Return the account: columns ``what``, ``value``, ``unit``."""
        rows = [
            ("one step with DFT (recorded)", self.dft_s, "s"),
            (f"one step with the potential ({self.step.engine})", self.step.clock_s, "s"),
            ("the same, processor time", self.step.processor_s, "s"),
            ("steps of the potential in one of DFT", self.ratio, "1"),
            (f"data: {self.n_training_frames} frames with DFT", self.data_s, "s"),
            ("training", self.training_s, "s"),
            *([("sampling", self.sampling_s, "s")] if self.sampling_s else []),
            ("break-even", self.break_even_steps, "steps"),
        ]
        return pd.DataFrame(rows, columns=["what", "value", "unit"])

    def curves(self, n_steps: int = 1_000_000) -> pd.DataFrame:
        """Return what 1 … `n_steps` steps cost: columns ``steps``, ``DFT_s``, ``GAP_s``."""
        steps = np.unique(np.geomspace(1, n_steps, 200).round())
        return pd.DataFrame(
            {
                "steps": steps,
                "DFT_s": steps * self.dft_s,
                "GAP_s": self.before_s + steps * self.step.clock_s,
            }
        )


def step_cost(run: Trajectory) -> StepCost:
    """Return what a step of a run took: a median, so that compiling does not count."""
    return StepCost(run.engine, run.clock_s_per_step, run.processor_s_per_step)


def recorded_dft_seconds(frames: Sequence[Atoms], *, polarizability: bool = False) -> float:
    """Return what DFT took for one frame, in seconds of one core.

    From the records of the data, ``info["dft_seconds"]``: wall time on one core of a machine that
    mostly did other work, too. Other work makes a calculation longer, never shorter, so the fastest
    frame tells what it costs.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    polarizability : bool
        Frames for which a polarizability was computed, too, or those with energy and forces only.

    Raises
    ------
    DataError
        If no frame says.
    """
    seconds = [
        float(atoms.info["dft_seconds"])
        for atoms in frames
        if "dft_seconds" in atoms.info and ("Polarizability" in atoms.info) == polarizability
    ]
    if not seconds:
        raise DataError(
            "No frame tells what its DFT took",
            expected=f'info["dft_seconds"], with{"" if polarizability else "out"} a polarizability',
            fix='use load_frames("water", "train")',
        )
    return min(seconds)
