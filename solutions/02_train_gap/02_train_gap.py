# %% [markdown]
# # 02 · Train your first potential
#
# **You will learn**
#
# - how a Gaussian process turns a few points into a curve, and what sigma and a length scale do to it;
# - what a Gaussian approximation potential (GAP) sees of an atom, and the equation of its energy;
# - to train one, and to read what went in and what came out;
# - to measure its errors, with error bars, on frames that were used for training and on others;
# - to draw the figure that every paper about a potential shows, and to read it.
#
# **Time:** 60 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 01 (what a snapshot holds; units; what a label is). A little Python:
# functions, arrays.

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
from helpers.gap import (
    explore_curve,
    neighborhood,
    plot_neighborhood,
    plot_similarity,
    soap_vectors,
)
from helpers.plots import (
    SET_COLORS,
    plot_error_histogram,
    plot_force_residuals,
    style,
    with_alt_text,
)
from helpers.sweeps import FORCES  # the name of a column

warnings.filterwarnings("ignore")

HERE = Path(".")  # what this lesson writes goes here
STORED = data_folder() / "stored"  # results that took too long for a class

# %% [markdown]
# ## A curve through a few points
#
# A GAP is a *Gaussian process*, a way to draw a smooth curve through known points. In one dimension you
# can watch it. Below, the energy of an O–H bond (dashed) is known at 14 distances (dots), each with some
# *noise*, a random error. The blue line is what the process predicts from these *training* points; the
# shade shows how uncertain this prediction is, by the process's own estimate.
#
# Two numbers decide what the line looks like:
#
# - **sigma** (eV): how far a point may lie from the line. It is the error that you expect in the labels.
# - the **length scale** (Å): over which distance two energies resemble each other.
#
# **Predict.** What will the line do if sigma is very small? And if sigma is very large?
#
# **Try.** Move the sliders (*Tab* and the arrow keys work, too) until the error on the *training* points
# is as small as possible. Then until the error on *validation* points, which the process has not seen,
# is as small as possible. Are these the same positions?

# %%
explore_curve()

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With a small sigma and a short length scale the line passes through every point, noise included, and
# swings between them: it has learned the points by heart, it is *overfitted*. With a large sigma, or a
# long length scale, it cannot follow the points: it is *underfitted*. The lowest validation error is in
# between, where sigma is about as large as the noise. Lesson 04 does this with a real potential.
#
# </details>

# %% [markdown]
# ## What a potential sees of an atom
#
# For the bond, energies at similar distances were similar. For an atom in a liquid something is
# needed that compares whole neighborhoods. That is SOAP, the
# [smooth overlap of atomic positions](https://doi.org/10.1103/PhysRevB.87.184115).
#
# Around each atom, look at all neighbors within a *cutoff* (the dashed circle). Replace each of them by a
# soft ball (a Gaussian function whose width is the setting `atom_sigma`), separately for each element, paler
# towards the cutoff. The result is a *density*, a cloud that changes smoothly when an atom moves:

# %%
atoms = load_frames("water", "train", 100)[0]
seen = neighborhood(atoms, 0)
with_alt_text(
    plot_neighborhood(seen),
    f"Soft balls at the neighbors of one oxygen atom, up to the cutoff at {seen.cutoff_A:g} Å: its own "
    f"two hydrogens close to the center, others further away and paler; {len(seen.positions_A['O'])} "
    f"oxygen and {len(seen.positions_A['H'])} hydrogen atoms in all.",
)

# %% [markdown]
# From this cloud SOAP computes a list of numbers, the vector $\mathbf p$ of the atom, with two properties:
# its length is 1, and it does not change if the whole neighborhood is turned. How fine a detail of the cloud
# it resolves is set by two numbers: `n_max`, how many functions describe it along the distance, and `l_max`,
# how fine the description is in the angles (up to which degree of spherical harmonics). The *similarity* of two
# atoms $i$ and $j$ of the same element is the number
#
# $$(\mathbf p_i \cdot \mathbf p_j)^{\zeta},$$
#
# 1 for neighborhoods that are the same, less for others; the larger the exponent $\zeta$, the faster it
# falls as they become different.

