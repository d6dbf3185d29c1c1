# %% [markdown]
# # 07 · A Raman spectrum, by machine learning alone
#
# **You will learn**
#
# - to combine two models: one for the motion of the atoms, one for their polarizability;
# - what an autocorrelation is, and how a spectrum is computed from it;
# - to read a Raman spectrum of water: bands, polarization, error bars;
# - to say how reliable such a spectrum is.
#
# **Time:** 60 minutes, of which the computer needs about one.
#
# **Before you start:** lessons 05 (dynamics) and 06 (polarizabilities).

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import SymmetryAdaptedKernelRidge, load_frames, raman_spectrum, run_nve
from helpers.frames import data_folder
from helpers.md import PER_CM_PER_FS, band_maximum_per_cm, recorded_dft_seconds
from helpers.plots import BLACK, BLUE, ORANGE, PURPLE, RED, style, with_alt_text
from helpers.sagpr import read_tensors

warnings.filterwarnings("ignore")

STORED = data_folder() / "stored"
MODEL = STORED / "gap.xml"  # stored result: a potential trained on 200 frames
START = load_frames("water", "validate")[0]

# %% [markdown]
# ## Theory in one paragraph
#
# Light with a field $\mathbf E(t)$ makes a dipole $\boldsymbol\alpha(t) \, \mathbf E(t)$. While the atoms
# vibrate, the polarizability $\boldsymbol\alpha$ (Å³) vibrates with them, and the scattered light
# carries their frequencies. With $\boldsymbol\alpha = a \mathbf 1 + \boldsymbol\beta$, where $a$ is a
# third of the trace and $\boldsymbol\beta$ what is left, the intensity at the angular frequency $\omega$ is
#
# $$I_{\text{iso}}(\omega) \propto \int \langle a(0) \, a(t) \rangle \, e^{-i \omega t} \, dt, \qquad
# I_{\text{aniso}}(\omega) \propto \int \langle \operatorname{Tr} \boldsymbol\beta(0) \boldsymbol\beta(t)
# \rangle \, e^{-i \omega t} \, dt$$
#
# With polarized light one measures $I_{VV} = I_{\text{iso}} + \tfrac{2}{15} I_{\text{aniso}}$ (scattered
# light polarized as the laser) and $I_{VH} = \tfrac{1}{10} I_{\text{aniso}}$ (across it). Both are
# multiplied by $(\nu_{\text{laser}} - \nu)^4$ from the theory of scattering, and by $x / (1 - e^{-x})$ with
# $x = h c \nu / k_B T$, which corrects for classical nuclei (it is exact for harmonic vibrations).
# Here $\nu$ is a wavenumber, in cm⁻¹: $\omega = 2 \pi c \nu$ with the speed of light $c$ in cm/s.

# %% [markdown]
# ## Exercise 3 (5): polarizabilities of a trajectory (4 points)
#
# *Why:* a spectrum needs thousands of polarizabilities, and DFT takes its time for each.
#
# **Do.** Train the model of lesson 06 on all 200 frames that have a polarizability, run 2 ps at constant
# energy, and predict the polarizability of every frame of the run. Keep
#
# - `model`: a fitted `SymmetryAdaptedKernelRidge()`;
# - `run`: what `run_nve(MODEL, START, steps=4000, record_every=4, seed=1)` returns (a frame every 2 fs);
# - `alphas` (array of shape (1001, 3, 3), Å³): the predictions for `run.frames()`.

# %% nbgrader={"grade": false, "grade_id": "ex3-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# model = …
# run = …
# alphas = …
### BEGIN SOLUTION
frames = load_frames("water", "train", 200)
model = SymmetryAdaptedKernelRidge()
model.fit(frames, read_tensors(frames), groups=[atoms.info["trajectory"] for atoms in frames])
run = run_nve(MODEL, START, steps=4000, record_every=4, seed=1)
alphas = model.predict(run.frames(), progress=True)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    f"{len(alphas)} polarizabilities, one every {run.interval_fs:g} fs; run: {run.stopped or 'stable'}"
)
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
for name, color in (("xx", BLUE), ("yy", ORANGE), ("xy", PURPLE)):
    series = alphas[:, "xyz".index(name[0]), "xyz".index(name[1])]
    left.plot(run.times_fs / 1000, series - series.mean(), color=color, lw=1, label=name)
    right.plot(run.times_fs[:101], (series - series.mean())[:101], color=color, label=name)
