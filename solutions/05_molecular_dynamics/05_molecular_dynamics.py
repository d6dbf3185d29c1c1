# %% [markdown]
# # 05 · Molecular dynamics with your potential
#
# **You will learn**
#
# - how atoms are moved step by step, and how short a time step has to be;
# - to read the log of a simulation: which number should stay constant, and which should not;
# - what constant energy and constant temperature mean, and which experiments they stand for;
# - to find out whether simulated water is a liquid, and, if it is not, whether the potential or the DFT behind it is to blame;
# - to compare costs fairly, including the cost of the training data.
#
# **Time:** 90 minutes, of which the computer needs about three.
#
# **Before you start:** lesson 02 (your potential; lesson 01 has the units). A little mechanics: $F = ma$.

# %%
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase import units
from IPython.display import Markdown

import helpers
from helpers import (
    GapConfig,
    evaluate,
    fit_gap,
    load_frames,
    load_potential,
    own_or_stored,
    run_nve,
    run_nvt,
)
from helpers.frames import data_folder
from helpers.gap import JaxCalculator
from helpers.md import (
    Cost,
    energy_fluctuation_meV_per_atom,
    judge_phase,
    mean_square_displacement,
    order_along,
    plot_cost,
    plot_displacement,
    plot_energies,
    plot_order,
    plot_radial_distribution,
    plot_temperature,
    radial_distributions,
    recorded_dft_seconds,
    show_trajectory,
    step_cost,
    summarize_run,
    tetrahedral_order,
    with_core_repulsion,
)
from helpers.plots import BLACK, BLUE, style, with_alt_text
from helpers.water import MEASURED_G_OO

warnings.filterwarnings("ignore")

HERE = Path(".")  # what this lesson writes goes here
STORED = data_folder() / "stored"

# %% [markdown]
# The potential that moves the atoms in this lesson is your own, if lesson 02 has left one.

# %%
MODEL = own_or_stored("../02_train_gap/gap.xml", STORED / "gap.xml", what="potential")
potential = load_potential(MODEL)
START = load_frames("water", "validate")[0]  # a snapshot that was not used for training
N_ATOMS = len(START)

# %% [markdown]
# ## A picture first: what a time step does
#
# A computer cannot follow atoms continuously. It goes from one moment to the next in *time steps*, and within each step it
# makes do with the forces at its start and at its end. The next cell is the whole of *velocity Verlet*, the method behind most
# simulations, for a single O–H bond that vibrates with a period of 9 fs. Time steps of 0.5, 1.5 and 2.5 fs are tried.
#
# **Predict.** Which of the three steps will still give the right period? *Your guess:* …

# %%
PERIOD_FS = 9.0


def vibrate(step_fs, until_fs=27.0):
    """Return times and elongations of a vibration, by velocity Verlet; the mass is 1."""
    stiffness = (2 * np.pi / PERIOD_FS) ** 2
    x, v, path = 1.0, 0.0, [1.0]
    for _ in range(round(until_fs / step_fs)):
        v_half = v - 0.5 * step_fs * stiffness * x  # half a step of the velocity: a = -stiffness x
        x = x + step_fs * v_half  # a whole step of the position
        v = v_half - 0.5 * step_fs * stiffness * x  # the second half, with the new force
        path.append(x)
    return step_fs * np.arange(len(path)), np.array(path)


exact_fs = np.linspace(0, 27, 400)
exact = np.cos(2 * np.pi * exact_fs / PERIOD_FS)
with style():
    panels, axes = plt.subplots(1, 3, figsize=(13, 4.4), sharey=True)
    for panel, step_fs in zip(axes, (0.5, 1.5, 2.5), strict=True):
        panel.plot(exact_fs, exact, "--", color=BLACK, lw=1.5, label="exact")
        panel.plot(*vibrate(step_fs), "o-", ms=5, lw=1, color=BLUE, label="velocity Verlet")
        panel.set(title=f"step {step_fs:g} fs", xlabel="time, fs", ylim=(-1.1, 1.6))
    axes[0].set_ylabel("elongation (start = 1)")
    axes[0].legend(loc="upper center", ncols=2)
with_alt_text(
    panels,
    "Elongation of a bond against time for steps of 0.5, 1.5 and 2.5 fs, with the exact curve "
    "dashed. "
    "With 0.5 fs the points lie on the curve, with 1.5 fs they run ahead a little, with 2.5 fs "
    "the computed vibration is much too fast.",
)

# %% [markdown]
# The error in the frequency grows as the square of the step. Beyond $\text{period}/\pi$, here 2.9 fs, each swing is larger than
# the one before, and the simulation explodes. To read more:
# [Swope et al., *J. Chem. Phys.* **76**, 637 (1982)](https://doi.org/10.1063/1.442716) introduced velocity Verlet, and
# [Braun et al., *Living J. Comp. Mol. Sci.* **1**, 5957 (2019)](https://doi.org/10.33011/livecoms.1.1.5957) collect the best practices of molecular simulation.

# %% [markdown]
# ## Theory
#
# The forces $\mathbf F = -\nabla E$ of the potential accelerate the atoms (masses $m$). *Velocity
# Verlet* advances positions and velocities by a time step $\Delta t$:
#
# $$\mathbf r' = \mathbf r + \mathbf v \, \Delta t + \frac{\mathbf F}{2m} \Delta t^2, \qquad
# \mathbf v' = \mathbf v + \frac{\mathbf F + \mathbf F'}{2m} \Delta t$$
#
# ($\mathbf r$ in Å, $\mathbf v$ in Å/fs, $\Delta t$ in fs; $\mathbf F$ in eV/Å and $m$ in u, so that
# $\mathbf F / m$ is in eV/(Å u), of which one is $9.65 \cdot 10^{-3}$ Å/fs²; primes mark what belongs to the end of the
# step.)
#
# The number of atoms (N), the volume (V) and the total energy, kinetic and potential (E), stay the same: such a run is
# called **NVE**. The temperature is measured, not set: with $n$ degrees of freedom (three for each atom, less three if
# the center of mass is at rest) the mean kinetic energy is $\tfrac{n}{2} k_B T$. To set the temperature one couples the
# atoms to a heat bath, with a *thermostat*. The *Langevin* thermostat adds friction and random kicks,
#
# $$m \, \dot{\mathbf v} = \mathbf F - \gamma m \mathbf v + \sqrt{2 \gamma m k_B T} \, \boldsymbol\xi(t),$$
#
# which exchange energy with the atoms until their mean temperature is that of the bath: **NVT** ($\gamma$ is the friction in
# 1/fs; $\boldsymbol\xi$ is *white noise*, random numbers that are drawn anew at every moment).

# %% [markdown]
# ## Exercise 2.4 (1): read the script (3 points)
#
# *Why:* if you run a script without reading it, you run somebody else's simulation.
#
# The next cell shows the script of the terminal edition, from its first command to its last: a run at constant energy, then
# one at constant temperature. Find in it
#
# - `timestep_fs` (float): the time step, fs;
# - `simulated_fs` (float): how much time passes in both runs together, fs;
# - `n_frames` (int): how many frames `trajectory.xyz` will hold. Every run also keeps the frame that
#   it starts from.
#
# <details><summary>Hint</summary>
#
# `interval=5` keeps a frame after every fifth step. How many are that in 200 steps, with the one at the start?
#
# </details>

# %%
script = Path(helpers.__file__).parents[1] / "workshop" / "molecular_dynamics.py"
text = script.read_text(encoding="utf-8")
print(text[text.index("    # A snapshot") : text.index("    print(")])

