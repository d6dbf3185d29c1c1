# %% [markdown]
# # 03 · Learning curves: would more data help?
#
# **You will learn**
#
# - to draw and to read a learning curve, with error bars;
# - to see from it whether the data or the model limits the error;
# - what a power law on logarithmic axes looks like, and how to get its exponent;
# - to answer, with a number and its uncertainty, whether the next hundred DFT calculations are worth
#   their price.
#
# **Time:** 50 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 02 (training and validation errors; keep what you wrote in exercise
# 2.1 (5)), and tables with pandas; an example of what you need is in exercise 2.2 (1).

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import GapConfig, learning_curve, load_frames
from helpers.frames import data_folder
from helpers.gap import CLASSROOM
from helpers.md import recorded_dft_seconds
from helpers.plots import SET_COLORS, style, with_alt_text
from helpers.sweeps import (  # ENERGY and FORCES are names of columns
    ENERGY,
    FORCES,
    does_more_data_help,
    fit_power_law,
    plot_expected_curves,
    plot_learning_curve,
)

warnings.filterwarnings("ignore")

STORED = data_folder() / "stored"  # results that took too long for a class
CACHE = Path(os.environ.get("MLMD_CACHE", "cache"))  # what was fitted once is not fitted again

SIZES = [25, 50, 100, 200, 400]
DEFAULT = GapConfig()
ENERGIES_ONLY = DEFAULT.replace(default_sigma=(0.001, 10.0, 0.0, 0.0))  # see exercise 2.2 (1)

# %% [markdown]
# ## Two ways to be wrong
#
# Train the same kind of potential on more and more frames, and draw the errors on training and on
# validation frames against the number of frames: that is a *learning curve*. An error can have two
# causes, and the curve shows which of the two it is:

# %%
with_alt_text(
    plot_expected_curves(),
    "Two sketches with logarithmic axes. Left, where the data is the limit: the validation error falls "
    "along a straight line, far above the training error. Right, where the model is the limit: both meet "
    "at the same level, and more frames change nothing.",
)

# %% [markdown]
# - *The data is the limit.* The model could describe the atoms better, but has not seen enough of them. Its
#   validation error is well above its training error, and falls as frames are added.
# - *The model is the limit.* Its settings (number of sparse points, cutoff, `n_max`, …) do not allow it to do
#   better, however much it sees. Both errors are nearly the same, and more frames change nothing.
#
# While the data is the limit, the validation error often falls like a power of the number of training frames
# $n$ ([Cortes et al.](https://papers.nips.cc/paper/1993/hash/1aa48fc4880bb0c9b8a3bf979d3b917e-Abstract.html)),
# and a power law is a straight line on logarithmic axes:
#
# $$\varepsilon(n) = a \, n^{-b} \qquad\Longleftrightarrow\qquad \ln \varepsilon = \ln a - b \ln n$$
#
# $\varepsilon$ is the RMSE (meV/atom or meV/Å), $a$ the value of the line at one frame (the same
# unit), and $b$ the exponent: with $b = 0.5$ four times the data halve the error. Where the model
# becomes the limit, the curve bends and becomes flat, and the power law no longer holds.
#
# For the curve to mean anything, twice as many frames must be twice as much *new* information. Frames of one
# trajectory resemble each other. The training sets of this course are therefore ordered: the first 45 frames
# come from 45 different trajectories, the next 45 are second frames of the same trajectories, half a
# picosecond later, and so on. The sets are *nested*: the 25 frames are among the 50, those among the 100.