# %% [markdown]
# ## Exercise 2.1: how similar are two neighborhoods? (2 points)
#
# *Why:* numbers like this are nearly all that a GAP knows about a structure.
#
# **Predict.** The cell below turns the whole snapshot by 40°. What is the similarity of an atom before
# and after? And will another oxygen atom of the liquid be similar by 0.1, 0.5 or 0.97?
#
# **Do.** `soap_vectors(atoms)` returns an array with one row $\mathbf p$ for each atom. Write a function
# `similarity(one, other, zeta)` of two such rows, which returns their similarity (1 point). With it compute
# `mean_similarity` (float), the mean similarity of the first oxygen atom of `atoms` to each of the 15 other
# oxygen atoms, with the `zeta` of the cell below (1 point).
#
# <details><summary>Hint 1</summary><code>one @ other</code> is the dot product of two rows.</details>
# <details><summary>Hint 2</summary><code>np.flatnonzero(atoms.symbols == "O")</code> gives the places of
# the oxygen atoms; the first of them is atom 0.</details>

# %%
turned = atoms.copy()
turned.rotate(40, (1, 2, 3), rotate_cell=True)
zeta = GapConfig().zeta
print(f"zeta = {zeta}; each atom has {soap_vectors(atoms).shape[1]} numbers")


# %% nbgrader={"grade": false, "grade_id": "ex2-1-0", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def similarity(one, other, zeta): …
# mean_similarity = …
### BEGIN SOLUTION
def similarity(one, other, zeta):
    """Return the similarity of two neighborhoods, given their SOAP vectors of length 1."""
    return (one @ other) ** zeta


vectors = soap_vectors(atoms)
oxygens = np.flatnonzero(atoms.symbols == "O")
others = [similarity(vectors[0], vectors[j], zeta) for j in oxygens[1:]]
mean_similarity = np.mean(others)
### END SOLUTION

# %% [markdown]
# **Check yourself.** The turned atom, the other atoms, and one O–H bond of the first oxygen that is stretched:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-0-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
start = soap_vectors(atoms)[0]
print(f"the same atom, turned:        {similarity(start, soap_vectors(turned)[0], zeta):.6f}")
print(f"the other oxygens, on average: {mean_similarity:.3f}")
distances_A = np.linspace(0.8, 1.6, 25)
stretched_vectors = []
for distance in distances_A:
    stretched = atoms.copy()
    stretched.set_distance(0, 1, distance, fix=0, mic=True)  # atom 1 is a hydrogen of atom 0
    stretched_vectors.append(soap_vectors(stretched)[0])
lines = {f"ζ = {z}": [similarity(start, p, z) for p in stretched_vectors] for z in (1, 2, 4)}
with_alt_text(
    plot_similarity(distances_A, lines, atoms.get_distance(0, 1, mic=True)),
    "Similarity of an oxygen atom to itself while one O–H bond is stretched: 1 at the start, "
    + ", ".join(
        f"{values[-1]:.2f} at {distances_A[-1]:.1f} Å with {z}" for z, values in lines.items()
    ),
)

# %% nbgrader={"grade": true, "grade_id": "test2-1-0", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Similarity of two neighborhoods (1 point), and its mean over the other oxygen atoms (1 point)
assert callable(similarity), "similarity should be a function."
assert 0 < mean_similarity < 1, "Other neighborhoods are similar, but not the same."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import GapConfig as _GapConfig
from helpers import load_frames as _load_frames
from helpers.gap import soap_vectors as _soap_vectors

_rows = _np.random.default_rng(2).uniform(size=(4, 9))
_rows /= _np.linalg.norm(_rows, axis=1)[:, None]
_score = float(
    all(
        abs(float(similarity(_rows[0], _other, _z)) - float(_rows[0] @ _other) ** _z) < 1e-9
        for _other in _rows
        for _z in (1, 2, 4)
    )
)
if not _score:
    print("similarity: expected the dot product of the two rows, to the power zeta.")
_frame = _load_frames("water", "train", 100)[0]
_rows = _soap_vectors(_frame)[_frame.symbols == "O"]
_want = float(_np.mean((_rows[1:] @ _rows[0]) ** _GapConfig().zeta))
if abs(float(mean_similarity) - _want) < 2e-4:
    _score += 1
else:
    print(
        f"mean_similarity: expected {_want:.4f}, found {float(mean_similarity):.4f}. All 15 others,"
    )
    print("without the atom itself? Similarities first, then their mean?")
_score
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Turning changes nothing. All oxygen atoms of the liquid are very similar to each other, because each has the
# two hydrogen atoms of its molecule close by: small differences distinguish them.
#
# </details>

# %% tags=["discussion"]
Markdown(
    "**Discussion.** A potential must give the same energy for a turned molecule; here that is built "
    f"into what it sees. The other oxygens are similar by {min(others):.3f} to {max(others):.3f}, so "
    "two kernels differ by a few hundredths while the energies differ by a lot: the weights of a GAP "
    "are therefore large, of both signs, and nearly cancel. Stretching one bond to "
    f"{distances_A[-1]:.1f} Å, which costs more than 2 eV, still leaves a similarity of "
    f"{lines['ζ = 2'][-1]:.2f} with ζ = 2."
)

