"""The overfitting explorer: two sliders for the sigmas, and what becomes of the potential.

Every position of the sliders is a new fit, solved from one K_NM
(`helpers.gap.regularization_path`). Sliders take the keyboard: Tab to reach one, arrow keys to
move it. Where widgets cannot run (a printed notebook, a preview), a figure for a few pairs of
sigmas stands in their place.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from helpers.errors import ConfigError, DataError
from helpers.evaluation import rmse
from helpers.frames import ENERGY_NAME, FORCES_NAME, check_labels, label_arrays
from helpers.gap.config import GapConfig
from helpers.gap.jax.design_matrix import DesignMatrix, design_matrix
from helpers.gap.regularization_path import RegularizationPath, isolated_energies, sigma_family
from helpers.plots.style import as_png
from helpers.sweeps.explorer_figure import SETS, ExplorerFigure, View, two_digits

SIGMA_ENERGY = (-5.0, -1.0)  # powers of ten that the sliders reach
SIGMA_FORCE = (-4.0, 1.0)
STEPS_PER_DECADE = 4  # of a slider
STRETCH_A = np.linspace(0.75, 1.5, 31)  # O–H distances of the stretch


def explore_sigmas(
    model: str | os.PathLike | GapConfig,
    training: Sequence[Atoms],
    validation: Sequence[Atoms],
    *,
    config: GapConfig | None = None,
) -> SigmaExplorer:
    """Prepare the overfitting explorer: all that takes longer than a moment.

    Parameters
    ----------
    model : path or GapConfig
        What a fit made of the training frames; or settings, of which a model is made here.
    training, validation : sequence of ase.Atoms
        Frames with labels. Thirty validation frames are enough to see what happens.
    config : GapConfig, optional
        The settings of the fit, where `model` is a path; by default the default preset.

    Returns
    -------
    SigmaExplorer
        The last line of a notebook cell shows it.

    Raises
    ------
    DataError
        If a frame lacks a label, or the first validation frame holds no O–H bond.
    ConfigError
        If the model was trained on virials.
    ModelFileError
        If the model is damaged.
    """
    if isinstance(model, GapConfig):
        config = model
    config = GapConfig() if config is None else config
    names = config.label_names
    check_labels(validation, *names.values(), source="the validation frames")
    if config.default_sigma[2] > 0:
        raise ConfigError(
            "The explorer solves for energies and forces only",
            found=f"an expected error for virials in default_sigma={config.default_sigma}",
            fix="set its third number to 0 and train the model again",
        )
    family = sigma_family(model, training, sparse_jitter=config.sparse_jitter, **names)
    stretched = stretched_bond(validation[0])
    return SigmaExplorer(
        family=family,
        start=(config.sigma_energy_eV_per_atom, config.sigma_force_eV_per_A),
        _sets={
            "training": _data_set(family, training, **names),
            "validation": _data_set(family, validation, **names),
        },
        _stretch=design_matrix(family.template, stretched).energies,
    )


@dataclass(frozen=True)
class SigmaExplorer:
    """Everything that is needed to see any pair of sigmas at once. Made by `explore_sigmas`.

    Shown as the result of a notebook cell, it is the interactive explorer.
    """

    family: RegularizationPath = field(repr=False)
    start: tuple[float, float]
    _sets: dict[str, _DataSet] = field(repr=False)
    _stretch: np.ndarray = field(repr=False)

    def view(self, sigma_energy_eV_per_atom: float, sigma_force_eV_per_A: float) -> View:
        """Fit with these sigmas and return what the figure shows.

        Raises
        ------
        ConfigError
            If a sigma is not a number above 0.
        """
        weights = self.family.weights(sigma_energy_eV_per_atom, sigma_force_eV_per_A)
        sigmas = 10.0 ** np.linspace(*SIGMA_ENERGY, 13)
        along = self.family.weights_along(sigmas, sigma_force_eV_per_A)
        sets = self._sets.items()
        zero = self._sets["training"].energies.mean()
        energies = self._stretch @ weights
        return View(
            sigma_energy_eV_per_atom=sigma_energy_eV_per_atom,
            sigma_force_eV_per_A=sigma_force_eV_per_A,
            sigmas=sigmas,
            curve={
                name: np.apply_along_axis(rmse, 0, data.energy_errors(along)) for name, data in sets
            },
            rmse_energy={name: rmse(data.energy_errors(weights)) for name, data in sets},
            rmse_forces={name: rmse(data.force_errors(weights)) for name, data in sets},
            true={name: 1000 * (data.energies - zero) for name, data in sets},
            predicted={
                name: data.energy_errors(weights) + 1000 * (data.energies - zero)
                for name, data in sets
            },
            distance_A=STRETCH_A,
            energy_eV=energies - energies.min(),
        )

    def static_figure(self, sigmas: Sequence[tuple[float, float]] | None = None) -> Any:
        """Return a figure with one row of panels for each pair of sigmas.

        Parameters
        ----------
        sigmas : sequence of pairs of float, optional
            Of the energies (eV per atom) and of the forces (eV/Å). By default the smallest of the
            energies, those of the fit, and the largest of the energies.
        """
        force = self.start[1]
        ends = [(10.0**power, force) for power in SIGMA_ENERGY]
        pairs = [ends[0], self.start, ends[1]] if sigmas is None else sigmas
        return ExplorerFigure([self.view(*pair) for pair in pairs], self.view(*self.start)).figure

    def widget(self, sigmas: tuple[float, float] | None = None) -> Any:
        """Return the sliders with their figure, an ipywidgets box.

        Parameters
        ----------
        sigmas : (float, float), optional
            Where the sliders stand at first: sigma of the energies (eV per atom) and of the forces
            (eV/Å). By default those of the fit.

        Raises
        ------
        ImportError
            If ipywidgets is not installed.
        """
        return _make_widget(self, self.start if sigmas is None else sigmas)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Offer the sliders and the static figure: each front end takes what it can show."""
        picture = base64.b64encode(as_png(self.static_figure())).decode()
        bundle = {"text/plain": repr(self), "image/png": picture}
        try:
            bundle |= self.widget()._repr_mimebundle_()
        except ImportError:
            pass
        return bundle


