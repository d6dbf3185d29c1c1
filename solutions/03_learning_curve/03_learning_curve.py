# %% [markdown]
# # 03 · Learning curves: would more data help?
#
# **You will learn**
#
# - to draw and to read a learning curve;
# - what a power law on logarithmic axes looks like, and how to get its exponent;
# - to answer, with a number and its uncertainty, whether the next hundred DFT calculations are worth
#   their price.
#
# **Time:** 40 minutes, of which the computer needs about one.
#
# **Before you start:** lesson 02 (training and validation errors), and tables with pandas; exercise
# 2.2 (1) contains an example of everything that you need.

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import learning_curve, load_frames
from helpers.frames import data_folder
from helpers.gap import CLASSROOM  # few sparse points: trains in seconds
from helpers.md import recorded_dft_seconds
from helpers.plots import SET_COLORS, style, with_alt_text
from helpers.sweeps import ENERGY, FORCES  # names of columns

warnings.filterwarnings("ignore")

STORED = data_folder() / "stored"  # results that took too long for a class
CACHE = Path(os.environ.get("MLMD_CACHE", "cache"))  # what was fitted once is not fitted again

SIZES = [50, 100, 200, 400]

# %% [markdown]
# ## Theory in one paragraph
#
# As long as a model still lacks data, its validation error falls like a power of the number of
# training frames $n$, and a power law is a straight line on logarithmic axes:
#
# $$\varepsilon(n) = a \, n^{-b} \qquad\Longleftrightarrow\qquad \ln \varepsilon = \ln a - b \ln n$$
#
# $\varepsilon$ is the RMSE (meV/atom or meV/Å), $a$ the error that one frame would give (the same
# unit), and $b$ the exponent: with $b = 0.5$ four times the data halve the error. $b$ near 0 means
# that the curve is flat: what is missing is no longer data.

# %% [markdown]
# ## Exercise 2.2 (1): train with 50, 100, 200 and 400 snapshots (3 points)
#
# *Why:* Each DFT frame took about a minute of processor time. Was it worth it?
#
# **Do.** Train the small potential `CLASSROOM` (a tenth of the default's sparse points) on 50 and 100 frames with `learning_curve` (options
# `sizes=`, `workers=2`, `cache=CACHE`): the second run of the cell takes no time, because the results
# are kept. For 200 and 400 frames take the **stored result** below, rows with `repeat == 1`. Put
# both together (`pd.concat`) and keep them as `curve`: a DataFrame with one row for each size and
# `set` (`"training"`, `"validation"`), 8 rows in all. Keep all columns.
#
# (If you have five minutes, train all four sizes yourself instead. It makes the same table.)

# %%
# Stored result: made by `python tools/store_results.py learning_curve_classroom`, see data/stored.
stored_curve = pd.read_csv(STORED / "learning_curve_classroom.csv")
stored_curve[["n_frames", "repeat", "set", ENERGY, FORCES, "peak_memory_MB"]].round(2)

# %% [markdown]
# Tables like this one are common. Four steps answer most questions: select rows, set an index, select a
# column, compute. For example: which size has the lowest validation error of the energies?

# %%
rows = stored_curve[(stored_curve["set"] == "validation") & (stored_curve["repeat"] == 1)]
by_size = rows.set_index("n_frames")  # the rows are now called 50, 100, …
errors = by_size[ENERGY]  # one column: by_size[ENERGY][50] is the error with 50 frames
print(f"lowest with {errors.idxmin()} frames: {errors.min():.2f} meV/atom")

# %% nbgrader={"grade": false, "grade_id": "ex2-2-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# curve = …
### BEGIN SOLUTION
own = learning_curve(CLASSROOM, sizes=[50, 100], cache=CACHE, workers=2)
others = stored_curve[(stored_curve["repeat"] == 1) & (stored_curve["n_frames"] > 100)]
curve = pd.concat([own, others], ignore_index=True)
### END SOLUTION

# %% [markdown]
# **Check yourself.** Four sizes, two errors each:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
curve.pivot(index="n_frames", columns="set", values=[ENERGY, FORCES]).round(2)

# %% nbgrader={"grade": true, "grade_id": "test2-2-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for each fit of your own (50 and 100 frames), one for the stored rows (200 and 400).
assert set(curve["n_frames"]) == {50, 100, 200, 400}, f"Sizes: {sorted(set(curve['n_frames']))}."
### BEGIN HIDDEN TESTS
from pathlib import Path as _Path

import pandas as _pd

from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential
from helpers.frames import data_folder as _data_folder

