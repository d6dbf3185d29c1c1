# Answers to the tests of lesson 04; `other_answers.py` tells how they are read.

# %% test2-3-2 | 4 | the stored results, another sigma of the plateau, numbers of NumPy
table_100 = stored_sigmas[(stored_sigmas["n_frames"] == 100) & (stored_sigmas[SIGMA_F] < 1)]
table_alone = stored_sigmas[(stored_sigmas["n_frames"] == 100) & (stored_sigmas[SIGMA_F] > 1)]
plateau_100 = np.array(
    stored_noise[(stored_noise["n_frames"] == 100) & (stored_noise["low"] <= 0)][SIGMA_E]
)
best_sigma_100 = max(s for s in plateau_100 if s <= 1e-2)
ratio_100, ratio_alone = np.array([ratio_100, ratio_alone])

# %% test2-3-2 | 4 | six sigmas of the eight
table_100, table_alone = (t[t[SIGMA_E] != 0.1] for t in (table_100, table_alone))

# %% test2-3-2 | 3 | the sigma with the lowest training error
best_sigma_100 = min(SIGMAS)

# %% test2-3-2 | 3 | a plateau of one
plateau_100 = [min(SIGMAS)]

# %% test2-3-2 | 3 | all sigmas are a plateau
plateau_100 = SIGMAS

# %% test2-3-2 | 3 | ratios upside down
ratio_100, ratio_alone = 1 / ratio_100, 1 / ratio_alone

# %% test2-3-2 | 2 | the two tables exchanged, and the ratios with them
table_100, table_alone = table_alone, table_100
ratio_100, ratio_alone = ratio_alone, ratio_100

# %% test2-3-2 | 0 | one sigma, learned by heart
table_100, table_alone = (t[t[SIGMA_E] == 1e-5] for t in (table_100, table_alone))
best_sigma_100, plateau_100, ratio_100, ratio_alone = 1e-5, [1e-5], 1.0, 1.0

# %% test2-3-3a | 1 | a number of NumPy
best_cutoff = np.float64(best_cutoff)

# %% test2-3-3a | 0 | the cutoff with the highest error
best_cutoff = float(judged[FORCES].idxmax())

# %% test2-3-3a | 0 | errors of other cutoffs
table_cutoff = table_cutoff.assign(cutoff=table_cutoff["cutoff"].iloc[::-1].to_numpy())
best_cutoff = float(
    table_cutoff[table_cutoff["set"] == "validation"].set_index("cutoff")[FORCES].idxmin()
)

# %% test2-3-3b | 4 | from a pivot, ratios as dictionaries
wide = stored_settings.query("set == 'validation'").pivot(
    index="value", columns="setting", values=FORCES
)
best, effect = wide.idxmin().to_dict(), (wide.max() / wide.min()).to_dict()
most_important = str(wide.max().div(wide.min()).idxmax())
overfitting = {name: dict(ratios) for name, ratios in overfitting.items()}

# %% test2-3-3b | 3 | the least important
most_important = min(effect, key=effect.get)

# %% test2-3-3b | 3 | ratios of the forces
overfitting = {
    name: stored_settings[stored_settings["setting"] == name]
    .pivot(index="value", columns="set", values=FORCES)
    .pipe(lambda t: t["validation"] / t["training"])
    for name in ("n_max", "l_max")
}

# %% test2-3-3b | 2 | where the training errors of the energies are largest
wide = stored_settings.query("set == 'training'").pivot(
    index="value", columns="setting", values=ENERGY
)
best, effect = wide.idxmax().to_dict(), (wide.max() / wide.min()).to_dict()

# %% test2-3-4 | 3 | the stored result
table_200 = stored_sigmas[stored_sigmas["n_frames"] == 200]
row = stored_gain[np.isclose(stored_gain[SIGMA_E], best_sigma_100)].iloc[0]
gain, gain_low, gain_high = row["difference"], row["low"], row["high"]
significant = np.bool_(gain_low > 0 or gain_high < 0)

# %% test2-3-4 | 2 | the wrong conclusion
significant = not significant

# %% test2-3-4 | 0 | of the box, not per atom
gain, gain_low, gain_high = 48 * gain, 48 * gain_low, 48 * gain_high

# %% test2-3-4 | 1 | no interval
gain_low, gain_high, significant = gain, gain, True

# %% test4-optional | 0 | four values of one of them
table_both = pd.concat(
    [table_both, table_both.query(f"{SIGMA_E} == 1e-3").assign(**{SIGMA_E: 3e-3})]
)

# %% test4-optional | -1 | one sigma only
table_both = table_100
