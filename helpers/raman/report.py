"""The report's section on the Raman spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from helpers.md.trajectory import Trajectory
from helpers.raman import plots
from helpers.report.sections import ReportTable, Section, draw_figure
from helpers.water import LITERATURE_PER_CM


@dataclass(frozen=True)
class RamanFindings:
    """What is to be said about a spectrum.

    Attributes
    ----------
    runs : tuple of Trajectory
    polarizabilities : ndarray of shape (n_runs, n_times, 3, 3), Å³
    spectrum : DataFrame
        Of `spectra.raman_spectrum`, with ``VV_model`` and others: the standard deviation that the
        model of polarizabilities adds.
    vibrations : DataFrame
        Of `spectra.vibrational_density_of_states`.
    bands : DataFrame
        Where bands are highest, 1/cm, in the spectra and as measured.
    seconds : dict of str to float
        What dynamics and polarizabilities took, on the clock.
    """

    runs: tuple[Trajectory, ...] = field(repr=False)
    polarizabilities: np.ndarray = field(repr=False)
    spectrum: pd.DataFrame = field(repr=False)
    vibrations: pd.DataFrame = field(repr=False)
    bands: pd.DataFrame
    seconds: dict[str, float]


def raman_section(found: RamanFindings) -> Section:
    """Return the section: spectra, bands beside the measured ones, and what it took."""
    runs = found.runs
    length_ps = sum(run.times_fs[-1] for run in runs) / 1000
    bands = found.bands.set_index("band")
    n = found.polarizabilities[..., 0, 0].size
    peak = found.spectrum.iloc[int(found.spectrum["VV"].argmax())]
    figures = (
        draw_figure(
            "Light polarized as the laser (VV) and across it (VH); dotted: bands as measured "
            "(Brooker and others 1989; Carey, Korenowski 1998), H bonds and libration very broad.",
            "Raman spectrum of water, VV and VH",
            plots.plot_raman,
            found.spectrum,
            literature_per_cm=LITERATURE_PER_CM,
        ),
        draw_figure(
            "A vibration that does not change the polarizability scatters no light.",
            "Raman spectra and density of states",
            plots.plot_raman_and_vibrations,
            found.spectrum,
            found.vibrations,
        ),
    )
    return Section(
        name="raman",
        order=60,
        title="Raman spectrum by machine learning alone",
        headline=(
            (f"{length_ps:.0f} ps", "of dynamics by the potential"),
            (f"{n}", "polarizabilities by the model"),
            (f"{sum(found.seconds.values()):.0f} s", "for both, on the clock"),
            (_wavenumber(bands["VV"]["stretch"]), "O–H stretch, VV"),
        ),
        paragraphs=(
            "The power spectrum of the polarizability along molecular dynamics, times "
            "(ν_laser − ν)⁴ (532 nm), and times x/(1 − exp(−x)), x = hν/kT: the quantum correction "
            "of classical amplitudes that is exact for harmonic vibrations. Classical nuclei leave "
            "the stretch too high by what anharmonic zero-point motion would lower it, and PBE "
            "too low, so agreement with experiment is partly luck; compare with DFT first.",
            f"Shaded: standard error from blocks of {len(runs)} runs. At the highest point of VV "
            f"it is {100 * peak['VV_error'] / peak['VV']:.0f} %; the uncertainty of the model of "
            f"polarizabilities adds {100 * peak['VV_model'] / peak['VV']:.0f} %, which is known to "
            "a quarter of itself: it is the spread of the spectra of eight samples of the model, "
            "each relative to its own total.",
        ),
        figures=figures,
        tables=(ReportTable(found.bands, "Highest points of bands, cm⁻¹", "{:.0f}"),),
    )


def _wavenumber(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0f} cm⁻¹"
