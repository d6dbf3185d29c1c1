# %% [markdown]
# # 12 · Coarse-graining with neural ODEs
#
# **You will learn**
#
# - to describe many atoms by one rigid body: a place, a quaternion, a momentum, a spin;
# - that equations of motion with a network inside can be trained by motion alone, without a single energy or force;
# - what such a network must see, and what it must not see;
# - to judge a coarse-grained model: pair by pair, along held-out motion, and in a crowd.
#
# **Time:** 100 minutes, of which the computer needs about two.
#
# **Before you start:** lesson 09 (gradients through simulations). Vectors and the cross product.

# %%
import os
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pandas as pd
from IPython.display import Image, Markdown

from helpers.coarse_grained import (
    BeadSum,
    DatasetSettings,
    animate_bodies,
    compare_with_beads,
    diffusion,
    fill_box,
    hexagon,
    load_dataset,
    load_pair,
    make_dataset,
    plot_beads,
    plot_committee,
    plot_energies,
    plot_learning,
    plot_outlines,
    plot_structures,
    plot_window_errors,
    run_box,
    structure,
    window_errors,
)
from helpers.frames import data_folder
from helpers.plots import BLACK, BLUE, ORANGE, style, with_alt_text

warnings.filterwarnings("ignore")
jax.config.update("jax_enable_x64", True)  # numbers of 64 bits: about 16 digits

# %% [markdown]
# ## A picture first: fourteen beads, or two bodies
#
# Two hexagons of seven beads each. Their beads repel each other when they come closer than 1.12 σ; within a hexagon they are
# fixed to each other. (Lennard-Jones units: σ is the diameter of a bead, ε the strength of its repulsion, τ the unit of time,
# the mass of a bead is 1.) Before you run the cell: how many numbers are needed to say where all beads are, and how many to say
# where two rigid bodies are?

# %%
body = hexagon()
tilted = np.array(
    [[-1.4, 0, 0, 1, 0, 0, 0], [1.4, 0.3, 0, np.cos(0.5), 0, np.sin(0.5), 0]]
)  # x y z of the center, then a quaternion w x y z
with style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
plot_beads(tilted, body, left)
plot_outlines(tilted, body, right)
for ax, title in ((left, "Fourteen beads"), (right, "Two bodies, each with its axis")):
    ax.set(title=title, xlim=(-3.2, 3.2), ylim=(-1.7, 1.9))
with_alt_text(
    figure,
    "Left: two hexagons of seven round beads; the right one is tilted towards the eye and looks narrower. Right: the same as two "
    "flat shapes; a line to a dot shows the axis across each: it points at the eye for the left one and sideways for the right one.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# 42 coordinates of 14 beads, but only 6 for each rigid body: three for its center, three for how it is turned. Whatever the beads
# do to each other is a function of these twelve numbers.
#
# </details>
#
# ## Theory in one paragraph
#
# The orientation of a body is a *unit quaternion* $q = (w, x, y, z)$: a turn by the angle $\alpha$ about the unit vector
# $\mathbf n$ is $q = (\cos\frac\alpha2, \mathbf n \sin\frac\alpha2)$. With the momentum $\mathbf p$, the angular momentum
# $\mathbf L$ and the moments of inertia $I_k$ in the frame of the body, the energy of two bodies and their equations of motion are
#
# $$H = \sum_{i=1}^{2} \left( \frac{\mathbf p_i^2}{2 M} + \sum_{k=1}^{3} \frac{L_{ik}^2}{2 I_k} \right) + U_\theta(\mathbf r, q_1, q_2),
# \qquad \dot{\mathbf p} = \mathbf F, \quad \dot{\mathbf L} = \boldsymbol\tau - \boldsymbol\omega \times \mathbf L, \quad
# \dot q = \tfrac12\, q \otimes (0, \boldsymbol\omega)$$
#
# Force and torque are derivatives of $U_\theta$, a neural network with weights $\theta$ here. A differential equation with a
# network inside is a *neural ODE* ([Chen et al., 2018](https://doi.org/10.48550/arXiv.1806.07366)): solve it from a known start, compare with what was
# observed, and send the gradient of the difference back through all steps to $\theta$. That is trajectory matching. The step is that of
# [Miller et al., 2002](https://doi.org/10.1063/1.1473654), which keeps $|q| = 1$ and can be run backwards.

# %% [markdown]
# ## Exercise 12.1: turns (4 points)
#
# *Why:* angles of Euler have places where they fail; a quaternion has none, and its product is the product of turns.
#
# The product of two quaternions is
# $(a_0, \mathbf a) \otimes (b_0, \mathbf b) = (a_0 b_0 - \mathbf a \cdot \mathbf b,\; a_0 \mathbf b + b_0 \mathbf a + \mathbf a \times \mathbf b)$: first the turn
# $b$, then the turn $a$. A vector $\mathbf v$ is turned by $q \otimes (0, \mathbf v) \otimes q^*$, where $q^* = (w, -x, -y, -z)$.
#
# **Predict.** Does it matter which of two turns comes first? Which turn is $-q$?
#
# **Compute,** for arrays of four and of three numbers,
#
# - `product(a, b)`: four numbers; (2 points)
# - `turn(q, vector)`: the vector after the turn, three numbers; (1 point)
# - `angle_deg(a, b)`: by how many degrees (0 to 180) an orientation $b$ is turned against $a$. (1 point)
#
# <details><summary>Hint 1</summary>
#
# `np.cross(a[1:], b[1:])` and `a[1:] @ b[1:]` are the two products of vectors; `np.concatenate([[w], vector])` puts four numbers together.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The turn from $a$ to $b$ is $a^* \otimes b$. Its first number is $\cos(\alpha/2)$, and it equals the scalar product of $a$ and $b$ as vectors of four
# numbers. $q$ and $-q$ are the same orientation, so only its absolute value counts.
#
# </details>


# %% nbgrader={"grade": false, "grade_id": "ex12-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def product(a, b): …
# def turn(q, vector): …
# def angle_deg(a, b): …
### BEGIN SOLUTION
def product(a, b):
    """Return the product of two quaternions."""
    a, b = np.asarray(a), np.asarray(b)
    scalar = a[0] * b[0] - a[1:] @ b[1:]
    return np.concatenate([[scalar], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])])


def turn(q, vector):
    """Return the vector after the turn."""
    conjugate = np.asarray(q) * [1, -1, -1, -1]
    return product(product(q, np.concatenate([[0.0], vector])), conjugate)[1:]