_known = _pd.read_csv(_data_folder() / "stored" / "learning_curve_classroom.csv")
_known = _known[_known["repeat"] == 1].set_index(["n_frames", "set"])
_columns = ["rmse_energy_meV_per_atom", "rmse_forces_meV_per_A"]
_found = curve.set_index(["n_frames", "set"])[_columns]
assert len(_found) == 8 and not _found.index.duplicated().any(), (
    f"Expected 8 rows, one for each size and set, found {len(_found)}. Did you choose repeat == 1?"
)
_ratio = _found / _known.loc[_found.index, _columns]
_close = ((_ratio - 1).abs() < 0.02).all(axis=1).groupby(level="n_frames").all()
assert _close.any(), "None of the errors is that of the small potential (CLASSROOM)."


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


_fitted = {n for n in (50, 100) if _is_fitted(n)}
for _n in {50, 100} - _fitted:
    print(f"{_n} frames: no fit of your own; use learning_curve, and keep its column model_path.")
_own = sum(float(_close[_n]) for _n in (50, 100) if _n in _fitted)
_own + float(_close[200] and _close[400])
### END HIDDEN TESTS

# %% [markdown] tags=["discussion"]
# **Discussion.** Your own fits agree with the stored ones to the last digit that counts: same frames,
# same settings, same seed. That is why a stored result can stand in for a fit here, and why a paper
# should give frames, settings and seeds.

