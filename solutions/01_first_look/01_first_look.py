# %% [markdown]
# # 01 · A first look
#
# **You will learn**
# - to use a terminal, and to change a file with an editor,
# - to open snapshots with ASE, and what each of them contains, with units,
# - where the snapshots of this course come from,
# - that a force is the negative slope of the energy, and how to check it,
# - to compare data with what you know already, before you trust it.
#
# **Time:** 60 minutes. **Before you start:** a little Python (lists, functions, NumPy arrays). No
# lesson comes before this one.
#
# **How to use a notebook.** *Shift + Enter* runs a cell and goes to the next. *Esc* leaves a cell;
# then *A* and *B* add one above or below, arrow keys move, *Enter* goes in. *Tab* completes a name,
# *Shift + Tab* explains it, *Ctrl + Shift + C* finds every other command. No mouse is needed. Write
# where it says `YOUR CODE HERE` or `YOUR ANSWER HERE`, and delete the line
# `raise NotImplementedError()`. **Validate**, above, shows whether the visible tests pass.
#
# **How an exercise works.** First make a *prediction*, and write it down: a wrong prediction teaches
# more than none. Then compute, and look at the check below your answer. Hints and *What you should
# have seen* are folded; open them when you are stuck, or when you have finished. Exercises marked
# *optional* carry no points. If you leave one out, delete its line `raise NotImplementedError()`, or
# *Run All* stops there; *Validate* names its test all the same.

# %%
import warnings
from pathlib import Path

import numpy as np
from ase import Atoms, units
from IPython.display import Markdown

from helpers import GapConfig, load_frames
from helpers.frames import data_folder
from helpers.plots import (
    plot_curve_and_slope,
    plot_distribution,
    plot_snapshot,
    plot_strips,
    plot_tensor,
    with_alt_text,
)

warnings.filterwarnings("ignore")
HERE = Path(".")
WATER = data_folder() / "water"

# %% [markdown]
# ## Part 1 · A terminal and an editor
#
# Programs for science are often started by typing. *File → New → Terminal* opens a terminal: it
# waits for a command, and *Enter* runs it.
#
# | command | what it does |
# |---|---|
# | `pwd`, `ls -lh` | where am I? which files are here, how large? |
# | `cd FOLDER`, `cd ..` | go into a folder, and back up |
# | `head -3 FILE`, `less FILE` | show the first lines; page through it (`q` leaves) |
# | `wc -l FILE` | count its lines |
# | `grep -c WORD FILE` | count the lines with a word |
# | `cp FILE COPY` | copy: do this before you change a file that works |
# | `nano FILE` | edit: arrow keys move, *Ctrl + O* *Enter* saves, *Ctrl + X* leaves |
#
# Words in capitals stand for names that you fill in: `wc -l notes.txt` counts the lines of `notes.txt`.
#
# *↑* brings the last command back, *Tab* completes names, *Ctrl + C* stops what runs. If you land
# in the editor `vim` by accident, `:q!` and *Enter* gets you out.
#
# In a notebook, a line that begins with `!` is a command for the terminal. The next cell lists the
# folder with the data of this course, and shows the first lines of one file:

# %%
file = WATER / "gap_input_50.xyz"
print(file)
# !ls -lh "{WATER}"
# !head -4 "{file}"

# %% [markdown]
# A *snapshot*, or *frame*, holds the positions of all atoms at one moment. The file has many of them,
# in the format *extended XYZ*. Every snapshot begins with the number of atoms; the next line
# holds what belongs to all of them (the cell, the energy, …); then comes one line for each atom.

# %% [markdown]
# ## Exercise 1.1: count (2 points)
#
# *Why:* before you use a file, check that it is complete. Counting takes a second.
#
# **Predict.** Each snapshot in this file has 48 atoms. How many lines should one snapshot take?
#
# **Do.** With `wc -l` and `grep -c`, in a terminal or here, find for `gap_input_50.xyz`
# - `n_lines`: how many lines it has (a whole number, 1 point),
# - `n_snapshots`: how many snapshots (a whole number, 1 point). Every snapshot has one `dft_energy`.
#
# <details><summary>Hint</summary>Copy the path that is printed above, and type
# <code>wc -l PATH</code> in the terminal. In a notebook cell:
# <code>!wc -l "{file}"</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "ex1-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
# n_lines = …
# n_snapshots = …
### BEGIN SOLUTION
# In a terminal: wc -l FILE and grep -c dft_energy FILE.
lines = file.read_text(encoding="utf-8").splitlines()
n_lines = len(lines)
n_snapshots = sum("dft_energy" in line for line in lines)
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex1-1-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(
    f"{n_lines} lines / {n_snapshots} snapshots = {n_lines / n_snapshots} lines for each snapshot"
)
print("Does that match the number of atoms given in the file?")