# %% [markdown]
# ## What a GAP is
#
# Now the curve through known points and the similarity come together. The energy of a snapshot is a sum
# over its atoms. What an atom $i$ contributes is found by comparing its neighborhood with *sparse points*:
# representative neighborhoods of atoms of the *same element*, taken from the training frames. (All
# neighborhoods of all frames would be better still, but 100 frames have 4800 of them, and the cost of the fit
# grows with the square of their number.) Each sparse point $s$ adds its weight $\alpha_s$, multiplied by its
# similarity to the atom. A second, simpler term does the same for pairs of atoms, by their distance
# $r_{ij}$ only:
#
# $$E = \sum_i \Big( e_0 + \sum_{s \in S(z_i)} \alpha_s \, k(\mathbf p_i, \mathbf p_s) \Big)
# + \sum_{i<j} \; \sum_{t \in T(z_i z_j)} \beta_t \, k_2(r_{ij}, r_t)$$
#
# $$k(\mathbf p, \mathbf p') = \delta^2 \, (\mathbf p \cdot \mathbf p')^{\zeta}, \qquad
# k_2(r, r') = \delta_2^2 \, \exp\!\Big({-\frac{(r - r')^2}{2\theta^2}}\Big) f(r) f(r')$$
#
# - $S(z_i)$ are the sparse points of the element $z_i$ of atom $i$; $T(z_i z_j)$ are a few distances $r_t$,
#   the sparse points of the pair term, for each pair of elements (O–O, O–H, H–H).
# - $k$ and $k_2$ (in eV²) are the *kernels*. $\delta$ and $\delta_2$ (eV) say how much energy a neighborhood
#   or a pair is expected to contribute, $\theta$ (Å) is the length scale of the pair term, and $f$ falls
#   smoothly from 1 to 0 before the cutoff of the pair term.
# - The weights $\alpha_s$ and $\beta_t$ (1/eV) are what is learned.
# - $e_0$ (eV) is here the mean energy per atom of the training frames. You will often read that $e_0$
#   must be the energy of isolated atoms. That matters where molecules form or break. In these frames no
#   bond breaks, and all have the same composition, so that any constant serves.
#
# A fit finds the weights that minimize
#
# $$\sum_{\text{frames}} \frac{(E - E^{\text{DFT}})^2}{\sigma_E^2 \, N} +
# \sum_{\text{components}} \frac{(F - F^{\text{DFT}})^2}{\sigma_F^2} +
# \boldsymbol\alpha^{\mathsf T} \mathbf K \boldsymbol\alpha$$
#
# The first sum runs over the training frames ($E$ and $E^{\text{DFT}}$ in eV), the second over all components
# of all their forces ($F$ and $F^{\text{DFT}}$ in eV/Å); both are small if the potential agrees with DFT. The
# last term, with the kernels of all pairs of sparse points in the matrix $\mathbf K$ (and $\beta_t$ among the
# $\alpha_s$), is small if the potential is smooth. The sigmas decide what matters more, as they did for the
# curve. $\sigma_F$ (eV/Å) is the accepted error of a force component.
#
# $\sigma_E$ (eV per atom) needs a second look. If each of the $N$ atoms of a frame contributes an
# independent error $\sigma_E$, their sum has the error $\sigma_E \sqrt N$, not $\sigma_E N$: random errors
# partly cancel. Its square is the denominator above. For the energy *per atom*, which we quote, the accepted
# error is thus $\sigma_E \sqrt N / N = \sigma_E / \sqrt N$: with 48 atoms a seventh of $\sigma_E$.
#
# Forces are derivatives of $E$, so they cost no new weights. More about all this:
# [the review of Deringer et al.](https://doi.org/10.1021/acs.chemrev.1c00022); the program:
# [Klawohn et al.](https://doi.org/10.1063/5.0160898).

# %% [markdown]
# These are the settings, in the form that the program `gap_fit` reads. The line `default_sigma` holds
# $\sigma_E$ and $\sigma_F$ (the two zeros are for labels that our frames do not have). In the long last line
# the pair term, `distance_2b`, comes first, then the term `soap`. Find $\delta$, $\zeta$, the number of sparse
# points per element (`n_sparse`), `n_max`, `l_max` and the cutoff of the SOAP term; `help(GapConfig)` explains
# every name.

# %%
print(GapConfig().to_cfg())