# %% nbgrader={"grade": false, "grade_id": "ex2-4-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# timestep_fs = …
# simulated_fs = …
# n_frames = …
### BEGIN SOLUTION
timestep_fs = 0.5
simulated_fs = (200 + 100) * timestep_fs
n_frames = (200 // 5 + 1) + (100 // 5 + 1)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-4-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"{simulated_fs:g} fs are {simulated_fs / timestep_fs:g} steps, and {n_frames} frames")
print(f"an O–H bond vibrates in about 9 fs: {9 / timestep_fs:.0f} steps for one vibration")

# %% nbgrader={"grade": true, "grade_id": "test2-4-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point each: time step, simulated time, number of frames.
assert timestep_fs > 0 and simulated_fs > timestep_fs and n_frames > 0, "All are above 0."
### BEGIN HIDDEN TESTS
_step = abs(float(timestep_fs) - 0.5) < 1e-9
_time = abs(float(simulated_fs) - 150.0) < 1e-6
_frames = int(n_frames) == 62
if not (_step and _time and _frames):
    print(
        "Look for `timestep`, for both `.run(…)`, and for `interval=`; frames 0, 5, 10, … are kept."
    )
float(_step) + float(_time) + float(_frames)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Both runs share one set of atoms, so the second goes on where the first ended, and the frame in between is kept twice. About twenty steps
# resolve one vibration of an O–H bond.
#
# </details>

# %% [markdown] tags=["discussion"]
# **Discussion.** `nve` and `nvt` share the same `atoms`: the second run goes on where the first one
# ended, so that the last frame of the first is kept twice. The time step has to be short compared with
# the fastest motion, the O–H vibration; a twentieth of its period is a common choice.

# %% [markdown]
# ## Exercise 2.4 (2): 200 steps at constant energy (5 points)
#
# *Why:* nothing in the algorithm forces the total energy to stay constant, so its drift is the first
# sign of trouble.
#
# **Predict.** The potential energy of 48 atoms swings by some meV/atom. How much smaller do you expect the swings of the total energy
# to be: twice, ten times, a hundred times? *Your guess:* …
#
# **Do.** Run 200 steps of 0.5 fs at constant energy from `START` with the engine of ASE, and record every step; `help(run_nve)` explains
# the arguments. (The atoms start with random velocities, drawn for 300 K.) Keep the result as `nve`. Its log, one row per step, is
# `nve.log()`, a DataFrame: keep that as `log`. From the log compute
#
# - `spread_total` (float): the standard deviation of the **total** energy, meV per atom;
# - `spread_potential` (float): that of the **potential** energy, meV per atom.
#
# (1 point for the run, 2 for the numbers.)
#
# <details><summary>Hint</summary>
#
# `run_nve(potential, START, steps=…, engine="ase", record_every=…)`. The columns of the log have their units in their names; 1 eV is 1000 meV, and there are `N_ATOMS` atoms.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex2-4-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# nve = …
# log = …
# spread_total = …
# spread_potential = …
### BEGIN SOLUTION
nve = run_nve(potential, START, steps=200, engine="ase", record_every=1)
log = nve.log()
spread_total = float(1000 * log["total_eV"].std() / N_ATOMS)
spread_potential = float(1000 * log["potential_eV"].std() / N_ATOMS)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-4-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(log.head(3).round(4).to_string(index=False))
print(
    f"spread of the total energy {spread_total:.4f}, of the potential {spread_potential:.2f} "
    "meV/atom"
)
with style():
    both, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
plot_energies(log, N_ATOMS, ax=left)
plot_temperature(log, ax=right)
with_alt_text(
    both,
    f"Left: over {nve.times_fs[-1]:g} fs the potential energy swings (standard deviation "
    f"{spread_potential:.1f} meV/atom) while the total energy is a flat line ({spread_total:.3f} "
    f"meV/atom). Right: the temperature, {nve.temperature_K.min():.0f} to "
    f"{nve.temperature_K.max():.0f} K, with its running mean.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-4-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for a run of 200 steps at constant energy, one for each spread.
assert len(log) == len(nve.times_fs), "log should be the log of your run."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_potential as _load_potential
from helpers.frames import data_folder as _data_folder

assert nve.thermostat == "none", "This run has a thermostat: use run_nve."
assert not nve.stopped, f"The run was stopped: {nve.stopped}"
_steps = float(nve.times_fs[-1]) / float(nve.timestep_fs)
_run = round(_steps) == 200 and abs(float(nve.timestep_fs) - 0.5) < 1e-9 and len(nve.times_fs) > 100
# Energies of two of its frames, asked for again: was it this potential, or another good one?
_asked = _load_potential(_data_folder() / "stored" / "gap.xml")
_made = []
for _k in (0, -1):
    _atoms = nve.start.copy()
    _atoms.positions = nve.positions_A[_k]
    _atoms.calc = _asked
    _made.append(_atoms.get_potential_energy())
_change = float(nve.potential_eV[-1] - nve.potential_eV[0])
_run = _run and abs(_change - (_made[1] - _made[0])) < 0.004 * len(nve.start)
_n = len(nve.start)
_total = 1000 * float(_np.std(nve.potential_eV + nve.kinetic_eV)) / _n
_potential = 1000 * float(_np.std(nve.potential_eV)) / _n
_right = [
    abs(float(a) / b - 1) < 0.02
    for a, b in ((spread_total, _total), (spread_potential, _potential))
]
if not (_run and all(_right)):
    print(
        f"Expected spreads of {_total:.4f} and {_potential:.2f} meV/atom for this run, and 200 "
        "steps "
        "of 0.5 fs. Per atom? In meV? The standard deviation of the whole column?"
    )
float(_run) + float(_right[0]) + float(_right[1])
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Which column of the log shows whether the simulation is
# reliable? What would you see in it if the time step were too long, and what if the forces were not
# the derivative of the energy?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-4-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The total energy: potential and kinetic energy swing, but their sum is conserved by Newton's
# equations. With too long a step it oscillates more (as the square of the step) and drifts away, in the
# worst case it explodes. Forces that are not the derivative of the energy, say of another
# model or with a jump at the cutoff, make it drift even with short steps.
#
# === BEGIN MARK SCHEME ===
# - 1 point: the total energy, which should stay constant while its parts exchange.
# - 1 point: drift or growing oscillation, for a long step or for inconsistent forces.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Potential and kinetic energy are exchanged all the time, and their sum stays constant to a small fraction of these swings. With a longer step
# the small rest grows as the square of the step.
#
# </details>

# %% tags=["discussion"]
spreads = []
for step in (0.25, 0.5, 1.0, 2.0):
    options = {"timestep_fs": step, "engine": "ase", "record_every": 1, "progress": False}
    run = run_nve(potential, START, steps=round(100 / step), **options)
    spreads.append((step, energy_fluctuation_meV_per_atom(run), run.stopped))
table = pd.DataFrame(spreads, columns=["step, fs", "spread, meV/atom", "stopped"])
table["spread / step²"] = table["spread, meV/atom"] / table["step, fs"] ** 2
shares = table["spread / step²"] / table["spread / step²"][0]
Markdown(
    "**Discussion.** The same 100 fs with four time steps:\n\n"
    + table.round(4).to_html(index=False)
    + "\n\nThe theory of velocity Verlet says that the spread grows as the square of the step: "
    "then the last "
    "column is constant. From 0.25 fs it changes by a factor of "
    f"{shares[1]:.2f} at 0.5 fs, {shares[2]:.2f} at 1 fs and {shares[3]:.2f} at 2 fs, which is "
    "a large "
    "part of an O–H vibration: the theory holds for short steps. "
    f"At 0.5 fs the spread is {table['spread, meV/atom'][1] / spread_potential:.2%} of that of "
    "the "
    "potential energy."
)

# %% [markdown]
# ## Exercise 2.4 (3): why does the temperature fluctuate? (3 points)
#
# *Why:* a thermometer in a glass of water does not jump by tens of kelvins; that of your simulation does.
#
# **Predict.** Look at your temperature above. Would it fluctuate more or less in a box of 64 molecules? *Your guess:* …
#
# **Do.** In equilibrium at constant temperature the standard deviation of the temperature is
# $\sigma_T = T \sqrt{2/n}$ for $n$ degrees of freedom. Compute it for 300 K and the water box, where
# the center of mass is at rest: `sigma_T_box` (float, K); and for a glass of water, 250 g or
# $2.5 \cdot 10^{25}$ atoms: `sigma_T_glass` (float, K). (1 point.)
#
# <details><summary>Hint</summary>
#
# The theory above says how many degrees of freedom $n$ there are for `N_ATOMS` atoms.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex2-4-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# sigma_T_box = …
# sigma_T_glass = …
### BEGIN SOLUTION
sigma_T_box = 300 * np.sqrt(2 / (3 * N_ATOMS - 3))
sigma_T_glass = 300 * np.sqrt(2 / (3 * 2.5e25))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-4-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"box: {sigma_T_box:.1f} K; glass of water: {sigma_T_glass:.1e} K")

# %% nbgrader={"grade": true, "grade_id": "test2-4-3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Fluctuations fall with the square root of the number of degrees of freedom.
assert sigma_T_box > sigma_T_glass > 0, "The larger the system, the smaller the fluctuation."
### BEGIN HIDDEN TESTS
_box = 300 * (2 / 141) ** 0.5
_glass = 300 * (2 / 7.5e25) ** 0.5
# Without the center of mass it is 1 % less.
assert abs(float(sigma_T_box) / _box - 1) < 0.005, (
    f"sigma_T_box = {float(sigma_T_box):.2f} K, expected {_box:.2f} K: three degrees of freedom "
    "for "
    "each atom, less three for the center of mass."
)
assert abs(float(sigma_T_glass) / _glass - 1) < 0.005, "The same formula for the glass."
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Why does the temperature of the box fluctuate, although
# its total energy is constant? And why does your run not begin with exactly 300 K, and why does the temperature
# change as soon as it begins?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-4-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# The temperature is the kinetic energy in other units. At constant total energy kinetic and
# potential energy are exchanged all the time, as in a pendulum, and with few atoms the swings do not
# average out. The velocities at the start are random numbers for 300 K, and so few of them have a
# scatter of their own, as large as the fluctuation. They were drawn without regard to the positions,
# which belong to another moment (and to a run with another temperature and potential): so
# energy flows between motion and bonds until both are in balance.
#
# === BEGIN MARK SCHEME ===
# - 1 point: exchange of kinetic and potential energy; few degrees of freedom, no averaging out.
# - 1 point: the start: few random velocities scatter, or they are not in equilibrium with the
#   positions.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The temperature of 48 atoms fluctuates by tens of kelvins and that of a glass of water by less than a billionth of a kelvin: relative fluctuations fall
# as one over the root of the number of atoms.
#
# </details>

# %% tags=["discussion"]
measured = nve.temperature_K.std()
Markdown(
    f"**Discussion.** In your run the temperature has a standard deviation of {measured:.0f} K, "
    "the "
    f"formula gives {sigma_T_box:.0f} K for constant temperature. At constant energy it is "
    "smaller in "
    "equilibrium, because the total energy cannot fluctuate; the settling at the start adds to "
    "it."
)

# %% [markdown]
# ## Exercise 2.4 (4): 100 steps at constant temperature (4 points)
#
# *Why:* most experiments are done at constant temperature, not at constant energy.
#
# **Predict.** Which line of the figure of exercise 2.4 (2) will no longer be flat? *Your guess:* …
#
# **Do.** Go on from the last frame of `nve` (`nve.frames()[-1]`), *with its velocities*, for 100 steps with a bath of 300 K and the default
# thermostat; record every step, with the engine of ASE. Keep the result as `nvt`. (2 points.)
#
# <details><summary>Hint</summary>
#
# `run_nvt` takes what `run_nve` takes, and `temperature_K`. What it does with the velocities of the frame that it is given is decided by `keep_velocities`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex2-4-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# nvt = …
### BEGIN SOLUTION
nvt = run_nvt(
    potential,
    nve.frames()[-1],
    steps=100,
    temperature_K=300,
    keep_velocities=True,
    engine="ase",
    record_every=1,
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-4-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"thermostat: {nvt.thermostat}, {nvt.target_temperature_K:g} K")
with style():
    both, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
plot_energies(nvt.log(), N_ATOMS, ax=left)
plot_temperature(nvt.log(), ax=right, target_K=nvt.target_temperature_K)
gained = 1000 * (nvt.total_eV[-1] - nvt.total_eV[0]) / N_ATOMS
with_alt_text(
    both,
    f"Left: with the bath the total energy is no longer constant, it changes by {gained:.1f} "
    f"meV/atom. Right: the temperature, at the end {nvt.temperature_K[-1]:.0f} K, with the 300 K "
    "of the bath as a dashed line.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-4-4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The run has a bath of 300 K (1 point) and goes on where the first one ended (1 point).
assert len(nvt.times_fs) > 1, "nvt should be a run."
### BEGIN HIDDEN TESTS
import numpy as _np

assert not nvt.stopped, f"The run was stopped: {nvt.stopped}"
_bath = nvt.thermostat != "none" and float(nvt.target_temperature_K) == 300.0
_bath = _bath and round(float(nvt.times_fs[-1] / nvt.timestep_fs)) == 100
_there = _np.allclose(nvt.positions_A[0], nve.positions_A[-1], atol=1e-6)
_moving = _np.allclose(nvt.velocities_A_per_fs[0], nve.velocities_A_per_fs[-1], atol=1e-6)
if not _bath:
    print("Expected 100 steps of run_nvt with temperature_K=300.")
if not (_there and _moving):
    print("It does not start from the last frame of nve with its velocities: keep_velocities=True?")
float(_bath) + float(_there and _moving)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). Which real experiment does this stand for, and which one
# does NVE stand for? What is still different from water in an open glass?

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-4-4", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# NVT: a closed, rigid vessel that stands in a large bath, with which it exchanges heat, but neither
# matter nor work: an autoclave or a filled, sealed vial in a thermostat. NVE: a perfectly insulated
# vessel, as nearly as a thermos flask is one. In an open glass the pressure is given, and the
# volume follows (NPT); it can evaporate, and it has a surface.
#
# === BEGIN MARK SCHEME ===
# - 1 point: NVT = heat bath (closed vessel in a thermostat), NVE = isolated (thermos flask).
# - 1 point: at constant pressure, not volume; or an open system, evaporation, a surface.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The bath lets energy in and out, so the total energy changes where it was flat before. The temperature still fluctuates: a bath fixes its mean,
# not its value at each moment.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** In 100 steps the bath changed the energy by {gained:+.1f} meV/atom, "
    "whereas "
    "the total energy of the NVE run varied by only "
    f"{1000 * np.ptp(nve.total_eV) / N_ATOMS:.2f} meV/atom. "
    "The temperature goes on fluctuating, as it would in a real vessel of this size: a "
    "bath fixes the mean, not the value at each moment. How fast the bath acts is our choice "
    "(`relaxation_fs` of `run_nvt`): means do not depend on it, motions do."
)

