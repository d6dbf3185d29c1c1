# Answers to the tests of lesson 08; `other_answers.py` tells how they are read.

# %% test8-1 | 3 | numbers of NumPy, the edge read off the table
edge_A = np.float64(scan.loc[scan["distance_A"].between(2, 2.5), "energy_eV"].idxmax())
edge_A = scan["distance_A"][edge_A]
closest_training_A = min(
    np.sort(atoms.get_all_distances(mic=True)[np.ix_(atoms.numbers == 8, atoms.numbers == 8)])[
        :, 1
    ].min()
    for atoms in TRAIN
)

# %% test8-1 | 2 | room temperature
barrier_kT = 2 * barrier_kT

# %% test8-1 | 2 | without the nearest image
closest_training_A = 1.02 * closest_training_A

# %% test8-1 | 1 | eV in place of k_B T, and the steepest place in place of the edge
barrier_kT, edge_A = barrier_kT * 0.0517, edge_A - 0.2


# %% test8-2 | 4 | by hand, lists
def by_hand(forces):
    mean = sum(forces) / len(forces)
    variance = sum((one - mean) ** 2 for one in forces) / (len(forces) - 1)
    return [float(1000 * np.sqrt(frame.mean())) for frame in variance]


spread, error_meV_per_A = by_hand, list(error_meV_per_A)
alpha = np.float64(alpha)


# %% test8-2 | 2 | n in place of n - 1
def too_small(forces):
    return 1000 * np.sqrt(forces.var(axis=0).mean(axis=(1, 2)))


spread = too_small


# %% test8-2 | 3 | the mean of ratios as the factor
alpha = (error_meV_per_A / spread(forces)).mean() * 1.05

# %% test8-2 | 2 | errors of the first member
error_meV_per_A = 1000 * np.sqrt(((forces[0] - true_forces) ** 2).mean(axis=(1, 2)))
alpha = float(np.sqrt((error_meV_per_A**2).sum() / (spread(forces) ** 2).sum()))

# %% test8-3 | 4 | arrays
survived_fs = np.array(survived_fs)
spread_along, error_along = list(spread_along), list(error_along)

# %% test8-3 | 2 | of all atoms, not of the worst
spread_along, error_along = np.asarray(spread_along) / 3, np.asarray(error_along) / 3

# %% test8-3 | 3 | steps in place of femtoseconds
survived_fs = [2 * value for value in survived_fs]

# %% test8-4 | 4 | in another order, numbers of NumPy
chosen = np.array(chosen)[::-1]
gain = np.float64(gain)

# %% test8-4 | 3 | the frames with the smallest disagreement
chosen = list(committee.disagreement(POOL)["largest_meV_per_A"].nsmallest(12).index)

# %% test8-4 | 2 | the old committee again
refit, gain = committee, 1.0

# %% test8-4 | 3 | upside down
gain = 1 / gain


# %% test8-5 | 3 | with loops
def with_loops(g, deviation_eV, temperature_K):
    averages = []
    for deviation in deviation_eV:
        covariance = np.mean(g * deviation[:, None], axis=0) - g.mean(axis=0) * deviation.mean()
        averages.append(g.mean(axis=0) - covariance / (8.617333e-5 * temperature_K))
    return averages


carried = with_loops
model_error = list(np.std(carried(g, deviation_eV, 300), axis=0, ddof=1))


# %% test8-5 | 1 | the wrong sign
def wrong_sign(g, deviation_eV, temperature_K):
    dV = deviation_eV - deviation_eV.mean(axis=1, keepdims=True)
    return g.mean(axis=0) + dV @ (g - g.mean(axis=0)) / len(g) / (units.kB * temperature_K)


carried = wrong_sign

# %% test8-5 | 2 | the spread of g over frames
model_error = g.std(axis=0)

# %% test8-optional | 0 | a higher wall
walled = JaxCalculator(with_core_repulsion(potential.model, height_eV=80.0))

# %% test8-optional | -1 | no wall
walled = potential
