# %% [markdown]
# # 06 · Polarizabilities: learning a tensor
#
# **You will learn**
#
# - why models for scalars do not suffice for tensors, and what *symmetry-adapted* (equivariant) means;
# - to draw learning curves for components of a tensor, and to explain which of them coincide;
# - how fewer features change accuracy and cost;
# - to optimize a model without using the test frames.
#
# **Time:** 60 minutes, of which the computer needs less than one.
#
# **Before you start:** lessons 02 to 04 (errors, learning curves, overfitting).

# %%
import os
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import SymmetryAdaptedKernelRidge, load_frames
from helpers.plots import BLUE, GREEN, ORANGE, PURPLE, RED, SET_COLORS, style, with_alt_text
from helpers.sagpr import (
    antisymmetric_rms,
    component_errors,
    environments,
    read_tensors,
    split_by_trajectory,
    to_spherical,
)

warnings.filterwarnings("ignore")

RESULTS = Path("results")
RESULTS.mkdir(exist_ok=True)

frames = load_frames("water", "train", 200)
tensors = read_tensors(frames)  # DFT polarizabilities, (200, 3, 3), Å³ of the whole box
# Whole trajectories are kept aside: frames of one trajectory resemble each other.
train_frames, test_frames = split_by_trajectory(frames, 49, seed=0)
train_tensors, test_tensors = read_tensors(train_frames), read_tensors(test_frames)
train_groups = [atoms.info["trajectory"] for atoms in train_frames]
print(f"{len(train_frames)} frames to train, {len(test_frames)} of other trajectories to test")

# %% [markdown]
# ## Theory in one paragraph
#
# Light of field $\mathbf E$ induces a dipole $\boldsymbol\mu = \boldsymbol\alpha \, \mathbf E$. The
# polarizability $\boldsymbol\alpha$ (Å³) is a symmetric 3 × 3 tensor: if the frame is rotated by
# $\mathbf R$, it becomes $\mathbf R \boldsymbol\alpha \mathbf R^{\mathsf T}$. It has two parts that
# rotations do not mix: the trace ($\lambda = 0$, one invariant number) and the anisotropy
# ($\lambda = 2$, five numbers that transform like $d$ orbitals). Each part is learned with a kernel that
# transforms in the same way, an *equivariant* kernel:
#
# $$\alpha^{(\lambda)}_\mu(A) = \sum_{B} \sum_{\mu'} k^{(\lambda)}_{\mu\mu'}(A, B) \, w^{(\lambda)}_{B\mu'},
# \qquad k^{(\lambda)}_{\mu\mu'}(A, B) = \sum_{i \in A} \sum_{j \in B}
# \mathbf p^{(\lambda)}_{i\mu} \cdot \mathbf p^{(\lambda)}_{j\mu'}$$
#
# ($A$ the frame to predict, $B$ the training frames, $i$ and $j$ their oxygen atoms; $\mu$, $\mu'$ from
# $-\lambda$ to $\lambda$; $\mathbf p^{(\lambda)}$ the $\lambda$-SOAP features, which describe the
# neighborhood of an atom and transform under rotations like spherical harmonics). The weights come from ridge regression,
# $\mathbf w = (\mathbf K + \rho \mathbf 1)^{-1} \mathbf y$ with a regularization $\rho$, the role that
# $\sigma^2$ had for the potential.

# %% [markdown]
# These are the tensors of the 200 frames:

# %%
spherical = to_spherical(tensors)
with style():
    panels, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
colors = {"xx": BLUE, "yy": GREEN, "zz": PURPLE, "xy": ORANGE, "xz": RED}
for name, color in colors.items():
    i, j = "xyz".index(name[0]), "xyz".index(name[1])
    panel = left if i == j else right
    panel.hist(tensors[:, i, j], bins=25, histtype="step", lw=2, color=color, label=name)
left.set(title="Diagonal", xlabel="polarizability of the box, Å³", ylabel="frames")
right.set(title="Off the diagonal", xlabel="polarizability of the box, Å³", ylabel="frames")
left.legend()
right.legend()
with_alt_text(
    panels,
    "Histograms of components of the polarizability of 200 frames. On the diagonal they lie around "
    f"{tensors[:, 0, 0].mean():.1f} Å³ with a standard deviation of {tensors[:, 0, 0].std():.2f}; off "
    f"the diagonal around {tensors[:, 0, 1].mean():.2f} with {tensors[:, 0, 1].std():.2f}.",
)