# %% [markdown]
# ## Exercise 2.2 (1): train with up to 400 snapshots (3 points)
#
# *Why:* each DFT frame took about half a minute of a processor core. Was it worth it?
#
# We compare three potentials, all trained on the same frames:
#
# - `DEFAULT`, the settings of lesson 02;
# - `ENERGIES_ONLY`: the same, but $\sigma_F$ is 10 eV/Å, more than any force here, so that forces hardly count in
#   the fit. It learns from one number of each frame, the energy, instead of 145, one energy and 144 components of
#   forces (its curve begins with 50 frames);
# - `CLASSROOM`: the default settings, but 100 sparse points per element, a tenth. It trains in seconds.
#
# **Predict.** Which of them will be limited by the data, and which by the model?
#
# **Do.** Train `DEFAULT` on 25 and 50 frames with `learning_curve` (options `sizes=`, `workers=2` for two fits at
# the same time, `cache=CACHE`, `engine="jax"`). If you run the cell again it takes no time, because results are kept in
# the folder `CACHE`. For 100, 200 and 400 frames take the **stored result** `stored_default`, loaded below: its rows
# with `repeat == 1` (other numbers are fits to other frames, which come later). Put both together (`pd.concat`) and
# keep them as `curve`: a DataFrame with one row for each size and `set` (`"training"`, `"validation"`), 10 rows in
# all. Keep all columns.
#
# (If you have five minutes, train all five sizes yourself. It makes the same table.)
#
# <details><summary>Hint 1</summary><code>learning_curve(DEFAULT, sizes=[25, 50], …)</code> returns a DataFrame
# with the columns of the stored one.</details>
# <details><summary>Hint 2</summary>Two conditions are combined with <code>&amp;</code>, each in parentheses, as in
# the example below.</details>

# %%
potentials = {"DEFAULT": DEFAULT, "ENERGIES_ONLY": ENERGIES_ONLY, "CLASSROOM": CLASSROOM}
for name, config in potentials.items():
    sigma_E, sigma_F = config.default_sigma[:2]
    print(f"{name:14} {config.n_sparse} sparse points; sigma {sigma_E} eV/atom and {sigma_F} eV/Å")

# %%
# Stored results: made by `python tools/store_results.py learning_curves`, see data/stored.
stored_default, stored_energies, stored_small = (
    pd.read_csv(STORED / f"learning_curve_{name}.csv")
    for name in ("default", "energies", "classroom")
)
print(f"{len(stored_default)} rows; sizes {stored_default['n_frames'].unique()}")
stored_default[["n_frames", "repeat", "set", ENERGY, FORCES, "peak_memory_MB"]].head(3).round(2)

# %% [markdown]
# Tables like this one are common. Four steps answer most questions: select rows, set an index, select a
# column, compute. For example: how much memory did the largest fit take?

# %%
rows = stored_default[(stored_default["set"] == "validation") & (stored_default["repeat"] == 1)]
by_size = rows.set_index("n_frames")  # the rows are now called 25, 50, …
memory = by_size["peak_memory_MB"]  # one column: memory[50] is that of 50 frames
print(f"{memory.max():.0f} MB with {memory.idxmax()} frames")

# %% nbgrader={"grade": false, "grade_id": "ex2-2-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# curve = …
### BEGIN SOLUTION
own = learning_curve(DEFAULT, sizes=[25, 50], cache=CACHE, workers=2, engine="jax")
others = stored_default[(stored_default["repeat"] == 1) & (stored_default["n_frames"] > 50)]
curve = pd.concat([own, others], ignore_index=True)
### END SOLUTION

# %% [markdown]
# **Check yourself.** Five sizes, two errors each:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
curve.pivot(index="n_frames", columns="set", values=[ENERGY, FORCES]).round(2)

# %% nbgrader={"grade": true, "grade_id": "test2-2-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for each fit of your own (25 and 50 frames), one for the stored rows (100, 200 and 400).
assert set(curve["n_frames"]) == {25, 50, 100, 200, 400}, (
    f"Sizes: {sorted(set(curve['n_frames']))}."
)
### BEGIN HIDDEN TESTS
from pathlib import Path as _Path

import pandas as _pd

from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential
from helpers.frames import data_folder as _data_folder

_known = _pd.read_csv(_data_folder() / "stored" / "learning_curve_default.csv")
_known = _known[_known["repeat"] == 1].set_index(["n_frames", "set"])
_columns = ["rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"]
_found = curve.set_index(["n_frames", "set"])[_columns]
assert len(_found) == 10 and not _found.index.duplicated().any(), (
    f"Expected 10 rows, one for each size and set, found {len(_found)}. Did you choose repeat == 1?"
)
_ratio = _found / _known.loc[_found.index, _columns]
_close = ((_ratio - 1).abs() < 0.02).all(axis=1).groupby(level="n_frames").all()
assert _close.any(), "None of the errors is that of the default settings."


