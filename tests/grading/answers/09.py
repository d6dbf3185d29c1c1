# Answers to the tests of lesson 09; `other_answers.py` tells how they are read.


# %% test9-1 | 5 | leapfrog in one line of a Python loop; numbers of JAX
def position(stiffness, n_steps):
    x, v = 1.0, 0.0
    c = stiffness / MASS_U * ACCELERATION * DT_FS
    v = v - c * x / 2
    for _ in range(n_steps):
        x = x + v * DT_FS
        v = v - c * x
    return jnp.asarray(x)


slope = jax.grad(lambda k: jax.lax.fori_loop(0, 500, lambda _, s: s, position(k, 500)))(2.0)


def central(function, x, h):
    half = h / 1
    return (function(x + half) - function(x - half)) / (2 * half)


# %% test9-1 | 3 | the exact motion in place of the simulation
def position(stiffness, n_steps):
    return jnp.cos(jnp.sqrt(stiffness * ACCELERATION / MASS_U) * DT_FS * n_steps)


slope = float(jax.grad(position)(2.0, 500))
central = lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h)  # noqa: E731


# %% test9-1 | 3 | a forward difference
def central(function, x, h):
    return (function(x + h) - function(x)) / h


# %% test9-1 | 4 | the slope of another length
slope = float(jax.grad(lambda k: position(k, 499))(2.0))

# %% test9-2 | 4 | lists, another schedule
angles = list(angles)
rates_taken = [0.1 / (1 + n / 3) for n in range(50)]
settled = descent(rates_taken).tolist()

# %% test9-2 | 2 | with a constant rate both times
settled = angles

# %% test9-2 | 2 | in degrees: a rate of 0.1 with slopes per radian
angles = [110.0]
for _ in range(20):
    angles.append(angles[-1] - 0.1 * float(loss_and_slope(np.radians(angles[-1]))[1]))

# %% test9-2 | 2 | a line drawn to the goal
settled = np.linspace(110, 91.2, 30)

# %% test9-3 | 2 | of NumPy, rounded
right_way, spread = np.float64(round(right_way, 3)), np.round(spread, 2)

# %% test9-3 | 1 | the other sign
right_way = 1 - right_way

# %% test9-3 | 1 | over the mean
spread = float(gradient.abs().max() / gradient.abs().mean())

# %% test9-4 | 3 | arrays of JAX; reverse mode for both
each = jax.jacrev(spread_out)(same)
along = each.sum()

# %% test9-4 | 2 | the mean in place of the sum
along = float(np.mean(each))

# %% test9-4 | 1 | one number for all atoms
each = np.full(50, along / 50)


# %% test9-5 | 4 | by hand, rounded
def growth_per_ps(t, y):
    t, z = np.asarray(t), np.log(np.asarray(y))
    return ((t - t.mean()) * (z - z.mean())).sum() / ((t - t.mean()) ** 2).sum()


rates = {
    name: np.round(growth_per_ps(times_ps[12:], one[12:]), 2)
    for name, one in reversed(list(sizes.items()))
}


# %% test9-5 | 1.5 | from the first and the last value
def growth_per_ps(t, y):
    return float(np.log(y[-1] / y[0]) / (t[-1] - t[0]))


rates = dict.fromkeys(sizes, 0.0)
rates["Langevin, 1 K"] = growth_per_ps(times_ps[late], sizes["Langevin, 1 K"][late])


# %% test9-5 | 2 | logarithms to the base of ten
def growth_per_ps(t, y):
    return float(np.polyfit(t, np.log10(y), 1)[0])


# %% test9-6 | 3 | rounded, a NumPy integer
bias = {window: round(one, 3) for window, one in bias.items()}
long_enough = np.int64(long_enough)

# %% test9-6 | 1 | the ratio in place of the bias
bias = {window: 1 + one for window, one in bias.items()}

# %% test9-6 | 2 | all steps
long_enough = 200

# %% test9-7 | 4 | with a matrix of distances and a floor


def nearest_nm(positions_A, length_A):
    n = len(positions_A)
    x = jnp.asarray(positions_A) / length_A
    d = x[None] - x[:, None]
    d = (d - jnp.rint(d)) * length_A
    r = jnp.where(jnp.eye(n) > 0, jnp.inf, jnp.sqrt((d**2).sum(2) + 1e-12))
    return r.min(0).mean() / 10


# %% test9-7 | 2 | without periodic images
def nearest_nm(positions_A, length_A):
    away = jnp.asarray(positions_A)[:, None] - jnp.asarray(positions_A)[None]
    return jnp.sqrt(((away**2).sum(-1) + 1e6 * jnp.eye(len(positions_A))).min(1)).mean() / 10


# %% test9-7 | 2 | Å in place of nm
nearest_in_nm = nearest_nm
nearest_nm = lambda x, length: 10 * nearest_in_nm(x, length)  # noqa: E731

# %% test9-7 | 2 | a table that was made up
descent_table = descent_table.assign(**{"sigma": np.linspace(0.5345, 0.445, 15)})

# %% test9-optional | 0 | a list of floats
sides_nm = [float(side) for side in sides_nm]

# %% test9-optional | -1 | sides in Å
sides_nm = [10 * float(side) for side in sides_nm]
