# Answers to the tests of lesson 05; `other_answers.py` tells how they are read.

# %% test2-4-1 | 3 | numbers of NumPy, frames as a float
timestep_fs, simulated_fs, n_frames = np.float64(0.5), np.array(150), 62.0

# %% test2-4-1 | 2 | forgot the first frame of each run
n_frames = 60

# %% test2-4-1 | 1 | only the first run, and its frames without the first
simulated_fs, n_frames = 100.0, 40

# %% test2-4-1 | 0 | steps in place of femtoseconds
timestep_fs, simulated_fs, n_frames = 1.0, 300.0, 300

# %% test2-4-2 | 3 | energies from the run, standard deviation of the population
spread_total = np.std(1000 * (nve.potential_eV + nve.kinetic_eV) / len(START))
spread_potential = np.std(1000 * nve.potential_eV / len(START))

# %% test2-4-2 | 1 | eV in place of meV
spread_total, spread_potential = spread_total / 1000, spread_potential / 1000

# %% test2-4-2 | 1 | of the box, not per atom
spread_total, spread_potential = spread_total * N_ATOMS, spread_potential * N_ATOMS

# %% test2-4-2 | 2 | the kinetic energy in place of the total
spread_total = 1000 * log["kinetic_eV"].std() / N_ATOMS

# %% test2-4-2 | 2 | another number of steps, its own numbers right
nve = run_nve(potential, START, steps=120, engine="ase", record_every=1, progress=False)
log = nve.log()
spread_total = float(1000 * log["total_eV"].std() / N_ATOMS)
spread_potential = float(1000 * log["potential_eV"].std() / N_ATOMS)

# %% test2-4-2 | 0 | a run with a bath
nve = run_nvt(potential, START, steps=200, engine="ase", record_every=1, progress=False)
log = nve.log()

# %% test2-4-3 | 1 | numbers of NumPy in lists of one
sigma_T_box = np.array([300 * np.sqrt(2 / 141)])[0]
sigma_T_glass = 300 * (2 / 7.5e25) ** 0.5

# %% test2-4-3 | 0 | forgot the center of mass
sigma_T_box = 300 * np.sqrt(2 / (3 * N_ATOMS))

# %% test2-4-3 | 0 | atoms in place of degrees of freedom
sigma_T_box, sigma_T_glass = 300 * np.sqrt(2 / N_ATOMS), 300 * np.sqrt(2 / 2.5e25)

# %% test2-4-4 | 2 | velocity rescaling as the bath
nvt = run_nvt(
    potential,
    nve.frames()[-1],
    steps=100,
    thermostat="bussi",
    keep_velocities=True,
    engine="ase",
    record_every=1,
    progress=False,
)

# %% test2-4-4 | 1 | velocities drawn anew
nvt = run_nvt(potential, nve.frames()[-1], steps=100, engine="ase", record_every=1, progress=False)

# %% test2-4-4 | 1 | another temperature
nvt = run_nvt(
    potential,
    nve.frames()[-1],
    steps=100,
    temperature_K=350,
    keep_velocities=True,
    engine="ase",
    record_every=1,
    progress=False,
)

# %% test2-4-4 | 0 | from START, for another time
nvt = run_nvt(potential, START, steps=50, engine="ase", record_every=1, progress=False)

# %% test5-liquid | 4 | other bins, every fifth frame, another stretch of the displacement
parts = liquid.after(400).frames(5)
order = np.mean([tetrahedral_order(atoms).mean() for atoms in parts])
g_05 = radial_distributions(liquid.after(400), [("O", "O")], bin_A=0.1)
first_minimum = g_05["OO"][g_05["r_A"].between(3, 4)].rolling(2).mean().min()

# %% test5-liquid | 3 | a diffusion coefficient in Å²/fs
diffusion = diffusion / 1000

# %% test5-liquid | 3 | forgot the six
diffusion = 6 * diffusion

# %% test5-liquid | 2 | minimum over all distances, order of the start
first_minimum, order = 0.0, float(tetrahedral_order(START).mean()) - 0.2

# %% test5-liquid | 0 | a run of a picosecond, numbers of textbooks
liquid = run_nvt(potential, START, steps=1500, timestep_fs=0.8, record_every=5, progress=False)
order, first_minimum, diffusion = 0.95, 0.05, 2.4

# %% test5-pbe | 2 | in other words
phase_last = f" {phase_last.upper()} "
order_first, order_last = np.float64(order_first), np.array(order_last)

# %% test5-pbe | 1 | mean of the whole run at both ends
order_first = order_last = float(np.mean([tetrahedral_order(atoms) for atoms in frames]))

# %% test5-pbe | 1 | the word that one hopes for
phase_last = "steam"

# %% test5-dft | 3 | one frame at a time, numbers of NumPy
freezing = {name: np.float64(round(value, 1)) for name, value in freezing.items()}

# %% test5-dft | 1 | liquid minus frozen, by DFT
freezing = {name: -value if "DFT" in name else value for name, value in freezing.items()}

# %% test5-dft | 0 | per atom
freezing = {name: value / 3 for name, value in freezing.items()}

# %% test5-dft | 1 | the functionals exchanged
freezing = {
    "revPBE-D3, DFT": freezing["PBE-D3, DFT"],
    "PBE-D3, DFT": freezing["revPBE-D3, DFT"],
    "revPBE-D3, GAP": freezing["revPBE-D3, GAP"],
    "PBE-D3, GAP": freezing["PBE-D3, GAP"],
}

# %% test2-4-5 | 4 | numbers of NumPy; a step of the potential is too cheap to subtract
speed_up = np.float64(dft_s) / step_s
break_even_data = np.ceil(n_training_frames + training_s / dft_s)
break_even_steps = break_even_data + n_earlier_frames + sampling_s / dft_s

# %% test2-4-5 | 4 | rounded
break_even_data, break_even_steps = round(break_even_data), round(break_even_steps)

# %% test2-4-5 | 2 | sampling for nothing
break_even_steps = break_even_data + 1

# %% test2-4-5 | 1 | data for nothing
break_even_data = training_s / (dft_s - step_s)
break_even_steps = break_even_data + 1

# %% test2-4-5 | 3 | the ratio upside down
speed_up = step_s / dft_s

# %% test5-optional | 0 | numbers of NumPy as keys
runs, longest_fs = {np.float64(fs): run for fs, run in runs.items()}, int(longest_fs)