def angle_deg(a, b):
    """Return the angle between two orientations in degrees."""
    cosine = abs(np.asarray(a) @ np.asarray(b))
    return float(np.degrees(2 * np.arccos(min(cosine, 1.0))))


### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
about_x = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0, 0])  # 90° about x
about_z = np.array([np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)])  # 90° about z
orders = {
    "first z, then x": product(about_x, about_z),
    "first x, then z": product(about_z, about_x),
}
with style():
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True)
lying = np.array([np.cos(0.3), np.sin(0.3), 0, 0])
for ax, (name, q) in zip(axes, {"start": np.array([1.0, 0, 0, 0]), **orders}.items(), strict=True):
    pose = np.concatenate([np.zeros(3), product(q, lying)])[None]
    plot_beads(pose, body, ax)
    ax.set(title=name, xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
apart_deg = angle_deg(*orders.values())
print(f"the two orders differ by {apart_deg:.1f}°; q and −q by {angle_deg(about_x, -about_x):.1f}°")
with_alt_text(
    figure,
    f"A tilted hexagon at the start, and after two turns by 90° in either order: the two ends look different, they are {apart_deg:.0f}° apart.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Two points for the product, one for turned vectors, one for the angle.
assert callable(product) and callable(turn) and callable(angle_deg), "Three functions."
### BEGIN HIDDEN TESTS
import numpy as _np
from scipy.spatial.transform import Rotation as _Rotation

_rng = _np.random.default_rng(5)
_a, _b = _rng.normal(size=(2, 4))
_a, _b = _a / _np.linalg.norm(_a), _b / _np.linalg.norm(_b)
_ra, _rb = (_Rotation.from_quat(_q[[1, 2, 3, 0]]) for _q in (_a, _b))
_v = _np.array([0.3, -1.2, 0.7])


def _of(function, *values):
    return _np.asarray(function(*values), float)


_found = _of(product, _a, _b)
_want = (_ra * _rb).as_quat()[[3, 0, 1, 2]]
_want = _want * _np.sign(_want @ _found)
_products = _found.shape == (4,) and _np.allclose(_found, _want, atol=1e-9)
_other = (_rb * _ra).as_quat()[[3, 0, 1, 2]]
if not _products:
    _turned_round = _found.shape == (4,) and _np.allclose(_np.abs(_found), _np.abs(_other))
    print(
        "product(a, b):", "the order is exchanged." if _turned_round else "not that of two turns."
    )
_vectors = _np.allclose(_of(turn, _a, _v), _ra.apply(_v), atol=1e-9)
if not _vectors:
    print("turn(q, vector): not the vector after the turn.")
_deg = _np.degrees((_ra.inv() * _rb).magnitude())
_angles = (
    abs(float(angle_deg(_a, _b)) - _deg) < 1e-4 and abs(float(angle_deg(_a, -_b)) - _deg) < 1e-4
)
_angles = _angles and abs(float(angle_deg(_a, _a))) < 1e-2
if not _angles:
    print(f"angle_deg: expected {_deg:.3f}° for two orientations, whatever their signs.")
float(2.0 * _products + _vectors + _angles)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** Turns do not commute: two quarter turns in either order end {apart_deg:.0f}° apart. The signs of a quaternion "
    "cancel in $q \\otimes v \\otimes q^*$, so $-q$ is the same orientation as $q$; a loss that compares quaternions number by number must be fed with "
    "series whose sign does not jump, and a network that sees $q$ itself would have to learn that both are one. Four numbers with one condition "
    "replace nine of a matrix with six conditions: that is why rounding is easy to repair (divide by the length), and here not even "
    "needed, since the step turns by exact turns."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The two orders of turns lead to two different ends. The angle between $q$ and $-q$ is zero: two quaternions for each orientation.
#
# </details>

# %% [markdown]
# ## Exercise 12.2: from beads to a body (3 points)
#
# *Why:* the model is trained on motions of bodies, and these are made from motions of beads, by no more than two sums.
#
# The next cell draws a hexagon that flies and spins: positions and velocities of its seven beads, each of mass 1.
#
# **Predict.** The hexagon's moments of inertia are 3, 3 and 6. If it has the same energy of turning about each of its axes, about which does
# it turn fastest?
#
# **Compute.**
#
# - `motion(positions, velocities)`: for arrays of shape (n, 3) of n beads of mass 1, a dict with `"center"` (3 numbers), `"momentum"` (3) and
#   `"spin"` (3), the angular momentum about the center, $\sum_b (\mathbf r_b - \mathbf R) \times (\mathbf v_b - \mathbf V)$; (2 points)
# - `omega` (3 numbers): the angular velocity of the hexagon below, in space: $\boldsymbol\omega$ is the spin divided by the tensor of inertia
#   $\sum_b (d_b^2 \mathbf 1 - \mathbf d_b \mathbf d_b^{\mathsf T})$, $\mathbf d_b = \mathbf r_b - \mathbf R$. (1 point)
#
# <details><summary>Hint</summary>
#
# `np.linalg.solve(tensor, spin)`. The tensor of a whole array `d`: `(d**2).sum() * np.eye(3) - d.T @ d`.
#
# </details>

# %%
turned = np.array([0.5, -0.1, 0.7, 0.5])  # of length 1
beads = np.asarray(body.place(np.concatenate([[0.5, -0.2, 1.0], turned])[None])[0])
flight, rate = np.array([0.4, 0.1, -0.3]), np.array([-0.62, 1.07, 0.74])
speeds = flight + np.cross(rate, beads - beads.mean(0))
print(np.round(np.concatenate([beads, speeds], 1), 3))


# %% nbgrader={"grade": false, "grade_id": "ex12-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def motion(positions, velocities): …
# omega = …
### BEGIN SOLUTION
def motion(positions, velocities):
    """Return center, momentum and spin of beads of mass 1."""
    center, mean = positions.mean(0), velocities.mean(0)
    spin = np.cross(positions - center, velocities - mean).sum(0)
    return {"center": center, "momentum": velocities.sum(0), "spin": spin}


arms = beads - beads.mean(0)
tensor = (arms**2).sum() * np.eye(3) - arms.T @ arms
omega = np.linalg.solve(tensor, motion(beads, speeds)["spin"])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
whole = motion(beads, speeds)
by_beads = 0.5 * (speeds**2).sum()
by_body = 0.5 * (whole["momentum"] ** 2).sum() / 7 + 0.5 * whole["spin"] @ omega
print(f"kinetic energy of seven beads {by_beads:.6f} ε, of the body {by_body:.6f} ε")
with style():
    figure, ax = plt.subplots(figsize=(6.4, 4.2))
left_over = speeds - speeds.mean(0) - np.cross(omega, beads - beads.mean(0))
for shift, (values, color, label) in enumerate(
    (
        (speeds, ORANGE, "of the beads"),
        (left_over, BLUE, "left, without flight and turn"),
    )
):
    lengths = np.linalg.norm(values, axis=1)
    ax.bar(np.arange(7) + 0.4 * shift, lengths, 0.4, color=color, label=label)
ax.set(title="Speeds", xlabel="bead", ylabel="speed, σ/τ")
ax.legend()
with_alt_text(
    figure,
    f"Bars: the speeds of the seven beads, between {np.linalg.norm(speeds, axis=1).min():.2f} and "
    f"{np.linalg.norm(speeds, axis=1).max():.2f} σ/τ. After flight and turn are taken away, at most {np.abs(left_over).max():.0e} is left.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for center, momentum and spin of other beads, one for the angular velocity.
assert callable(motion) and len(omega) == 3, "A function, and three numbers."
### BEGIN HIDDEN TESTS
import numpy as _np

_x, _u = _np.random.default_rng(8).normal(size=(2, 5, 3))
_own = motion(_x, _u)
_l = _np.cross(_x, _u).sum(0) - _np.cross(_x.mean(0), _u.sum(0))
_wanted = {"center": _x.mean(0), "momentum": _u.sum(0), "spin": _l}
_good = {
    _name: _np.allclose(_np.asarray(_own[_name], float), _one, atol=1e-9)
    for _name, _one in _wanted.items()
}
if not all(_good.values()):
    print("motion, of five other beads: " + ", ".join(f"{_k} {_v}" for _k, _v in _good.items()))
_turning = _np.allclose(_np.asarray(omega, float), rate, atol=1e-4)
if not _turning:
    print(f"omega: expected {_np.round(rate, 4)}.")
float(2.0 * sum(_good.values()) / 3 + _turning)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** Energies agree to all digits ({by_beads:.4f} ε both ways): for a rigid body, nothing is lost. 42 numbers (positions and velocities of seven beads) became 13. "
    "With equal energies $\\frac12 I \\omega^2$ the turn about the axis of the *smallest* moment is fastest, by √2 here: about an axis in the plane. In a heat bath each axis "
    "has ½ kT on average, whatever its moment of inertia; a thermostat that gives all three the same *noise* gets this wrong (a test of the kit looks at it). "
    "For molecules that bend, the shape is laid over the atoms as well as possible (`reduce`), and what is left over is what the model ignores."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Nothing is left of the speeds once flight and turn are taken away: the motion of seven rigid beads *is* a flight and a turn. The two kinetic
# energies are equal.
#
# </details>

# %% [markdown]
# ## A second picture: a force that nobody shows
#
# A ball of mass 1 moves along a line in a landscape that you do not know. You see twelve short pieces of its motion. Before you run the cell: what in a picture of
# motion tells you about the force?

# %%
DT = 0.05
N_STEPS = 12


def hidden_force(x):
    """What nature does: a landscape with two valleys, U = (x² − 1)² / 2."""
    return -2 * x * (x**2 - 1)


def observe(x, v):
    """Return positions and velocities at the start and after each of N_STEPS steps."""
    rows = [(x, v)]
    for _ in range(N_STEPS):
        for _ in range(10):  # ten short steps for each that is seen
            v = v + 0.5 * (DT / 10) * hidden_force(x)
            x = x + (DT / 10) * v
            v = v + 0.5 * (DT / 10) * hidden_force(x)
        rows.append((x, v))
    return np.moveaxis(np.array(rows), 1, 0)


draws = np.random.default_rng(3)
observed = np.array(
    [observe(x, v) for x, v in zip(np.linspace(-1.5, 1.5, 12), draws.normal(size=12), strict=True)]
)
# observed[k, 0]: positions of piece k at 13 times; observed[k, 1]: its velocities
with style():
    figure, ax = plt.subplots(figsize=(8, 4.2))
for piece in observed:
    ax.plot(DT * np.arange(N_STEPS + 1), piece[0], color=BLUE, lw=1.5)
ax.set(title="Twelve pieces of motion", xlabel="time", ylabel="x")
with_alt_text(
    figure,
    "Twelve curves of x against time, each 0.6 long; those near x = 0 bend away from it, those beyond ±1 bend back.",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The bend. Where a curve bends, a force acts, and its direction is that of the bend. Curves near the middle bend outwards, those far outside bend inwards: there must be two valleys.
#
# </details>

# %% [markdown]
# ## Exercise 12.3: a neural ODE on a line (7 points)
#
# *Why:* this is the whole method in one dimension. The hexagons only have more coordinates.
#
# `force(weights, x)` is a network with 16 hidden units, `start_weights` are random.
#
# **Predict.** Where will the learned force be right, and where can it be anything?
#
# **Compute,** with operations of `jax.numpy`,
#
# - `predict(weights, x, v)`: positions and velocities at the start and after each of `N_STEPS` steps of velocity Verlet (length `DT`) with the network's force, as one
#   array of shape (2, N_STEPS + 1): positions first; (2 points)
# - `loss(weights)`: the mean squared deviation of all predicted positions and velocities from all pieces of `observed`, each piece from its own start; (1 point)
# - `learned`: weights for which the loss is less than a hundredth of that of `start_weights`. (2 points)
#
# <details><summary>Hint 1</summary>
#
# A Python loop over 12 steps will do: keep lists of x and v, and return `jnp.stack([jnp.stack(xs), jnp.stack(vs)])`. `jax.vmap(predict, (None, 0, 0))` predicts all
# pieces at once.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `optimizer = optax.adam(0.02)`, `state = optimizer.init(weights)`; then again and again `changes, state = optimizer.update(slopes, state)` and
# `weights = optax.apply_updates(weights, changes)`, with `slopes` from `jax.jit(jax.grad(loss))`. A thousand times are enough.
#
# </details>


# %%
def force(weights, x):
    """Return the force of a small network at the place x."""
    inner, shift, outer = weights
    return (jnp.tanh(inner * x + shift) * outer).sum()


numbers = np.random.default_rng(0).normal(size=(3, 16))
start_weights = tuple(jnp.asarray(one) for one in (2 * numbers[0], numbers[1], 0.1 * numbers[2]))


# %% nbgrader={"grade": false, "grade_id": "ex12-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def predict(weights, x, v): …
# def loss(weights): …
# learned = …
### BEGIN SOLUTION
def predict(weights, x, v):
    """Return positions and velocities after 0, 1, …, N_STEPS steps."""

    def step(state, _):
        x, v = state
        v = v + 0.5 * DT * force(weights, x)
        x = x + DT * v
        v = v + 0.5 * DT * force(weights, x)
        return (x, v), jnp.stack([x, v])

    x, v = jnp.asarray(x, float), jnp.asarray(v, float)
    _, later = jax.lax.scan(step, (x, v), length=N_STEPS)
    return jnp.concatenate([jnp.stack([x, v])[None], later]).T


def loss(weights):
    """Return the mean squared deviation from what was observed."""
    predicted = jax.vmap(predict, (None, 0, 0))(weights, observed[:, 0, 0], observed[:, 1, 0])
    return ((predicted - observed) ** 2).mean()


optimizer = optax.adam(0.02)
slopes_of = jax.jit(jax.grad(loss))
learned, state = start_weights, optimizer.init(start_weights)
for _ in range(1000):
    changes, state = optimizer.update(slopes_of(learned), state)
    learned = optax.apply_updates(learned, changes)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
places = np.linspace(-2.5, 2.5, 201)
by_network = np.array([float(force(learned, x)) for x in places])
before, after_training = float(loss(start_weights)), float(loss(learned))
seen = np.quantile(observed[:, 0], [0.01, 0.99])
with style():
    figure, ax = plt.subplots(figsize=(8, 4.4))
ax.axvspan(*seen, color="0.9", label="where the ball was seen")
ax.plot(places, hidden_force(places), color=BLACK, label="nature")
ax.plot(places, by_network, color=ORANGE, ls="--", label="learned from motion")
ax.set(title="The force", xlabel="x", ylabel="force", ylim=(-8, 8))
ax.legend()
inside = (places > seen[0]) & (places < seen[1])
off_inside = float(np.abs(by_network - hidden_force(places))[inside].mean())
print(
    f"loss {before:.5f} → {after_training:.2e}; mean error of the force where the ball was: {off_inside:.3f}"
)
with_alt_text(
    figure,
    f"The learned force lies on the true one between x = {seen[0]:.1f} and {seen[1]:.1f}, where the ball was seen (mean error {off_inside:.2f}), and "
    f"leaves it outside: at x = 2.5 it is {by_network[-1]:.1f} where nature has {hidden_force(2.5):.1f}.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-3", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
# Two points for the motion with a network's force, one for the loss, two for a training that lowers it.
assert callable(predict) and callable(loss) and len(learned) == 3, "Two functions, and weights."
### BEGIN HIDDEN TESTS
import numpy as _np


def _pull(weights, x):
    _inner, _shift, _outer = (_np.asarray(_one, float) for _one in weights)
    return float((_np.tanh(_inner * x + _shift) * _outer).sum())


def _motion(weights, x, v):
    _rows = [(x, v)]
    for _ in range(N_STEPS):
        v = v + 0.5 * DT * _pull(weights, x)
        x = x + DT * v
        v = v + 0.5 * DT * _pull(weights, x)
        _rows.append((x, v))
    return _np.array(_rows).T


def _missed(weights):
    return float(_np.mean([(_motion(weights, *_one[:, 0]) - _one) ** 2 for _one in observed]))


_others = tuple(2.0 * _np.asarray(_one, float) for _one in start_weights)
_path = _np.asarray(predict(_others, 0.4, -0.7), float)
_want = _motion(_others, 0.4, -0.7)
_moves = _path.shape == _want.shape and _np.allclose(_path, _want, atol=1e-5)
if not _moves:
    print(
        f"predict: expected shape {_want.shape} and the end {_want[:, -1].round(5)}; found shape {_path.shape}"
        + (f" and the end {_path[:, -1].round(5)}." if _path.ndim == 2 else ".")
    )
_value = float(_np.asarray(loss(_others)))
_right = abs(_value / _missed(_others) - 1) < 1e-4
if not _right:
    print(f"loss: expected {_missed(_others):.6f} for other weights, found {_value:.6f}.")
_share = _missed(learned) / _missed(start_weights)
_trained = 2.0 * (_share < 0.01) + 1.0 * (0.01 <= _share < 0.1)
if _trained < 2:
    print(f"learned: its loss is {_share:.3f} of that of the start; less than 0.01 was asked for.")
float(2.0 * _moves + 1.0 * _right + _trained)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). No force was ever shown. Which part of an observed piece tells the network about the force, and why are pieces of motion
# chosen that are short against the time in which neighboring motions part?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text12-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The change of velocity along a piece is the integral of the force over the way; the loss compares it (and the bend of x(t), which follows from it) with the prediction, and
# the derivative of the prediction with respect to the weights goes through every step. In long pieces small errors of force grow step by step, exponentially where motion is
# chaotic, and so do the gradients: the loss becomes rugged, and one weight's influence is drowned. Short pieces keep gradients tame; many of them see all places.
#
# === BEGIN MARK SCHEME ===
# - 1 point: changes of velocity (or the bend of the path) are integrals of the force along the piece.
# - 1 point: over long pieces deviations and gradients grow (exponentially), so that the training becomes unstable or rugged.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The loss fell from {before:.4f} to {after_training:.1e}, and the force is right to {off_inside:.2f} on average where the ball was. Outside, the network extends "
    f"its sums of tanh as it likes: {by_network[-1]:.1f} at x = 2.5 instead of {hidden_force(2.5):.1f}. A simulation with this force that ever gets there is lost. For the hexagons the same holds for "
    "arrangements that no trajectory visited: that is why their model carries a fixed wall between sites, and why it has to be tried in a crowd, not only with pairs. "
    "Compare with lesson 02: there DFT gave forces as labels. Here motion is enough, which is all that a microscope, or a simulation without stored forces, can give."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# In the gray range the dashed curve lies on the black one; outside it goes its own way. A neural ODE learns what moved what, where it moved.
#
# </details>

# %% [markdown]
# ## Exercise 12.4: what may the network see? (3 points)
#
# *Why:* what a network sees decides what it can learn, and which mistakes it cannot make.
#
# Nothing changes in the energy of two hexagons if the pair is turned as a whole, if the two are exchanged, if a quaternion changes its sign, or if one hexagon is turned into
# itself. An input that changes makes the network learn these facts from data, and never quite.
#
# **Predict.** Which of the six `inputs` below stay the same in all four cases? (The axis $\mathbf n$ of a hexagon points out of its plane, on either side.)
#
# **Compute.**
#
# - `usable`: the list of the names of the inputs that pass, tried with many random pairs and with `cases`; (2 points)
# - `period_deg` (float): the bead energy of two hexagons in one plane, 2.8 σ apart, repeats when the second is turned about its axis by this angle; `in_plane(degrees)`
#   returns the energy. (1 point)
#
# <details><summary>Hint</summary>
#
# `cases` maps names to functions: `cases[name](r, q1, q2)` returns the changed pair, and `inputs[name](r, q1, q2)` the value. Draw some pairs `random_pair(rng)`, and compare values
# with `np.allclose`. One pair alone may agree by chance.
#
# </details>


# %%
def rotation(q):
    """Return the matrix that turns vectors of a body into vectors of space."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def times(a, b):
    """Return the product of two quaternions."""
    vector = a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[a[0] * b[0] - a[1:] @ b[1:]], vector])


def random_pair(rng):
    """Return a separation and two orientations."""
    q = rng.normal(size=(2, 4))
    q1, q2 = q / np.linalg.norm(q, axis=1, keepdims=True)
    return rng.normal(size=3), q1, q2


def nearest_sites(r, q1, q2):
    """Return the distance of the closest two beads."""
    places = hexagon().positions
    away = (places @ rotation(q2).T + r)[None] - (places @ rotation(q1).T)[:, None]
    return np.linalg.norm(away, axis=-1).min()


inputs = {
    "distance": lambda r, q1, q2: np.linalg.norm(r),
    "x of r": lambda r, q1, q2: r[0],
    "q1·q2": lambda r, q1, q2: q1 @ q2,
    "n1·r": lambda r, q1, q2: rotation(q1)[:, 2] @ r,
    "(n1·n2)²": lambda r, q1, q2: (rotation(q1)[:, 2] @ rotation(q2)[:, 2]) ** 2,
    "nearest sites": nearest_sites,
}
WHOLE = np.array([0.5, 0.5, -0.5, 0.5])
HALF_OVER = np.array([0.0, 1.0, 0.0, 0.0])  # a hexagon turned upside down
cases = {
    "turned as a whole": lambda r, q1, q2: (
        rotation(WHOLE) @ r,
        times(WHOLE, q1),
        times(WHOLE, q2),
    ),
    "exchanged": lambda r, q1, q2: (-r, q2, q1),
    "−q": lambda r, q1, q2: (r, -q1, q2),
    "turned into itself": lambda r, q1, q2: (r, times(q1, HALF_OVER), q2),
}


def in_plane(degrees):
    """Return the energy of two hexagons in one plane, 2.8 σ apart, the second turned about its axis."""
    half = np.radians(degrees) / 2
    still, spun = np.array([1.0, 0, 0, 0]), np.array([np.cos(half), 0, 0, np.sin(half)])
    return float(BeadSum(body)((), jnp.array([2.8, 0, 0]), jnp.asarray(still), jnp.asarray(spun)))


# %% nbgrader={"grade": false, "grade_id": "ex12-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# usable = …
# period_deg = …
### BEGIN SOLUTION
rng = np.random.default_rng(0)
pairs = [random_pair(rng) for _ in range(20)]
usable = [
    name
    for name, value in inputs.items()
    if all(
        np.allclose(value(*pair), value(*case(*pair))) for pair in pairs for case in cases.values()
    )
]
energies = np.array([in_plane(degrees) for degrees in range(0, 181)])
period_deg = float(
    next(
        shift
        for shift in range(1, 180)
        if np.allclose(energies[shift:], energies[:-shift], atol=1e-9)
    )
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print("usable:", ", ".join(usable))
degrees = np.arange(0, 181, 3)
turning_energy = np.array([in_plane(one) for one in degrees])
with style():
    figure, ax = plt.subplots(figsize=(7, 4))
ax.plot(degrees, turning_energy, color=BLUE)
for k in range(1, int(180 / period_deg) + 1):
    ax.axvline(k * period_deg, color=ORANGE, ls=":", lw=1.5)
ax.set(title="Second hexagon turned in its plane", xlabel="angle, degrees", ylabel="energy, ε")
with_alt_text(
    figure,
    f"The energy against the angle: between {turning_energy.min():.2f} and {turning_energy.max():.2f} ε, the same again every {period_deg:.0f}°.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the inputs that stay the same, one for the period.
assert len(list(usable)) >= 1 and 0 < period_deg <= 180, "A list of names, and an angle."
### BEGIN HIDDEN TESTS
_right = {"distance", "(n1·n2)²", "nearest sites"}
_wrong = set(map(str, usable)) ^ _right
_seen = max(0.0, 2.0 - len(_wrong))
if _wrong:
    print(
        f"usable: {len(_wrong)} of the six inputs are judged wrongly; try each with all four cases."
    )
_repeats = abs(float(period_deg) - 60.0) < 0.5
if not _repeats:
    print("period_deg: a hexagon has six equal corners.")
float(_seen + _repeats)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** {', '.join(usable)} pass. The x component changes when the pair is turned, $q_1 \\cdot q_2$ with a sign, $\\mathbf n_1 \\cdot \\mathbf r$ when the hexagons are exchanged or one "
    f"is turned upside down. The energy repeats every {period_deg:.0f}°: in terms of angles, the first wave that knows a corner from an edge is $\\cos 6\\varphi$. A network that sees the "
    "published inputs, $\\mathbf r$ and both quaternions, has to find all of this by itself; most of its data is spent on learning that nothing happens. The kit's network sees the "
    "distance of the centers and, on seven scales, how near the sites of the two bodies come to each other. These have all symmetries by construction, and the sixfold wave for free. The "
    "squared cosine is invariant, too, and a network that sees nothing else knows next to nothing: inputs have to be informative as well."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Three inputs pass: the distance of the centers, the squared cosine between the axes, and the distance of the nearest sites. Corners and edges take turns every 30°, and the whole repeats every 60°.
#
# </details>

# %% [markdown]
# ## Exercise 12.5: with and without orientations (5 points)
#
# *Why:* a model is judged on motion that it has never seen, and against a model that lacks one thing.
#
# **Stored result:** two potentials that were trained on trajectories of pairs, alike but for one thing: one sees orientations, the other only the distance of the
# centers. (`python tools/store_results.py hexagons`; `mlmd lab coarse-grained` trains them anew.) The next cell simulates eight new runs of beads, and predicts windows of
# 0.5 τ with both.
#
# **Predict.** Which of the deviations (separation, orientation, velocity, ω) will the model without orientations get *entirely* wrong?
#
# **Compute** from `with_orientations` and `without_orientations` (tables, a row for each time) and from `errors`
#
# - `ratios` (dict): for each of the four columns, the deviation with orientations over that without, at the last time; (2 points)
# - `share` (float): the RMSE of the learned pair energies over the range of the energies that the runs visited; `errors.learned`, `errors.true`; the range is
#   `errors.energy_range`. (1 point)
#
# <details><summary>Hint</summary>
#
# `table[column].iloc[-1]` is the last value. The RMSE is the square root of the mean of squared differences.
#
# </details>

# %% tags=["measured"]
STORED = data_folder() / "stored"
fresh_folder = Path(os.environ.get("MLMD_CACHE", "cache")) / "hexagons_fresh"
if not (fresh_folder / "dataset.json").is_file():
    fresh_folder.parent.mkdir(exist_ok=True)
    make_dataset(
        fresh_folder,
        DatasetSettings(
            n_runs=10, duration=5.0, interval=0.02, timestep=0.005, spring_stiffness=3.0, seed=2026
        ),
    )
fresh = load_dataset(fresh_folder)  # its 8 runs called "train" are new to both potentials
sighted = load_pair(STORED / "hexagons.npz")
blind = load_pair(STORED / "hexagons_blind.npz")
with_orientations, without_orientations = (
    window_errors(*model, fresh, "train", length=26, most=100) for model in (sighted, blind)
)
errors = compare_with_beads(*sighted, fresh, "train", every=4)
with_orientations.iloc[::5].round(4)

# %% nbgrader={"grade": false, "grade_id": "ex12-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# ratios = …
# share = …
### BEGIN SOLUTION
ratios = {
    name: float(with_orientations[name].iloc[-1] / without_orientations[name].iloc[-1])
    for name in ("separation", "orientation", "velocity", "omega")
}
share = float(np.sqrt(np.mean((errors.learned - errors.true) ** 2)) / errors.energy_range)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
both = {"with orientations": with_orientations, "without": without_orientations}
with style():
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2))
plot_window_errors(both, "separation", left)
plot_window_errors(both, "omega", middle)
plot_energies(errors, right)
print({name: round(one, 3) for name, one in ratios.items()}, f"energies: {share:.1%} of the range")
with_alt_text(
    figure,
    f"Left and middle: deviations grow with time for both; with orientations that of the separation is {ratios['separation']:.2f} and that of ω {ratios['omega']:.2f} times as large as "
    f"without. Right: learned energies of pairs against sums over beads lie along the diagonal, {share:.1%} of the range off.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the four ratios, one for the error of the energies.
assert len(ratios) == 4 and share > 0, "Four ratios and a share."
### BEGIN HIDDEN TESTS
import numpy as _np

_good = {}
for _name in ("separation", "orientation", "velocity", "omega"):
    _one = float(
        with_orientations[_name].to_numpy()[-1] / without_orientations[_name].to_numpy()[-1]
    )
    _good[_name] = abs(float(ratios.get(_name, _np.nan)) / _one - 1) < 0.01
if not all(_good.values()):
    print("ratios: " + ", ".join(f"{_k} {_v}" for _k, _v in _good.items()))
_off = _np.asarray(errors.learned, float) - _np.asarray(errors.true, float)
_want = float(_np.sqrt(_np.mean(_off**2)) / errors.energy_range)
_energies = abs(float(share) / _want - 1) < 0.01
if not _energies:
    print(f"share: expected {_want:.4f}, found {float(share):.4f}.")
float(0.5 * sum(_good.values()) + _energies)
### END HIDDEN TESTS

# %% [markdown]
# **Explain** (2 points, marked by hand). Without orientations ω is never changed by the model at all. Why? And why does its separation go wrong, too, although it sees the distance?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text12-5", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# A torque is the derivative of the energy with respect to the orientation; an energy that does not depend on it has none, so each body goes on spinning freely. The force at a given distance depends strongly
# on how the hexagons are turned: tip to tip they touch at 3.1 σ, stacked at 1.1 σ. A function of the distance alone can at best be the mean over all that was seen at that distance, and is
# wrong for nearly every single encounter.
#
# === BEGIN MARK SCHEME ===
# - 1 point: torque is the derivative with respect to the orientation, which is zero here.
# - 1 point: at one distance hexagons may touch or not, depending on their orientations; a function of the distance can only be an average.
# === END MARK SCHEME ===

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** After {with_orientations['time'].iloc[-1]:.2f} τ the deviations with orientations are {ratios['separation']:.2f} (separation), {ratios['orientation']:.2f} (orientation), {ratios['velocity']:.2f} (velocity) and "
    f"{ratios['omega']:.2f} (ω) of those without. The energy, which no training ever saw, agrees with the sum over beads to {share:.1%} of its range; forces to {errors.force_ratio:.0%} and torques to "
    f"{errors.torque_ratio:.0%} of their size where beads touch. For rigid bodies that comparison is fair: the effective potential *is* the sum over beads. For molecules that bend it would be a free energy, "
    "averaged over all that is left out, and depends on temperature. Only windows with a contact were counted: in the others there is nothing to know, and every model looks good."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Both deviations grow with time; with orientations they are several times smaller, most of all for the turning. Energies lie on the diagonal although they were never shown.
#
# </details>

# %% [markdown]
# ## Exercise 12.6: a crowd (3 points)
#
# *Why:* a pair potential that is right for pairs is meant for many bodies, of which the training saw none.
#
# The next cell simulates 32 hexagons in a periodic box at kT = 2.5 ε, once with their beads and once with the learned potential, from the same start, in a heat bath.
#
# **Predict.** Will positions agree after 20 τ? What should agree?
#
# **Compute.**
#
# - `squared_displacement(positions, lag)`: for an array (n_times, n_bodies, 3) the mean of $|\mathbf r(t + \mathrm{lag}) - \mathbf r(t)|^2$ over all times and bodies; (2 points)
# - `largest` (float): the largest difference of the two g(r) in `by_beads_structure` and `learned_structure` (columns `r`, `g`). (1 point)
#
# <details><summary>Hint</summary>
#
# `positions[lag:] - positions[:-lag]` are the displacements of all bodies from all times on.
#
# </details>

# %% tags=["measured"]
box = fill_box(body, 32, density=0.03, kT=2.5, reach=BeadSum(body).cutoff, seed=1)
common = {
    "method": "langevin",
    "timestep": 0.01,
    "steps": 2000,
    "record_every": 20,
    "friction": 0.2,
}
bead_run = run_box(BeadSum(body), (), box, **common)
learned_run = run_box(*sighted, box, **common)
by_beads_structure, learned_structure = (
    structure(run, box, bin_width=0.25) for run in (bead_run, learned_run)
)
bead_positions, learned_positions = bead_run.poses[..., :3], learned_run.poses[..., :3]


# %% nbgrader={"grade": false, "grade_id": "ex12-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# def squared_displacement(positions, lag): …
# largest = …
### BEGIN SOLUTION
def squared_displacement(positions, lag):
    """Return the mean squared displacement over all times and bodies."""
    return float(((positions[lag:] - positions[:-lag]) ** 2).sum(-1).mean())


largest = float((by_beads_structure["g"] - learned_structure["g"]).abs().max())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
lags = np.arange(1, 31)
elapsed = bead_run.times[lags]
walks = {
    "beads": [squared_displacement(bead_positions, int(lag)) for lag in lags],
    "learned": [squared_displacement(learned_positions, int(lag)) for lag in lags],
}
parted = np.linalg.norm(bead_positions - learned_positions, axis=-1).mean(1)
with style():
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2))
plot_structures({"beads": by_beads_structure, "learned": learned_structure}, "g", left)
plot_structures({"beads": by_beads_structure, "learned": learned_structure}, "orientation", middle)
for (name, values), color in zip(walks.items(), (BLACK, BLUE), strict=True):
    right.plot(elapsed, values, color=color, label=name)
right.set(title="Mean squared displacement", xlabel="time, τ", ylabel="σ²")
right.legend()
print(
    f"after 20 τ the same body is {parted[-1]:.1f} σ apart in the two runs; g(r) differs by at most {largest:.2f}; "
    f"D = {diffusion(bead_run):.3f} and {diffusion(learned_run):.3f} σ²/τ"
)
with_alt_text(
    figure,
    f"Left: g(r) of both runs rises from 0 near 1 σ to 1, at most {largest:.2f} apart. Middle: the order of orientations, large for close pairs and 0 beyond 3 σ. Right: mean squared "
    f"displacements rise alike, to {walks['beads'][-1]:.1f} and {walks['learned'][-1]:.1f} σ² after 6 τ.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-6", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for mean squared displacements, one for the difference of the structures.
assert callable(squared_displacement) and largest > 0, "A function and a number."
### BEGIN HIDDEN TESTS
import numpy as _np

_x = _np.random.default_rng(4).normal(size=(9, 4, 3)).cumsum(0)
_values = [float(_np.asarray(squared_displacement(_x, _lag))) for _lag in (1, 5)]
_wants = [float(((_x[_lag:] - _x[:-_lag]) ** 2).sum(-1).mean()) for _lag in (1, 5)]
_walk = _np.allclose(_values, _wants, rtol=1e-6)
if not _walk:
    print(
        f"squared_displacement: expected {_np.round(_wants, 3)} for other positions, found {_np.round(_values, 3)}."
    )
_apart = float(
    _np.abs(by_beads_structure["g"].to_numpy() - learned_structure["g"].to_numpy()).max()
)
_structures = abs(float(largest) / _apart - 1) < 0.02
if not _structures:
    print(f"largest: expected {_apart:.3f}, found {float(largest):.3f}.")
float(2.0 * _walk + _structures)
### END HIDDEN TESTS

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The same body ends {parted[-1]:.1f} σ apart in the two runs, although both began alike and felt the same random pushes: a crowd is chaotic, and no model, however good, predicts where a body will be. What "
    f"should agree are averages: g(r) differs by at most {largest:.2f} here, about what two runs of the beads themselves differ by when they are this short, and the displacements grow alike. Close pairs are stacked "
    "(order near 1), since only flat on each other can centers come nearer than 2 σ. What a coarse model saves depends "
    "on the number of beads and on the bonds that need no short steps any more; `benchmarks/coarse.py` measures both."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Both pairs of curves agree within their noise, positions do not. Coarse-graining promises statistics.
#
# </details>

# %% [markdown]
# ## Exercise 12.7: what should be recorded? (3 points)
#
# *Why:* the same potential can be learned from different records, and records are what you pay for.
#
# **Stored result** (`benchmarks/coarse_learning.py`): the same network learned from the same runs of pairs in four ways:
#
# - `forces`: *force matching*. Snapshots hold the force and the torque on each body; the network is fitted to them.
# - `differences`: the same, but only momenta were recorded. Forces are their differences over twice the time between frames.
# - `motion`: the neural ODE of this lesson, windows of the recorded motion.
# - `places`: positions and orientations alone, in any order. The *relative entropy* tells how unlikely they are for a model in equilibrium at
#   the same temperature; the network makes it least ([Shell, 2008](https://doi.org/10.1063/1.2992060)).
#
# Three series: fewer runs, frames further apart in time, and noise in everything that was recorded. `force_error` is the RMSE of the forces on held-out
# runs over their size: 0 is perfect, 1 no better than no force. Seeds change which runs were taken, and the start of the network.
#
# **Predict.** A contact lasts about 0.5 τ. Which way fails first when frames are 0.4 τ apart? Which does not care? And which needs the most runs, because
# it sees the least?
#
# **Compute** from the table `learning` (columns `runs`, `interval` between frames in τ, `noise`, `way`, `seed`, `force_error`)
#
# - `few_data` (dict): for each of the four ways the mean `force_error` over the seeds, with 4 runs; (2 points)
# - `factor` (float): at the longest `interval`, the mean `force_error` of `differences` over that of `motion`. (1 point)
#
# <details><summary>Hint</summary>
#
# `part = learning[learning["runs"] == 4]` takes rows, `learning["interval"].max()` is the longest interval, and `part.groupby("way")["force_error"].mean()` gives means.
#
# </details>

# %%
learning = pd.read_csv(data_folder() / "stored" / "coarse_learning.csv")
committee = pd.read_csv(data_folder() / "stored" / "coarse_committee.csv")
learning.head()

# %% nbgrader={"grade": false, "grade_id": "ex12-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
# few_data = …
# factor = …
### BEGIN SOLUTION
few_data = learning[learning["runs"] == 4].groupby("way")["force_error"].mean().to_dict()
sparse = learning[learning["interval"] == learning["interval"].max()]
sparse = sparse.groupby("way")["force_error"].mean()
factor = float(sparse["differences"] / sparse["motion"])
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex12-7-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
with style():
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.4))
for series, ax in zip(("runs", "interval", "noise"), axes, strict=True):
    plot_learning(learning, series, ax)
print({way: round(float(error), 2) for way, error in few_data.items()}, f"factor {factor:.1f}")
with_alt_text(
    figure,
    "Errors of the forces for four ways to learn, with error bars. Left: they fall with the number of runs; with four runs "
    + ", ".join(f"{error:.2f} ({way})" for way, error in few_data.items())
    + f". Middle: with frames further apart the error of forces from differences grows to {factor:.1f} times that of motion. Right: errors against noise.",
)

# %% nbgrader={"grade": true, "grade_id": "test12-7", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Two points for the errors with four runs, one for the factor between differences and motion.
assert set(few_data) == {"forces", "differences", "motion", "places"} and factor > 0, (
    "A dict with the four ways, and a number."
)
### BEGIN HIDDEN TESTS
_part = learning[learning["runs"] == 4]
_wants = _part.groupby("way")["force_error"].mean()
_right = all(abs(float(few_data[_way]) / _wants[_way] - 1) < 0.01 for _way in _wants.index)
if not _right:
    print(f"few_data: expected {_wants.round(3).to_dict()}, found {few_data}.")
_part = learning[learning["interval"] == learning["interval"].max()]
_part = _part.groupby("way")["force_error"].mean()
_want = float(_part["differences"] / _part["motion"])
_factor = abs(float(factor) / _want - 1) < 0.01
if not _factor:
    print(f"factor: expected {_want:.2f}, found {float(factor):.2f}.")
float(2.0 * _right + _factor)
### END HIDDEN TESTS


# %% tags=["discussion"]
def remaining(**record):
    """Return the mean error of each way for one kind of record."""
    record = {"runs": 16, "interval": 0.02, "noise": 0.0} | record
    rows = learning[
        np.all([np.isclose(learning[name], value) for name, value in record.items()], axis=0)
    ]
    return rows.groupby("way")["force_error"].mean()


many, apart, noisy = remaining(), remaining(interval=0.4), remaining(noise=0.03)
Markdown(
    f"**Discussion.** Recorded forces teach most: each frame of a contact states twelve numbers that the network has to meet. With four runs {few_data['forces']:.2f} of the forces remain unexplained by force matching, "
    f"{few_data['differences']:.2f} with differences, {few_data['motion']:.2f} by motion; with 16 runs {many['forces']:.2f}, {many['differences']:.2f} and {many['motion']:.2f}. Frames that are close hold nearly the same knowledge, "
    f"because differences of momenta over 0.04 τ are nearly forces. Places alone leave {many['places']:.2f}: only how often an arrangement occurs tells its energy, and the frames of one run are no independent draws. "
    f"With frames 0.4 τ apart a whole contact may pass between two of them. A difference is then a mean over the encounter ({apart['differences']:.2f}). Recorded forces are exact, but few frames "
    f"hold a contact ({apart['forces']:.2f}). The neural ODE computes what happened between the frames, and learns from every encounter ({apart['motion']:.2f}): here the lesson's way is the best one. "
    f"With noise of 3 % all that see forces or motion end close together ({noisy['forces']:.2f} with forces, {noisy['differences']:.2f} with differences, {noisy['motion']:.2f} by motion, {noisy['places']:.2f} with places): "
    "a contact is so short-ranged that noise in the places alone blurs its force."
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With few runs, recorded forces teach most, forces from differences nearly as much, and motion needs more runs; places alone need far more. With
# frames further apart this changes: differences fail first, and motion is best by far. Noise makes all of them nearly equal.
#
# </details>
#
# **How far to trust it?** Train a few networks on different runs: a *committee*. Where its members disagree, at least some of them are wrong. The next
# figure shows the error of the mean of three members against their spread, for groups of held-out contacts with small to large spread. **Predict** before
# you run it: can a committee be wrong without knowing it?

# %%
with style():
    figure, ax = plt.subplots(figsize=(5.5, 4.4))
with_alt_text(
    plot_committee(committee, ax),
    "Error of the forces against the spread of a committee of three, on logarithmic axes: larger spread, larger error, for "
    + ", ".join(
        f"{n_runs} runs (rank correlation {rows['rank_correlation'].iloc[0]:.2f})"
        for n_runs, rows in committee.groupby("runs")
    )
    + ".",
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The larger the spread, the larger the error. With one run the committee knows well where it errs. With sixteen it hardly does, and the error
# is several times the spread: what all members do wrong in the same way is seen by none of them.
#
# </details>

# %% [markdown]
# ## Beads and bodies side by side

# %%
film = animate_bodies(
    type(learned_run)(
        learned_run.times[:40],
        learned_run.poses[:40, :2],
        learned_run.momenta[:40, :2],
        learned_run.energies[:40],
    ),
    body,
    fresh_folder.parent / "bodies.gif",
    frames=20,
)
Image(
    filename=str(film),
    alt="Two hexagons of the box, flying and turning: on the left their beads, on the right the bodies that stand for them.",
)

# %% [markdown]
# ## Summary
#
# - A rigid body is a center, a quaternion, a momentum and a spin; nothing of the motion of its beads is lost.
# - A neural ODE learns a potential from motion alone. It knows what was visited, and nothing else.
# - Give the network inputs that already have the symmetries, and that still tell arrangements apart.
# - Judge on held-out motion with contacts, against a model that lacks one thing, and in a crowd by averages.
#
# To go on: coarse bodies that bend have a free energy in place of an energy, noise and friction
# ([Noid, 2013](https://doi.org/10.1063/1.4818908)); bodies of many beads
# ([Argun, Fu, Statt, 2024](https://doi.org/10.1063/5.0206636)).
#
# ## Quiz
#
# 1. Which numbers change when a quaternion is replaced by its negative?
#
#    <details><summary>Answer</summary>
#
#    The four components, and nothing that can be observed: the turn is the same.
#
#    </details>
#
# 2. A training set of pairs held together by a stiff spring contains no pair further apart than 2.6 σ. What may go wrong with 200 bodies?
#
#    <details><summary>Answer</summary>
#
#    Up to a constant the potential is right inside, but nothing tells that constant, the height against pairs that are far apart. Bodies may attract or repel each other at the edge of what was seen. The
#    spring must be soft enough for pairs to part.
#
#    </details>
#
# 3. The trained model is perfect for pairs. Is it for 200 bodies?
#
#    <details><summary>Answer</summary>
#
#    If the true energy is a sum over pairs, as here, yes. For molecules that polarize each other a pair model misses what three do together.
#
#    </details>
#
# 4. What would you look at first if the coarse run explodes?
#
#    <details><summary>Answer</summary>
#
#    At the arrangement before: was anything like it in the training data? Then the time step, and the wall.
#
#    </details>
