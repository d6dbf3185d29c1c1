# %% [markdown]
# # 04 · Overfitting and the settings of a potential
#
# **You will learn**
#
# - to recognize overfitting by two numbers;
# - what $\sigma_E$ and $\sigma_F$ do, and how to choose them without fooling yourself;
# - which of cutoff, `atom_sigma`, `n_max` and `l_max` matter most for water;
# - why more data also reduces overfitting.
#
# **Time:** 60 minutes, of which the computer needs about two.
#
# **Before you start:** lessons 02 (errors) and 03 (learning curves, tables with pandas).

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import explore_sigmas, load_frames, sweep
from helpers.frames import data_folder
from helpers.gap import CLASSROOM  # few sparse points: trains in seconds
from helpers.plots import style, with_alt_text
from helpers.sweeps import (  # names of columns
    ENERGY,
    FORCES,
    plot_effects,
    plot_heat_map,
    plot_setting,
    plot_sigma_curve,
)

warnings.filterwarnings("ignore")

STORED = data_folder() / "stored"  # results that took too long for a class
CACHE = Path(os.environ.get("MLMD_CACHE", "cache"))  # what was fitted once is not fitted again

SIGMA_E = "sigma_energy_eV_per_atom"

# %% [markdown]
# ## Theory in one paragraph
#
# `gap_fit` chooses the weights $\boldsymbol\alpha$ of the sparse points that minimize
#
# $$\sum_{\text{frames}} \frac{(E - E^{\text{DFT}})^2}{\sigma_E^2 \, N} +
# \sum_{\text{components}} \frac{(F - F^{\text{DFT}})^2}{\sigma_F^2} +
# \boldsymbol\alpha^{\mathsf T} \mathbf K \boldsymbol\alpha$$
#
# $\sigma_E$ (eV per atom; $N$ atoms) and $\sigma_F$ (eV/Å) say how much error is expected in the data
# *and* how much may be left. The smaller they are, the more weight have the training frames, and the less
# weight has smoothness: with small sigmas the fit reproduces even the noise of its frames
# (overfitting), with large ones not even their trends (underfitting). $\mathbf K$ holds the kernels between the sparse
# points; kernels do not depend on the sigmas, so that fits with many sigmas cost little more than
# one fit.

# %% [markdown]
# ## See it first
#
# A small potential is trained on 50 frames, then every position of the two sliders is a new fit.
# (Tab takes you to a slider, the arrow keys move it.) Make `sigma E` as small as it goes, then as
# large. Then make it small again, and `sigma F` large. Watch both errors, the points beside the
# diagonal, and the O–H bond that is stretched on the right.

# %%
small = sweep({}, sizes=[50], config=CLASSROOM, cache=CACHE)
explorer = explore_sigmas(
    small["model_path"][0],
    load_frames("water", "train", 50),
    load_frames("water", "validate")[::4],
    config=CLASSROOM,
)
explorer.widget()

# %% [markdown]
# Four positions of the sliders, for those who read this on paper:

# %%
sigma_E, sigma_F = CLASSROOM.sigma_energy_eV_per_atom, CLASSROOM.sigma_force_eV_per_A
positions = [(1e-5, sigma_F), (sigma_E, sigma_F), (1e-1, sigma_F), (1e-5, 1.0)]
views = [explorer.view(*pair) for pair in positions]
with_alt_text(
    explorer.static_figure(positions),
    "Four rows of panels: energy errors against sigma E, energies against DFT, and the energy of one "
    "O–H bond that is stretched. "
    + "; ".join(
        f"sigma E {view.sigma_energy_eV_per_atom:g} eV/atom, sigma F {view.sigma_force_eV_per_A:g} "
        f"eV/Å: energy error {view.rmse_energy['training']:.2g} in training, "
        f"{view.rmse_energy['validation']:.2g} meV/atom in validation"
        for view in views
    )
    + ". With the small sigma E the training points lie on the diagonal and the validation points "
    "beside it. With the large one all lie below it. The stretched bond departs far from the dashed line "
    "only in the last row, where the forces hardly count.",
)

