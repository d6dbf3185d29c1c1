# %% [markdown]
# # 08 · When not to trust it
#
# **You will learn**
#
# - what a potential does where it has no data, and why that can destroy a simulation;
# - to measure uncertainty with a committee, and to compare it with the true error;
# - one round of *active learning*: let the potential choose the frames that it is to learn from next;
# - to carry the uncertainty of energies into a result, the structure of water.
#
# **Time:** 70 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 02 (a potential and its errors) and lesson 05 (running dynamics).

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase import units
from IPython.display import Markdown
from scipy.stats import spearmanr

from helpers import (
    TwoBody,
    evaluate,
    fit_gap,
    load_frames,
    load_potential,
    own_or_stored,
    read_frames,
)
from helpers.frames import data_folder
from helpers.gap import CLASSROOM, fit_committee
from helpers.md import (
    find_pes_hole,
    plot_close_contact,
    plot_radial_distribution,
    radial_distributions,
    run_replicas,
    scan_close_contact,
)
from helpers.plots import BLACK, BLUE, GREEN, ORANGE, RED, style, with_alt_text

warnings.filterwarnings("ignore")

TRAIN = load_frames("water", "train", 50)[:20]  # few on purpose
# A fine description of few frames, and small deltas: away from its data the potential soon returns to its prior mean.
SETTINGS = CLASSROOM.replace(
    cutoff=4.0,
    cutoff_transition_width=2.5,
    n_max=8,
    delta=0.2,
    two_body=TwoBody(delta=0.5),
)
VALIDATION = load_frames("water", "validate")[::3]
POOL = load_frames("water", "pool")  # labeled, but not used yet
START = VALIDATION[0]
# Stored result: snapshots of a run that failed, labeled with DFT afterwards (data/stored).
FAILING = read_frames(data_folder() / "stored" / "failing_run.xyz")

# %% [markdown]
# ## A picture first: one dimension
#
# A Gaussian process is most easily understood in one dimension. The dashed curve below is the truth, the
# energy of two particles at a distance $r$. The dots are the data: there are none below 2.4 Å.
# Each of the three colored curves is a sparse Gaussian process (lesson 02) with sparse points of its own.
#
# **Predict.** What will the curves do to the left of the data?

# %%
rng = np.random.default_rng(0)
r = np.linspace(1.6, 4.2, 200)
r_data = np.sort(rng.uniform(2.4, 4.0, 14))


def truth(r):
    return (1 - np.exp(-1.6 * (r - 2.8))) ** 2 - 1


def kernel(a, b):
    return 4 * np.exp(-0.5 * ((a[:, None] - b) / 0.35) ** 2)


K = kernel(r_data, r_data) + 0.02**2 * np.eye(14)
explained = np.einsum("ij,ji->i", kernel(r, r_data), np.linalg.solve(K, kernel(r_data, r)))
sigma = np.sqrt(np.maximum(4 - explained, 0))
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
for color, seed in ((BLUE, 1), (ORANGE, 2), (GREEN, 3)):
    points = np.random.default_rng(seed).choice(r_data, 6, replace=False)
    K_nm, K_mm = kernel(r_data, points), kernel(points, points)
    weights = np.linalg.solve(
        K_nm.T @ K_nm + 0.02**2 * K_mm + 1e-6 * np.eye(6), K_nm.T @ truth(r_data)
    )
    ax.plot(r, kernel(r, points) @ weights, color=color, label=f"member {seed}")