# %% [markdown]
# ## Exercise 2.1 (1): train with the defaults (3 points)
#
# *Why:* the quickest way to understand a potential is to train one.
#
# **Predict.** From how many numbers will it learn? Before you train, find from
# `load_frames("water", "train", 100)` how many energies, `n_energies`, and how many force components,
# `n_force_components`, there are in all (two whole numbers, 1 point).
#
# **Do.** Train on the default frames (`gap_input_100.xyz`) with the default settings and
# `engine="jax"`, the faster one of two programs. Write the potential to `HERE / "gap.xml"`, and keep what
# `fit_gap` returns as `fit` (an object that says what was fitted, and what it cost; 2 points).
# `help(fit_gap)` explains its arguments: first the settings, then `output=` and `engine=`. The fit takes ten
# to thirty seconds, longer on a busy computer, and shows a progress bar. Lessons 05, 07 and 08 use your potential.
#
# <details><summary>Hint</summary>A frame has one energy, and <code>3 * len(atoms)</code> force
# components.</details>

# %% nbgrader={"grade": false, "grade_id": "ex2-1-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# n_energies = …
# n_force_components = …
# fit = …
### BEGIN SOLUTION
frames = load_frames("water", "train", 100)
n_energies = len(frames)
n_force_components = sum(3 * len(atoms) for atoms in frames)
fit = fit_gap(GapConfig(), output=HERE / "gap.xml", engine="jax")
### END SOLUTION

# %% [markdown]
# **Check yourself.** What went in, and what came out:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"you expected {n_energies} energies and {n_force_components} force components")
print(f"the fit saw  {fit.n_energies} energies and {fit.n_force_components} force components")
print(f"sparse points {fit.n_sparse}; {fit.cpu_seconds:.0f} CPU s; {fit.peak_memory_MB:.0f} MB")
print(f"{Path(fit.model_path).name}: {os.path.getsize(fit.model_path) / 1e6:.1f} MB")

# %% nbgrader={"grade": true, "grade_id": "test2-1-1-labels", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# How many labels the potential learns from
assert n_force_components > n_energies > 0, "a frame has more force components than energies"
### BEGIN HIDDEN TESTS
from helpers import load_frames as _load_frames

_sizes = [len(_frame) for _frame in _load_frames("water", "train", 100)]
assert int(n_energies) == len(_sizes), "One energy for each frame."
assert int(n_force_components) == 3 * sum(_sizes), "Three force components for each atom."
### END HIDDEN TESTS

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
assert fit.n_force_components == 3 * 48 * 100, "The fit did not see all forces."
_defaults = _GapConfig()
for _name in ("cutoff", "atom_sigma", "n_max", "l_max", "n_sparse", "zeta", "delta"):
    _found = getattr(fit.config, _name)
    assert _found == getattr(_defaults, _name), f"{_name}={_found}: not the default."