# %% [markdown]
# ## Exercise 2.4 (more): is your water a liquid? (4 points)
#
# *Why:* a run can have the right temperature and conserve its energy, and still be ice. The log does not show this.
#
# Three numbers distinguish a liquid from a solid:
#
# - **Order.** The *tetrahedral order* $q$ of a molecule compares the angles $\psi$ between its four nearest neighbors with those of a
#   tetrahedron: $q = 1 - \tfrac38 \sum_{\text{6 pairs}} (\cos\psi + \tfrac13)^2$ is 1 in a perfect tetrahedron and 0 on
#   average for neighbors at random
#   ([Errington and Debenedetti, *Nature* **409**, 318 (2001)](https://doi.org/10.1038/35053024)). Liquid water has about
#   0.55 to 0.75, ice more than 0.8.
# - **Exchange.** The radial distribution function $g_{OO}(r)$ is the density of O atoms at a distance $r$ (Å) from another O, relative to the mean
#   density. Its first peak belongs to the nearest neighbors, the first *shell*; behind it there is a minimum. In a liquid molecules pass from the
#   first shell to the second all the time, and the minimum stays between about 0.7 and 1; in ice the shells are separate, and it falls towards 0.
# - **Motion.** The mean square displacement is the mean of (distance that an atom has moved)² after a time $t$. In a liquid it grows steadily, with a
#   slope of $6 D$; in a solid it stops growing. Water at 300 K has a diffusion coefficient $D$ of 0.24 Å²/ps (2.4·10⁻⁹ m²/s).
#
# **Predict.** Your potential knows frames of liquid water between 300 and 450 K. Will a run at 300 K stay liquid? *Your guess:* …
#
# **Do.** Run 10.4 ps at 300 K from `START` with `walled`, your potential with a wall (next cell), this time with the compiled engine (the default), in which the whole
# loop runs outside Python: 13 000 steps of 0.8 fs, a record every 25 steps, and `thermostat="bussi"`, which rescales the velocities of all atoms
# by the same factor and so disturbs motions least. (A *monitor* watches every run, and stops it if bonds break, two O atoms come too close or the energy jumps;
# `liquid.stopped` then says why. Should that happen, take another `seed`.) Keep the run as `liquid`, and from `liquid.after(400)`, the part after 0.4 ps, compute
#
# - `order` (float): $q$, averaged over all molecules of all frames (`tetrahedral_order(atoms)` gives those of one frame);
# - `first_minimum` (float): the lowest $g_{OO}$ between 3 and 4 Å, from `radial_distributions(…, [("O", "O")], bin_A=0.2)`;
# - `diffusion` (float, Å²/ps): a sixth of the slope of the mean square displacement of O, fitted with a straight line between 1000 and
#   2500 fs (`mean_square_displacement`, `np.polyfit`).
#
# (1 point for the run, 1 for each number.)
#
# <details><summary>Hint 1</summary>
#
# The frames are `liquid.after(400).frames()`. A mean over the means of all frames is fine, because each has as many molecules.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The table of `mean_square_displacement` has `lag_fs` and `msd_A2`. A slope in Å²/fs times 1000 is one in Å²/ps.
#
# </details>

