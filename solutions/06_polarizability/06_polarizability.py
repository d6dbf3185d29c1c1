# %% [markdown]
# # 06 · Polarizabilities: learning a tensor
#
# **You will learn**
#
# - what a tensor is, and how its numbers change when a molecule turns;
# - why models for scalars (single numbers such as an energy) do not suffice for tensors, and what *symmetry-adapted*
#   (equivariant) means;
# - to draw learning curves for components of a tensor, and to explain which of them coincide;
# - what the number of features, the regularization and other settings do to a model;
# - to optimize a model without using the test frames.
#
# **Time:** 75 minutes, of which the computer needs two or three.
#
# **Before you start:** lessons 01 (the part on polarizability) and 02 to 04 (errors, learning curves, overfitting).

# %%
import os
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase.build import molecule
from IPython.display import Markdown

from helpers import SymmetryAdaptedKernelRidge, load_frames
from helpers.plots import BLACK, BLUE, ORANGE, style, with_alt_text
from helpers.sagpr import (
    antisymmetric_rms,
    component_errors,
    environments,
    plot_component_curves,
    plot_tensor_parity,
    plot_turning_tensor,
    read_tensors,
    save_model,
    split_by_trajectory,
    to_spherical,
)

warnings.filterwarnings("ignore")

RESULTS = Path("results")
RESULTS.mkdir(exist_ok=True)

frames = load_frames("water", "train", 200)
tensors = read_tensors(frames)  # DFT polarizabilities, (200, 3, 3), Å³ of the whole box
groups = [atoms.info["trajectory"] for atoms in frames]
# Whole trajectories are kept aside: frames of one trajectory resemble each other.
train_frames, test_frames = split_by_trajectory(frames, 49, seed=0)
train_tensors, test_tensors = read_tensors(train_frames), read_tensors(test_frames)
train_groups = [atoms.info["trajectory"] for atoms in train_frames]
print(f"{len(train_frames)} frames to train, {len(test_frames)} of other trajectories to test")

# %% [markdown]
# ## A picture first: a tensor turns with the molecule
#
# An electric field $\boldsymbol{\mathcal{E}}$ shifts the electrons of a molecule and so induces a dipole moment
# $\boldsymbol\mu = \boldsymbol\alpha \, \boldsymbol{\mathcal{E}}$ (lesson 01). The **polarizability** $\boldsymbol\alpha$ is a 3 × 3
# matrix because the electrons may move more easily along one direction of the molecule than along another. It can be drawn
# as an ellipsoid: long in the directions in which the molecule is easily polarized. The next cell draws the polarizability of a water
# molecule, as measured in the gas ([Murphy, 1977](https://doi.org/10.1063/1.434794)), while the molecule turns in a
# horizontal field. (The three measured values differ by a few percent only. To make that visible, the difference
# is drawn twelve times as large.)
#
# **Predict.** The molecule stays the same, and turns in the plane of x and y. Which of the nine numbers of the matrix will
# change?