# %% [markdown]
# ## Exercise 2.3 (1): how do you recognize overfitting? (2 points)
#
# *Why:* with these signs you can also find overfitting in published work.
#
# **Question.** Which two numbers do you compare, and how do they look when a potential is overfitted? Name
# one more sign that you saw above.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-3-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The error on the training frames becomes much smaller than the error on validation frames that share
# no trajectory with them, and while the former still falls, the latter rises. In the figure the
# training energies lie exactly on the diagonal while the validation energies scatter. With a small
# sigma E and a large sigma F, where the forces hardly count, even the energy of a stretched bond
# departs from what it was.
#
# === BEGIN MARK SCHEME ===
# - 1 point: validation error much larger than training error, or rising while the other falls.
# - 1 point: another sign: training points exactly on the diagonal while validation points scatter; the
#   result depends strongly on a small sigma; an unphysical energy curve where one is seen.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** At sigma E = {positions[0][0]:g} eV/atom the training error is "
    f"{views[0].rmse_energy['training']:.1g} meV/atom, the validation error "
    f"{views[0].rmse_energy['validation']:.2f}: the former is far below the latter. As fitted they are "
    f"{views[1].rmse_energy['training']:.2f} and {views[1].rmse_energy['validation']:.2f}. The stretched "
    "bond looks fine in both cases, because the forces determine it: the absence of one sign does not "
    "prove that a potential is not overfitted. "
    f"With sigma F = {positions[3][1]:g} eV/Å they no longer do, and its energy at "
    f"{views[3].distance_A[0]:.2f} Å is {views[3].energy_eV[0]:.2f} eV in place of "
    f"{views[1].energy_eV[0]:.2f} eV."
)

# %% [markdown]
# ## Exercise 2.3 (2): which sigma is best for 100 snapshots? (4 points)
#
# *Why:* Judged by the training error alone, the smallest sigma would always look best.
#
# **Do.** Sweep over $\sigma_E$, the values `SIGMAS`, with the small potential on 100 frames:
# `sweep({SIGMA_E: SIGMAS}, sizes=[100], config=CLASSROOM, cache=CACHE)`. Keep the table as `table_100`.
# Then find
#
# - `best_sigma_100` (float, eV per atom): the one with the lowest **validation** error of the energies;
# - `ratios_100` (a `pd.Series` or dict, $\sigma_E$ → number): validation / training error of the energies
#   for each sigma.
#
# It takes about a minute. If you cannot wait, use the **stored result** below, which is the same sweep
# on 100 and on 200 frames: `table_100` is then its rows with `n_frames == 100`.

# %%
# Stored result: made by `python tools/store_results.py sigmas`, see data/stored.
stored_sigmas = pd.read_csv(STORED / "sigmas.csv")
SIGMAS = stored_sigmas[SIGMA_E].unique().tolist()  # eV per atom
print("SIGMAS =", SIGMAS)
stored_sigmas[[SIGMA_E, "n_frames", "set", ENERGY, FORCES, "method"]].round(5).head(4)

# %% nbgrader={"grade": false, "grade_id": "ex2-3-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_100 = …
# best_sigma_100 = …
# ratios_100 = …
### BEGIN SOLUTION
table_100 = sweep({SIGMA_E: SIGMAS}, sizes=[100], config=CLASSROOM, cache=CACHE)
errors_100 = table_100.pivot(index=SIGMA_E, columns="set", values=ENERGY)
best_sigma_100 = float(errors_100["validation"].idxmin())
ratios_100 = errors_100["validation"] / errors_100["training"]
### END SOLUTION

# %% [markdown]
# **Check yourself.** The dotted line is where the validation error is 1.5 times the training error.

# %% nbgrader={"grade": false, "grade_id": "ex2-3-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
from helpers.sweeps import overfitting_onset