def _is_fitted(n):
    """Whether the file of this row is a potential whose errors are those of the row."""
    row = curve[(curve["n_frames"] == n) & (curve["set"] == "validation")].iloc[0]
    told = _Path(str(row.get("model_path", "")))
    copies = [p for p in _Path().rglob(told.name or "-") if p.parent.name == told.parent.name]
    for path in (told, *copies):  # where it was made, and where grading finds it
        if path.is_file():
            judged = _evaluate(_load_potential(path), _load_frames("water", "validate")[::5])
            return abs(judged.rmse_forces_meV_per_A / row["rmse_forces_meV_per_A"] - 1) < 0.15
    return False


_fitted = {n for n in (25, 50) if _is_fitted(n)}
for _n in {25, 50} - _fitted:
    print(f"{_n} frames: no fit of your own; use learning_curve, and keep its column model_path.")
_own = sum(float(_close[_n]) for _n in (25, 50) if _n in _fitted)
_own + float(_close[100] and _close[200] and _close[400])
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Validation errors fall from row to row. Training errors of the energies rise, those of the forces hardly change.
#
# </details>

# %% [markdown] tags=["discussion"]
# **Discussion.** Your own fits agree with the stored ones: same frames, same settings, same seed. That is
# why a stored result can stand in for a fit here, and why a paper should give frames, settings and seeds.

# %% [markdown]
# ## Exercise 2.2 (2): learning curves of three potentials (5 points)
#
# *Why:* neither curve alone shows whether the data or the model limits the error; the difference
# between training and validation does.
#
# **Predict.** Sketch on paper what you expect: where do the six lines (training and validation for each of three
# potentials) begin, and where do they end?
#
# **Do** (3 points). Draw a figure with three panels next to each other, and keep it as `figure`: the RMSE of the
# **forces** against the number of training frames, first for `stored_energies` (the table of `ENERGIES_ONLY`; rows
# with `repeat == 1`), then for your `curve`, then for `stored_small` (the table of `CLASSROOM`; again
# `repeat == 1`). In each panel one line for training and one for
# validation, both axes logarithmic, and labels with units; a legend in one of them. Give all panels the same
# vertical range, or they cannot be compared. End the cell with `with_alt_text(figure, "…")`.
#
# One trap when you read it: `ENERGIES_ONLY` was not trained on forces. Those of the training frames are as new to it
# as those of the validation frames, so here only the slope of its lines says something, not their distance.
#
# <details><summary>Hint 1</summary><code>plt.subplots(1, 3, sharey=True)</code> makes three panels with one vertical
# range. <code>SET_COLORS["training"]</code> and <code>SET_COLORS["validation"]</code> are colors that everyone can
# tell apart; draw inside <code>with style():</code> to get labels large enough to read from the back row.</details>
# <details><summary>Hint 2</summary><code>for name, rows in curve.groupby("set"):
# ax.loglog(rows["n_frames"], rows[FORCES], "o-", label=name)</code></details>

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# figure, panels = …
### BEGIN SOLUTION
alone, small = (table[table["repeat"] == 1] for table in (stored_energies, stored_small))
curves = {"ENERGIES_ONLY": alone, "DEFAULT": curve, "CLASSROOM": small}
with style():
    figure, panels = plt.subplots(1, 3, figsize=(13, 4.8), sharey=True)
    for ax, (title, table) in zip(panels, curves.items(), strict=True):
        for name, rows in table.groupby("set"):
            rows = rows.sort_values("n_frames")
            ax.loglog(rows["n_frames"], rows[FORCES], "o-", color=SET_COLORS[name], label=name)
        ax.set(title=title, xlabel="training frames")
        ax.set_xticks(SIZES, SIZES)
        ax.set_yticks([40, 60, 100, 200, 400, 600], [40, 60, 100, 200, 400, 600])
        ax.minorticks_off()
    panels[0].set_ylabel("force RMSE, meV/Å")
    panels[0].legend()
parts = []
for name, table in curves.items():
    wide = table.pivot(index="n_frames", columns="set", values=FORCES)
    first, last = wide.iloc[0], wide.iloc[-1]
    parts.append(
        f"{name}: validation {first['validation']:.0f} to {last['validation']:.0f}, "
        f"training {first['training']:.0f} to {last['training']:.0f}"
    )
with_alt_text(
    figure,
    "Force RMSE in meV/Å against the number of training frames, 25 to 400, axes logarithmic, three "
    f"panels. {'; '.join(parts)}.",
)
### END SOLUTION

