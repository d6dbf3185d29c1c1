# %% [markdown]
# # 09 · Gradients through a simulation
#
# **You will learn**
#
# - that a simulation is a function of its force field, and that this function has derivatives;
# - to check a derivative with finite differences, and where these fail themselves;
# - to find an angle and a diameter from what a simulation should show;
# - why such derivatives explode, and what the remedies cost.
#
# **Time:** 100 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 05 (dynamics and thermostats). What a derivative is; a little Python.

# %%
import time
import warnings

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pandas as pd
from ase import units
from IPython.display import Markdown

from helpers.differentiable import (
    Fluid,
    angle_gradients,
    angle_loss,
    descend,
    fit_triangle,
    plot_angle_gradients,
    plot_parting_paths,
    plot_two_sweeps,
    radial_distribution,
    stack,
    triangle_run,
    triangle_sides_nm,
)
from helpers.frames import data_folder
from helpers.plots import BLACK, BLUE, GREEN, ORANGE, RED, style, with_alt_text

warnings.filterwarnings("ignore")
jax.config.update("jax_enable_x64", True)  # numbers of 64 bits: about 16 digits
STORED = data_folder() / "stored"  # results that took too long for a class
STUDIES = pd.read_csv(STORED / "through_simulations.csv")
STUDY_NUMBERS = pd.read_csv(STORED / "through_simulations_numbers.csv")

# %% [markdown]
# ## A picture first: a chain of steps
#
# So far, a potential was fitted to energies and forces. One can also choose the parameters $p$ of a force field (another word for
# a potential) so that a *simulation* shows what it should, for example a certain distance between atoms. For that one needs the
# derivative of the result with respect to $p$.
#
# A simulation turns a start $z_0$ into an end $z_n$, one step after the other, and each step uses $p$. From the end one number is
# computed, the *loss* $L$: how far the result is from what it should be.
#
# **Predict.** If $p$ changes a little, through which boxes of the next figure does the change reach $L$?

# %%
with style():
    figure, ax = plt.subplots(figsize=(10, 3.2))
