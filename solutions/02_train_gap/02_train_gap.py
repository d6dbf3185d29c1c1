# %% [markdown]
# # 02 · Train your first potential
#
# **You will learn**
#
# - what a Gaussian approximation potential (GAP) is, in one equation;
# - to train one with `gap_fit`, and to read its output;
# - to measure its errors, on frames that were used for training and on frames that were not;
# - to draw the figure that every paper about a potential shows, and to read it.
#
# **Time:** 45 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 01 (what a snapshot holds). A little Python: functions, arrays.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase import units
from IPython.display import Markdown

from helpers import GapConfig, evaluate, fit_gap, load_frames, load_potential
from helpers.frames import data_folder
from helpers.plots import (
    SET_COLORS,
    plot_error_histogram,
    plot_force_residuals,
    style,
    with_alt_text,
)
from helpers.sweeps import ENERGY, FORCES  # names of columns

warnings.filterwarnings("ignore")

HERE = Path(".")  # what this lesson writes goes here
STORED = data_folder() / "stored"  # results that took too long for a class

# %% [markdown]
# ## What a GAP is
#
# The energy of a snapshot is a sum over its atoms, and the energy of an atom depends on what it
# sees within a cutoff, its neighborhood. A GAP compares the neighborhood of atom $i$ with $M$ *sparse
# points*, representative neighborhoods from the training frames, and adds up their contributions, each
# weighted by the similarity of the two:
#
# $$E = \sum_i \Big( e_0 + \sum_{s=1}^{M} \alpha_s \, k(\mathbf p_i, \mathbf p_s) \Big), \qquad
# k(\mathbf p, \mathbf p') = \delta^2 \, (\mathbf p \cdot \mathbf p')^{\zeta}$$
#
# $e_0$ (eV) is the mean energy per atom of the training frames. $\mathbf p$ is the SOAP vector (smooth
# overlap of atomic positions) of a neighborhood, of length 1 and without unit, $k$ the kernel that
# measures how similar two neighborhoods are (in eV², at most $\delta^2$). The larger $\zeta$, the faster
# the kernel decreases as two neighborhoods become different. A second, simpler term with one distance in place of $\mathbf p$ handles pairs of atoms.
# The weights $\alpha_s$ (in 1/eV) are what is learned. `gap_fit` finds those that minimize
#
# $$\sum_{\text{frames}} \frac{(E - E^{\text{DFT}})^2}{\sigma_E^2 \, N} +
# \sum_{\text{components}} \frac{(F - F^{\text{DFT}})^2}{\sigma_F^2} +
# \boldsymbol\alpha^{\mathsf T} \mathbf K \boldsymbol\alpha$$
#
# The first two sums are small if the potential agrees with DFT, the last one if it is smooth;
# $\mathbf K$ holds the kernels between sparse points, $K_{st} = k(\mathbf p_s, \mathbf p_t)$, in eV².
# $\sigma_E$ (eV per atom; $N$ atoms in a frame) and $\sigma_F$ (eV/Å) are the
# errors that we accept. Their sizes set the relative weight of energies, forces and smoothness. Forces are derivatives of $E$, so they cost no new weights.

# %% [markdown]
# These are the settings, in the form that `gap_fit` reads. Find $\delta$, $\zeta$, both sigmas, the
# number of sparse points per element and the cutoff; `help(GapConfig)` explains every name.

# %%
print(GapConfig().to_cfg())

# %% [markdown]
# ## Exercise 2.1 (1): train with the defaults (2 points)
#
# *Why:* The quickest way to understand a potential is to train one.
#
# **Do.** Train on the default frames (`gap_input_100.xyz`) with the default settings. Write the
# potential to `HERE / "gap.xml"`, and keep what `fit_gap` returns as `fit`. `help(fit_gap)` explains
# its arguments: first the settings, then `output=`. The fit takes one to three minutes and shows a
# progress bar.
#
# Meanwhile read on. The **stored result** below lists the errors of the same fit, made beforehand. The
# potential itself is too large to be stored, so everyone has to train one.

# %%
# Stored result: made by `python tools/store_results.py learning_curve_default`, see data/stored.
stored = pd.read_csv(STORED / "learning_curve_default.csv")
stored_fit = stored[stored["n_frames"] == 100].set_index("set")
stored_fit[[ENERGY, FORCES, "peak_memory_MB"]].round(2)