mean = kernel(r, r_data) @ np.linalg.solve(K, truth(r_data))
ax.fill_between(r, mean - sigma, mean + sigma, color=BLACK, alpha=0.12, lw=0, label="mean ± σ(r)")
ax.plot(r, truth(r), color=BLACK, ls="--", label="truth")
ax.plot(r_data, truth(r_data), "o", color=BLACK, label="data")
ax.set(
    title="Three sparse Gaussian processes",
    xlabel="distance r, Å",
    ylabel="energy, arbitrary units",
    ylim=(-3, 6),
)
ax.legend(fontsize=11)
with_alt_text(
    figure,
    "Energy against distance. Between 2.4 and 4 Å three curves lie on the data. To the left of the "
    "data the dashed truth rises steeply, the curves part from it and from each other and return "
    "towards zero; the gray band of one standard deviation opens up there.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Between the data the curves agree with each other and with the truth. Left of the data they follow the slope for a
# while, for about one length scale of the kernel, and then return towards zero. They part from each other, but far less than from
# the truth. Even the gray band misses it: nothing in the data suggested so steep a wall.
#
# </details>
#
# ## Theory
#
# Where there is no data, a Gaussian process returns to its *prior mean*, the value that it would predict without any data. For
# our potentials this is $e_0$ for each atom (lesson 02), the mean energy per atom of the training frames, wherever its neighbors
# are. The uncertainty that the Gaussian process itself expects is the *posterior standard deviation* $\sigma(x)$ at the
# point $x$, the gray band of the figure:
#
# $$\sigma^2(x) = k(x, x) - \mathbf k(x)^\top \left( \mathbf K + \sigma_n^2 \mathbf 1 \right)^{-1} \mathbf k(x)$$
#
# ($k$ the kernel, $\mathbf k(x)$ its values between $x$ and the data, $\mathbf K$ those between the data, $\sigma_n$ the
# expected error of the labels; all variances in eV²). A simpler measure works for every kind of model: train several
# of them, a **committee**, and look at the standard deviation of what they predict, their *spread* $s$. For $M$ members that
# predict $F_k$ for a force component, with the mean $\bar F$,
#
# $$s^2 = \frac{1}{M - 1} \sum_{k=1}^{M} \left( F_k - \bar F \right)^2, \qquad
# \alpha^2 = \frac{\sum (\bar F - F_\text{DFT})^2}{\sum s^2}$$
#
# ($F$ and $s$ in eV/Å; the sums of the second equation run over all force components of some labeled frames). The
# **calibration factor** $\alpha$ (no unit; not a weight as in lesson 02) says how many times the error is as large as the
# spread. A committee whose members resemble each other underestimates its errors, and then $\alpha > 1$ ([Musil et al.,
# 2019](https://doi.org/10.1021/acs.jctc.8b00959)).

# %% [markdown]
# The next cell trains such a committee on only 20 frames. The members differ in their *seed*, the start of the random numbers
# with which their sparse points are chosen. It takes seconds.

# %% tags=["measured"]
committee = fit_committee(SETTINGS, TRAIN, folder="committee_20", seeds=(1, 2, 3))
potential = committee.members[0]
print(evaluate(potential, VALIDATION))

# %% [markdown]
# ## Exercise 8.1: the hole (5 points)
#
# *Why:* an average error over validation frames says nothing about structures that are not among them.
#
# **Predict.** Two water molecules are pushed together until their oxygen atoms are 1.5 Å apart. The
# true energy rises by many eV. What will the curve of a potential look like that has never seen such a pair? Sketch it.
#
# **Compute.** In the next cell two neighboring molecules of `START` are pushed together, without changing their shape. The
# table `scan` holds the energies (`energy_eV`) that the first member of the committee, `potential`, predicts for each O–O distance
# (`distance_A`). The same is done for your potential of lesson 02 (`scan_own`), which had five times as many frames; it is
# shown in the figure. Find
#
# - `closest_training_A` (float): the shortest O–O distance in all frames of `TRAIN`, Å;
# - `edge_A` (float): where the energy turns over: the O–O distance, Å, of the highest point before the
#   energy falls although the molecules come closer. `find_pes_hole(scan)` finds it, as the attribute `edge_A` of what it returns;
# - `barrier_kT` (float, no unit): the height of the energy at this point above its lowest value at larger
#   distances, divided by $k_B T$ at 600 K (`units.kB` is in eV/K).
#
# (3 points, one each.)
#
# <details><summary>Hint 1</summary>
#
# `atoms.get_all_distances(mic=True)` is the table of all distances, to the nearest image. Oxygen has the
# number 8 in `atoms.numbers`. The distance of an atom to itself is 0 and must not count.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `far = scan[scan["distance_A"] >= edge_A]` are the points up to the edge.
#
# </details>

# %% tags=["measured"]
own_path = own_or_stored("../02_train_gap/gap.xml", data_folder() / "stored" / "gap.xml")
scan = scan_close_contact(potential, START)
scan_own = scan_close_contact(own_path, START)
scan.head(3)

# %% nbgrader={"grade": false, "grade_id": "ex8-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# closest_training_A = …
# edge_A = …
# barrier_kT = …
### BEGIN SOLUTION
closest_training_A = np.inf
for atoms in TRAIN:
    oxygens = np.flatnonzero(atoms.numbers == 8)
    distances = atoms.get_all_distances(mic=True)[np.ix_(oxygens, oxygens)]
    closest_training_A = min(closest_training_A, distances[distances > 0].min())
edge_A = find_pes_hole(scan).edge_A
far = scan.loc[scan["distance_A"] >= edge_A, "energy_eV"]
barrier_kT = float((far.max() - far.min()) / (units.kB * 600))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"shortest O–O distance of the training frames: {closest_training_A:.2f} Å")
print(f"the energy turns over at {edge_A:.2f} Å, {barrier_kT:.1f} k_B T above its minimum")
scans = {"20 training frames": scan, "lesson 02": scan_own}
ax = plot_close_contact(scans, closest_A=closest_training_A)
ax.axvline(edge_A, color=RED, ls=":", label="edge")
ax.set_ylim(-0.5, 3)
ax.legend(fontsize=11)
with_alt_text(
    ax,
    f"Energy of two molecules against their O–O distance. Below {closest_training_A:.2f} Å, where "
    f"there is no data, that of the potential with 20 training frames rises a little, turns over at {edge_A:.2f} Å and "
    f"falls again; that of lesson 02 reaches {scan_own['energy_eV'].max():.1f} eV at most.",
)

# %% nbgrader={"grade": true, "grade_id": "test8-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: shortest training distance, edge of the hole, barrier in units of the temperature.
assert 0 < edge_A < 3 and 0 < closest_training_A < 3, "Distances between 0 and 3 Å."
### BEGIN HIDDEN TESTS
import numpy as _np
from ase import units as _units

from helpers import load_frames as _load_frames
from helpers.md import find_pes_hole as _find_pes_hole

_closest = 9.0
for _atoms in _load_frames("water", "train", 50)[:20]:
    _oxygens = _np.flatnonzero(_atoms.numbers == 8)
    _table = _atoms.get_all_distances(mic=True)[_np.ix_(_oxygens, _oxygens)]
    _closest = min(_closest, _table[_table > 0].min())
_edge = _find_pes_hole(scan).edge_A
_far = scan.loc[scan["distance_A"] >= _edge - 1e-6, "energy_eV"]
_height = float(_far.max() - _far.min()) / (_units.kB * 600)
_right = [
    abs(float(closest_training_A) - _closest) < 0.005,
    abs(float(edge_A) - _edge) < 0.03,
    abs(float(barrier_kT) / _height - 1) < 0.05,
]
if not all(_right):
    print(
        f"Expected {_closest:.3f} Å, {_edge:.2f} Å and {_height:.1f}. Distances to the nearest "
        "image (mic=True)? Energy in eV divided by units.kB * 600?"
    )
float(sum(_right))
### END HIDDEN TESTS

# %% [markdown]
# **And the truth?** `load_frames("water", "dimer")` holds two isolated molecules at 15 distances in two orientations, with
# DFT energies. In one orientation a hydrogen of one molecule points at the oxygen of the other (a hydrogen bond); in the other
# one the oxygens face each other with their *lone pairs*, the electrons that take part in no bond, and repel each other. The next
# cell compares what it costs to bring them closer than 4 Å. (For the potentials this is a hard test, since their training frames
# contain no molecule without neighbors.)

# %%
dimers = load_frames("water", "dimer")
potentials = {"20 training frames": potential, "lesson 02": load_potential(own_path)}
with style():
    figure, panels = plt.subplots(1, 2, figsize=(13, 5), sharey=True)
for ax, orientation in zip(panels, ("hydrogen_bond", "lone_pairs"), strict=True):
    pairs = [atoms for atoms in dimers if atoms.info["orientation"] == orientation]
    curves = {
        name: [energy for energy, _ in one.predict_frames(pairs)]
        for name, one in potentials.items()
    }
    curves["DFT"] = [atoms.info["dft_energy"] for atoms in pairs]
    distance_A = [atoms.info["distance_A"] for atoms in pairs]
    tables = {
        name: pd.DataFrame(
            {"distance_A": distance_A, "energy_eV": np.array(energies) - energies[-1]}
        )
        for name, energies in curves.items()
    }
    plot_close_contact(tables, ax=ax)
    ax.set(title=orientation.replace("_", " "), ylim=(-1.5, 5), ylabel="energy, eV (0 at 4 Å)")
