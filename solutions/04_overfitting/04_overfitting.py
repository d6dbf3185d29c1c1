# %% [markdown]
# # 04 · Overfitting and the settings of a potential
#
# **You will learn**
#
# - to recognize overfitting by comparing two numbers;
# - what $\sigma_E$ and $\sigma_F$ do, which error per atom they allow, and how to choose them without
#   fooling yourself;
# - to find out whether the difference between two potentials means anything;
# - which of cutoff, `atom_sigma`, `n_max` and `l_max` matter most for water, and whether they overfit;
# - why more data reduces overfitting.
#
# **Time:** 70 minutes, of which the computer needs about three.
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

from helpers import (
    GapConfig,
    compare_errors,
    evaluate_together,
    explore_sigmas,
    load_frames,
    sweep,
)
from helpers.frames import data_folder
from helpers.gap import CLASSROOM, explore_curve  # CLASSROOM: few sparse points, quickly trained
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

SIGMA_E, SIGMA_F = "sigma_energy_eV_per_atom", "sigma_force_eV_per_A"
VALIDATION = load_frames("water", "validate")
TRAJECTORIES = [atoms.info["trajectory"] for atoms in VALIDATION]
N_ATOMS = len(VALIDATION[0])

# %% [markdown]
# ## A picture first
#
# Fourteen noisy energies of one O–H bond, and three curves through them, made by the same method as
# our potentials (lesson 02). Only two settings differ: sigma, the error that a label is expected to have, and
# the length scale, over which two energies resemble each other.
#
# **Predict.** Before you read the titles, decide which curve you would trust between the points.

# %%
curves = explore_curve()
with_alt_text(curves.static_figure(), str(curves))

# %% [markdown]
# The curve on the left goes through every point and is wrong between them: it has learned the
# noise. That is **overfitting**. The one on the right ignores most of what the points say:
# **underfitting**. The numbers in the titles show how to notice this without knowing the true curve: compare the error at the
# training points with the error at new points. A potential of water depends on the positions of all atoms,
# here 144 numbers, and nobody can draw it, but these two errors can always be computed.
#
# To read more: the open book by [Rasmussen and Williams](https://gaussianprocess.org/gpml/), chapter 2,
# and the review by [Deringer et al., *Chem. Rev.* **121**, 10073 (2021)](https://doi.org/10.1021/acs.chemrev.1c00022)
# on Gaussian processes for materials and molecules.

# %% [markdown]
# ## Theory
#
# `gap_fit` chooses the weights $\boldsymbol\alpha$ of the sparse points that minimize
#
# $$\sum_{\text{frames}} \frac{(E - E^{\text{DFT}})^2}{\sigma_E^2 \, N} +
# \sum_{\text{components}} \frac{(F - F^{\text{DFT}})^2}{\sigma_F^2} +
# \boldsymbol\alpha^{\mathsf T} \mathbf K \boldsymbol\alpha$$
#
# $E$ is the energy of a frame with $N$ atoms (eV), $F$ a component of a force (eV/Å); with the superscript DFT they are
# labels, without it predictions. $\sigma_E$ (eV per atom) and $\sigma_F$ (eV/Å) are the accepted errors, and $\mathbf K$ (eV²) holds the
# kernels (similarities) between the sparse points. The first two sums pull the potential towards the labels, the
# last one makes it smooth. Small sigmas give the labels more weight: the fit then reproduces even the noise of its
# frames. Large sigmas give smoothness more weight: the fit then misses even the trends. The kernels do not depend on
# the sigmas, so fits with many sigmas cost little more than one.
#
# **How large an error does $\sigma_E$ allow?** Write $e = (E - E^{\text{DFT}})/N$ for the error per atom. The
# first term is $N e^2 / \sigma_E^2 = e^2 / (\sigma_E/\sqrt N)^2$, so the error *per atom* that costs as much as a
# force component that is wrong by $\sigma_F$ is $\sigma_E / \sqrt N$. The reason is the one of lesson 02: errors of
# independent atoms partly cancel in the sum, and $\sigma_E$ is meant for one atom. With the 48 atoms of our frames,
# $\sigma_E = 1$ meV allows 0.14 meV/atom.
# Keep the factor $\sqrt{48} \approx 7$ in mind when you compare a $\sigma_E$ with an RMSE per atom.

# %% [markdown]
# ## See it first: energies alone
#
# Now water. Imagine that DFT had given us energies but no forces. In the formula that is a huge
# $\sigma_F$: forces may be as wrong as they like. `CLASSROOM`, the small potential of lesson 03, is trained on 50 frames.
#
# **Predict.** It has 50 numbers to reproduce, and about 300 weights with which to do that. How small can the
# training error become, and how large do you expect the validation error to be (meV/atom)? *Your guess:* …
#
# Every position of the sliders is a new fit. (Tab takes you to a slider, the arrow keys move it.)
#
# 1. Leave `sigma F` at 10 eV/Å and move `sigma E` from one end to the other. Watch the two errors, the points that
#    leave the diagonal, and (last panel) the energy of an O–H bond that is stretched.
# 2. Then let the forces in: move `sigma F` step by step down to about 0.01 eV/Å. Each frame has one energy and 144
#    components of forces, which are slopes of the same energy.

# %%
few = load_frames("water", "train", 50)
explorer = explore_sigmas(CLASSROOM, few, VALIDATION[::4])
n_weights, n_forces = explorer.family.template.n_sparse, sum(3 * len(atoms) for atoms in few)
print(f"{n_weights} weights; labels: {len(few)} energies, {n_forces} components of forces")
explorer.widget((1e-3, 10.0))