# %% nbgrader={"grade": false, "grade_id": "ex2-1-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# fit = …
### BEGIN SOLUTION
fit = fit_gap(GapConfig(), output=HERE / "gap.xml")
### END SOLUTION

# %% [markdown]
# **Check yourself.** What went in, and what came out:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"frames {fit.n_frames}, energies {fit.n_energies}, forces {fit.n_force_components}")
print(f"sparse points {fit.n_sparse}; {fit.cpu_seconds:.0f} CPU s; {fit.peak_memory_MB:.0f} MB")
print(f"{Path(fit.model_path).name}: {os.path.getsize(fit.model_path) / 1e6:.1f} MB")
expected_forces = 3 * sum(len(atoms) for atoms in load_frames("water", "train", 100))
print(f"force components in the frames: {expected_forces}")

# %% nbgrader={"grade": true, "grade_id": "test2-1-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The potential was trained on all 100 frames, and it knows water.
assert Path(fit.model_path).is_file(), f"There is no file {fit.model_path}: run fit_gap again."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import GapConfig as _GapConfig
from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential

assert fit.n_frames == 100, f"Trained on {fit.n_frames} frames instead of 100."
assert fit.n_force_components == 3 * 48 * 100, "gap_fit did not see all forces."
_defaults = _GapConfig()
for _name in ("cutoff", "atom_sigma", "n_max", "l_max", "n_sparse", "zeta", "delta"):
    _found = getattr(fit.config, _name)
    assert _found == getattr(_defaults, _name), f"{_name}={_found}: not the default."
assert _np.allclose(fit.config.default_sigma, _defaults.default_sigma), "Not the default sigmas."
_judged = _evaluate(_load_potential(fit.model_path), _load_frames("water", "validate")[::10])
_error = _judged.rmse_energy_meV_per_atom
assert _error < 2.5, f"{_error:.2f} meV/atom on ten frames: about 1 was expected. Train again."
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** {fit.n_frames} snapshots are {fit.n_energies} energies, but "
    f"{fit.n_force_components} force components: almost all that the potential learns, it learns "
    "from forces. Check these counts every time: if the name of a label is misspelled, `gap_fit` "
    "trains without any energies or forces, and reports no error."
)

# %% [markdown]
# ## Exercise 2.1 (2): how large are its errors? (3 points)
#
# *Why:* A potential can be used only if its errors are known. The usual measure is the root mean
# square error
#
# $$\text{RMSE} = \sqrt{\frac{1}{n} \sum_{j=1}^{n} (y_j^{\text{GAP}} - y_j^{\text{DFT}})^2}$$
#
# over energies per atom, or over all force components.
#
# **Do.**
#
# - Write a function `rmse(true, predicted)` for two arrays of the same shape, whatever the shape: a
#   `float` in their unit.
# - Load your potential with `potential = load_potential(HERE / "gap.xml")`, and ask it about the
#   **validation** frames, which share no trajectory with the training frames:
#   `validation = evaluate(potential, load_frames("water", "validate"))`. The tables
#   `validation.energies` and `validation.forces` have columns `true` and `predicted`, in eV per atom
#   and eV/Å.
# - With your function find `rmse_energy_validation` (meV per atom) and `rmse_forces_validation`
#   (meV/Å), both `float`.


# %% nbgrader={"grade": false, "grade_id": "ex2-1-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def rmse(true, predicted): …
# potential = …
# validation = …
# rmse_energy_validation = …
# rmse_forces_validation = …
### BEGIN SOLUTION
def rmse(true, predicted):
    """Return the root mean square error, in the unit of the two arrays."""
    errors = np.asarray(predicted) - np.asarray(true)
    return float(np.sqrt(np.mean(errors**2)))


potential = load_potential(HERE / "gap.xml")
validation = evaluate(potential, load_frames("water", "validate"))
rmse_energy_validation = 1000 * rmse(validation.energies["true"], validation.energies["predicted"])
rmse_forces_validation = 1000 * rmse(validation.forces["true"], validation.forces["predicted"])
### END SOLUTION

# %% [markdown]
# **Check yourself.** The kit computes the same; errors of 3 and −4 have a root mean square of 3.54.