at_closest = {name: float(t["energy_eV"][t["distance_A"].idxmin()]) for name, t in tables.items()}
with_alt_text(
    figure,
    "Energy of two isolated molecules against their O–O distance, in two orientations. DFT rises steeply below "
    "2.4 Å; the potentials follow for a part of the way. With lone pairs that face each other at 1.6 Å: "
    + ", ".join(f"{name} {energy:.1f} eV" for name, energy in at_closest.items())
    + ".",
)

# %% [markdown]
# **Explain** (2 points, marked by hand). Why does the energy fall where it should rise? Use the picture at the
# top. And why did no error in lessons 02 to 04 warn you?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text8-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Below the shortest distance of the training frames there is no data. The repulsion that the potential learned
# between 2.5 and 3 Å is continued for about one length scale of the kernel. Further in, the environments resemble none of the
# sparse points any more, the kernels to them become small, and the prediction goes back towards its prior mean. Training and
# validation frames come from the same distribution: both avoid short distances because the true energy is high there. So no
# validation frame tests what the potential does not know.
#
# === BEGIN MARK SCHEME ===
# - 1 point: no data there; a Gaussian process returns to its prior mean.
# - 1 point: validation frames come from the same distribution and contain no such structure.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The training frames end at {closest_training_A:.2f} Å, and the energy turns over at "
    f"{edge_A:.2f} Å, after a rise of {barrier_kT:.0f} $k_B T$ at 600 K, which the molecules of hot water reach sooner or later. "
    "And this is one path, with rigid molecules that face each other in one way; a simulation finds the lowest one. DFT has a "
    "wall: at 1.6 Å, two isolated molecules that face each other with their lone pairs cost "
    f"{at_closest['DFT']:.1f} eV, of which the potential with 20 frames predicts {at_closest['20 training frames']:.1f} eV and that of "
    f"lesson 02 {at_closest['lesson 02']:.1f} eV. More frames of the same kind move the edge, but do not remove it, because no liquid "
    "near equilibrium contains such pairs. "
    "The remedies are data from there, or a repulsive core in "
    "front of the hole (the last exercise)."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The energy follows a reasonable curve as far as the data reach, continues a little, and then turns over a tenth or two of
# an ångström below the shortest training distance. (Below 1.9 Å it rises again, because other atoms of the two rigid molecules
# get close to each other.) The barrier is only a few times the thermal energy at 600 K. The potential of lesson 02 does better on
# this path, but with lone pairs that face each other it also turns over where DFT has a wall of several eV.
#
# </details>

# %% [markdown]
# ## Exercise 8.2: does the committee know how wrong it is? (6 points)
#
# *Why:* an uncertainty is useful only if it is large where the error is large.
#
# **Predict.** There are two kinds of frames: validation frames, which resemble the training frames, and the *pool*, frames with
# labels that were not used so far, among them molecules that were pushed together and water at 600 K. For which will the committee
# disagree more? Will its spread be larger or smaller than the true error?
#
# **Compute.** In the next cell, `forces` are those that the members predict for all these frames, `LABELED`, and `true_forces`
# those of DFT, both in eV/Å. Make
#
# - `spread(forces)`: a function. It takes an array (n_members, n_frames, n_atoms, 3) in eV/Å and returns one
#   number for each frame in meV/Å: the standard deviation over the members (with $M - 1$), as root mean square
#   over atoms and components. (2 points)
# - `error_meV_per_A` (array, one number for each frame): the root mean square error of the committee's
#   **mean** force, compared with `true_forces`, meV/Å;
# - `alpha` (float, no unit): the calibration factor, with `error_meV_per_A` and the spread. (2 points)
#
# <details><summary>Hint</summary>
#
# `forces.var(axis=0, ddof=1)` has the shape (n_frames, n_atoms, 3). A root mean square over atoms and components
# averages the *variances* before the root is taken.
#
# </details>

# %% tags=["measured"]
LABELED = VALIDATION + POOL
forces = committee.predict_members(LABELED)[1]
true_forces = np.array([atoms.arrays["dft_forces"] for atoms in LABELED])
print(forces.shape, true_forces.shape)


# %% nbgrader={"grade": false, "grade_id": "ex8-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def spread(forces): …
# error_meV_per_A = …
# alpha = …
### BEGIN SOLUTION
def spread(forces):
    return 1000 * np.sqrt(forces.var(axis=0, ddof=1).mean(axis=(1, 2)))


error_meV_per_A = 1000 * np.sqrt(((forces.mean(axis=0) - true_forces) ** 2).mean(axis=(1, 2)))
alpha = float(np.sqrt((error_meV_per_A**2).sum() / (spread(forces) ** 2).sum()))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
in_pool = np.arange(len(LABELED)) >= len(VALIDATION)
ranks = spearmanr(spread(forces), error_meV_per_A).statistic
print(
    f"mean spread {spread(forces).mean():.0f} meV/Å, mean error {error_meV_per_A.mean():.0f} meV/Å"
)
print(f"calibration factor {alpha:.1f}, rank correlation of spread and error {ranks:.2f}")
with style():
    figure, ax = plt.subplots(figsize=(7, 5))
for rows, color, marker, name in (
    (~in_pool, ORANGE, "o", "validation"),
    (in_pool, BLUE, "^", "pool"),
):
    ax.plot(spread(forces)[rows], error_meV_per_A[rows], marker, color=color, alpha=0.8, label=name)
line = np.array([0, 1.05 * spread(forces).max()])
ax.plot(line, line, color=BLACK, ls=":", label="error = spread")
ax.plot(line, alpha * line, color=BLACK, ls="--", label="error = α · spread")
ax.set(
    title="Uncertainty and true error, one point per frame",
    xlabel="spread of the committee, meV/Å",
    ylabel="RMSE against DFT, meV/Å",
)
ax.set_xlim(0, None)
ax.set_ylim(0, None)
ax.legend(fontsize=11)
with_alt_text(
    figure,
    f"Error of the forces against the spread of the committee. All points lie above the line of equal "
    f"values; a line {alpha:.1f} times as steep passes through them. Rank correlation {ranks:.2f}.",
)