with_alt_text(
    plot_two_sweeps(ax),
    "Four states in a row, joined by arrows for the steps. Forward mode goes with the simulation and "
    "carries the change of the state with the parameter; reverse mode starts at the loss and carries the "
    "change of the loss with the state back to the start. The parameter enters in every step.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Through all of them. The parameter enters in every step: in the last one it changes the end directly, in the step before it
# changes what the last step starts from, and so on. One can follow the change along with the simulation (blue), or start at the
# end and go back, asking for each step how much a change there would change the loss (orange). Both ways add up the same products.
#
# </details>
#
# ## Theory
#
# One time step is a function $s$ of the state $z = (\mathbf r, \mathbf v)$, positions and velocities, and of the parameters
# $p$. A simulation applies it $n$ times, and the loss $L$ (a length in nm below) compares the end with what it
# should be. By the chain rule
#
# $$\frac{dL}{dp} = \sum_{k=1}^{n} \frac{\partial L}{\partial z_n} \, J_n J_{n-1} \cdots J_{k+1} \,
# \frac{\partial s}{\partial p}\bigg|_k, \qquad J_k = \frac{\partial z_k}{\partial z_{k-1}}$$
#
# ($J_k$ is the matrix of derivatives of the state after step $k$ with respect to the state before it; each term of the sum is the
# change that $p$ makes in step $k$, carried to the end.)
#
# The library JAX knows the derivative of every operation in a step and
# multiplies them for you. This is *automatic differentiation* ([Baydin et al., 2018](https://doi.org/10.48550/arXiv.1502.05767)),
# exact up to rounding. It can go along with the simulation and carry $dz/dp$ forward (**forward mode**: one sweep for each
# parameter), or go back from the end and carry $dL/dz$ (**reverse mode**: one sweep for all parameters, but the states on the way
# have to be stored).
#
# Whether the product of the matrices $J_k$ grows or shrinks decides whether the derivative is of any use. Force fields of proteins have been
# learned in this way ([Greener & Jones, 2021](https://doi.org/10.1371/journal.pone.0256990)).

# %% [markdown]
# ## Exercise 9.1: a derivative and its referee (5 points)
#
# *Why:* a wrong gradient raises no error. It has to be compared with something that is computed in another way: the central
# difference of lesson 01 is the referee.
#
# An atom of mass $m$ = 16 u hangs on a spring of stiffness $k$ (eV/Å²). It starts at rest at $x$ = 1 Å; the force is
# $-k x$. The exact motion is $x = \cos \omega t$ with $\omega = \sqrt{k/m}$ (in the units below
# $\sqrt{k \cdot \mathtt{ACCELERATION} / m}$, 1/fs).
#
# **Predict.** How does the size of $dx/dk$ change if the simulation is twice as long? (Differentiate the exact motion.) And how
# well will a central difference agree with the derivative if its width $h$ is made smaller and smaller?
#
# **Compute,** with operations of `jax.numpy`,
#
# - `position(stiffness, n_steps)`: a function that returns $x$ (Å) after `n_steps` steps of velocity Verlet (lesson 05) with the
#   time step `DT_FS`; (2 points)
# - `slope` (float, Å³/eV): its derivative with respect to the stiffness at 2 eV/Å² and 500 steps, by `jax.grad`; (1 point)
# - `central(function, x, h)`: a function that returns the central difference $(f(x + h) - f(x - h))/(2h)$. (2 points)
#
# <details><summary>Hint 1</summary>
#
# A loop that JAX compiles at once, however long it is, is `jax.lax.fori_loop(0, n_steps, step, start)` with
# `step(i, state)`, or `jax.lax.scan(step, start, length=n_steps)` with `step(state, _)`, which returns
# `(state, None)`. An ordinary Python loop works as well, and takes longer to compile.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The state is the pair `(x, v)`, which starts as `(jnp.array(1.0), jnp.array(0.0))`. A step of velocity Verlet: change the
# velocity for half a step with the acceleration at the old position, the position for a whole step, and the velocity for half a
# step with the acceleration at the new position, as `vibrate` does in lesson 05.
# `jax.grad(lambda k: position(k, 500))` is the derivative as a function of the stiffness.
#
# </details>

# %%
DT_FS = 2.0
MASS_U = 16.0
ACCELERATION = units.fs**2  # 1 eV/(Å u) in Å/fs²


# %% nbgrader={"grade": false, "grade_id": "ex9-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def position(stiffness, n_steps): …
# slope = …
# def central(function, x, h): …
### BEGIN SOLUTION
def position(stiffness, n_steps):
    """Return the position in Å after some steps of velocity Verlet."""

    def acceleration(x):
        return -stiffness * x / MASS_U * ACCELERATION

    def step(state, _):
        x, v = state
        v = v + acceleration(x) * DT_FS / 2
        x = x + v * DT_FS
        v = v + acceleration(x) * DT_FS / 2
        return (x, v), None

    (x, _), _ = jax.lax.scan(step, (jnp.array(1.0), jnp.array(0.0)), length=n_steps)
    return x


slope = float(jax.grad(lambda k: position(k, 500))(2.0))


def central(function, x, h):
    """Return the central difference of a function."""
    return (function(x + h) - function(x - h)) / (2 * h)


### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
widths = 10.0 ** np.arange(-13, 0)
missed = [abs(central(lambda k: position(k, 500), 2.0, h) / slope - 1) for h in widths]
lengths = np.arange(25, 501, 25)
slopes = [float(jax.grad(lambda k, n=int(n): position(k, n))(2.0)) for n in lengths]
omega = np.sqrt(2.0 * ACCELERATION / MASS_U)
times_fs = np.linspace(0, 1000, 400)
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
left.plot(
    times_fs,
    -times_fs * np.sin(omega * times_fs) * omega / 4,
    color=BLACK,
    lw=1,
    label="exact motion",
)
left.plot(DT_FS * lengths, slopes, color=BLUE, marker="o", ls="", label="through the simulation")
left.set(
    title="Derivative of the end", xlabel="length of the simulation, fs", ylabel="dx/dk, Å³/eV"
)
left.legend()
right.loglog(widths, missed, color=ORANGE, marker="o")
right.set(
    title="Central difference against it",
    xlabel="h, eV/Å²",
    ylabel="relative difference from slope",
)
print(
    f"slope {slope:.6f} Å³/eV; central difference with h = 1e-4: "
    f"{float(central(lambda k: position(k, 500), 2.0, 1e-4)):.6f}"
)
with_alt_text(
    figure,
    "Left: dx/dk against the length of the simulation, an oscillation that grows in proportion to time; the "
    "simulated points lie on the exact curve at first and are ahead by a little at the end. Right: the relative "
    "difference between central difference and derivative falls with h squared, is smallest "
    f"({min(missed):.0e}) at h = {widths[int(np.argmin(missed))]:.0e}, and rises again for smaller h.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Two points for the simulation, one for its derivative, two for the central difference.
assert callable(position) and callable(central), "position and central are functions."
### BEGIN HIDDEN TESTS
import numpy as _np


def _verlet(k, n):
    """In complex numbers: a step of 1e-30 along i gives the derivative to all digits."""
    x, v = 1.0 + 0j, 0j
    for _ in range(n):
        v = v - k * x / MASS_U * ACCELERATION * DT_FS / 2
        x = x + v * DT_FS
        v = v - k * x / MASS_U * ACCELERATION * DT_FS / 2
    return x


_off = max(
    abs(float(_np.asarray(position(k, n))) - _verlet(k, n).real) for k, n in ((1.3, 77), (2.6, 301))
)
_runs = 1.0 if _off < 1e-6 else 0.5 * (_off < 0.02)
if _runs < 1:
    print(f"position is off by {_off:.2g} Å for another stiffness and length: velocity Verlet?")
_want = _verlet(2.0 + 1e-30j, 500).imag / 1e-30
_right = abs(float(slope) / _want - 1) < 1e-5
if not _right:
    print(f"slope: expected {_want:.6f} Å³/eV, found {float(slope):.6f}.")
_first = (
    abs(float(_np.asarray(central(_np.exp, 0.5, 0.1))) - _np.exp(0.5) * _np.sinh(0.1) / 0.1) < 1e-9
)
_second = abs(float(_np.asarray(central(_np.square, 3.0, 0.5))) - 6.0) < 1e-9
if not (_first and _second):
    print("central(function, x, h): tried with exp and with a square.")
float(2.0 * _runs + _right + _first + _second)
### END HIDDEN TESTS

# %% tags=["discussion"]
best = int(np.argmin(missed))
Markdown(
    "**Discussion.** $dx/dk = -t \\, \\sin(\\omega t) \\, \\omega/(2k)$: the derivative of a vibration grows in "
    "proportion to time, because a slightly stiffer spring gets further and further ahead. Twice as long means twice as "
    "large, no more: this motion is not chaotic. Automatic differentiation gives the derivative of the *simulation*, "
    "whose frequency differs a little from the exact one: velocity Verlet is "
    f"{100 * (omega * DT_FS) ** 2 / 24:.3f} % too fast here. The referee has faults of its own. The error of a central "
    f"difference falls as h² while h is large (curvature), and rises as 1/h when the {16} digits of a number are used "
    f"up in subtracting two nearly equal ones; between, at h = {widths[best]:.0e}, it agrees to {missed[best]:.0e}. "
    "Agreement at a single h may be chance; look at several."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# On the left an oscillation whose envelope is a straight line: the derivative grows in proportion to time. On the right a
# valley. To the right of it the central difference is too coarse, to the left the digits of the computer are used up, and only
# in between can it be used as a check.
#
# </details>

# %% [markdown]
# ## Exercise 9.2: the angle of two molecules (6 points)
#
# *Why:* this is the whole method in its smallest form: simulate, compare, step downhill.
#
# Two molecules of three atoms have bonds of 0.7 nm and an angle $\theta_0$ in their force field. After 150 steps the two outer
# atoms of a molecule should be 1 nm apart (as a mean over both molecules). `loss_and_slope(angle)` runs the simulation with an angle (radians) and returns the
# loss, | distance − 1 nm | (nm), and its derivative with respect to the angle (nm/radian). A *descent* makes the loss smaller step
# by step: the angle is changed against the slope, by slope times a number, the *rate*.
#
# **Predict.** For which angle is the distance right? (Geometry.) Will a descent with a constant rate end there?
#
# **Compute.**
#
# - `angles` (21 numbers, degrees): start at 110° and take 20 steps angle ← angle − 0.1 · slope, with the angle in radians; (2 points)
# - `settled` (a list of numbers, degrees): the angles of a second descent from 110°, in which the rate becomes smaller from step
#   to step, as you like, until the last angle is within 1° of the right one. At most 60 steps. (2 points)
#
# <details><summary>Hint 1</summary>
#
# Write one function of a list of rates for both: it starts at `np.radians(110.0)`, takes a step for each rate, and returns
# all angles in degrees, the first one included.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# If the rate falls too fast, the descent stops on the way: the sum of all steps has to reach from 110° to the goal.
# Multiplying the rate by 0.9 in each step is slow enough.
#
# </details>

# %%
loss_and_slope = jax.jit(jax.value_and_grad(lambda angle: angle_loss(angle)[0]))
value, downhill = loss_and_slope(np.radians(110.0))
print(f"110°: loss {float(value):.3f} nm, slope {float(downhill):.3f} nm/radian")


# %% nbgrader={"grade": false, "grade_id": "ex9-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# angles = …
# settled = …
### BEGIN SOLUTION
def descent(rates):
    """Return the angle in degrees at the start and after each step."""
    angle = np.radians(110.0)
    taken = [angle]
    for rate in rates:
        _, slope_here = loss_and_slope(angle)
        angle = angle - rate * float(slope_here)
        taken.append(angle)
    return np.degrees(taken)


angles = descent([0.1] * 20)
settled = descent(0.1 * 0.9 ** np.arange(40))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
target_deg = float(np.degrees(2 * np.arcsin(0.5 / 0.7)))
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
ax.axhline(target_deg, color=RED, lw=1.5, ls=":", label=f"geometry: {target_deg:.1f}°")
ax.plot(angles, color=BLUE, marker="o", ms=4, label="constant rate")
ax.plot(settled, color=ORANGE, marker="s", ms=4, label="decaying rate")
ax.set(title="Descent of the angle", xlabel="step", ylabel="θ₀, degrees")
ax.legend()
print(
    f"constant rate ends at {angles[-2]:.1f}° and {angles[-1]:.1f}°, decaying rate at {settled[-1]:.2f}°"
)
with_alt_text(
    figure,
    f"The angle falls from 110° to about {target_deg:.0f}° within eight steps. With a constant rate it then jumps "
    f"between {min(angles[-2:]):.1f}° and {max(angles[-2:]):.1f}°; with a decaying rate it settles at "
    f"{settled[-1]:.1f}°.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the descent with a constant rate, two for one that settles.
assert len(angles) == 21 and len(settled) >= 5, "angles: the start and 20 steps."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers.jax_setup import double_precision as _double_precision


def _slopes(degrees):
    with _double_precision():
        return _np.array([float(loss_and_slope(_np.radians(one))[1]) for one in degrees])


_all = _np.asarray(angles, float)
_steps = _np.degrees(0.1 * _slopes(_all[:-1]))
_constant = abs(_all[0] - 110) < 1e-6 and _np.allclose(_all[:-1] - _steps, _all[1:], atol=0.01)
if not _constant:
    print(
        "angles: each should be the one before − 0.1 · slope there, in radians; the first is 110°."
    )
_own = _np.asarray(settled, float)
_downhill = (_own[:-1] - _own[1:]) / _np.degrees(_slopes(_own[:-1]))  # the rates that were taken
_rates = abs(_own[0] - 110) < 1e-6 and len(_own) <= 61 and bool((_downhill >= -1e-9).all())
_falling = _rates and _downhill[-1] < 0.5 * _downhill[0]
_close = abs(_own[-1] - _np.degrees(2 * _np.arcsin(0.5 / 0.7))) < 1.0
if not (_falling and _close):
    print(
        f"settled: from 110° downhill {_rates}, with rates that fall {bool(_falling)}, and the end within "
        f"1° of the right angle {bool(_close)} ({_own[-1]:.2f}°)."
    )
float(2.0 * _constant + 1.0 * _falling + 1.0 * (_falling and _close))
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Why does the descent with a constant rate jump back and forth in the end, by how many
# degrees, and why does it not come to rest when it is close to the right angle?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text9-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The loss is an absolute value. Its slope is about ±0.53 nm/radian on both sides of the minimum, however close the
# minimum is: only the sign changes there. Each step is therefore 0.1 · 0.53 radian = 3° long, and once the minimum lies
# between two angles 3° apart the descent goes to and fro between them. With a squared loss the slope would become
# smaller near the minimum; or the rate has to.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the slope of an absolute value does not become smaller near the minimum, only its sign changes.
# - 1 point: the length of the jump is rate times slope, about 3°, or: a smaller rate or a smooth loss would help.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** Geometry: 2 arcsin(0.5/0.7) = {target_deg:.2f}°. The two last angles with a constant rate are "
    f"{angles[-2]:.1f}° and {angles[-1]:.1f}°, {abs(angles[-1] - angles[-2]):.1f}° apart. The decaying rate ends at "
    f"{settled[-1]:.2f}°, not exactly at the angle of geometry: after 150 steps the atoms still vibrate a little, and "
    "the loss asks for the distance at that moment. (With ten times as many steps and the mean distance of the last "
    "thousand, the descent ends within 0.1°.)"
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Both descents come down at the same pace at first. With a constant rate the angle then jumps between two values on both sides of
# the goal; with a falling rate the jumps become smaller and die out. The gradient is right at every step; how long the steps
# should be is another question.
#
# </details>

# %% [markdown]
# ## Exercise 9.3: the sign and the size (2 points)
#
# *Why:* a gradient says two things, in which direction the loss falls and how steeply. Both are used by a descent, but are both
# reliable?
#
# The next cell computes the slope for sixty angles between 3° and 180°.
#
# **Predict.** For how many of them does a step downhill lead towards the right angle? And is the slope larger far from
# the goal or close to it?
#
# **Compute** from `table` (`angle_deg`, `gradient_nm_per_radian`)
#
# - `right_way` (float between 0 and 1): the share of its rows whose slope has the sign that leads towards `target_deg`, the
#   right angle by geometry;
# - `spread` (float, no unit): the largest absolute value of a slope, divided by the median of the absolute values.
#
# <details><summary>Hint</summary>
#
# Downhill is against the slope. Above the goal the angle must fall, so the slope must be positive there, and negative below.
#
# </details>

# %% tags=["measured"]
table = angle_gradients(np.arange(3.0, 181.0, 3.0))
table.iloc[::10].round(3)

# %% nbgrader={"grade": false, "grade_id": "ex9-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# right_way = …
# spread = …
### BEGIN SOLUTION
gradient = table["gradient_nm_per_radian"]
right_way = float((np.sign(gradient) == np.sign(table["angle_deg"] - target_deg)).mean())
spread = float(gradient.abs().max() / gradient.abs().median())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
    plot_angle_gradients(table, target_deg, ax)
    degrees = np.linspace(1, 180, 400)
    at_rest = np.sign(degrees - target_deg) * 0.7 * np.cos(np.radians(degrees / 2))
    ax.plot(degrees, at_rest, color=BLACK, lw=1, label="geometry, atoms at rest")
    ax.set_title("Slope of the loss, sixty starts")
    ax.legend(loc="upper left")
print(f"{right_way:.0%} lead the right way; the largest is {spread:.1f} times the median")
with_alt_text(
    figure,
    f"The slope against the angle: negative below {target_deg:.1f}° and positive above for {right_way:.0%} of the "
    f"points. Its size follows 0.7 cos(θ₀/2), and is smaller at 150° than at 93°.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# One point each: the share of right signs, and how much sizes differ.
assert 0 <= right_way <= 1 and spread >= 1, "A share, and a ratio of at least 1."
### BEGIN HIDDEN TESTS
import numpy as _np

_slope = table["gradient_nm_per_radian"].to_numpy(float)
_above = table["angle_deg"].to_numpy(float) > _np.degrees(2 * _np.arcsin(0.5 / 0.7))
_share = float(_np.mean((_slope > 0) == _above))
_ratio = float(_np.abs(_slope).max() / _np.median(_np.abs(_slope)))
_signs = abs(float(right_way) - _share) < 0.006
_sizes = abs(float(spread) / _ratio - 1) < 0.02
if not (_signs and _sizes):
    print(f"Expected a share of {_share:.3f} and a ratio of {_ratio:.2f}.")
float(_signs) + float(_sizes)
### END HIDDEN TESTS

# %% tags=["discussion"]
worst = table[np.sign(table["gradient_nm_per_radian"]) != np.sign(table["angle_deg"] - target_deg)]
far = table.set_index("angle_deg")["gradient_nm_per_radian"]
Markdown(
    f"**Discussion.** {right_way:.0%} of the starts lead the right way. Wrong: "
    + (", ".join(f"{one:.0f}°" for one in worst["angle_deg"]) or "none")
    + ", close to 180°, where the molecule swings through the straight line and the angle has a kink. The size follows "
    "from geometry: at rest the outer atoms would be 1.4 sin(θ₀/2) nm apart, so the slope is ± 0.7 cos(θ₀/2) nm/radian (black "
    "line); the points leave it where the molecules, which start almost straight, still swing widely after 150 steps. "
    f"So the size misleads: {far[150.0]:.2f} at 150°, 59° from the goal, and {far[93.0]:.2f} at 93°, 2° from it. The step "
    "is longest where it should be shortest. Optimizers that use little more than the sign (Adam) or that limit the "
    "size of a gradient (clipping) suffer less from this."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Nearly all signs are right, on both sides. The sizes follow the curve of geometry, which above the goal is lower the further away
# the angle is: at 150° the slope is smaller than at 93°. Near 180° the points leave the curve.
#
# </details>

# %% [markdown]
# ## Exercise 9.4: forward or reverse? (3 points)
#
# *Why:* both modes give the same derivative, but at very different cost: for a network with a million weights by a factor of a
# million.
#
# `spread_out(sigmas_nm)` runs a fluid of 50 atoms in a periodic cube of 3 nm. Their potential is that of Lennard-Jones (lesson 01),
# in which every atom has a diameter σ (nm) of its own. The function returns the mean distance to the nearest neighbor at the end, nm.
#
# **Predict.** How many sweeps does each mode need for the derivatives with respect to all 50 diameters? And for the
# derivative with respect to one diameter that all atoms share? How many times as long as the simulation will a sweep take?
#
# **Compute,** at `same`, 50 diameters of 0.45 nm,
#
# - `each` (array of shape (50,), no unit): the derivative with respect to every diameter, in reverse mode (`jax.grad`); (2 points)
# - `along` (float, no unit): the derivative if all diameters change by the same amount, in forward mode. (1 point)
#
# <details><summary>Hint</summary>
#
# `jax.jvp(function, (x,), (direction,))` returns two things: the value, and the derivative along a direction. The direction in
# which all diameters grow alike is an array of ones.
#
# </details>

# %%
cool = Fluid(steps=200)
beginning = cool.draw(0)
same = jnp.full(50, 0.45)


@jax.jit
def spread_out(sigmas_nm):
    """Return the mean distance to the nearest neighbor after 200 steps, nm."""
    return cool.loss(sigmas_nm, beginning, checkpoint_every=1)[1]


# %% nbgrader={"grade": false, "grade_id": "ex9-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# each = …
# along = …
### BEGIN SOLUTION
each = np.asarray(jax.grad(spread_out)(same))
along = float(jax.jvp(spread_out, (same,), (jnp.ones(50),))[1])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
ways = {
    "the simulation alone": jax.jit(spread_out),
    "reverse: all 50": jax.jit(jax.grad(spread_out)),
    "forward: one direction": jax.jit(lambda x: jax.jvp(spread_out, (x,), (jnp.ones(50),))[1]),
}
for way in ways.values():
    jax.block_until_ready(way(same))  # compile
took = dict.fromkeys(ways, np.inf)
for _ in range(10):  # in turns, the shortest counts: other programs only make it longer
    for name, way in ways.items():
        begun = time.perf_counter()
        jax.block_until_ready(way(same))
        took[name] = min(took[name], time.perf_counter() - begun)
print(f"sum of the 50: {np.sum(each):.9f}; along their sum: {along:.9f}")
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.8), width_ratios=(3, 2))
left.bar(np.arange(50), each, color=BLUE)
left.set(title="One sweep back: 50 derivatives", xlabel="atom", ylabel="d(mean distance)/dσ")
right.barh(list(took), [1000 * one for one in took.values()], color=[BLACK, ORANGE, GREEN])
right.set(title="What it takes", xlabel="ms")
with_alt_text(
    figure,
    "Left: 50 bars, the derivative with respect to the diameter of every atom, most of them above 0. Right: time of the "
    "simulation alone, "
    + ", ".join(
        f"{name} {one / took['the simulation alone']:.1f} times that"
        for name, one in list(took.items())[1:]
    )
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test9-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the 50 derivatives, one for that along their sum.
assert len(each) == 50, "One derivative for each atom."
### BEGIN HIDDEN TESTS
import jax as _jax
import numpy as _np

from helpers.jax_setup import double_precision as _double_precision

with _double_precision():
    _want = _np.asarray(_jax.grad(spread_out)(_np.full(50, 0.45)))
_all = _np.allclose(_np.asarray(each, float), _want, rtol=1e-5, atol=1e-9)
_sum = abs(float(_np.asarray(along)) / _want.sum() - 1) < 1e-5
if not (_all and _sum):
    print(
        f"all 50 {_all}, along their sum {_sum} (expected {_want.sum():.6f}, found {float(along):.6f})."
    )
float(2.0 * _all + 1.0 * _sum)
### END HIDDEN TESTS

# %% tags=["discussion"]
alone = took["the simulation alone"]
Markdown(
    "**Discussion.** One sweep back gives all 50 derivatives and takes "
    f"{took['reverse: all 50'] / alone:.1f} times as long as the simulation; a sweep forward takes "
    f"{took['forward: one direction'] / alone:.1f} times as long and gives one of them (or one combination: along the sum "
    "it is the sum of the 50, to all digits). Forward mode wins for one parameter, or to see how *every* state depends on it, as in "
    "the next exercise; reverse mode for one loss and many parameters. Its price is memory: going back, it needs the "
    "states of the way there. Here each step is kept as a checkpoint; `simulate_reversibly` runs the simulation itself "
    "backwards, in whole numbers, and needs none."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Fifty bars of different heights from one sweep, in a few times the time of the simulation: an atom with many close neighbors
# changes the mean distance more than one without. The sum of the bars is the derivative in forward mode, to all digits.
#
# </details>

# %% [markdown]
# ## A second picture: round obstacles
#
# A ball flies among fixed disks. A second ball starts at the same place, in a direction that differs by a tenth of a degree.
#
# **Predict.** After how many bounces will they fly in different directions?

# %%
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
with_alt_text(
    plot_parting_paths(ax),
    "Two paths among round disks. They start together, and their distance grows at each bounce; after a few "
    "bounces they hit different disks.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# After three or four. A round surface reflects neighboring paths in different directions, so each bounce multiplies
# their difference by about the same factor. A fluid does the same with every small change, also with one of its parameters.
#
# </details>

# %% [markdown]
# ## Exercise 9.5: gradients that explode (6 points)
#
# *Why:* this, not the cost, limits what can be learned through long simulations.
#
# Motion is *chaotic* if a tiny difference grows exponentially, as for the two balls. Two runs with slightly different σ then
# part exponentially, and the derivative of the end with respect to σ grows as fast
# ([Metz et al., 2021](https://doi.org/10.48550/arXiv.2111.05803)). The next cell follows $\lVert dx/d\sigma \rVert$, the root of
# the sum of the squared derivatives of all coordinates (no unit), along 20 ps of the fluid, in forward mode. There are four
# conditions: constant energy with velocities drawn for 1 K and for 300 K, velocities that are rescaled to 1 K, and friction
# (the Langevin thermostat of lesson 05 at 1 K, 1/γ = 200 fs).
#
# **Predict.** In which of the four does it grow fastest, in which least?
#
# **Compute.**
#
# - `growth_per_ps(times_ps, sizes)`: a function that returns the rate $\lambda$ (1/ps) if the sizes grow as $e^{\lambda t}$: the
#   slope of the straight line through their natural logarithms, by least squares; (2 points)
# - `rates` (dict, name → float, 1/ps): for each of the four in the dict `sizes`, the rate over the last 15 ps. (2 points)
#
# <details><summary>Hint</summary>
#
# `np.polyfit(x, y, 1)` returns slope and intercept. `late = times_ps > 5` picks the last 15 ps from both arrays.
#
# </details>

# %% tags=["measured"]
conditions = {
    "constant energy, 300 K": ("none", 300.0),
    "constant energy, 1 K": ("none", 1.0),
    "rescaling, 1 K": ("rescaling", 1.0),
    "Langevin, 1 K": ("langevin", 1.0),
}
times_ps = 0.4 * np.arange(1, 51)


def sensitivity(thermostat, temperature_K):
    """Return the size of dx/dσ of all atoms, every 20 steps of 20 fs (no unit)."""
    fluid = Fluid(thermostat=thermostat, temperature_K=temperature_K, steps=1000)
    start = fluid.draw(0)

    def way(sigma_nm):
        return fluid.run(
            sigma_nm, start, record=lambda state, *_: state.positions / 10, record_every=20
        ).records

    change = jax.jit(lambda x: jax.jvp(way, (x,), (1.0,))[1])(0.45)
    return np.sqrt((np.asarray(change) ** 2).sum((1, 2)))


sizes = {name: sensitivity(*condition) for name, condition in conditions.items()}


# %% nbgrader={"grade": false, "grade_id": "ex9-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def growth_per_ps(times_ps, sizes): …
# rates = …
### BEGIN SOLUTION
def growth_per_ps(times_ps, sizes):
    """Return the rate of exponential growth, 1/ps."""
    return float(np.polyfit(times_ps, np.log(sizes), 1)[0])


late = times_ps > 5
rates = {name: growth_per_ps(times_ps[late], one[late]) for name, one in sizes.items()}
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for name, rate in rates.items():
    print(f"{name}: {rate:.2f} 1/ps, a factor of ten every {np.log(10) / rate:.1f} ps")
with style():
    figure, ax = plt.subplots(figsize=(8, 4.8))
for (name, one), color in zip(sizes.items(), (RED, ORANGE, BLUE, GREEN), strict=True):
    ax.semilogy(times_ps, one, color=color, label=name)
ax.set(title="How the end depends on σ", xlabel="length of the simulation, ps", ylabel="‖dx/dσ‖")
ax.legend()
with_alt_text(
    figure,
    "Size of dx/dσ against time, logarithmic. Over the last 15 ps it grows by "
    + ", ".join(f"{rate:.2f} 1/ps ({name})" for name, rate in rates.items())
    + f"; after 20 ps it is {sizes['constant energy, 300 K'][-1]:.0e} at 300 K and "
    f"{sizes['Langevin, 1 K'][-1]:.0f} with friction.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the function, two for the rates of the four runs.
assert callable(growth_per_ps) and len(rates) == 4, "A function, and four rates."
### BEGIN HIDDEN TESTS
import numpy as _np

_t = _np.linspace(1.0, 7.0, 31)
_noise = 0.3 * _np.random.default_rng(11).normal(size=31)
_want = _np.polyfit(_t, 0.7 * _t + _noise, 1)[0]
_exact = abs(float(_np.asarray(growth_per_ps(_t, 3 * _np.exp(0.7 * _t + _noise)))) - _want) < 1e-3
_shrinks = abs(float(_np.asarray(growth_per_ps(_t, 5 * _np.exp(-0.4 * _t)))) + 0.4) < 1e-3
if not (_exact and _shrinks):
    print("growth_per_ps: tried with sizes that grow, with noise, and with sizes that shrink.")
_late = times_ps > 5
_rates = {
    name: _np.polyfit(times_ps[_late], _np.log(_np.asarray(one, float)[_late]), 1)[0]
    for name, one in sizes.items()
}
_good = [abs(float(rates.get(name, _np.nan)) - rate) < 0.03 for name, rate in _rates.items()]
if not all(_good):
    print(
        "rates: expected " + ", ".join(f"{name} {rate:.2f}" for name, rate in _rates.items()) + "."
    )
float(1.0 * _exact + 1.0 * _shrinks + 2.0 * sum(map(bool, _good)) / 4)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Friction tames the gradient. For which quantities may you use this remedy
# without harm, and for which does it change the answer? Name a remedy that could serve for the others.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text9-5", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Averages over the canonical ensemble (structure such as g(r), mean energy, pressure) do not depend on the friction of
# a Langevin thermostat, so that a strong one does no harm, beyond slower sampling. Whatever depends on time (diffusion, spectra,
# relaxation) is changed by friction; there one may go back only over a short window before each observation
# (truncation, biased), take the mean or the sign over many short runs, clip the size, or use estimators that need no
# derivative of the path, such as reweighting.
#
# === BEGIN MARK SCHEME ===
# - 1 point: averages of structure do not depend on friction; diffusion, spectra and other dynamics do.
# - 1 point: a remedy that leaves the dynamics alone: shorter runs or truncation, averages or signs over seeds, clipping, reweighting.
# === END MARK SCHEME ===

# %% tags=["discussion"]
fastest = max(rates, key=rates.get)
Markdown(
    f"**Discussion.** The derivative grows fastest at {fastest}: {rates[fastest]:.2f} 1/ps. Hot atoms collide often, and each collision of "
    "round bodies turns a small difference into a larger one (the rate is the Lyapunov exponent of the fluid). "
    f"At 1 K it is {rates['constant energy, 1 K']:.2f} 1/ps although the bath is cold, because at constant energy the "
    "potential energy of the random start becomes heat. Rescaling takes that heat away "
    f"({rates['rescaling, 1 K']:.2f} 1/ps); friction also forgets velocities and with them differences "
    f"({rates['Langevin, 1 K']:.2f} 1/ps). A derivative of "
    f"{sizes['constant energy, 300 K'][-1]:.0e} is right, but useless: it describes the loss over a range of σ of the inverse "
    "of that number, far less than any step of a descent."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# On a logarithmic axis the curves are nearly straight once the first picoseconds are over: exponential growth, steepest in the hot
# fluid. Rescaling helps because it cools. Friction helps most: its curve is almost flat.
#
# </details>

# %% [markdown]
# ## Exercise 9.6: only the last steps (3 points)
#
# *Why:* a gradient that goes back through a few steps only cannot explode. What does it miss?
#
# `simulate(…, window=w)` goes back through the last `w` steps before the end and treats the state before them as
# given. The next cell computes the derivative of the mean distance to the nearest neighbor with respect to σ
# for eight starts of the cool fluid, with windows of 2 to 200 steps; 200 are all.
#
# **Predict.** Will the derivative grow towards its whole value as the window becomes longer, or go beyond it? Which window
# will give it to within 50 %?
#
# **Compute** from `window_slopes` (window → eight derivatives)
#
# - `bias` (dict, window → float, no unit): the mean of the derivative over the starts, divided by the mean of the whole derivative
#   (window 200), less 1; (2 points)
# - `long_enough` (int, steps): the shortest of these windows whose bias lies between −0.5 and 0.5. (1 point)
#
# <details><summary>Hint</summary>
#
# First the mean over the eight starts, then the ratio of the means: single starts may have a derivative close to 0.
#
# </details>

# %% tags=["measured"]
eight = stack([cool.draw(seed) for seed in range(8)])


def slopes_through(window):
    """Return the derivatives of eight starts, through the last `window` of 200 steps."""

    def value(sigma_nm, start):
        return cool.loss(sigma_nm, start, checkpoint_every=1, window=window)[1]

    return np.asarray(jax.jit(jax.vmap(jax.grad(value), (None, 0)))(0.45, eight))


window_slopes = {window: slopes_through(window) for window in (2, 10, 30, 80, 200)}

# %% nbgrader={"grade": false, "grade_id": "ex9-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# bias = …
# long_enough = …
### BEGIN SOLUTION
whole = window_slopes[200].mean()
bias = {window: float(rows.mean() / whole - 1) for window, rows in window_slopes.items()}
long_enough = min(window for window, one in bias.items() if abs(one) < 0.5)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print("bias: " + ", ".join(f"{one:+.0%} ({window} steps)" for window, one in bias.items()))
with style():
    figure, ax = plt.subplots(figsize=(8, 4.6))
ax.axhline(0, color=BLACK, lw=1)
for start in range(8):
    single = [rows[start] / window_slopes[200][start] - 1 for rows in window_slopes.values()]
    ax.plot(list(window_slopes), 100 * np.array(single), color=BLUE, alpha=0.3, lw=1)
percent = 100 * np.array(list(bias.values()))
ax.plot(list(bias), percent, color=BLUE, marker="o", label="mean of eight")
ax.axvline(long_enough, color=RED, lw=1.5, ls=":", label="long enough")
ax.set(
    title="Bias of a truncated gradient",
    xlabel="window, steps",
    ylabel="bias, %",
    xscale="log",
)
ax.legend()
with_alt_text(
    figure,
    "Bias of the derivative against the window, for eight starts (thin) and their mean: "
    + ", ".join(f"{one:+.0%} with {window} steps" for window, one in bias.items())
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test9-6", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the bias of the windows, one for the shortest that will do.
assert len(bias) == 5, "One bias for each of the five windows."
### BEGIN HIDDEN TESTS
import numpy as _np

_whole = float(_np.mean(window_slopes[200]))
_expected = {_w: float(_np.mean(_rows)) / _whole - 1 for _w, _rows in window_slopes.items()}
_good = [abs(float(bias.get(_w, _np.nan)) - _one) < 0.006 for _w, _one in _expected.items()]
_shortest = min(_w for _w, _one in _expected.items() if abs(_one) < 0.5)
_window = int(long_enough) == _shortest
if not all(_good):
    _list = ", ".join(f"{_w}: {_one:.3f}" for _w, _one in _expected.items())
    print(f"bias: expected {_list}.")
if not _window:
    print(f"long_enough: expected {_shortest} steps.")
2.0 * sum(map(bool, _good)) / 5 + float(_window)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The bias is {bias[2]:+.0%} with 2 steps, {bias[10]:+.0%} with 10, {bias[30]:+.0%} with 30 and "
    f"{bias[80]:+.0%} with 80. A window of a few steps sees only the very first push of a larger σ, before the atoms have moved. "
    "With 30 and 80 steps the derivative is too large: the first 120 steps, in which the atoms come together from their "
    "random places, contribute with the opposite sign. So the bias has either sign, and does not fall steadily. "
    f"For a descent, which needs the sign above all, {long_enough} steps would do here; a slope that is to be quoted needs all. "
    "Other quantities, such as diffusion or a slow torsion, would need far longer windows. If you use a window, report its bias, "
    "as you did, or compare with finite differences where the whole derivative has exploded (`truncation_bias` does both)."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Very short windows see almost nothing of the derivative. Then it grows beyond its whole value, and comes back to it only
# when the first steps of the run are included. The sign is right long before the size is.
#
# </details>

# %% [markdown]
# ## Exercise 9.7: the diameter of a fluid (4 points)
#
# *Why:* in real use one knows a property of the whole fluid, and there is no formula for σ.
#
# After 500 steps, cooled to 1 K, nearest neighbors should be 0.5 nm apart on average. The Lennard-Jones energy of a pair has its
# minimum at this distance if σ = 0.5 nm / 2^(1/6) = 0.445 nm; in the fluid the best σ may differ a little.
#
# **Predict.** In each step of the descent the atoms start from other random places. Will σ settle or jitter? With a rate of 0.01
# and slopes near 1, by about how much?
#
# **Compute.**
#
# - `nearest_nm(positions_A, length_A)`: a function that returns the mean over atoms of the distance to the nearest other atom (nearest
#   periodic image in a cube of side `length_A`), in **nm**, with operations of `jax.numpy`; (2 points)
# - `loss(parameters, start)`: a function that takes σ from `parameters["sigma"]` (nm) and simulates from `start` with
#   `fluid.run(sigma, start, checkpoint_every=1)`. It returns two things: the loss, | nearest_nm − 0.5 | at the end (nm), and a dict
#   with what the table is to hold, `{"sigma": …, "nearest": …}`;
# - `descent_table` (DataFrame): `descend(loss, {"sigma": 0.6 / 2 ** (1 / 6)}, optax.sgd(0.01), starts, steps=500).table`, one
#   step for each of 15 random starts, with `optax.sgd(0.01)` as the rule for a step: rate 0.01. (2 points)
#
# <details><summary>Hint 1</summary>
#
# `positions[:, None] - positions[None]` are the vectors between all atoms, and `d - length * jnp.round(d / length)` goes to
# the nearest image. The simulation returns `.state.positions`, in Å.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The square root has no finite derivative at 0, and the distance of an atom to itself is 0. Add a large number to the diagonal of the
# squared distances *before* the root: then no atom is its own nearest neighbor either.
#
# </details>

# %%
fluid = Fluid()  # 50 atoms in a cube of 3 nm
starts = [fluid.draw(seed) for seed in range(15)]


# %% nbgrader={"grade": false, "grade_id": "ex9-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def nearest_nm(positions_A, length_A): …
# def loss(parameters, start): …
# descent_table = …
### BEGIN SOLUTION
def nearest_nm(positions_A, length_A):
    """Return the mean distance to the nearest neighbor, nm."""
    positions_A = jnp.asarray(positions_A)
    away = positions_A[:, None] - positions_A[None]
    away = away - length_A * jnp.round(away / length_A)
    squares = (away**2).sum(-1) + 1e6 * jnp.eye(len(positions_A))
    return jnp.sqrt(squares.min(1)).mean() / 10


def loss(parameters, start):
    """Return | mean distance − 0.5 nm |, and what goes into the table."""
    sigma = parameters["sigma"]
    end = fluid.run(sigma, start, checkpoint_every=1).state.positions
    nearest = nearest_nm(end, 30.0)
    return jnp.abs(nearest - 0.5), {"sigma": sigma, "nearest": nearest}


descent_table = descend(
    loss, {"sigma": 0.6 / 2 ** (1 / 6)}, optax.sgd(0.01), starts, steps=500
).table
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-7-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
grid_A = np.arange(0.5, 15.0, 0.25)
before, after = (
    np.mean(
        [
            radial_distribution(
                fluid.run(sigma, start).state.positions, fluid.cell, grid_A, width_A=0.3
            )
            for start in starts[:4]
        ],
        axis=0,
    )
    for sigma in descent_table["sigma"].iloc[[0, -1]]
)
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
left.axhline(0.5 / 2 ** (1 / 6), color=RED, lw=1.5, ls=":", label="minimum at 0.5 nm")
left.plot(
    descent_table["epoch"], descent_table["sigma"], color=BLUE, marker="o", ms=4, label="descent"
)
left.set(title="Diameter", xlabel="step", ylabel="σ, nm")
left.legend()
right.plot(grid_A / 10, before, color=ORANGE, label="before")
right.plot(grid_A / 10, after, color=BLUE, label="after")
right.set(title="Radial distribution, four runs", xlabel="r, nm", ylabel="g(r)")
right.legend()
print(
    descent_table[["sigma", "nearest", "loss", "gradient.sigma"]]
    .iloc[[0, -1]]
    .round(3)
    .to_string(index=False)
)
with_alt_text(
    figure,
    f"Left: σ falls from {descent_table['sigma'].iloc[0]:.3f} to {descent_table['sigma'].iloc[-1]:.3f} nm in 15 steps. "
    f"Right: the first peak of g(r) moves from {grid_A[int(np.argmax(before))] / 10:.2f} to "
    f"{grid_A[int(np.argmax(after))] / 10:.2f} nm.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-7", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the distance, two for a descent that follows its gradients and arrives.
assert callable(nearest_nm) and len(descent_table) == 15, "A function, and 15 steps."
### BEGIN HIDDEN TESTS
import numpy as _np

_x = _np.random.default_rng(2).uniform(-3, 12, (7, 3))
_away = _x[:, None] - _x[None]
_away -= 9.0 * _np.round(_away / 9.0)
_r = _np.sqrt((_away**2).sum(-1)) + 99 * _np.eye(7)
_found = float(_np.asarray(nearest_nm(_x, 9.0)))
_distance = abs(_found - _r.min(1).mean() / 10) < 1e-4
if not _distance:
    print(
        f"nearest_nm: expected {_r.min(1).mean() / 10:.4f} nm for seven atoms, found {_found:.4f}."
    )
_sigma = descent_table["sigma"].to_numpy(float)
_slope = descent_table["gradient.sigma"].to_numpy(float)
_follows = abs(_sigma[0] - 0.6 / 2 ** (1 / 6)) < 1e-6
_follows = _follows and _np.allclose(_sigma[1:], _sigma[:-1] - 0.01 * _slope[:-1], atol=1e-6)
_arrives = abs(_sigma[-1] - 0.445) < 0.03 and _np.abs(_slope).min() > 1e-3
if not (_follows and _arrives):
    print(
        f"descent_table: steps follow the gradients {_follows}; arrives {bool(_arrives)} ({_sigma[-1]:.3f} nm)."
    )
float(2.0 * _distance + 1.0 * _follows + 1.0 * (_follows and _arrives))
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** σ went from {descent_table['sigma'].iloc[0]:.3f} to {descent_table['sigma'].iloc[-1]:.3f} nm; "
    "a pair alone would ask for 0.445. Ten other sets of starts end between 0.433 and 0.465: every "
    "step starts from other random places and follows the gradient of that one run, so σ jitters around its "
    f"goal, by about rate times gradient, 0.01 · {descent_table['gradient.sigma'].abs().median():.1f} nm. "
    "Differences of the loss are a bad referee here unless h is tiny (1e-7 nm): the potential of this fluid is cut off "
    "without smoothing, and with a larger h some atom crosses the cutoff, where the energy jumps. The gradient does not contain such "
    "jumps at all, which is a bias of its own; smooth cutoffs avoid it."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# σ falls within a few steps to the neighborhood of 0.445 nm and jitters there, because each step follows the gradient of
# another random start. The first peak of g(r) moves to shorter distances. The mean over many starts in each step would
# jitter less (`fit_sigma(starts_per_epoch=…)`).
#
# </details>

# %% [markdown]
# ## Exercise 9.8: a network in the force (optional)
#
# *Why:* nothing changes if the force field is a neural network: the cost of reverse mode does not depend on the number of
# parameters.
#
# Three atoms start as a narrow triangle. A network with 16 weights takes the distance of two of them and returns the force
# between these two.
#
# **Predict.** The network acts on one side only. Can the *mean* side become 1 nm? Can all three?
#
# **Compute.** Train it with `fit_triangle(seed=…, epochs=…, rate=…)` (an *epoch* is one step of the descent here) until the mean
# side after 400 steps is within 0.03 nm of 1 nm. Keep the result as `trained`, and the sides at the end (three numbers, nm;
# `triangle_sides_nm`) as `sides_nm`. The network is `trained.parameters`; `triangle_run(network)` simulates with it, and its
# `.state.positions` are the end. (If you skip it, delete the line with `raise`.)
#
# <details><summary>Hint</summary>
#
# The default settings come close. A rate that falls, `rate=optax.cosine_decay_schedule(0.02, epochs)`, and more epochs come closer.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex9-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# trained = …
# sides_nm = …
### BEGIN SOLUTION
trained = fit_triangle(seed=0, epochs=40, rate=optax.cosine_decay_schedule(0.02, 40))
end_of_run = triangle_run(trained.parameters)
sides_nm = np.asarray(triangle_sides_nm(end_of_run.state.positions))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex9-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
frames = np.asarray(triangle_run(trained.parameters).records.positions) / 10
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4))
left.plot(trained.table["epoch"], trained.table["side_nm"], color=BLUE, marker="o", ms=3)
left.axhline(1, color=RED, lw=1.5, ls=":")
left.set(title="Training", xlabel="epoch", ylabel="mean side, nm")
for moment, color, label in ((frames[0], ORANGE, "start"), (frames[-1], BLUE, "end")):
    closed = moment[[0, 1, 2, 0]]
    right.plot(closed[:, 0], closed[:, 1], color=color, marker="o", label=label)
right.set(title="The trained triangle", xlabel="x, nm", ylabel="y, nm", aspect="equal")
right.legend()
print("sides:", np.round(sides_nm, 3), "nm")
with_alt_text(
    figure,
    f"Left: the mean side approaches 1 nm within {len(trained.table)} epochs. Right: the triangle at the start of "
    f"the run, narrow, and at its end, with sides of {', '.join(f'{one:.2f}' for one in sides_nm)} nm.",
)

# %% nbgrader={"grade": true, "grade_id": "test9-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: a network in the force makes a triangle with a mean side of 1 nm.
assert len(sides_nm) == 3, "Three sides."
### BEGIN HIDDEN TESTS
import numpy as _np

_mean = float(_np.mean(_np.asarray(sides_nm, float)))
assert abs(_mean - 1) < 0.03, (
    f"Expected a mean side of 1 nm, found {_mean:.3f}: more epochs, another rate."
)
_last = float(_np.asarray(trained.table["side_nm"], float)[-1])
assert abs(_mean - _last) < 0.05, (
    f"sides_nm: of a run with trained.parameters ({_last:.3f} nm in training)."
)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The mean side is {np.mean(sides_nm):.3f} nm, the sides are "
    f"{', '.join(f'{one:.3f}' for one in sides_nm)} nm: the loss asks for their mean only, and the atoms are still moving. "
    "Ten seeds of the published setting end between 0.952 and 1.050. The force is that of two atoms, and the third one keeps its place: "
    "a network can do only what the force field around it allows."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The mean side approaches 1 nm, first quickly, then in small steps. The network learns when to pull and when to push; the third
# atom stays where it is, because nothing acts on it.
#
# </details>

# %% [markdown]
# ## Three larger studies
#
# The same method on molecules (**stored results**, made by `benchmarks/through_simulations`). Of a short peptide in implicit
# solvent, two torsion parameters are recovered from the distribution of the end-to-end distance, which a simulation with the
# true parameters had given before. A model of flexible water, SPC/Fw (three charges, springs, Lennard-Jones), is fitted
# to the structure of a GAP, that is to g(r) of all pairs of elements. And the 400 weights of a GAP are refined: it was trained on
# PBE-D3, which gives water too much structure, and its g(OO) shall become that of experiment. Gradients go back over 0.6, 0.05
# and 0.03 ps before each record.
#
# **Predict.** The first fit sees the distribution only. Can two different pairs of parameters have nearly the same one? How
# would you find out how well the distribution tells them apart? What would you look at in water, besides what was fitted? And
# what becomes of the forces of a GAP, which agreed with PBE-D3, if its structure has to agree with experiment?

# %%
panels = {
    "peptide": ("End-to-end distance of a peptide", "distance, Å", "density, 1/Å"),
    "water": ("g(OO) of flexible water", "r, Å", "g(OO)"),
    "gap": ("g(OO) of a GAP", "r, Å", "g(OO)"),
}
looks = {"target": (BLACK, "-"), "before": (ORANGE, "--"), "after": (BLUE, "-")}
studies = list(dict.fromkeys(STUDIES["study"]))
with style():
    figure, axes = plt.subplots(1, len(studies), figsize=(5 * len(studies), 4.4), squeeze=False)
for ax, study in zip(axes[0], studies, strict=True):
    title, xlabel, ylabel = panels[study]
    for curve, rows in STUDIES[STUDIES["study"] == study].groupby("curve", sort=False):
        color, dashes = looks[curve]
        ax.plot(rows["x"], rows["y"], color=color, ls=dashes, label=curve)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    ax.legend()
with_alt_text(
    figure,
    f"Target (black), before (dashed) and after the fit: {', '.join(panels[one][0] for one in studies)}. In each, "
    "the curve after the fit is closer to the target than the one before.",
)

# %%
STUDY_NUMBERS.set_index(["study", "quantity"]).style.format(precision=3, na_rep="")

# %% tags=["discussion"]
study = STUDY_NUMBERS[STUDY_NUMBERS["study"] == "peptide"].set_index("quantity")
found = ", ".join(
    f"{row['after']:.1f} kJ/mol for {symbol} ({row['target']:.0f} had been put in; ± {row['after_error']:.1f})"
    for symbol, row in zip("φψ", study.filter(like="k of", axis=0).to_dict("records"), strict=True)
)
misfit = study.loc["error of the distribution, 1/Å"]
water = STUDY_NUMBERS[STUDY_NUMBERS["study"] == "water"].set_index("quantity")
diffusion = water.loc["diffusion, 1e-9 m²/s"]
gap = STUDY_NUMBERS[STUDY_NUMBERS["study"] == "gap"].set_index("quantity")
highest, lowest = gap.loc["first maximum of g(OO)"], gap.loc["first minimum of g(OO)"]
pbe, revpbe = (gap.loc[f"error of forces, {name}, meV/Å"] for name in ("PBE-D3", "revPBE-D3"))
Markdown(
    f"**Discussion.** The fit finds {found}. The distribution, {misfit['before']:.2f} 1/Å away from its target before, is "
    f"{misfit['after']:.3f} away afterwards, in a run with other random numbers. What stands after ± is how well a "
    "sample of this length can tell the parameters at all. The derivative of a distribution with respect to "
    "a parameter is known without any derivative of a path: it is the covariance of the distribution with the energy "
    "that belongs to the parameter, divided by −$k_B T$. If two parameters change the distribution in the same way, noise is "
    "enough to exchange one for the other. So it was in a first attempt, with four residues and the same cosine for both torsions: the "
    "parameters wandered while the curve changed by no more than its noise. Before you fit, look at whether what you measured depends on what you want to know.\n\n"
    f"*Water.* The error of g(OO) falls from {water.loc['error of g(OO)', 'before']:.2f} to {water.loc['error of g(OO)', 'after']:.2f}, that of "
    f"g(OH) from {water.loc['error of g(OH)', 'before']:.2f} to {water.loc['error of g(OH)', 'after']:.2f}. The bonds become "
    f"{water.loc['bond_length_A', 'after']:.2f} Å long, and the strong first peak of g(OO) becomes as low as the GAP's. What was not "
    f"fitted tells the rest. The bend vibrates at {water.loc['bend, 1/cm', 'after']:.0f}/cm (GAP: {water.loc['bend, 1/cm', 'target']:.0f}), for springs "
    "were not among the parameters; the stretch stays one narrow peak where the GAP has a broad band, for these springs know "
    f"nothing of hydrogen bonds. And diffusion went from {diffusion['before']:.1f} ± {diffusion['before_error']:.1f} past the GAP's "
    f"{diffusion['target']:.1f} ± {diffusion['target_error']:.1f} to {diffusion['after']:.1f} ± {diffusion['after_error']:.1f} · 10⁻⁹ m²/s: nearly the same "
    "structure, another motion. In a first attempt the errors ended at 0.17 and 0.11. The liquid needs time to follow a "
    "change of its parameters, and the gradient asked for more while it had not yet followed; now each epoch lets it run "
    "for 0.3 ps before it is measured.\n\n"
    f"*A GAP.* The first maximum of g(OO) goes from {highest['before']:.2f} ± {highest['before_error']:.2f} to "
    f"{highest['after']:.2f} ± {highest['after_error']:.2f} (experiment: {highest['target']:.2f}), the minimum behind it from "
    f"{lowest['before']:.2f} ± {lowest['before_error']:.2f} to {lowest['after']:.2f} ± {lowest['after_error']:.2f} ({lowest['target']:.2f}); "
    "the distances of experiment were smeared as those of the simulations are. This has a price: the error of forces on PBE-D3 frames that were "
    f"in no fit grows from {pbe['before']:.1f} to {pbe['after']:.1f} meV/Å, and on those of revPBE-D3, whose water is closer to experiment, it goes from "
    f"{revpbe['before']:.1f} to {revpbe['after']:.1f}. One curve cannot tell 400 weights, so the rest has to be told by something else: "
    "each step is the gradient times the covariance that the fit had left to the weights, and those that forces determine well hardly "
    "move. In a first attempt, which followed the gradient alone and started within the noise of its target, forces became worse by ten "
    "meV/Å, and g(OO) no better."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Each blue curve is much closer to the black one than the dashed one is; that of the peptide lies on it.
# Where the table has an error, compare the distance from the target with it: a fit cannot know its parameters better than
# the sampled distribution tells them.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A simulation can be differentiated: forward for one parameter, in reverse for many.
# - Central differences check a gradient; look at several widths.
# - Trust the sign of a gradient more than its size; average over starts, and let rates decay.
# - Chaos makes derivatives grow exponentially with the length of a run; in cold, damped or short runs they stay small.
# - A window keeps derivatives small and biases them, up or down; the bias can be measured, and has to be reported.
#
# To go on: simulations that are run backwards exactly, so that memory does not grow
# ([Greener, 2025](https://doi.org/10.1073/pnas.2426058122)), and estimators that need no derivative of the path
# ([Thaler & Zavadlav, 2021](https://doi.org/10.1038/s41467-021-27241-4)).
#
# ## Quiz
#
# 1. A potential has 10,000 weights and one loss. Which mode, and how many sweeps?
#
#    <details><summary>Answer</summary>
#
#    Reverse mode, one sweep; forward mode would take 10,000.
#
#    </details>
#
# 2. A derivative grows tenfold every 2 ps. You want to fit to something that happens after 100 ps. What now?
#
#    <details><summary>Answer</summary>
#
#    Not through the path: the derivative would be of the order of 10⁵⁰. Truncate, damp, or use averages over the
#    ensemble with reweighting.
#
#    </details>
#
# 3. Automatic differentiation and a central difference disagree. Which is wrong?
#
#    <details><summary>Answer</summary>
#
#    Either. Change h: if the difference itself depends on h, it is not reliable (rounding, jumps, chaos). If it does
#    not, look for something that is not differentiated: a value that was converted to a plain number, a list, a
#    `stop_gradient`.
#
#    </details>
#
# 4. Why does memory grow with the length of a run in reverse mode, and not in forward mode?
#
#    <details><summary>Answer</summary>
#
#    Going back needs the states of the way there in reverse order. Forward, each is used at once. Checkpoints trade memory for
#    time; a simulation that can be run backwards exactly needs neither.
#
#    </details>