# %% nbgrader={"grade": true, "grade_id": "test1-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Lines and snapshots of a file, counted
assert n_lines > n_snapshots > 0, "a snapshot has more than one line: did you mix up the numbers?"
### BEGIN HIDDEN TESTS
from helpers.frames import data_files as _data_files

_score = 0
for _shipped in _data_files("water"):
    if _shipped.split == "train" and _shipped.size == 50:
        _text = _shipped.path.read_text(encoding="utf-8")
        _score += int(n_lines) == _text.count("\n")
        _score += int(n_snapshots) == _text.count("dft_energy")
if _score < 2:
    print("Count again: wc -l gives the lines, grep -c dft_energy the snapshots of the 50-file.")
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# A snapshot takes 50 lines: one with the number of atoms, one for what belongs to all of them, and one
# for each atom. The file is complete if its lines are a multiple of that.
#
# </details>

# %% [markdown] tags=["discussion"]
# **Discussion.** A file whose lines are no multiple of 50 was cut off. `gap_fit` would drop the last
# snapshot of such a file without a message; `load_frames` compares a checksum first.

# %% [markdown]
# ## Exercise 1.2: change a setting with an editor (optional)
#
# *Why:* in the terminal edition of this workshop, such files hold all settings of a fit.
#
# The next cell writes `gap_config.cfg`, the settings of a fit. Copy it to `my_config.cfg`, open the
# copy with `nano` (or by a double click in the file browser on the left), and set the cutoff of the
# `soap` term to 5 Å. (1 Å, an ångström, is 10⁻¹⁰ m, about the size of an atom. Lesson 02 explains
# what the settings mean; here you only practice editing.) Or do the same with Python, below.
#
# If you used an editor, only delete the line with `raise` below.
#
# <details><summary>Hint</summary>The term <code>soap</code> stands behind the term
# <code>distance_2b</code>, which has a cutoff of its own. In Python,
# <code>text.split("soap", 1)</code> takes the text apart there.</details>

# %%
GapConfig().write(HERE / "gap_config.cfg")
print((HERE / "gap_config.cfg").read_text(encoding="utf-8"))

# %% nbgrader={"grade": false, "grade_id": "ex1-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
# Nothing to write here if you used an editor: then only delete the line with "raise".
### BEGIN SOLUTION
text = (HERE / "gap_config.cfg").read_text(encoding="utf-8")
before, soap = text.split("soap", 1)
soap = soap.replace(f"cutoff={GapConfig().cutoff}", "cutoff=5.0")
_ = (HERE / "my_config.cfg").write_text(f"{before}soap{soap}", encoding="utf-8")
### END SOLUTION
my_config = HERE / "my_config.cfg"  # leave this line: the next cell reads the file

# %% nbgrader={"grade": false, "grade_id": "ex1-2-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
if my_config.is_file():
    print(f"cutoff {GapConfig().cutoff} Å before, {GapConfig.read(my_config).cutoff} Å now")
else:
    print("There is no my_config.cfg in the folder of this notebook.")

# %% nbgrader={"grade": true, "grade_id": "test1-2", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
# Optional: the copy has a cutoff of 5 Å, and can be read.
assert (HERE / "my_config.cfg").is_file(), "my_config.cfg: a copy, in the folder of gap_config.cfg."
### BEGIN HIDDEN TESTS
from helpers import GapConfig as _GapConfig

_config = _GapConfig.read(HERE / "my_config.cfg")
assert float(_config.cutoff) == 5.0, f"The cutoff is {_config.cutoff} Å, not 5 Å."
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The check prints the cutoff before and after. If the second number has not changed, you changed the
# cutoff of the pair term, or saved the file under another name.
#
# </details>

# %% [markdown] tags=["discussion"]
# **Discussion.** `gap_fit` stops if `cutoff` is missing or misspelled, because it is a mandatory
# key. A misspelled `cutoff_transition_width` inside `gap={}`, however, is silently ignored, and
# `gap_fit` trains with its own default of 0.5 Å. `GapConfig.read` refuses both files and names the
# unknown key.