# %% [markdown]
# ## Exercise 2.2 (2): both learning curves in one graph (3 points)
#
# *Why:* neither curve alone shows whether the data or the model limits the error; the difference
# between the two does.
#
# **Do.** Draw the RMSE of the **forces** against the number of training frames: one line for
# training, one for validation, in one panel, with both axes logarithmic, a legend, and labels with
# units. Keep the figure as `figure` and end the cell with `with_alt_text(figure, "…")`.
#
# (`SET_COLORS["training"]` and `SET_COLORS["validation"]` are colors that everyone can tell apart;
# draw inside `with style():` to get letters large enough to read from the
# back row.)

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# figure, ax = …
### BEGIN SOLUTION
with style():
    figure, ax = plt.subplots()
    for name, rows in curve.groupby("set"):
        rows = rows.sort_values("n_frames")
        ax.loglog(rows["n_frames"], rows[FORCES], "o-", color=SET_COLORS[name], label=name)
    ax.set(title="Learning curve", xlabel="training frames", ylabel="force RMSE, meV/Å")
    ticks = range(5 * int(curve[FORCES].min() // 5), int(curve[FORCES].max()) + 6, 5)
    ax.set_xticks(SIZES, SIZES)
    ax.set_yticks(ticks, ticks)
    ax.minorticks_off()
    ax.legend()
first, last = (curve.query(f"n_frames == {n}").set_index("set")[FORCES] for n in (50, 400))
with_alt_text(
    figure,
    "Force RMSE against the number of training frames, both axes logarithmic. Validation falls from "
    f"{first['validation']:.0f} meV/Å at 50 frames to {last['validation']:.0f} at 400, training "
    f"goes from {first['training']:.0f} to {last['training']:.0f}: the lines close up.",
)
### END SOLUTION

# %% [markdown]
# **Check yourself.** What is in your figure:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
panel = figure.axes[0]
print(f"axes: {panel.get_xscale()}, {panel.get_yscale()}")
print(f"labels: {panel.get_xlabel()!r}, {panel.get_ylabel()!r}")
for line in panel.get_lines():
    print(f"{line.get_label()!r}: {len(line.get_xdata())} points")

# %% nbgrader={"grade": true, "grade_id": "test2-2-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for both curves, one for logarithmic axes, one for labels with units and a legend.
assert figure.axes, "The figure has no axes."
### BEGIN HIDDEN TESTS
import numpy as _np


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


_panels = [p for p in figure.axes if all(_draws(p, rows) for _, rows in curve.groupby("set"))]
assert _panels, (
    "No panel shows the force RMSE (column rmse_forces_meV_per_A) of training and validation "
    "against n_frames, four points each."
)
_panel = _panels[0]
_logarithmic = _panel.get_xscale() == "log" and _panel.get_yscale() == "log"
_labels = bool(_panel.get_xlabel()) and "eV" in _panel.get_ylabel()
_legend = _panel.get_legend() is not None or bool(figure.legends) or len(_panel.texts) >= 2
1.0 + float(_logarithmic) + float(_labels and _legend)
### END HIDDEN TESTS

# %% tags=["discussion"]
gap = curve.pivot(index="n_frames", columns="set", values=FORCES)
gap = (gap["validation"] - gap["training"]).round(1)
Markdown(
    f"**Discussion.** Validation lies {gap[50]:.1f} meV/Å above training with 50 frames, "
    f"{gap[100]:.1f} with 100, {gap[200]:.1f} with 200, {gap[400]:.1f} with 400: the curves meet soon. "
    "From there on more frames cannot bring much: what remains is the error of the model itself, here "
    "of a potential with few sparse points, and of the labels. In general the training error rises "
    "until it meets the validation error; here its labels are so many that it hardly moves."
)

# %% [markdown]
# ## Exercise 2.2 (2, continued): the exponent (2 points)
#
# *Why:* an exponent can be compared and extrapolated; the impression that a line looks steep cannot.
#
# **Do.** Fit a straight line to the logarithm of the **validation** error of the forces against
# the logarithm of the number of frames (`np.polyfit` with degree 1). Keep $b$ as `exponent` (float,
# above 0 if the error falls), and what the line predicts for 800 frames as `forecast_800` (float,
# meV/Å).

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2b", "locked": false, "schema_version": 3, "solution": true, "task": false}
# exponent = …
# forecast_800 = …
### BEGIN SOLUTION
rows = curve[curve["set"] == "validation"]
slope, offset = np.polyfit(np.log(rows["n_frames"]), np.log(rows[FORCES]), 1)
exponent = float(-slope)
forecast_800 = float(np.exp(offset + slope * np.log(800)))
### END SOLUTION

# %% [markdown]
# **Check yourself.** The kit fits the same line, and adds its uncertainty:

# %% nbgrader={"grade": false, "grade_id": "ex2-2-2b-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
from helpers.sweeps import fit_power_law, plot_learning_curve

law = fit_power_law(curve, FORCES)
middle, low, high = law.predict(800)
print(f"yours:   b = {exponent:.3f}, 800 frames: {forecast_800:.1f} meV/Å")
print(f"the kit: b = {law.exponent:.3f} ± {law.exponent_error:.3f}, 800 frames: {middle:.1f} meV/Å")
with_alt_text(
    plot_learning_curve(curve, law, FORCES),
    f"The force errors with the fitted line, error ~ n to the power −{law.exponent:.2f}, drawn to "
    f"800 frames, where it predicts {middle:.1f} meV/Å (95 %: {low:.1f} to {high:.1f}).",
)

# %% nbgrader={"grade": true, "grade_id": "test2-2-2b", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The exponent (1 point) and the forecast (1 point) follow from the curve.
assert np.isfinite(exponent) and forecast_800 > 0, "Both should be finite numbers."
### BEGIN HIDDEN TESTS
import numpy as _np

_rows = curve[curve["set"] == "validation"]
_x, _y = _np.log(_rows["n_frames"].to_numpy(float)), _np.log(_rows["rmse_forces_meV_per_A"])
_slope, _offset = _np.polyfit(_x, _y, 1)
_forecast = float(_np.exp(_offset + _slope * _np.log(800)))
_near = 0.05 * abs(_slope) + 3e-4
_right = abs(float(exponent) + _slope) < _near, abs(float(forecast_800) / _forecast - 1) < 0.01
assert any(_right), (
    f"Expected b near {-_slope:.3f} and about {_forecast:.1f} meV/Å, found {float(exponent):.3f} "
    f"and {float(forecast_800):.1f}. Validation rows? Logarithms of both? The sign of the slope?"
)
float(sum(_right))
### END HIDDEN TESTS

# %% tags=["discussion"]
level = curve[curve["set"] == "validation"].set_index("n_frames")[FORCES].sort_index()
Markdown(
    "**Discussion.** Look at the points again: "
    + ", ".join(f"{error:.1f} meV/Å with {n}" for n, error in level.items())
    + f" frames. From {level.index[1]} frames on they are constant. A power law describes a model that "
    "lacks data; this one has reached its lowest error, so a straight line does not fit, and its forecast of "
    f"{forecast_800:.1f} meV/Å for 800 frames, below every point, is too optimistic. A curve with a lower limit, "
    r"$\varepsilon = \varepsilon_\infty + a\, n^{-b}$, would be better, but four points do not "
    "determine three numbers well."
)

# %% [markdown]
# ## Another potential, and the scatter between training sets
#
# **Stored results.** On the left the curve of the default settings (ten times the sparse points), on
# the right the energies of the small potential, trained on three different draws of 50 and of 100
# frames. The bars are the standard deviation over the draws.

# %%
from helpers.sweeps import does_more_data_help, fit_power_law, plot_learning_curve

stored_default = pd.read_csv(STORED / "learning_curve_default.csv")
with style():
    pair, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8))