# %% nbgrader={"grade": true, "grade_id": "test8-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the function, one for the errors, one for the calibration factor.
assert len(error_meV_per_A) == len(LABELED), "One error for each frame."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames

_try = _np.random.default_rng(5).normal(size=(4, 6, 3, 3)) * _np.arange(1, 4)[:, None]
_expected = 1000 * _np.sqrt(_try.var(0, ddof=1).mean((1, 2)))
_values = _np.asarray(spread(_try), float)
_function = _values.shape == (6,) and _np.allclose(_values, _expected, rtol=1e-6)
_forces = _np.asarray(forces, float)
_known = _load_frames("water", "validate")[::3] + _load_frames("water", "pool")
_true = _np.array([_atoms.arrays["dft_forces"] for _atoms in _known])
_errors = 1000 * _np.sqrt(((_forces.mean(0) - _true) ** 2).mean((1, 2)))
_spread = 1000 * _np.sqrt(_forces.var(0, ddof=1).mean((1, 2)))
_alpha = float(_np.sqrt((_errors**2).sum() / (_spread**2).sum()))
_error = _np.allclose(_np.asarray(error_meV_per_A, float), _errors, rtol=0.01)
_factor = abs(float(alpha) / _alpha - 1) < 0.01
if not _function:
    print(
        "spread: variance over axis 0 with ddof=1, mean over atoms and components, root, in meV/Å."
    )
if not (_error and _factor):
    print(f"Expected a mean error of {_errors.mean():.1f} meV/Å and alpha = {_alpha:.3f}.")
2.0 * float(_function) + float(_error) + float(_factor)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Why does the committee underestimate its errors? Name an error that it cannot show
# at all, however many members it has.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text8-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The members have the same training frames, the same descriptors (SOAP) and the same settings, and differ only in their
# sparse points. So they make nearly the same errors, and these cancel in their difference: the spread shows only the
# part of the error that comes from the choice of sparse points. Not shown at all is everything that the members have in
# common: errors of the labels (functional, basis set), interactions beyond the cutoff, and what the descriptors do not
# distinguish.
#
# === BEGIN MARK SCHEME ===
# - 1 point: members share data, descriptors and settings, so their errors are correlated.
# - 1 point: an error that all share (functional, cutoff, descriptors, missing physics).
# === END MARK SCHEME ===

