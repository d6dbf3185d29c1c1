# Answers to the tests of lesson 04; `other_answers.py` tells how they are read.

# %% test2-3-2 | 4 | the stored result, a dictionary, numbers of NumPy
table_100 = stored_sigmas[stored_sigmas["n_frames"] == 100]
named = {name: rows.set_index(SIGMA_E)[ENERGY] for name, rows in table_100.groupby("set")}
best_sigma_100 = np.float64(named["validation"].idxmin())
ratios_100 = dict(named["validation"] / named["training"])

# %% test2-3-2 | 4 | five sigmas of the eight
table_100 = table_100[table_100[SIGMA_E].isin([1e-5, 1e-4, 1e-3, 3e-3, 1e-1])]
named = {name: rows.set_index(SIGMA_E)[ENERGY] for name, rows in table_100.groupby("set")}
best_sigma_100, ratios_100 = 0.003, named["validation"] / named["training"]

# %% test2-3-2 | 2 | the sigma with the lowest training error
best_sigma_100 = min(SIGMAS)

# %% test2-3-2 | 2 | ratios upside down
ratios_100 = 1 / ratios_100

# %% test2-3-2 | 0 | the table of 200 frames under another name
table_100 = stored_sigmas[stored_sigmas["n_frames"] == 200].assign(n_frames=100)

# %% test2-3-2 | 0 | a sweep of one sigma
table_100 = table_100[table_100[SIGMA_E] == 1e-3]
best_sigma_100, ratios_100 = 1e-3, {1e-3: ratios_100[1e-3]}

# %% test2-3-3a | 1 | a number of NumPy
best_cutoff = np.float64(best_cutoff)

# %% test2-3-3a | 0 | the other cutoff
best_cutoff = 3.0

# %% test2-3-3a | 0 | the errors of the other cutoff
table_cutoff = table_cutoff.assign(cutoff=6.5 - table_cutoff["cutoff"])
best_cutoff = 3.0

# %% test2-3-3b | 3 | from a pivot
wide = stored_settings.query("set == 'validation'").pivot(
    index="value", columns="setting", values=FORCES
)
best, effect = wide.idxmin().to_dict(), (wide.max() / wide.min()).to_dict()
most_important = str(wide.max().div(wide.min()).idxmax())

# %% test2-3-3b | 2 | the least important
most_important = min(effect, key=effect.get)

# %% test2-3-3b | 1 | where the training errors of the energies are largest
wide = stored_settings.query("set == 'training'").pivot(
    index="value", columns="setting", values=ENERGY
)
best, effect = wide.idxmax().to_dict(), (wide.max() / wide.min()).to_dict()

# %% test2-3-4 | 3 | the stored result, numbers of NumPy
table_200 = stored_sigmas[stored_sigmas["n_frames"] == 200]
best_sigma_200 = np.float64(best_sigma_200)
ratio_at_100, ratio_at_200 = np.array([ratio_at_100, ratio_at_200])

# %% test2-3-4 | 1 | the table of 100 frames under another name
table_200 = table_100.assign(n_frames=200)
best_sigma_200, ratio_at_200 = best_sigma_100, ratio_at_100

# %% test2-3-4 | 2 | a sweep of one sigma
table_200 = table_200[table_200[SIGMA_E] == 1e-4]
best_sigma_200 = 1e-4

# %% test2-3-4 | 1 | ratios upside down
ratio_at_100, ratio_at_200 = 1 / ratio_at_100, 1 / ratio_at_200

# %% test4-optional | 0 | four values of one of them
table_both = pd.concat(
    [table_both, table_both.query(f"{SIGMA_E} == 1e-3").assign(**{SIGMA_E: 3e-3})]
)

# %% test4-optional | -1 | one sigma only
table_both = table_100
