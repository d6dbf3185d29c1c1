"""The report's section on the Raman spectrum."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.raman import plots
from helpers.raman.spectrum import RamanFindings
from helpers.report.sections import ReportTable, ReportView, Section, draw_figure
from helpers.water import LITERATURE_PER_CM

HIGHEST_PER_CM = 4200


def raman_section(findings: RamanFindings) -> Section:
    """Return the section: spectra, bands beside the measured ones, and what it took."""
    runs = findings.runs
    length_ps = sum(run.times_fs[-1] for run in runs) / 1000
    bands = findings.bands
    n_polarizabilities = findings.polarizabilities[..., 0, 0].size
    peak = findings.spectrum.iloc[int(findings.spectrum["VV"].argmax())]
    figures = (
        draw_figure(
            "Light polarized as the laser (VV) and across it (VH)."
            if bands is None
            else "Light polarized as the laser (VV) and across it (VH); dotted: bands as measured "
            "(Brooker and others 1989; Carey, Korenowski 1998), H bonds and libration very broad.",
            "Raman spectrum, VV and VH" if bands is None else "Raman spectrum of water, VV and VH",
            plots.plot_raman,
            findings.spectrum,
            **(
                {"title": "Raman spectrum"}
                if bands is None
                else {"literature_per_cm": LITERATURE_PER_CM}
            ),
        ),
        draw_figure(
            "A vibration that does not change the polarizability scatters no light.",
            "Raman spectra and density of states",
            plots.plot_raman_and_vibrations,
            findings.spectrum,
            findings.vibrations,
        ),
    )
    return Section(
        name="raman",
        order=60,
        title="Raman spectrum by machine learning alone",
        headline=(
            (f"{length_ps:.0f} ps", "of dynamics by the potential"),
            (f"{n_polarizabilities}", "polarizabilities by the model"),
            (f"{sum(findings.seconds.values()):.0f} s", "for both, wall time"),
            *(
                ()
                if bands is None
                else ((_wavenumber(bands.set_index("band")["VV"]["stretch"]), "O–H stretch, VV"),)
            ),
        ),
        paragraphs=(
            *([_phases(findings)] if findings.phases else []),
            "The power spectrum of the polarizability along molecular dynamics, times "
            "(ν_laser − ν)⁴ (532 nm), and times x/(1 − exp(−x)), x = hν/kT: the quantum correction "
            "of classical amplitudes that is exact for harmonic vibrations. The orientations of "
            "molecules are taken to be random, as in a liquid, a gas or a powder. "
            + _caution(bands is None),
            f"Shaded: standard error from blocks of {len(runs)} runs. At the highest point of VV "
            f"it is {100 * peak['VV_error'] / peak['VV']:.0f} %; the uncertainty of the model of "
            f"polarizabilities adds {100 * peak['VV_model'] / peak['VV']:.0f} %. The latter is the "
            "spread of the spectra of eight posterior samples of the model, each relative to its "
            "own integral, and is itself known to about a quarter.",
        ),
        views=(_spectrum_view(findings.spectrum),),
        figures=figures,
        tables=()
        if bands is None
        else (ReportTable(bands, "Highest points of bands, cm⁻¹", "{:.0f}"),),
    )


def _caution(general: bool) -> str:
    if general:
        return (
            "With classical nuclei, stretches of light atoms lie too high, because the anharmonic "
            "zero-point motion that would lower them is missing."
        )
    return (
        "With classical nuclei the stretch lies too high, because the anharmonic zero-point motion "
        "that would lower it is missing; GGAs such as revPBE make it too low. Agreement with "
        "experiment is partly an accident, therefore: compare with DFT first."
    )


def _phases(findings: RamanFindings) -> str:
    verdicts = [phase.verdict for phase in findings.phases]
    if len(set(verdicts)) == 1:
        return f"Of all {len(verdicts)} runs the first may stand. {findings.phases[0].sentence}"
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in sorted(set(verdicts)))
    return f"The {len(verdicts)} runs are not all of one phase: {counts}. The spectrum mixes them."


def _wavenumber(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0f} cm⁻¹"


def _spectrum_view(spectrum: pd.DataFrame) -> ReportView:
    """Return the spectrum as a curve that can be enlarged and read point by point."""
    import chemiscope

    shown = spectrum[spectrum["wavenumber_per_cm"] <= HIGHEST_PER_CM]
    names = {"wavenumber_per_cm": ("wavenumber", 1.0, "cm⁻¹")}
    names |= {
        part: (part, 1000.0, "per 1000 cm⁻¹") for part in ("VV", "VH", "isotropic", "anisotropic")
    }
    properties = {
        name: {"target": "structure", "values": factor * shown[column].to_numpy(), "units": unit}
        for column, (name, factor, unit) in names.items()
    }
    axes = {"x": {"property": "wavenumber"}, "y": {"property": "VV"}, "joinPoints": True}
    return ReportView(
        chemiscope.create_input(
            properties=properties,
            settings={"map": {**axes, "color": {"property": ""}, "size": {"factor": 15}}},
        ),
        "map",
        "The same spectrum to look at closely: drag to enlarge a part, point at the curve to read "
        "its numbers; the menu offers VH and the other parts.",
    )