# %% [markdown]
# No training frame has two O atoms closer than 2.35 Å, and nobody knows what a potential predicts where it has no data. Short
# runs do not get there; for longer ones the kit can add a repulsion between O atoms that are closer than that, a *wall*, which changes nothing at
# larger distances. (Lesson 08 shows what happens without.)


# %%
def with_wall(gap):
    """Return a potential that keeps O atoms at least about 2.35 Å apart."""
    return JaxCalculator(with_core_repulsion(gap.model))


walled = with_wall(potential)

# %% nbgrader={"grade": false, "grade_id": "ex5-liquid", "locked": false, "schema_version": 3, "solution": true, "task": false}
# liquid = …
# order = …
# first_minimum = …
# diffusion = …
### BEGIN SOLUTION
liquid = run_nvt(
    walled,
    START,
    steps=13_000,
    timestep_fs=0.8,
    temperature_K=300,
    thermostat="bussi",
    record_every=25,
    seed=1,
)
settled = liquid.after(400)
order = float(np.mean([tetrahedral_order(atoms) for atoms in settled.frames()]))
g = radial_distributions(settled, [("O", "O")], bin_A=0.2)
first_minimum = float(g["OO"][g["r_A"].between(3, 4)].min())
moved = mean_square_displacement(settled)
moved = moved[moved["lag_fs"].between(1000, 2500)]
diffusion = float(1000 * np.polyfit(moved["lag_fs"], moved["msd_A2"], 1)[0] / 6)
### END SOLUTION

# %% [markdown]
# **Check yourself.** The kit judges the run by the same three numbers (`judge_phase`); yours should be close to its. Its $D$ comes from other parts of the run, and
# so short a run determines $D$ to a factor of two at best. The value in parentheses is corrected for the small box: a molecule that moves
# drags the liquid around it along, and in a periodic box this flow is hindered by that of the images, so that all molecules move too slowly
# ([Yeh and Hummer, *J. Phys. Chem. B* **108**, 15873 (2004)](https://doi.org/10.1021/jp0477147)). The correction is $2.84\, k_B T / (6 \pi \eta L)$
# for a box of edge $L$ and a viscosity $\eta$ of the liquid.

# %% nbgrader={"grade": false, "grade_id": "ex5-liquid-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"yours: q {order:.3f}, first minimum {first_minimum:.2f}, D {diffusion:.3f} Å²/ps")
print(judge_phase(liquid).sentence)
at_300_K = [atoms for atoms in load_frames("water", "train") if atoms.info["temperature_K"] == 300]
stored_64 = pd.read_csv(STORED / "box_64.csv")  # g(OO) of 64 molecules, stored
tables = {
    "64 molecules (stored run)": stored_64,
    "your run, 16 molecules": radial_distributions(liquid.after(400), [("O", "O")], bin_A=0.1),
    "training frames at 300 K": radial_distributions(at_300_K, [("O", "O")], bin_A=0.1),
    "experiment": pd.DataFrame(MEASURED_G_OO, columns=["r_A", "OO"]),
}
told = [
    f"{name}: highest at {t['r_A'][t['OO'].idxmax()]:.2f} Å ({t['OO'].max():.1f})"
    for name, t in tables.items()
]
with style():
    figure, axes = plt.subplots(figsize=(9, 5))
with_alt_text(
    plot_radial_distribution(tables, ax=axes),
    "Radial distribution function of O–O pairs up to 6 Å, half the box of 64 molecules. "
    + "; ".join(told)
    + ".",
)

# %% nbgrader={"grade": true, "grade_id": "test5-liquid", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point for the run, one for each of the three numbers.
assert len(liquid.times_fs) > 100, "liquid should be a run of 10.4 ps."
### BEGIN HIDDEN TESTS
import numpy as _np

_positions, _times = _np.asarray(liquid.positions_A), _np.asarray(liquid.times_fs)
_box = _np.diag(_np.asarray(liquid.start.cell.array))
assert float(_times[-1]) > 5000, f"liquid ends after {float(_times[-1]):g} fs: run 10.4 ps."
_run = float(_times[-1]) > 9900 and liquid.thermostat != "none" and not liquid.stopped
_run = _run and float(liquid.target_temperature_K) == 300.0 and len(_positions[0]) == 48
if not _run:
    print("Expected at least 10 ps of run_nvt at 300 K from START, not stopped by the monitor.")
_O = _np.array([s == "O" for s in liquid.start.get_chemical_symbols()])
_late = _positions[_times >= 400][:, _O]


def _vectors(x):
    _d = x[:, None] - x[None]
    return _d - _box * _np.round(_d / _box)