# %% [markdown]
# ## Part 2 · What a snapshot holds
#
# ASE, the [Atomic Simulation Environment](https://doi.org/10.1088/1361-648X/aa680e), keeps a snapshot
# in an object `Atoms`. `load_frames` gives a list of them.
#
# **Units.** Lengths are in ångström (1 Å = 10⁻¹⁰ m), energies in electronvolt (1 eV = 1000 meV =
# 1.602 · 10⁻¹⁹ J), times in femtoseconds (1 fs = 10⁻¹⁵ s; 1000 fs are one picosecond, ps). An O–H bond
# is about 1 Å long and vibrates about once in 9 fs; to pull both atoms of the bond apart takes about 5 eV.
#
# **Words.** A *potential* is a function: positions of the atoms in, energy and forces out. A
# *machine-learned* potential is one whose parameters were fitted to examples. The numbers that it is
# to reproduce, such as the energy of a snapshot, are the *labels* of the snapshot.
#
# **Where do the snapshots come from?** They were made in two steps.
#
# 1. *Structures.* Molecular dynamics moved the molecules: it follows Newton's equations in steps of
#    about 1 fs (lesson 05). There were many independent runs (*trajectories*), at temperatures from 300
#    to 450 K. The forces came from an earlier machine-learned potential of this kit, a GAP (Gaussian
#    approximation potential) as you will train one in lesson 02. From each trajectory a few snapshots
#    were kept, half a picosecond or more apart.
# 2. *Labels.* For each snapshot the program [CP2K](https://doi.org/10.1063/5.0007045) computed the
#    energy, the forces and the polarizability (explained below) with *density functional theory* (DFT).
#    DFT finds the energy of the electrons from quantum mechanics, for nuclei at given positions. It
#    needs an approximation, the *functional*, here one named revPBE. Such functionals miss the weak
#    attraction between distant molecules (dispersion), so [a correction, D3](https://doi.org/10.1063/1.3382344),
#    is added: hence *revPBE-D3*. The program represents the electrons on a grid of points that is fixed in
#    space, and iterates until changes are small. One snapshot took about half a minute of a processor
#    core, and 20 seconds more for the polarizability.
#
# So the *labels* are DFT's, but the *structures* are those that a GAP visited. They look like water, and
# a potential can be trained on them. But they are not a simulation with DFT: do not take averages over
# them for what DFT predicts for water.
#
# The box that holds the molecules (the *cell*) is *periodic*: it repeats in all three directions, so that a
# molecule that leaves on the right comes in on the left, and no molecule sees a surface. In the code, `frames`
# is the list of snapshots, `atoms` one of them, `info` holds what belongs to a whole snapshot, and
# `arrays` what belongs to each atom.

# %%
frames = load_frames("water", "train", 100)
atoms = frames[0]
print(atoms)
print("elements      ", atoms.symbols)
print("first position", atoms.positions[0], "Å")
print("cell          ", atoms.cell.lengths(), "Å; periodic:", atoms.pbc)
print("for the cell  ", sorted(atoms.info))
print("for each atom ", sorted(atoms.arrays))

# %%
with_alt_text(
    plot_snapshot(atoms),
    f"One snapshot seen along z: {len(atoms)} atoms of water, oxygen (red) with two hydrogens "
    f"(white) each, in a square cell of {atoms.cell.lengths()[0]:.2f} Å; molecules are drawn whole, "
    "so that some reach out of the cell.",
)

# %% [markdown]
# Now in three dimensions. Drag to turn the molecules; the slider below the picture goes through ten
# snapshots (*Tab* reaches it, arrow keys move it).

# %%
import chemiscope

bare = [
    Atoms(one.numbers, one.get_positions(wrap=True), cell=one.cell, pbc=True) for one in frames[:10]
]
chemiscope.show(bare, mode="structure", settings={"structure": [{"unitCell": True}]})

# %% [markdown]
# ## Exercise 1.3: what is in the box (4 points)
#
# *Why:* a wrong cell or a missing molecule spoils every later number, and looks harmless.
#
# **Predict.** Count the molecules in the picture above. Is the density that of water in a glass?
#
# **Do.** From `atoms`, compute
# - `n_molecules`: the number of water molecules (a whole number, 1 point),
# - `density_g_per_cm3`: the mass density (float, g/cm³, 2 points). `atoms.get_masses()` gives the mass
#   of each atom in atomic mass units (u) and `atoms.get_volume()` the volume of the cell in Å³;
#   1 u = 1.66054 · 10⁻²⁴ g and 1 Å³ = 10⁻²⁴ cm³;
#
# and from all 100 `frames`
# - `n_trajectories`: how many different trajectories they come from (a whole number, 1 point). Each
#   frame has the number of its trajectory in `info["trajectory"]`.
#
# <details><summary>Hint 1</summary>Every molecule has one oxygen atom:
# <code>atoms.symbols == "O"</code>.</details>
# <details><summary>Hint 2</summary>The factors 10⁻²⁴ cancel. A Python <code>set</code> holds every
# number once.</details>

# %% nbgrader={"grade": false, "grade_id": "ex1-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
# n_molecules = …
# density_g_per_cm3 = …
# n_trajectories = …
### BEGIN SOLUTION
n_molecules = int((atoms.symbols == "O").sum())
mass_g = atoms.get_masses().sum() * 1.66054e-24
density_g_per_cm3 = mass_g / (atoms.get_volume() * 1e-24)
n_trajectories = len({one.info["trajectory"] for one in frames})
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex1-3-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"{n_molecules} molecules, {density_g_per_cm3:.3f} g/cm³. Water in a glass: 0.997 g/cm³.")
print(f"{len(frames)} frames from {n_trajectories} trajectories")

