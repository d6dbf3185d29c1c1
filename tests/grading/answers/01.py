# Answers to the tests of lesson 01; `other_answers.py` tells how they are read.

# %% test1-1 | 2 | numbers of NumPy
n_lines, n_snapshots = np.int64(2500), np.float64(50)

# %% test1-1 | 1 | one line too many
n_lines = 2501

# %% test1-2 | 0 | with Python
_ = GapConfig(cutoff=5).write("my_config.cfg")

# %% test1-3 | 4 | from molar masses; trajectories from an array
n_molecules = len(atoms) // 3
density_g_per_cm3 = n_molecules * 18.015 / 6.022e23 / (atoms.cell.lengths()[0] * 1e-8) ** 3
n_trajectories = np.unique([one.info["trajectory"] for one in frames]).size

# %% test1-3 | 2 | atomic mass units for each cubic ångström
density_g_per_cm3 = atoms.get_masses().sum() / atoms.get_volume()

# %% test1-3 | 2 | a guess: that of water at 4 °C
density_g_per_cm3 = 1.0

# %% test1-3 | 3 | takes every frame for a trajectory of its own
n_trajectories = len(frames)

# %% test1-4 | 2 | a list
mean = sum(one.info["dft_energy"] for one in frames) / len(frames)
relative_energies_meV_per_atom = [(one.info["dft_energy"] - mean) / 0.048 for one in frames]

# %% test1-4 | 0 | no mean taken off
relative_energies_meV_per_atom = [1000 * one.info["dft_energy"] / len(one) for one in frames]


# %% test1-5 | 3 | moves the atoms themselves, and back; names of its own for i and a
def there_and_back(atoms, index, axis, step_A=1e-3):
    i, a = index, axis
    start = atoms.get_positions()
    found = []
    for place in (start[i, a] + step_A, start[i, a] - step_A):
        moved = start.copy()
        moved[i, a] = place
        atoms.set_positions(moved)
        found.append(atoms.get_potential_energy())
    atoms.set_positions(start)
    return np.float64((found[1] - found[0]) / (2 * step_A))


numerical_force = there_and_back


# %% test1-5 | 0 | hands on what the calculator says
def by_calculator(atoms, index, axis, step_A=1e-3):
    return atoms.get_forces()[index, axis]


numerical_force = by_calculator


# %% test1-5 | 0 | a constant that happens to be right for the pair
def constant(atoms, index, axis, step_A=1e-3):
    return pair.get_forces()[1, 0]


numerical_force = constant


# %% test1-5 | 2 | does not move back
def there(atoms, index, axis, step_A=1e-3):
    atoms.positions[index, axis] += step_A
    above = atoms.get_potential_energy()
    atoms.positions[index, axis] -= 2 * step_A
    return (atoms.get_potential_energy() - above) / (2 * step_A)


numerical_force = there

# %% test1-6 | 2 | sums of squares
square = {"O": 0.0, "H": 0.0}
for one in frames:
    for symbol, force in zip(one.get_chemical_symbols(), one.arrays["dft_forces"], strict=True):
        square[symbol] += float(force @ force)
rms_force_O = (square["O"] / (100 * 16 * 3)) ** 0.5
rms_force_H = (square["H"] / (100 * 32 * 3)) ** 0.5

# %% test1-6 | 0 | of the vectors, not of their components
rms_force_O, rms_force_H = rms_force_O * np.sqrt(3), rms_force_H * np.sqrt(3)

# %% test1-6 | 1 | the same for both
rms_force_H = rms_force_O

# %% test1-7 | 2 | the mean of the index of each frame, sums of lists
indices = []
for one in frames:
    alpha_A3 = sum(one.info["Polarizability"][::4]) / 3
    indices.append((1 + 4 * 3.14159265 * alpha_A3 / one.get_volume()) ** 0.5)
refractive_index = sum(indices) / len(indices)

# %% test1-7 | 0 | the dielectric constant
refractive_index = refractive_index**2

# %% test1-7 | 0 | of the first snapshot alone
refractive_index = np.sqrt(1 + 4 * np.pi * np.trace(alpha) / 3 / atoms.get_volume())

# %% test1-7 | 0 | what was measured
refractive_index = 1.333