assert _np.allclose(fit.config.default_sigma, _defaults.default_sigma), "Not the default sigmas."
_judged = _evaluate(_load_potential(fit.model_path), _load_frames("water", "validate")[::10])
_error = _judged.rmse_energy_meV_per_atom
assert _error < 2.5, f"{_error:.2f} meV/atom on ten frames: about 1 was expected. Train again."
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The counts agree. Nearly all numbers that the potential learns from are force components.
#
# </details>

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
# *Why:* a potential can be used only if its errors are known. The usual measure is the root mean
# square error
#
# $$\text{RMSE} = \sqrt{\frac{1}{n} \sum_{j=1}^{n} (y_j^{\text{GAP}} - y_j^{\text{DFT}})^2}$$
#
# where $y$ stands for energies per atom, or for force components, and $n$ is how many of them there are.
#
# **Predict.** A model that always answers with the mean has an RMSE equal to the standard deviation of
# what it should predict. For these frames that is about 15 meV per atom for the energies (you saw it in
# lesson 01) and 840 meV/Å for all force components. What fraction of that will the error of your potential
# be: a half, a tenth, a hundredth?
#
# **Do.**
#
# - Write a function `rmse(true, predicted)` for two arrays of the same shape, whatever the shape: a
#   `float` in their unit.
# - Load your potential with `potential = load_potential(HERE / "gap.xml")`, and compare it with DFT on the
#   60 **validation** frames, which share no trajectory with the training frames:
#   `validation = evaluate(potential, load_frames("water", "validate"))`. The tables
#   `validation.energies` and `validation.forces` have columns `true` and `predicted`, in eV per atom
#   and eV/Å.
# - With your function find `rmse_energy_validation` (meV per atom) and `rmse_forces_validation`
#   (meV/Å), both `float`.
#
# <details><summary>Hint 1</summary>Square the differences, take the mean, then the root.</details>
# <details><summary>Hint 2</summary>1 eV = 1000 meV. <code>validation.energies["true"]</code> is one column
# of the table.</details>


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

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The errors are below a tenth of the spread of what is predicted, for energies and for forces. Your numbers
# and the kit's agree in all digits.
#
# </details>

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
# ## Exercise 2.1 (3): and on the training frames? (4 points)
#
# *Why:* comparing the validation error with the training error shows whether a potential generalizes
# or has only memorized its training frames. But an error that is measured on a few frames has an error
# bar itself: with other frames it would have come out differently.
#
# **Predict.** Will the error on the training frames be smaller, the same, or larger? For energies, and for
# forces?
#
# **Do.**
#
# - Keep the result of `evaluate` for the 100 **training** frames as `training`, and the errors as
#   `rmse_energy_training` (float, meV per atom) and `rmse_forces_training` (float, meV/Å; 2 points).
# - Get 95 % intervals for all errors by *bootstrap*: draw trajectories at random, with replacement, as
#   many as there are (some come twice, others not at all), compute the RMSE of the frames drawn, and repeat
#   that 2000 times; the interval holds the middle 95 % of the results. Whole trajectories are drawn, not
#   frames, because frames of one trajectory resemble each other. `help(validation.summary)` explains how to
#   get this; its argument `groups` is a list with the trajectory of each frame. To see whether the two
#   intervals overlap, keep for the forces of all elements `forces_training_high`, the upper end for
#   training, and `forces_validation_low`, the lower end for validation (float, meV/Å, 2 points).
#
# <details><summary>Hint 1</summary>The trajectory of a frame is <code>info["trajectory"]</code>, as in lesson
# 01.</details>
# <details><summary>Hint 2</summary><code>training.summary(groups)</code> is a table. Its row with quantity
# <code>"force"</code> and element <code>"all"</code> has the columns <code>rmse_low</code> and
# <code>rmse_high</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# training = …
# rmse_energy_training = …
# rmse_forces_training = …
# forces_training_high = …
# forces_validation_low = …
### BEGIN SOLUTION
training = evaluate(potential, frames)
rmse_energy_training = 1000 * rmse(training.energies["true"], training.energies["predicted"])
rmse_forces_training = 1000 * rmse(training.forces["true"], training.forces["predicted"])


def of_forces(result, frames):
    """Return the row of the summary for the forces of all elements."""
    table = result.summary([atoms.info["trajectory"] for atoms in frames])
    return table[(table["quantity"] == "force") & (table["element"] == "all")].iloc[0]


forces_training_high = of_forces(training, frames)["rmse_high"]
forces_validation_low = of_forces(validation, load_frames("water", "validate"))["rmse_low"]
### END SOLUTION

# %% [markdown]
# **Check yourself.** Errors with their 95 % intervals, side by side:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
rows = []
for name, result, split in (
    ("training", training, "train"),
    ("validation", validation, "validate"),
):
    of_set = load_frames("water", split, 100 if split == "train" else None)
    table = result.summary([atoms.info["trajectory"] for atoms in of_set])
    rows.append(table[table["element"] == "all"].assign(set=name))
errors = pd.concat(rows).set_index(["quantity", "set"])[["rmse", "rmse_low", "rmse_high", "unit"]]
print(
    f"yours: training up to {forces_training_high:.2f}, validation from {forces_validation_low:.2f}"
)
errors.sort_index().round(2)

# %% nbgrader={"grade": true, "grade_id": "test2-1-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Training errors of this potential (one point each), and ends of the intervals of the forces (one each)
assert len(training.energies) == 100, "training should be judged on the 100 training frames."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential

_potential, _want, _ends = _load_potential(fit.model_path), [], []
for _split, _size, _end in (("train", 100, "rmse_high"), ("validate", None, "rmse_low")):
    _frames = _load_frames("water", _split, _size)
    _judged = _evaluate(_potential, _frames)
    if _split == "train":
        _want = [_judged.rmse_energy_meV_per_atom, _judged.rmse_forces_meV_per_A]
    _table = _judged.summary([_frame.info["trajectory"] for _frame in _frames])
    _rows = _table[(_table["quantity"] == "force") & (_table["element"] == "all")]
    _ends.append(float(_rows[_end].iloc[0]))
_want = _np.array([*_want, *_ends])
_got = [rmse_energy_training, rmse_forces_training, forces_training_high, forces_validation_low]
_got = _np.array([float(_value) for _value in _got])
# The ends of the intervals depend a little on random numbers.
_right = _np.abs(_got / _want - 1) < [0.01, 0.005, 0.008, 0.008]
if not _right.all():
    print(f"Expected about {_want.round(2)} (meV/atom, then meV/Å), found {_got.round(3)}.")
    print(
        "Training frames, not validation frames? Groups of trajectories? The end that was asked for?"
    )