# %% nbgrader={"grade": true, "grade_id": "test1-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Molecules and density of the cell, and the number of independent trajectories
assert 0 < n_molecules < len(atoms), "a molecule has more than one atom"
assert 0 < density_g_per_cm3 < 20, "no liquid is that dense: check the units of mass and volume"
### BEGIN HIDDEN TESTS
from helpers import load_frames as _load_frames

_box = _load_frames("water", "train", 50)[0]
_density = _box.get_masses().sum() * 1.66053907 / _box.get_volume()
_runs = {_frame.info["trajectory"] for _frame in _load_frames("water", "train", 100)}
_score = (int(n_molecules) == 16) + 2 * (abs(float(density_g_per_cm3) / _density - 1) < 0.002)
_score += int(n_trajectories) == len(_runs)
if _score < 4:
    print(f"Expected: one oxygen for each molecule; mass in g / volume in cm³ = {_density:.4f};")
    print(f"{len(_runs)} different numbers in info['trajectory'] of the 100 frames.")
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The density is that of the real liquid, because the size of the cell was chosen so. There are fewer
# trajectories than frames: frames of one trajectory resemble each other, so 100 frames teach somewhat
# less than 100 independent ones would.
#
# </details>

# %% tags=["discussion"]
Markdown(
    f"**Discussion.** {n_molecules} molecules at the density of the real liquid. The cell repeats in "
    "all directions, so no molecule sees a surface, but each sees its own images "
    f"{atoms.cell.lengths()[0]:.1f} Å away. The cell is small enough for DFT to be affordable, and too "
    "small for motions that extend further than that. How independent the frames are will matter "
    "twice: for error bars (lesson 02) and for learning curves (lesson 03)."
)

# %% [markdown]
# ## Energies
#
# A DFT energy is counted from ion cores and valence electrons that are infinitely far apart. It is
# therefore a large negative number, which says little by itself. What matters are differences between
# snapshots; they are usually given per atom, in meV. A natural scale for them is the thermal energy
# $k_\mathrm{B}T$ ($k_\mathrm{B}$ is Boltzmann's constant, $T$ the temperature): about the energy that
# one motion of one atom has at this temperature.

# %%
print(f"energy of the first snapshot: {atoms.info['dft_energy']:.3f} eV")
print(f"k_B T at 300 K: {1000 * units.kB * 300:.1f} meV;  1 eV = {units.mol / units.kJ:.2f} kJ/mol")

# %% [markdown]
# ## Exercise 1.4: energies that can be compared (2 points)
#
# *Why:* errors of potentials are quoted in meV per atom; you need to know what they compare with.
#
# **Predict.** The snapshots come from simulations at 300, 330, 360, 400 and 450 K. How does the energy
# depend on the temperature? Will two temperatures overlap?
#
# **Do.** Make `relative_energies_meV_per_atom`, an array with one number for each of the 100 `frames`:
# the DFT energy per atom minus the mean of that over the frames, in meV. The check below draws them.
#
# <details><summary>Hint</summary>First an array of <code>info["dft_energy"] / len(one)</code> over all
# <code>one</code> of the frames; then subtract its mean, and multiply by 1000.</details>

# %% nbgrader={"grade": false, "grade_id": "ex1-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
# relative_energies_meV_per_atom = …
### BEGIN SOLUTION
per_atom = np.array([one.info["dft_energy"] / len(one) for one in frames])
relative_energies_meV_per_atom = 1000 * (per_atom - per_atom.mean())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex1-4-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
relative = np.asarray(relative_energies_meV_per_atom)
temperatures = np.array([one.info["temperature_K"] for one in frames])
by_temperature = {f"{T:.0f} K": relative[temperatures == T] for T in np.unique(temperatures)}
means = ", ".join(f"{name} {values.mean():.1f}" for name, values in by_temperature.items())
print(f"standard deviation of all energies: {relative.std():.1f} meV/atom")
with_alt_text(
    plot_strips(
        by_temperature, title="Energies of 100 snapshots", label="energy − mean, meV per atom"
    ),
    f"Energies of 100 snapshots, one row for each temperature; means in meV per atom: {means}.",
)

# %% nbgrader={"grade": true, "grade_id": "test1-4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Energies per atom against their mean
assert len(relative_energies_meV_per_atom) == 100, "one number for each of the 100 frames"
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames

_true = _np.array([_f.info["dft_energy"] / len(_f) for _f in _load_frames("water", "train", 100)])
_np.testing.assert_allclose(
    _np.asarray(relative_energies_meV_per_atom, dtype=float),
    1000 * (_true - _true.mean()),
    atol=0.02,
    err_msg="expected 1000 · (energy / number of atoms − mean over the frames), in meV per atom",
)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The mean energy rises with temperature, and energies of neighboring temperatures overlap: in a small
# cell the energy fluctuates widely, even at a constant temperature. Remember the standard deviation: a
# potential is useful only where its error is much smaller.
#
# </details>

# %% tags=["discussion"]
slope_meV_per_K = np.polyfit(temperatures, relative, 1)[0]
Markdown(
    "**Discussion.** The mean energy rises by "
    f"{1000 * slope_meV_per_K:.0f} meV per atom for 1000 K. In a classical harmonic solid it would be "
    f"$\\tfrac32 k_B$, {1e6 * 1.5 * units.kB:.0f} meV for 1000 K; a liquid stores more, because its "
    "hydrogen bonds break. The standard deviation over all snapshots is "
    f"{relative.std():.1f} meV per atom: a potential is useful where its error is much smaller than "
    "that. (The potential energies are DFT's, the temperatures those of the runs that sampled the "
    "structures.)"
)

# %% [markdown]
# ## Forces
#
# Think of the energy as a landscape over the positions of all atoms. The force on an atom points
# downhill, and is as large as the slope is steep. As an equation:
#
# $$\mathbf{F}_i = -\frac{\partial E}{\partial \mathbf{r}_i}, \qquad
# F_{i\alpha} \approx -\frac{E(r_{i\alpha} + h) - E(r_{i\alpha} - h)}{2h}$$
#
# Here $E$ is the energy (eV), $\mathbf{r}_i$ the position of atom $i$ (Å), $\alpha$ one of x, y, z,
# and $h$ a small step (Å), so forces are in eV/Å. The first equation holds for DFT and must hold for
# every machine-learned potential; the second, a *central difference*, checks it. A snapshot has one
# energy, but three force components for each atom: that is why forces teach a potential so much.
#
# To practice, take two argon atoms and the Lennard-Jones potential, a simple formula for atoms that
# repel each other at short distances and attract each other at larger ones. An ASE *calculator*
# attached to `Atoms` gives energies and forces; later your own potential will replace it.

# %%
from ase.calculators.lj import LennardJones

pair = Atoms("Ar2", positions=[[0, 0, 0], [4.2, 0, 0]])
pair.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=12.0, smooth=True)
print(f"energy {pair.get_potential_energy():.5f} eV")

# %% [markdown]
# ## Exercise 1.5: a force is a negative slope (3 points)
#
# *Why:* this check needs no knowledge of the code that computes the forces, so it works for any code.
#
# **Predict.** The energy of the pair is lowest near 3.8 Å, and the atoms are 4.2 Å apart, along x. Which
# sign does the x component of the force on the second atom have?
#
# **Do.** Write `numerical_force(atoms, index, axis, step_A=1e-3)`. It returns the force (eV/Å) on atom `index`
# along `axis` (0, 1, 2 for x, y, z) by the central difference, from energies alone, for any `atoms`
# with a calculator (2 points), and leaves `atoms` as they were (1 point).
#
# <details><summary>Hint 1</summary>Move a copy, so that the original stays where it is. A copy of
# <code>Atoms</code> has no calculator: give it that of the original.</details>
# <details><summary>Hint 2</summary><code>moved = atoms.copy(); moved.calc = atoms.calc;
# moved.positions[index, axis] += step_A; moved.get_potential_energy()</code>, and the same with
# the opposite sign.</details>


# %% nbgrader={"grade": false, "grade_id": "ex1-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numerical_force(atoms, index, axis, step_A=1e-3):
    """Return the force (eV/Å) on one atom along one axis by a central difference."""
    ### BEGIN SOLUTION
    energies = []
    for sign in (+1, -1):
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.positions[index, axis] += sign * step_A
        energies.append(moved.get_potential_energy())
    return -(energies[0] - energies[1]) / (2 * step_A)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "ex1-5-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
slope = -numerical_force(pair, 1, 0)
print(f"your force {-slope:.6f} eV/Å; the calculator's {pair.get_forces()[1, 0]:.6f} eV/Å")
distances = np.linspace(3.4, 7.0, 100)
curve = []
for distance in distances:
    stretched = Atoms("Ar2", positions=[[0, 0, 0], [distance, 0, 0]], calculator=pair.calc)
    curve.append(stretched.get_potential_energy())
with_alt_text(
    plot_curve_and_slope(distances, curve, (4.2, pair.get_potential_energy()), slope),
    f"Energy of two argon atoms against their distance, lowest near "
    f"{distances[np.argmin(curve)]:.1f} Å; at 4.2 Å a tangent of slope {1000 * slope:.1f} meV/Å.",
)