# %% [markdown]
# ## Exercise 3 (1): learning curves of xx, xy and yx (4 points)
#
# *Why:* a tensor has nine components. Are they equally hard to learn?
#
# **Do.** For 20, 40, 80 and 150 training frames (the first ones of `train_frames`), fit a
# `SymmetryAdaptedKernelRidge()` with `fit(frames, tensors)` and predict the test frames with
# `predict(test_frames)`, which returns an array of shape (n, 3, 3). Keep
#
# - `predictions` (dict, number of frames → array of shape (49, 3, 3), Å³);
# - `curves` (DataFrame): one row for each number of frames (the index), columns `xx`, `xy` and `yx`
#   with the RMSE on the test frames, Å³.

# %% nbgrader={"grade": false, "grade_id": "ex3-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# predictions = …
# curves = …
### BEGIN SOLUTION
predictions = {}
for n in (20, 40, 80, 150):
    model = SymmetryAdaptedKernelRidge().fit(train_frames[:n], train_tensors[:n])
    predictions[n] = model.predict(test_frames)
rmse = {
    n: np.sqrt(np.mean((found - test_tensors) ** 2, axis=0)) for n, found in predictions.items()
}
curves = pd.DataFrame({n: {"xx": r[0, 0], "xy": r[0, 1], "yx": r[1, 0]} for n, r in rmse.items()}).T
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
with style():
    figure, ax = plt.subplots()
for name, color, line in (("xx", BLUE, "o-"), ("xy", ORANGE, "s-"), ("yx", PURPLE, "x:")):
    spread = test_tensors[:, "xyz".index(name[0]), "xyz".index(name[1])].std()
    ax.loglog(
        curves.index,
        curves[name],
        line,
        ms=9,
        color=color,
        label=f"{name} (spread {spread:.2f} Å³)",
    )