# %% nbgrader={"grade": false, "grade_id": "ex2-1-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"rmse of 3 and −4: {rmse(np.array([0.0, 0.0]), np.array([3.0, -4.0])):.2f}")
print(f"yours:   {rmse_energy_validation:.2f} meV/atom, {rmse_forces_validation:.1f} meV/Å")
print(f"the kit: {validation}")

# %% nbgrader={"grade": true, "grade_id": "test2-1-2-function", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# rmse is a root of a mean of squares, for arrays of any shape.
assert callable(rmse), "rmse should be a function."
### BEGIN HIDDEN TESTS
import numpy as _np

_rng = _np.random.default_rng(7)
for _shape in ((5,), (4, 3), (2, 3, 4)):
    _true, _made = _rng.normal(size=_shape), _rng.normal(size=_shape)
    _want, _got = float(_np.linalg.norm(_true - _made) / _np.sqrt(_true.size)), rmse(_true, _made)
    assert _np.shape(_got) == (), f"One number was expected for arrays of shape {_shape}."
    assert abs(float(_got) - _want) < 1e-9, (
        f"For arrays of shape {_shape}: {float(_got):.4f} instead of {_want:.4f}. "
        "Square the differences, take the mean over everything, then the root."
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test2-1-2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The validation errors are those of this potential on the validation frames. One point each.
assert rmse_energy_validation > 0 and rmse_forces_validation > 0, "Errors are above 0."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential

_judged = _evaluate(_load_potential(fit.model_path), _load_frames("water", "validate"))
_want = _np.array([_judged.rmse_energy_meV_per_atom, _judged.rmse_forces_meV_per_A])
_got = _np.array([float(rmse_energy_validation), float(rmse_forces_validation)])
_right = _np.abs(_got / _want - 1) < 0.01
assert _right.any(), (
    f"Expected about {_want.round(2)} (meV/atom, meV/Å), found {_got.round(4)}. "
    "Units? Validation frames? Energies per atom?"
)
float(_right.sum())
### END HIDDEN TESTS

# %% tags=["discussion"]
energy_spread = 1000 * validation.energies["true"].std()
forces_spread = 1000 * validation.forces["true"].std()
Markdown(
    "**Discussion.** To judge an error, compare it with the spread of what is predicted. A model that "
    "always predicted the mean would have an RMSE equal to the standard deviation: "
    f"{energy_spread:.1f} meV/atom and {forces_spread:.0f} meV/Å on these frames. The RMSE of the "
    "potential is "
    f"{rmse_energy_validation:.2f} meV/atom and {rmse_forces_validation:.0f} meV/Å: "
    f"{100 * rmse_energy_validation / energy_spread:.0f} % and "
    f"{100 * rmse_forces_validation / forces_spread:.0f} % of these standard deviations."
)

# %% [markdown]
# ## Exercise 2.1 (3): and on the training frames? (2 points)
#
# *Why:* comparing the validation error with the training error shows whether a potential generalizes
# or has only memorized its training frames.
#
# **Do.** The same for the 100 **training** frames: keep the result of `evaluate` as `training`, and
# the errors as `rmse_energy_training` (meV per atom) and `rmse_forces_training` (meV/Å).

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# training = …
# rmse_energy_training = …
# rmse_forces_training = …
### BEGIN SOLUTION
training = evaluate(potential, load_frames("water", "train", 100))
rmse_energy_training = 1000 * rmse(training.energies["true"], training.energies["predicted"])
rmse_forces_training = 1000 * rmse(training.forces["true"], training.forces["predicted"])
### END SOLUTION

# %% [markdown]
# **Check yourself.** Side by side:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
errors = pd.DataFrame(
    {
        "energy, meV/atom": [rmse_energy_training, rmse_energy_validation],
        "forces, meV/Å": [rmse_forces_training, rmse_forces_validation],
    },
    index=["training", "validation"],
)
errors.loc["validation / training"] = errors.loc["validation"] / errors.loc["training"]
errors.round(3)

# %% nbgrader={"grade": true, "grade_id": "test2-1-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The training errors are those of this potential on its own training frames. One point each.
assert len(training.energies) == 100, "training should be judged on the 100 training frames."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential

_judged = _evaluate(_load_potential(fit.model_path), _load_frames("water", "train", 100))
_want = _np.array([_judged.rmse_energy_meV_per_atom, _judged.rmse_forces_meV_per_A])
_got = _np.array([float(rmse_energy_training), float(rmse_forces_training)])
_right = _np.abs(_got / _want - 1) < 0.01
assert _right.any(), (
    f"Expected about {_want.round(2)} (meV/atom, meV/Å), found {_got.round(4)}. "
    "Are these the training frames, not the validation frames?"
)
float(_right.sum())
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    "**Discussion.** Validation / training is "
    f"{errors.loc['validation / training', 'energy, meV/atom']:.2f} for the energies and "
    f"{errors.loc['validation / training', 'forces, meV/Å']:.2f} for the forces. A ratio near 1 says "
    "*not overfitted*. It does not say *good*: a potential that knows nothing is equally wrong on "
    "both sets."
)