# %% [markdown]
# Four positions of the sliders side by side. In the first two rows the forces do not count, in the last two they do.

# %%
sigma_E, sigma_F = CLASSROOM.sigma_energy_eV_per_atom, CLASSROOM.sigma_force_eV_per_A
positions = [(1e-4, 10.0), (1e-1, 10.0), (1e-4, sigma_F), (sigma_E, sigma_F)]
views = [explorer.view(*pair) for pair in positions]
with_alt_text(
    explorer.static_figure(positions),
    "Four rows of panels: energy errors against sigma E, energies against DFT, and the energy "
    "of one "
    "O–H bond that is stretched. "
    + "; ".join(
        f"sigma E {view.sigma_energy_eV_per_atom:g} eV/atom, sigma F "
        f"{view.sigma_force_eV_per_A:g} "
        f"eV/Å: energy error {view.rmse_energy['training']:.2g} in training, "
        f"{view.rmse_energy['validation']:.2g} meV/atom in validation"
        for view in views
    )
    + ". With energies alone the training points lie on the diagonal while the validation points "
    "scatter, and the stretched bond departs far from the dashed line. With forces both vanish.",
)

# %% [markdown]
# ## Exercise 2.3 (1): how do you recognize overfitting? (2 points)
#
# *Why:* with these signs you can also find overfitting in published work.
#
# **Question.** Which two numbers do you compare, and how do they look when a potential is overfitted? Name
# one more sign of overfitting that you saw above. Why do forces help so much?
#
# <details><summary>What you should have seen</summary>
#
# With energies alone a small sigma E brings the training error to nearly zero, while the validation error is many times
# larger and the energy of the stretched bond departs from its known shape. With forces the two errors come much closer,
# because thousands of slopes leave few ways to be wrong between the frames.
#
# </details>

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-3-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The error on the training frames becomes much smaller than the error on validation frames that share
# no trajectory with them, and while the former still falls, the latter rises. In the figure the
# training energies lie exactly on the diagonal while the validation energies scatter, and the energy of a stretched bond
# departs from what it should be. Forces help because every frame brings 144 of them and only
# one energy: they fix the slope of the energy in every direction, so that few potentials are left that agree with all
# labels and are still wrong between them.
#
# === BEGIN MARK SCHEME ===
# - 1 point: validation error much larger than training error, or rising while the other falls.
# - 1 point: another sign (training points exactly on the diagonal while validation points scatter, a
#   result that depends strongly on a small sigma, an unphysical energy curve), or why forces help (many
#   more labels than energies, slopes of the same function).
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** Energies alone, sigma E = {positions[0][0]:g} eV/atom: the training error "
    "is "
    f"{views[0].rmse_energy['training']:.1g} meV/atom and the validation error "
    f"{views[0].rmse_energy['validation']:.1f} meV/atom. {len(few)} labels cannot determine "
    f"{n_weights} weights. "
    f"No sigma E helps against that: even at {positions[1][0]:g} eV/atom the errors are "
    f"{views[1].rmse_energy['training']:.1f} and {views[1].rmse_energy['validation']:.1f} "
    "meV/atom, because what is missing are labels. "
    f"With the forces ({n_forces} components) the errors are "
    f"{views[3].rmse_energy['training']:.2f} and "
    f"{views[3].rmse_energy['validation']:.2f} meV/atom as fitted. With the small sigma E the "
    "training error is "
    f"{views[2].rmse_energy['training']:.2f} meV/atom, below a validation error of "
    f"{views[2].rmse_energy['validation']:.2f}: still "
    "overfitted in the energies, while the stretched bond looks fine, because the forces "
    "determine it. "
    "The absence of one sign does not prove that a potential is not overfitted."
)

# %% [markdown]
# ## Exercise 2.3 (2): which sigma is best for 100 snapshots? (4 points)
#
# *Why:* judged by the training error alone, the smallest sigma would always look best.
#
# **Predict.** Sketch on paper how training and validation error of the energies change as $\sigma_E$
# falls from 1 to $10^{-5}$ eV/atom, with forces and without. Where do you expect the best value? *Your guess:* …
#
# **Do.** A *sweep* is a fit for each combination of some settings. Sweep over $\sigma_E$ (the values `SIGMAS` of the next
# cell) *and* over $\sigma_F$ (its default and 10 eV/Å) with the default potential, `GapConfig()`, on 100 frames; use
# `engine="jax"` and `cache=CACHE`. `help(sweep)` explains how. All fits of this sweep share one set of kernels (in the
# column `method`: "one K_NM", the matrix of the kernels between labels and sparse points), so the bar soon reaches its
# end. Then keep
#
# - `table_100`: the rows of the sweep with the default $\sigma_F$, and `table_alone`: those with 10 eV/Å (DataFrames);
# - `ratio_100` and `ratio_alone` (float): validation / training error of the energies at $\sigma_E = 10^{-3}$ eV/atom, with forces and without;
# - `plateau_100` (list of float, eV/atom): all values of `SIGMAS` whose **validation** error of the energies, with forces, is as good as the lowest one *within the noise*;
# - `best_sigma_100` (float, eV/atom): the value that you would use: any one of the plateau at which the validation error of the *forces* is at
#   most 1 % above the lowest one.
#
# **What is noise here?** Sixty validation frames are a sample; with sixty others every error would be a
# little different. The *bootstrap* of lesson 02 shows by how much: draw whole trajectories with replacement, again and
# again, and look at how the result scatters. `compare_errors(first, second, TRAJECTORIES)` does so for the
# difference of two RMSEs, first minus second, on the same frames, and gives the 95 % interval `low` … `high`. If it
# contains 0, the two cannot be told apart. `first` and `second` are evaluations as `evaluate` makes them:
# `evaluate_together(paths, VALIDATION)` returns a list of them, one for each of the models whose files are named in the
# column `model_path` of your table.
#
# If you cannot wait, use the **stored results** of the next cell: the same sweep on 100 frames (with forces also on 200;
# mind the column `n_frames`), and in `stored_noise` the comparison of each sigma with the best one.
#
# <details><summary>Hint 1</summary>
#
# `sweep({SIGMA_E: SIGMAS, SIGMA_F: [default, 10.0]}, sizes=[100], config=GapConfig(), …)`; the default is `GapConfig().sigma_force_eV_per_A`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `table_100.pivot(index=SIGMA_E, columns="set", values=ENERGY)` has one row for each sigma, and the columns `training` and `validation`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Take the rows with `set == "validation"`, and pair their sigmas with what `evaluate_together` returns for their paths. Then
# `compare_errors(this, the_lowest, TRAJECTORIES)["low"][0]` is the lower end of the interval for the energies (row 0; row 1 is for the forces).
#
# </details>