# %% nbgrader={"grade": true, "grade_id": "test1-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Forces by central differences, from energies alone, for any calculator
_first = numerical_force(pair, 1, 0)
assert abs(_first - pair.get_forces()[1, 0]) < 1e-4, "not the calculator's force: check the sign"
### BEGIN HIDDEN TESTS
import numpy as _np
from ase import Atoms as _Atoms
from ase.calculators.morse import MorsePotential as _Morse


class _EnergiesAlone(_Morse):
    """A Morse potential whose forces are no use."""

    def calculate(self, *given, **named):
        super().calculate(*given, **named)
        self.results["forces"] = _np.zeros_like(self.results["forces"])


_places = _np.random.default_rng(5).uniform(0, 2.5, (4, 3)) + 2.5 * _np.eye(4)[:, :3]
_morse = {"epsilon": 1.0, "r0": 2.0}
_exact = _Atoms("Cu4", positions=_places, calculator=_Morse(**_morse)).get_forces()
_score, _kept = 2, True
for _i, _a in _np.ndindex(4, 3):
    _again = _Atoms("Cu4", positions=_places, calculator=_EnergiesAlone(**_morse))
    _found = float(numerical_force(_again, _i, _a))
    _kept = _kept and bool(_np.abs(_again.positions - _places).max() < 1e-9)
    if not abs(_found - _exact[_i, _a]) < 1e-3 * abs(_exact).max():
        print(f"Atom {_i}, axis {_a}: {_found:.5f} eV/Å instead of {_exact[_i, _a]:.5f}.")
        _score = 0
        break
_score += _score > 0 and _kept
if _score < 3:
    print("Tried on four atoms with a Morse potential that gives energies alone: forces must be")
    print("right for every atom and axis, and the positions must be the same afterwards.")
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Your force and the calculator's agree to about six digits, and the tangent with the negative of your
# force as its slope touches the curve.
#
# </details>

# %% [markdown] tags=["discussion"]
# **Discussion.** The atoms of the example are further apart than at the energy minimum near 3.8 Å.
# The energy therefore rises with the distance, and the force on the second atom is negative: it points
# back to the first atom. A step of 10⁻³ Å is a compromise: with a larger one the change of the curvature
# shows (the error grows as $h^2$), a much smaller one subtracts numbers that agree in nearly all digits.

# %% [markdown]
# ## Exercise 1.6: the forces of water (4 points)
#
# *Why:* whether an error of 50 meV/Å is small depends on the size of the forces.
#
# **Predict.** Which element feels the larger forces? An oxygen atom is pulled by two bonds, a hydrogen
# atom by one.
#
# **Do.** From `one.arrays["dft_forces"]` of each snapshot `one` of the 100 `frames`, compute the root mean
# square (RMS) of the force *components*: `rms_force_O` over all oxygen atoms and `rms_force_H` over all
# hydrogen atoms of all frames (float, eV/Å, 1 point each).
#
# <details><summary>Hint</summary><code>one.arrays["dft_forces"][one.symbols == "O"]</code> has one row
# for each oxygen atom. Square all numbers of all frames, take their mean, then the root.</details>

# %% nbgrader={"grade": false, "grade_id": "ex1-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
# rms_force_O = …
# rms_force_H = …
### BEGIN SOLUTION
forces_of = {
    element: np.concatenate([one.arrays["dft_forces"][one.symbols == element] for one in frames])
    for element in ("O", "H")
}
rms_force_O = np.sqrt(np.mean(forces_of["O"] ** 2))
rms_force_H = np.sqrt(np.mean(forces_of["H"] ** 2))
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex1-6-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"RMS force component: O {rms_force_O:.2f} eV/Å, H {rms_force_H:.2f} eV/Å")
components = {
    symbol: [one.arrays["dft_forces"][one.symbols == symbol] for one in frames] for symbol in "OH"
}
with_alt_text(
    plot_distribution(components, title="Force components", label="DFT force, eV/Å"),
    "Histograms of the force components of oxygen and of hydrogen: both have their peak at zero; "
    f"RMS {rms_force_O:.2f} eV/Å for oxygen and {rms_force_H:.2f} eV/Å for hydrogen.",
)

# %% nbgrader={"grade": true, "grade_id": "test1-6", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# RMS of the force components, by element
assert rms_force_O > 0 and rms_force_H > 0, "a root mean square is above zero"
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames

_squares = {"O": [], "H": []}
for _frame in _load_frames("water", "train", 100):
    for _element, _values in _squares.items():
        _values.append(_frame.arrays["dft_forces"][_frame.symbols == _element] ** 2)