# %% [markdown]
# **Check yourself.** What is in your figure:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for panel in figure.axes:
    low, high = panel.get_ylim()
    print(
        f"axes: {panel.get_xscale()}, {panel.get_yscale()}; vertical range {low:.0f} to {high:.0f}"
    )
    print(f"   labels: {panel.get_xlabel()!r}, {panel.get_ylabel()!r}")
    for line in panel.get_lines():
        print(f"   {line.get_label()!r}: {len(line.get_xdata())} points")

# %% nbgrader={"grade": true, "grade_id": "test2-2-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for the curves of all potentials, one for logarithmic axes, one for one range and labels
assert len(figure.axes) >= 3, "The figure should have three panels."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder


def _draws(panel, rows):
    """Whether a panel holds these points as a line or as a cloud."""
    want = rows.sort_values("n_frames")[["n_frames", "rmse_forces_meV_per_A"]].to_numpy(float)
    shown = [_np.asarray(line.get_xydata(), float) for line in panel.get_lines()]
    shown += [_np.asarray(c.get_offsets(), float) for c in panel.collections]
    for xy in shown:
        xy = xy[_np.argsort(xy[:, 0])] if xy.ndim == 2 else xy
        for factor in (1.0, 1e-3):
            if xy.shape == want.shape and _np.allclose(xy, want * [1, factor], rtol=1e-3):
                return True
    return False


_tables = [curve]
for _name in ("energies", "classroom"):
    _stored = _pd.read_csv(_data_folder() / "stored" / f"learning_curve_{_name}.csv")
    _tables.append(_stored[_stored["repeat"] == 1])
_panels = []
for _table in _tables:
    _panels += [
        p for p in figure.axes if all(_draws(p, rows) for _, rows in _table.groupby("set"))
    ][:1]
assert _panels, (
    "No panel shows the force RMSE (column rmse_forces_meV_per_A) of training and validation "
    "against n_frames: curve, stored_energies and stored_small (repeat 1), all five sizes."
)
if len(_panels) < 3:
    print("Not all potentials are drawn, each with training and validation in one panel.")
_all = len(_panels) == 3
_logarithmic = all(p.get_xscale() == "log" and p.get_yscale() == "log" for p in _panels)
_labels = all(p.get_xlabel() for p in _panels) and any("eV" in p.get_ylabel() for p in _panels)
_legend = any(p.get_legend() is not None or len(p.texts) >= 2 for p in _panels) or figure.legends
_ranges = _np.array([p.get_ylim() for p in _panels])
_one_range = bool(_np.allclose(_ranges, _ranges[0], rtol=0.02))
if not (_one_range and _labels and _legend):
    print("Expected: one vertical range, labels with units, and a legend.")
float(_all) + float(_logarithmic) + float(bool(_all and _one_range and _labels and _legend))
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Which potential is limited by its data, and which by the model? Does one of
# them change from the first case to the second as frames are added? How do you see it? Does it match your prediction
# of exercise 2.1 (5)? If not, what did you not think of?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-2-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Trained on energies only, the potential is limited by its data: the validation error is high and falls with every
# doubling, in the end steeply. The small one is limited by the model: training and validation errors have met, and from
# 100 frames on hardly anything changes. The default settings change from the one to the other: with 25 frames validation lies well
# above training, with each doubling the two come closer, and with 400 frames they have nearly met. I predicted that the
# validation error falls and the training error rises until they meet. That is right, but the training error of the
# forces hardly rises, because 145 numbers of each frame are many for the weights; and the small potential gets there
# much earlier.
#
# === BEGIN MARK SCHEME ===
# - 1 point: names both limits and the reason (distance between training and validation, slope).
# - 1 point: compares with the own prediction of 2.1 (5) and says what was right, or what was missing in it.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With energies only the errors are far above the others, and fall steeply: one number of each frame teaches little. The small
# potential is flat from early on, and both of its lines have met. With the default settings the validation error falls,
# more slowly with each doubling.
#
# </details>

# %% tags=["discussion"]
gaps = {}
for name, table in (("DEFAULT", curve), ("CLASSROOM", small)):
    wide = table.pivot(index="n_frames", columns="set", values=FORCES)
    gaps[name] = 100 * (wide["validation"] / wide["training"] - 1)