# %% [markdown]
# ## Exercise 2.1 (4): why do they differ? (2 points)
#
# *Why:* the two can differ a lot, and a paper should quote the right one.
#
# **Question.** Look at the last line of the table. Why is an error on frames that the potential was trained on
# not the error to expect in a simulation? And what would it mean if validation / training were 5?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-1-4", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The weights were chosen to make the errors on the training frames small, and part of that success
# is adaptation to just these frames. A simulation visits new configurations, so only an error on
# frames that had no part in the fit estimates what to expect there. Here the two are close, because
# there are many more force components than weights, which leaves the fit little freedom. A ratio
# of 5 would mean that the potential has learned its frames by heart: it is overfitted.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the fit made the training error small, so it is too optimistic; new frames are the test
#   of what the potential has understood.
# - 1 point: a large ratio means overfitting (learned by heart, does not generalize).
# === END MARK SCHEME ===

# %% [markdown] tags=["discussion"]
# **Discussion.** The validation frames come from other trajectories than the training frames. With
# every second frame of one trajectory for validation, each would have a near twin among the training
# frames, and the validation error would look as good as the training error, even for a
# poor potential. The meaning of a validation error depends on how different the validation frames
# are.

# %% [markdown]
# ## Exercise 2.1 (5): predict before you compute (2 points)
#
# *Why:* a prediction that can fail is worth more than an explanation afterwards.
#
# **Question.** Suppose that you train on twice as many snapshots. What happens to the training error, what to the
# validation error, and where do the two meet in the end? Give a reason for each.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-1-5", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The training error rises or stays, because the same number of weights must now satisfy more labels.
# The validation error falls, because more of what a simulation visits has been seen. The two meet at
# the error that this kind of model (its cutoff, its basis, its number of sparse points, and the
# noise of the labels) cannot go below, however much data it gets.
#
# === BEGIN MARK SCHEME ===
# - 1 point: validation error falls (with a reason), training error rises or stays (with a reason).
# - 1 point: both approach a common limit that the model or the noise of the labels sets.
# === END MARK SCHEME ===

# %% [markdown] tags=["discussion"]
# **Discussion.** The numbers, from the stored learning curve of the default settings: lesson 03 looks
# into them.

# %% tags=["discussion"]
stored.pivot(index="n_frames", columns="set", values=FORCES).round(1)

# %% [markdown]
# ## Exercise 2.1 (6): scatter plots (3 points)
#
# *Why:* One number hides much: outliers, a slope that is wrong, one element that is worse. A
# scatter plot of predicted against DFT values shows it.
#
# **Do.** Draw a figure with two panels, and keep it as `figure`:
#
# - on the left the energies of the training **and** the validation frames, GAP (vertical) against
#   DFT (horizontal), in two colors with a legend;
# - on the right the force components of the validation frames.
#
# Each panel has a line where both are equal, and axis labels with units (eV or meV, as you like).
# Energies are large numbers: subtract one and the same number, the mean DFT energy per atom of the
# training frames, from all of them, or you will see nothing.
# End the cell with `with_alt_text(figure, "…")`: one sentence for those who cannot see the figure.