def stretched_bond(atoms: Atoms) -> list[Atoms]:
    """Return copies in which the first oxygen's nearest hydrogen stands at each of `STRETCH_A`."""
    oxygens, hydrogens = (np.flatnonzero(atoms.symbols == symbol) for symbol in "OH")
    if not len(oxygens) or not len(hydrogens):
        raise DataError("There is no O–H bond to stretch", found=str(atoms.symbols))
    vectors = atoms.get_distances(oxygens[0], hydrogens, mic=True, vector=True)
    nearest = int(np.argmin(np.linalg.norm(vectors, axis=1)))
    direction = vectors[nearest] / np.linalg.norm(vectors[nearest])
    copies = []
    for distance in STRETCH_A:
        copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        copy.positions[hydrogens[nearest]] = atoms.positions[oxygens[0]] + distance * direction
        copies.append(copy)
    return copies


def in_words(view: View) -> str:
    """Return the errors of a view in two sentences."""
    energies, forces = (
        ", ".join(f"{name} {two_digits(rmse[name])} {unit}" for name in SETS)
        for rmse, unit in ((view.rmse_energy, "meV/atom"), (view.rmse_forces, "meV/Å"))
    )
    ratio = two_digits(view.rmse_energy["validation"] / view.rmse_energy["training"])
    return f"Energies: {energies}; validation / training {ratio}. Forces: {forces}."


@dataclass(frozen=True)
class _DataSet:
    design: DesignMatrix
    n_atoms: np.ndarray
    energies: np.ndarray  # DFT, eV per atom
    isolated: np.ndarray  # energies of isolated atoms, eV per atom
    forces: np.ndarray  # DFT, eV/Å

    def energy_errors(self, weights: np.ndarray) -> np.ndarray:
        """Return GAP − DFT, meV per atom; one column for each column of `weights`."""
        target = self.energies - self.isolated
        return 1000 * ((self.design.energies @ weights).T / self.n_atoms - target).T

    def force_errors(self, weights: np.ndarray) -> np.ndarray:
        """Return GAP − DFT, meV/Å."""
        return 1000 * (self.design.forces @ weights - self.forces)


def _data_set(
    family: RegularizationPath,
    frames: Sequence[Atoms],
    *,
    energy_name: str = ENERGY_NAME,
    forces_name: str = FORCES_NAME,
) -> _DataSet:
    n_atoms, energies, forces = label_arrays(frames, energy_name, forces_name)
    return _DataSet(
        design=design_matrix(family.template, frames),
        n_atoms=n_atoms,
        energies=energies / n_atoms,
        isolated=isolated_energies(family.template, frames) / n_atoms,
        forces=forces,
    )


def _make_widget(explorer: SigmaExplorer, sigmas: tuple[float, float]) -> Any:
    import ipywidgets

    start = explorer.view(*sigmas)
    figure = ExplorerFigure([start], explorer.view(*explorer.start))
    shared: dict[str, Any] = {"base": 10, "step": 1 / STEPS_PER_DECADE, "readout_format": ".2g"}
    shared["style"] = {"description_width": "12em"}
    shared["layout"] = {"width": "36em"}
    energy = ipywidgets.FloatLogSlider(
        value=sigmas[0],
        min=SIGMA_ENERGY[0],
        max=SIGMA_ENERGY[1],
        description="sigma E, eV/atom",
        **shared,
    )
    force = ipywidgets.FloatLogSlider(
        value=sigmas[1],
        min=SIGMA_FORCE[0],
        max=SIGMA_FORCE[1],
        description="sigma F, eV/Å",
        **shared,
    )
    image = ipywidgets.Image(value=figure.png(), format="png")
    words = ipywidgets.HTML(value=in_words(start))  # for those who cannot see the figure

    def redraw(_: Any) -> None:
        view = explorer.view(energy.value, force.value)
        figure.update([view])
        image.value, words.value = figure.png(), in_words(view)

    for slider in (energy, force):
        slider.observe(redraw, names="value")
    return ipywidgets.VBox([energy, force, words, image])