float(_right.sum())
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Compare the intervals: where they do not overlap, the two errors differ; where they overlap widely, the
# difference may be chance. The interval of an energy error is wide, because each frame gives one energy
# only.
#
# </details>


# %% tags=["discussion"]
def overlap(quantity):
    """Say whether the two intervals overlap."""
    low, high = (errors.loc[(quantity, name)] for name in ("training", "validation"))
    apart = high["rmse_low"] > low["rmse_high"] or low["rmse_low"] > high["rmse_high"]
    return "do not overlap" if apart else "overlap"


ratio = {
    q: errors.loc[(q, "validation"), "rmse"] / errors.loc[(q, "training"), "rmse"]
    for q in ("energy", "force")
}
Markdown(
    f"**Discussion.** Validation / training is {ratio['energy']:.2f} for the energies, whose intervals "
    f"{overlap('energy')}, and {ratio['force']:.2f} for the forces, whose intervals {overlap('force')}. "
    "A ratio near 1 shows that a potential is not overfitted. It does not show that it is good: a "
    "potential that knows nothing is equally wrong on both sets."
)

# %% [markdown]
# ## Exercise 2.1 (3, continued): the original program (2 points)
#
# *Why:* [`gap_fit`](https://doi.org/10.1063/5.0160898) is the program that the field uses, and the one that
# you meet in the terminal edition. Your potential was trained by another one, written for this kit with
# [JAX](https://docs.jax.dev). Before you rely on the faster of two programs, check that it gives the same.
#
# **Predict.** Both programs choose the sparse points partly at random, and differently. Will the weights agree?
# Will the errors?
#
# **Do.** Train with the default settings on the first 25 training frames, once with each program:
# `original` with `engine="gap_fit"`, written to `HERE / "gap_fit_25.xml"` (a minute or two), and `fast` with
# `engine="jax"`, written to `HERE / "gap_jax_25.xml"`; both are what `fit_gap` returns (1 point). Find the RMSE
# of their forces on the validation frames, `rmse_forces_original` and `rmse_forces_fast` (float, meV/Å, 1 point).
#
# <details><summary>Hint</summary><code>fit_gap</code> takes the frames after the settings:
# <code>fit_gap(GapConfig(), frames[:25], …)</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3b", "locked": false, "schema_version": 3, "solution": true, "task": false}
# original = …
# fast = …
# rmse_forces_original = …
# rmse_forces_fast = …
### BEGIN SOLUTION
few = load_frames("water", "train", 100)[:25]
original = fit_gap(GapConfig(), few, output=HERE / "gap_fit_25.xml", engine="gap_fit")
fast = fit_gap(GapConfig(), few, output=HERE / "gap_jax_25.xml", engine="jax")
of_both = [
    evaluate(load_potential(one.model_path), load_frames("water", "validate")).forces
    for one in (original, fast)
]
rmse_forces_original, rmse_forces_fast = (
    1000 * rmse(forces["true"], forces["predicted"]) for forces in of_both
)
### END SOLUTION

# %% [markdown]
# **Check yourself.** Validation errors and costs of the two programs:

# %% nbgrader={"grade": false, "grade_id": "ex2-1-3b-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for one, error in ((original, rmse_forces_original), (fast, rmse_forces_fast)):
    print(
        f"{one.engine:8} {error:.2f} meV/Å, {one.cpu_seconds:.0f} CPU s, {one.peak_memory_MB:.0f} MB"
    )

# %% nbgrader={"grade": true, "grade_id": "test2-1-3b", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The same settings and frames with both programs (1 point), and their errors (1 point)
assert Path(original.model_path).is_file(), "There is no file of gap_fit's: run fit_gap again."
assert Path(fast.model_path).is_file(), "There is no file of the second fit: run fit_gap again."
### BEGIN HIDDEN TESTS
from helpers import GapConfig as _GapConfig
from helpers import evaluate as _evaluate
from helpers import load_frames as _load_frames
from helpers import load_potential as _load_potential

_defaults = _GapConfig()
_names = ("cutoff", "atom_sigma", "n_max", "l_max", "n_sparse", "zeta", "delta")
_same = all(
    _fit.n_frames == 25 and getattr(_fit.config, _name) == getattr(_defaults, _name)
    for _fit in (original, fast)
    for _name in _names
)
_score = float(original.engine == "gap_fit" and fast.engine == "jax" and _same)
if not _score:
    print("Expected two fits of GapConfig() on the first 25 frames: gap_fit's, then JAX's.")
