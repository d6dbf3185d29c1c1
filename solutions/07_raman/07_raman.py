# %% [markdown]
# # 07 · A Raman spectrum, by machine learning alone
#
# **You will learn**
#
# - to combine two models, one for the motion of the atoms and one for their polarizability, if possible your own;
# - what a laser shows of a vibration, what an autocorrelation is, and how a spectrum is computed from it;
# - to read a Raman spectrum of water: bands, polarization, error bars, liquid and ice;
# - to say how far such a spectrum is from experiment, and why.
#
# **Time:** 75 minutes, of which the computer needs about two.
#
# **Before you start:** lessons 05 (dynamics) and 06 (polarizabilities).

# %%
import time
import warnings

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import evaluate, load_frames, own_or_stored, raman_spectrum
from helpers.frames import data_folder
from helpers.md import (
    PER_CM_PER_FS,
    Phase,
    band_maximum_per_cm,
    judge_phase,
    recorded_dft_seconds,
    run_replicas,
)
from helpers.plots import BLACK, BLUE, ORANGE, PURPLE, RED, style, with_alt_text
from helpers.raman import plot_raman, plot_raman_comparison, plot_scattered_light
from helpers.sagpr import load_model

warnings.filterwarnings("ignore")

STORED = data_folder() / "stored"
STORED_POTENTIAL = STORED / "gap.xml"
# Four snapshots at 300 K to start from.
START = [a for a in load_frames("water", "validate") if a.info["temperature_K"] == 300][::3]

# %% [markdown]
# ## Your two models
#
# This lesson needs the potential of lesson 02 and the best model of lesson 06. If you have trained them, they are used;
# otherwise stored ones take their place. The next cell prints which.

# %%
potential_path = own_or_stored("../02_train_gap/gap.xml", STORED_POTENTIAL, what="potential")
model_path = own_or_stored(
    "../06_polarizability/results/polarizability.joblib",
    STORED / "polarizability.npz",
    what="model of polarizabilities",
)
model = joblib.load(model_path) if model_path.suffix == ".joblib" else load_model(model_path)

# %% [markdown]
# ## A picture first: what light does with a vibrating molecule
#
# In the field $\mathcal{E}(t)$ of a laser, a molecule has the dipole moment $\mu(t) = \alpha(t) \, \mathcal{E}(t)$, and an
# oscillating dipole sends out light: it *scatters* the light of the laser. The polarizability $\alpha$ changes when the molecule
# vibrates. Spectroscopists give frequencies as *wavenumbers*, the number of waves of light in one centimeter, in cm⁻¹. The next
# cell shows the green light of a common laser (wavelength 532 nm, which is 18 800 cm⁻¹) and a polarizability that oscillates as
# that of an O–H bond does (3400 cm⁻¹, one period in 9.8 fs).
#
# **Predict.** Which wavenumbers will the scattered light have? (A product of two cosines is a sum of cosines:
# $2 \cos x \cos y = \cos(x - y) + \cos(x + y)$.)