Markdown(
    "**Discussion.** How far the validation error of the forces lies above the training error: "
    + "; ".join(
        f"{name} " + ", ".join(f"{gap:.0f} % with {n}" for n, gap in rows.items())
        for name, rows in gaps.items()
    )
    + " frames. A wide gap says that the potential fits what it has seen better than what it has not: "
    "more frames would help. Where the gap has closed, what remains is the error of the model itself and "
    "of the labels. For ENERGIES_ONLY look at the energies, further below: there the gap is wide."
)

# %% [markdown]
# ## Exercise 2.2 (2, continued): the exponent (2 points)
#
# *Why:* an exponent can be compared and extrapolated; the impression that a line looks steep cannot.
#
# **Predict.** Trained on energies only, how many frames would the potential need to be as good as `DEFAULT` with 25
# frames? Guess from the figure: 100, 1000, or 10 000?
#
# **Do.** The first point of `ENERGIES_ONLY` does not lie on the line of the others: with 50 numbers the potential
# has hardly begun to learn. From 100 frames on the curve is nearly straight. Take the rows of `stored_energies` with
# `repeat == 1` and at least 100 frames. Fit a straight line to the logarithm of the **validation** error of the forces
# against the logarithm of the number of frames (`np.polyfit` with degree 1). Keep $b$ as `exponent` (float, above 0 if
# the error falls), and what the line predicts for 800 frames as `forecast_800` (float, meV/Å).
#
# <details><summary>Hint 1</summary><code>slope, offset = np.polyfit(np.log(n), np.log(errors), 1)</code></details>
# <details><summary>Hint 2</summary>The exponent is the negative slope; the forecast is
# <code>np.exp</code> of the line at <code>np.log(800)</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2b", "locked": false, "schema_version": 3, "solution": true, "task": false}
# exponent = …
# forecast_800 = …
### BEGIN SOLUTION
rows = stored_energies.query("repeat == 1 and set == 'validation' and n_frames >= 100")
slope, offset = np.polyfit(np.log(rows["n_frames"]), np.log(rows[FORCES]), 1)
exponent = float(-slope)
forecast_800 = float(np.exp(offset + slope * np.log(800)))
### END SOLUTION

# %% [markdown]
# **Check yourself.** The kit fits the same line, and adds its uncertainty:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2b-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
straight = stored_energies.query("repeat == 1 and n_frames >= 100")
law = fit_power_law(straight, FORCES)
middle, low, high = law.predict(800)
print(f"yours:   b = {exponent:.3f}, 800 frames: {forecast_800:.1f} meV/Å")
print(f"the kit: b = {law.exponent:.3f} ± {law.exponent_error:.3f}, 800 frames: {middle:.1f} meV/Å")
with_alt_text(
    plot_learning_curve(straight, law, FORCES),
    f"The force errors of ENERGIES_ONLY with the fitted line, error ~ n to the power −{law.exponent:.2f}, "
    f"drawn to 800 frames, where it predicts {middle:.1f} meV/Å (95 %: {low:.1f} to {high:.1f}).",
)

# %% nbgrader={"grade": true, "grade_id": "test2-2-2b", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The exponent (1 point) and the forecast (1 point) follow from the stored curve.
assert np.isfinite(exponent) and forecast_800 > 0, "Both should be finite numbers."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_stored = _pd.read_csv(_data_folder() / "stored" / "learning_curve_energies.csv")
_rows = _stored[(_stored["set"] == "validation") & (_stored["repeat"] == 1)]
_rows = _rows[_rows["n_frames"] >= 100]
_x, _y = _np.log(_rows["n_frames"].to_numpy(float)), _np.log(_rows["rmse_forces_meV_per_A"])
_slope, _offset = _np.polyfit(_x, _y, 1)
_forecast = float(_np.exp(_offset + _slope * _np.log(800)))
_near = 0.05 * abs(_slope) + 3e-4
_right = abs(float(exponent) + _slope) < _near, abs(float(forecast_800) / _forecast - 1) < 0.01
assert any(_right), (
    f"Expected b near {-_slope:.3f} and about {_forecast:.1f} meV/Å, found {float(exponent):.3f} "
    f"and {float(forecast_800):.1f}. Validation rows, from 100 frames on? Logarithms of both? The sign?"
)
float(sum(_right))
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The line passes close to the three points. The shaded interval at 800 frames is wide, because three points
# hardly determine how far other points would lie from the line.
#
# </details>