left.set(title="Polarizability along the run", xlabel="time, ps", ylabel="change, Å³")
right.set(title="The first 200 fs", xlabel="time, fs", ylabel="change, Å³")
right.legend()
with_alt_text(
    figure,
    "xx, yy and xy of the polarizability against time, from their means: slow changes over a good part "
    "of a picosecond, and on top of them, in the first 200 fs on the right, quick ones with a period of "
    f"about 10 fs. Standard deviation of xx: {alphas[:, 0, 0].std():.2f} Å³.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the run, two for its polarizabilities.
assert len(alphas) == len(run.times_fs), "One polarizability for each frame of the run."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames
from helpers.sagpr import read_tensors as _read_tensors

_run = not run.stopped and run.thermostat == "none" and float(run.interval_fs) <= 4.0
_run = _run and float(run.times_fs[-1]) >= 1999
if not _run:
    print("Expected a stable run of 2 ps at constant energy with a record every 4 fs at most.")
_few = run.frames()[:: max(1, len(run.times_fs) // 5)]
_again = _np.asarray(model.predict(_few))
_taken = _np.asarray(alphas, float)[:: max(1, len(run.times_fs) // 5)]
_same = _taken.shape == _again.shape and _np.allclose(_taken, _again, atol=1e-6)
# Is it a model of this water? Frames that it learned from come out nearly right.
_known = _load_frames("water", "train", 50)[:20]
_off = _np.asarray(model.predict(_known)) - _read_tensors(_known)
_knows = float(_np.sqrt(_np.mean(_off**2))) < 0.15
if not (_same and _knows):
    print(
        "alphas should be what your model predicts for run.frames(), and the model should be fitted "
        f"to the DFT polarizabilities (off by {float(_np.sqrt(_np.mean(_off**2))):.2f} Å³ on known frames)."
    )
float(2.0 * _run + 1.0 * _same + 1.0 * _knows)
### END HIDDEN TESTS

# %% tags=["discussion"]
with_it = recorded_dft_seconds(load_frames("water", "train"), polarizability=True)
without = recorded_dft_seconds(load_frames("water", "train"))
left_out = model.loo_errors_.set_index("component")["percent"]
Markdown(
    f"**Discussion.** One such frame took {with_it:.0f} s of DFT, {with_it - without:.0f} s of them for the "
    f"polarizability (one core), so that {len(alphas)} of them are "
    f"{len(alphas) * with_it / 3600:.0f} hours. The prediction took seconds. But note what "
    "it rests on: every frame of the run has to be of the kind that the model was trained on, and where "
    f"frames are left out, the error of the trace is {left_out['λ=0']:.0f} % of its spread, that of λ = 2 "
    f"{left_out['λ=2']:.0f} %."
)

# %% [markdown]
# ## Exercise 3 (6): an autocorrelation by hand (3 points)
#
# *Why:* every spectrum of a simulation is computed from an autocorrelation.
#
# **Do.** Write a function `autocorrelation(series, n_lags)`: for an array of shape (n_times,) it returns an
# array $C$ of length `n_lags` with $C_k = \langle \delta a(t) \, \delta a(t + k) \rangle$, the mean over all
# times $t$ that have a partner $k$ records later, where $\delta a$ is the deviation from the mean
# of the whole series. Not normalized: $C_0$ is the variance. Then compute `C` for the isotropic part
# of your run (a third of the trace), 150 lags.


# %% nbgrader={"grade": false, "grade_id": "ex3-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def autocorrelation(series, n_lags): …
# C = …
### BEGIN SOLUTION
def autocorrelation(series, n_lags):
    """Return the mean of δa(t) δa(t + k) for k = 0 … n_lags − 1."""
    deviation = np.asarray(series) - np.mean(series)
    n = len(deviation)
    return np.array([np.mean(deviation[: n - k] * deviation[k:]) for k in range(n_lags)])


C = autocorrelation(np.trace(alphas, axis1=1, axis2=2) / 3, 150)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    "a cosine with a period of 10 records:",
    autocorrelation(np.cos(np.arange(1000) * 0.2 * np.pi), 11).round(2),
)
with style():
    figure, ax = plt.subplots()
ax.plot(run.interval_fs * np.arange(len(C)), C / C[0], color=BLUE)
ax.axhline(0, color=BLACK, lw=0.5)
ax.set(
    title="Autocorrelation of the isotropic polarizability",
    xlabel="time lag, fs",
    ylabel="autocorrelation / variance",
)
with_alt_text(
    figure,
    "The autocorrelation of the isotropic polarizability starts at 1, oscillates with a period of about "
    f"10 fs, and decays; after {run.interval_fs * (len(C) - 1):g} fs it is {C[-1] / C[0]:.2f}.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-6", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the function, one for the isotropic autocorrelation of the run.
assert callable(autocorrelation) and len(C) >= 100, "A function, and at least 100 lags."
### BEGIN HIDDEN TESTS
import numpy as _np


def _direct(series, n_lags):
    x = _np.asarray(series, float) - _np.mean(series)
    return _np.array([_np.mean(x[: len(x) - k] * x[k:]) for k in range(n_lags)])


_rng = _np.random.default_rng(3)
_walk = _np.cumsum(_rng.normal(size=400)) * 0.1 + 5
_want, _got = _direct(_walk, 40), _np.asarray(autocorrelation(_walk, 40), float)
assert _got.shape == (40,), f"autocorrelation(series, 40) has shape {_got.shape} instead of (40,)."
# Dividing by all n times in place of the n − k pairs, or normalizing, is a good part of the way.
_exact = _np.allclose(_got, _want, rtol=1e-6, atol=1e-9)
_shares = (400 - _np.arange(40)) / 400
_nearly = _np.allclose(_got, _want * _shares, rtol=1e-6) or _np.allclose(
    _got, _want / _want[0], rtol=1e-6
)
if not _exact:
    print(
        "Check on a short series by hand: subtract the mean; average over n − k pairs; C[0] = variance."
    )
_iso = _np.trace(_np.asarray(alphas, float), axis1=1, axis2=2)
_wanted = _direct(_iso, len(C))
_shape = _np.corrcoef(_np.asarray(C, float), _wanted)[0, 1] > 0.99
_unit = any(abs(float(C[0]) * f / _wanted[0] - 1) < 0.01 for f in (9.0,)) or not _exact
if not (_shape and _unit):
    print("C should be the autocorrelation of a third of the trace of alphas.")
float(2.0 * _exact + 1.0 * (_nearly and not _exact) + 1.0 * (_shape and _unit))
### END HIDDEN TESTS

# %% tags=["discussion"]
power = np.abs(np.fft.rfft(np.concatenate([C, C[:0:-1]])))
wavenumbers = PER_CM_PER_FS * np.fft.rfftfreq(2 * len(C) - 1, run.interval_fs)
above = wavenumbers > 2500
Markdown(
    "**Discussion.** The quick oscillation is the O–H stretch: the Fourier transform of `C` has its "
    f"highest point above 2500 cm⁻¹ at {wavenumbers[above][power[above].argmax()]:.0f} cm⁻¹, a "
    f"period of {PER_CM_PER_FS / wavenumbers[above][power[above].argmax()]:.1f} fs. The slow decay is the "
    "motion of whole molecules. That the last values are not zero is chance: 2 ps hold few "
    "independent stretches of such a length."
)

# %% [markdown]
# ## Exercise 3 (7): the spectrum (4 points)
#
# *Why:* this is what a spectroscopist would compare with an experiment.
#
# Two picoseconds are too short for a good spectrum. **Stored result:** polarizabilities along 20 ps, made
# in the same way (`python tools/store_results.py trajectory`), with a bath of 300 K that acts so slowly that
# it leaves the vibrations alone. The next cell prints the temperature that the run had in the mean.
#
# **Do.** Compute the spectrum of `stored_alphas` with
# `raman_spectrum(…, interval_fs, temperature_K=temperature_K)` and keep it as `spectrum`; then, from its
# column `VV`, the wavenumbers of the highest point of the O–H stretch (between 2800 and 4000 cm⁻¹) and of the
# H–O–H bend (between 1400 and 1900 cm⁻¹): `stretch_per_cm` and `bend_per_cm` (float). Last, `depolarization`
# (float): VH divided by VV at the highest point of the stretch.

# %%
with np.load(STORED / "polarizabilities.npz") as stored:
    stored_alphas = stored["polarizability_A3"].astype(float)
    interval_fs = float(np.diff(stored["times_fs"])[0])
    kelvin = stored["temperature_K"].astype(float)
temperature_K = float(kelvin.mean())
print(f"{len(stored_alphas)} tensors, one every {interval_fs:g} fs; mean of {temperature_K:.0f} K")
known = np.trace(read_tensors(load_frames("water", "train", 200)), axis1=1, axis2=2) / 3
along = np.trace(stored_alphas, axis1=1, axis2=2) / 3
print(f"a third of the trace: DFT frames {known.mean():.2f} ± {known.std():.2f} Å³")
for part, name in ((along[:1000], "the first 2 ps"), (along[-5000:], "the last 10 ps")):
    print(f"{name} of the run: {part.mean():.2f} ± {part.std():.2f} Å³")

# %% nbgrader={"grade": false, "grade_id": "ex3-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spectrum = …
# stretch_per_cm = …
# bend_per_cm = …
# depolarization = …
### BEGIN SOLUTION
spectrum = raman_spectrum(stored_alphas, interval_fs, temperature_K=temperature_K)
indexed = spectrum.set_index("wavenumber_per_cm")
stretch_per_cm = float(indexed["VV"].loc[2800:4000].idxmax())
bend_per_cm = float(indexed["VV"].loc[1400:1900].idxmax())
depolarization = float(indexed["VH"][stretch_per_cm] / indexed["VV"][stretch_per_cm])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-7-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
vibrations = pd.read_csv(STORED / "vibrations.csv")  # stored result: of the same run
print(
    f"stretch {stretch_per_cm:.0f}, bend {bend_per_cm:.0f} cm⁻¹; VH/VV at the stretch {depolarization:.2f}"
)
with style():
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 7.5), sharex=True)
for name, color in (("VV", BLUE), ("VH", ORANGE)):
    nu, height, error = (spectrum[c] for c in ("wavenumber_per_cm", name, f"{name}_error"))
    top.plot(nu, 1000 * height, color=color, label=name)
    top.fill_between(
        nu, 1000 * (height - error), 1000 * (height + error), color=color, alpha=0.25, lw=0
    )
top.set(title="Raman (stored 20 ps)", ylabel="intensity, 10⁻³ cm", ylim=(0, None))
visible = spectrum["wavenumber_per_cm"] > 1200
top.set_ylim(0, 1.3e3 * spectrum["VV"][visible].max())
top.legend(loc="upper left")
bottom.plot(vibrations["wavenumber_per_cm"], 1000 * vibrations["all"], color=BLACK)
bottom.set(
    title="Vibrational density of states, same run", xlabel="wavenumber, cm⁻¹", ylabel="10⁻³ cm"
)
bottom.set(xlim=(0, 4200), ylim=(0, None))
for panel in (top, bottom):
    for place in (stretch_per_cm, bend_per_cm):
        panel.axvline(place, color=RED, lw=1, ls=":")
with_alt_text(
    figure,
    f"Top: Raman intensity VV and VH with error bands; a strong stretch band near {stretch_per_cm:.0f} cm⁻¹, "
    f"where VH is {depolarization:.2f} of VV, and a weak bend near {bend_per_cm:.0f}. Below: the "
    "vibrational density of states of the same run, where the bend is as high as the stretch.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-7", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point each: the spectrum, the stretch, the bend, the depolarization.
assert {"wavenumber_per_cm", "VV", "VH"} <= set(spectrum.columns), "spectrum: a Raman spectrum."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import raman_spectrum as _raman_spectrum
from helpers.frames import data_folder as _data_folder

with _np.load(_data_folder() / "stored" / "polarizabilities.npz") as _stored:
    _tensors, _times, _kelvin = (
        _stored[name].astype(float) for name in ("polarizability_A3", "times_fs", "temperature_K")
    )
_want = _raman_spectrum(_tensors, float(_times[1] - _times[0]), temperature_K=float(_kelvin.mean()))
_grid = _want["wavenumber_per_cm"].to_numpy()
_shown = _np.interp(_grid, spectrum["wavenumber_per_cm"], spectrum["VV"])
_middle = (_grid > 500) & (_grid < 4000)
_alike = float(_np.corrcoef(_shown[_middle], _want["VV"][_middle])[0, 1]) > 0.9
# Maxima are read off the student's own spectrum, whose grid may be another, if it is a right one.
_read = (spectrum if _alike else _want).set_index("wavenumber_per_cm")
_stretch = abs(float(_read["VV"].loc[2800:4000].idxmax()) - float(stretch_per_cm)) < 5
_bend = abs(float(_read["VV"].loc[1400:1900].idxmax()) - float(bend_per_cm)) < 5
_there = _read.iloc[int(_np.abs(_read.index - float(stretch_per_cm)).argmin())]
_ratio = abs(float(depolarization) / float(_there["VH"] / _there["VV"]) - 1) < 0.03
if not (_alike and _stretch and _bend and _ratio):
    print(
        f"spectrum {_alike}, stretch {_stretch}, bend {_bend}, depolarization {_ratio}. Look for the "
        "highest VV within each band; depolarization is VH/VV there."
    )
float(_alike) + float(_stretch) + float(_bend) + float(_ratio)
### END HIDDEN TESTS

# %% tags=["discussion"]
halves = [part.mean() for part in np.array_split(kelvin, 2)]
wide = np.diff(indexed.index).mean()
cold = raman_spectrum(stored_alphas, interval_fs).set_index("wavenumber_per_cm")["VV"]
Markdown(
    f"**Discussion.** The stretch at {stretch_per_cm:.0f} cm⁻¹ is "
    f"{indexed['VV'][stretch_per_cm] / indexed['VV'][bend_per_cm]:.0f} times as high as the bend at "
    f"{bend_per_cm:.0f} cm⁻¹; the points lie {wide:.0f} cm⁻¹ apart, so that no maximum is known better than "
    f"that. The run was {temperature_K - 300:.0f} K warmer than its bath: {halves[0]:.0f} K in the first "
    f"half, {halves[1]:.0f} K in the second. Few atoms fluctuate. And the box relaxes slowly, which is "
    "a likely cause, too: while its structure settles, energy of its bonds becomes heat, faster than so "
    "gentle a bath takes it away. The correction for classical nuclei asks for the temperature that the atoms had; "
    "with 300 K the height of the stretch would change by "
    f"{cold[stretch_per_cm] / indexed['VV'][stretch_per_cm] - 1:+.1%}."
)

# %% [markdown]
# **Comparison with experiment.** Raman bands of liquid water at room temperature, as measured (Carey, Korenowski,
# *J. Chem. Phys.* **108**, 2669 (1998)): O–H stretch, a broad band from about 3000 to 3700 cm⁻¹ with two
# humps near 3250 and 3420; bend near 1640, weak; librations below 1000.

# %% [markdown]
# ## Exercise 3 (8): how reliable is it? (5 points)
#
# *Why:* a spectrum is useful only if its errors are known.
#
# **Question** (3 points, marked by hand). How do the positions of your bands compare with the experiment,
# and why may they differ? Name at least two reasons, and say of each whether machine learning is to blame.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-8a", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Bend and stretch come out near experiment; that the bend is weak and the stretch strong and broad is
# right. Reasons why they may differ: (1) the density functional: a GGA such as revPBE makes O–H
# bonds too soft, which lowers the stretch; the models can only be as good as their labels. (2) Classical
# nuclei: hydrogen has a zero-point energy that softens the anharmonic stretch; a classical run is
# missing that, which raises the frequency. These two errors cancel in part, so that the agreement is no
# proof. (3) A box of 16 molecules and 20 ps: noise, and no long
# waves. (4) Errors of the potential, and of the polarizability: these two are from machine learning, and can be
# measured against DFT on validation frames, but only for the kind of structure that those frames hold.
#
# === BEGIN MARK SCHEME ===
# - 1 point: compares numbers of both bands with the experiment.
# - 1 point: a reason that is not machine learning's (functional, classical nuclei, box, length).
# - 1 point: a second reason, with a correct judgment on whether machine learning is to blame.
# === END MARK SCHEME ===

# %% [markdown]
# **Question** (2 points, marked by hand). The bend is strong in the density of states and weak in the
# Raman spectrum; the stretch is strong in VV and weak in VH. What does each of these facts mean?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-8b", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The density of states counts all motion of atoms. In the Raman spectrum a motion counts only as far as it
# changes the polarizability: bending the molecule hardly does, stretching a bond does a lot.
# VH contains only the anisotropic part. The stretch of O–H bonds changes mostly the size (the trace) of
# the polarizability, so that scattered light keeps the polarization of the laser: VH is weak.
#
# === BEGIN MARK SCHEME ===
# - 1 point: Raman needs a change of the polarizability; the bend changes it little.
# - 1 point: weak VH = polarized band = a symmetric motion that changes the trace.
# === END MARK SCHEME ===

# %% tags=["discussion"]
noise = float(
    (spectrum["VV_error"] / spectrum["VV"])[
        spectrum["wavenumber_per_cm"].between(2800, 4000)
    ].median()
)
Markdown(
    f"**Discussion.** The stretch is found at {stretch_per_cm:.0f} cm⁻¹ in the Raman spectrum and at "
    f"{band_maximum_per_cm(vibrations, 'stretch'):.0f} in the density of states, the bend at "
    f"{bend_per_cm:.0f} and {band_maximum_per_cm(vibrations, 'bend'):.0f}. The error band is about "
    f"{100 * noise:.0f} % of the height of the stretch, so that humps lower than this mean nothing. "
    "Look at the trace, too: in the last 10 ps it lies "
    f"{(along[-5000:].mean() - known.mean()) / known.std():.1f} standard deviations from that of the DFT "
    "frames. If it lay far above or below, the run would have found structures that the frames do not "
    "hold, and both models would extrapolate. Before such a spectrum is published, some frames "
    "of the long run have to be computed with DFT, too. "
    "The whole spectrum was computed from 200 DFT frames; the only experimental input is the density."
)

# %% [markdown]
# ## Exercise 3 (more): window and resolution (optional)
#
# *Why:* with enough smoothing, any spectrum looks convincing.
#
# Compute the spectrum of `stored_alphas` with `resolution_per_cm` 15, 30 and 100, and keep the three as
# `spectra`, a dict. Which humps survive? Count them in `humps`, a dict, too: for each resolution how many points of
# `VV` between 2800 and 4000 cm⁻¹ are higher than both their neighbors there.

# %% nbgrader={"grade": false, "grade_id": "ex7-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spectra = …
# humps = …
### BEGIN SOLUTION
spectra = {
    resolution: raman_spectrum(
        stored_alphas, interval_fs, temperature_K=temperature_K, resolution_per_cm=resolution
    )
    for resolution in (15, 30, 100)
}
humps = {}
for resolution, one in spectra.items():
    band = one["VV"][one["wavenumber_per_cm"].between(2800, 4000)].to_numpy()
    humps[resolution] = int(np.sum((band[1:-1] > band[:-2]) & (band[1:-1] > band[2:])))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex7-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    "humps: " + ", ".join(f"{number} at {resolution} cm⁻¹" for resolution, number in humps.items())
)
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
for (resolution, one), color in zip(spectra.items(), (ORANGE, BLUE, BLACK), strict=False):
    chosen = one[one["wavenumber_per_cm"].between(2600, 4100)]
    ax.plot(
        chosen["wavenumber_per_cm"], 1000 * chosen["VV"], color=color, label=f"{resolution} cm⁻¹"
    )
ax.set(title="O–H stretch, three resolutions", xlabel="wavenumber, cm⁻¹", ylabel="VV, 10⁻³ cm")
ax.legend()
with_alt_text(
    figure,
    "The stretch band of the VV spectrum with three resolutions: with the finest it is ragged, with the "
    "coarsest a smooth hump.",
)

# %% nbgrader={"grade": true, "grade_id": "test7-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: spectra with three resolutions, and how many humps each of them has.
assert set(spectra) == set(humps) == {15, 30, 100}, "Keys 15, 30 and 100."
### BEGIN HIDDEN TESTS
for _name, _one in spectra.items():
    _nu = _one["wavenumber_per_cm"].to_numpy()
    assert abs(float(_nu[1] - _nu[0]) / _name - 1) < 0.1, (
        f"spectra[{_name}]: resolution_per_cm={_name}."
    )
    _band = _one["VV"].to_numpy()[(_nu > 2800) & (_nu < 4000)]
    _count = sum(a < b > c for a, b, c in zip(_band, _band[1:], _band[2:], strict=False))
    assert int(humps[_name]) == _count, f"humps[{_name}]: expected {_count}, found {humps[_name]}."
### END HIDDEN TESTS

# %% tags=["discussion"]
blocks = spectra[15][spectra[15]["wavenumber_per_cm"].between(2800, 4000)]
Markdown(
    f"**Discussion.** {humps[15]} humps with 15 cm⁻¹, {humps[30]} with 30, {humps[100]} with 100: the number of "
    "humps depends on the chosen resolution. With 15 cm⁻¹ the error band is "
    f"{(blocks['VV_error'] / blocks['VV']).median():.0%} of the height: a hump that is no higher than "
    "this means nothing, and another 20 ps would show it elsewhere. At every resolution there is one broad band. "
    "Choose the resolution before you look, and show the error."
)

# %% [markdown]
# ## Summary
#
# - One model for the dynamics and one for the polarizability give a spectrum from 200 DFT frames.
# - A spectrum is the Fourier transform of an autocorrelation.
# - VV and VH distinguish symmetric from other motions; the density of states shows all of them.
# - Errors come from the functional, from classical nuclei, from a short run, and from the models.
#
# ## Quiz
#
# 1. Why must a frame be kept every few femtoseconds?
#
#    <details><summary>Answer</summary>
#
#    The stretch has a period of about 9 fs: with rarer frames its band appears at a wrong place.
#
#    </details>
#
# 2. How long must a run be to tell bands apart that are 30 cm⁻¹ from each other?
#
#    <details><summary>Answer</summary>
#
#    At least 1.1 ps, the inverse; several times that for an error bar.
#
#    </details>
#
# 3. Why does a thermostat with strong friction harm a spectrum?
#
#    <details><summary>Answer</summary>
#
#    It damps vibrations, which broadens the bands.
#
#    </details>
#
# 4. Deuterium is twice as heavy as hydrogen. Which models have to be trained again?
#
#    <details><summary>Answer</summary>
#
#    None: energies and polarizabilities do not depend on the masses, only the motion does.
#
#    </details>