# %%
# Stored results: made by `python tools/store_results.py sigmas`, see data/stored.
stored_sigmas = pd.read_csv(STORED / "sigmas.csv")
stored_noise = pd.read_csv(STORED / "sigma_noise.csv")  # difference from the best sigma
SIGMAS = sorted(stored_sigmas[SIGMA_E].unique().tolist())  # eV per atom
print("SIGMAS =", SIGMAS)
stored_sigmas[[SIGMA_E, SIGMA_F, "n_frames", "set", "method"]].head(3)

# %% nbgrader={"grade": false, "grade_id": "ex2-3-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_100 = …
# table_alone = …
# ratio_100 = …
# ratio_alone = …
# plateau_100 = …
# best_sigma_100 = …
### BEGIN SOLUTION
config = GapConfig()
both = sweep(
    {SIGMA_E: SIGMAS, SIGMA_F: [config.sigma_force_eV_per_A, 10.0]},
    sizes=[100],
    config=config,
    engine="jax",
    cache=CACHE,
)
table_100, table_alone = both[both[SIGMA_F] < 1], both[both[SIGMA_F] > 1]
errors_100, errors_alone = (
    table.pivot(index=SIGMA_E, columns="set", values=ENERGY) for table in (table_100, table_alone)
)
ratio_100, ratio_alone = (
    float(errors["validation"][1e-3] / errors["training"][1e-3])
    for errors in (errors_100, errors_alone)
)
lowest = float(errors_100["validation"].idxmin())
rows_100 = table_100[table_100["set"] == "validation"].set_index(SIGMA_E)
models_100 = evaluate_together(rows_100["model_path"], VALIDATION)
judged_100 = dict(zip(rows_100.index, models_100, strict=True))
noise_100 = {
    sigma: compare_errors(judged, judged_100[lowest], TRAJECTORIES).iloc[0]
    for sigma, judged in judged_100.items()
}
plateau_100 = [sigma for sigma, row in noise_100.items() if row["low"] <= 0]
forces_100 = rows_100[FORCES]
good = [sigma for sigma in plateau_100 if forces_100[sigma] <= 1.01 * forces_100.min()]
best_sigma_100 = float(errors_100["validation"][good].idxmin())
### END SOLUTION

# %% [markdown]
# **Check yourself.** Both figures have the same axes. A dotted line, where there is one, is where the validation error is 1.5 times the training error.

# %% nbgrader={"grade": false, "grade_id": "ex2-3-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
from helpers.sweeps import overfitting_onset

print(f"validation / training at 1e-3: {ratio_alone:.3g} without forces, {ratio_100:.3g} with them")
print(f"as good as the best within the noise: {sorted(plateau_100)}; you use {best_sigma_100:g}")
with style():
    panels, axes = plt.subplots(1, 2, figsize=(12, 4.8), sharey=True)
for panel, (name, table) in zip(
    axes, {"energies alone": table_alone, "with forces": table_100}.items(), strict=True
):
    plot_sigma_curve(table, overfitting_onset(table), ax=panel)
    panel.title.set_text(f"100 frames, {name}")
    panel.label_outer()
