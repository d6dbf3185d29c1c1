# Answers to the tests of lesson 07; `other_answers.py` tells how they are read.

# %% test3-5 | 5 | lists, another way to say it
alphas = alphas.tolist()
verdict = "Liquid"

# %% test3-5 | 3 | runs that are too short, all else right
short = {"steps": 400, "record_every": 4, "progress": False}
runs = list(run_replicas(potential_path, ends, **short, **bath, **shared).runs)
alphas = np.array([model.predict(run.frames()) for run in runs])

# %% test3-5 | 4 | only one component
alphas = alphas[:, :, 0, 0]

# %% test3-5 | 4 | of another model than the one that is shown
alphas = alphas + 0.1

# %% test3-5 | 4 | taken for ice
verdict = "frozen"


# %% test3-6 | 3 | by np.correlate, as a list
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    found = np.correlate(x, x, "full")[len(x) - 1 :][:n_lags]
    return (found / (len(x) - np.arange(n_lags))).tolist()


C = list(np.mean([autocorrelation(list(one), 150) for one in isotropic], axis=0))


# %% test3-6 | 2 | divided by all times in place of the pairs
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    return np.array([np.sum(x[: len(x) - k] * x[k:]) / len(x) for k in range(n_lags)])


C = np.mean([autocorrelation(one, 150) for one in isotropic], axis=0)


# %% test3-6 | 2 | normalized
def autocorrelation(series, n_lags):
    x = np.array(series) - np.mean(series)
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in range(n_lags)]) / np.var(x)


C = np.mean([autocorrelation(one, 150) for one in isotropic], axis=0)


# %% test3-6 | 0 | the mean not subtracted
def autocorrelation(series, n_lags):
    x = np.array(series)
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in range(n_lags)])


C = np.mean([autocorrelation(one, 150) for one in isotropic], axis=0)

# %% test3-6 | 2 | the trace, not a third of it
C = 9 * C

# %% test3-6 | 2 | of xx
C = np.mean([autocorrelation(one, 150) for one in alphas[:, :, 0, 0]], axis=0)

# %% test3-6 | 2 | of the first run alone
C = autocorrelation(isotropic[0], 150)

# %% test3-7 | 6 | for 300 K, columns in another order, rounded
spectrum = raman_spectrum(liquid_alphas, interval_fs)[["VH", "VV", "wavenumber_per_cm"]]
stretch_per_cm, bend_per_cm = round(stretch_per_cm), np.round(bend_per_cm)
ice_stretch_per_cm = np.float32(ice_stretch_per_cm)
depolarization = np.round(depolarization, 3)

# %% test3-7 | 6 | a finer resolution, and what is highest there
spectrum = raman_spectrum(liquid_alphas, interval_fs, resolution_per_cm=25)
rows = spectrum[spectrum["wavenumber_per_cm"].between(2800, 4000)]
stretch_per_cm = rows["wavenumber_per_cm"][rows["VV"].idxmax()]
depolarization = (rows["VH"] / rows["VV"])[rows["VV"].idxmax()]
rows = spectrum[spectrum["wavenumber_per_cm"].between(1400, 1900)]
bend_per_cm = rows["wavenumber_per_cm"].iloc[rows["VV"].argmax()]

# %% test3-7 | 2 | numbers from the literature
stretch_per_cm, bend_per_cm, depolarization, ice_stretch_per_cm = 3426, 1641, 0.25, 3083

# %% test3-7 | 5 | VH divided by VV + VH
depolarization = depolarization / (1 + depolarization)

# %% test3-7 | 5 | ice that is the liquid again
ice_stretch_per_cm = stretch_per_cm

# %% test3-7 | 5 | liquid and ice exchanged
spectrum, ice_spectrum = ice_spectrum, spectrum

# %% test3-7 | 5 | frames of the own runs counted as one every four femtoseconds
own_spectrum = raman_spectrum(alphas, 4.0, resolution_per_cm=60)

# %% test7-optional | 0 | numbers of NumPy, another order
spectra = {n: spectra[n] for n in (100, 30, 15)}
humps = {n: np.int64(number) for n, number in humps.items()}
