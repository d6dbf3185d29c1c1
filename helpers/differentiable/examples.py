"""Three small fits through simulations: a diameter, an angle, a network.

They follow the examples of Molly.jl's documentation ("Differentiable simulation"): same atoms,
forces, integrators, losses and rates, so that their tables can be compared. Lengths of these tables
are in nm, angles in degrees, as there; simulations run in the kit's units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from ase import units

from helpers import checks
from helpers.differentiable import losses
from helpers.differentiable.bonded import HarmonicAngles, HarmonicBonds
from helpers.differentiable.descent import Descent, descend, over_seeds, stack
from helpers.differentiable.feasibility import check_start
from helpers.differentiable.interactions import Sum
from helpers.differentiable.pair_interactions import MixedLennardJones
from helpers.errors import DataError
from helpers.jax_setup import double_precision
from helpers.md.integrators import make_integrator, maxwell_boltzmann
from helpers.md.simulation import initialize, simulate

KJ = units.kJ / units.mol  # eV
MASS = 10.0  # u, of all atoms here
TRUE_SIGMA_NM = 0.5 / 2 ** (1 / 6)
TRUE_ANGLE_DEG = 2 * np.degrees(np.arcsin(0.5 / 0.7))  # two sides of 0.7 nm, the third of 1 nm


# ---------------------------------------------------------------------------------------------
# σ of a Lennard-Jones fluid


@dataclass(frozen=True)
class Fluid:
    """50 atoms of which the nearest neighbors shall be 0.5 nm away after some steps.

    Attributes
    ----------
    n_atoms, steps : int
    length_nm, temperature_K, timestep_fs, epsilon_kJ_per_mol, cutoff_nm, apart_nm : float
        Side of the cell; bath; step; depth of the potential; cutoff, where the energy jumps;
        smallest distance at the start.
    thermostat : str
        Of `md.integrators.METHODS`.
    relaxation_fs : float
    """

    n_atoms: int = 50
    steps: int = 500
    length_nm: float = 3.0
    temperature_K: float = 1.0
    timestep_fs: float = 20.0
    epsilon_kJ_per_mol: float = 0.2
    cutoff_nm: float = 1.5
    apart_nm: float = 0.6
    thermostat: str = "rescaling"
    relaxation_fs: float = 200.0

    def __post_init__(self) -> None:
        checks.whole("n_atoms", self.n_atoms, 2)
        checks.whole("steps", self.steps, 1)
        for name in (
            "length_nm", "temperature_K", "timestep_fs", "epsilon_kJ_per_mol", "cutoff_nm",
            "apart_nm", "relaxation_fs",
        ):  # fmt: skip
            checks.number(name, getattr(self, name))

    @property
    def cell(self) -> Any:
        """Cell vectors, Å."""
        return 10 * self.length_nm * np.eye(3)

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return random positions, Å, and velocities, Å/fs, at the temperature of the bath."""
        rng = np.random.default_rng(checks.seed(seed))
        positions = place_atoms(self.n_atoms, 10 * self.length_nm, 10 * self.apart_nm, rng)
        noise = rng.standard_normal(positions.shape)
        masses = np.full(self.n_atoms, MASS)
        return positions, np.array(maxwell_boltzmann(masses, self.temperature_K, noise))

    def run(self, sigma_nm: Any, draw: Any, simulation: Any = simulate, **options: Any) -> Any:
        """Return the simulation of one draw.

        Parameters
        ----------
        sigma_nm : float
        draw : tuple of arrays
            Of `draw`.
        simulation : function
            `simulate` or `simulate_reversibly`.
        **options
            For it.
        """
        field, start, integrator, at = self._prepare(sigma_nm, draw)
        options = {"record": lambda state, *_: (), "record_every": self.steps, **options}
        return simulation(field, start, integrator, self.steps, **at, **options)

    def check(self, sigma_nm: float, draw: Any) -> float:
        """Return frequency · time step at a start, or raise `DataError`: see `check_start`."""
        field, start, integrator, at = self._prepare(sigma_nm, draw)
        return check_start(field, start, integrator, **at)

    def _prepare(self, sigma_nm: Any, draw: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
        positions, velocities = draw
        field = MixedLennardJones(10 * self.cutoff_nm, "truncated")
        parameters = {"epsilon_eV": self.epsilon_kJ_per_mol * KJ, "sigma_A": 10 * sigma_nm}
        integrator = make_integrator(
            self.thermostat,
            self.n_atoms,
            timestep_fs=self.timestep_fs,
            temperature_K=self.temperature_K,
            relaxation_fs=self.relaxation_fs,
        )
        masses = np.full(self.n_atoms, MASS)
        at = {"parameters": parameters, "cell": jnp.asarray(self.cell)}
        start = initialize(
            field, integrator, positions, velocities, masses, jax.random.key(0), **at
        )
        return field, start, integrator, at

    def loss(self, sigma_nm: Any, draw: Any, **options: Any) -> Any:
        """Return | mean distance to the nearest neighbor − 0.5 nm | at the end, and the mean."""
        end = self.run(sigma_nm, draw, **options).state.positions
        nearest = losses.nearest_neighbor_distance(end, jnp.asarray(self.cell)).mean() / 10
        return losses.deviation(nearest, 0.5), nearest


def fit_sigma(
    *,
    seed: int = 0,
    epochs: int = 15,
    rate: Any = 0.01,
    starts_per_epoch: int = 1,
    fluid: Fluid | None = None,
) -> Descent:
    """Find σ of a Lennard-Jones fluid from a distance: theory 0.445 nm, start 0.535 nm.

    Parameters
    ----------
    seed : int
        Each epoch has another start, drawn from it.
    epochs : int
    rate : float or optax schedule
        By what the gradient (nm per nm) is multiplied.
    starts_per_epoch : int
        With more than one, each epoch follows the mean gradient of so many starts, which are
        simulated side by side.
    fluid : Fluid, optional

    Returns
    -------
    Descent
        Its table has ``sigma_nm``, ``nearest_nm`` and ``gradient`` of each epoch.

    Raises
    ------
    DataError
        If the time step is too long for the first start.
    """
    import optax

    checks.whole("epochs", epochs, 1)
    checks.whole("starts_per_epoch", starts_per_epoch, 1)
    fluid, first = fluid or Fluid(), 1000 * checks.seed(seed)
    with double_precision():
        rows = [
            [fluid.draw(first + epoch + run * epochs) for run in range(starts_per_epoch)]
            for epoch in range(epochs)
        ]

        def loss(parameters: Any, draw: Any) -> Any:
            value, nearest = fluid.loss(parameters["sigma_nm"], draw, checkpoint_every=1)
            return value, {"sigma_nm": parameters["sigma_nm"], "nearest_nm": nearest}

        start = {"sigma_nm": 0.6 / 2 ** (1 / 6)}
        fluid.check(start["sigma_nm"], rows[0][0])
        names = {"loss": "nm", "sigma_nm": "nm", "nearest_nm": "nm", "gradient_norm": "nm/nm"}
        steps = fluid.steps * starts_per_epoch
        if starts_per_epoch == 1:
            draws = [row[0] for row in rows]
            return descend(loss, start, optax.sgd(rate), draws, steps=steps, units=names)
        draws = [stack(row) for row in rows]
        return descend(over_seeds(loss), start, optax.sgd(rate), draws, steps=steps, units=names)


def structure_before_and_after(
    before_nm: float, after_nm: float, *, seed: int = 0, n_runs: int = 4, fluid: Fluid | None = None
) -> pd.DataFrame:
    """Return g(r) at the end of simulations with two diameters, the mean over some runs.

    Parameters
    ----------
    before_nm, after_nm : float
        σ before and after a fit.
    seed, n_runs : int
    fluid : Fluid, optional

    Returns
    -------
    DataFrame
        Columns ``r_nm``, ``before`` and ``after``; distances count as Gaussians 0.03 nm wide.
    """
    fluid = fluid or Fluid()
    r_A = np.arange(0.25, 5 * fluid.length_nm, 0.25)
    with double_precision():
        draws = [fluid.draw(1000 * checks.seed(seed) + run) for run in range(n_runs)]
        draws = stack(draws)

        def g(sigma_nm: Any, draw: Any) -> Any:
            end = fluid.run(sigma_nm, draw).state.positions
            return losses.radial_distribution(end, jnp.asarray(fluid.cell), r_A, width_A=0.3)

        mean = jax.jit(lambda sigma: jax.vmap(lambda draw: g(sigma, draw))(draws).mean(0))
        curves = {"before": np.asarray(mean(before_nm)), "after": np.asarray(mean(after_nm))}
    return pd.DataFrame({"r_nm": r_A / 10} | curves)


def place_atoms(
    n_atoms: int, length_A: float, apart_A: float, rng: np.random.Generator
) -> np.ndarray:
    """Return random positions in a cubic cell, none closer to another than `apart_A`.

    Raises
    ------
    DataError
        If there is no room.
    """
    positions = np.empty((0, 3))
    for _ in range(1000 * n_atoms):
        new = rng.uniform(0, length_A, 3)
        away = positions - new
        away -= length_A * np.round(away / length_A)
        if np.all((away**2).sum(1) >= apart_A**2):
            positions = np.vstack([positions, new])
        if len(positions) == n_atoms:
            return positions
    raise DataError(
        f"{n_atoms} atoms {apart_A:g} Å apart do not fit into a cube of {length_A:g} Å",
        fix="fewer atoms, closer together, or a larger cell",
    )


# ---------------------------------------------------------------------------------------------
# The angle of two triatomic molecules


TRIATOMICS_NM = np.array(
    [
        [0.8, 0.75, 1.5], [1.5, 0.70, 1.5], [2.3, 0.75, 1.5],
        [0.8, 2.25, 1.5], [1.5, 2.20, 1.5], [2.3, 2.25, 1.5],
    ]
)  # fmt: skip
TRIATOMICS = Sum(
    {
        "bonds": HarmonicBonds([[0, 1], [1, 2], [3, 4], [4, 5]]),
        "angles": HarmonicAngles([[0, 1, 2], [3, 4, 5]]),
    }
)


def angle_loss(
    angle: Any,
    *,
    steps: int = 150,
    average_over: int = 1,
    simulation: Any = simulate,
    **options: Any,
) -> tuple[Any, Any]:
    """Return ‖ distance of the outer atoms − 1 nm ‖, and the distance, nm, after some steps.

    Parameters
    ----------
    angle : float
        θ₀ of the angles, radians.
    steps : int
        Time steps of 50 fs, with a Berendsen thermostat at 0.05 K.
    average_over : int
        Mean distance of so many last steps: atoms still vibrate at the end.
    simulation : function
        `simulate` or `simulate_reversibly`.
    **options
        For it.
    """
    parameters = {
        "bonds": {"stiffness_eV_per_A2": 100 * KJ / 100, "length_A": 7.0},
        "angles": {"stiffness_eV": 10 * KJ, "angle": angle},
    }
    integrator = make_integrator(
        "berendsen", 6, timestep_fs=50.0, temperature_K=0.05, relaxation_fs=500.0
    )
    x, masses = jnp.asarray(10 * TRIATOMICS_NM), np.full(6, MASS)
    at = {"parameters": parameters, "cell": jnp.asarray(30.0 * np.eye(3))}
    start = initialize(TRIATOMICS, integrator, x, 0 * x, masses, jax.random.key(0), **at)
    outer = np.array([[0, 2], [3, 5]])
    run = simulation(
        TRIATOMICS, start, integrator, steps, **at, **options,
        record=lambda state, *_: losses.pair_distances(state.positions, outer).mean() / 10,
    )  # fmt: skip
    distance = run.records[-average_over:].mean()
    return losses.deviation(distance, 1.0), distance


def fit_angle(
    *, epochs: int = 20, rate: Any = 0.1, start_deg: float = 110.0, **options: Any
) -> Descent:
    """Find the angle of two triatomic molecules from a distance: theory 91.2°, start 110°.

    Parameters
    ----------
    epochs : int
    rate : float or optax schedule
        By what the gradient (nm per radian) is multiplied. A constant rate goes back and forth
        around the minimum, because the slope of the loss does not fall near it.
    start_deg : float
    **options
        For `angle_loss`.

    Returns
    -------
    Descent
        Its table has ``angle_deg``, ``distance_nm`` and the gradient of each epoch.
    """
    import optax

    def loss(parameters: Any, _: Any) -> Any:
        value, distance = angle_loss(parameters["angle"], **options)
        return value, {"angle_deg": jnp.degrees(parameters["angle"]), "distance_nm": distance}

    with double_precision():
        names = {"loss": "nm", "angle": "radian", "angle_deg": "degrees", "distance_nm": "nm"}
        names |= dict.fromkeys(("gradient_norm", "gradient.angle"), "nm/radian")
        return descend(
            loss,
            {"angle": np.radians(start_deg)},
            optax.sgd(rate),
            [()] * epochs,
            steps=options.get("steps", 150),
            units=names,
        )


def angle_gradients(angles_deg: Any) -> pd.DataFrame:
    """Return loss and gradient of `angle_loss` for many angles.

    Returns
    -------
    DataFrame
        Columns ``angle_deg``, ``loss_nm`` and ``gradient_nm_per_radian``.
    """
    with double_precision():
        slope = jax.jit(jax.vmap(jax.value_and_grad(lambda angle: angle_loss(angle)[0])))
        value, gradient = slope(jnp.radians(jnp.asarray(angles_deg, float)))
    return pd.DataFrame(
        {
            "angle_deg": np.asarray(angles_deg, float),
            "loss_nm": np.asarray(value),
            "gradient_nm_per_radian": np.asarray(gradient),
        }
    )


# ---------------------------------------------------------------------------------------------
# A network in the force


TRIANGLE_NM = np.array([[2.3, 2.07, 0.0], [2.5, 2.93, 0.0], [2.7, 2.07, 0.0]])


def triangle_run(network: Any, *, steps: int = 400, record_every: int = 10) -> Any:
    """Return a simulation of three atoms in which a network draws two of them together or apart.

    The network takes the distance of the first and third atom in nm and returns a force in
    kJ/(mol nm), between −1 and 1, positive if they attract each other. 20 fs, Berendsen at 0.01 K.

    Parameters
    ----------
    network : function of an array of shape (1,) → array of shape (1,)
    steps, record_every : int
    """

    def force_field(parameters: Any, positions: Any, cell: Any, neighbors: Any) -> Any:
        vector = positions[2] - positions[0]
        distance = losses.norm(vector)
        force = parameters(distance[None] / 10)[0] * KJ / 10 * vector / distance
        return jnp.zeros(()), jnp.stack([force, jnp.zeros(3), -force])

    integrator = make_integrator(
        "berendsen", 3, timestep_fs=20.0, temperature_K=0.01, relaxation_fs=500.0
    )
    x, masses = jnp.asarray(10 * TRIANGLE_NM), np.full(3, MASS)
    at = {"parameters": network}
    start = initialize(force_field, integrator, x, 0 * x, masses, jax.random.key(0), **at)
    return simulate(force_field, start, integrator, steps, record_every=record_every, **at)


def triangle_network(key: Any) -> Any:
    """Return a network with five hidden neurons (ReLU) and tanh at the end, an equinox module.

    Random weights as of Glorot, Bengio, AISTATS 2010, and biases of zero.
    """
    import equinox

    network = equinox.nn.MLP(1, 1, 5, 1, jax.nn.relu, jnp.tanh, key=key)
    glorot = jax.nn.initializers.glorot_uniform(in_axis=-1, out_axis=-2)
    keys = jax.random.split(key, 2)
    weights = [
        glorot(one, layer.weight.shape) for one, layer in zip(keys, network.layers, strict=True)
    ]
    biases = [jnp.zeros_like(layer.bias) for layer in network.layers]
    return equinox.tree_at(
        lambda one: [*(layer.weight for layer in one.layers), *(x.bias for x in one.layers)],
        network,
        [*weights, *biases],
    )


def triangle_sides_nm(positions: Any) -> Any:
    """Return the three sides, nm, of positions in Å."""
    return losses.pair_distances(positions, np.array([[0, 1], [1, 2], [2, 0]])) / 10


def fit_triangle(*, seed: int = 0, epochs: int = 20, rate: Any = 0.02) -> Descent:
    """Train a network until three atoms end as a triangle with a mean side of 1 nm.

    A `triangle_network`, trained by Adam.

    Parameters
    ----------
    seed : int
        Of its weights.
    epochs : int
    rate : float or optax schedule

    Returns
    -------
    Descent
        `parameters` is the network; the table has ``side_nm``, the mean side.
    """
    import equinox
    import optax

    with double_precision():
        network = triangle_network(jax.random.key(checks.seed(seed)))
        arrays, rest = equinox.partition(network, equinox.is_inexact_array)

        def loss(arrays: Any, _: Any) -> Any:
            end = triangle_run(equinox.combine(arrays, rest)).state.positions
            side = triangle_sides_nm(end).mean()
            return losses.deviation(side, 1.0), {"side_nm": side}

        names = {"loss": "nm", "side_nm": "nm", "network": "nm → kJ/(mol nm)"}
        result = descend(loss, arrays, optax.adam(rate), [()] * epochs, steps=400, units=names)
        trained = equinox.combine(result.parameters, rest)
    return Descent(trained, result.table, result.units, result.steps_per_second)


def triangle_before_and_after(trained: Any, *, seed: int = 0) -> np.ndarray:
    """Return the motion of three atoms with a new network and with a trained one.

    Parameters
    ----------
    trained : equinox.Module
        `parameters` of `fit_triangle`.
    seed : int
        The one that `fit_triangle` was given.

    Returns
    -------
    ndarray of shape (2, n_frames, 3, 2), nm
        x and y of the atoms: before training, after it.
    """
    with double_precision():
        networks = (triangle_network(jax.random.key(checks.seed(seed))), trained)
        runs = [triangle_run(network).records.positions for network in networks]
    return np.asarray(runs)[..., :2] / 10