_score = 0
for _element, _value in (("O", rms_force_O), ("H", rms_force_H)):
    _true = _np.sqrt(_np.mean(_squares[_element]))
    if abs(float(_value) / _true - 1) < 0.005:
        _score += 1
    else:
        print(f"{_element}: expected the root of the mean of the squared components, {_true:.3f}.")
float(_score)
### END HIDDEN TESTS

# %% [markdown]
# No external force acts on a periodic cell, so the forces on all atoms should add up to zero.

# %%
net = np.array([one.arrays["dft_forces"].sum(axis=0) for one in frames])
print(f"net force, RMS of its components: {np.sqrt(np.mean(net**2)):.4f} eV/Å")

# %% [markdown]
# **Question** (2 points, marked by hand). The net force is small compared with the forces, but not zero.
# Where does it come from, and what does it imply for the accuracy that a potential can reach if it is
# trained on these forces?
#
# <details><summary>Hint</summary>Read again in part 2 how CP2K computes. What happens to the energy if all
# atoms are moved by a fraction of the distance between two grid points?</details>

# %% [markdown] nbgrader={"grade": true, "grade_id": "text1-6", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# DFT is solved approximately: on a grid of finite fineness (the plane-wave cutoff), iterated until
# changes fall below a threshold. Moving all atoms together relative to the grid changes the energy a
# little, so the forces do not cancel exactly. The net force is a measure of the noise in the labels. A
# potential cannot learn noise, and should not: its force error against these labels cannot fall
# below that noise, about 12 meV/Å per component here, however many snapshots there are.
#
# === BEGIN MARK SCHEME ===
# - 1 point: names a numerical cause in the DFT calculation (finite grid or cutoff, incomplete convergence), not a physical one
# - 1 point: concludes that it is noise in the labels, which limits the error of any potential from below
# === END MARK SCHEME ===

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# Oxygen feels the larger forces, by a factor of about 1.4. The net force on a whole cell is less than a
# tenth of the force on a single atom. It has no physical cause: it is numerical noise of the labels.
#
# </details>

# %% tags=["discussion"]
Markdown(
    "**Discussion.** The two O–H bonds stretch nearly independently, so the squares of their pulls add "
    r"up at the oxygen; a hydrogen has one: $\sqrt 2 \approx 1.41$ is about the ratio, here "
    f"{rms_force_O / rms_force_H:.2f}. The net force is the sum of {len(atoms)} errors: if they are "
    f"independent, that of a single atom is smaller by the root of {len(atoms)}, about "
    f"{1000 * np.sqrt(np.mean(net**2) / len(atoms)):.1f} meV/Å for each component. A direct measurement "
    "(the same frame moved relative to the grid, `data/water/README.md`) gives 12 meV/Å."
)

# %% [markdown]
# ## Polarizability
#
# An electric field $\boldsymbol{\mathcal{E}}$ shifts the electrons against the nuclei. Positive and negative
# charge are then a little apart: the field has induced a *dipole moment* $\boldsymbol\mu$,
#
# $$\mu_i = \sum_j \alpha_{ij}\, \mathcal{E}_j, \qquad i, j = \text{x, y, z}.$$
#
# The nine numbers $\alpha_{ij}$ are the *polarizability* of the whole cell. They form a *tensor*: a table of
# numbers that turns with the molecules, as the components of a vector do. They are given as a volume, in Å³:
# the equation is one in Gaussian units (in SI units the right side has a factor $4\pi\varepsilon_0$).
# In lesson 06 a model learns them, and lesson 07 computes a Raman spectrum (which colors of light the
# vibrating molecules scatter) from how they change in time.

# %%
alpha = np.reshape(atoms.info["Polarizability"], (3, 3))
with_alt_text(
    plot_tensor(alpha, title="Polarizability of the cell", unit="Å³"),
    f"A table of 3 by 3 numbers: about {alpha.trace() / 3:.1f} Å³ on the diagonal, "
    f"at most {abs(alpha - np.diag(np.diag(alpha))).max():.1f} Å³ elsewhere.",
)

# %% [markdown]
# ## Exercise 1.7: the refractive index of water (2 points)
#
# *Why:* comparing with a number that is well measured shows whether you have understood the units.
#
# Light is slower in water than in vacuum by the refractive index $n$, because its electric field
# polarizes the molecules. For a cell with volume $V$ and mean polarizability $\bar\alpha$ (a third of the
# trace of the tensor; both in Å³)
#
# $$\varepsilon_\infty = 1 + \frac{4\pi\,\bar\alpha}{V}, \qquad n = \sqrt{\varepsilon_\infty},$$
#
# where $\varepsilon_\infty$ is the dielectric constant for fields too fast for the nuclei to follow, such
# as that of visible light.
#
# **Predict.** The measured value is 1.333. Will that of DFT agree to within 1 %, 10 %, or not at all?
#
# **Do.** Compute `refractive_index` (float, no unit), with $\bar\alpha$ averaged over the 100 `frames`.
#
# <details><summary>Hint 1</summary><code>info["Polarizability"]</code> has the nine numbers xx xy xz yx
# yy yz zx zy zz; its elements 0, 4 and 8 are on the diagonal.</details>
# <details><summary>Hint 2</summary>Do not divide by the number of molecules: α and V both belong to the
# whole cell.</details>