# %% tags=["discussion"]
target = curve.query("n_frames == 25 and set == 'validation'")[FORCES].item()
needed = (law.prefactor / target) ** (1 / law.exponent)
small_law = fit_power_law(small, FORCES)
small_last = small.query("n_frames == 400 and set == 'validation'")[FORCES].item()
Markdown(
    f"**Discussion.** With $b$ = {exponent:.2f}, twice the frames lower the error by "
    f"{100 * (1 - 2**-exponent):.0f} %. To reach the {target:.0f} meV/Å that DEFAULT has with 25 frames, the "
    f"line needs about {float(f'{needed:.2g}'):.0f} frames with energies only: this is what forces are worth. "
    "They cost little more to compute than the energy alone. \n\n"
    "A forecast holds only as long as the line stays straight. What happens otherwise can be seen from the small "
    f"potential: a line through all its points has $b$ = {small_law.exponent:.2f} and predicts "
    f"{small_law.predict(800)[0]:.1f} meV/Å for 800 frames, but its curve is level already, at "
    f"{small_last:.1f} meV/Å. Fit a power law only where the points lie on a line."
)

# %% [markdown]
# ## How large is the luck of the draw?
#
# Each point rests on one training set. With other frames of the same kind it would have come out a little
# differently. The stored tables hold, for all sizes but the largest, two more fits (`repeat` 2 and 3) to
# frames that were drawn at random from the 400. Points are now means over the draws, bars their standard
# deviation. The energies are drawn as well.
#
# **Predict.** Before you run the cell after the figure: for which of the six validation curves would you say *more data helps*?

# %%
stored = {"ENERGIES_ONLY": stored_energies, "DEFAULT": stored_default, "CLASSROOM": stored_small}
with style():
    six, grid = plt.subplots(2, 3, figsize=(14, 9), sharex=True, sharey="row")
for row, quantity in zip(grid, (FORCES, ENERGY), strict=True):
    for ax, (name, table) in zip(row, stored.items(), strict=True):
        plot_learning_curve(table, None, quantity, ax=ax)
        ax.set_title(name)
        ax.label_outer()
ends = []
for name, table in stored.items():
    means = table[table["set"] == "validation"].groupby("n_frames")[[FORCES, ENERGY]].mean()
    first, last = means.iloc[0], means.iloc[-1]
    ends.append(
        f"{name} {first[FORCES]:.0f} to {last[FORCES]:.0f}, {first[ENERGY]:.2f} to {last[ENERGY]:.2f}"
    )
with_alt_text(
    six,
    "Six learning curves with bars for the draws, forces above, energies below. Validation errors from the smallest "
    f"set to 400 frames in meV/Å and meV/atom: {'; '.join(ends)}.",
)

# %%
for quantity in (FORCES, ENERGY):
    for name, table in stored.items():
        print(f"{name:14} {does_more_data_help(table, quantity)}")

# %% [markdown]
# The tool compares the last step, from 200 to 400 frames, with the scatter between draws; the number after ± is
# the standard error of the step that follows from it. *More data helps*: the error fell by at least 5 %, and by
# more than the scatter can explain. *More data hardly helps*: even with the scatter the fall is below 5 %.
# Otherwise *the points do not show* it.

# %% [markdown]
# ## Exercise 2.2 (3): would more data help? (3 points)
#
# *Why:* this is what learning curves are for.
#
# **Question.** You have 400 training frames and could pay for 400 more. Looking at all curves: would you, for
# `DEFAULT` and for `CLASSROOM`? Give a number for what you would gain, say how sure you are, and say what you would
# do instead or as well.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-2-3", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# For CLASSROOM no: training and validation errors have met, and the last doubling brought little. It needs
# a more flexible model: more sparse points, a larger basis or cutoff. DEFAULT, trained on the same frames, shows how
# much that brings. For DEFAULT perhaps: its force error fell by a few percent with the last doubling, and the next
# would bring no more than that, since the curve becomes flatter; for the energies the scatter between draws
# is about as large as the step. How sure: the bars for the forces are smaller than the steps, but there are few
# points, and a power law ends where the model becomes the limit. And all these frames come from one kind of simulation:
# frames that a simulation visits and the training set lacks may be worth more than more of the same.
#
# === BEGIN MARK SCHEME ===
# - 1 point: a conclusion from the numbers for both potentials (no for the small; for the default a few percent).
# - 1 point: uncertainty: spread of the draws, few points, or that a power law may end.
# - 1 point: what else would help: a more flexible model where both curves have met, or more varied frames.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The answer depends on the model. A small model stops learning early, and further frames are wasted on it; a larger
# one makes use of more frames, and costs more to train and to run.
#
# </details>