_errors = [
    _evaluate(_load_potential(_fit.model_path), _load_frames("water", "validate"))
    for _fit in (original, fast)
]
_found = (float(rmse_forces_original), float(rmse_forces_fast))
if all(
    abs(_mine / _error.rmse_forces_meV_per_A - 1) < 0.003
    for _mine, _error in zip(_found, _errors, strict=True)
):
    _score += 1
else:
    print("Expected the force RMSE of the two files on the validation frames, in this order:")
    print(", ".join(f"{_error.rmse_forces_meV_per_A:.2f} meV/Å" for _error in _errors))
_score
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The errors agree to a few percent, which is what another choice of sparse points changes; the weights
# belong to other sparse points and cannot be compared. All fits of the course use the faster program.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** {rmse_forces_original:.2f} and {rmse_forces_fast:.2f} meV/Å differ by "
    f"{100 * abs(rmse_forces_fast / rmse_forces_original - 1):.1f} %, after {original.cpu_seconds:.0f} and "
    f"{fast.cpu_seconds:.0f} seconds of processor time. Another seed of `gap_fit` changes the error "
    "about as much."
)

# %% [markdown]
# ## Exercise 2.1 (4): why do they differ? (3 points)
#
# *Why:* the two errors can differ a lot, and a paper should quote the right one.
#
# **Question.** Look at the intervals of exercise 2.1 (3). Do the errors of the forces differ between training
# and validation? Can you say so of the energies? Why is an error on frames that the potential was trained on
# not the error to expect in a simulation? And what would it mean if the validation error were five times the
# training error?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-1-4", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# The two intervals of the forces do not overlap: the validation error is larger. For the energies
# the intervals are wide and just touch: the validation error is probably larger as well, but other frames
# could show the two closer together.
#
# The weights were chosen to make the errors on the training frames small, and part of that success
# is adaptation to just these frames. A simulation visits new configurations, so only an error on
# frames that had no part in the fit estimates what to expect there. Here the two are close, because
# there are many more force components (14 400) than weights (about 1700), which leaves the fit little
# freedom. A ratio of 5 would mean that the potential has learned its frames by heart: it is overfitted.
#
# === BEGIN MARK SCHEME ===
# - 1 point: reads from the intervals whether the errors of forces and of energies differ, and accepts
#   "cannot be said" where they overlap.
# - 1 point: the fit made the training error small, so it is too optimistic; new frames are the test
#   of what the potential has understood.
# - 1 point: a large ratio means overfitting (learned by heart, does not generalize).
# === END MARK SCHEME ===

# %% [markdown] tags=["discussion"]
# **Discussion.** The validation frames come from other trajectories than the training frames. If every
# second frame of one trajectory were kept for validation, each would have a near twin among the training
# frames, and the validation error would look as good as the training error, even for a
# poor potential. The meaning of a validation error depends on how different the validation frames
# are.

# %% [markdown]
# ## Exercise 2.1 (5): predict before you compute (2 points)
#
# *Why:* only a prediction that is written down before can be compared with what comes out. Lesson 03 will
# ask whether it was right.
#
# **Question.** Suppose that you train on twice as many snapshots. What happens to the training error, what to the
# validation error, and where do the two meet in the end? Give a reason for each, and a number: by how many
# percent does the validation error of the forces change?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-1-5", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The training error rises or stays, because the same number of weights must now satisfy more labels.
# The validation error falls, because more of what a simulation visits has been seen: perhaps by 10 %. The
# two meet at the error that this kind of model (its cutoff, its basis, its number of sparse points, and the
# noise of the labels, 12 meV/Å for these) cannot go below, however much data it gets.
#
# === BEGIN MARK SCHEME ===
# - 1 point: validation error falls (with a reason), training error rises or stays (with a reason).
# - 1 point: both approach a common limit that the model or the noise of the labels sets.
# === END MARK SCHEME ===

# %% [markdown] tags=["discussion"]
# **Discussion.** The numbers, from the stored learning curve of the default settings: lesson 03 looks
# into them. What counts here is that a prediction was made, with a reason; it need not be right.

# %% tags=["discussion"]
stored = pd.read_csv(STORED / "learning_curve_default.csv")
stored.pivot_table(index="n_frames", columns="set", values=FORCES).round(1)

