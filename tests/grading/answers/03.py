# Answers to the tests of lesson 03; `other_answers.py` tells how they are read.

# %% test2-2-1 | 3 | in another order, one size at a time
options = {"cache": CACHE, "progress": False, "engine": "jax"}
pieces = [learning_curve(DEFAULT, sizes=[n], **options) for n in (50, 25)]
for n in (400, 200, 100):
    pieces.append(stored_default.query(f"repeat == 1 and n_frames == {n}"))
curve = pd.concat(pieces[::-1])

# %% test2-2-1 | 1 | the stored table, no fit
curve = stored_default[stored_default["repeat"] == 1]

# %% test2-2-1 | 1 | the stored table, and a text where a model file should be
curve = stored_default[stored_default["repeat"] == 1].assign(model_path="gap.xml")

# %% test2-2-1 | 2 | one fit, the rest stored
one = learning_curve(DEFAULT, sizes=[25], cache=CACHE, progress=False, engine="jax")
curve = pd.concat(
    [one, stored_default[(stored_default["repeat"] == 1) & (stored_default["n_frames"] > 25)]]
)

# %% test2-2-1 | 0 | all repeats
curve = pd.concat([own, stored_default])

# %% test2-2-1 | 0 | the small potential
curve = stored_small[stored_small["repeat"] == 1]

# %% test2-2-2 | 3 | scatter, eV/Å, names next to the points, in another order
figure, panels = plt.subplots(3, sharex=True, sharey=True)
tables = (curve, *(t[t["repeat"] == 1] for t in (stored_small, stored_energies)))
for panel, table in zip(panels, tables, strict=True):
    wide = table.pivot(index="n_frames", columns="set", values=FORCES) / 1000
    for name in wide:
        panel.scatter(wide.index, wide[name])
        panel.text(400, wide[name][400], name)
    panel.set(xscale="log", yscale="log", xlabel="number of snapshots", ylabel="RMSE, eV/Å")
plt.close(figure)

# %% test2-2-2 | 2 | each panel with a range of its own
figure, panels = plt.subplots(1, 3)
for panel, table in zip(panels, (alone, curve, small), strict=True):
    for name, part in table.groupby("set"):
        panel.loglog(part["n_frames"], part[FORCES], "o", label=name)
    panel.set(xlabel="frames", ylabel="force RMSE, meV/Å")
    panel.legend()
plt.close(figure)

# %% test2-2-2 | 1 | linear axes, no unit
figure, panels = plt.subplots(1, 3, sharey=True)
for panel, table in zip(panels, (alone, curve, small), strict=True):
    for name, part in table.groupby("set"):
        panel.plot(part["n_frames"], part[FORCES], "o", label=name)
    panel.set(xlabel="frames", ylabel="error")
plt.close(figure)

# %% test2-2-2 | 1 | one of three potentials, on logarithmic axes
figure, panels = plt.subplots(1, 3, sharey=True)
for name, part in curve.groupby("set"):
    panels[1].loglog(part["n_frames"], part[FORCES], "o", label=name)
panels[1].set(xlabel="frames", ylabel="force RMSE, meV/Å")
plt.close(figure)

# %% test2-2-2 | 0 | energies
figure, panels = plt.subplots(1, 3)
for name, part in curve.groupby("set"):
    panels[0].loglog(part["n_frames"], part[ENERGY], "o", label=name)
plt.close(figure)

# %% test2-2-2b | 2 | logarithms to the base of ten, errors in eV/Å for the exponent
chosen = stored_energies.query("set == 'validation' and repeat == 1 and n_frames >= 100")
x, y = np.log10(chosen["n_frames"]), np.log10(chosen[FORCES] / 1000)
b, a = np.polyfit(x, y, 1)
exponent, forecast_800 = np.float64(-b), 1000 * 10 ** (a + b * np.log10(800))

# %% test2-2-2b | 1 | the sign of the slope
exponent = -exponent

# %% test2-2-2b | 0 | all sizes
chosen = stored_energies.query("set == 'validation' and repeat == 1")
exponent, a = np.polyfit(np.log(chosen["n_frames"]), np.log(chosen[FORCES]), 1)
forecast_800 = np.exp(a + exponent * np.log(800))

# %% test2-2-2b | 0 | of the default settings
chosen = curve.query("set == 'validation'")
slope, a = np.polyfit(np.log(chosen["n_frames"]), np.log(chosen[FORCES]), 1)
exponent, forecast_800 = -slope, np.exp(a + slope * np.log(800))

# %% test3-optional | 0 | standard deviation of the population
spread_50 = np.std(validation[validation["n_frames"] == 50][ENERGY])

# %% test3-optional | -1 | of all rows
spread_50 = stored_small[ENERGY].std()
