# Answers to the tests of lesson 02; `other_answers.py` tells how they are read.


# %% test2-1-0 | 2 | with np.dot, and all at once
def by_dot(one, other, zeta):
    return np.dot(np.asarray(one), np.asarray(other)).item() ** zeta


similarity = by_dot
of_oxygen = soap_vectors(atoms)[atoms.numbers == 8]
mean_similarity = ((of_oxygen[1:] @ of_oxygen[0]) ** zeta).mean()


# %% test2-1-0 | 1 | forgets the exponent in the function
def without_exponent(one, other, zeta):
    return one @ other


similarity = without_exponent

# %% test2-1-0 | 1 | counts the atom itself, too
mean_similarity = float(np.mean([1.0, *others]))

# %% test2-1-0 | 1 | a guess
mean_similarity = 0.97

# %% test2-1-1-labels | 1 | from the arrays
n_energies = np.int64(100)
n_force_components = sum(
    one.arrays["dft_forces"].size for one in load_frames("water", "train", 100)
)

# %% test2-1-1-labels | 0 | one force for each atom
n_force_components = n_force_components // 3

# %% test2-1-1 | 2 | has other uses for the names of the kit
GapConfig, evaluate, load_frames, load_potential = None, None, None, None

# %% test2-1-1 | 0 | fewer frames
fit = type(fit)(**{**vars(fit), "n_frames": 50})


# %% test2-1-2-function | 1 | with a norm
def by_norm(true, predicted):
    return np.linalg.norm(np.ravel(true) - np.ravel(predicted)) / np.size(true) ** 0.5


rmse = by_norm


# %% test2-1-2-function | 0 | a mean of absolute errors
def mean_absolute(true, predicted):
    return float(np.mean(np.abs(np.asarray(true) - np.asarray(predicted))))


rmse = mean_absolute


# %% test2-1-2 | 2 | numbers of NumPy, from the kit's own errors
rmse_energy_validation = np.float64(validation.rmse_energy_meV_per_atom)
rmse_forces_validation = np.array(validation.rmse_forces_meV_per_A)

# %% test2-1-2 | 1 | energies in eV
rmse_energy_validation = rmse_energy_validation / 1000

# %% test2-1-3 | 4 | numbers of NumPy; a bootstrap of their own
rmse_energy_training = np.float64(training.rmse_energy_meV_per_atom)
rmse_forces_training = np.array(training.rmse_forces_meV_per_A)
rng, ends = np.random.default_rng(5), []
for result, split, percent in ((training, "train", 97.5), (validation, "validate", 2.5)):
    squares = (1000 * (result.forces["predicted"] - result.forces["true"])) ** 2
    runs = [one.info["trajectory"] for one in load_frames("water", split)[: len(result.energies)]]
    means = squares.groupby(np.asarray(runs)[result.forces["frame"]]).agg(["sum", "count"])
    drawn = means.to_numpy()[rng.integers(len(means), size=(4000, len(means)))].sum(axis=1)
    ends.append(np.percentile(np.sqrt(drawn[:, 0] / drawn[:, 1]), percent))
forces_training_high, forces_validation_low = ends

# %% test2-1-3 | 3 | the validation error of the forces
rmse_forces_training = rmse_forces_validation

# %% test2-1-3 | 2 | the other ends of the intervals
forces_training_high = of_forces(training, frames)["rmse_low"]
forces_validation_low = of_forces(validation, load_frames("water", "validate"))["rmse_high"]

# %% test2-1-3b | 2 | the kit's own errors
rmse_forces_original, rmse_forces_fast = (
    np.float64(evaluate(one.model_path, load_frames("water", "validate")).rmse_forces_meV_per_A)
    for one in (original, fast)
)

# %% test2-1-3b | 1 | JAX twice, and its errors
original, rmse_forces_original = fast, rmse_forces_fast

# %% test2-1-3b | 1 | the fits themselves, but errors in eV/Å
rmse_forces_original, rmse_forces_fast = rmse_forces_original / 1000, rmse_forces_fast / 1000

# %% test2-1-3b | 1 | the fit of 100 frames with JAX
fast, rmse_forces_fast = fit, rmse_forces_validation

# %% test2-1-6 | 3 | scatter; the diagonals are lines of many points, energies in eV of the box
figure = plt.figure()
up, down = figure.add_subplot(211), figure.add_subplot(212)
zero = training.energies["true"].mean()
for table in (validation.energies, training.energies):
    up.scatter(48 * (table["true"] - zero), 48 * (table["predicted"] - zero))
down.scatter(1000 * validation.forces["true"], 1000 * validation.forces["predicted"])
for panel in (up, down):
    ends = np.linspace(*panel.get_xlim(), 50)
    panel.plot(ends, ends)
    panel.set_xlabel("DFT, eV" if panel is up else "DFT, meV/Å")
    panel.set_ylabel("GAP, eV" if panel is up else "GAP, meV/Å")
plt.close(figure)

# %% test2-1-6 | 2 | validation energies only
figure, (up, down) = plt.subplots(2)
up.plot(validation.energies["true"], validation.energies["predicted"], "o")
down.plot(validation.forces["true"], validation.forces["predicted"], "o")
for panel in (up, down):
    panel.set(xlabel="DFT, eV", ylabel="GAP, eV")
plt.close(figure)

# %% test2-1-6 | 1 | DFT against DFT for the energies, no labels
figure, (up, down) = plt.subplots(2)
up.plot(training.energies["true"], training.energies["true"], "o")
down.plot(validation.forces["true"], validation.forces["predicted"], "o")
plt.close(figure)

# %% test2-1-6 | 0 | against the number of the frame
figure, (up, down) = plt.subplots(2)
up.plot(validation.energies["predicted"], "o")
down.plot(validation.forces["predicted"], "o")
plt.close(figure)

# %% test2-optional | 0 | per cent, numbers of NumPy
relative_error = {element: np.float64(100 * share) for element, share in relative_error.items()}

# %% test2-optional | -1 | the errors themselves
relative_error = by_element[["H", "O"]].to_dict()