# %%
laser_per_cm = 1e7 / 532  # 1 cm is 10⁷ nm
times_fs = np.arange(0, 400, 0.05)
field = np.cos(2 * np.pi * laser_per_cm / PER_CM_PER_FS * times_fs)
polarizability = 1 + 0.3 * np.cos(2 * np.pi * 3400 / PER_CM_PER_FS * times_fs)
panels = plot_scattered_light(times_fs, polarizability, polarizability * field, laser_per_cm)
with_alt_text(
    panels[0],
    "Left: the dipole oscillates with the laser, and its height follows the slower oscillation of the "
    "polarizability. Right: the scattered light has three lines, one at the wavenumber of the laser "
    "(Rayleigh) and two that are shifted by 3400 cm⁻¹ down (Stokes) and up (anti-Stokes).",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Most of the light keeps the color of the laser. A little of it has lost (or gained) the wavenumber of the vibration:
# with green light the O–H stretch appears at 18 800 − 3400 = 15 400 cm⁻¹, which is red. A Raman spectrum shows the
# intensity against that loss, the *Raman shift*, and so its bands lie at the same place with every laser. This simple
# calculation is classical and makes both side lines equally strong. In reality the line at the higher wavenumber (anti-Stokes)
# is weak for a fast vibration, because few molecules vibrate already and have energy to give.
#
# </details>
#
# ## Theory
#
# While the atoms move, the polarizability $\boldsymbol\alpha$ (Å³) of the box changes with them. Its fluctuations, taken apart into
# frequencies, are the spectrum. With $\boldsymbol\alpha = a \mathbf 1 + \boldsymbol\beta$, where $a$ is a
# third of the trace (λ = 0 in lesson 06) and $\boldsymbol\beta$ what is left (λ = 2), the intensity at the angular frequency
# $\omega$ is
#
# $$I_{\text{iso}}(\omega) \propto \int \langle a(0) \, a(t) \rangle \, e^{-i \omega t} \, dt, \qquad
# I_{\text{aniso}}(\omega) \propto \int \langle \operatorname{Tr} \boldsymbol\beta(0) \boldsymbol\beta(t)
# \rangle \, e^{-i \omega t} \, dt$$
#
# where $\langle \dots \rangle$ is a mean over all times that can serve as time 0 (exercise 3 (6) explains this *autocorrelation*),
# and the integral is a Fourier transform.
#
# With polarized light one measures
# $I_{VV} = I_{\text{iso}} + \tfrac{2}{15} I_{\text{aniso}}$ (scattered light polarized in the same direction as the laser) and
# $I_{VH} = \tfrac{1}{10} I_{\text{aniso}}$ (perpendicular to it).
#
# Both are multiplied by two factors. The first is $(\nu_{\text{laser}} - \nu)^4$: a dipole radiates with the fourth power of its frequency, and that of the
# scattered light is $\nu_{\text{laser}} - \nu$. (The sky is blue for the same reason.) Here the wavelength of the
# laser enters, 532 nm unless you say otherwise. The second is $x / (1 - e^{-x})$ with $x = h c \nu / k_B T$: our nuclei
# move classically, and this factor corrects the intensities for it, exactly if vibrations are harmonic. $\nu$ is a wavenumber in
# cm⁻¹, $\omega = 2 \pi c \nu$ with the speed of light $c$ in cm/s, $h$ is Planck's constant. (Such a calculation with neural
# networks: [Sommers et al., 2020](https://doi.org/10.1039/D0CP01893G).)

# %% [markdown]
# ## Exercise 3 (5): polarizabilities of a trajectory (5 points)
#
# *Why:* a spectrum needs thousands of polarizabilities, and DFT needs most of a minute for each.
#
# **Predict.** You will compute ten picoseconds of dynamics and a polarizability every two femtoseconds. How many hours would DFT
# need on one core, for the polarizabilities alone? (Lesson 01 says how long one snapshot took.)
#
# **Compute.** Use `run_replicas`, which runs several simulations at once (`help(run_replicas)`).
#
# 1. *Warm up:* from the four frames of `START`, with `seeds=[1, 2, 3, 4]`, 2000 steps at 300 K with
#    `thermostat="langevin"`. Friction and random forces bring every atom to the right temperature quickly.
# 2. *Run:* from the last frames of the warm-up, 5000 steps (2.5 ps each) with `record_every=4`,
#    `thermostat="bussi"`, `relaxation_fs=500` and `keep_velocities=True`. This bath rescales all velocities together, gently: friction
#    on each atom would damp the vibrations and broaden the bands.
#
# The time step is 0.5 fs, the default. Keep
#
# - `runs` (list of the four trajectories of step 2);
# - `alphas` (array of shape (4, 1251, 3, 3), Å³): what `model` predicts for the frames of each of them;
# - `verdict` (text): is it a liquid? `judge_phase(frames).verdict`, for the frames of all four runs in one list.
#
# <details><summary>Hint 1</summary>
#
# `run_replicas(…).runs` holds the trajectories, `run.frames()` the frames of one, and `run.frames()[-1]` is the last.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.array([model.predict(run.frames()) for run in runs])` has the shape that is wanted.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex3-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# runs = …
# alphas = …
# verdict = …
### BEGIN SOLUTION
shared = {"seeds": [1, 2, 3, 4], "temperature_K": 300}
warm = run_replicas(potential_path, START, steps=2000, thermostat="langevin", **shared)
bath = {"thermostat": "bussi", "relaxation_fs": 500, "keep_velocities": True}
ends = [run.frames()[-1] for run in warm.runs]
runs = list(run_replicas(potential_path, ends, steps=5000, record_every=4, **bath, **shared).runs)
alphas = np.array([model.predict(run.frames(), progress=True) for run in runs])
verdict = judge_phase([atoms for run in runs for atoms in run.frames()]).verdict
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for run in runs:
    print(
        f"{run.times_fs[-1] / 1000:.1f} ps, {run.temperature_K.mean():.0f} K: {run.stopped or 'stable'}"
    )
print(f"{np.shape(alphas)[0] * np.shape(alphas)[1]} polarizabilities. This water is {verdict}.")
first, series = runs[0], np.asarray(alphas[0])
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), sharey=True)
for name, color in (("xx", BLUE), ("yy", ORANGE), ("xy", PURPLE)):
    one = series[:, "xyz".index(name[0]), "xyz".index(name[1])]
    one = one - one.mean()
    left.plot(first.times_fs / 1000, one, color=color, lw=1, label=name)
    right.plot(first.times_fs[:101], one[:101], color=color, label=name)