_q, _counts, _edges = [], 0, _np.arange(0, 3.901, 0.2)
for _x in _late[:: max(1, len(_late) // 100)]:
    _d = _vectors(_x)
    _r = _np.linalg.norm(_d, axis=-1) + _np.diag(_np.full(len(_x), 99.0))
    _counts = _counts + _np.histogram(_r, _edges)[0]
    for _i in range(len(_x)):
        _near = _np.argsort(_r[_i])[:4]
        _u = _d[_near, _i] / _r[_i][_near, None]
        _q.append(1 - 3 / 8 * (((_u @ _u.T)[_np.triu_indices(4, 1)] + 1 / 3) ** 2).sum())
_n = len(_late[:: max(1, len(_late) // 100)])
_shell = 4 / 3 * _np.pi * _np.diff(_edges**3) * (_O.sum() / _box.prod()) * _O.sum() * _n
_g = (_counts / _shell)[(_edges[:-1] > 2.95) & (_edges[1:] < 3.95)]
_masses = _np.where(_O, 15.999, 1.008)
_center = (_positions[_times >= 400] * _masses[:, None]).sum(1) / _masses.sum()
_path = _late - _center[:, None]
_step = float(_times[1] - _times[0])
_lags = [round(t / _step) for t in _np.linspace(1000, 2500, 16)]
_msd = [float(((_path[k:] - _path[:-k]) ** 2).sum(-1).mean()) for k in _lags]
_D = 1000 * _np.polyfit(_step * _np.array(_lags), _msd, 1)[0] / 6
_right = [
    abs(float(order) - float(_np.mean(_q))) < 0.03,
    abs(float(first_minimum) - float(_g.min())) < 0.15,
    abs(float(diffusion) - _D) < max(0.02, 0.15 * abs(_D)),
]
if not all(_right):
    print(
        f"Expected about q {_np.mean(_q):.3f}, first minimum {_g.min():.2f}, D {_D:.3f} Å²/ps "
        "for "
        "this run, after its first 0.4 ps."
    )
float(_run) + float(sum(_right))
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With most seeds the run stays a liquid: q in the range of liquid water, a first minimum of g(OO) well above a half, and a mean square displacement that keeps growing.
# The first peak lies close to that of the experiment; its height depends on the functional, the fit and the box. (Now and then a run of sixteen molecules freezes, or is
# stopped because an O–H bond breaks: of six runs of 20 ps that were made with the default settings, one did the first and one the second. Look at your own before you use it.)
#
# </details>
#
# **What else the log shows.** `summarize_run` collects the checks of the log in one table. How to read it:
#
# - with a bath the energy may drift, so nothing is expected of it;
# - the mean temperature should be that of the bath within its error;
# - the relative fluctuation of the temperature should be $\sqrt{2/n}$, as in exercise 2.4 (3);
# - O and H should have the same temperature (*equipartition*), which fails when a bath heats one kind of motion more than another.

# %% nbgrader={"grade": false, "grade_id": "ex5-summary-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(summarize_run(liquid.after(400)).round(3).to_string(index=False, na_rep="–"))
show_trajectory(liquid, n_frames=50)

# %% tags=["discussion"]
phase = judge_phase(liquid)
Markdown(
    f"**Discussion.** {phase.sentence} The training frames at 300 K have q = "
    f"{np.mean([tetrahedral_order(a) for a in at_300_K]):.3f}. Read their curve with care: they "
    "were *labeled* by DFT, but *sampled* by an earlier "
    "GAP, so they show the liquid of that GAP and not DFT's own; other frames of the set come "
    "from up to 450 K, which is why only those of 300 K are drawn. "
    "Sixteen molecules see only up to 3.9 Å, half of their box; the second shell near 4.5 Å, "
    "the mark of tetrahedral water, needs the box of 64. "
    "In the large box the first peak is "
    f"{tables['64 molecules (stored run)']['OO'].max():.2f} high, in the measurement "
    f"{MEASURED_G_OO[:, 1].max():.2f}. Three things can be behind such a difference: the "
    "functional, the "
    "classical nuclei (quantum nuclei make the peak lower), and the error of the fit. DFT "
    "energies and forces of some frames of "
    "the run show how large the last one is; the next exercise does so with energies. "
    f"Your D, {diffusion:.2f} Å²/ps, is that of a box in which periodic images slow every "
    "molecule down."
)

# %% [markdown]
# ## Exercise 2.4 (more): what happened to my water? (8 points)
#
# *Why:* when a simulation goes wrong, is it the potential, or the DFT that it has learned? The two mistakes need different remedies.
#
# DFT depends on the functional that is chosen (lesson 01). The data of this course come from revPBE-D3; PBE-D3 is another popular functional. The first
# edition of this course used it for the same box of water, and 100 of its frames are kept as `"water_pbe"`. Repeat your run with it.
#
# **Predict.** The box, the temperature and the number of frames are the same, and both functionals are widely used for water. What will differ between the
# two runs? *Your guess:* …
#
# **Do, first part.** Train `PBE_CONFIG` (next cell: a smaller potential, which trains and runs in seconds) on `load_frames("water_pbe", "train", 100)` with `engine="jax"`,
# and write it to `HERE / "gap_pbe.xml"`. Then run 16 ps (20 000 steps of 0.8 fs) at 300 K with it and `with_wall`, from the first *validation* frame of `"water_pbe"`, otherwise as before. Keep
#
# - `pbe_run`: the run;
# - `order_first`, `order_last` (float): $q$ in its first and in its last 2 ps (means over molecules and frames);
# - `phase_last` (str): what the water has become after 4 ps: `"liquid"`, `"supercooled"` (ordered as a liquid, but it hardly flows), `"freezing"` (between
#   liquid and ice) or `"frozen"`. Look at order *and* motion.
#
# (1 point for both orders, 1 for the word.)
#
# <details><summary>Hint</summary>
#
# Each frame of `pbe_run.frames()` has its time as `info["time_fs"]`. `judge_phase(pbe_run.after(4000))` has a `.verdict`; look at the figure below before you agree with it.
#
# </details>

# %%
PBE_CONFIG = GapConfig(cutoff=3.5, cutoff_transition_width=2.0, n_max=6, n_sparse=200)

# %% nbgrader={"grade": false, "grade_id": "ex5-pbe", "locked": false, "schema_version": 3, "solution": true, "task": false}
# pbe_run = …
# order_first = …
# order_last = …
# phase_last = …
### BEGIN SOLUTION
fit_gap(
    PBE_CONFIG,
    load_frames("water_pbe", "train", 100),
    output=HERE / "gap_pbe.xml",
    engine="jax",
)
pbe_potential = load_potential(HERE / "gap_pbe.xml")
pbe_run = run_nvt(
    with_wall(pbe_potential),
    load_frames("water_pbe", "validate")[0],
    steps=20_000,
    timestep_fs=0.8,
    temperature_K=300,
    thermostat="bussi",
    record_every=25,
    seed=3,
)
frames = pbe_run.frames()
early = [atoms for atoms in frames if atoms.info["time_fs"] <= 2000]
late = [atoms for atoms in frames if atoms.info["time_fs"] >= pbe_run.times_fs[-1] - 2000]
order_first, order_last = (
    float(np.mean([tetrahedral_order(atoms) for atoms in part])) for part in (early, late)
)
phase_last = judge_phase(pbe_run.after(4000)).verdict
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex5-pbe-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
runs_of = {"revPBE-D3 (yours)": liquid, "PBE-D3": pbe_run}
print(f"PBE-D3: q {order_first:.3f} in the first 2 ps, {order_last:.3f} in the last: {phase_last}")
for name, run in runs_of.items():
    print(f"{name}: mean temperature {run.temperature_K.mean():.0f} K {run.stopped}")
with style():
    panels, axes = plt.subplots(2, 2, figsize=(12, 8.4))
plot_order({name: order_along(run) for name, run in runs_of.items()}, ax=axes[0, 0])
plot_displacement(
    {
        name: mean_square_displacement(run.after(run.times_fs[-1] - 8000))
        for name, run in runs_of.items()
    },
    ax=axes[0, 1],
)
axes[0, 1].title.set_text("How far O atoms get, last 8 ps")
ends = {name: run.after(run.times_fs[-1] - 4000) for name, run in runs_of.items()}
plot_radial_distribution(
    {name: radial_distributions(end, [("O", "O")], bin_A=0.1) for name, end in ends.items()},
    ax=axes[1, 0],
)
axes[1, 0].title.set_text("O–O pairs, last 4 ps")
plot_temperature(pbe_run.log(), ax=axes[1, 1], target_K=300)
axes[1, 1].title.set_text("Temperature, PBE-D3")
with_alt_text(
    panels,
    "Four panels. Tetrahedral order against time: revPBE-D3 stays in the range of the liquid, "
    f"PBE-D3 goes from {order_first:.2f} to "
    f"{order_last:.2f}. Mean square displacement of the last 8 ps. g(OO) of the last 4 ps. The "
    "temperature of the PBE-D3 run "
    "fluctuates about the 300 K of the bath.",
)

# %% nbgrader={"grade": true, "grade_id": "test5-pbe", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# One point for the order at both ends, one for the word.
assert pbe_run.times_fs[-1] > 9900, "pbe_run should be a run of 16 ps (or 10 at least)."
### BEGIN HIDDEN TESTS
import numpy as _np

_positions, _times = _np.asarray(pbe_run.positions_A), _np.asarray(pbe_run.times_fs)
_box = _np.diag(_np.asarray(pbe_run.start.cell.array))
_O = _np.array([s == "O" for s in pbe_run.start.get_chemical_symbols()])


def _order(x):
    _d = x[:, None] - x[None]
    _d = _d - _box * _np.round(_d / _box)
    _r = _np.linalg.norm(_d, axis=-1) + _np.diag(_np.full(len(x), 99.0))
    _all = []
    for _i in range(len(x)):
        _near = _np.argsort(_r[_i])[:4]
        _u = _d[_near, _i] / _r[_i][_near, None]
        _all.append(1 - 3 / 8 * (((_u @ _u.T)[_np.triu_indices(4, 1)] + 1 / 3) ** 2).sum())
    return _np.mean(_all)


_first, _last = (
    float(_np.mean([_order(x) for x in _positions[_part][:, _O]]))
    for _part in (_times <= 2000, _times >= _times[-1] - 2000)
)
_orders = abs(float(order_first) - _first) < 0.02 and abs(float(order_last) - _last) < 0.02
if not _orders:
    print(f"Expected q {_first:.3f} in the first 2 ps of this run and {_last:.3f} in the last.")
_allowed = {"liquid", "supercooled"} if _last < 0.78 else set()
_allowed |= {"supercooled"} if _last < 0.8 else set()
_allowed |= {"freezing"} if _last > 0.7 else set()
_allowed |= {"frozen"} if _last > 0.78 else set()
_moved = ((_positions[-1] - _positions[_times >= _times[-1] - 4000][0])[_O] ** 2).sum(-1).mean()
if _moved < 2.0:  # Å²; a liquid gets some 5 Å² far in 4 ps
    _allowed -= {"liquid"}
_word = str(phase_last).strip().lower() in _allowed
if not _word:
    print(
        f"q = {_last:.2f} in the last 2 ps, and O atoms get {_moved:.1f} Å² far in the last 4 "
        "ps: "
        f"which word fits? Expected {' or '.join(sorted(_allowed))}."
    )
float(_orders) + float(_word)
### END HIDDEN TESTS

# %% [markdown]
# Runs differ: with PBE-D3 some freeze within 10 ps, others get stuck between liquid and ice. In all of them the molecules nearly stop moving.
#
# **Do, second part: ask DFT.** Ten frames of a liquid run (revPBE-D3) and ten of a run with PBE-D3 that froze were labeled with *both* functionals:
# `load_frames("water", "liquid")` and `load_frames("water", "frozen")`, with `info["dft_energy"]` (revPBE-D3) and
# `info["pbe_energy"]` (PBE-D3), both in eV per box. Compute by how much the energy **per molecule** changes, in meV, from the mean of the liquid frames to that of
# the frozen ones, as a dictionary `freezing` with
#
# - `"revPBE-D3, DFT"` and `"PBE-D3, DFT"`: from the labels;
# - `"revPBE-D3, GAP"` and `"PBE-D3, GAP"`: from your potential and from `gap_pbe.xml` on the same frames.
#
# (3 points: 1 for each functional's DFT value, 1 for both potentials.) Negative values mean that the ice is lower in energy.
#
# <details><summary>Hint</summary>
#
# `atoms.calc = potential`, then `atoms.get_potential_energy()`, for a copy of each frame; or `evaluate(potential, frames).energies`, whose columns are in eV **per atom**: a molecule has three.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ex5-dft", "locked": false, "schema_version": 3, "solution": true, "task": false}
# freezing = …
### BEGIN SOLUTION
phases = {name: load_frames("water", name) for name in ("liquid", "frozen")}


def change(energies):
    return float(1000 * (np.mean(energies["frozen"]) - np.mean(energies["liquid"])) / 16)


freezing = {}
for name, key, model in (
    ("revPBE-D3", "dft_energy", potential),
    ("PBE-D3", "pbe_energy", load_potential(HERE / "gap_pbe.xml")),
):
    freezing[f"{name}, DFT"] = change({k: [a.info[key] for a in v] for k, v in phases.items()})
    freezing[f"{name}, GAP"] = change(
        {k: 48 * evaluate(model, v).energies["predicted"] for k, v in phases.items()}
    )
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex5-dft-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
pd.DataFrame({"frozen − liquid, meV per molecule": freezing}).round(1)

# %% nbgrader={"grade": true, "grade_id": "test5-dft", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# One point for each functional by DFT, one for both potentials.
assert set(freezing) >= {"revPBE-D3, DFT", "PBE-D3, DFT"}, "The keys are those of the text."
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames

_sets = {_name: _load_frames("water", _name) for _name in ("liquid", "frozen")}
_want = {
    _functional: 1000
    * (
        _np.mean([a.info[_key] for a in _sets["frozen"]])
        - _np.mean([a.info[_key] for a in _sets["liquid"]])
    )
    / 16
    for _functional, _key in (("revPBE-D3", "dft_energy"), ("PBE-D3", "pbe_energy"))
}
_score = 0.0
for _functional, _value in _want.items():
    _right = abs(float(freezing[f"{_functional}, DFT"]) - _value) < 0.6
    if not _right:
        print(f"{_functional}, DFT: expected {_value:.1f} meV per molecule, frozen minus liquid.")
    _score += float(_right)
_models = all(
    abs(float(freezing.get(f"{_functional}, GAP", 1e9)) - _value) < 20
    for _functional, _value in _want.items()
)
if not _models:
    print("The potentials should come within 20 meV per molecule of their DFT: in eV per box?")
_score + float(_models)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (3 points, marked by hand). Was it the model or the functional? What do the four numbers show? Why does a lower *energy* not yet
# decide which phase is stable at 300 K, and what does? (At a given temperature $T$ the phase with the lower *free energy* $F = E - TS$ is stable, where $S$ is the
# entropy. When real ice melts, its entropy rises by 0.23 meV/K per molecule: compare $T \Delta S$ with your numbers.)
#
# Name one thing about this simulation that would be different in a real glass of water.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text5-water", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Both potentials reproduce the change of energy of their own DFT, so the model did what it was taught: the functional is to blame. With PBE-D3 the
# ice lies about 20 meV per molecule deeper than with revPBE-D3. The stable phase is that with the lower *free* energy, $\Delta F = \Delta E - T \Delta S$. Freezing costs
# entropy: with 0.23 meV/K it costs 0.23 · 300 = 69 meV per molecule at 300 K. The gain of revPBE-D3, some 63 meV, does not pay for that, so the liquid is stable; that of
# PBE-D3, some 84 meV, does. Dividing the energy by the entropy gives rough melting points of 275 and 365 K. (These are energies of few frames at fixed volume, and the entropy is that of real water.)
# In a real glass the pressure and not the volume is fixed, and there are far more than 16 molecules: a small periodic box lets
# a crystal that fits it form within picoseconds, while supercooled water in a glass waits for a nucleus.
#
# === BEGIN MARK SCHEME ===
# - 1 point: each potential gives the change of its own DFT, so the functional (with the box) is to blame and not the model.
# - 1 point: the free energy decides; entropy favors the liquid, some 69 meV per molecule at 300 K, between the two gains.
# - 1 point: a limit of the argument: small periodic box, fixed volume, fast nucleation, classical nuclei, few or correlated frames, frames that were sampled with the other functional.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With PBE-D3 the order rises towards that of ice and the molecules stop moving, at the right temperature and without any warning from the log. DFT itself gives
# nearly the same change of energy as the potential: the potential reproduces its functional, and this functional describes water wrongly.
#
# </details>

# %% tags=["discussion"]
LOSS = 0.228  # meV/K per molecule: 6.01 kJ/mol of heat of fusion at 273.15 K
deep = {name: -value for name, value in freezing.items()}
scatter = {
    key: np.hypot(
        *(
            np.std([a.info[key] for a in frames]) / np.sqrt(len(frames))
            for frames in phases.values()
        )
    )
    * 1000
    / 16
    for key in ("dft_energy", "pbe_energy")
}
Markdown(
    f"**Discussion.** DFT gains {deep['revPBE-D3, DFT']:.0f} meV per molecule with revPBE-D3 "
    f"and {deep['PBE-D3, DFT']:.0f} with PBE-D3; the potentials say "
    f"{deep['revPBE-D3, GAP']:.0f} and {deep['PBE-D3, GAP']:.0f}. (Ten frames know each of them "
    f"to about {scatter['dft_energy']:.0f} meV, if they were independent.) "
    f"Freezing costs {300 * LOSS:.0f} meV of $T \\Delta S$ at 300 K. Energy over entropy would "
    f"put the melting points at {deep['revPBE-D3, DFT'] / LOSS:.0f} K and "
    f"{deep['PBE-D3, DFT'] / LOSS:.0f} K. For PBE without D3, simulations with ice and liquid "
    "side by side found 417 ± 3 K "
    "([Yoo, Zeng and Xantheas, *J. Chem. Phys.* **130**, 221102 "
    "(2009)](https://doi.org/10.1063/1.3153871)): PBE water at 300 K is deeply supercooled. "
    "**How far does the argument carry?** The frozen frames come from a run with PBE-D3 and "
    "the liquid ones from a run with revPBE-D3. Each functional would relax the "
    "other's frames a little, so the table favors ice for PBE-D3 and the liquid for revPBE-D3, "
    "and the true difference of the two is smaller. "
    "The entropy is that of real ice and water at constant pressure, the box has constant "
    "volume (ice wants 9 % more), sixteen molecules fit only some crystals, "
    "and periodic images help a crystal to form. The margin of revPBE-D3 is small: now and then such a small "
    "box freezes with it as well. What is safe is the comparison of each "
    "potential with its own DFT on the same frames. "
    "The remedy therefore is not a better fit but another functional. Had the two disagreed, "
    "more frames would have helped: that is lesson 08."
)

# %% [markdown]
# ## Exercise 2.4 (5): a fair comparison of costs (6 points)
#
# *Why:* "a thousand times faster" is easily claimed: faster than what, on which computer, and at which
# cost for the training data?
#
# **Predict.** After how many steps of dynamics has the potential paid for itself: some ten, some hundred, or a million? *Your guess:* …
#
# **Do.** The next cell collects the measured times; number of frames and training time are those of the *stored* potential, so that the account is the
# same for everyone. The training frames had to be found as well: 107 earlier frames were labeled to train two earlier potentials, and those sampled the
# box for about half an hour of one core (`data/water/generate/README.md`). Compute
#
# - `speed_up` (float, no unit): how many steps of the potential fit into the time of one DFT step;
# - `break_even_data` (float, steps): after how many steps of dynamics the potential has cost less than DFT would have, if you count the DFT of its training
#   frames, its training and its own steps;
# - `break_even_steps` (float, steps): the same, with the price of finding the frames (DFT of the earlier frames, and sampling).
#
# (4 points: 1, 1 and 2; to 5 %.)
#
# <details><summary>Hint</summary>
#
# Let $n$ be the number of steps. Write down the seconds that $n$ steps of DFT take, and those that the potential takes for everything before its first step
# and for $n$ steps. Where are they equal?
#
# </details>

# %% tags=["measured"]
made = pd.read_csv(STORED / "gap.csv").iloc[0]  # stored with the potential
dft_s = recorded_dft_seconds(load_frames("water", "train"))
timed = run_nve(potential, START, steps=1000, progress=False)
step_s = step_cost(timed).clock_s
n_training_frames, training_s = int(made["n_frames"]), float(made["fit_cpu_seconds"])
n_earlier_frames, sampling_s = 107, 1800.0
print(f"one step with DFT (recorded with the data, the fastest frame, one core): {dft_s:.1f} s")
print(f"one step with the potential (this machine): {1000 * step_s:.2f} ms")
print(f"training (stored potential): {n_training_frames} frames with DFT, then {training_s:.0f} s")
print(f"before that: {n_earlier_frames} frames with DFT, then {sampling_s:.0f} s of sampling")

# %% nbgrader={"grade": false, "grade_id": "ex2-4-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
# speed_up = …
# break_even_data = …
# break_even_steps = …
### BEGIN SOLUTION
speed_up = dft_s / step_s
saved_s = dft_s - step_s  # by every step
break_even_data = (n_training_frames * dft_s + training_s) / saved_s
break_even_steps = break_even_data + (n_earlier_frames * dft_s + sampling_s) / saved_s
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex2-4-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"{speed_up:.0f} steps in the time of one DFT step")
print(f"break-even after {break_even_data:.0f} steps, or {break_even_steps:.0f} with the sampling")
print(f"that is {break_even_steps * 0.5 / 1000:.2f} ps of dynamics")
earlier_s = n_earlier_frames * dft_s + sampling_s
account = Cost(step_cost(timed), dft_s, n_training_frames, training_s, sampling_s=earlier_s)
with_alt_text(
    plot_cost(account.curves(), break_even_steps),
    "Time against the number of steps, both axes logarithmic. The line of DFT rises from the "
    "start; "
    "that of the potential is flat at the price of sampling, data and training and crosses it "
    "after "
    f"{break_even_steps:.0f} steps.",
)

# %% nbgrader={"grade": true, "grade_id": "test2-4-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# One point for the ratio of two steps, one for the break-even with data, two with all costs.
assert speed_up > 0 and 0 < break_even_data < break_even_steps, "Sampling makes it later."
### BEGIN HIDDEN TESTS
import pandas as _pd

from helpers import load_frames as _load_frames
from helpers.frames import data_folder as _data_folder

_seconds = [
    a.info["dft_seconds"] for a in _load_frames("water", "train") if "Polarizability" not in a.info
]
_dft, _step = float(min(_seconds)), float(step_s)
_made = _pd.read_csv(_data_folder() / "stored" / "gap.csv").iloc[0]
_data = (_made["n_frames"] * _dft + _made["fit_cpu_seconds"]) / (_dft - _step)
_all = _data + (107 * _dft + 1800.0) / (_dft - _step)
_fast = abs(float(speed_up) * _step / _dft - 1) < 0.05
_paid, _honest = (
    abs(float(_mine) / _theirs - 1) < 0.05
    for _mine, _theirs in ((break_even_data, _data), (break_even_steps, _all))
)
if not (_fast and _paid and _honest):
    print(
        f"Expected {_dft / _step:.0f}, {_data:.0f} and {_all:.0f}. The potential pays for its "
        "frames, its "
        "training and the sampling once, then for its own step each time; DFT pays for its "
        "step each time."
    )
float(_fast) + float(_paid) + 2.0 * float(_honest)
### END HIDDEN TESTS

# %% [markdown]
# **Question** (2 points, marked by hand). What else belongs in a *fair* comparison? Name at least
# two things that these numbers leave out, and say in whose favor each of them is.

# %% [markdown] nbgrader={"grade": true, "grade_id": "text2-4-5", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Accuracy: the potential makes errors that DFT does not make, and outside its training data it has no
# value at all (in favor of DFT). The validation frames, which were labeled as well (in favor of DFT). The same hardware with the same number of cores, not busy with other
# things: our DFT seconds were recorded on a busy machine (in favor of DFT if corrected). DFT in dynamics can
# start from the last wave function, and looser settings would do (in favor of DFT). The size of the
# system: the potential grows with the number of atoms, DFT with its square or cube (in favor of the
# potential). Work of people: choosing frames and settings, validation (in favor of DFT).
#
# === BEGIN MARK SCHEME ===
# - 1 point: one valid point with its direction (accuracy and range of validity, validation frames, hardware and load,
#   wave function from the last step, settings, scaling with size, human time).
# - 1 point: a second valid point, with its direction.
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# In the time of one DFT step the potential makes thousands of steps, but it pays for itself only after about as many steps as DFT frames were computed to make it (and
# a few more for the sampling). Nearly all of the price is data.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** The ratio of two steps, {account.ratio:.0f}, is what is usually "
    "advertised; what "
    f"matters is the break-even after {account.break_even_steps:.0f} steps "
    f"({break_even_data:.0f} without the sampling). Nearly all of the cost is "
    f"DFT for frames, and {earlier_s / account.before_s:.0%} of it was spent before the first "
    "frame of the training set existed. A run of 10 ps has 20 000 steps of 0.5 fs: by then the "
    "choice is clear. Fewer, better chosen "
    "frames save more than any faster code. And a cheap step is worth nothing where the potential "
    "was never trained: look at the total energy, at the "
    "structure, and at forces on a few DFT frames of the new kind."
)

# %% [markdown]
# ## Exercise 2.4 (more): find the longest time step (optional)
#
# *Why:* a time step twice as long halves the cost.
#
# **Predict.** The bond vibrates with a period of 9 fs. Which of 1, 2 and 3 fs can still be used?
#
# **Do.** Repeat the NVE run over 100 fs with `timestep_fs=` 1, 2 and 3, recording every step. Keep the runs in a dictionary `runs`,
# time step (fs) → run, and `longest_fs` (float): the longest of these time steps with which the total energy stays
# within 5 meV/atom, from its lowest value to its highest. What went wrong with the next one? Look at the check.
# (If you skip it, delete the line with `raise`.)

# %% nbgrader={"grade": false, "grade_id": "ex5-optional", "locked": false, "schema_version": 3, "solution": true, "task": false}
# runs = …
# longest_fs = …
### BEGIN SOLUTION
runs = {
    step: run_nve(
        potential, START, steps=round(100 / step), timestep_fs=step, engine="ase", record_every=1
    )
    for step in (1.0, 2.0, 3.0)
}
longest_fs = max(
    step
    for step, run in runs.items()
    if not run.stopped and 1000 * np.ptp(run.total_eV) / N_ATOMS < 5
)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex5-optional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
for step, run in runs.items():
    change = 1000 * np.ptp(run.total_eV) / N_ATOMS
    print(f"{step:g} fs: total energy within {change:.2f} meV/atom  {run.stopped}")
print(f"for comparison, k_B T at 300 K is {1000 * units.kB * 300:.0f} meV")

# %% nbgrader={"grade": true, "grade_id": "test5-optional", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: runs with three time steps, and the longest that can be used.
assert {1, 2, 3} <= {round(float(step)) for step in runs}, "Runs with 1, 2 and 3 fs."
### BEGIN HIDDEN TESTS
import numpy as _np

_good = []
for _fs, _one in runs.items():
    assert abs(float(_one.timestep_fs) - float(_fs)) < 1e-9, f"runs[{_fs}] has another time step."
    assert _one.stopped or abs(float(_one.times_fs[-1]) - 100) < 3, f"runs[{_fs}]: 100 fs."
    if not _one.stopped and 1000 * _np.ptp(_one.total_eV) / len(_one.start) < 5:
        _good.append(float(_fs))
assert abs(float(longest_fs) - max(_good)) < 1e-9, f"longest_fs: expected {max(_good):g} fs."
### END HIDDEN TESTS

# %% tags=["discussion"]
changes = {step: 1000 * np.ptp(run.total_eV) / N_ATOMS for step, run in runs.items()}
Markdown(
    f"**Discussion.** {longest_fs:g} fs is the longest of the three that conserves the total "
    "energy "
    "well enough ("
    + ", ".join(f"{step:g} fs: {change:.1f} meV/atom" for step, change in changes.items())
    + "). An O–H vibration of 9 fs is divided into "
    + ", ".join(f"{9 / step:.1f}" for step in runs)
    + " steps. With so few steps per period the computed path leaves the true one, each step "
    "overshoots, and the total energy is no longer conserved. Heavier "
    "hydrogen, or bonds that are held fixed, allow longer steps."
)

# %% [markdown]
# ## Summary
#
# - Velocity Verlet needs a time step that is short compared with the fastest vibration; its error grows as the
#   square of the step.
# - At constant energy the total energy shows the quality of the run; the temperature must fluctuate.
# - With a thermostat the mean temperature is given, and the energy fluctuates.
# - Order, exchange and diffusion distinguish a liquid from a solid; temperature and energy drift do not.
# - A potential inherits the errors of its DFT. Comparing it with its own DFT shows which of the two is wrong.
# - A fair comparison of costs includes the training data, the way to them, and the accuracy of the result.
#
# ## Quiz
#
# 1. The total energy of an NVE run rises by 5 meV/atom in each picosecond. Name two suspects.
#
#    <details><summary>Answer</summary>
#
#    Too long a time step; forces that are not the derivative of the energy.
#
#    </details>
#
# 2. Is the total energy of an NVT run a measure of its quality?
#
#    <details><summary>Answer</summary>
#
#    No: the bath lets energy in and out. The mean temperature should be right.
#
#    </details>
#
# 3. How large would the box have to be for fluctuations of 1 K at 300 K?
#
#    <details><summary>Answer</summary>
#
#    $n = 2 \, (300)^2$ = 180 000 degrees of freedom, some 60 000 atoms.
#
#    </details>
#
# 4. Why does the bond vibration, and not the diffusion of molecules, limit the time step?
#
#    <details><summary>Answer</summary>
#
#    It is the fastest motion: the steps must resolve it, however slow the others are.
#
#    </details>
#
# 5. A simulated liquid has the right temperature and a flat total energy, but the mean square displacement stops growing after 1 ps. What do you look at next?
#
#    <details><summary>Answer</summary>
#
#    At the structure (tetrahedral order, the first minimum of g(OO)): it has frozen, or become a glass. Then at the energies of DFT for a few of its frames.
#
#    </details>