onset = overfitting_onset(table_100)
print(f"best sigma: {best_sigma_100:g} eV/atom")
print("validation / training: " + ", ".join(f"{s:g}: {r:.3g}" for s, r in dict(ratios_100).items()))
with_alt_text(
    plot_sigma_curve(table_100, onset),
    "Energy RMSE against sigma E on logarithmic axes, 100 frames. The training error falls all the "
    "way to small sigmas; the validation error has a minimum of "
    f"{onset.best_error:.2f} meV/atom at {onset.best_sigma:g} eV/atom and rises on both sides.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the best sigma, two for the ratios.
assert {100} == set(table_100["n_frames"]), "The sweep should use 100 frames."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_name, _value = "sigma_energy_eV_per_atom", "rmse_energy_meV_per_atom"
_errors = table_100.pivot_table(index=_name, columns="set", values=_value)
_known = _pd.read_csv(_data_folder() / "stored" / "sigmas.csv").query("n_frames == 100")
_known = _known.pivot_table(index=_name, columns="set", values=_value)
_met = 0
for _sigma, _row in _known.iterrows():
    for _found in _errors[_np.isclose(_errors.index, _sigma, rtol=0.01)].itertuples():
        _met += 1
        _same = abs(_found.training / _row["training"] - 1) < 0.1
        _same = _same and abs(_found.validation / _row["validation"] - 1) < 0.05
        assert _same or _sigma < 0.9e-4, (  # below, errors depend on rounding
            f"sigma {_sigma:g}: training error {_found.training:.3f}, validation error "
            f"{_found.validation:.3f} instead of {_row['training']:.3f} and {_row['validation']:.3f} "
            "meV/atom. Is it the small potential (CLASSROOM), with all else as it was?"
        )
assert _met >= 5, f"Sweep over SIGMAS, at least five of them; {_met} are in your table."
_lowest = _errors["validation"].min()
_at = _errors["validation"][_np.isclose(_errors.index, float(best_sigma_100), rtol=0.01)]
_best = len(_at) == 1 and float(_at.iloc[0]) <= 1.005 * _lowest
_given = {float(k): float(v) for k, v in dict(ratios_100).items()}
_want = (_errors["validation"] / _errors["training"]).to_dict()
_ratios = len(_given) == len(_want) and all(
    any(_np.isclose(s, k, rtol=0.01) and _np.isclose(v, w, rtol=0.02) for s, v in _given.items())
    for k, w in _want.items()
)
assert _best or _ratios, (
    f"best_sigma_100 = {float(best_sigma_100):g} is not where the validation error is lowest, and "
    "the ratios are not validation / training."
)
2.0 * float(_best) + 2.0 * float(_ratios)
### END HIDDEN TESTS

# %% tags=["discussion"]
good = errors_100.index[errors_100["validation"] < 1.15 * errors_100["validation"].min()]
n_validation = len(load_frames("water", "validate"))
Markdown(
    f"**Discussion.** The lowest error, {onset.best_error:.2f} meV/atom, is found at "
    f"{onset.best_sigma:g} eV/atom, but the curve is flat: everything from {good.min():g} to "
    f"{good.max():g} eV/atom comes within 15 % of it, because the forces alone already determine the "
    "energies up to a constant. On the right end even that constant is lost; the left end is "
    "overfitted. From the best to the smallest sigma the training error falls by a "
    f"factor of {errors_100['training'][best_sigma_100] / errors_100['training'].min():.0f} while the "
    "validation error grows by "
    f"{100 * (errors_100['validation'].iloc[0] / errors_100['validation'].min() - 1):.0f} %. "
    f"And an RMSE from {n_validation} frames is itself known to about "
    f"{100 / np.sqrt(2 * n_validation):.0f} % only (one over the root of {2 * n_validation}): smaller "
    "differences mean nothing. "
    "One more thing: we have now used the validation frames to choose a setting. For an honest "
    "final error a third set of frames is needed, which had no part in anything."
)

# %% [markdown]
# ## Exercise 2.3 (3): cutoff, atom_sigma, n_max, l_max (4 points)
#
# *Why:* Sigmas are not the only settings. Which of the others is worth your time?
#
# - `cutoff` (Å): the radius of the neighborhood;
# - `atom_sigma` (Å): the width of the Gaussians that represent the neighbors;
# - `n_max`, `l_max`: the number of radial functions and the largest angular momentum: the resolution
#   in distance and in angle.
#
# **Do, first part.** Find out yourself what the cutoff does: sweep `cutoff` over 3.0 and 3.5 Å (and
# more, if you have the time) with the small potential on **50** frames. Keep the table as
# `table_cutoff`, and the value with the lowest validation error of the forces as `best_cutoff`
# (float, Å).

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3a", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_cutoff = …
# best_cutoff = …
### BEGIN SOLUTION
table_cutoff = sweep({"cutoff": [3.0, 3.5]}, sizes=[50], config=CLASSROOM, cache=CACHE)
judged = table_cutoff[table_cutoff["set"] == "validation"].set_index("cutoff")
best_cutoff = float(judged[FORCES].idxmin())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3a-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"best cutoff for the forces: {best_cutoff} Å")
with_alt_text(
    plot_setting(table_cutoff, "cutoff", FORCES),
    "Force RMSE of training and validation frames for each cutoff, 50 frames; the best validation "
    f"error is at {best_cutoff} Å.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-3a", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The best cutoff is the one with the lowest validation error of the forces.
assert {3.0, 3.5} <= set(table_cutoff["cutoff"]), "Try 3.0 and 3.5 Å."
### BEGIN HIDDEN TESTS
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_rows = table_cutoff[(table_cutoff["set"] == "validation") & (table_cutoff["n_frames"] == 50)]
assert len(_rows) >= 2, "The sweep should use 50 frames."
_errors = _rows.set_index("cutoff")["rmse_forces_meV_per_A"]
_known = _pd.read_csv(_data_folder() / "stored" / "settings.csv")
_known = _known.query("setting == 'cutoff' and set == 'validation'").set_index("value")
for _value, _want in _known["rmse_forces_meV_per_A"].items():
    if _value in _errors:
        assert abs(_errors[_value] / _want - 1) < 0.02, (
            f"cutoff {_value} Å: validation error {_errors[_value]:.1f} instead of {_want:.1f} meV/Å. "
            "Is it the small potential (CLASSROOM), with all else as it was?"
        )
assert float(best_cutoff) == _errors.idxmin(), (
    f"At {float(best_cutoff)} Å the validation error is not the lowest: look at the forces, "
    "and at the rows whose set is 'validation'."
)
### END HIDDEN TESTS

# %% [markdown]
# **Do, second part.** So many fits take too long for a class, so here is a **stored
# result**: one setting varied at a time on 50 frames, all others as in `CLASSROOM`. Make
#
# - `best` (dict, setting → value): the value with the lowest validation error of the **forces**;
# - `effect` (dict, setting → float): the highest divided by the lowest validation error of the forces;
# - `most_important` (str): the setting with the largest effect.

# %%
# Stored result: made by `python tools/store_results.py settings`, see data/stored.
stored_settings = pd.read_csv(STORED / "settings.csv")
stored_settings[["setting", "value", "set", ENERGY, FORCES, "peak_memory_MB"]].round(2).head(6)

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3b", "locked": false, "schema_version": 3, "solution": true, "task": false}
# best = …
# effect = …
# most_important = …
### BEGIN SOLUTION
best, effect = {}, {}
for setting, rows in stored_settings[stored_settings["set"] == "validation"].groupby("setting"):
    found = rows.set_index("value")[FORCES]
    best[setting] = float(found.idxmin())
    effect[setting] = float(found.max() / found.min())
most_important = max(effect, key=effect.get)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3b-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for setting in sorted(effect, key=effect.get, reverse=True):
    print(f"{setting:10} best {best[setting]:g}, worst / best error {effect[setting]:.2f}")
print(f"most important: {most_important}")
with style():
    panels, axes = plt.subplots(2, 2, figsize=(11, 8))
for panel, (setting, rows) in zip(axes.flat, stored_settings.groupby("setting"), strict=True):
    plot_setting(rows.rename(columns={"value": setting}), setting, FORCES, ax=panel)
    panel.set_title(f"{setting} (stored result)")
with_alt_text(
    panels,
    "Four panels: force RMSE of training and validation against atom_sigma, cutoff, l_max and n_max. "
    + ", ".join(f"{name}: best at {best[name]:g}" for name in sorted(best))
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-3b", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: the best values, the effects, the most important setting.
assert set(best) == set(effect) == {"cutoff", "atom_sigma", "n_max", "l_max"}, "Four settings."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_all = _pd.read_csv(_data_folder() / "stored" / "settings.csv")
_rows = _all[_all["set"] == "validation"]
_lowest, _effect = {}, {}
for _setting, _part in _rows.groupby("setting"):
    _values = _part.set_index("value")["rmse_forces_meV_per_A"]
    _lowest[_setting] = float(_values.idxmin())
    _effect[_setting] = float(_values.max() / _values.min())
_score = float(all(_np.isclose(float(best[s]), v) for s, v in _lowest.items()))
_score += float(all(_np.isclose(float(effect[s]), v, rtol=0.01) for s, v in _effect.items()))
_score += float(str(most_important) == max(_effect, key=_effect.get))
assert _score > 0, (
    "None is right. Take the rows with set == 'validation', column rmse_forces_meV_per_A, group "
    "them by setting, and compare the highest with the lowest."
)
float(_score)
### END HIDDEN TESTS

# %% tags=["discussion"]
price = stored_settings.query("setting == 'n_max' and set == 'validation'").set_index("value")
far = stored_settings.query("setting == 'cutoff'").pivot(
    index="value", columns="set", values=FORCES
)
narrower = {}
for setting, rows in stored_settings[stored_settings["set"] == "validation"].groupby("setting"):
    all_but_worst = rows[FORCES].sort_values().iloc[:-1]
    narrower[setting] = all_but_worst.max() / all_but_worst.min()
Markdown(
    "**Discussion.** The angular and radial resolution decide which structures the potential can distinguish: "
    f"`{most_important}` changes the error by a factor of {effect[most_important]:.1f}. Such "
    "factors depend on the range that was tried, though. Without the worst value of each they would be "
    + ", ".join(f"{factor:.1f} (`{name}`)" for name, factor in narrower.items())
    + ". A coarse basis "
    "is bad for training and validation frames alike: this is underfitting, and no choice of sigma helps. "
    "A finer basis costs memory, and time in every step of dynamics: the fit took "
    + " and ".join(f"{price['peak_memory_MB'][n]:.0f} MB with `n_max` {n}" for n in (4, 8))
    + ", for the same 50 frames. A cutoff can be too long as well as too short: from 3.5 to 4.5 Å the "
    f"validation error rises from {far['validation'][3.5]:.0f} to {far['validation'][4.5]:.0f} meV/Å, "
    f"and the training error as much, from {far['training'][3.5]:.0f} to {far['training'][4.5]:.0f}. So "
    "this is underfitting, too: the same `n_max` radial functions must cover a longer range, and the "
    "many far neighbors outweigh the few near ones in a SOAP vector of length 1. A longer cutoff "
    "needs a larger `n_max`."
)

# %% [markdown]
# ## Exercise 2.3 (4): and with 200 snapshots? (3 points)
#
# *Why:* is overfitting a fault of the settings, or of too little data?
#
# **Do.** The same sweep over `SIGMAS` as in (2) on 200 frames (or the **stored result**,
# `stored_sigmas`, its rows with `n_frames == 200`): `table_200`, `best_sigma_200` (float, eV per atom), and the ratio validation / training of the energies at $\sigma_E = 10^{-4}$ eV per
# atom for both sizes: `ratio_at_100` and `ratio_at_200` (float). Is the potential more or less overfitted with 200 frames?

# %% nbgrader={"grade": false, "grade_id": "ex2-3-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_200 = …
# best_sigma_200 = …
# ratio_at_100 = …
# ratio_at_200 = …
### BEGIN SOLUTION
table_200 = sweep({SIGMA_E: SIGMAS}, sizes=[200], config=CLASSROOM, cache=CACHE)
errors_200 = table_200.pivot(index=SIGMA_E, columns="set", values=ENERGY)
best_sigma_200 = float(errors_200["validation"].idxmin())
ratio_at_100 = float(ratios_100[1e-4])
ratio_at_200 = float(errors_200["validation"][1e-4] / errors_200["training"][1e-4])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"best sigma: {best_sigma_100:g} eV/atom on 100 frames, {best_sigma_200:g} on 200")
print(f"validation / training at 1e-4: {ratio_at_100:.2f} on 100 frames, {ratio_at_200:.2f} on 200")
with_alt_text(
    plot_sigma_curve(pd.concat([table_100, table_200], ignore_index=True)),
    "Energy RMSE against sigma E for 100 frames (solid) and 200 frames (dashed). At small sigmas the "
    "gap between training and validation is narrower with 200 frames: validation / training at "
    f"1e-4 eV/atom is {ratio_at_100:.1f} with 100 and {ratio_at_200:.1f} with 200.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for the best sigma at 200 frames, one for each ratio.
assert {200} == set(table_200["n_frames"]), "The sweep should use 200 frames."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_name, _value = "sigma_energy_eV_per_atom", "rmse_energy_meV_per_atom"
_all = _pd.read_csv(_data_folder() / "stored" / "sigmas.csv")
_known = _all.pivot_table(index=["n_frames", _name], columns="set", values=_value)
_ratio = _known["validation"] / _known["training"]
_errors = table_200.pivot_table(index=_name, columns="set", values=_value)["validation"]
_pairs = [
    (_found, _want)
    for _sigma, _want in _known["validation"][200].items()
    if _sigma > 0.9e-4  # below, errors depend on rounding
    for _found in _errors[_np.isclose(_errors.index, _sigma, rtol=0.01)]
]
_sound = len(_pairs) >= 5 and all(abs(f / w - 1) < 0.05 for f, w in _pairs)
if not _sound:
    print(
        "table_200 is not a sweep of the small potential on 200 frames over SIGMAS, five at least."
    )
_at = _errors[_np.isclose(_errors.index, float(best_sigma_200), rtol=0.01)]
_score = float(_sound and len(_at) == 1 and float(_at.iloc[0]) <= 1.005 * _errors.min())
_score += float(_np.isclose(float(ratio_at_100), _ratio[100, 1e-4], rtol=0.1))
_score += float(_np.isclose(float(ratio_at_200), _ratio[200, 1e-4], rtol=0.1))
assert _score > 0, (
    f"Expected ratios near {_ratio[100, 1e-4]:.2f} and {_ratio[200, 1e-4]:.2f} at 1e-4 eV/atom: "
    "validation error divided by training error."
)
float(_score)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** Less: validation / training is {ratio_at_100:.1f} with 100 frames and "
    f"{ratio_at_200:.1f} with 200. The best sigma is {best_sigma_100:g} eV/atom with 100 frames and "
    f"{best_sigma_200:g} with 200, but the minimum is flat, and its place uncertain. More frames leave fewer ways to fit all "
    "of them exactly and still be wrong between them."
)

# %% [markdown]
# ## Exercise 2.3 (5): what have you learned? (3 points)
#
# *Why:* explaining something to a colleague shows whether you have understood it.
#
# **Question.** In four or five sentences, for a colleague who is about to train a potential: how to choose the
# settings, what to compare, what more data changes, and which mistake you would warn against.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-3-5", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Choose settings by the error on frames that had no part in the fit, never by the training error,
# which always prefers the smallest sigma. The optimum of sigma is broad: start near the error that you
# expect, and sweep; it is nearly free. With twice the frames the gap between training and validation
# narrows: a small sigma overfits less. Where both errors are equal and high, first see whether a
# smaller sigma lowers both; if not, the description is too coarse (`n_max`, `l_max`, cutoff), and
# no choice of sigma helps. And if you try many settings on the same validation frames, you adapt
# to them: keep a third set for the final number.
#
# === BEGIN MARK SCHEME ===
# - 1 point: choose by the validation error; an optimum between over- and underfitting.
# - 1 point: more data reduces overfitting (narrower gap, less sensitive to sigma).
# - 1 point: one warning with a reason: tuning on the validation set, correlated frames, training error
#   as a measure, a coarse basis, which no sigma can compensate.
# === END MARK SCHEME ===

# %% tags=["discussion"]
forces = {
    n: t[t["set"] == "validation"].set_index(SIGMA_E)[FORCES]
    for n, t in ((100, table_100), (200, table_200))
}
Markdown(
    "**Discussion.** At 1e-4 eV/atom the validation error falls with twice the frames, from "
    f"{errors_100['validation'][1e-4]:.2f} to {errors_200['validation'][1e-4]:.2f} meV/atom. With a "
    f"sensible sigma nothing changes ({errors_100['validation'].min():.2f} and "
    f"{errors_200['validation'].min():.2f} meV/atom at best, each known to about "
    f"{100 / np.sqrt(2 * n_validation):.0f} %): there the model is the limit, as in "
    f"lesson 03. The best sigma, {best_sigma_100:g} and {best_sigma_200:g} eV/atom, is many times the "
    "error that is reached: the optimum is broad, and sigma does not predict the error. At the smallest sigma more frames do harm: the fit must reproduce twice as many energies "
    "exactly with the same few weights, and the error of the forces grows, "
    f"{forces[100].iloc[0]:.0f} meV/Å with 100 frames and {forces[200].iloc[0]:.0f} with 200. A good "
    "sigma and more data both reduce overfitting, but choosing sigma costs no DFT calculation."
)

# %% [markdown]
# ## Exercise 2.3 (more): both sigmas at once (optional)
#
# *Why:* the best $\sigma_E$ depends on $\sigma_F$, because their ratio sets the relative weight of
# energies and forces.
#
# A sweep over $\sigma_E$ and $\sigma_F$ costs no further fit. Sweep over `SIGMA_E` with the values
# 1e-4, 1e-3, 1e-2 and over `"sigma_force_eV_per_A"` with 0.003, 0.012, 0.3 on 100 frames, and keep the
# table as `table_both`. Which of the two matters more for the energies? (If you skip it, *Run All* stops
# here and *Validate* names its test. Only the summary follows, and you lose no points.)

# %% nbgrader={"grade": false, "grade_id": "ex4-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_both = …
### BEGIN SOLUTION
table_both = sweep(
    {SIGMA_E: [1e-4, 1e-3, 1e-2], "sigma_force_eV_per_A": [0.003, 0.012, 0.3]},
    sizes=[100],
    config=CLASSROOM,
    cache=CACHE,
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex4-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
from helpers.sweeps import rank_effects

effects = rank_effects(table_both)
with style():
    both, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
plot_heat_map(table_both, "sigma_force_eV_per_A", SIGMA_E, ax=left)
plot_effects(effects, ax=right)
with_alt_text(
    both,
    "Left: a map of the validation error of the energies over both sigmas. Right: how much worse the "
    "worst value of each sigma is than its best; "
    + ", ".join(f"{row.setting} {100 * (row.effect - 1):.0f} %" for row in effects.itertuples())
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test4-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: three values of each sigma, all combinations, on 100 frames.
assert {100} == set(table_both["n_frames"]), "The sweep should use 100 frames."
### BEGIN HIDDEN TESTS
_names = ["sigma_energy_eV_per_atom", "sigma_force_eV_per_A"]
assert set(_names) <= set(table_both.columns), "Sweep over both sigmas."
_rows = table_both[table_both["set"] == "validation"]
assert (_rows.groupby(_names).size() >= 1).sum() >= 9, "Three values of each: nine combinations."
### END HIDDEN TESTS

# %% tags=["discussion"]
larger, smaller = effects.itertuples()
Markdown(
    f"**Discussion.** `{larger.setting}` matters more: its worst value, {larger.worst}, gives "
    f"{larger.effect:.2f} times the error of its best, {larger.best}; for `{smaller.setting}` it is "
    f"{smaller.effect:.2f} times. What counts is the ratio of the two sigmas, which sets the "
    "relative weight of energies and forces, so this result also depends on the range that was tried."
)

# %% [markdown]
# ## Summary
#
# - Overfitting: validation error well above training error, and rising while the latter falls.
# - The optimum of sigma is broad: start near the error that you expect, and sweep; it is nearly free.
# - The basis (`n_max`, `l_max`) and the cutoff decide what can be learned, and what it costs.
# - More data and a larger sigma both reduce overfitting.
#
# ## Quiz
#
# 1. Training error 0.01, validation error 2 meV/atom: what do you change first?
#
#    <details><summary>Answer</summary>
#
#    A larger $\sigma_E$ (it is overfitted); more frames would help, too.
#
#    </details>
#
# 2. Training error 5, validation error 5.1 meV/atom: what do you change first?
#
#    <details><summary>Answer</summary>
#
#    It underfits. First see whether a smaller sigma lowers both; if not, the model is too coarse: a
#    larger basis, more sparse points, another cutoff.
#
#    </details>
#
# 3. Why is a sweep over sigmas so much cheaper than one over the cutoff?
#
#    <details><summary>Answer</summary>
#
#    The kernels do not depend on the sigmas; with another cutoff all of them change.
#
#    </details>
#
# 4. You tried a thousand settings and report the best validation error. What is wrong?
#
#    <details><summary>Answer</summary>
#
#    The best of a thousand is partly luck on just these frames. Use a third set for the final
#    error.
#
#    </details>