left.set(title="Polarizability along the first run", xlabel="time, ps", ylabel="change, Å³")
right.set(title="Its first 200 fs", xlabel="time, fs")
right.legend(loc="upper right", ncols=3)
with_alt_text(
    figure,
    "xx, yy and xy of the polarizability against time, from their means: slow changes over a good part "
    "of a picosecond, and on top of them, in the first 200 fs on the right, quick ones with a period of "
    f"about 10 fs. Standard deviation of xx: {series[:, 0, 0].std():.2f} Å³.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-5", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Two points for the runs, two for their polarizabilities, one for the verdict.
assert len(alphas) == len(runs) == 4, "Four runs, and the polarizabilities of each."
assert isinstance(verdict, str), "verdict is a word."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames
from helpers.md import judge_phase as _judge_phase
from helpers.sagpr import read_tensors as _read_tensors

_sound = all(
    not runs[_k].stopped
    and runs[_k].thermostat in ("bussi", "none")
    and float(runs[_k].interval_fs) <= 4.0
    and float(runs[_k].times_fs[-1]) >= 2499
    for _k in range(4)
)
if not _sound:
    print("Expected four stable runs of 2.5 ps with the gentle bath, a record every 4 fs at most.")
_same, _frames = True, []
for _k in range(4):
    _n = len(runs[_k].times_fs)
    _few = runs[_k].frames(_n // 5)
    _frames += runs[_k].frames(_n // 20)
    _again = _np.asarray(model.predict(_few))
    _taken = _np.asarray(alphas[_k], float)[:: _n // 5]
    _same = _same and _taken.shape == _again.shape and _np.allclose(_taken, _again, atol=1e-6)
# Is it a model of this water? Frames that it learned from come out nearly right.
_known = _load_frames("water", "train", 50)[:20]
_off = _np.asarray(model.predict(_known)) - _read_tensors(_known)
_knows = float(_np.sqrt(_np.mean(_off**2))) < 0.15
if not (_same and _knows):
    print(
        "alphas should be what the model predicts for the frames of the runs, and the model should be "
        f"that of lesson 06 (off by {float(_np.sqrt(_np.mean(_off**2))):.2f} Å³ on known frames)."
    )
_phase = _judge_phase(_frames)
_told = str(verdict).strip().lower().removesuffix(" by structure")
_judged = _told == _phase.verdict.removesuffix(" by structure")
if not _judged:
    print(f"verdict: {verdict!r}, but {_phase.sentence}")
float(2.0 * _sound + 1.0 * _same + 1.0 * _knows + 1.0 * _judged)
### END HIDDEN TESTS

# %% tags=["discussion"]
with_it = recorded_dft_seconds(load_frames("water", "train"), polarizability=True)
left_out = model.loo_errors_.set_index("component")["percent"]
phase = judge_phase([atoms for run in runs for atoms in run.frames()])
n_tensors = alphas.shape[0] * alphas.shape[1]
Markdown(
    f"**Discussion.** One such frame took {with_it:.0f} s of DFT with its polarizability (one core), so {n_tensors} of them "
    f"are {n_tensors * with_it / 3600:.0f} hours, and the {4 * 5000} steps of the dynamics would have needed even more. Here "
    f"both took seconds. But note what this rests on: every frame of the run has to be of the kind that the models were "
    f"trained on. For frames that were left out, the error of the trace is {left_out['λ=0']:.0f} % of its spread, that of "
    f"λ = 2 {left_out['λ=2']:.0f} %. And the spectrum of a liquid needs a liquid. {phase.sentence} (To see whether its "
    "molecules also *move* as those of a liquid, a run of 10 ps is needed.)"
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The polarizability changes in two ways: slowly, with the structure of the liquid, and quickly, with the vibrations of
# its molecules. The prediction takes seconds where DFT would need days. The water is a liquid by its structure.
#
# </details>

# %% [markdown]
# ## Exercise 3 (6): an autocorrelation by hand (3 points)
#
# *Why:* every spectrum of a simulation is computed from an autocorrelation.
#
# Take the curve of a quick oscillation, shift it by half a period and multiply it with itself: peaks meet valleys, and the mean
# of the product is negative. Shifted by a whole period, peaks meet peaks, and it is positive. The mean product as a function of
# the shift, the **autocorrelation**, therefore oscillates with the same period, and it decays as the curve loses its memory.
#
# **Predict.** At which shift (fs) will the autocorrelation of the isotropic part of your runs have its first maximum after 0?
#
# **Compute.** Write a function `autocorrelation(series, n_lags)`: for an array of shape (n_times,) it returns an
# array $C$ of length `n_lags` with $C_k = \langle \delta a(t) \, \delta a(t + k) \rangle$, the mean over all
# times $t$ that have a partner $k$ records later, where $\delta a$ is the deviation from the mean
# of the whole series. It is not normalized: $C_0$ is the variance. Then compute `C` (array of length 150, Å⁶), the
# autocorrelation of the isotropic part (a third of the trace), as a mean over your four runs.
#
# <details><summary>Hint</summary>
#
# `deviation[: n - k]` and `deviation[k:]` are the values and their partners `k` records later.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "ex3-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def autocorrelation(series, n_lags): …
# C = …
### BEGIN SOLUTION
def autocorrelation(series, n_lags):
    """Return the mean of δa(t) δa(t + k) for k = 0 … n_lags − 1."""
    deviation = np.asarray(series) - np.mean(series)
    n = len(deviation)
    return np.array([np.mean(deviation[: n - k] * deviation[k:]) for k in range(n_lags)])


isotropic = np.trace(alphas, axis1=2, axis2=3) / 3
C = np.mean([autocorrelation(series, 150) for series in isotropic], axis=0)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    "a cosine with a period of 10 records:",
    autocorrelation(np.cos(np.arange(1000) * 0.2 * np.pi), 11).round(2),
)
with style():
    figure, ax = plt.subplots()
lags_fs = runs[0].interval_fs * np.arange(len(C))
ax.plot(lags_fs, np.asarray(C) / C[0], color=BLUE)
ax.axhline(0, color=BLACK, lw=0.5)
ax.set(
    title="Autocorrelation of the isotropic polarizability",
    xlabel="time lag, fs",
    ylabel="autocorrelation / variance",
)
with_alt_text(
    figure,
    "The autocorrelation of the isotropic polarizability starts at 1, oscillates with a period of about "
    f"10 fs, and decays; after {lags_fs[-1]:g} fs it is {C[-1] / C[0]:.2f}.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-6", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the function, one for the isotropic autocorrelation of the runs.
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
_iso = _np.trace(_np.asarray(alphas, float), axis1=2, axis2=3)
_wanted = _np.mean([_direct(_one, len(C)) for _one in _iso], axis=0)
_shape = _np.corrcoef(_np.asarray(C, float), _wanted)[0, 1] > 0.99
_unit = abs(float(C[0]) * 9 / _wanted[0] - 1) < 0.01 or not _exact
if not (_shape and _unit):
    print(
        "C should be the autocorrelation of a third of the trace of alphas, the mean of four runs."
    )
float(2.0 * _exact + 1.0 * (_nearly and not _exact) + 1.0 * (_shape and _unit))
### END HIDDEN TESTS

# %% tags=["discussion"]
power = np.abs(np.fft.rfft(np.concatenate([C, C[:0:-1]])))
wavenumbers = PER_CM_PER_FS * np.fft.rfftfreq(2 * len(C) - 1, runs[0].interval_fs)
above = wavenumbers > 2500
Markdown(
    "**Discussion.** The quick oscillation is the O–H stretch: the Fourier transform of `C` has its "
    f"highest point above 2500 cm⁻¹ at {wavenumbers[above][power[above].argmax()]:.0f} cm⁻¹, a "
    f"period of {PER_CM_PER_FS / wavenumbers[above][power[above].argmax()]:.1f} fs. The slow decay is the "
    "motion of whole molecules. That the last values are not zero is chance: the runs hold few independent pieces "
    "of such a length."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The first maximum after 0 lies near 10 fs, the period of the O–H stretch. The quick oscillation fades within some
# hundred femtoseconds; what is left decays slowly.
#
# </details>

# %% [markdown]
# ## Exercise 3 (7): the spectrum, of water and of ice (6 points)
#
# *Why:* this is what a spectroscopist would compare with an experiment.
#
# Your ten picoseconds give a spectrum with a wide error band. **Stored results:** several longer runs of liquid water at
# 300 K and of ice at 200 K, made in the same way with the stored models (`python tools/store_results.py
# liquid ice`). Lesson 05 showed how easily a small box freezes unnoticed, so the next cell first says what each of these
# runs is. (The diffusion coefficient in its table is that of the small box, without the correction of lesson 05, which would add
# about 0.1 Å²/ps. The potential was trained on the liquid and has never seen ice. Runs of ice in which the monitor found a broken
# O–H bond were left out; lesson 08 is about such failures.)

# %%
phases = pd.concat([pd.read_csv(STORED / f"phases_{name}.csv") for name in ("liquid", "ice")])
numbers = [name for name in Phase.__dataclass_fields__]
phases["verdict"] = [Phase(**row).verdict for row in phases[numbers].to_dict("records")]
columns = ["mean_temperature_K", "tetrahedral_order", "first_minimum_OO", "diffusion_A2_per_ps"]
print(phases[["water", "run", *columns, "verdict"]].round(2).to_string(index=False))


def read_stored(name):
    """Return polarizabilities (runs, times, 3, 3), the time between two (fs), and the mean temperature."""
    with np.load(STORED / f"polarizabilities_{name}.npz") as stored:
        interval_fs = float(np.diff(stored["times_fs"])[0])
        kelvin = float(stored["temperature_K"].astype(float).mean())
        return stored["polarizability_A3"].astype(float), interval_fs, kelvin


liquid_alphas, interval_fs, liquid_K = read_stored("liquid")
ice_alphas, _, ice_K = read_stored("ice")
print(f"liquid at {liquid_K:.0f} K, ice at {ice_K:.0f} K; a tensor every {interval_fs:g} fs")

# %% [markdown]
# **Predict.** A *hydrogen bond* is the attraction between a hydrogen atom of one molecule and the oxygen atom of another. In ice
# every molecule takes part in four strong ones; in the liquid some of them are broken or bent. A strong hydrogen bond weakens the
# O–H bond of the molecule whose hydrogen it is, as if its spring became softer. Will the stretch band of ice lie at a higher or a lower
# wavenumber than that of the liquid? Will it be broader or narrower?
#
# **Compute.** `raman_spectrum(polarizabilities, interval_fs, temperature_K=…)` takes the polarizabilities of one run or an array
# of several, and returns a DataFrame with the columns `wavenumber_per_cm`, `VV`, `VH` and their errors. Keep
#
# - `spectrum`, `ice_spectrum`: of `liquid_alphas` and `ice_alphas`, each with its temperature (`liquid_K`, `ice_K`);
# - `own_spectrum`: of your own `alphas` (a record every 2 fs, 300 K), with `resolution_per_cm=60`: the runs are short, so the
#   spectrum is averaged over wider intervals, which lowers its error;
# - `stretch_per_cm` and `bend_per_cm` (float): the wavenumbers of the highest point of `VV` in `spectrum`, for the O–H stretch
#   (between 2800 and 4000 cm⁻¹) and for the H–O–H bend (between 1400 and 1900 cm⁻¹);
# - `ice_stretch_per_cm` (float): the same for the stretch of ice;
# - `depolarization` (float, no unit): `VH` divided by `VV` at the highest point of the stretch of the liquid.
#
# <details><summary>Hint</summary>
#
# With `indexed = spectrum.set_index("wavenumber_per_cm")`, `indexed["VV"].loc[2800:4000]` is the band, and `.idxmax()` finds the
# wavenumber of its highest point.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex3-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spectrum = …
# ice_spectrum = …
# own_spectrum = …
# stretch_per_cm = …
# bend_per_cm = …
# ice_stretch_per_cm = …
# depolarization = …
### BEGIN SOLUTION
spectrum = raman_spectrum(liquid_alphas, interval_fs, temperature_K=liquid_K)
ice_spectrum = raman_spectrum(ice_alphas, interval_fs, temperature_K=ice_K)
own_spectrum = raman_spectrum(alphas, runs[0].interval_fs, resolution_per_cm=60)
indexed = spectrum.set_index("wavenumber_per_cm")
stretch_per_cm = float(indexed["VV"].loc[2800:4000].idxmax())
bend_per_cm = float(indexed["VV"].loc[1400:1900].idxmax())
ice_indexed = ice_spectrum.set_index("wavenumber_per_cm")
ice_stretch_per_cm = float(ice_indexed["VV"].loc[2800:4000].idxmax())
depolarization = float(indexed["VH"][stretch_per_cm] / indexed["VV"][stretch_per_cm])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-7-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    f"liquid: stretch {stretch_per_cm:.0f}, bend {bend_per_cm:.0f} cm⁻¹, VH/VV at the stretch "
    f"{depolarization:.2f}; ice: stretch {ice_stretch_per_cm:.0f} cm⁻¹"
)
# For the figure all with the resolution of your own runs: the coarser, the narrower the error bands.
coarse = {"resolution_per_cm": 60}
with style():
    figure, ax = plt.subplots(figsize=(11, 6.4))
plot_raman_comparison(
    {
        f"liquid water at 300 K ({len(liquid_alphas)} stored runs)": raman_spectrum(
            liquid_alphas, interval_fs, temperature_K=liquid_K, **coarse
        ),
        f"ice at 200 K ({len(ice_alphas)} stored runs)": raman_spectrum(
            ice_alphas, interval_fs, temperature_K=ice_K, **coarse
        ),
        "liquid water, your own runs": own_spectrum,
    },
    ax=ax,
    from_per_cm=1000,
    enlarged_per_cm=(1300, 2000),
    title="Raman spectrum of water, by machine learning alone (VV)",
)
with_alt_text(
    figure,
    f"Raman spectra with error bands, and the measured bands shaded: the liquid with a stretch band at "
    f"{stretch_per_cm:.0f} and a weak bend at {bend_per_cm:.0f} cm⁻¹, ice with a stretch at "
    f"{ice_stretch_per_cm:.0f} cm⁻¹, and the student's own runs with a wider error band.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-7", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
# One point each: the spectra, your own one, stretch, bend, stretch of ice, depolarization.
assert {"wavenumber_per_cm", "VV", "VH"} <= set(spectrum.columns), "spectrum: a Raman spectrum."
assert {"wavenumber_per_cm", "VV", "VH"} <= set(ice_spectrum.columns), "The same for ice_spectrum."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import raman_spectrum as _raman_spectrum
from helpers.frames import data_folder as _data_folder


def _stored(name):
    with _np.load(_data_folder() / "stored" / f"polarizabilities_{name}.npz") as stored:
        tensors, times, kelvin = (
            stored[key].astype(float) for key in ("polarizability_A3", "times_fs", "temperature_K")
        )
    return _raman_spectrum(tensors, float(times[1] - times[0]), temperature_K=float(kelvin.mean()))


def _resembles(shown, want):
    grid = want["wavenumber_per_cm"].to_numpy()
    values = _np.interp(grid, shown["wavenumber_per_cm"], shown["VV"])
    middle = (grid > 1000) & (grid < 4000)
    return float(_np.corrcoef(values[middle], want["VV"][middle])[0, 1])


def _highest(table, low, high):
    return float(table.set_index("wavenumber_per_cm")["VV"].loc[low:high].idxmax())


_liquid, _ice = _stored("liquid"), _stored("ice")
_alike = _resembles(spectrum, _liquid) > 0.97 and _resembles(ice_spectrum, _ice) > 0.97
_interval = float(runs[0].interval_fs)
_mine = _raman_spectrum(_np.asarray(alphas, float), _interval, resolution_per_cm=60)
_own = _resembles(own_spectrum, _mine) > 0.97
# Maxima are read off the student's own spectrum, whose grid may be another, if it is a right one.
_read = spectrum if _alike else _liquid
_stretch = abs(_highest(_read, 2800, 4000) - float(stretch_per_cm)) < 5
_bend = abs(_highest(_read, 1400, 1900) - float(bend_per_cm)) < 5
_read_ice = ice_spectrum if _alike else _ice
_frozen = abs(_highest(_read_ice, 2800, 4000) - float(ice_stretch_per_cm)) < 5
_row = int((_read["wavenumber_per_cm"] - float(stretch_per_cm)).abs().to_numpy().argmin())
_there = float(_read["VH"].iloc[_row] / _read["VV"].iloc[_row])
_ratio = abs(float(depolarization) / _there - 1) < 0.03
if not (_alike and _own and _stretch and _bend and _frozen and _ratio):
    print(
        f"spectra {_alike}, your own {_own}, stretch {_stretch}, bend {_bend}, stretch of ice {_frozen}, "
        f"depolarization {_ratio}. Look for the highest VV within each band; depolarization is VH/VV there."
    )
float(_alike) + float(_own) + float(_stretch) + float(_bend) + float(_frozen) + float(_ratio)
### END HIDDEN TESTS

# %% tags=["discussion"]


def width(table):
    """Return the full width at half maximum of the stretch in VV, cm⁻¹."""
    band = table[table["wavenumber_per_cm"].between(2800, 4000)]
    high = band["wavenumber_per_cm"][band["VV"] > band["VV"].max() / 2]
    return high.max() - high.min()


wide = np.diff(indexed.index).mean()
infrared = raman_spectrum(liquid_alphas, interval_fs, temperature_K=liquid_K, laser_nm=1064)
columns = [one.set_index("wavenumber_per_cm")["VV"] for one in (spectrum, infrared)]
ratios = [float(one[stretch_per_cm] / one[bend_per_cm]) for one in columns]
Markdown(
    f"**Discussion.** The stretch of the liquid at {stretch_per_cm:.0f} cm⁻¹ is {ratios[0]:.0f} times as high as the bend at "
    f"{bend_per_cm:.0f} cm⁻¹; the points lie {wide:.0f} cm⁻¹ apart, so no maximum is known better than that. In ice the "
    f"stretch lies {stretch_per_cm - ice_stretch_per_cm:.0f} cm⁻¹ lower and its band is {width(ice_spectrum):.0f} cm⁻¹ wide "
    f"at half its height, compared with {width(spectrum):.0f} cm⁻¹ for the liquid: the hydrogen bonds are stronger and more alike. "
    "Experiment finds the same: the strongest band of ice lies below 3200 cm⁻¹ ([Minceva-Sukarova et al., "
    "1984](https://doi.org/10.1088/0022-3719/17/32/017)), some 200 cm⁻¹ lower than the center of the liquid's. If your "
    '"liquid" spectrum ever looks like the orange curve, look at the structure first. *The laser:* with infrared light '
    f"(1064 nm) the stretch would be only {ratios[1]:.1f} times as high as the bend, because of $(\\nu_\\text{{laser}} - "
    "\\nu)^4$: the light that is scattered by the stretch is closer to zero frequency. The positions of the bands do not change."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The stretch band of ice lies at a clearly lower wavenumber and is narrower; the bend changes little. Your own spectrum agrees with
# the long one within the wider band of its own error, although it comes from a few seconds of computing.
#
# </details>

# %% [markdown]
# ## Exercise 3 (8): how reliable is it? (5 points)
#
# *Why:* a spectrum is useful only if its errors are known.
#
# **Comparison with experiment.** The Raman bands of liquid water at room temperature were measured many times, for example by
# Carey and Korenowski (*J. Chem. Phys.* **108**, 2669 (1998)): the O–H stretch is a broad band from about 3000 to 3700 cm⁻¹
# with two humps near 3250 and 3420, the bend lies near 1640 and is weak, and librations, in which whole molecules rock, lie below
# 1000 cm⁻¹. The next figure shows the liquid again, in both polarizations, above the *vibrational density of states* of
# the same runs: how much of the motion of the atoms there is at each wavenumber, no matter how it changes the polarizability.

# %% nbgrader={"grade": false, "grade_id": "figure3-8-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
vibrations = pd.read_csv(STORED / "vibrations_liquid.csv")  # stored result: of the same runs
with style():
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 7.5), sharex=True)
plot_raman(spectrum, ax=top, title="Raman spectrum of the liquid")
visible = spectrum["wavenumber_per_cm"] > 1000
top.set(xlabel="", ylim=(0, 1300 * spectrum["VV"][visible].max()))
bottom.plot(vibrations["wavenumber_per_cm"], 1000 * vibrations["all"], color=BLACK)
bottom.set(
    title="Vibrational density of states, same runs",
    xlabel="wavenumber, cm⁻¹",
    ylabel="per 1000 cm⁻¹ (area = 1)",
    xlim=(0, 4200),
    ylim=(0, None),
)
for panel in (top, bottom):
    for place in (stretch_per_cm, bend_per_cm):
        panel.axvline(place, color=RED, lw=1, ls=":")
with_alt_text(
    figure,
    f"Top: Raman intensity VV and VH with error bands; a strong stretch band near {stretch_per_cm:.0f} cm⁻¹, "
    f"where VH is {depolarization:.2f} of VV, and a weak bend near {bend_per_cm:.0f}. Below: the "
    "vibrational density of states of the same runs, in which the bend is a strong band.",
)

# %% [markdown]
# **Question** (3 points, marked by hand). How do the positions of your bands compare with the experiment,
# and why may they differ? Name at least two reasons, and say of each whether machine learning is to blame.
#
# <details><summary>Hint</summary>
#
# Which approximations were made on the way: in the labels, in the motion of the nuclei, in the size of the box, in the two models?
#
# </details>

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-8a", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Bend and stretch come out near experiment (the check prints their positions); that the bend is weak and the stretch
# strong and broad is right. Reasons why they may differ: (1) The density functional: a GGA such as revPBE makes O–H
# bonds too soft, which lowers the stretch; the models can only be as good as their labels. (2) Classical
# nuclei: hydrogen has a zero-point energy, so it explores the anharmonic part of the bond, where the force is weaker, and
# the measured stretch is lower than that of a classical bond. A classical run misses this, so its stretch is too high. These two errors
# cancel in part, and an agreement with experiment is no proof of either. (3) A box of 16 molecules: no
# long waves, and a structure that can only approximate that of the liquid. (4) Errors of the potential, and of the
# polarizability: these two are from machine learning, and can be measured against DFT on validation frames, but only for the
# kind of structure that those frames contain.
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
band = spectrum[spectrum["wavenumber_per_cm"].between(2800, 4000)]
peak = band.loc[band["VV"].idxmax()]
Markdown(
    f"**Discussion.** The stretch lies at {stretch_per_cm:.0f} cm⁻¹ in the Raman spectrum (VV) and at "
    f"{band_maximum_per_cm(vibrations, 'stretch'):.0f} in the density of states, the bend at {bend_per_cm:.0f} and "
    f"{band_maximum_per_cm(vibrations, 'bend'):.0f}. At the top of the stretch the error bar is "
    f"{100 * peak['VV_error'] / peak['VV']:.0f} % of the height: a hump that rises above its surroundings by less than that "
    "need not be real, however broad it is. What is missing, compared with experiment: *nuclear quantum effects*, which lower the "
    "stretch of water by 100 to 200 cm⁻¹; a *better functional*, since a hybrid such as revPBE0 raises it again "
    "([Marsalek, Markland, 2017](https://doi.org/10.1021/acs.jpclett.7b00391), who compute both for this family of functionals); and a "
    "*larger box*. The first two have opposite signs, so agreement to 50 cm⁻¹ is partly luck. What machine learning adds to these "
    "errors was measured in lessons 02 and 06; it is smaller than they are. The whole spectrum rests on a few hundred DFT frames, and the "
    "only experimental input is the density."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Both bands lie near the measured ones, for reasons that cancel in part: the functional makes bonds too soft, and classical nuclei
# make them vibrate too fast. Bending a molecule hardly changes its polarizability, so light does not see it, and the stretch
# changes mostly the size of the polarizability, so the light keeps its polarization.
#
# </details>

# %% [markdown]
# ## Exercise 3 (more): window and resolution (optional)
#
# *Why:* with enough smoothing any spectrum looks smooth; how much is a choice that should not decide the result.
#
# **Predict.** Will a finer resolution show more of the two humps of the experiment, or more noise?
#
# **Compute** the spectrum of `liquid_alphas` with `resolution_per_cm` 15, 30 and 100, and keep the three as
# `spectra` (dict, resolution → DataFrame). Which humps survive? Count them in `humps` (dict, resolution → int): how many
# points of `VV` between 2800 and 4000 cm⁻¹ are higher than both their neighbors. (If you skip it, delete the line with `raise`.)

# %% nbgrader={"grade": false, "grade_id": "ex7-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spectra = …
# humps = …
### BEGIN SOLUTION
spectra = {
    resolution: raman_spectrum(
        liquid_alphas, interval_fs, temperature_K=liquid_K, resolution_per_cm=resolution
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
    shown = one[one["wavenumber_per_cm"].between(2600, 4100)]
    ax.plot(shown["wavenumber_per_cm"], 1000 * shown["VV"], color=color, label=f"{resolution} cm⁻¹")
ax.set(
    title="O–H stretch, three resolutions",
    xlabel="wavenumber, cm⁻¹",
    ylabel="VV per 1000 cm⁻¹ (area = 1)",
)
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
    "humps depends on the chosen resolution. With 15 cm⁻¹ the error bar is "
    f"{(blocks['VV_error'] / blocks['VV']).median():.0%} of the height: a hump that rises less than this means nothing, and "
    "other runs would show it elsewhere. At every resolution there is one broad band. "
    "Choose the resolution before you look, and show the error."
)

# %% [markdown]
# ## What you made
#
# You started this course with files of atoms. The next cell puts together what came of it: the models, what they cost, how large
# their errors are, and your spectrum.

# %% nbgrader={"grade": false, "grade_id": "closing-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
validation = load_frames("water", "validate")
errors = evaluate(potential_path, validation)
left_out = model.loo_errors_.set_index("component")["percent"]
n_tensors = int(np.prod(np.shape(alphas)[:2]))
few, started = runs[0].frames(10), time.process_time()
model.predict(few)
tensor_s = (time.process_time() - started) / len(few)
steps_s = runs[0].processor_s_per_step * 5000
dft_s = recorded_dft_seconds(load_frames("water", "train"), polarizability=True)
n_trained = len(model.loo_predictions_)
rows = {
    "potential": "stored" if potential_path == STORED_POTENTIAL else f"your own, {potential_path}",
    "  its errors, validation": f"{errors.rmse_energy_meV_per_atom:.2f} meV/atom, "
    f"{errors.rmse_forces_meV_per_A:.0f} meV/Å",
    "model of polarizabilities": f"your own, {model_path}"
    if model_path.suffix == ".joblib"
    else "stored",
    "  its errors, left out": f"{left_out['λ=0']:.0f} % (λ = 0), {left_out['λ=2']:.0f} % (λ = 2) of the spread",
    "dynamics, 4 × 2.5 ps": f"{steps_s:.0f} s of the processor",
    f"{n_tensors} polarizabilities": f"{n_tensors * tensor_s:.0f} s of the processor",
    "the same with DFT, one core": f"{n_tensors * dft_s / 86400:.1f} days for the polarizabilities alone",
    f"{n_trained} labeled frames of DFT": f"{n_trained * dft_s / 3600:.1f} hours",
    "O–H stretch, liquid": f"{stretch_per_cm:.0f} cm⁻¹ (measured: one broad band, humps at 3250 and 3420)",
    "bend, liquid": f"{bend_per_cm:.0f} cm⁻¹ (measured: 1640)",
    "O–H stretch, ice": f"{ice_stretch_per_cm:.0f} cm⁻¹",
}
print("\n".join(f"{name:30}  {value}" for name, value in rows.items()))
longer = raman_spectrum(liquid_alphas, interval_fs, temperature_K=liquid_K, resolution_per_cm=60)
with style():
    figure, ax = plt.subplots(figsize=(11, 6.4))
plot_raman_comparison(
    {"your own runs": own_spectrum, "longer, stored runs": longer},
    ax=ax,
    from_per_cm=1000,
    enlarged_per_cm=(1300, 2000),
    title="Your Raman spectrum of liquid water (VV)",
)
with_alt_text(
    figure,
    "The student's own Raman spectrum of liquid water with its error band, with that of the stored long runs "
    f"for comparison: the stretch at {stretch_per_cm:.0f}, the bend at {bend_per_cm:.0f} cm⁻¹.",
)

# %% [markdown]
# You trained a potential, learned from its learning curves and its overfitting what to expect of it, ran molecular dynamics with it
# and made sure that the result was a liquid. You trained a second model for a property of the electrons, and combined both into
# something that can be measured. Each step took minutes; with DFT the same dynamics and polarizabilities would have kept one
# processor core busy for more than a week.
#
# **What next?**
#
# - *In this course:* lesson 08 asks when such a potential must not be trusted. The labs that follow (from 09 on) go further, such as
#   gradients through whole simulations.
# - *Better nuclei:* path-integral simulations give the nuclei their quantum nature. The potential can drive
#   [i-PI](https://ipi-code.org): `help(helpers.md.serve_ipi)`.
# - *Larger systems:* the same potential runs in [LAMMPS](https://www.lammps.org); `mlmd md --help` shows how it is exported.
# - *Other models:* equivariant neural networks such as [MACE](https://github.com/ACEsuit/mace) are often more accurate, but take
#   longer to train and need a GPU; models that were trained once for most of the periodic table are a good start for your own system.
# - *Other properties:* dipoles (infrared spectra), chemical shifts and electron densities can be learned with the same $\lambda$-SOAP kernels.
# - *To read:* Gaussian process regression for materials and molecules ([Deringer et al.,
#   2021](https://doi.org/10.1021/acs.chemrev.1c00022)); physics-inspired structural representations ([Musil et al.,
#   2021](https://doi.org/10.1021/acs.chemrev.1c00021)); Raman spectra of water at several temperatures with neural networks
#   ([Sommers et al., 2020](https://doi.org/10.1039/D0CP01893G)).
#
# ## Summary
#
# - One model for the dynamics and one for the polarizability give a spectrum from a few hundred DFT frames.
# - A Raman spectrum is the Fourier transform of the autocorrelation of the polarizability; in an experiment it is the spectrum of
#   the light that is scattered from a laser.
# - VV and VH distinguish symmetric from other motions; the density of states shows all of them.
# - The spectrum of a liquid needs a liquid: ice has a lower and narrower stretch band.
# - Errors come from the functional, from classical nuclei, from the small box and short runs, and from the models.
#
# ## Quiz
#
# 1. Why must a frame be kept every few femtoseconds?
#
#    <details><summary>Answer</summary>
#
#    The stretch has a period of about 10 fs: with fewer than two frames in each period its band appears at a wrong wavenumber.
#
#    </details>
#
# 2. How long must a run be to tell bands apart that are 30 cm⁻¹ from each other?
#
#    <details><summary>Answer</summary>
#
#    At least 1.1 ps: 1/(30 cm⁻¹) divided by the speed of light. Several times that for an error bar.
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
#
# 5. You change the laser from green to red. What changes in the spectrum?
#
#    <details><summary>Answer</summary>
#
#    The bands stay where they are, because the Raman shift is a difference. Their heights change by the fourth power of the
#    frequency of the scattered light: those with a large shift become weaker relative to the others.
#
#    </details>
