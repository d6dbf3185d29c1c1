# Answers to the tests of lesson 07; `other_answers.py` tells how they are read.

# %% test3-5 | 4 | lists
alphas = alphas.tolist()

# %% test3-5 | 2 | a run that is too short, all else right
run = run_nve(MODEL, START, steps=400, record_every=4, seed=1, progress=False)
alphas = model.predict(run.frames())

# %% test3-5 | 3 | only one component
alphas = alphas[:, 0, 0]

# %% test3-5 | 3 | of another model than the one that is shown
alphas = alphas + 0.1

# %% test3-5 | 2 | a model of three frames, of which the polarizabilities are not
model = SymmetryAdaptedKernelRidge().fit(frames[50:53], read_tensors(frames[50:53]))


# %% test3-6 | 3 | by np.correlate, as a list
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    found = np.correlate(x, x, "full")[len(x) - 1 :][:n_lags]
    return (found / (len(x) - np.arange(n_lags))).tolist()


C = autocorrelation([np.trace(one) / 3 for one in alphas], 150)


# %% test3-6 | 2 | divided by all times in place of the pairs
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    return np.array([np.sum(x[: len(x) - k] * x[k:]) / len(x) for k in range(n_lags)])


C = autocorrelation(np.trace(alphas, axis1=1, axis2=2) / 3, 150)


# %% test3-6 | 2 | normalized
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in range(n_lags)]) / np.var(x)


C = autocorrelation(np.trace(alphas, axis1=1, axis2=2) / 3, 150)


# %% test3-6 | 0 | the mean not subtracted
def autocorrelation(series, n_lags):
    x = np.array(series)
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in range(n_lags)])


C = autocorrelation(np.trace(alphas, axis1=1, axis2=2) / 3, 150)

# %% test3-6 | 2 | the trace, not a third of it
C = autocorrelation(np.trace(alphas, axis1=1, axis2=2), 150)

# %% test3-6 | 2 | of xx
C = autocorrelation(alphas[:, 0, 0], 150)

# %% test3-7 | 4 | for 300 K, columns in another order, rounded
spectrum = raman_spectrum(stored_alphas, interval_fs)[["VH", "VV", "wavenumber_per_cm"]]
stretch_per_cm, bend_per_cm = round(stretch_per_cm), np.round(bend_per_cm)
depolarization = np.round(depolarization, 3)

# %% test3-7 | 4 | a finer resolution, and what is highest there
spectrum = raman_spectrum(stored_alphas, interval_fs, resolution_per_cm=25)
rows = spectrum[spectrum["wavenumber_per_cm"].between(2800, 4000)]
stretch_per_cm = rows["wavenumber_per_cm"][rows["VV"].idxmax()]
depolarization = (rows["VH"] / rows["VV"])[rows["VV"].idxmax()]
rows = spectrum[spectrum["wavenumber_per_cm"].between(1400, 1900)]
bend_per_cm = rows["wavenumber_per_cm"].iloc[rows["VV"].argmax()]

# %% test3-7 | 1 | numbers from the literature
stretch_per_cm, bend_per_cm, depolarization = 3400, 1640, 0.2

# %% test3-7 | 3 | VH divided by VV + VH
depolarization = depolarization / (1 + depolarization)

# %% test3-7 | 3 | depolarization guessed
depolarization = 0.1

# %% test3-7 | 2 | the maximum of VH as the stretch
stretch_per_cm = float(indexed["VH"].loc[2800:4000].idxmax())

# %% test3-7 | 0 | frames counted as one every femtosecond
spectrum = raman_spectrum(stored_alphas, 1.0)
rows = spectrum[spectrum["wavenumber_per_cm"].between(5600, 8000)]
stretch_per_cm = rows["wavenumber_per_cm"][rows["VV"].idxmax()]
bend_per_cm, depolarization = 3300.0, 1.0

# %% test7-optional | 0 | numbers of NumPy, another order
spectra = {n: spectra[n] for n in (100, 30, 15)}
humps = {n: np.int64(number) for n, number in humps.items()}