# %% nbgrader={"grade": false, "grade_id": "ex2-1-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# figure, (left, right) = …
### BEGIN SOLUTION
zero = training.energies["true"].mean()
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5))
    for name, result in (("training", training), ("validation", validation)):
        points = 1000 * (result.energies[["true", "predicted"]] - zero)
        x, y, color = points["true"], points["predicted"], SET_COLORS[name]
        left.plot(x, y, "o", ms=4, alpha=0.7, color=color, label=name)
    left.set(title="Energies", xlabel="DFT, meV/atom", ylabel="GAP, meV/atom")
    left.legend()
    x, y = validation.forces["true"], validation.forces["predicted"]
    right.plot(x, y, ".", ms=2, alpha=0.5, color=SET_COLORS["validation"])
    right.set(title="Forces, validation", xlabel="DFT, eV/Å", ylabel="GAP, eV/Å")
    for ax in (left, right):
        ax.axline((0, 0), slope=1, color="black", lw=1, zorder=0)
with_alt_text(
    figure,
    "Two scatter plots, GAP against DFT. All points lie close to the diagonal: energies of training "
    f"and validation frames alike (validation RMSE {rmse_energy_validation:.2f} meV/atom), and "
    f"force components over several eV/Å (validation RMSE {rmse_forces_validation:.0f} meV/Å).",
)
### END SOLUTION

# %% [markdown]
# **Check yourself.** What your figure holds, and where the errors are that it hides:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for panel in figure.axes:
    print(f"{panel.get_title()!r}: {panel.get_xlabel()!r}, {panel.get_ylabel()!r}")
with style():
    figure_of_errors, (left_panel, right_panel) = plt.subplots(1, 2, figsize=(12, 4.6))
plot_error_histogram({"training": training, "validation": validation}, ax=left_panel)
plot_force_residuals(validation, right_panel)
by_element = validation.summary().query("quantity == 'force'").set_index("element")["rmse"]
with_alt_text(
    figure_of_errors,
    "Left: distribution of the force errors, narrow and symmetric about 0, nearly the same for "
    "training and validation. Right: the error of each force against its size; the medians rise "
    "slowly with the force. "
    f"RMSE of H {by_element['H']:.0f} meV/Å, of O {by_element['O']:.0f} meV/Å.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-1-6", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for the energies of both sets, one for the forces, one for labels with units.
assert len(figure.axes) >= 2, "The figure should have two panels."
### BEGIN HIDDEN TESTS
import numpy as _np


def _clouds(panel):
    """All groups of points of a panel, by plot or scatter, without a diagonal made of points."""
    found = [_np.asarray(line.get_xydata(), float) for line in panel.get_lines()]
    found += [_np.ma.filled(_np.ma.asarray(c.get_offsets(), float)) for c in panel.collections]
    found = [xy for xy in found if len(xy) > 10]
    return [xy for xy in found if _np.ptp(xy[:, 1] - xy[:, 0]) > 1e-6 * _np.ptp(xy[:, 0])]


def _shows(panel, tables):
    """Whether the points of a panel are these tables', in any order, unit and zero."""
    clouds = _clouds(panel)
    if not clouds:
        return False
    xy = _np.concatenate(clouds)
    true = _np.concatenate([t["true"].to_numpy() for t in tables])
    made = _np.concatenate([t["predicted"].to_numpy() for t in tables])
    if len(xy) != len(true):
        return False
    for factor in (1.0, 1000.0, 48.0, 48000.0):
        want = _np.column_stack([true, made]) * factor
        shift = want[:, 0].mean() - xy[:, 0].mean()
        scale = 1e-3 * want[:, 0].std()
        got = xy + shift
        if _np.abs(_np.sort(got[:, 0]) - _np.sort(want[:, 0])).max() < scale:
            difference, expected = got[:, 1] - got[:, 0], want[:, 1] - want[:, 0]
            return bool(_np.abs(_np.sort(difference) - _np.sort(expected)).max() < scale)
    return False


_energies = [training.energies, validation.energies]
_score = float(any(_shows(panel, _energies) for panel in figure.axes))
_score += float(any(_shows(panel, [validation.forces]) for panel in figure.axes))
_labels = [t for panel in figure.axes[:2] for t in (panel.get_xlabel(), panel.get_ylabel())]
_score += float(all("eV" in text for text in _labels))
assert _score > 0, (
    "Neither panel shows GAP against DFT: x is the DFT value, y the predicted one, energies of "
    "both sets on the left, validation forces on the right, with units in the labels."
)
float(_score)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    "**Discussion.** The cloud of energies is as narrow for validation as for training, and lies "
    "along the diagonal over its whole range. The forces span "
    f"{np.ptp(validation.forces['true']):.0f} eV/Å, so that an error of "
    f"{rmse_forces_validation / 1000:.2f} eV/Å can hardly be seen: what looks perfect in such a "
    "figure may still be too coarse, which is why papers give the numbers, too. Compare an error "
    f"with what it is for: at 300 K the thermal energy $k_B T$ is {1000 * units.kB * 300:.0f} meV, "
    f"and a force component here is typically {validation.forces['true'].std():.1f} eV/Å."
)