with_alt_text(
    panels,
    "Two panels with energy RMSE against sigma E on logarithmic axes. Left, energies alone: "
    "training "
    f"and validation error lie far apart at small sigmas, by a factor of {ratio_alone:.3g} at "
    "1e-3 "
    f"eV/atom. Right, with forces: they lie close together, by a factor of {ratio_100:.3g}, and "
    "the "
    "validation error is flat over a wide range of sigma.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point each: both ratios, a sigma on the plateau, the plateau itself; one for the sweep.
assert {100} == set(table_100["n_frames"]) == set(table_alone["n_frames"]), "Use 100 frames."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_E, _F, _value = "sigma_energy_eV_per_atom", "sigma_force_eV_per_A", "rmse_energy_meV_per_atom"
_folder = _data_folder() / "stored"
_known = _pd.read_csv(_folder / "sigmas.csv").query("n_frames == 100")
_noise = _pd.read_csv(_folder / "sigma_noise.csv").query("n_frames == 100").set_index(_E)


def _errors(table):
    return table.pivot_table(index=_E, columns="set", values=_value)


_right = {}
for _name, _table, _rows in (
    ("table_100", table_100, _known[_known[_F] < 1]),
    ("table_alone", table_alone, _known[_known[_F] > 1]),
):
    _mine, _theirs = _errors(_table), _errors(_rows)
    _pairs = [
        (_mine["validation"].iloc[_i], _theirs["validation"][_sigma])
        for _sigma in _theirs.index
        for _i in _np.flatnonzero(_np.isclose(_mine.index, _sigma, rtol=0.01))
        if _sigma > 0.9e-4  # below, errors depend on rounding
    ]
    _right[_name] = len(_pairs) >= 5 and all(abs(_m / _t - 1) < 0.05 for _m, _t in _pairs)
    if not _right[_name]:
        print(
            f"{_name}: not the errors of GapConfig() on 100 frames, engine='jax', over five or "
            "more of SIGMAS. Which sigma of the forces do its rows have?"
        )
_at = {
    _name: _errors(_rows).loc[1e-3]
    for _name, _rows in (("100", _known[_known[_F] < 1]), ("alone", _known[_known[_F] > 1]))
}
_ratios = all(
    abs(float(_mine) / (_at[_name]["validation"] / _at[_name]["training"]) - 1) < 0.1
    for _name, _mine in (("100", ratio_100), ("alone", ratio_alone))
)
if not _ratios:
    print("A ratio is validation error / training error of the energies at 1e-3 eV/atom.")
# Which sigmas the noise leaves open is itself a little open: those near the border may be in or out.
_best = _noise["rmse"].min()
_surely_in = _noise.index[(_noise["low"] <= 0) & (_noise["rmse"] < 1.03 * _best)]
_may_be_in = _noise.index[_noise["low"] <= 0.02 * _best]


def _among(sigma, sigmas):
    return any(_np.isclose(float(sigma), sigmas, rtol=0.01))


_forces = _known[(_known[_F] < 1) & (_known["set"] == "validation")].set_index(_E)
_forces = _forces["rmse_forces_meV_per_A"]
_usable = [_sigma for _sigma in _may_be_in if _forces[_sigma] < 1.012 * _forces.min()]
_choice = _among(best_sigma_100, _usable)
if not _choice:
    print(
        f"best_sigma_100 = {float(best_sigma_100):g}: there the energies are worse beyond the noise, "
        "or the forces by more than 1 %."
    )
_plateau = [float(_sigma) for _sigma in plateau_100]
_flat = all(_among(_sigma, _may_be_in) for _sigma in _plateau)
_flat = _flat and all(_among(_sigma, _plateau) for _sigma in _surely_in) and len(_plateau) > 0
if not _flat:
    print(
        f"plateau_100: expected {sorted(_surely_in)}, with others up to {sorted(_may_be_in)}: "
        "those for which 0 lies within low … high of their difference from the best."
    )
float(all(_right.values())) + float(_ratios) + float(_choice) + float(_flat)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Without forces the training error follows sigma E down to nothing while the validation error stays high. With forces the
# validation error is flat over several powers of ten, so that there is no single best sigma: name the range, and take a
# value inside it at which the forces are good as well.
#
# </details>


# %% tags=["discussion"]
def pairs(errors, sigma):
    return f"{errors['training'][sigma]:.2g} and {errors['validation'][sigma]:.2g} meV/atom"


smallest, validation_100 = min(SIGMAS), errors_100["validation"]
above = [s for s in SIGMAS if errors_100["training"][s] > validation_100[s]]
Markdown(
    "**Discussion.** At 1e-3 eV/atom training and validation error are "
    f"{pairs(errors_alone, 1e-3)} without forces (ratio {ratio_alone:.3g}) and "
    f"{pairs(errors_100, 1e-3)} with them (ratio {ratio_100:.3g}). "
    f"With forces the lowest validation error, {validation_100.min():.3f} meV/atom, is found at "
    f"{lowest:g} eV/atom, but "
    + ", ".join(f"{sigma:g}" for sigma in sorted(plateau_100))
    + " eV/atom cannot be told apart from it: the forces alone determine the energies up to a "
    "constant. On the right end even that constant is lost, which is underfitting. On the left end "
    f"({smallest:g} eV/atom) the 100 energies are learned by heart: the training error is "
    f"{errors_100['training'][smallest]:.1g} meV/atom, while the validation error is only "
    f"{100 * (validation_100[smallest] / validation_100.min() - 1):.1f} % above the lowest one, "
    f"and the error of the forces is {forces_100[smallest]:.1f} instead of {forces_100.min():.1f} meV/Å. "
    "So a large ratio shows that something was learned by heart. Whether that does harm, only the "
    "validation error shows: great harm without forces, hardly any with them. "
    "Reporting the minimum of a flat, noisy curve to three digits would be learning by heart once "
    "more, this time of the validation frames. "
    f"In terms of errors per atom: {best_sigma_100:g} eV/atom allows "
    f"{1000 * best_sigma_100 / np.sqrt(N_ATOMS):.2g} meV/atom, and the error reached is "
    f"{validation_100[best_sigma_100]:.2g} meV/atom. "
    + (
        f"At {', '.join(f'{s:g}' for s in above)} eV/atom the *training* error lies above the "
        "validation error. That is no mistake: the two sets hold different frames, some harder "
        "than others, and nothing there is learned by heart that could make the training frames "
        "the easier ones. "
        if above
        else "If in some other fit the *training* error is the larger one, that is no mistake: "
        "the two sets hold different frames, some harder than others, and where nothing is learned "
        "by heart the training frames need not be the easier ones. "
    )
    + "One more thing: we have now used the validation frames to choose a setting. An honest "
    "final error needs a third set of frames, which had no part in anything."
)

# %% [markdown]
# ## Exercise 2.3 (3): cutoff, atom_sigma, n_max, l_max (6 points)
#
# *Why:* sigmas are not the only settings. Which of the others is worth your time, and can they cause overfitting as well?
#
# - `cutoff` (Å): the radius of the neighborhood;
# - `atom_sigma` (Å): the width of the Gaussians that represent the neighbors;
# - `n_max`, `l_max`: the number of radial functions and the highest degree of the spherical harmonics, which set the
#   resolution in distance and in angle. Together they are called the *basis*.
#
# **Predict.** Which of the four changes the error of the forces most? Can a cutoff be too long? *Your guess:* …
#
# **Do, first part.** Find out yourself what the cutoff does: sweep `cutoff` over 3, 4 and 5 Å with
# the small potential, `CLASSROOM`, on **50** frames (`engine="jax"`). Keep the table as `table_cutoff`, and the value with
# the lowest validation error of the forces as `best_cutoff` (float, Å).

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3a", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_cutoff = …
# best_cutoff = …
### BEGIN SOLUTION
table_cutoff = sweep(
    {"cutoff": [3.0, 4.0, 5.0]}, sizes=[50], config=CLASSROOM, engine="jax", cache=CACHE
)
judged = table_cutoff[table_cutoff["set"] == "validation"].set_index("cutoff")
best_cutoff = float(judged[FORCES].idxmin())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3a-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"best cutoff for the forces: {best_cutoff} Å")
with_alt_text(
    plot_setting(table_cutoff, "cutoff", FORCES),
    "Force RMSE of training and validation frames for each cutoff, 50 frames; the best "
    "validation "
    f"error is at {best_cutoff} Å.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-3a", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The best cutoff is the one with the lowest validation error of the forces.
assert {3.0, 4.0, 5.0} <= set(table_cutoff["cutoff"]), "Try 3, 4 and 5 Å."
### BEGIN HIDDEN TESTS
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_rows = table_cutoff[(table_cutoff["set"] == "validation") & (table_cutoff["n_frames"] == 50)]
assert len(_rows) >= 3, "The sweep should use 50 frames."
_errors = _rows.set_index("cutoff")["rmse_forces_meV_per_A"]
_known = _pd.read_csv(_data_folder() / "stored" / "settings.csv")
_known = _known.query("setting == 'cutoff' and set == 'validation'").set_index("value")
for _value, _want in _known["rmse_forces_meV_per_A"].items():
    if _value in _errors:
        assert abs(_errors[_value] / _want - 1) < 0.05, (
            f"cutoff {_value} Å: validation error {_errors[_value]:.1f} instead of {_want:.1f} "
            "meV/Å. "
            "Is it the small potential (CLASSROOM), with all else as it was?"
        )
assert float(best_cutoff) == _errors.idxmin(), (
    f"At {float(best_cutoff)} Å the validation error is not the lowest: look at the forces, "
    "and at the rows whose set is 'validation'."
)
### END HIDDEN TESTS

# %% [markdown]
# **Do, second part.** For all four settings the next cell loads a **stored result**, `stored_settings`: one setting
# varied at a time on 50 frames, all others as in `CLASSROOM` (column `setting`: which one; `value`: its value). Make
#
# - `best` (dict, setting → value): the value with the lowest validation error of the **forces**;
# - `effect` (dict, setting → float): the highest divided by the lowest validation error of the forces;
# - `most_important` (str): the setting with the largest effect;
# - `overfitting` (dict, `"n_max"` and `"l_max"` → `pd.Series` or dict, value → float): validation / training
#   error of the **energies** for each value of the two.
#
# <details><summary>Hint</summary>
#
# `stored_settings.groupby("setting")` gives one table for each setting; `.pivot(index="value", columns="set", values=ENERGY)` puts training and validation side by side.
#
# </details>

# %%
# Stored result: made by `python tools/store_results.py settings`, see data/stored.
stored_settings = pd.read_csv(STORED / "settings.csv")
stored_settings[["setting", "value", "set", ENERGY, FORCES]].round(2).head(4)

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3b", "locked": false, "schema_version": 3, "solution": true, "task": false}
# best = …
# effect = …
# most_important = …
# overfitting = …
### BEGIN SOLUTION
best, effect, overfitting = {}, {}, {}
for setting, rows in stored_settings.groupby("setting"):
    forces = rows[rows["set"] == "validation"].set_index("value")[FORCES]
    best[setting] = float(forces.idxmin())
    effect[setting] = float(forces.max() / forces.min())
    if setting in ("n_max", "l_max"):
        energies = rows.pivot(index="value", columns="set", values=ENERGY)
        overfitting[setting] = energies["validation"] / energies["training"]
most_important = max(effect, key=effect.get)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-3b-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for setting in sorted(effect, key=effect.get, reverse=True):
    print(f"{setting:10} best {best[setting]:g}, worst / best error {effect[setting]:.2f}")
print(f"most important: {most_important}")
for setting, ratios in overfitting.items():
    values = ", ".join(f"{value:g}: {ratio:.2f}" for value, ratio in dict(ratios).items())
    print(f"energies, validation / training for each {setting}: {values}")
with style():
    panels, axes = plt.subplots(2, 4, figsize=(13, 7.6), sharey="row")
for column, (setting, rows) in zip(axes.T, stored_settings.groupby("setting"), strict=True):
    for panel, quantity in zip(column, (FORCES, ENERGY), strict=True):
        plot_setting(rows.rename(columns={"value": setting}), setting, quantity, ax=panel)
        panel.title.set_text(setting if quantity == FORCES else "")
        kind = "forces" if quantity == FORCES else "energies"
        panel.yaxis.label.set_text(panel.get_ylabel().replace("RMSE", f"RMSE of {kind}"))
        panel.label_outer()
        if panel is not axes[0, 0]:
            panel.get_legend().remove()
with_alt_text(
    panels,
    "Two rows of four panels, with one y-axis for each row: RMSE of forces and of energies, "
    "training and "
    "validation, against atom_sigma, cutoff, l_max and n_max. "
    + ", ".join(f"{name}: best at {best[name]:g}" for name in sorted(best))
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-3b", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point each: the best values, the effects, the most important setting, the ratios.
assert set(best) == set(effect) == {"cutoff", "atom_sigma", "n_max", "l_max"}, "Four settings."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_all = _pd.read_csv(_data_folder() / "stored" / "settings.csv")
_lowest, _effect, _ratios = {}, {}, {}
for _setting, _part in _all.groupby("setting"):
    _values = _part[_part["set"] == "validation"].set_index("value")["rmse_forces_meV_per_A"]
    _lowest[_setting] = float(_values.idxmin())
    _effect[_setting] = float(_values.max() / _values.min())
    _both = _part.pivot(index="value", columns="set", values="rmse_energy_meV_per_atom")
    _ratios[_setting] = (_both["validation"] / _both["training"]).to_dict()
_score = float(all(_np.isclose(float(best[s]), v) for s, v in _lowest.items()))
_score += float(all(_np.isclose(float(effect[s]), v, rtol=0.01) for s, v in _effect.items()))
_score += float(str(most_important) == max(_effect, key=_effect.get))
_given = {k: {float(v): float(r) for v, r in dict(x).items()} for k, x in overfitting.items()}
_same = {"n_max", "l_max"} <= set(_given) and all(
    set(_given[_s]) == set(_ratios[_s])
    and all(_np.isclose(_given[_s][_v], _r, rtol=0.01) for _v, _r in _ratios[_s].items())
    for _s in ("n_max", "l_max")
)
if not _same:
    print("overfitting: validation / training error of the energies, for n_max and for l_max.")
_score += float(_same)
assert _score > 0, (
    "None is right. Group the table by setting, and compare the highest with the lowest "
    "validation error of the forces."
)
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (1 point, marked by hand). Can `n_max` and `l_max` cause overfitting? Argue with the
# energies: what happens to the training error, what to the validation error, and how sure are you?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-3-3", "locked": false, "points": 1, "schema_version": 3, "solution": true, "task": false}
# They can: validation / training of the energies is larger with a fine basis than with a coarse one. For `l_max` the
# training error goes on falling up to the finest value, while the validation error no longer falls: that is the beginning
# of overfitting. For `n_max` it is different at the end: from 7 to 10 both errors rise a little. Overfitting would lower
# the training error; this is underfitting, because 100 sparse points cannot represent so fine a description. How sure one
# can be depends on the noise of 60 frames, one or two tenths of a meV/atom: the first steps, which lower the error by more
# than half a meV/atom, are certain; the last ones, of a tenth or less, are not.
#
# === BEGIN MARK SCHEME ===
# - 1 point: an answer that compares training with validation errors of the energies (the ratio grows with a finer basis
#   while the validation error stops falling), with or without the doubt that the last step is within the noise.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# A coarse basis is bad for training and validation frames alike. Beyond a certain resolution the validation error no
# longer falls, and the ratio of validation to training error of the energies is larger than with a coarse basis.
#
# </details>

# %% tags=["discussion"]
far = stored_settings.query("setting == 'cutoff'").pivot(
    index="value", columns="set", values=FORCES
)
longest = far.index.max()
fine = {
    name: stored_settings.query("setting == @name").pivot(
        index="value", columns="set", values=ENERGY
    )
    for name in ("n_max", "l_max")
}
narrower = {}
for setting, rows in stored_settings[stored_settings["set"] == "validation"].groupby("setting"):
    all_but_worst = rows[FORCES].sort_values().iloc[:-1]
    narrower[setting] = all_but_worst.max() / all_but_worst.min()
Markdown(
    "**Discussion.** Angular and radial resolution decide which structures the potential can "
    "distinguish: "
    f"`{most_important}` changes the error of the forces by a factor of "
    f"{effect[most_important]:.1f}. Such "
    "factors depend on the range that was tried: without the worst value of each they are "
    + ", ".join(f"{factor:.1f} (`{name}`)" for name, factor in narrower.items())
    + ". A coarse basis is bad for training and validation frames alike: this is underfitting, "
    "and no choice of "
    "sigma helps. **Can they overfit?** "
    + " ".join(
        f"From `{name}` {table.index[-2]:g} to {table.index[-1]:g} the training error of the "
        "energies goes from "
        f"{table['training'].iloc[-2]:.2f} to {table['training'].iloc[-1]:.2f} meV/atom, the "
        "validation error from "
        f"{table['validation'].iloc[-2]:.2f} to {table['validation'].iloc[-1]:.2f}."
        for name, table in fine.items()
    )
    + " Where the training error falls and the validation error does not, overfitting begins. Where "
    "both rise, 100 sparse points are too few to represent so fine a description, and that is "
    "underfitting. With energies alone even the basis of `CLASSROOM` overfits, as the sliders showed. "
    f"A cutoff can be too long as well as too short: from {best['cutoff']:g} to {longest:g} Å "
    "the validation error of the "
    f"forces goes from {far['validation'][best['cutoff']]:.0f} to "
    f"{far['validation'][longest]:.0f} meV/Å, "
    f"the training error from {far['training'][best['cutoff']]:.0f} to "
    f"{far['training'][longest]:.0f}. Both rise, so this "
    "is underfitting: the same `n_max` radial functions must cover a longer range, and many "
    "far neighbors "
    "outweigh the few near ones in a SOAP vector of length 1. A longer cutoff needs a larger "
    "`n_max`."
)

# %% [markdown]
# ## Exercise 2.3 (4): and with 200 snapshots? (3 points)
#
# *Why:* is overfitting a fault of the settings, or of too little data? And is 200 better than 100 at all?
#
# **Predict.** You train with your best sigma on 200 frames. Will the validation error of the energies fall by more or by less than its noise? *Your guess:* …
#
# **Do.** Train the default potential with your `best_sigma_100` on 200 frames (a sweep with a single value will do, `engine="jax"`), keep its table as
# `table_200`, and compare it with your potential of 100 frames:
#
# - `gain` (float, meV/atom): validation RMSE of the energies with 100 frames minus that with 200, at this sigma;
# - `gain_low`, `gain_high` (float, meV/atom): its 95 % interval from `compare_errors`;
# - `significant` (bool): `True` if the interval does not contain 0.
#
# The models and the evaluation of your 100 frames are those of exercise 2.3 (2). If you cannot wait, the **stored
# results** hold the sweep on 200 frames (`stored_sigmas`) and, in `stored_gain`, this comparison for every sigma.

# %%
stored_gain = pd.read_csv(STORED / "sigma_gain.csv")  # 100 frames minus 200, for each sigma

# %% nbgrader={"grade": false, "grade_id": "ex2-3-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_200 = …
# gain = …
# gain_low = …
# gain_high = …
# significant = …
### BEGIN SOLUTION
table_200 = sweep(
    {SIGMA_E: [best_sigma_100]}, sizes=[200], config=GapConfig(), engine="jax", cache=CACHE
)
(judged_200,) = evaluate_together(table_200["model_path"][:1], VALIDATION)
compared = compare_errors(judged_100[best_sigma_100], judged_200, TRAJECTORIES)
gain, gain_low, gain_high = map(float, compared.loc[0, ["difference", "low", "high"]])
significant = not gain_low <= 0 <= gain_high
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-3-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    f"100 frames minus 200, at {best_sigma_100:g} eV/atom: {gain:+.3f} meV/atom, 95 % interval "
    f"{gain_low:+.3f} to {gain_high:+.3f}: " + ("significant" if significant else "not significant")
)
with_alt_text(
    plot_sigma_curve(stored_sigmas[stored_sigmas[SIGMA_F] < 1]),
    "Energy RMSE against sigma E with forces, for 100 frames (solid) and 200 frames (dashed), "
    "stored. "
    "At small sigmas the distance between training and validation is smaller with 200 frames; "
    "on the plateau "
    "the curves nearly coincide.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-3-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: the gain, its interval, the conclusion.
assert {200} == set(table_200["n_frames"]), "The potential should know 200 frames."
### BEGIN HIDDEN TESTS
import numpy as _np
import pandas as _pd

from helpers.frames import data_folder as _data_folder

_E = "sigma_energy_eV_per_atom"
_gains = _pd.read_csv(_data_folder() / "stored" / "sigma_gain.csv")
_rows = _gains[_np.isclose(_gains[_E], float(best_sigma_100), rtol=0.01)]
assert len(_rows) == 1, f"best_sigma_100 = {float(best_sigma_100):g} is not one of SIGMAS."
_row = _rows.iloc[0]
_width = float(_row["high"] - _row["low"])
_gain = abs(float(gain) - _row["difference"]) < 0.05 * _width
_low, _high = float(gain_low), float(gain_high)
_interval = abs(_low - _row["low"]) < 0.1 * _width and abs(_high - _row["high"]) < 0.1 * _width
_follows = bool(significant) == (not _low <= 0 <= _high) and _low < _high
if not (_gain and _interval and _follows):
    print(
        f"Expected {_row['difference']:+.3f} meV/atom, 95 % interval {_row['low']:+.3f} to "
        f"{_row['high']:+.3f}: the energies (first row) of compare_errors(100 frames, 200 "
        "frames). "
        "Significant is what excludes zero."
    )
float(_gain) + float(_interval) + float(_follows and _interval)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Twice the frames change the error of the energies by little, and only the interval shows whether it changed at all. At
# the smallest sigmas the energies of 200 frames are harder to learn by heart than those of 100.
#
# </details>

# %% tags=["discussion"]
with_forces = stored_sigmas[stored_sigmas[SIGMA_F] < 1].pivot(
    index=[SIGMA_E, "n_frames"], columns="set", values=ENERGY
)
ratios = with_forces["validation"] / with_forces["training"]
force_row = compared.loc[1]
Markdown(
    f"**Discussion.** At {best_sigma_100:g} eV/atom twice the frames lower the error of the energies "
    f"by {gain:.3f} meV/atom (95 % interval {gain_low:+.3f} to {gain_high:+.3f}): "
    + ("more than noise. " if significant else "this cannot be told from zero. ")
    + f"The error of the forces falls by {force_row['difference']:.1f} meV/Å "
    f"({force_row['low']:+.1f} to {force_row['high']:+.1f}): "
    + ("that is real. " if force_row["low"] > 0 else "no more than noise. ")
    + "The interval of the difference is narrower than that of either error, because both "
    "potentials meet the same easy and hard "
    "frames. At small sigmas twice the energies are harder to learn by heart: validation / "
    f"training at 1e-4 eV/atom is {ratios[1e-4, 100]:.3g} with 100 frames and "
    f"{ratios[1e-4, 200]:.3g} with 200; at {best_sigma_100:g} eV/atom it is "
    f"{ratios[best_sigma_100, 100]:.2f} and {ratios[best_sigma_100, 200]:.2f}. "
    "More frames leave fewer ways to fit all "
    "of them closely and still be wrong between them."
)

# %% [markdown]
# ## Exercise 2.3 (5): what have you learned? (3 points)
#
# *Why:* explaining something to a colleague shows whether you have understood it.
#
# **Question.** Write four or five sentences for a colleague who is about to train a potential: how to choose the
# settings, what to compare, what more data changes, and which mistake you would warn against.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-3-5", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Choose settings by the error on frames that had no part in the fit, never by the training error,
# which always prefers the smallest sigma. Start with a sigma that allows about the error you expect (for energies
# $\sigma_E/\sqrt N$ per atom), and sweep, which costs next to nothing; usually a whole range is equally good, and any value in it will do. With twice
# the frames the distance between training and validation error becomes smaller: a small sigma overfits less. Where both errors are equal and high, first see whether a
# smaller sigma lowers both; if not, the description is too coarse (`n_max`, `l_max`, cutoff), and
# no choice of sigma helps. Before you believe a difference, compare it with its noise. And if you try many settings on the same validation frames, you adapt
# to them: keep a third set for the final number.
#
# === BEGIN MARK SCHEME ===
# - 1 point: choose by the validation error; an optimum (or a plateau) between over- and underfitting.
# - 1 point: more data reduces overfitting (smaller distance, less sensitive to sigma).
# - 1 point: one warning with a reason: tuning on the validation set, correlated frames, training error
#   as a measure, differences within the noise, a coarse basis, which no sigma can compensate.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    "**Discussion.** The two remedies differ in price: a good sigma costs no DFT calculation, "
    "100 more frames cost "
    "100 of them. And they act at different places: sigma and data reduce overfitting, while "
    "the error on the plateau "
    f"({with_forces['validation'][best_sigma_100, 100]:.2f} meV/atom with 100 frames, "
    f"{with_forces['validation'][best_sigma_100, 200]:.2f} with 200) "
    "falls slowly, because there the model is the limit, as in lesson 03."
)

# %% [markdown]
# ## Exercise 2.3 (more): both sigmas at once (optional)
#
# *Why:* the best $\sigma_E$ depends on $\sigma_F$, because their ratio sets the relative weight of
# energies and forces.
#
# **Predict.** Which of the two matters more for the error of the energies?
#
# **Do.** Sweep over `SIGMA_E` with the values 1e-4, 1e-3, 1e-2 (eV/atom) and over `SIGMA_F` with 0.003, 0.012, 0.3
# (eV/Å), all nine combinations, with the small potential `CLASSROOM` on 100 frames (`engine="jax"`), and keep the table
# as `table_both` (DataFrame). (If you skip it, delete the line with `raise`.)

# %% nbgrader={"grade": false, "grade_id": "ex4-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# table_both = …
### BEGIN SOLUTION
table_both = sweep(
    {SIGMA_E: [1e-4, 1e-3, 1e-2], SIGMA_F: [0.003, 0.012, 0.3]},
    sizes=[100],
    config=CLASSROOM,
    engine="jax",
    cache=CACHE,
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex4-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
from helpers.sweeps import rank_effects

effects = rank_effects(table_both)
with style():
    both_panels, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
plot_heat_map(table_both, SIGMA_F, SIGMA_E, ax=left)
plot_effects(effects, ax=right)
with_alt_text(
    both_panels,
    "Left: a map of the validation error of the energies over both sigmas. Right: how much "
    "worse the "
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
    f"{larger.effect:.2f} times the error of its best, {larger.best}; for `{smaller.setting}` "
    "it is "
    f"{smaller.effect:.2f} times. What counts is the ratio of the two sigmas, which sets the "
    "relative weight of energies and forces, so this result also depends on the range that was "
    "tried."
)

# %% [markdown]
# ## Summary
#
# - Overfitting: validation error well above training error, and rising while the latter falls.
# - $\sigma_E$ allows an error of $\sigma_E/\sqrt N$ per atom. Its optimum is a plateau: name the range, and do not trust the third digit of a minimum.
# - A difference counts when it exceeds its noise; the bootstrap over trajectories shows how large that is.
# - The basis (`n_max`, `l_max`) and the cutoff decide what can be learned, and what it costs.
# - Forces, more frames and a larger sigma all reduce overfitting.
#
# ## Quiz
#
# 1. Training error 0.01, validation error 2 meV/atom: what do you change first?
#
#    <details><summary>Answer</summary>
#
#    The energies were learned by heart. See whether a larger $\sigma_E$ lowers the validation error; if it hardly does,
#    the labels are too few: add forces or frames.
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
# 4. A box of 192 atoms is fitted with $\sigma_E = 2$ meV. Which error per atom does that allow?
#
#    <details><summary>Answer</summary>
#
#    $2/\sqrt{192} = 0.14$ meV/atom.
#
#    </details>
#
# 5. You tried a thousand settings and report the best validation error. What is wrong?
#
#    <details><summary>Answer</summary>
#
#    The best of a thousand is partly luck on just these frames. Use a third set for the final
#    error.
#
#    </details>
