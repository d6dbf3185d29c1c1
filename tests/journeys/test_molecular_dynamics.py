"""The potential that ships for dynamics as a force field for water: stable, right, and honest.

Short forms of what `benchmarks/molecular_dynamics.py` proves with ten times 10 ps.
"""

from __future__ import annotations

import numpy as np
import pytest

from helpers import load_frames, load_potential, run_nve
from helpers.frames import data_folder
from helpers.md import (
    band_maximum_per_cm,
    energy_drift,
    energy_fluctuation_meV_per_atom,
    first_peak_A,
    radial_distributions,
    run_replicas,
    vibrational_density_of_states,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("md")]
QUIET = {"progress": False}


@pytest.fixture(scope="session")
def potential():
    return load_potential(data_folder() / "stored" / "gap.xml", engine="jax")


@pytest.fixture(scope="session")  # most of a minute: once
def runs(potential):
    """Ten validation snapshots, half a picosecond each at constant energy."""
    starts = load_frames("water", "validate")[:10]
    return run_replicas(potential, starts, seeds=range(10), steps=1000, **QUIET)


def test_energy_is_conserved_from_ten_snapshots(runs):
    assert [run.stopped for run in runs.runs] == [""] * 10
    # Each drift of a run this short has an error of about 0.05 meV/atom/ps.
    for run in runs.runs:
        assert abs(energy_drift(run.after(50)).value) <= 1
    assert abs(np.mean([energy_drift(run.after(50)).value for run in runs.runs])) < 0.1


def test_structure_is_that_of_the_dft_frames(runs):
    frames = [atoms for run in runs.runs for atoms in run.after(200).frames(5)]
    mine = radial_distributions(frames)
    theirs = radial_distributions(load_frames("water", "train") + load_frames("water", "validate"))
    assert first_peak_A(mine) == pytest.approx(first_peak_A(theirs), abs=0.05)


def test_molecules_stretch_and_bend(runs):
    spectra = [vibrational_density_of_states(run, resolution_per_cm=75) for run in runs.runs]
    mean = sum(spectra) / len(spectra)
    assert band_maximum_per_cm(mean, "bend") == pytest.approx(1640, abs=80)
    assert band_maximum_per_cm(mean, "stretch") == pytest.approx(3500, abs=150)
    lines = mean["wavenumber_per_cm"]
    gap = mean["all"][(lines > 2000) & (lines < 2700)].max()
    band = mean["all"][(lines > 2800) & (lines < 3800)].max()
    assert gap < 0.1 * band  # between the bands there is nothing


def test_what_scatters_light_is_where_water_scatters_it(runs):
    """A Raman spectrum by machine learning alone: dynamics by one model, tensors by another."""
    from helpers import SymmetryAdaptedKernelRidge, raman_spectrum
    from helpers.sagpr import labeled_frames

    frames, tensors, _ = labeled_frames()
    model = SymmetryAdaptedKernelRidge().fit(frames, tensors)
    along = [model.predict(run.after(50).frames()) for run in runs.runs]
    spectrum = raman_spectrum(along, runs[0].interval_fs, resolution_per_cm=160)
    assert band_maximum_per_cm(spectrum, "stretch", "VV") == pytest.approx(3400, abs=200)
    lines = spectrum.set_index("wavenumber_per_cm")
    gap, bend = (lines["VH"].loc[low:high].max() for low, high in ((2100, 2600), (1500, 1800)))
    stretch = lines.loc[2900:3700, ["VV", "VH"]].max()
    assert gap < bend < stretch["VH"]  # the bend scatters little, and mostly across
    assert stretch["VH"] < 0.5 * stretch["VV"]  # the stretch is polarized


def test_the_bath_sets_the_temperature(potential):
    starts = load_frames("water", "validate")[:10]
    settings = {"thermostat": "langevin", "relaxation_fs": 20, **QUIET}
    warm = run_replicas(potential, starts, seeds=range(10), steps=600, **settings)
    temperatures = np.array([run.after(100).temperature_K for run in warm.runs])
    means = temperatures.mean(1)
    error = means.std(ddof=1) / np.sqrt(10)
    assert abs(means.mean() - 300) <= 2 * error and error < 5
    assert temperatures.std() / means.mean() == pytest.approx(np.sqrt(2 / 144), rel=0.15)


def test_the_error_of_the_energy_falls_as_the_square_of_the_time_step(potential):
    errors = []
    for timestep_fs in (0.25, 0.5, 1.0):
        steps = round(150 / timestep_fs)
        settings = {"timestep_fs": timestep_fs, "record_every": 1, "engine": "ase", **QUIET}
        run = run_nve(potential, 1, steps=steps, **settings).after(20)
        errors.append(energy_fluctuation_meV_per_atom(run))
    powers = np.diff(np.log2(errors))
    assert powers == pytest.approx([2, 2], abs=0.25)


def test_the_potential_is_as_sure_along_the_run_as_on_dft_frames(potential, runs):
    from helpers.md import training_uncertainty, uncertainty_along

    usual = training_uncertainty(load_frames("water", "train", 200)[:2], potential)
    assert uncertainty_along(runs[0], potential, 2)["largest_meV"].max() < 1.3 * usual