# %%
MEASURED_A3 = np.diag([1.415, 1.528, 1.468])  # across the plane, along H–H, along the symmetry axis
panels = plot_turning_tensor(molecule("H2O"), MEASURED_A3, (0, 30, 60, 90), exaggeration=12)
with_alt_text(
    panels[0],
    "A water molecule turned by 0, 30, 60 and 90 degrees, with an ellipse that turns with it. The dipole "
    "points along the field at 0 and 90 degrees, and away from it in between; xx falls from 1.528 to "
    "1.468 Å³, and xy is 0, 0.026, 0.026 and 0.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The ellipse keeps its shape and turns with the molecule, and all numbers that belong to the plane change. Between
# 0° and 90° the dipole no longer points along the field: that is what xy stands for. What does not change is the
# size of the ellipsoid, given by the trace of the matrix.
#
# </details>
#
# ## Theory
#
# If a frame is rotated by the rotation matrix $\mathbf R$, its polarizability (Å³) becomes
# $\mathbf R \boldsymbol\alpha \mathbf R^{\mathsf T}$. A model that learned the nine numbers one by one would have to learn every
# orientation anew. It is better to learn two parts that rotations do not mix. They are named by a number $\lambda$:
#
# - $\lambda = 0$: the trace $\alpha_{xx} + \alpha_{yy} + \alpha_{zz}$, which gives the size of the ellipsoid, one number that
#   no rotation changes;
# - $\lambda = 2$: the *anisotropy*, what is left of a symmetric matrix without its trace. It gives the shape and the orientation
#   of the ellipsoid: five numbers, which a rotation mixes with each other as it mixes the five $d$ orbitals.
#
# Each part is learned with a kernel that transforms in the same way, an *equivariant* kernel:
#
# $$\alpha^{(\lambda)}_\mu(A) = \sum_{B} \sum_{\mu'} k^{(\lambda)}_{\mu\mu'}(A, B) \, w^{(\lambda)}_{B\mu'},
# \qquad k^{(\lambda)}_{\mu\mu'}(A, B) = \sum_{i \in A} \sum_{j \in B}
# \mathbf p^{(\lambda)}_{i\mu} \cdot \mathbf p^{(\lambda)}_{j\mu'}$$
#
# Here $A$ is the frame to predict, $B$ runs over the training frames, $i$ and $j$ over the oxygen atoms of $A$ and $B$, and the
# indices $\mu$, $\mu'$ number the components of a part, from $-\lambda$ to $\lambda$ (one for $\lambda = 0$, five for
# $\lambda = 2$). The $\lambda$-SOAP *features* $\mathbf p^{(\lambda)}$ are lists of numbers that describe the neighborhood of an
# atom; for $\lambda = 0$ they are the SOAP of lesson 02, and for $\lambda = 2$ they turn with the neighborhood as the
# ellipsoid does.
#
# The weights come from ridge regression (least squares with a penalty on large weights),
# $\mathbf w = (\mathbf K + \rho \mathbf 1)^{-1} \mathbf y$, where $\mathbf K$ holds the kernel between all training frames,
# $\mathbf y$ their polarizabilities, and the **regularization** $\rho$ plays the role that $\sigma^2$ had for the potential.
# The method is called SA-GPR, symmetry-adapted Gaussian process regression
# ([Grisafi et al., 2018](https://doi.org/10.1103/PhysRevLett.120.036002)).

# %% [markdown]
# Now to the data. A whole box of 16 molecules has a polarizability as well. How much do its components change from frame to
# frame? Errors of models are often quoted in percent of this *spread*, the standard deviation: a model that always
# predicted the mean would have an error of 100 %.

# %%
spherical = to_spherical(tensors)
spread = pd.DataFrame(
    {
        "mean, Å³": [tensors[:, 0, 0].mean(), tensors[:, 0, 1].mean(), tensors[:, 1, 0].mean()],
        "standard deviation, Å³": [
            tensors[:, 0, 0].std(),
            tensors[:, 0, 1].std(),
            tensors[:, 1, 0].std(),
        ],
    },
    index=["xx", "xy", "yx"],
)
print(spread.round(3).to_string())
with style():
    figure, ax = plt.subplots(figsize=(8, 4.2))
for values, color, name in (
    (spherical[0][:, 0] - spherical[0].mean(), BLACK, "λ = 0: trace/√3"),
    (spherical[2].ravel(), ORANGE, "λ = 2: all five components"),
):
    ax.hist(values, bins=30, density=True, histtype="step", lw=2.5, color=color, label=name)
ax.set(title="What there is to learn", xlabel="deviation from the mean, Å³", ylabel="density")
ax.legend(fontsize=11)
with_alt_text(
    figure,
    f"Histograms of the two parts of the polarizability of {len(frames)} frames, each around 0: the trace divided "
    f"by √3 with a standard deviation of {spherical[0].std():.2f} Å³, the components of λ = 2 with "
    f"{spherical[2].std():.2f} Å³.",
)

# %% [markdown]
# ## Exercise 3 (1): learning curves of xx, xy and yx (6 points)
#
# *Why:* a tensor has nine components. Are they equally hard to learn?
#
# **Predict.** Draw three learning curves on paper: those of xx, xy and yx. Which of them will lie on each other?
#
# **Compute.** For 20, 40, 80 and 150 training frames (the first ones of `train_frames`), train a
# `SymmetryAdaptedKernelRidge()` and predict the polarizabilities of the test frames. It is used as a model of
# scikit-learn is: `help(SymmetryAdaptedKernelRidge.fit)` explains its arguments. Keep
#
# - `predictions` (dict, number of frames → array of shape (49, 3, 3), Å³);
# - `curves` (DataFrame): one row for each number of frames (the index), columns `xx`, `xy` and `yx`
#   with the RMSE on the test frames, Å³. (4 points)
#
# <details><summary>Hint 1</summary>
#
# `fit(frames, tensors)` trains, and `predict(frames)` returns an array of shape (n, 3, 3). The component xy of all
# frames is `array[:, 0, 1]`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Collect one dictionary `{"xx": …, "xy": …, "yx": …}` for each number of frames in a dictionary `rows`. Then
# `pd.DataFrame(rows).T` is the table.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex3-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# predictions = …
# curves = …
### BEGIN SOLUTION
predictions, rows = {}, {}
for n in (20, 40, 80, 150):
    model = SymmetryAdaptedKernelRidge().fit(train_frames[:n], train_tensors[:n])
    predictions[n] = model.predict(test_frames)
    rmse = np.sqrt(np.mean((predictions[n] - test_tensors) ** 2, axis=0))
    rows[n] = {"xx": rmse[0, 0], "xy": rmse[0, 1], "yx": rmse[1, 0]}
curves = pd.DataFrame(rows).T
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
table = curves[["xx", "xy", "yx"]].rename_axis("n_frames").reset_index()
ax = plot_component_curves(table.melt("n_frames", var_name="component", value_name="rmse"))
ax.set_ylabel("RMSE on test frames, Å³")
with_alt_text(
    ax,
    "Test error against training frames on logarithmic axes. xx falls from "
    f"{curves['xx'].iloc[0]:.2f} to {curves['xx'].iloc[-1]:.2f} Å³, xy from "
    f"{curves['xy'].iloc[0]:.2f} to {curves['xy'].iloc[-1]:.2f}; the curve of yx lies on that of xy.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for predictions that learn, two for the errors computed from them.
assert {20, 40, 80, 150} <= set(predictions), "Predictions for 20, 40, 80 and 150 frames."
assert hasattr(curves, "index") and hasattr(curves, "columns"), "curves should be a DataFrame."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_true = _read_tensors(_split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)[1])
_sizes = (20, 40, 80, 150)
_made = {n: _np.asarray(predictions[n], float).reshape(len(_true), 3, 3) for n in _sizes}
_rmse = {n: _np.sqrt(_np.mean((_made[n] - _true) ** 2, axis=0)) for n in _sizes}
# Well above what the default model reaches; and far below it only for frames that it has seen.
_percent = 100 * _rmse[150] / _true.std(axis=0)
_learns = _rmse[150][0, 1] < _rmse[20][0, 1] and _percent[0, 0] < 30 and 12.5 < _percent[0, 1] < 20
_wanted = {(n, name) for n in _sizes for name in ("xx", "xy", "yx")}
_there = {(n, name) for n, name in _wanted if n in curves.index and name in curves.columns}
_right = sum(
    abs(float(curves.loc[n, name]) / _rmse[n]["xyz".index(name[0]), "xyz".index(name[1])] - 1)
    < 0.01
    for n, name in _there
)
if _there < _wanted:
    print("curves: rows (the index) 20, 40, 80 and 150, columns xx, xy and yx.")
if not _learns:
    print("The predictions do not look like those of this model on the 49 test frames.")
if _right < 12:
    print(f"{_right} of 12 errors are the RMSE of your predictions of that component.")
float(2.0 * _learns + 2.0 * _right / 12)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Would the model be improved further by adding more training structures? Judge
# from your curves, for xx and for xy (lesson 03), and say what you cannot judge from them.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Yes. Up to 150 frames the curve of xy falls with every step, with no sign of a plateau, so a few hundred frames more
# should lower the error further. A power law through the last points gives an idea of how much one more doubling
# would gain; it is an extrapolation. For xx the curve falls as well, but less regularly: its error contains that of the
# trace, and with some ten test trajectories each point has an error of more than a tenth, so a step up or down
# between two points means little. The curves do not show how far this goes on: the features see neighbors up to the
# cutoff only, and at some point that limit, and the noise of the labels, will stop the curves.
#
# === BEGIN MARK SCHEME ===
# - 1 point: yes, because the curves (at least that of xy) still fall at their end; an argument from the slope.
# - 1 point: a limit of the judgment: scatter of the points, few test frames, extrapolation, or a plateau to come.
# === END MARK SCHEME ===

# %% tags=["discussion"]
falls = curves.loc[150] / curves.loc[20]
slope = np.log(curves.loc[150] / curves.loc[80]) / np.log(150 / 80)
judged = component_errors(test_tensors, predictions[150]).set_index("component")
relative = judged["percent"]
rng = np.random.default_rng(0)
trajectory = np.array([atoms.info["trajectory"] for atoms in test_frames])
draws = []
for _ in range(200):  # other trajectories for the test, drawn from these
    names = rng.choice(np.unique(trajectory), len(np.unique(trajectory)))
    drawn = np.concatenate([np.flatnonzero(trajectory == name) for name in names])
    draws.append(np.sqrt(np.mean((predictions[150] - test_tensors)[drawn] ** 2, axis=0)))
error = np.std(draws, axis=0)
Markdown(
    f"**Discussion.** From 20 to 150 frames the error of xx falls to {falls['xx']:.0%} of its first value, "
    f"that of xy to {falls['xy']:.0%}; then it is {relative['xx']:.0f} % of the spread of xx and "
    f"{relative['xy']:.0f} % of that of xy. So the components are not equally hard. The errors of xy "
    f"and yx differ by {np.abs(curves['xy'] / curves['yx'] - 1).max():.1%} at most: not two curves, but one. "
    f"Over the last step the slopes on the logarithmic axes are {slope['xx']:.2f} for xx and {slope['xy']:.2f} for "
    f"xy; if that went on, twice as many frames would change the errors by {2 ** slope['xx'] - 1:+.0%} and "
    f"{2 ** slope['xy'] - 1:+.0%}. How sure is that? With {len(np.unique(trajectory))} test trajectories the last points "
    f"are {curves['xx'][150]:.3f} ± {error[0, 0]:.3f} and {curves['xy'][150]:.3f} ± {error[0, 1]:.3f} Å³ (bootstrap over "
    "trajectories). The points of a curve share their test frames, so its fall is known better than its height. "
    "The next exercise asks why two of the curves coincide."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The curves of xy and yx are one curve, and that of xx lies higher and is less smooth. All of them still fall at 150 frames, so
# more training structures would help, although the test set is too small to say by exactly how much.
#
# </details>

# %% [markdown]
# ## Exercise 3 (2): which are equal, and why? (4 points)
#
# *Why:* if you know which components must be equal, you can find errors in your data.
#
# **Predict.** You turn a frame that the model has never seen by 40°, an angle that no training frame was turned by. There are
# two ways to a tensor: turn the frame and predict, or predict and turn the tensor. By how much will the two results differ:
# by the usual error of the model, by more, or not at all?
#
# **Compute.** Train a model on all of `train_frames` and predict the test frames, as they are and after rotation. The
# function `turned`, below, rotates positions and cell by the matrix `R`. Keep
#
# - `alpha` (array of shape (49, 3, 3), Å³): the predictions for the test frames before rotation;
# - `alpha_turned` (the same shape): the predictions for the rotated frames;
# - `difference` (float, Å³): the largest absolute value of all entries of `alpha_turned` minus
#   $\mathbf R \boldsymbol\alpha \mathbf R^{\mathsf T}$. (2 points)
#
# <details><summary>Hint</summary>
#
# `R @ alpha @ R.T` rotates all 49 matrices at once: NumPy multiplies the last two axes.
#
# </details>

# %%
angle = 0.7  # rad, about the axis (1, 1, 0)/√2
u = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
R = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def turned(atoms):
    """Return atoms and cell, turned by R."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell @ R.T)
    copy.positions = atoms.positions @ R.T
    return copy


# %% nbgrader={"grade": false, "grade_id": "ex3-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# alpha = …
# alpha_turned = …
# difference = …
### BEGIN SOLUTION
model = SymmetryAdaptedKernelRidge().fit(train_frames, train_tensors, groups=train_groups)
alpha = model.predict(test_frames)
alpha_turned = model.predict([turned(atoms) for atoms in test_frames])
difference = float(np.abs(alpha_turned - R @ alpha @ R.T).max())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"largest difference {difference:.1e} Å³; xx of the first frame: {alpha[0, 0, 0]:.3f} Å³")
print(
    f"xy − yx in the predictions, at most: {np.abs(alpha[:, 0, 1] - alpha[:, 1, 0]).max():.1e} Å³"
)
print(f"(α − αᵀ)/2 in the DFT tensors, RMS: {antisymmetric_rms(tensors):.1e} Å³")
with style():
    parity, (left, right) = plt.subplots(1, 2, figsize=(12, 5.6))
plot_tensor_parity(test_tensors, alpha, 0, ax=left)
plot_tensor_parity(test_tensors, alpha, 2, ax=right)
judged = component_errors(test_tensors, alpha).set_index("component")["percent"]
with_alt_text(
    parity,
    "Predicted against DFT components of the test frames: the trace (left, error "
    f"{judged['λ=0']:.0f} % of the spread) and the five components of the anisotropy (right, "
    f"{judged['λ=2']:.0f} %), all close to the diagonal.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# One point for the predictions of both, one for the difference between them.
assert np.shape(alpha) == np.shape(alpha_turned) == (49, 3, 3), "Shapes (49, 3, 3)."
### BEGIN HIDDEN TESTS
import numpy as _np
from scipy.spatial.transform import Rotation as _Rotation

from helpers import load_frames as _load_frames
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_true = _read_tensors(_split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)[1])
_R = _Rotation.from_rotvec(0.7 * _np.array([1.0, 1.0, 0.0]) / _np.sqrt(2)).as_matrix()
assert _np.allclose(_R, R), "R was changed: run its cell again."
_alpha, _turned = _np.asarray(alpha, float), _np.asarray(alpha_turned, float)
_off = float(_np.abs(_turned - _R @ _alpha @ _R.T).max())
_moved = float(_np.abs(_turned - _alpha).max())
_percent = 100 * _np.sqrt(_np.mean((_alpha - _true) ** 2, axis=0)) / _true.std(axis=0)
_learned = _percent[0, 0] < 30 and 12.5 < _percent[0, 1] < 20  # frames that it has seen: about 10
_good = _off < 1e-6 and _moved > 0.01 and _learned
_told = _learned and abs(float(difference)) < 1e-6 and abs(float(difference) - _off) < 1e-9
if not _learned:
    print("alpha should be what a model predicts for the test frames that it has not seen.")
elif not _good:
    print(f"α of the turned frames differs from R α Rᵀ by {_off:.2g} Å³: turn positions and cell.")
if not _told:
    print("difference should be max |alpha_turned − R α Rᵀ|, with the transposed R on the right.")
float(_good) + float(_told)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Which of the curves xx, xy and yx of exercise 3 (1) coincide, and why?
# Why does xx behave differently? (Which of the parts λ = 0 and λ = 2 does each of them contain?)

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# xy and yx are the same: the static polarizability is a symmetric tensor, and the model can only
# predict symmetric ones (its λ = 0 and λ = 2 parts), up to the tiny antisymmetric noise of the DFT data, which is not learned.
# xx contains the trace as well: it is a mixture of λ = 0 and λ = 2, two functions that are learned
# separately. xy is λ = 2 alone. In a liquid no direction is special, so that yy and zz behave
# as xx, and xz and yz as xy, up to statistics.
#
# === BEGIN MARK SCHEME ===
# - 1 point: xy = yx because the tensor (data and model) is symmetric.
# - 1 point: xx mixes λ = 0 (trace) with λ = 2, xy holds λ = 2 only.
# === END MARK SCHEME ===

# %% tags=["discussion"]
shares = component_errors(test_tensors, predictions[150]).set_index("component")
Markdown(
    "**Discussion.** Relative to what there is to predict, the error of xy is "
    f"{shares['percent']['xy']:.0f} %, of xx {shares['percent']['xx']:.0f} %; the trace alone "
    f"{shares['percent']['λ=0']:.0f} %. The trace hardly changes from frame to frame (standard "
    f"deviation {shares['std']['λ=0']:.2f} Å³ for a box of {np.trace(tensors.mean(0)) / 3:.0f} Å³), "
    "and what is left of it is hard to learn. That a rotated frame gives the rotated tensor to "
    f"{difference:.0e} Å³ was not learned from data: equivariance is built into the features."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The prediction of the turned frame is the turned prediction, to rounding: nothing about rotation had to be learned.
# In the figure the points of both parts lie along the diagonal, those of the trace with the larger scatter relative to their
# spread.
#
# </details>

# %% [markdown]
# ## Exercise 3 (3): 200 against 500 features (5 points)
#
# *Why:* the features of many frames fill large files. How many features does the model need? (In the terminal edition,
# `workshop/polarizability`, the command `sagpr_get_PS` writes such files.)
#
# **Predict.** A model with `n_features=200` keeps, of each λ, those 200 features that differ most from each
# other (farthest-point sampling). How will the size of the files change with 500 features instead of 200, and how will the
# error?
#
# **Compute.** Repeat the learning curves, for the error of λ = 2 alone, with 200 and with 500 features. Keep
#
# - `feature_curves` (DataFrame): rows 20, 40, 80 and 150 (the index), columns `200` and `500` (numbers, not text)
#   with the error of λ = 2 on the test frames in percent of its spread. `component_errors(test_tensors, …)` is a
#   table with this number in its column `percent`;
# - `models` (dict with the keys 200 and 500): the models of 150 frames, trained with `groups=train_groups`;
# - `size_MB` (dict with the keys `(200, 0)`, `(200, 2)`, `(500, 0)` and `(500, 2)`: number of features, λ): the size of
#   the file that `save_features(model, λ, path)`, below, writes (1 MB = 10⁶ bytes). Write them into `RESULTS`. (3 points)
#
# <details><summary>Hint 1</summary>
#
# `errors.set_index("component")["percent"]["λ=2"]` is the number that is wanted from a table of `component_errors`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `os.path.getsize(path)` is the size of a file in bytes. Two nested loops, over 200 and 500 and over the four numbers of
# frames, fill everything; the model of the last pass is the one to keep.
#
# </details>


# %%
def save_features(model, lambda_, path):
    """Write the features of one λ of all training frames, those that the model keeps, as .npy."""
    kept = model.feature_map_.selection
    features = environments(train_frames, model.soap, [lambda_], selection=kept)
    np.save(path, features["O", lambda_].values)


# %% nbgrader={"grade": false, "grade_id": "ex3-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# feature_curves = …
# models = …
# size_MB = …
### BEGIN SOLUTION
columns, models, size_MB = {}, {}, {}
for n_features in (200, 500):
    columns[n_features] = {}
    for n in (20, 40, 80, 150):
        one = SymmetryAdaptedKernelRidge(n_features=n_features)
        one.fit(train_frames[:n], train_tensors[:n], groups=train_groups[:n])
        errors = component_errors(test_tensors, one.predict(test_frames))
        columns[n_features][n] = errors.set_index("component")["percent"]["λ=2"]
    models[n_features] = one
    for k in (0, 2):
        path = RESULTS / f"PS{k}_{n_features}.npy"
        save_features(one, k, path)
        size_MB[n_features, k] = os.path.getsize(path) / 1e6
feature_curves = pd.DataFrame(columns)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
rows = []
for n in (200, 500):
    file = save_model(models[n], RESULTS / f"model_{n}.npz")
    sizes = [f"{size_MB[n, 0]:.1f}", f"{size_MB[n, 2]:.1f}", f"{os.path.getsize(file) / 1e6:.1f}"]
    rows.append([n, *sizes, f"{feature_curves[n].iloc[-1]:.1f}"])
names = ["features", "λ=0 file, MB", "λ=2 file, MB", "saved model, MB", "error of λ=2, %"]
print(pd.DataFrame(rows, columns=names).to_string(index=False))
with style():
    figure, ax = plt.subplots(figsize=(7, 4.6))
for n, color, line in ((200, BLUE, "o-"), (500, ORANGE, "s-")):
    ax.loglog(
        feature_curves.index, feature_curves[n], line, ms=9, color=color, label=f"{n} features"
    )
ax.set(
    title="Learning curves of λ = 2",
    xlabel="training frames",
    ylabel="error on test frames, % of the spread",
)
ax.minorticks_off()
ax.set_xticks(list(feature_curves.index), [str(n) for n in feature_curves.index])
ax.set_yticks([15, 20, 25], ["15", "20", "25"])
ax.legend()
with_alt_text(
    figure,
    "Error of λ = 2 against training frames, logarithmic: with 200 features from "
    f"{feature_curves[200].iloc[0]:.1f} to {feature_curves[200].iloc[-1]:.1f} %, with 500 from "
    f"{feature_curves[500].iloc[0]:.1f} to {feature_curves[500].iloc[-1]:.1f} %.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: the learning curves, the models, the sizes of the files.
assert {200, 500} <= set(models) and {200, 500} <= set(feature_curves), "200 and 500 features."
assert len(size_MB) == 4, "Four files: 200 and 500 features, λ = 0 and 2."
### BEGIN HIDDEN TESTS
from helpers import load_frames as _load_frames
from helpers.sagpr import component_errors as _component_errors
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_known, _test = _split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)
_n_oxygens = sum(a.symbols.count("O") for a in _known)
_score = [0.0, 0.0, 0.0]
for _n in (200, 500):
    _keeps = {
        int(key[1]): len(columns)
        for key, columns in (models[_n].feature_map_.selection or {}).items()
    }
    _honest = len(models[_n].loo_predictions_) in (150, len(_known))  # no test frames
    _score[1] += 0.5 * (_keeps.get(2) == _n and _honest)
    _errors = _component_errors(_read_tensors(_test), models[_n].predict(_test))
    _want = float(_errors.set_index("component")["percent"]["λ=2"])
    _curve = [float(feature_curves.loc[_m, _n]) for _m in (20, 40, 80, 150)]
    _falls = _curve[0] > _curve[1] > _curve[3] and 20 < _curve[0] < 60
    _score[0] += 0.5 * (_falls and abs(_curve[3] - _want) < 0.4)
    for _k in (0, 2):
        _bytes = _n_oxygens * (2 * _k + 1) * _keeps.get(_k, 0) * 8
        _score[2] += 0.25 * any(
            abs(float(size_MB[_n, _k]) * unit / max(_bytes, 1) - 1) < 0.02 for unit in (1e6, 2**20)
        )
if sum(_score) < 3:
    print(
        f"feature_curves, models, size_MB: {_score}. Models of the training frames, none of the test "
        "frames; λ = 2, in percent; sizes of the .npy files in MB."
    )
float(sum(_score))
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Is it worth keeping 500 features? Compare what is gained with what more frames
# gained in exercise 3 (1). What do features cost apart from space on the disk?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The λ = 2 file grows in proportion to the number of features (2.5 times), and the error with 150 frames falls by only a
# few percent of its value, far less than what the step from 80 to 150 frames gained. So for these data the number of frames is
# the limit, not the number of features: 200 different ones say nearly all that 150 frames can use. With few
# frames the two curves lie on each other, with many they begin to part, so with several hundred frames 500 may pay. (λ = 0 has
# only 468 features: with 500 all of them are kept.) Features also cost memory, and time for every frame of a trajectory, which
# counts when a spectrum needs ten thousand of them, and the saved model contains a matrix of features × features.
#
# === BEGIN MARK SCHEME ===
# - 1 point: a judgment from the numbers: size in proportion to the features, an error that falls by less than with more frames.
# - 1 point: other costs (memory, time for each prediction), or why features are redundant.
# === END MARK SCHEME ===

# %% tags=["discussion"]
every = models[500].soap.n_features(2)
full = component_errors(test_tensors, alpha).set_index("component")["percent"]
last = feature_curves.loc[150]
Markdown(
    f"**Discussion.** With 150 frames: {last[200]:.1f} % with 200 features, {last[500]:.1f} % with 500, "
    f"{full['λ=2']:.1f} % with all {every}; files of {size_MB[200, 2]:.0f} and {size_MB[500, 2]:.0f} MB for λ = 2. From "
    f"200 to 500 the error changes by {last[500] / last[200] - 1:+.0%}; with 20 frames by "
    f"{feature_curves[500][20] / feature_curves[200][20] - 1:+.0%}. Compare that with the other way to improve: from 80 to "
    f"150 frames the error of λ = 2 with 500 features changes by "
    f"{feature_curves[500][150] / feature_curves[500][80] - 1:+.0%}. So here the frames are the limit and not the features, but "
    "the curves begin to part: each additional feature needs data before it is of use. From 500 to all features the error "
    f"changes by another {full['λ=2'] / last[500] - 1:+.0%}. The selection looks at the features alone, not at the "
    "polarizabilities, and is the same for all five components: otherwise a turned frame would no longer give the "
    "turned tensor."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The files grow in proportion to the number of features. The error hardly falls with few frames and by a few percent of its
# value with 150, less than what more frames gain: the more data, the more features it pays to keep.
#
# </details>

# %% [markdown]
# ## Exercise 3 (4): optimize (8 points)
#
# *Why:* if you choose the settings that are best on the test frames, the test error is too optimistic:
# these frames then no longer test anything.
#
# **First, the regularization.** For a potential you varied σ (lesson 04); here you vary $\rho$. (It is given
# relative to the mean of the kernel's diagonal, so it has no unit.)
#
# To choose $\rho$ without the test frames, use the training frames twice. In *leave-one-out*, each training frame is predicted by
# a model that is trained on all the others, and the errors of these predictions are collected: the *left-out error*. For ridge
# regression there is a formula for it, so no further fits are needed. Better still, leave out whole trajectories at a time, so
# that no similar frame of the same trajectory remains among the others.
#
# **Predict.** Sketch two curves over $\log \rho$: the error on the training frames, and the left-out error. Where are they close
# to each other? Where is the second one lowest: at a very small $\rho$, at a very large one, or in between?
#
# **Compute.** `SymmetryAdaptedKernelRidge(regularization=…)` takes $\rho$. A fitted model has the left-out errors as
# `.loo_errors_`, a table like that of `component_errors`; with `groups=train_groups` in `fit`, whole trajectories are left out.
# Keep
#
# - `rho_errors` (DataFrame): for $\rho$ = 10⁻⁹, 10⁻⁸, …, 10⁰ (ten decades, the index) the columns `training` and
#   `left out`: the errors of λ = 2 in percent of the spread;
# - `best_rho` (float): a $\rho$ that you would choose, for λ = 2. (3 points)
#
# <details><summary>Hint</summary>
#
# `10.0 ** np.arange(-9, 1)` are the ten values. For the training error, predict `train_frames` and compare with
# `train_tensors`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex3-4a", "locked": false, "schema_version": 3, "solution": true, "task": false}
# rho_errors = …
# best_rho = …
### BEGIN SOLUTION
rows = {}
for rho in 10.0 ** np.arange(-9, 1):
    one = SymmetryAdaptedKernelRidge(regularization=rho)
    one.fit(train_frames, train_tensors, groups=train_groups)
    seen = component_errors(train_tensors, one.predict(train_frames)).set_index("component")
    left = one.loo_errors_.set_index("component")
    rows[rho] = {"training": seen["percent"]["λ=2"], "left out": left["percent"]["λ=2"]}
rho_errors = pd.DataFrame(rows).T
best_rho = float(rho_errors["left out"].idxmin())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-4a-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
with style():
    figure, ax = plt.subplots(figsize=(8, 4.8))
for name, color, line in (("training", BLUE, "o-"), ("left out", ORANGE, "s-")):
    ax.loglog(rho_errors.index, rho_errors[name], line, ms=8, color=color, label=name)
ax.axvline(best_rho, color=BLACK, ls=":", label="your choice")
ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
ax.minorticks_off()
ax.set(
    title="Regularization of λ = 2",
    xlabel="ρ, relative to the diagonal of the kernel",
    ylabel="error, % of the spread",
)
ax.legend(fontsize=11)
with_alt_text(
    figure,
    "Errors of λ = 2 against ρ on logarithmic axes. The training error rises from "
    f"{rho_errors['training'].iloc[0]:.2g} to {rho_errors['training'].iloc[-1]:.0f} %; that of left-out frames falls from "
    f"{rho_errors['left out'].iloc[0]:.0f} to {rho_errors['left out'].min():.1f} % and rises again to "
    f"{rho_errors['left out'].iloc[-1]:.0f} %.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-4a", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the errors over ten decades, one for a regularization on the plateau.
assert len(rho_errors) >= 10, "Ten decades, from 1e-9 to 1."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import SymmetryAdaptedKernelRidge as _Ridge
from helpers import load_frames as _load_frames
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_known, _ = _split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)
_groups = [_atoms.info["trajectory"] for _atoms in _known]
_rhos = _np.asarray(list(rho_errors.index), float)
_kept = [_np.asarray(list(rho_errors[_name]), float) for _name in ("training", "left out")]
_training, _left = (_values[_np.argsort(_rhos)] for _values in _kept)
_rhos = _np.sort(_rhos)


def _left_out(rho):
    _model = _Ridge(regularization=rho).fit(_known, _read_tensors(_known), groups=_groups)
    return float(_model.loo_errors_.set_index("component")["percent"]["λ=2"])


_wide = _rhos[0] < 2e-9 and _rhos[-1] > 0.5
_plateau_percent = _left_out(1e-3)
_spots = all(
    abs(_left[int(_np.abs(_np.log(_rhos / _rho)).argmin())] / _percent - 1) < 0.03
    for _rho, _percent in ((1e-8, _left_out(1e-8)), (1e-3, _plateau_percent))
)
_rises = bool(_np.all(_np.diff(_training) > -0.01)) and _training[0] < 0.5 * _left.min()
_plateau = _left_out(float(best_rho)) < 1.05 * _plateau_percent
if not (_wide and _spots):
    print("left out: .loo_errors_ of λ = 2, with groups=train_groups, from 1e-9 to 1.")
if not _rises:
    print("training: the error of λ = 2 on train_frames. It rises with the regularization.")
if not _plateau:
    print(
        f"best_rho = {float(best_rho):g} is no choice from the lowest part of the left-out curve."
    )
float(_wide and _spots) + float(_rises) + float(_plateau)
### END HIDDEN TESTS

# %% [markdown]
# **Now the other settings.** Some of them change the error noticeably, others hardly:
#
# - `centers`, the atoms whose neighborhoods are described: `("O",)` (the default), `("H",)` or `("H", "O")`;
# - `scaling_exponent`: far neighbors count less than near ones (*radial scaling*), the more so the larger the exponent is; 4 by
#   default, 0 for no scaling at all;
# - `cutoff_A` (Å), how far a neighborhood reaches: 5 by default;
# - `zeta`, which is 1 by default. With `zeta={0: 1, 2: 2}` the kernel of λ = 2 between two atoms is multiplied by the similarity of
#   their neighborhoods, so that similar neighborhoods count more (compare ζ in lesson 02).
#
# **Predict.** Which of them will matter most, and which hardly?
#
# **Compute.** Improve the model with a strategy that never uses the test frames. Without `regularization`, each fit chooses
# the best $\rho$ by leaving out trajectories (again with `groups=train_groups`). Try at least five settings, for example one
# after the other, then the best ones together. Keep
#
# - `tried` (list of tuples): each tuple holds a dict of settings, such as `{"cutoff_A": 6.0}`, and the left-out error of λ = 2
#   (float, percent of the spread) of a model with these settings;
# - `best_model`: the fitted model with the lowest left-out error. Save it for lesson 07: `joblib.dump(best_model, path)` to
#   `RESULTS / "polarizability.joblib"`;
# - `final_percent` (float): its error of λ = 2 on the test frames in percent of the spread, computed once, at the end. (4 points)
#
# <details><summary>Hint</summary>
#
# Write a function that takes a dict of settings and returns the left-out error and the fitted model:
# `SymmetryAdaptedKernelRidge(**settings)` passes the settings on by their names.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex3-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# tried = …
# best_model = …
# final_percent = …
### BEGIN SOLUTION
# One setting after the other; then the best value of each setting that helps, together.
candidates = [{}, {"centers": ("H",)}, {"centers": ("H", "O")}, {"scaling_exponent": 0.0}]
candidates += [{"cutoff_A": 3.5}, {"cutoff_A": 6.0}, {"zeta": {0: 1, 2: 2}}]


def left_out(settings):
    """Fit with these settings; return the left-out error of λ = 2 in percent, and the model."""
    fitted = SymmetryAdaptedKernelRidge(**settings)
    fitted.fit(train_frames, train_tensors, groups=train_groups)
    return float(fitted.loo_errors_.set_index("component")["percent"]["λ=2"]), fitted


fits = [(settings, *left_out(settings)) for settings in candidates]
default_percent, together = fits[0][1], {}
for settings, percent, _ in sorted(fits, key=lambda fit: fit[1]):
    if percent < default_percent:
        together = settings | together
fits.append((together, *left_out(together)))
fits.sort(key=lambda fit: fit[1])
tried = [(settings, percent) for settings, percent, _ in fits]
best_model = fits[0][2]
joblib.dump(best_model, RESULTS / "polarizability.joblib")
final = component_errors(test_tensors, best_model.predict(test_frames)).set_index("component")
final_percent = float(final["percent"]["λ=2"])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
names = [
    ", ".join(f"{key}={value}" for key, value in settings.items()) or "default"
    for settings, _ in tried
]
print(f"test frames, the best one: {final_percent:.2f} %")
with style():
    figure, ax = plt.subplots(figsize=(9, 0.5 * len(tried) + 1.6))
places = -np.arange(len(tried))  # the first on top
errors = [float(error) for _, error in tried]
ax.plot(errors, places, "o", ms=11, color=ORANGE)
for place, error in zip(places, errors, strict=True):
    ax.text(error + 0.15, place, f"{error:.1f}", va="center")
ax.set_yticks(places, names)
ax.set(title="Settings that were tried", xlabel="left-out error of λ = 2, % of its spread")
ax.set_xlim(min(errors) - 0.5, max(errors) + 1.2)
ax.grid(axis="x", alpha=0.3)
with_alt_text(
    figure,
    "The left-out error of each setting that was tried, from "
    f"{min(errors):.1f} to {max(errors):.1f} %.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point for the trials, two for a best model chosen by leaving out, one for its final error.
assert len(tried) >= 5, f"{len(tried)} settings were tried: at least five."
### BEGIN HIDDEN TESTS
from pathlib import Path as _Path

from helpers import load_frames as _load_frames
from helpers.sagpr import component_errors as _component_errors
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_known, _test = _split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)
_settings, _lowest = min(tried, key=lambda trial: float(trial[1]))
_trials = len({str(settings) for settings, _ in tried}) >= 5 and float(_lowest) > 5
_own = float(best_model.loo_errors_.set_index("component")["percent"]["λ=2"])
_has = best_model.get_params()


def _plain(value):
    return list(value) if isinstance(value, (list, tuple)) else value


_chosen = (
    abs(_own - float(_lowest)) < 0.05
    and all(_plain(_has.get(name)) == _plain(value) for name, value in _settings.items())
    and _own < 16.0  # the default reaches 15.0
    and len(best_model.loo_predictions_) == len(_known)
)
_errors = _component_errors(_read_tensors(_test), best_model.predict(_test)).set_index("component")
_final = abs(float(final_percent) - float(_errors["percent"]["λ=2"])) < 0.1
if not _chosen:
    print(
        f"best_model has a left-out error of {_own:.2f} %, the lowest that was tried is "
        f"{float(_lowest):.2f} %. It should be the same, with the same settings, not worse than the "
        "default's, and trained on all training frames and no others."
    )
if not _final:
    print(f"On the test frames best_model has {float(_errors['percent']['λ=2']):.2f} %.")
_saved = _Path("results", "polarizability.joblib").is_file()
if not _saved:
    print("Save the model: joblib.dump(best_model, RESULTS / 'polarizability.joblib').")
float(_trials) + float(_chosen) + float(_chosen and _saved) + float(_final)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (1 point, marked by hand). Your final error on the test frames and the lowest left-out error differ. By how
# much, and what follows from that for the differences between the settings that you tried?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-4", "locked": false, "points": 1, "schema_version": 3, "solution": true, "task": false}
# They differ by some tenths of a percent to one percent, because each is an average over few trajectories. Settings whose
# left-out errors differ by less than that cannot be ranked; between the best three any choice is as good. Differences
# of two percent and more, such as without radial scaling or with a cutoff of 3.5 Å, are real.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the size of the difference, and that smaller differences between settings are within its noise.
# === END MARK SCHEME ===

# %% tags=["discussion"]
lowest = sorted(errors)
singly = SymmetryAdaptedKernelRidge(**best_model.get_params()).fit(train_frames, train_tensors)
alone = float(singly.loo_errors_.set_index("component")["percent"]["λ=2"])
flat = rho_errors.index[rho_errors["left out"] < 1.05 * rho_errors["left out"].min()]
Markdown(
    f"**Discussion.** *Regularization.* With ρ = 10⁻⁹ the training error is {rho_errors['training'].iloc[0]:.1f} % and that "
    f"of left-out trajectories {rho_errors['left out'].iloc[0]:.0f} %: the model has learned its frames by heart, as the "
    f"potential did in lesson 04 with a small σ. With ρ = 1 both are large. The left-out error is within 5 % of its minimum "
    f"from {flat.min():.0e} to {flat.max():.0e}: any value there will do. *Other settings.* The best one that was tried "
    f"reaches {lowest[0]:.1f} % left out, the worst {lowest[-1]:.1f} %. The best one has {final_percent:.1f} % on the test "
    f"frames, so the two estimates differ by {abs(final_percent - lowest[0]):.1f} %, and the best three settings by "
    f"{lowest[2] - lowest[0]:.1f} % among each other: with "
    f"{len({atoms.info['trajectory'] for atoms in test_frames})} trajectories for the test, differences of this size are "
    "chance. *What is left out* matters as well: leaving out single frames and not whole trajectories gives "
    f"{alone:.1f} %, because similar frames of the same trajectory then stay in the training set. (These frames are 0.5 ps "
    "apart. The closer they are in time, the more optimistic is that number.)"
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The training error only rises with ρ; the left-out error has a wide, flat minimum in between. Of the other settings, a cutoff
# that is too short and a missing radial scaling cost most; the good settings are equally good within the noise.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A polarizability has two parts, $\lambda = 0$ and $\lambda = 2$, learned with kernels that transform in the same way.
# - xy and yx are one number; xx mixes both parts.
# - More training frames still lower the error; more features help only as far as there is data for them.
# - The regularization has a wide range that works; a cutoff that is long enough and a radial scaling matter more than the rest.
# - Choose settings by leaving out whole trajectories; use the test frames once, at the end.
#
# Read on: equivariant regression of tensors ([Grisafi et al., 2018](https://doi.org/10.1103/PhysRevLett.120.036002)); the
# dipole polarizability of thousands of molecules learned in this way ([Wilkins et al.,
# 2019](https://doi.org/10.1073/pnas.1816132116)). Your best model is saved, and lesson 07 will use it.
#
# ## Quiz
#
# 1. A model predicts xx, xy, … as nine separate numbers. What goes wrong when the box is rotated?
#
#    <details><summary>Answer</summary>
#
#    The predicted tensor does not rotate with the box: the model has to learn every orientation anew.
#
#    </details>
#
# 2. Why is λ = 1 missing?
#
#    <details><summary>Answer</summary>
#
#    λ = 1 would be the antisymmetric part, which vanishes for a static polarizability.
#
#    </details>
#
# 3. Why do frames of the training trajectories in the test set make an error look better than it is?
#
#    <details><summary>Answer</summary>
#
#    They resemble training frames so closely that the model hardly has to generalize.
#
#    </details>
#
# 4. How would you notice that a data file holds the nine components in a wrong order?
#
#    <details><summary>Answer</summary>
#
#    The tensors are not symmetric, or off-diagonal values are as large as diagonal ones.
#
#    </details>