# %% nbgrader={"grade": false, "grade_id": "ex1-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
# refractive_index = …
### BEGIN SOLUTION
tensors = np.array([one.info["Polarizability"] for one in frames]).reshape(-1, 3, 3)
mean_alpha_A3 = tensors.trace(axis1=1, axis2=2).mean() / 3
refractive_index = np.sqrt(1 + 4 * np.pi * mean_alpha_A3 / atoms.get_volume())
### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ex1-7-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
print(f"n = {refractive_index:.3f}; measured in yellow light at 20 °C: 1.333")

# %% nbgrader={"grade": true, "grade_id": "test1-7", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Refractive index from the mean polarizability
assert 1 < refractive_index < 3, "the index of a transparent liquid is between 1 and 2"
### BEGIN HIDDEN TESTS
import numpy as _np

from helpers import load_frames as _load_frames

_frames = _load_frames("water", "train", 100)
_alpha = _np.array([_f.info["Polarizability"] for _f in _frames])[:, [0, 4, 8]].mean()
_true = _np.sqrt(1 + 4 * _np.pi * _alpha / _frames[0].get_volume())
assert abs(float(refractive_index) - _true) < 0.001, (
    f"expected the root of 1 + 4π · mean of xx, yy and zz over 100 frames / V, {_true:.4f}; "
    f"found {float(refractive_index):.4f}"
)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# DFT agrees with the measured index to a few percent, so units and components are understood. The
# computed value is somewhat too low; a model that is trained on these labels inherits that.
#
# </details>

# %% tags=["discussion"]
eps_dft, eps_measured = refractive_index**2, 1.333**2
of_molecule_A3 = [
    3 * atoms.get_volume() / (4 * np.pi * n_molecules) * (eps - 1) / (eps + 2)
    for eps in (eps_dft, eps_measured)
]
Markdown(
    f"**Discussion.** $n$ = {refractive_index:.3f} against 1.333: "
    f"{100 * (refractive_index / 1.333 - 1):+.0f} %. In $\\varepsilon_\\infty - 1$, which is "
    f"proportional to the polarizability, that is {100 * ((eps_dft - 1) / (eps_measured - 1) - 1):+.0f} %. "
    "The basis set of the calculation has no very diffuse functions, which may be the reason; it was not "
    "examined further. \n\n"
    f"Why not simply divide by {n_molecules} and compare with a molecule in the vapor "
    f"(1.45 Å³)? The label is the response to the *average* field in the liquid. Each molecule also "
    "feels the dipoles that the field induces in its neighbors. In the simplest theory of this local "
    "field (Lorentz and Lorenz) the polarizability of one molecule is "
    r"$\frac{3V}{4\pi N}\,\frac{\varepsilon_\infty - 1}{\varepsilon_\infty + 2}$: "
    f"{of_molecule_A3[0]:.2f} Å³ from these labels, {of_molecule_A3[1]:.2f} Å³ from the measured index. "
    "Two polarizabilities can be compared only if they belong to the same field."
)

# %% [markdown]
# ## Summary
#
# - A snapshot holds positions and a cell (Å), one energy (eV), a force for each atom (eV/Å), and a
#   polarizability (Å³).
# - The structures were sampled with an earlier GAP, in independent trajectories; the labels are DFT's.
# - Differences of energies are what matters; we quote them per atom, in meV.
# - Forces are the negative slope of the energy; central differences check that.
# - Labels carry numerical noise, and the errors of DFT: a potential cannot become better than its labels.
#
# ## Quiz
#
# 1. A file of these snapshots has 2537 lines. What happened?
#    <details><summary>Answer</summary>It was cut off: snapshots take 50 lines each.</details>
# 2. Two codes give total energies that differ by 3000 eV. Must one be wrong?
#    <details><summary>Answer</summary>No. They may count from different zeros; compare
#    differences between snapshots.</details>
# 3. How many numbers does one snapshot of 48 atoms teach through energies, how many through forces?
#    <details><summary>Answer</summary>1 and 144.</details>
# 4. A calculator returns forces of the wrong sign. How do you notice?
#    <details><summary>Answer</summary>By a central difference of the energy. In a simulation the atoms would
#    fly apart or fall into each other.</details>