# %% tags=["discussion"]
default, classroom = (
    t[(t["set"] == "validation") & (t["repeat"] == 1)].set_index("n_frames")[FORCES]
    for t in (stored_default, stored_small)
)
dft_s = recorded_dft_seconds(load_frames("water", "train", 400))
Markdown(
    f"**Discussion.** The small potential on 400 frames: {classroom[400]:.1f} meV/Å. The default settings on 25 "
    f"frames: {default[25]:.1f} meV/Å, for a sixteenth of the DFT, which took {dft_s:.0f} s of a core for each "
    "frame. This is the use of a learning curve: it shows whether to ask the DFT code or the model for more. "
    "And all these validation frames come from the same kind of run as the training frames; for ice or for "
    "steam the curves would have to be measured anew."
)

# %% [markdown]
# ## Exercise 2.2 (more): how large is the luck of the draw? (optional)
#
# *Why:* a difference smaller than the luck of the draw may be no difference.
#
# **Predict.** Which scatters more between draws of 50 frames, the error of the energies or that of the forces?
#
# **Do.** From `stored_small` compute `spread_50` (float, meV/atom): the standard deviation of the validation error
# of the energies over the three draws of 50 frames. Compare it with the difference between 50 and 200 frames.
# (If you skip it, delete the line with `raise`.)

# %% nbgrader={"grade": false, "grade_id": "ex3-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spread_50 = …
### BEGIN SOLUTION
validation = stored_small[stored_small["set"] == "validation"]
spread_50 = float(validation[validation["n_frames"] == 50][ENERGY].std())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
means = stored_small[stored_small["set"] == "validation"].groupby("n_frames")[ENERGY].mean()
print(f"spread over draws of 50 frames: {spread_50:.2f} meV/atom")
print(f"from 50 to 200 frames: {means[50]:.2f} → {means[200]:.2f} meV/atom")

# %% nbgrader={"grade": true, "grade_id": "test3-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: the spread over the draws of 50 frames.
assert spread_50 > 0, "A standard deviation is above 0."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_table = _pd.read_csv(_data_folder() / "stored" / "learning_curve_classroom.csv")
_rows = _table[(_table["set"] == "validation") & (_table["n_frames"] == 50)]
_draws = _rows["rmse_energy_meV_per_atom"]
assert any(_np.isclose(float(spread_50), _draws.std(ddof=k), rtol=0.01) for k in (0, 1)), (
    f"spread_50: expected {_draws.std():.3f} meV/atom, found {float(spread_50):.3f}."
)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# For the small potential the change from 50 to 200 frames is of the size of the scatter: with a single draw of
# each size one might have seen a trend, or none.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** From 50 to 200 frames the mean changes by {means[200] - means[50]:+.2f} meV/atom; "
    f"from draw to draw of 50 frames it scatters by {spread_50:.2f}. Three draws give only a rough standard "
    "deviation, but that suffices to see which differences are worth talking about."
)

# %% [markdown]
# ## Summary
#
# - A learning curve shows training and validation error against the number of frames, on logarithmic
#   axes.
# - While the data is the limit, the validation error falls as a power of $n$; where the two curves meet,
#   the model is the limit.
# - A power law is fitted only where the points lie on a line; a forecast needs an uncertainty, and a
#   single draw of frames is luck.
#
# ## Quiz
#
# 1. The exponent is 0.5. How much data does a tenth of the error need?
#
#    <details><summary>Answer</summary>
#
#    A hundred times as much: $100^{-0.5} = 0.1$.
#
#    </details>
#
# 2. Training and validation error have met at 70 meV/Å. What do you change?
#
#    <details><summary>Answer</summary>
#
#    The model: more sparse points, a larger basis, another cutoff. More frames would bring little.
#
#    </details>
#
# 3. Why must the validation frames be the same for all sizes?
#
#    <details><summary>Answer</summary>
#
#    Otherwise the curve would show how the frames differ, not how the potential improves.
#
#    </details>
#
# 4. Why does a training error rise with more frames, as a rule?
#
#    <details><summary>Answer</summary>
#
#    The same number of weights has to satisfy more labels.
#
#    </details>