ax.set(title="Learning curves", xlabel="training frames", ylabel="RMSE on test frames, Å³")
ax.set_xticks(list(curves.index), [str(n) for n in curves.index])
ax.set_yticks([0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2", "0.3"])
ax.minorticks_off()
ax.legend()
with_alt_text(
    figure,
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

# %% tags=["discussion"]
falls = curves.loc[150] / curves.loc[20]
relative = component_errors(test_tensors, predictions[150]).set_index("component")["percent"]
Markdown(
    f"**Discussion.** From 20 to 150 frames the error of xx falls to {falls['xx']:.0%} of its first value, "
    f"that of xy to {falls['xy']:.0%}; then it is {relative['xx']:.0f} % of the spread of xx and "
    f"{relative['xy']:.0f} % of that of xy. So the components are not equally hard. The errors of xy "
    f"and yx differ by {np.abs(curves['xy'] / curves['yx'] - 1).max():.1%} at most: not two curves, but one. "
    "The next exercise asks why."
)

# %% [markdown]
# ## Exercise 3 (2): which are equal, and why? (4 points)
#
# *Why:* if you know which components must be equal, you can find errors in your data.
#
# **Do.** Rotate the test frames by `R` below (positions and cell), and predict their polarizabilities
# with a model that was trained on all training frames. Keep
#
# - `alpha` (array of shape (49, 3, 3), Å³): the predictions for the test frames before rotation;
# - `alpha_turned` (the same shape): the predictions for the rotated frames;
# - `difference` (float, Å³): the largest entry, without sign, of `alpha_turned` minus
#   $\mathbf R \boldsymbol\alpha \mathbf R^{\mathsf T}$. (2 points.)

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
parts, found = to_spherical(test_tensors), to_spherical(alpha)
with style():
    parity, (left, right) = plt.subplots(1, 2, figsize=(11, 5))
for panel, part, name in ((left, 0, "λ = 0: trace/√3"), (right, 2, "λ = 2: five components")):
    for k, color in zip(range(2 * part + 1), (BLUE, ORANGE, GREEN, PURPLE, RED), strict=False):
        panel.plot(parts[part][:, k], found[part][:, k], "o", ms=4, alpha=0.7, color=color)
    panel.axline((parts[part].mean(), parts[part].mean()), slope=1, color="black", lw=1, zorder=0)
    panel.set(title=name, xlabel="DFT, Å³", ylabel="predicted, Å³", aspect="equal")
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
# **Question** (2 points, marked by hand). Which of the curves xx, xy and yx coincide, and why?
# Why does xx behave differently?

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
# ## Exercise 3 (3): 200 against 500 features (5 points)
#
# *Why:* files of features become large. How many features does the model need? (In the terminal edition,
# `workshop/polarizability`, the command `sagpr_get_PS` writes such files, stage after stage.)
#
# **Do.** A model with `n_features=200` keeps, of each λ, those 200 features that differ most from each
# other (farthest-point sampling). Fit one with 200 and one with 500 features on all training frames, with
# `groups=train_groups`. Keep, each a dict with the keys 200 and 500,
#
# - `models`: the fitted models;
# - `percent`: the error of λ = 2 on the test frames, per cent of its spread, from
#   `component_errors(test_tensors, …)`;
# - `size_MB`: the size of the file (1 MB = 10⁶ bytes) that `save_features(model, path)`, below, writes. Files go
#   to the folder `RESULTS`.


# %%
def save_features(model, path):
    """Write the λ = 2 features of all training frames, those that the model keeps, to a .npy file."""
    found = environments(train_frames, model.soap, [2], selection=model.feature_map_.selection)
    np.save(path, found["O", 2].values)


# %% nbgrader={"grade": false, "grade_id": "ex3-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# models = …
# percent = …
# size_MB = …
### BEGIN SOLUTION
models, percent, size_MB = {}, {}, {}
for n in (200, 500):
    models[n] = SymmetryAdaptedKernelRidge(n_features=n)
    models[n].fit(train_frames, train_tensors, groups=train_groups)
    errors = component_errors(test_tensors, models[n].predict(test_frames))
    percent[n] = float(errors.set_index("component")["percent"]["λ=2"])
    path = RESULTS / f"PS2_{n}.npy"
    save_features(models[n], path)
    size_MB[n] = os.path.getsize(path) / 1e6
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
every = models[500].soap.n_features(2)
for n in (200, 500):
    print(f"{n} of {every} features: error {percent[n]:.1f} %, file {size_MB[n]:.0f} MB")

# %% nbgrader={"grade": true, "grade_id": "test3-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: the models, their errors, the sizes of the files.
assert set(models) == set(percent) == set(size_MB) == {200, 500}, "Keys 200 and 500."
### BEGIN HIDDEN TESTS
from helpers import load_frames as _load_frames
from helpers.sagpr import component_errors as _component_errors
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_known, _test = _split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)
_n_oxygens = sum(a.symbols.count("O") for a in _known)
_score = [0.0, 0.0, 0.0]
for _n in (200, 500):
    _keeps = [
        len(columns)
        for key, columns in (models[_n].feature_map_.selection or {}).items()
        if key[1] == 2
    ]
    _honest = len(models[_n].loo_predictions_) == len(_known)  # not fitted to the test frames
    _score[0] += 0.5 * (_keeps == [_n] and _honest)
    _errors = _component_errors(_read_tensors(_test), models[_n].predict(_test))
    _want = float(_errors.set_index("component")["percent"]["λ=2"])
    _score[1] += 0.5 * (abs(float(percent[_n]) - _want) < 0.2)
    _bytes = _n_oxygens * 5 * _n * 8
    _score[2] += 0.5 * any(
        abs(float(size_MB[_n]) * unit / _bytes - 1) < 0.02 for unit in (1e6, 2**20)
    )
if sum(_score) < 3:
    print(
        f"models, percent, size_MB: {_score}. Models of all training frames, none of the test frames; "
        "λ = 2, in per cent; sizes of the .npy files in MB."
    )
float(sum(_score))
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Is it worth keeping 500? What do features cost besides disk?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text3-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The file grows in proportion to the number of features (2.5 times), while the error falls by little
# (the check shows both): many features carry nearly the same information, and farthest-point sampling
# keeps the different ones. With 200 the model is nearly as good, smaller and faster. Features also cost
# memory, and the time to compute them for every frame of a trajectory, which counts when a spectrum needs
# ten thousand frames. Keep 500 only if the last bit of accuracy matters and there is enough disk space.
#
# === BEGIN MARK SCHEME ===
# - 1 point: a judgment from the numbers: size in proportion to the features, error hardly changes.
# - 1 point: other costs (memory, time for each prediction), or why features are redundant.
# === END MARK SCHEME ===

# %% tags=["discussion"]
full = component_errors(test_tensors, alpha).set_index("component")["percent"]
Markdown(
    f"**Discussion.** {percent[200]:.1f} % with 200 features, {percent[500]:.1f} % with 500, "
    f"{full['λ=2']:.1f} % with all {every}; {size_MB[200]:.0f} and {size_MB[500]:.0f} MB on disk, "
    f"for {len(train_frames)} frames. The selection looks at the features alone, not at the "
    "polarizabilities, and is the same for all five components: otherwise a turned frame would no longer "
    "give the turned tensor."
)

# %% [markdown]
# ## Exercise 3 (4): optimize (4 points)
#
# *Why:* if you choose the settings that are best on the test frames, the test error is too optimistic:
# these frames then no longer test anything.
#
# **Do.** Improve the model with a strategy that never uses the test frames. The regularization is
# already chosen by cross-validation (`regularization=None`). The fitted model has the errors of left-out
# frames as `.loo_errors_`; with `groups=train_groups` whole trajectories are left out at a time, so that
# no similar frame of the same trajectory remains in the training set. Try at least four settings (of `cutoff_A`, `sigma_A`, `scaling_A`, `scaling_exponent`, `zeta`,
# `centers`, …). Keep
#
# - `tried` (list of tuples): each a dict of settings, by their names, and the left-out error of λ = 2 in
#   per cent that a model has with them;
# - `best_model`: the fitted model with the lowest of them. Save it: `joblib.dump(best_model, path)` to
#   `RESULTS / "polarizability.joblib"`;
# - `final_percent` (float): its error of λ = 2 on the test frames in per cent, computed once, at the end.

# %% nbgrader={"grade": false, "grade_id": "ex3-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# tried = …
# best_model = …
# final_percent = …
### BEGIN SOLUTION
# One setting after the other, beside the default; then the best values of the two that help most.
candidates = [{}, {"cutoff_A": 4.0}, {"cutoff_A": 6.0}, {"sigma_A": 0.5}]
candidates += [{"scaling_exponent": 3.0}, {"zeta": {0: 1, 2: 2}}]


def left_out(settings):
    """Fit with these settings; return the left-out error of λ = 2 in per cent, and the model."""
    fitted = SymmetryAdaptedKernelRidge(**settings)
    fitted.fit(train_frames, train_tensors, groups=train_groups)
    return float(fitted.loo_errors_.set_index("component")["percent"]["λ=2"]), fitted


fits = [(settings, *left_out(settings)) for settings in candidates]
fits.sort(key=lambda fit: fit[1])
best = {}
for settings, *_ in fits:  # the best first: later values of the same setting do not count
    for name, value in settings.items():
        best.setdefault(name, value)
together = dict([*best.items()][:2])
fits.append((together, *left_out(together)))
fits.sort(key=lambda fit: fit[1])
tried = [(settings, error) for settings, error, _ in fits]
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
for name, (_, error) in zip(names, tried, strict=True):
    print(f"left out {error:.2f} %  {name}")
print(f"test frames, the best one: {final_percent:.2f} %")
with style():
    figure, ax = plt.subplots(figsize=(8, 0.5 * len(tried) + 1.6))
places = -np.arange(len(tried))  # the first on top
ax.barh(places, [error for _, error in tried], color=SET_COLORS["validation"])
ax.set_yticks(places, names)
ax.set(title="Settings that were tried", xlabel="left-out error of λ = 2, % of its spread")
with_alt_text(
    figure,
    "Bars: the left-out error of each setting that was tried, from "
    f"{min(error for _, error in tried):.1f} to {max(error for _, error in tried):.1f} %.",
)

# %% nbgrader={"grade": true, "grade_id": "test3-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point for the trials, two for a best model chosen by leaving out, one for its final error.
assert len(tried) >= 4, f"{len(tried)} settings were tried: at least four."
### BEGIN HIDDEN TESTS
from pathlib import Path as _Path

from helpers import load_frames as _load_frames
from helpers.sagpr import component_errors as _component_errors
from helpers.sagpr import read_tensors as _read_tensors
from helpers.sagpr import split_by_trajectory as _split_by_trajectory

_known, _test = _split_by_trajectory(_load_frames("water", "train", 200), 49, seed=0)
_settings, _lowest = min(tried, key=lambda trial: float(trial[1]))
_trials = len({str(settings) for settings, _ in tried}) >= 4 and float(_lowest) > 5
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

# %% tags=["discussion"]
lowest = sorted(error for _, error in tried)
singly = SymmetryAdaptedKernelRidge(**best_model.get_params()).fit(train_frames, train_tensors)
alone = float(singly.loo_errors_.set_index("component")["percent"]["λ=2"])
Markdown(
    f"**Discussion.** The best setting that was tried has {lowest[0]:.1f} % left out and "
    f"{final_percent:.1f} % on the test frames. The two differ by {abs(final_percent - lowest[0]):.1f} %, "
    f"the best three settings among each other by {lowest[2] - lowest[0]:.1f} %: with "
    f"{len({atoms.info['trajectory'] for atoms in test_frames})} trajectories for the test, smaller "
    f"differences are chance. Leaving out single frames instead of trajectories would have given "
    f"{alone:.1f} %, because similar frames of the same trajectory stay in the training set."
)

# %% [markdown]
# ## Summary
#
# - A polarizability has two parts, $\lambda = 0$ and $\lambda = 2$, learned with kernels that transform in the same way.
# - xy and yx are one number; xx mixes both parts.
# - Most features are redundant: a selection saves disk and time at little cost.
# - Choose settings by leaving out whole trajectories; use the test frames once, at the end.
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
# 3. Why do twins in the test set make an error look better than it is?
#
#    <details><summary>Answer</summary>
#
#    They are nearly in the training set: the model need not generalize.
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
