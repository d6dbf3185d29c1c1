#!/usr/bin/env python
"""Draw the figure of the README: train the default preset and show how well it does.

make figure
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from helpers import GapConfig, evaluate, fit_gap, load_frames, load_potential
from helpers.plots.parity import plot_energy_parity, plot_force_parity
from helpers.plots.style import style

TARGET = Path(__file__).parents[1] / "docs" / "accuracy.png"


def main() -> None:
    """Train, evaluate, draw."""
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_gap(GapConfig(), output=Path(folder, "gap.xml"), engine="jax")
        potential = load_potential(fit.model_path, engine="jax")
        training = evaluate(potential, load_frames("water", "train", 100))
        validation = evaluate(potential, load_frames("water", "validate"))
    with style():
        figure = Figure(figsize=(11, 5))
        left, right = figure.subplots(1, 2)
        plot_energy_parity({"training": training, "validation": validation}, left)
        plot_force_parity(validation, right, title="Forces, validation frames")
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=110, metadata={"Software": None})
    print(f"{TARGET}: training {training}; validation {validation}")


if __name__ == "__main__":
    main()