law_default = fit_power_law(stored_default, FORCES)
plot_learning_curve(stored_default, law_default, FORCES, ax=left)
plot_learning_curve(stored_curve, fit_power_law(stored_curve, ENERGY), ENERGY, ax=right)
right.legend(fontsize=11, loc="upper right")
left.set_title("Default settings, forces (stored result)")
right.set_title("Small potential, energies (stored result)")
with_alt_text(
    pair,
    "Left: force RMSE of the default settings, 50 to 400 frames, exponent "
    f"{law_default.exponent:.2f} ± {law_default.exponent_error:.2f}: nearly flat. Right: energy RMSE "
    "of the small potential with bars for three draws of the frames, which are as long as the "
    "whole fall of the curve.",
)

# %%
print("default settings, forces: ", does_more_data_help(stored_default, FORCES))
print("default settings, energy: ", does_more_data_help(stored_default, ENERGY))
print("small potential, forces:  ", does_more_data_help(stored_curve, FORCES))
print("small potential, energies:", does_more_data_help(stored_curve, ENERGY))

# %% [markdown]
# ## Exercise 2.2 (3): would more data help? (3 points)
#
# *Why:* this is what learning curves are for.
#
# **Question.** You may spend the price of 400 more DFT frames. Looking at your curve and at the stored ones: would
# you? Give a number for what you would gain, say how sure you are, and say what you would do instead
# or besides.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-2-3", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Hardly. The exponent of the forces is small, so doubling the data lowers the error by a few
# per cent only (the forecast for 800 frames against the error at 400), and even that is too hopeful,
# since the last three points are level. Training and validation errors have met: it is the model that
# limits, not the data. For the energies the spread
# between draws of the same size is as large as the trend, so the curve does not tell. The money is
# better spent on a more flexible model (more sparse points, a larger basis or cutoff, which the
# stored curve of the default settings supports: same frames, lower error), or on other frames: hotter
# ones, reactions, whatever the simulation will visit and the training set lacks.
#
# === BEGIN MARK SCHEME ===
# - 1 point: a conclusion from the numbers (small exponent, or the last three points level; forecast
#   for 800 against 400 frames).
# - 1 point: uncertainty: few points, error bars, spread of the draws, or that a power law may end.
# - 1 point: what else would help: a better model since both curves have met, or more varied frames.
# === END MARK SCHEME ===

# %% tags=["discussion"]
small, large = (
    t[(t["set"] == "validation") & (t["repeat"] == 1)].set_index("n_frames")[FORCES]
    for t in (stored_curve, stored_default)
)
dft_s = recorded_dft_seconds(load_frames("water", "train", 400))
Markdown(
    f"**Discussion.** The small potential on 400 frames: {small[400]:.1f} meV/Å. The default "
    f"settings on 50 frames: {large[50]:.1f} meV/Å, for an eighth of the DFT, which took "
    f"{dft_s:.0f} s of a core for each frame. Ten times the sparse "
    "points bring more than eight times the data. This is the use of a learning curve: it tells "
    "whether to ask the DFT code or the model for more. What is printed of the forces of the small "
    "potential, *more data still helps*, rests on the power law: that line falls because of the points "
    "with 50 frames alone. And all these validation frames come from the same kind of run as the "
    "training frames; for ice, or for steam, all curves start again."
)

# %% [markdown]
# ## Exercise 2.2 (more): how large is the luck of the draw? (optional)
#
# *Why:* a difference smaller than the luck is no difference.
#
# From `stored_curve`: the standard deviation of the validation error of the energies over the three
# draws of 50 frames, `spread_50` (float, meV/atom). Compare with the difference between 50 and 200.
# (If you skip it, *Run All* stops here and *Validate* names its test. Only the summary follows, and you
# lose no points.)

# %% nbgrader={"grade": false, "grade_id": "ex3-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# spread_50 = …
### BEGIN SOLUTION
validation = stored_curve[stored_curve["set"] == "validation"]
spread_50 = float(validation[validation["n_frames"] == 50][ENERGY].std())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex3-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
means = stored_curve[stored_curve["set"] == "validation"].groupby("n_frames")[ENERGY].mean()
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

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** From 50 to 200 frames the mean changes by {means[200] - means[50]:+.2f} meV/atom; "
    f"from draw to draw of 50 frames it scatters by {spread_50:.2f}. The change is not larger than the "
    "scatter: there is no trend to see. With a single draw of each size you might have found one."
)

# %% [markdown]
# ## Summary
#
# - A learning curve shows training and validation error against the number of frames, on logarithmic
#   axes.
# - While data is missing, the validation error falls as a power of $n$; where the two curves meet,
#   the model is the limit.
# - A forecast needs an uncertainty, and a single draw of frames is luck.
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
