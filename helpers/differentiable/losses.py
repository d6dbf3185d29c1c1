"""What a simulation should show: quantities with gradients, and losses made of them.

Where the exact form of a quantity jumps or has kinks (a histogram, the nearest neighbor, an
absolute value), a width makes it smooth; without one the exact form is returned. Its gradient is
right wherever there is one, and zero for a histogram. All others have one form, which is smooth.

Positions and velocities may have any axes in front, such as one for frames: ``(...)`` below. Units:
Å, fs, eV, u. Work inside ``with double_precision():``.

Sources
-------
- g(r), pressure, time correlations: Allen, Tildesley, Computer Simulation of Liquids (Oxford 2017)
- radius of gyration, end-to-end distance: Rubinstein, Colby, Polymer Physics (Oxford 2003)
- the others are told where they are computed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import units

from helpers import checks
from helpers.differentiable.bonded import safe_sqrt
from helpers.errors import ConfigError, nearest
from helpers.md.integrators import temperature as temperature
from helpers.md.pairs import to_nearest_image
from helpers.md.simulation import ForceField
from helpers.md.vibrations import PER_CM_PER_FS

# ---------------------------------------------------------------------------------------------
# From quantities to losses


def deviation(value: Any, target: Any, *, width: float | None = None) -> Any:
    """Return the mean of ‖value − target‖.

    Parameters
    ----------
    value, target : array
    width : float, optional
        Smooth form √(x² + width²) − width, quadratic for deviations below the width: the
        pseudo-Huber loss (Charbonnier and others, IEEE Trans. Image Process. 6, 298 (1997)). The
        exact form has a kink where the target is met.
    """
    difference = jnp.asarray(value) - jnp.asarray(target)
    if width is None:
        return jnp.abs(difference).mean()
    checks.number("width", width)
    return (jnp.sqrt(difference**2 + width**2) - width).mean()


def weighted_sum(losses: Mapping[str, Any], weights: Mapping[str, float]) -> Any:
    """Return Σ weight · loss, over the names of `weights`.

    Raises
    ------
    ConfigError
        If a weight has no loss, or a loss no weight (give 0 for one that shall not count).
    """
    for name in weights:
        if name not in losses:
            raise ConfigError(f"There is no loss {name!r}", fix=nearest(name, losses))
    for name in losses:
        if name not in weights:
            raise ConfigError(f"The loss {name!r} has no weight", fix="add it; 0 switches it off")
    return sum(weights[name] * losses[name] for name in losses)


# ---------------------------------------------------------------------------------------------
# Structure


def vectors_between(positions: Any, first: Any, second: Any, cell: Any = None) -> Any:
    """Return the vectors from the first to the second atoms, (..., n, 3), Å, to nearest images."""
    vectors = positions[..., second, :] - positions[..., first, :]
    if cell is None:
        return vectors
    return jnp.moveaxis(to_nearest_image(jnp.moveaxis(vectors, -1, 0), cell)[0], 0, -1)


def pair_distances(positions: Any, atoms: Any, cell: Any = None) -> Any:
    """Return the distances of given pairs of atoms, (..., n_pairs), Å; the slope at 0 is 0.

    Of the last positions: the distance at the end; of all frames: the distance over time.

    Parameters
    ----------
    positions : array of shape (..., n_atoms, 3), Å
    atoms : int array of shape (n_pairs, 2)
    cell : array of shape (3, 3), Å, optional
    """
    atoms = np.asarray(atoms)
    return norm(vectors_between(positions, atoms[:, 0], atoms[:, 1], cell))


def nearest_neighbor_distance(positions: Any, cell: Any = None, *, width_A: Any = None) -> Any:
    """Return the distance of each atom to its nearest neighbor, (..., n_atoms), Å.

    Parameters
    ----------
    positions : array of shape (..., n_atoms, 3), Å
    cell : array of shape (3, 3), Å, optional
    width_A : float, optional
        Smooth form −w log Σ exp(−r/w), less than the smallest distance by at most w log(n_atoms −
        1). The exact form has a kink where the nearest neighbor changes.
    """
    r = _distance_matrix(positions, cell)
    r = jnp.where(np.eye(r.shape[-1], dtype=bool), jnp.inf, r)
    if width_A is None:
        return r.min(-1)
    return -width_A * jax.nn.logsumexp(-r / width_A, axis=-1)


def radial_distribution(
    positions: Any,
    cell: Any,
    r_A: Any,
    *,
    first: Any = None,
    second: Any = None,
    width_A: float | None = None,
) -> Any:
    """Return g(r) at evenly spaced distances, (..., n_r).

    Parameters
    ----------
    positions : array of shape (..., n_atoms, 3), Å
    cell : array of shape (3, 3), Å
        r should end at half of the smallest distance between its opposite faces.
    r_A : array of shape (n_r,), Å
    first, second : int arrays, optional
        The atoms from which and to which distances are taken; all by default.
    width_A : float, optional
        Smooth form: each distance counts as a Gaussian with this standard deviation, which widens
        peaks. The exact form is a histogram, with bins around the r: it has no gradient.
    """
    r_A = jnp.asarray(r_A)
    atoms = np.arange(positions.shape[-2])
    first = atoms if first is None else np.asarray(first)
    second = atoms if second is None else np.asarray(second)
    pairs = np.array([(i, j) for i in first for j in second if i != j])
    r = pair_distances(positions, pairs, cell)[..., None, :]
    bin_A = r_A[1] - r_A[0]
    volume = jnp.abs(jnp.dot(cell[0], jnp.cross(cell[1], cell[2])))
    grid = r_A[:, None]
    if width_A is None:
        counts = ((r >= grid - bin_A / 2) & (r < grid + bin_A / 2)).sum(-1)
        shell = 4 * jnp.pi * bin_A * (r_A**2 + bin_A**2 / 12)
    else:
        checks.number("width_A", width_A)
        height = 1 / (np.sqrt(2 * np.pi) * width_A)
        counts = height * jnp.exp(-0.5 * ((r - grid) / width_A) ** 2).sum(-1)
        shell = 4 * jnp.pi * r_A**2
    return counts * volume / (shell * len(first) * len(second))


@jax.custom_jvp  # type: ignore[untyped-decorator]
def best_rotation(correlation: Any) -> Any:
    """Return the rotation R (3, 3) that brings y R closest to x, from yᵀ x, both centered.

    By singular values (Kabsch, Acta Cryst. A 32, 922 (1976)). Its derivative is that of the polar
    decomposition yᵀ x = R S, which is finite where singular values coincide: with Rᵀ dR = [ω]×,
    (tr S − S) ω is the axial vector of Rᵀ d(yᵀ x) − (Rᵀ d(yᵀ x))ᵀ.
    """
    u, _, vt = jnp.linalg.svd(correlation)
    sign = jnp.sign(jnp.linalg.det(u) * jnp.linalg.det(vt))
    return (u * jnp.array([1.0, 1.0, sign])) @ vt  # no reflection


@best_rotation.defjvp  # type: ignore[untyped-decorator]
def _best_rotation_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (correlation,), (change,) = primals, tangents
    rotation = best_rotation(correlation)
    S, W = rotation.T @ correlation, rotation.T @ change
    W = W - W.T
    trace = jnp.trace(S)
    # Atoms in a line may be turned around it: the small number leaves them as they are.
    matrix = (1 + 1e-12) * trace * jnp.eye(3) - S
    omega = jnp.linalg.solve(matrix, jnp.stack([W[2, 1], W[0, 2], W[1, 0]]))
    x, y, z = omega
    zero = jnp.zeros_like(x)
    turn = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return rotation, rotation @ turn


def rmsd(positions: Any, reference: Any) -> Any:
    """Return the root mean square distance after superposition, Å; a slope of 0 where it is 0.

    The rotation is taken as constant: because it is the best one, the first derivative is exact,
    also where the rotation is not unique. Second derivatives are not.

    Parameters
    ----------
    positions, reference : array of shape (n_atoms, 3), Å
        Of one molecule, not wrapped.
    """
    x, y = positions - positions.mean(0), reference - reference.mean(0)
    rotation = jax.lax.stop_gradient(best_rotation(y.T @ x))
    return safe_sqrt(((x - y @ rotation) ** 2).sum(-1).mean())


def drmsd(positions: Any, reference: Any) -> Any:
    """Return the root mean square difference of all distances from those of a reference, Å.

    No superposition is needed, and mirror images are the same (Levitt, J. Mol. Biol. 104, 59
    (1976)).

    Parameters
    ----------
    positions, reference : array of shape (..., n_atoms, 3), Å
    """
    upper = np.transpose(np.triu_indices(positions.shape[-2], 1))
    difference = pair_distances(positions, upper) - pair_distances(reference, upper)
    return safe_sqrt((difference**2).mean(-1))


def radius_of_gyration(positions: Any, masses: Any) -> Any:
    """Return the root mean square distance from the center of mass, (...), Å."""
    weights = jnp.asarray(masses)[:, None] / jnp.sum(jnp.asarray(masses))
    away = positions - (weights * positions).sum(-2, keepdims=True)
    return safe_sqrt((weights * away**2).sum((-2, -1)))


def rmsf(positions: Any, *, superpose: bool = True) -> Any:
    """Return the root mean square fluctuation of each atom, (n_atoms,), Å.

    Parameters
    ----------
    positions : array of shape (n_frames, n_atoms, 3), Å
    superpose : bool
        Turn all frames onto the first one, then onto the mean of what that gives.
    """

    def onto(target: Any) -> Any:
        def turned(frame: Any) -> Any:
            x, y = target - target.mean(0), frame - frame.mean(0)
            return y @ best_rotation(y.T @ x)

        return jax.vmap(turned)(positions)

    if superpose:
        positions = onto(onto(positions[0]).mean(0))
    away = positions - positions.mean(0)
    return safe_sqrt((away**2).sum(-1).mean(0))


def straightness(positions: Any) -> Any:
    """Return the end-to-end distance divided by the length along the chain, (...): 1 if straight.

    Parameters
    ----------
    positions : array of shape (..., n_atoms, 3), Å
        Of a chain or a fiber, in order.
    """
    steps = norm(positions[..., 1:, :] - positions[..., :-1, :])
    return norm(positions[..., -1, :] - positions[..., 0, :]) / steps.sum(-1)


def tetrahedral_order(
    positions: Any, cell: Any = None, *, reach_A: float | None = None, width_A: float = 0.2
) -> Any:
    """Return q of each atom, (n_atoms,): 1 in a tetrahedral network, 0 on average in a gas.

    q = 1 − 9/4 of the mean of (cos ψ + 1/3)² over pairs of neighbors, ψ the angle between them
    (Errington, Debenedetti, Nature 409, 318 (2001)).

    Parameters
    ----------
    positions : array of shape (n_atoms, 3), Å
        Such as those of oxygens.
    cell : array of shape (3, 3), Å, optional
    reach_A : float, optional
        Smooth form: neighbors count with 1/(1 + exp((r − reach)/width)). The exact form takes the
        four nearest, and has kinks where they change.
    width_A : float
    """
    vectors, r = _neighborhood(positions, cell)
    if reach_A is None:
        _, which = jax.lax.top_k(-r, 4)
        weights = jax.nn.one_hot(which, r.shape[-1], dtype=r.dtype).sum(-2)
    else:
        weights = jax.nn.sigmoid((reach_A - r) / width_A)
    cosine, pairs = _angles_between(vectors, r, weights)
    return 1 - 9 / 4 * (pairs * (cosine + 1 / 3) ** 2).sum((-2, -1)) / pairs.sum((-2, -1))


def bond_order(
    positions: Any,
    cell: Any = None,
    *,
    reach_A: float,
    degree: int = 6,
    width_A: float | None = None,
) -> Any:
    """Return Q of each atom, (n_atoms,): how far its neighbors are arranged as in a crystal.

    Q² = 4π/(2l + 1) Σₘ ‖mean of Yₗₘ‖² = mean of Pₗ(cos ψ) over all pairs of neighbors, each also
    with itself (Steinhardt, Nelson, Ronchetti, Phys. Rev. B 28, 784 (1983)). Q₆ is 0.575 in fcc,
    0.485 in hcp, 0.511 in bcc (14 neighbors).

    Parameters
    ----------
    positions : array of shape (n_atoms, 3), Å
    cell : array of shape (3, 3), Å, optional
    reach_A : float
        Neighbors are nearer than this.
    degree : int
        l: 4 or 6.
    width_A : float, optional
        Smooth form: neighbors count with 1/(1 + exp((r − reach)/width)).
    """
    checks.whole("degree", degree, 1, 12)
    vectors, r = _neighborhood(positions, cell)
    if width_A is None:
        weights = jnp.where(r < reach_A, 1.0, 0.0)
    else:
        weights = jax.nn.sigmoid((reach_A - r) / width_A)
    unit = vectors / jnp.where(jnp.isfinite(r), r, 1.0)[..., None]
    cosine = (unit[:, :, None, :] * unit[:, None, :, :]).sum(-1)
    mean = (weights[:, :, None] * weights[:, None, :] * _legendre(degree, cosine)).sum((1, 2))
    total = weights.sum(1)
    return safe_sqrt(mean) / jnp.where(total > 0, total, 1.0)


# ---------------------------------------------------------------------------------------------
# Dynamics and thermodynamics


def velocity_autocorrelation(velocities: Any, n_lags: int) -> Any:
    """Return ⟨v(t₀)·v(t₀ + t)⟩/⟨v²⟩ over atoms and origins t₀, (n_lags,).

    Parameters
    ----------
    velocities : array of shape (n_frames, n_atoms, 3)
    n_lags : int
        Up to n_lags − 1 records.
    """
    n_frames = len(velocities)
    checks.whole("n_lags", n_lags, 1, n_frames)
    flat = velocities.reshape(n_frames, -1)
    power = jnp.abs(jnp.fft.rfft(flat, 2 * n_frames, axis=0)) ** 2
    sums = jnp.fft.irfft(power.sum(1), 2 * n_frames)[:n_lags]
    means = sums / (n_frames - np.arange(n_lags))  # the longer the lag, the fewer the pairs
    return means / means[0]


def vibrational_spectrum(velocities: Any, masses: Any, interval_fs: float) -> tuple[Any, Any]:
    """Return wavenumbers, 1/cm, and the density of states, cm, which integrates to 1.

    The power spectrum of √m v in a Hann window. It is smooth in the velocities.

    Parameters
    ----------
    velocities : array of shape (n_frames, n_atoms, 3), Å/fs
    masses : array of shape (n_atoms,), u
    interval_fs : float
        From record to record.
    """
    n_frames = len(velocities)
    window = np.hanning(n_frames + 1)[:-1, None, None]
    weighted = window * jnp.sqrt(jnp.asarray(masses))[:, None] * velocities
    power = (jnp.abs(jnp.fft.rfft(weighted, axis=0)) ** 2).sum((1, 2))
    wavenumbers = PER_CM_PER_FS * np.fft.rfftfreq(n_frames, interval_fs)
    return wavenumbers, power / (power.sum() * wavenumbers[1])


def energies_eV(
    field: ForceField, parameters: Any, positions: Any, cell: Any = None, neighbors: Any = None
) -> Any:
    """Return the potential energies of frames, (...), eV.

    Parameters
    ----------
    field : ForceField
    parameters : pytree of arrays
    positions : array of shape (..., n_atoms, 3), Å
        Recorded frames: their energies with other parameters, for example.
    cell, neighbors
        As for `simulate`, the same for all frames.
    """
    positions = jnp.asarray(positions)
    frames = positions.reshape(-1, *positions.shape[-2:])
    energies = jax.vmap(lambda x: field(parameters, x, cell, neighbors)[0])(frames)
    return energies.reshape(positions.shape[:-2])


def pressure_eV_per_A3(
    field: ForceField,
    parameters: Any,
    positions: Any,
    cell: Any,
    neighbors: Any,
    kinetic_eV: Any,
) -> Any:
    """Return the pressure (2 K − dE/d ln L)/(3 V), L the length of the cell, eV/Å³.

    Divided by `ase.units.bar` it is in bar. For any force field whose energy JAX can differentiate
    with respect to positions and cell. With a bare cutoff it is the pressure of the forces: the
    jump of the energy there would add a part that no derivative contains (Trokhymchuk, Alejandre,
    J. Chem. Phys. 111, 8510 (1999)).
    """

    def stretched(factor: Any) -> Any:
        return field(parameters, factor * positions, factor * cell, neighbors)[0]

    return (2 * kinetic_eV - jax.grad(stretched)(jnp.ones(()))) / (3 * _volume(cell))


def density_g_per_cm3(masses: Any, cell: Any) -> Any:
    """Return the mass density, g/cm³."""
    return jnp.sum(jnp.asarray(masses)) / _volume(cell) * (units._amu * 1e3 * 1e24)


# ---------------------------------------------------------------------------------------------


def norm(vectors: Any) -> Any:
    """Return the lengths of vectors (..., 3); a slope of 0 at 0."""
    return safe_sqrt((vectors**2).sum(-1))


def _volume(cell: Any) -> Any:
    return jnp.abs(jnp.dot(cell[0], jnp.cross(cell[1], cell[2])))


def _distance_matrix(positions: Any, cell: Any) -> Any:
    atoms = np.arange(positions.shape[-2])
    return norm(vectors_between(positions, atoms[:, None], atoms[None, :], cell))


def _neighborhood(positions: Any, cell: Any) -> tuple[Any, Any]:
    """Return vectors to all other atoms, (n, n, 3), and distances, (n, n); itself at infinity."""
    atoms = np.arange(len(positions))
    vectors = vectors_between(positions, atoms[:, None], atoms[None, :], cell)
    return vectors, jnp.where(np.eye(len(atoms), dtype=bool), jnp.inf, norm(vectors))


def _angles_between(vectors: Any, r: Any, weights: Any) -> tuple[Any, Any]:
    """Return cosines between neighbors, (n, n, n), and the weights of their pairs."""
    unit = vectors / jnp.where(jnp.isfinite(r), r, 1.0)[..., None]
    cosine = (unit[:, :, None, :] * unit[:, None, :, :]).sum(-1)
    different = ~np.eye(len(vectors), dtype=bool)
    return cosine, jnp.where(different, weights[:, :, None] * weights[:, None, :], 0.0)


def _legendre(degree: int, x: Any) -> Any:
    """Return the Legendre polynomial, by recursion."""
    before, now = jnp.ones_like(x), x
    for l in range(2, degree + 1):  # noqa: E741
        before, now = now, ((2 * l - 1) * x * now - (l - 1) * before) / l
    return now
