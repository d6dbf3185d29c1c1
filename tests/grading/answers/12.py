# Answers to the tests of lesson 12; `other_answers.py` tells how they are read.


# %% test12-1 | 4 | component by component; by the matrix; arccos of the first number
def product(a, b):
    w, x, y, z = a
    s, t, u, v = b
    return [
        w * s - x * t - y * u - z * v,
        w * t + x * s + y * v - z * u,
        w * u - x * v + y * s + z * t,
        w * v + x * u - y * t + z * s,
    ]


def turn(q, vector):
    axis = np.asarray(q[1:])
    twice = 2 * np.cross(axis, vector)
    return np.asarray(vector) + q[0] * twice + np.cross(axis, twice)


def angle_deg(a, b):
    away = product(np.asarray(a) * [1, -1, -1, -1], b)
    return np.degrees(2 * np.arctan2(np.linalg.norm(away[1:]), abs(away[0])))


# %% test12-1 | 2 | the other order of turns
of_two = product


def product(a, b):
    return of_two(b, a)


def turn(q, vector):
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat([q[1], q[2], q[3], q[0]]).apply(vector)


# %% test12-1 | 3 | q and −q taken for different orientations
def angle_deg(a, b):
    return float(np.degrees(2 * np.arccos(np.clip(np.asarray(a) @ np.asarray(b), -1, 1))))


# %% test12-1 | 3 | turned back
def turn(q, vector):
    back = np.asarray(q) * [1, -1, -1, -1]
    return product(product(back, np.concatenate([[0.0], vector])), q)[1:]


# %% test12-2 | 3 | lists, a loop
def motion(positions, velocities):
    n = len(positions)
    center = sum(positions) / n
    spin = sum(np.cross(r - center, v) for r, v in zip(positions, velocities, strict=True))
    return {"spin": list(spin), "center": list(center), "momentum": list(sum(velocities))}


omega = [round(float(one), 6) for one in omega]


# %% test12-2 | 2.333 | angular momentum about the origin
def motion(positions, velocities):
    return {
        "center": positions.mean(0),
        "momentum": velocities.sum(0),
        "spin": np.cross(positions, velocities).sum(0),
    }


# %% test12-2 | 2 | spin divided by the moments of the body's own axes
omega = motion(beads, speeds)["spin"] / np.array([3.0, 3.0, 6.0])


# %% test12-3 | 5 | a Python loop
def predict(weights, x, v):
    xs, vs = [jnp.asarray(x, float)], [jnp.asarray(v, float)]
    for _ in range(N_STEPS):
        half = vs[-1] + DT / 2 * force(weights, xs[-1])
        xs.append(xs[-1] + DT * half)
        vs.append(half + DT / 2 * force(weights, xs[-1]))
    return jnp.stack([jnp.stack(xs), jnp.stack(vs)])


learned = [np.asarray(one) for one in learned]


# %% test12-3 | 2 | Euler in place of velocity Verlet
def predict(weights, x, v):
    xs, vs = [jnp.asarray(x, float)], [jnp.asarray(v, float)]
    for _ in range(N_STEPS):
        xs.append(xs[-1] + DT * vs[-1])
        vs.append(vs[-1] + DT * force(weights, xs[-2]))
    return jnp.stack([jnp.stack(xs), jnp.stack(vs)])


# %% test12-3 | 3 | not trained
learned = start_weights


# %% test12-3 | 4 | positions alone in the loss
def loss(weights):
    predicted = jax.vmap(predict, (None, 0, 0))(weights, observed[:, 0, 0], observed[:, 1, 0])
    return ((predicted - observed)[:, 0] ** 2).mean()


# %% test12-4 | 3 | a tuple in another order, a whole number
usable, period_deg = tuple(reversed(usable)), 60

# %% test12-4 | 2 | the half of the period, where corners meet edges
period_deg = 30.0

# %% test12-4 | 2 | one too many
usable = [*usable, "n1·r"]

# %% test12-4 | 1 | all of them
usable = list(inputs)

# %% test12-5 | 3 | rounded, NumPy numbers
ratios = {name: np.float64(round(one, 6)) for name, one in ratios.items()}
share = np.float32(share)

# %% test12-5 | 1 | upside down
ratios = {name: 1 / one for name, one in ratios.items()}

# %% test12-5 | 2 | the mean square in place of its root
share = float(np.mean((errors.learned - errors.true) ** 2) / errors.energy_range)


# %% test12-6 | 3 | a loop
def squared_displacement(positions, lag):
    rows = [positions[k + lag] - positions[k] for k in range(len(positions) - lag)]
    return np.mean([(row**2).sum(axis=1).mean() for row in rows])


largest = np.float64(largest)


# %% test12-6 | 1 | from the first time only
def squared_displacement(positions, lag):
    return float(((positions[lag] - positions[0]) ** 2).sum(-1).mean())


# %% test12-6 | 2 | the mean difference
largest = float((by_beads_structure["g"] - learned_structure["g"]).abs().mean())

# %% test12-7 | 3 | rounded, NumPy numbers in another order
few_data = {way: np.float64(round(few_data[way], 5)) for way in reversed(list(few_data))}
factor = np.float32(factor)

# %% test12-7 | 1 | sixteen runs
few_data = learning[learning["runs"] == 16].groupby("way")["force_error"].mean().to_dict()

# %% test12-7 | 2 | upside down
factor = 1 / factor