# %% [markdown]
# ## Exercise 2.1 (6): scatter plots (5 points)
#
# *Why:* one number hides much: outliers, a slope that is wrong, one element that is worse. A
# scatter plot of predicted against DFT values shows it.
#
# **Predict.** Sketch such a plot for a potential whose predictions are perfect, and for one that always
# answers with the mean.
#
# **Do** (3 points). Draw a figure with two panels with matplotlib, and keep it as `figure`:
#
# - on the left the energies of the training **and** the validation frames, GAP (vertical) against
#   DFT (horizontal), in two colors with a legend;
# - on the right the force components of the validation frames.
#
# Each panel has a line where both are equal, and axis labels with units (eV or meV, as you like).
# Energies are large negative numbers that differ little: subtract one and the same number, the mean DFT
# energy per atom of the training frames, from all of them, or the axes show meaningless digits.
# End the cell with `with_alt_text(figure, "…")`: one sentence for those who cannot see the figure.
#
# <details><summary>Hint 1</summary><code>figure, (left, right) = plt.subplots(1, 2)</code> makes two panels;
# draw inside <code>with style():</code> to get labels large enough for the back row.</details>
# <details><summary>Hint 2</summary><code>left.plot(x, y, "o", label="training")</code> draws points,
# <code>left.axline((0, 0), slope=1)</code> the line, <code>left.set(xlabel="…")</code> a label.</details>

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

# %% [markdown]
# **Question** (2 points, marked by hand). What would these plots look like if the prediction was perfect? Can you
# tell by eye, from your plots, which points the potential was trained on, and whether its force error is 40 or
# 80 meV/Å?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-1-6", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# All points would lie on the diagonal. By eye the training and the validation points cannot be told
# apart, and neither could a force error of 40 from one of 80 meV/Å: the forces span several eV/Å, so that
# both are thinner than a dot. A scatter plot shows outliers, wrong slopes and groups of bad points; how large
# the error is must be given as a number.
#
# === BEGIN MARK SCHEME ===
# - 1 point: all points on the diagonal (predicted = DFT).
# - 1 point: no, or hardly; the error is small compared with the range of the axes, so the number is needed.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# All points lie close to the diagonal, training and validation alike. The two figures of the errors
# themselves, below yours, show what the scatter plots hide.
#
# </details>

# %% tags=["discussion"]
Markdown(
    "**Discussion.** The cloud of energies is as narrow for validation as for training, and lies "
    "along the diagonal over its whole range. The forces span "
    f"{np.ptp(validation.forces['true']):.0f} eV/Å, so that an error of "
    f"{rmse_forces_validation / 1000:.2f} eV/Å can hardly be seen: what looks perfect in such a "
    "figure may still be too coarse, which is why papers give the numbers as well. Compare an error "
    f"with what it is for: at 300 K the thermal energy $k_B T$ is {1000 * units.kB * 300:.0f} meV, "
    f"and a force component here is typically {validation.forces['true'].std():.1f} eV/Å."
)

# %% [markdown]
# ## Exercise 2.1 (more): are hydrogen and oxygen predicted equally well? (optional)
#
# *Why:* one number for all atoms may hide that one element is bad.
#
# **Predict.** Oxygen feels the larger forces. Does that mean that its error is larger?
#
# **Do.** Find out with `validation.summary()` or from `validation.forces`: the RMSE of each element, and the
# RMSE relative to the spread (standard deviation) of its DFT forces. Keep the two relative errors (floats
# without unit: 0.1 means a tenth of the spread) as a dictionary `relative_error` with keys `"H"` and `"O"`.
# (If you skip it, delete the line with `raise`.)

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

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# In meV/Å oxygen has the larger error. Relative to the forces that each element feels, the two errors are
# nearly equal.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The error of oxygen ({by_element['O']:.0f} meV/Å) is "
    f"{by_element['O'] / by_element['H']:.2f} times that of hydrogen ({by_element['H']:.0f} meV/Å). "
    f"Relative to the spread of the forces it is {100 * relative_error['O']:.1f} % for oxygen and "
    f"{100 * relative_error['H']:.1f} % for hydrogen. Which of the two is worse can depend on the "
    "measure: say which one you use."
)

# %% [markdown]
# ## Summary
#
# - A Gaussian process draws a smooth curve through known points; sigma says how closely it must follow them.
# - A GAP does that for atomic neighborhoods: it is a weighted sum of similarities to sparse points of the
#   same element, and training finds the weights.
# - A fit needs frames with energies and forces; check the counts of both.
# - The validation error, on frames from other trajectories, is the one to quote, with an error bar.
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
#
# 5. $\sigma_E$ is 1 meV per atom. Which error of the energy per atom does that accept for a cell of 100
#    atoms?
#
#    <details><summary>Answer</summary>
#
#    A tenth of it, 0.1 meV per atom: $\sigma_E/\sqrt N$.
#
#    </details>