# %% tags=["discussion"]
single = [evaluate(member, VALIDATION).rmse_forces_meV_per_A for member in committee.members]
together = evaluate(committee, VALIDATION).rmse_forces_meV_per_A
Markdown(
    f"**Discussion.** The true error is {alpha:.1f} times the spread: without calibration the committee would be much "
    f"too optimistic. The order is of more use: the rank correlation is {ranks:.2f} for all frames and "
    f"{spearmanr(spread(forces)[in_pool], error_meV_per_A[in_pool]).statistic:.2f} within the pool, so a frame with a large "
    "spread is more likely to have a large error, though far from certain to. That is all that active learning needs. A by-product: the mean of the members "
    f"({together:.1f} meV/Å on validation frames) is more accurate than each of them "
    f"({', '.join(f'{value:.1f}' for value in single)} meV/Å)."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# All points lie far above the dotted line: the error is a few times the spread. The frames of the pool with the
# largest errors are mostly also among those with a large spread; a few are not.
#
# </details>

# %% [markdown]
# ## Exercise 8.3: run until it fails (6 points)
#
# *Why:* during a simulation nobody knows the true error. Is there a warning before it is too late?
#
# **Predict.** Hot water (600 K) with the potential of 20 frames: how many of four runs of half a picosecond will
# reach their end? Write your guess into `guess` (a whole number; it gives no points).
#
# **Compute.** The monitor (lesson 05) stops a run when two O atoms come closer than 2.1 Å.
#
# - `before`: four runs, `run_replicas(potential, START, seeds=[1, 2, 3, 4], steps=1000, temperature_K=600,
#   thermostat="langevin")`. Its list `before.runs` holds the trajectories (`.times_fs`, `.stopped`);
# - `survived_fs` (list of 4 floats): how long each of them lasted, fs. (2 points)
#
# A run with the same settings failed earlier: `FAILING` holds snapshots of it (**stored result**) with
# `info["time_fs"]` and DFT labels, which were computed afterwards.
#
# - `spread_along` and `error_along` (arrays, one number for each snapshot, meV/Å): the spread of the committee and its
#   true error, computed as in 8.2, but for the **atom with the largest value**: root mean square over the
#   three components only, then the maximum over atoms. (2 points)
#
# <details><summary>Hint 1</summary>
#
# `committee.predict_members(FAILING)[1]` has the shape (n_members, n_frames, n_atoms, 3), and the DFT forces of one frame are
# `atoms.arrays["dft_forces"]`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The variance over the members is `predicted.var(axis=0, ddof=1)`, of shape (n_frames, n_atoms, 3). Its mean over the last axis
# belongs to one atom; take the root, then `.max(axis=1)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex8-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# guess = …
# before = …
# survived_fs = …
# spread_along = …
# error_along = …
### BEGIN SOLUTION
guess = 4
before = run_replicas(
    potential, START, seeds=[1, 2, 3, 4], steps=1000, temperature_K=600, thermostat="langevin"
)
survived_fs = [float(run.times_fs[-1]) for run in before.runs]
predicted = committee.predict_members(FAILING)[1]
labels = np.array([atoms.arrays["dft_forces"] for atoms in FAILING])
spread_along = 1000 * np.sqrt(predicted.var(axis=0, ddof=1).mean(axis=2)).max(axis=1)
error_along = 1000 * np.sqrt(((predicted.mean(axis=0) - labels) ** 2).mean(axis=2)).max(axis=1)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for run in before.runs:
    print(f"{run.times_fs[-1]:5.0f} fs  {run.stopped or 'reached its end'}")
print(f"your guess: {guess} of 4 reach their end")
times_fs = np.array([atoms.info["time_fs"] for atoms in FAILING])
usual = committee.disagreement(VALIDATION)["largest_meV_per_A"].max()
with style():
    figure, ax = plt.subplots(figsize=(9, 5.4))
ax.semilogy(times_fs, error_along, "o", ms=10, color=RED, label="true error (DFT), stored run")
ax.semilogy(
    times_fs, alpha * np.asarray(spread_along), "s", color=BLUE, label="α · spread, stored run"
)
alarms = []
for run in before.runs:
    along = committee.disagreement(run.frames(4))["largest_meV_per_A"]
    when_fs = run.times_fs[::4][: len(along)]
    ax.semilogy(when_fs, alpha * along, color=BLACK if run.stopped else GREEN, lw=1, alpha=0.7)
    if run.stopped:
        alarms.append((float(run.times_fs[-1]), list(when_fs[along > usual])))
ax.plot([], [], color=BLACK, lw=1, label="α · spread, your runs that failed")
ax.plot([], [], color=GREEN, lw=1, label="α · spread, your other runs")
ax.axhline(alpha * usual, color=ORANGE, ls=":", label="largest α · spread, validation")
ax.set(
    title="The worst atom on the way into the hole",
    xlabel="time, fs",
    ylabel="force component, meV/Å",
)
ax.legend(fontsize=11)
with_alt_text(
    figure,
    "True error and calibrated spread of the worst atom along the stored run, logarithmic. Errors: "
    + ", ".join(f"{e:.0f} meV/Å at {t:.0f} fs" for t, e in zip(times_fs, error_along, strict=True))
    + f". The spread rises with it, from {alpha * spread_along[0]:.0f} to "
    f"{alpha * spread_along[-1]:.0f} meV/Å.",
)

# %% nbgrader={"grade": true, "grade_id": "test8-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point for the runs, one for their lengths, one each for spread and error along the stored run.
assert len(survived_fs) == 4 and len(spread_along) == len(FAILING), "Four runs, all snapshots."
### BEGIN HIDDEN TESTS
import numpy as _np

_runs = [before.runs[_k] for _k in range(4)]
_length = [float(_run.times_fs[-1]) for _run in _runs]
_sound = all(
    float(_run.target_temperature_K) == 600.0 and (bool(_run.stopped) or abs(_fs - 500.0) < 1.0)
    for _run, _fs in zip(_runs, _length, strict=True)
)
_lasted = _np.allclose(_np.asarray(survived_fs, float), _length, atol=0.6)
_energies, _predicted = committee.predict_members(FAILING)
_predicted = _np.asarray(_predicted, float)
_labels = _np.array([_atoms.arrays["dft_forces"] for _atoms in FAILING])
_spread = 1000 * _np.sqrt(_predicted.var(0, ddof=1).mean(2)).max(1)
_error = 1000 * _np.sqrt(((_predicted.mean(0) - _labels) ** 2).mean(2)).max(1)
_s = _np.allclose(_np.asarray(spread_along, float), _spread, rtol=0.01)
_e = _np.allclose(_np.asarray(error_along, float), _error, rtol=0.01)
if not (_sound and _lasted):
    print("Expected four runs at 600 K, 1000 steps of 0.5 fs each, and their last times in fs.")
if not (_s and _e):
    print(
        f"Expected spreads {_np.round(_spread)} and errors {_np.round(_error)} meV/Å: root mean "
        "square over x, y, z for each atom, then the largest atom of each snapshot."
    )
float(_sound) + float(_lasted) + float(_s) + float(_e)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Would the committee have warned in time? Which rule for stopping a run would you
# set, and what can make it fail?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text8-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Yes: the spread of the worst atom leaves the range of the validation frames before the two oxygens meet. A rule:
# stop, and ask for a DFT label, when the spread of any atom exceeds the largest one of validation frames (times 1.5, say).
# It fails if the limit is too low (every hot frame raises the alarm), if it is checked too rarely (the collision takes only a
# few femtoseconds), or if all members extrapolate alike and agree on the same wrong answer.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the spread rises before the end; a limit taken from frames with known errors.
# - 1 point: one way in which it fails (false alarms, checked too rarely, members that agree and are wrong).
# === END MARK SCHEME ===

# %% tags=["discussion"]
n_failed = sum(bool(run.stopped) for run in before.runs)
told = [
    f"first at {when[0]:.0f} fs in the run that ended at {end:.0f} fs"
    if when
    else "never in one run"
    for end, when in alarms
]
Markdown(
    f"**Discussion.** {n_failed} of 4 runs failed, although the force error on validation frames is small. Did the spread of "
    "the worst atom leave the range of the validation frames (dotted line) before? "
    + ("; ".join(told) or "none of your runs failed").capitalize()
    + f". At the end of the stored run the true error is {error_along[-1] / 1000:.1f} eV/Å: DFT drives the two molecules "
    "apart with more than 5 eV/Å, while the potential pulls them together. The calibrated spread is "
    f"{alpha * spread_along[-1] / 1000:.1f} eV/Å. A factor that was measured near the data need not hold far from it: the spread "
    "shows *that* something is wrong, not *how* wrong."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Most or all of the runs fail within half a picosecond, each after a different time: failure is a matter of chance, and one run
# that survives proves little. The spread of the worst atom rises before the end, in your runs and, together with the true
# error, in the stored one.
#
# </details>

# %% [markdown]
# ## Exercise 8.4: one round of active learning (6 points)
#
# *Why:* DFT labels are the expensive part. The committee can show which frames are worth a label.
#
# **Predict.** You may label 12 of the 62 frames of the pool. Which ones would you choose with the committee? Will
# the error on validation frames fall, or that on the failing run, or both?
#
# **Compute.** The labels are there already (**stored**), but choose without looking at them:
#
# - `chosen` (list of 12 int): the positions in `POOL` of the frames with the largest values of `largest_meV_per_A` in the table
#   `committee.disagreement(POOL)`: in each frame, the spread of the atom with the largest one;
# - `refit`: a committee like the first one, trained on `TRAIN` and these 12 frames, in another folder
#   (`folder="committee_32"`);
# - `after`: four runs of its first member with the settings of 8.3;
# - `gain` (float, no unit): force RMSE of `committee` on `FAILING`, divided by that of `refit` (`evaluate` takes a
#   committee as it takes a potential). (4 points, one each.)
#
# <details><summary>Hint</summary>
#
# `table["largest_meV_per_A"].nlargest(12).index` are the rows with the largest values.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex8-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# chosen = …
# refit = …
# after = …
# gain = …
### BEGIN SOLUTION
chosen = list(committee.disagreement(POOL)["largest_meV_per_A"].nlargest(12).index)
refit = fit_committee(SETTINGS, TRAIN + [POOL[k] for k in chosen], folder="committee_32")
after = run_replicas(
    refit.members[0],
    START,
    seeds=[1, 2, 3, 4],
    steps=1000,
    temperature_K=600,
    thermostat="langevin",
)
gain = (
    evaluate(committee, FAILING).rmse_forces_meV_per_A
    / evaluate(refit, FAILING).rmse_forces_meV_per_A
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
lengths = {
    "20 frames": [float(run.times_fs[-1]) for run in before.runs],
    "20 + 12 chosen": [float(run.times_fs[-1]) for run in after.runs],
}
errors = pd.DataFrame(
    {
        name: {
            "validation": evaluate(each, VALIDATION).rmse_forces_meV_per_A,
            "failing run": evaluate(each, FAILING).rmse_forces_meV_per_A,
        }
        for name, each in (("20 frames", committee), ("20 + 12 chosen", refit))
    }
)
print(errors.round(1).to_string())
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
for row, (color, values) in enumerate(zip((RED, BLUE), lengths.values(), strict=True)):
    left.barh(row + np.linspace(-0.3, 0.3, 4), values, height=0.16, color=color)
left.set_yticks([0, 1], list(lengths))
left.axvline(500, color=BLACK, ls=":")
left.set(title="How long the runs lasted", xlabel="time, fs", xlim=(0, 540), ylim=(-0.6, 1.6))
errors.plot.bar(ax=right, color=[RED, BLUE], rot=0)
right.set(title="Force errors against DFT", ylabel="RMSE, meV/Å")
with_alt_text(
    figure,
    "Left: lengths of the four runs before ("
    + ", ".join(f"{value:.0f}" for value in lengths["20 frames"])
    + " fs) and after ("
    + ", ".join(f"{value:.0f}" for value in lengths["20 + 12 chosen"])
    + " fs). Right: force errors on validation frames and on the failing run, before and after: "
    + "; ".join(f"{row}: {a:.0f} and {b:.0f} meV/Å" for row, a, b in errors.itertuples())
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test8-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point each: the choice, the refit, the runs after it, the gain.
assert len(set(chosen)) == 12 and gain > 0, "Twelve different frames, and a ratio above 0."
### BEGIN HIDDEN TESTS
import numpy as _np

_table = committee.disagreement(POOL)
_best = set(_table["largest_meV_per_A"].nlargest(12).index)
_choice = len(_best & {int(_k) for _k in chosen}) >= 11
_labels = _np.array([_atoms.arrays["dft_forces"] for _atoms in FAILING])


def _rmse(_each):
    _energies, _forces = _each.predict_members(FAILING)
    return float(_np.sqrt(((_np.asarray(_forces, float).mean(0) - _labels) ** 2).mean()))


_old, _new = _rmse(committee), _rmse(refit)
_better = _new < 0.95 * _old
_ratio = _better and abs(float(gain) / (_old / _new) - 1) < 0.01
_runs = [after.runs[_k] for _k in range(4)]
_ran = all(
    float(_run.target_temperature_K) == 600.0
    and (bool(_run.stopped) or abs(float(_run.times_fs[-1]) - 500.0) < 1.0)
    for _run in _runs
)
if not _choice:
    print(f"Expected the frames {sorted(_best)}: the largest disagreement of a single atom.")
if not (_better and _ratio):
    print(f"Expected a refit that is better on FAILING, and gain = {_old / _new:.2f}.")
if not _ran:
    print("after: four runs at 600 K of 1000 steps.")
float(_choice) + float(_better) + float(_ran) + float(_ratio)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Which error fell more, and why? You made four runs of half a picosecond after the refit:
# what do they show, and what do they not show?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text8-4", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The error on the failing run fell more: the committee chose frames with molecules that are close together or hot, which is
# what the training set lacked. Validation frames resemble the training frames, which were known already; there the
# error falls only a little. Four short runs show that this way of failing has become rarer. They do not show that
# a nanosecond is safe, nor that there is no other hole: one would repeat the round with longer runs until the alarm
# stays silent.
#
# === BEGIN MARK SCHEME ===
# - 1 point: larger gain where data was missing, hardly any where it was plentiful.
# - 1 point: few and short runs are no proof; repeat, run longer, other conditions.
# === END MARK SCHEME ===

# %% tags=["discussion"]
random = np.random.default_rng(0).choice(len(POOL), 12, replace=False)
by_chance = fit_gap(
    SETTINGS,
    TRAIN + [POOL[k] for k in random],
    output="random_32.xml",
    engine="jax",
    progress=False,
)
chance = load_potential(by_chance.model_path)
rows = [
    (
        name,
        evaluate(each, VALIDATION).rmse_forces_meV_per_A,
        evaluate(each, FAILING).rmse_forces_meV_per_A,
    )
    for name, each in (
        ("20", potential),
        ("20 + 12 at random", chance),
        ("20 + 12 chosen", refit.members[0]),
    )
]
table = pd.DataFrame(rows, columns=["frames", "validation, meV/Å", "failing run, meV/Å"])
n_after = sum(bool(run.stopped) for run in after.runs)
Markdown(
    "**Discussion.** The same with 12 frames drawn at random from the pool, for one member each:\n\n"
    + table.round(1).to_html(index=False)
    + f"\n\nOf four runs {n_failed} failed before and {n_after} after the refit. A random "
    "choice is nearly as good here, because half of this small pool is unusual, so that chance finds some of those frames as well. In the "
    "frames of a long run, where the unusual ones are few, it would not. (One random choice and one committee prove little "
    "either way; repeat both with other seeds.) Frames were chosen by the largest *atom*, because the average "
    "over 48 atoms hides two that are about to collide."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The runs last longer and the error on the failing run falls clearly, while the error on validation frames changes
# little.
#
# </details>

# %% [markdown]
# ## Exercise 8.5: how uncertain is the structure? (3 points)
#
# *Why:* in the end one wants a result, such as the structure of water. How uncertain does the potential make it?
#
# In a run of its own, each member $k$ would give a slightly different g(OO). Three long runs would show it, but one is enough. If
# $\Delta V_k$ is the energy of member $k$ less that of the potential that drove the run, the average of a quantity $a$ in a run of
# member $k$ is, to first order in $\Delta V_k$,
#
# $$\langle a \rangle_k = \langle a \rangle - \frac{1}{k_B T} \left\langle (a - \langle a \rangle)
# (\Delta V_k - \langle \Delta V_k \rangle) \right\rangle$$
#
# (energies in eV; $\langle \dots \rangle$ is a mean over the frames of the run; [Imbalzano et al.,
# 2021](https://doi.org/10.1063/5.0036522)). The idea: frames to which member $k$ gives a higher energy than the potential of the
# run does would occur less often in a run of its own.
#
# The next cell runs four replicas at 300 K and computes for each frame g(OO), `g` of shape (n_frames, n_bins), and the
# $\Delta V_k$, `deviation_eV` of shape (3, n_frames). The differences between the members are already multiplied by a calibration
# factor for energies, measured on validation frames, so that they are as large as the errors.
#
# **Predict.** What makes g(OO) more uncertain here, the potential or the shortness of the run?
#
# **Compute.**
#
# - `carried(g, deviation_eV, temperature_K)`: a function for the equation above; it returns one average for each
#   member, shape (n_members, n_bins). (2 points)
# - `model_error` (array, one number for each bin, no unit): the standard deviation of these averages over the members (with
#   $M - 1$) at 300 K. (1 point)
#
# <details><summary>Hint</summary>
#
# With `dg` and `dV` the deviations from their means over the frames, `dV @ dg / len(g)` is the covariance of each member with each
# bin. `units.kB * temperature_K` is $k_B T$ in eV.
#
# </details>

# %% tags=["measured"]
calm = run_replicas(
    potential,
    VALIDATION[:4],
    seeds=[1, 2, 3, 4],
    steps=2000,
    record_every=40,
    temperature_K=300,
    thermostat="langevin",
)
frames, replica = [], []
for k, run in enumerate(calm.runs):
    later = run.after(100).frames()
    if run.stopped:  # the last 100 fs are on the way into a hole
        later = later[:-5]
    frames += later
    replica += [k] * len(later)
replica = np.array(replica)
tables = [radial_distributions([atoms], [("O", "O")], bin_A=0.1) for atoms in frames]
r_A = tables[0]["r_A"].to_numpy()
g = np.array([table["OO"].to_numpy() for table in tables])
true_eV = np.array([atoms.info["dft_energy"] for atoms in VALIDATION])
known = committee.predict_members(VALIDATION)[0]
# Only differences of energies matter: the mean is taken off.
error_eV = known.mean(0) - true_eV - (known.mean(0) - true_eV).mean()
spread_eV = (known - known.mean(1, keepdims=True)).std(0, ddof=1)
alpha_energy = float(np.sqrt((error_eV**2).sum() / (spread_eV**2).sum()))
energies = committee.predict_members(frames)[0]
mean_eV = energies.mean(0)
# Members that scatter around their mean by as much as they are wrong, less the one that drove the run.
deviation_eV = mean_eV + alpha_energy * (energies - mean_eV) - energies[0]
print(f"{len(frames)} frames, calibration factor of the energies {alpha_energy:.1f}")


# %% nbgrader={"grade": false, "grade_id": "ex8-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def carried(g, deviation_eV, temperature_K): …
# model_error = …
### BEGIN SOLUTION
def carried(g, deviation_eV, temperature_K):
    dg = g - g.mean(axis=0)
    dV = deviation_eV - deviation_eV.mean(axis=1, keepdims=True)
    return g.mean(axis=0) - dV @ dg / len(g) / (units.kB * temperature_K)


model_error = carried(g, deviation_eV, 300).std(axis=0, ddof=1)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
means = np.array([g[replica == k].mean(0) for k in range(4)])
statistical_error = means.std(0, ddof=1) / np.sqrt(4)
top = int(g.mean(0).argmax())
print(f"first peak {g.mean(0)[top]:.2f} at {r_A[top]:.2f} Å")
print(f"  ± {model_error[top]:.2f} from the potential, ± {statistical_error[top]:.2f} from the run")
# What chance alone would give: energies that belong to other frames.
shifts = np.random.default_rng(0).integers(20, len(g) - 20, 100)
shifted = [carried(g, np.roll(deviation_eV, shift, axis=1), 300) for shift in shifts]
chance_error = float(np.sqrt(np.mean([np.std(each, axis=0, ddof=1)[top] ** 2 for each in shifted])))
print(f"  by chance alone, with the energies of other frames: ± {chance_error:.2f}")
ax = plot_radial_distribution({"run": pd.DataFrame({"r_A": r_A, "OO": g.mean(0)})}, "OO")
for error, color, name in (
    (statistical_error, BLACK, "error of the short run"),
    (model_error, ORANGE, "error of the potential"),
):
    low, high = g.mean(0) - error, g.mean(0) + error
    ax.fill_between(r_A, low, high, color=color, alpha=0.3, lw=0, label=name)
ax.set_title("g(OO) with two kinds of error bars")
ax.legend(fontsize=11, loc="upper right")
with_alt_text(
    ax,
    f"g(OO) of four short runs at 300 K, first peak {g.mean(0)[top]:.2f} at {r_A[top]:.2f} Å, with two "
    f"bands: ± {model_error[top]:.2f} from the potential and ± {statistical_error[top]:.2f} from the "
    "length of the runs.",
)

# %% nbgrader={"grade": true, "grade_id": "test8-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the function, one for the error of g(OO).
assert len(model_error) == len(r_A), "One number for each bin."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers.gap import carried_into_average as _carried_into_average

_rng = _np.random.default_rng(8)
_a, _dv = _rng.normal(size=(50, 4)), 0.03 * _rng.normal(size=(3, 50)) + 0.4
_a += 20 * _dv[:1].T
_function = all(
    _np.allclose(_np.asarray(carried(_a, _dv, _T)), _carried_into_average(_a, _dv, _T), rtol=0.03)
    for _T in (300.0, 450.0)
)
_expected = _carried_into_average(g, deviation_eV, 300).std(0, ddof=1)
_error = _np.allclose(_np.asarray(model_error, float), _expected, rtol=0.04, atol=1e-9)
if not _function:
    print("carried: covariance of g and ΔV over the frames, divided by units.kB * temperature_K.")
if not _error:
    print(f"model_error: expected {_expected.max():.3f} at its largest.")
2.0 * float(_function) + float(_error)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** At the first peak the formula gives ± {model_error[top]:.2f} for the potential, and the short run "
    f"has a statistical error of ± {statistical_error[top]:.2f}. Is the first number more than noise? A covariance from few "
    f"frames has an error, too: with the energies of other frames, which cannot matter, one finds ± {chance_error:.2f}. "
    + (
        "The influence of the potential is larger than that, so it has been seen. "
        if model_error[top] > 2 * chance_error
        else "So these runs give only an upper limit for the influence of the potential: for a better one they must be "
        "longer, not the committee larger. "
    )
    + "The noise is so large because the deviations scatter by "
    f"{1000 * deviation_eV.std(axis=1).mean():.0f} meV, more than $k_B T$ = {1000 * units.kB * 300:.0f} meV. (Weights "
    "$e^{-\\Delta V / k_B T}$ would then be of no use at all, since a few frames would have all the weight; the formula above "
    "remains right as long as $a$ and $\\Delta V$ are distributed nearly as Gaussians.) And the error of DFT itself is in "
    "neither of the numbers."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The error band of the potential looks wide, but with energies that belong to other frames the same formula gives nearly as
# much. So these runs say only that the influence of the potential is no larger than this; longer runs would say more.
#
# </details>

# %% [markdown]
# ## Exercise 8 (more): a repulsive core (optional)
#
# *Why:* no data set covers everything. What is known, such as that atoms repel each other at short distances, can be built in.
#
# **Predict.** Will all four runs of 8.3 reach their end with a wall in front of the hole?
#
# **Compute.** `with_core_repulsion(potential.model)` adds a repulsion between O atoms, which is zero beyond 2.35 Å. Make a potential
# of it with `JaxCalculator(...)`, call it `walled`, and repeat the four runs of 8.3 with it: `walled_runs` is what `run_replicas`
# returns. What is gained, and what can the wall not do? (If you skip it, delete the line with `raise`.)

# %% nbgrader={"grade": false, "grade_id": "ex8-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
from helpers.gap import JaxCalculator
from helpers.md import with_core_repulsion

# walled = …
# walled_runs = …
### BEGIN SOLUTION
walled = JaxCalculator(with_core_repulsion(potential.model))
walled_runs = run_replicas(
    walled, START, seeds=[1, 2, 3, 4], steps=1000, temperature_K=600, thermostat="langevin"
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex8-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for run in walled_runs.runs:
    print(f"{run.times_fs[-1]:5.0f} fs  {run.stopped or 'reached its end'}")
scans = {"20 training frames": scan, "with a core": scan_close_contact(walled, START)}
ax = plot_close_contact(scans, closest_A=closest_training_A)
with_alt_text(
    ax,
    f"Energy of two molecules pushed together. Without a core it turns over at {edge_A:.2f} Å; with it "
    "the energy rises all the way.",
)

# %% nbgrader={"grade": true, "grade_id": "test8-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: four runs with a wall in front of the hole.
assert len(walled_runs.runs) == 4, "Four runs, as in 8.3."
### BEGIN HIDDEN TESTS
from helpers import load_frames as _load_frames

_energy = []
_one = _load_frames("water", "validate")[0]
_oxygens = [_k for _k in range(len(_one)) if _one.numbers[_k] == 8]
_table = _one.get_all_distances(mic=True)
_pair = min(((_i, _j) for _i in _oxygens for _j in _oxygens if _i < _j), key=lambda _p: _table[_p])
for _distance in (2.6, 1.9):
    _pushed = _one.copy()
    _pushed.set_distance(*_pair, _distance, fix=0, mic=True)
    _with, _without = (float(_p.predict_frames([_pushed])[0][0]) for _p in (walled, potential))
    _energy.append(_with - _without)
assert abs(_energy[0]) < 0.01, "The wall should end at 2.35 Å."
assert _energy[1] > 1, "At 1.9 Å the wall should add more than 1 eV: with_core_repulsion?"
### END HIDDEN TESTS

# %% tags=["discussion"]
n_walled = sum(bool(run.stopped) for run in walled_runs.runs)
n_bonds = sum("O–H" in run.stopped for run in walled_runs.runs)
Markdown(
    f"**Discussion.** With the wall {n_walled} of four runs failed, without it {n_failed}. "
    + (
        f"In {n_bonds} of them an O–H bond broke: the wall closes one hole, and hot water finds the next. The 12 frames of 8.4 "
        "did better than that. "
        if n_bonds
        else ""
    )
    + "The wall says nothing about real water: its "
    "height and place were set by hand, and a structure inside it means nothing. It keeps a run going "
    "until data from the edge has been labeled; the frames of this kit were sampled in that way."
)

# %% [markdown]
# ## Summary
#
# - A Gaussian process returns to its prior mean where it has no data; in a potential this makes a hole at short distances.
# - A committee shows *where* it is uncertain. How large the error is, labeled frames must say.
# - Active learning chooses what is missing: run, watch the spread, label, refit, run longer.
# - Uncertainty can be carried into results. The errors of DFT, and of all that the members share, are not in it.
#
# ## Quiz
#
# 1. All members of a committee agree. Is the prediction right?
#
#    <details><summary>Answer</summary>
#
#    Not necessarily: they share data, descriptors and labels, and may be wrong together.
#
#    </details>
#
# 2. A potential has a force error of 50 meV/Å on validation frames at 300 K. May you use it at 600 K?
#
#    <details><summary>Answer</summary>
#
#    The number does not answer that. Look at the uncertainty along a run at 600 K, and label some frames of it.
#
#    </details>
#
# 3. Why choose frames by the atom with the largest disagreement, not by the mean over atoms?
#
#    <details><summary>Answer</summary>
#
#    A collision concerns two molecules; in the mean over many atoms it disappears.
#
#    </details>
#
# 4. Your error bar from the potential is a tenth of the one from the length of the run. What do you improve?
#
#    <details><summary>Answer</summary>
#
#    The run: make it longer, or run more replicas.
#
#    </details>