# %% [markdown]
# ## Exercise 2.1 (more): are hydrogen and oxygen predicted equally well? (optional)
#
# *Why:* one number for all atoms may hide that one element is bad.
#
# Find out with `validation.summary()` or from `validation.forces`: the RMSE of each element, and the
# RMSE relative to the spread (standard deviation) of its DFT forces. Keep the two relative errors as
# a dictionary `relative_error` with keys `"H"` and `"O"`. No points, but worth knowing. (If you skip it,
# *Run All* stops here and *Validate* names its test. Only the summary follows, and you lose no points.)

# %% nbgrader={"grade": false, "grade_id": "ex2-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# relative_error = {"H": …, "O": …}
### BEGIN SOLUTION
relative_error = {
    element: rmse(rows["true"], rows["predicted"]) / rows["true"].std()
    for element, rows in validation.forces.groupby("element")
}
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for element, share in relative_error.items():
    print(f"{element}: the error is {100 * share:.1f} % of the spread of its forces")

# %% nbgrader={"grade": true, "grade_id": "test2-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: the error of each element, relative to the spread of its forces.
assert set(relative_error) == {"H", "O"}, "Keys H and O."
### BEGIN HIDDEN TESTS
import numpy as _np

for _element, _rows in validation.forces.groupby("element"):
    _off = float(_np.sqrt(_np.mean((_rows["predicted"] - _rows["true"]) ** 2)))
    _want = _off / float(_rows["true"].std())
    _found = float(relative_error[_element])
    assert any(abs(_found / (_unit * _want) - 1) < 0.02 for _unit in (1, 100)), (
        f"{_element}: expected {_want:.4f}, found {_found:.4f}: RMSE divided by standard deviation."
    )
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The error of oxygen ({by_element['O']:.0f} meV/Å) is "
    f"{by_element['O'] / by_element['H']:.2f} times that of hydrogen ({by_element['H']:.0f} meV/Å). "
    f"Relative to the spread of the forces it is {100 * relative_error['O']:.1f} % for oxygen and "
    f"{100 * relative_error['H']:.1f} % for hydrogen. Which of the two is worse thus depends on the "
    "measure: say which one you use."
)

# %% [markdown]
# ## Summary
#
# - A GAP is a weighted sum of similarities to sparse points; training finds the weights.
# - `gap_fit` needs frames with energies and forces; check the counts in its output.
# - The validation error, on frames from other trajectories, is the one to quote.
# - Show a scatter plot **and** give the numbers, per atom and with units.
#
# ## Quiz
#
# 1. Which sum in the cost function keeps the potential smooth?
#
#    <details><summary>Answer</summary>
#
#    The last one, $\boldsymbol\alpha^{\mathsf T} \mathbf K \boldsymbol\alpha$: large weights cost.
#
#    </details>
#
# 2. Why do the forces, and not the energies, carry most of the information?
#
#    <details><summary>Answer</summary>
#
#    A frame has one energy, but three force components for each atom.
#
#    </details>
#
# 3. Your colleague reports 0.2 meV/atom, measured on the training frames. What do you ask?
#
#    <details><summary>Answer</summary>
#
#    What the error is on frames from other trajectories, and what it is for the forces.
#
#    </details>
#
# 4. What would happen to the errors if $\sigma_F$ were made a hundred times larger?
#
#    <details><summary>Answer</summary>
#
#    The forces would have hardly any weight in the fit: their error grows, and since the few energies
#    alone determine the weights, overfitting becomes likely. Lesson 04 tries it.
#
#    </details>
