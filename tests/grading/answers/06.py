# Answers to the tests of lesson 06; `other_answers.py` tells how they are read.

# %% test3-1 | 4 | lists, and columns and rows in another order
predictions = {n: tensors_of_n.tolist() for n, tensors_of_n in predictions.items()}
curves = curves[["yx", "xx", "xy"]].sort_index(ascending=False)

# %% test3-1 | 4 | nine numbers in a row, all components in the table
predictions = {n: tensors_of_n.reshape(-1, 9) for n, tensors_of_n in predictions.items()}
curves = curves.assign(zz=0.1)

# %% test3-1 | 2 | mean square without its root
curves = curves**2

# %% test3-1 | 2 | per cent of the spread
curves = 100 * curves / test_tensors.std()

# %% test3-1 | 2 | rows and columns exchanged
curves = curves.T

# %% test3-1 | 2 | numbers of frames in a column, not as the index
curves = curves.reset_index()

# %% test3-1 | 3.5 | one number of frames is missing in the table
curves = curves.drop(index=150)

# %% test3-1 | 0 | the DFT tensors in place of predictions
predictions = dict.fromkeys(predictions, test_tensors)

# %% test3-1 | 2 | the test frames among the training frames
seen = SymmetryAdaptedKernelRidge().fit(frames, tensors).predict(test_frames)
predictions = predictions | {150: seen}
seen_rmse = np.sqrt(np.mean((seen - test_tensors) ** 2, axis=0))
curves = curves.copy()
curves.loc[150] = [seen_rmse[0, 0], seen_rmse[0, 1], seen_rmse[1, 0]]

# %% test3-2 | 2 | lists, einsum, a number of NumPy
alpha, alpha_turned = alpha.tolist(), list(alpha_turned)
difference = np.max(np.abs(np.einsum("ij,njk,lk->nil", R, np.array(alpha), R) - alpha_turned))

# %% test3-2 | 1 | the transposed R on the wrong side
difference = np.abs(alpha_turned - R.T @ alpha @ R).max()

# %% test3-2 | 0 | nothing predicted
alpha = test_tensors
alpha_turned = R @ alpha @ R.T
difference = 0.0

# %% test3-2 | 0 | cell not turned
frames_turned = [atoms.copy() for atoms in test_frames]
for atoms in frames_turned:
    atoms.positions = atoms.positions @ R.T
alpha_turned = model.predict(frames_turned)
difference = np.abs(alpha_turned - R @ alpha @ R.T).max()

# %% test3-2 | 0 | the same frames twice
alpha_turned, difference = alpha, 0.0

# %% test3-3 | 3 | numbers of NumPy, MiB, 500 first, more rows
models = {500: models[500], 200: models[200]}
feature_curves = feature_curves[[500, 200]].astype(np.float32)
feature_curves.loc[100] = 20.0
size_MB = {key: value * 1e6 / 2**20 for key, value in size_MB.items()}

# %% test3-3 | 2 | the left-out error in place of the error of the test frames
feature_curves = feature_curves - 1.5

# %% test3-3 | 2 | bytes
size_MB = {key: 1e6 * value for key, value in size_MB.items()}

# %% test3-3 | 2 | the same number everywhere
feature_curves = feature_curves * 0 + 15.0

# %% test3-3 | 0 | all features in both models, with the sizes of 200 and 500
models = dict.fromkeys((200, 500), SymmetryAdaptedKernelRidge().fit(train_frames, train_tensors))
feature_curves = feature_curves * 0 + 14.0
size_MB = {(n, k): 150 * 16 * (2 * k + 1) * n * 8 / 1e6 for n in (200, 500) for k in (0, 2)}

# %% test3-3 | 1 | the test frames among the training frames
models = {n: SymmetryAdaptedKernelRidge(n_features=n).fit(frames, tensors) for n in (200, 500)}

# %% test3-4a | 3 | from large to small, and another value of the plateau
rho_errors = rho_errors[["left out", "training"]].sort_index(ascending=False)
best_rho = np.float64(1.8 * best_rho)

# %% test3-4a | 2 | the smallest regularization, chosen by the training error
best_rho = 1e-9

# %% test3-4a | 1 | the two columns exchanged
rho_errors = rho_errors.rename(columns={"training": "left out", "left out": "training"})

# %% test3-4a | 2 | another error in place of the left-out one
rho_errors = rho_errors.assign(**{"left out": 0.8 * rho_errors["left out"]})

# %% test3-4 | 4 | lists, numbers of NumPy, in another order
tried = [[dict(settings), np.float64(error)] for settings, error in reversed(tried)]
final_percent = np.float64(final_percent)

# %% test3-4 | 3 | the left-out error as the final one
final_percent = min(error for _, error in tried) + 0.2

# %% test3-4 | 2 | settings that were not those of the model
tried = [({"n_max": n}, error) for n, (_, error) in zip((5, 6, 7, 8, 9), tried, strict=False)]

# %% test3-4 | 2 | chosen by the test frames
tried = [(settings, error - 1.5) for settings, error in tried]

# %% test3-4 | 2 | the test frames among the training frames
best_model = SymmetryAdaptedKernelRidge().fit(frames, tensors)
own = best_model.loo_errors_.set_index("component")["percent"]["λ=2"]
tried = [({}, own), *[(settings, error + 10) for settings, error in tried if settings]]
seen = component_errors(test_tensors, best_model.predict(test_frames)).set_index("component")
final_percent = seen["percent"]["λ=2"]

# %% test3-4 | 0 | four settings only
tried = tried[:4]
